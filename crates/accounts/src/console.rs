//! Who may look at the console: a one-time link that its terminal printed, then a session; or a user who has the scope.
//!
//! Link and cookie are 256 random bits, stored as digests. What is spent and what has ended is decided by one conditional
//! write in the store; here are the lifetimes, the tokens, and the judgement of a user's session.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};

/// Seconds that a link lives: 10 minutes, for it stands in a terminal's scroll-back or in a log.
pub const LINK_LIFETIME: i64 = 10 * 60;
/// Seconds after which a session ends, however busy: 8 hours.
pub const SESSION_LIFETIME: i64 = 8 * 3600;
/// Seconds without a request after which a session ends: 30 minutes.
pub const SESSION_IDLE: i64 = 30 * 60;
/// Seconds between two notes of a session's last use.
pub const SESSION_NOTE: i64 = 60;
/// What a user's roles must grant at the issuer's own API.
pub const SCOPE: &str = "read:measures";

/// Characters of a token: 32 bytes in base64url without padding.
const TOKEN_LENGTH: usize = 43;

/// A token that was just made, for a link or a cookie.
pub struct Token {
    /// 43 characters of base64url.
    pub text: SecretString,
    /// SHA-256 of the text: what is stored.
    pub digest: [u8; 32],
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token")
    }
}

/// Makes a token of 32 fresh random bytes.
#[must_use]
pub fn token(fresh: [u8; 32]) -> Token {
    let text = SecretString::from(URL_SAFE_NO_PAD.encode(fresh));
    let digest = sha256(text.expose_secret());
    Token { text, digest }
}

/// The digest under which a presented token would be stored; `None` when it has not the form of one.
#[must_use]
pub fn digest_of(presented: &str) -> Option<[u8; 32]> {
    let proper = presented.len() == TOKEN_LENGTH
        && presented.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    proper.then(|| sha256(presented))
}

/// What is known of the user whose session it is, now.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// A blocked user sees nothing.
    pub blocked: bool,
    /// Sessions of before this moment have ended: a new password, a logout everywhere.
    pub not_before: i64,
    /// What the roles grant at the issuer's own API.
    pub scopes: &'a [String],
}

/// Whether a session that a user began at `created_at` still shows the measures. In doubt, within one second, it does not.
#[must_use]
pub fn may_see_measures(user: &Standing<'_>, created_at: i64) -> bool {
    !user.blocked && user.not_before < created_at && user.scopes.iter().any(|scope| scope == SCOPE)
}

fn sha256(text: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_256_bits_and_found_by_its_digest() {
        let made = token([7; 32]);
        assert_eq!(made.text.expose_secret().len(), TOKEN_LENGTH);
        assert_eq!(digest_of(made.text.expose_secret()), Some(made.digest));
        assert!(!format!("{made:?}").contains(made.text.expose_secret()));
        for other in ["", "short", &"=".repeat(43), &"a".repeat(44), &format!("{}é", "a".repeat(41))] {
            assert_eq!(digest_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_users_session_wants_the_scope_the_account_and_the_same_password() {
        let (with, without) = (vec!["read:measures".to_owned()], vec!["read:measures:all".to_owned()]);
        let table: [(bool, i64, &[String], bool); 6] = [
            (false, 0, &with, true),
            (false, 99, &with, true),
            (false, 100, &with, false),
            (false, 101, &with, false),
            (true, 0, &with, false),
            (false, 0, &without, false),
        ];
        for (blocked, not_before, scopes, expected) in table {
            let user = Standing { blocked, not_before, scopes };
            assert_eq!(may_see_measures(&user, 100), expected, "{user:?}");
        }
    }
}
