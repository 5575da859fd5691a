//! Password reset by an e-mailed link: a 256-bit token, stored as a digest, good once and for half an hour.
//!
//! The rules are those of OWASP's cheat sheet on forgotten passwords: the answer to the request never depends on what this
//! module decides, the token is spent by one conditional write, and a newer request kills older tokens.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};

/// Seconds that a reset token lives: 30 minutes.
pub const LIFETIME: i64 = 30 * 60;
/// Characters of a token: 32 bytes in base64url without padding.
pub const TOKEN_LENGTH: usize = 43;

/// What issuing needs to know of the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// A blocked account gets no mail; the answer to the request is the same.
    pub blocked: bool,
}

/// A token that was just made. The plain token goes into the mail alone.
pub struct Issued {
    /// What stands in the link: 43 characters of base64url.
    pub token: SecretString,
    /// SHA-256 of the token: what is stored.
    pub digest: [u8; 32],
    /// Unix seconds from which the token is worthless.
    pub expires_at: i64,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Makes a token of 32 fresh random bytes, or `None` for an account that may not reset its password.
#[must_use]
pub fn issue(account: &Account, now: i64, fresh: [u8; 32]) -> Option<Issued> {
    if account.blocked {
        return None;
    }
    let token = SecretString::from(URL_SAFE_NO_PAD.encode(fresh));
    let digest = sha256(token.expose_secret());
    Some(Issued { token, digest, expires_at: now.saturating_add(LIFETIME) })
}

/// The digest under which a presented token would be stored; `None` when it has not the form of one, so that no
/// database is asked for it.
#[must_use]
pub fn digest_of(token: &str) -> Option<[u8; 32]> {
    let proper = token.len() == TOKEN_LENGTH
        && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    proper.then(|| sha256(token))
}

/// The stored side of a token, as it was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Whose password it resets.
    pub user_id: String,
    /// Unix seconds from which it is worthless.
    pub expires_at: i64,
    /// Unix seconds at which it was spent.
    pub redeemed_at: Option<i64>,
    /// The account was blocked since.
    pub blocked: bool,
}

/// The link cannot be used. Unknown, spent, replaced and expired read alike on purpose: the holder learns only to ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the reset link is unknown, used or older than 30 minutes; ask for a new one")]
pub struct NotRedeemable;

/// Judges a presented token before the password is hashed. The commit repeats the condition in its WHERE clause; only that one spends it.
///
/// # Errors
/// [`NotRedeemable`], whatever the reason.
pub fn redeem(stored: Option<&Stored>, now: i64) -> Result<&Stored, NotRedeemable> {
    match stored {
        Some(stored) if stored.redeemed_at.is_none() && now < stored.expires_at && !stored.blocked => {
            Ok(stored)
        }
        _ => Err(NotRedeemable),
    }
}

fn sha256(text: &str) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ACTIVE: Account = Account { blocked: false };

    fn stored() -> Stored {
        Stored { user_id: "usr_x".into(), expires_at: 1_800, redeemed_at: None, blocked: false }
    }

    #[test]
    fn a_token_lives_half_an_hour_and_its_digest_is_found_again() {
        let issued = issue(&ACTIVE, 1_000, [7; 32]).unwrap();
        assert_eq!(issued.expires_at, 1_000 + 1_800);
        assert_eq!(issued.token.expose_secret().len(), TOKEN_LENGTH);
        assert_eq!(digest_of(issued.token.expose_secret()), Some(issued.digest));
    }

    #[test]
    fn a_blocked_account_gets_none() {
        assert!(issue(&Account { blocked: true }, 0, [7; 32]).is_none());
    }

    #[test]
    fn it_is_redeemable_until_the_second_before_it_expires() {
        let fine = stored();
        assert_eq!(redeem(Some(&fine), 1_799), Ok(&fine));
        assert_eq!(redeem(Some(&fine), 1_800), Err(NotRedeemable));
        assert_eq!(redeem(None, 0), Err(NotRedeemable));
        assert_eq!(redeem(Some(&Stored { redeemed_at: Some(5), ..stored() }), 10), Err(NotRedeemable));
        assert_eq!(redeem(Some(&Stored { blocked: true, ..stored() }), 10), Err(NotRedeemable));
    }

    #[test]
    fn debug_shows_neither_token_nor_digest() {
        let issued = issue(&ACTIVE, 0, [7; 32]).unwrap();
        let shown = format!("{issued:?}");
        assert!(!shown.contains(issued.token.expose_secret()) && !shown.contains("digest"), "{shown}");
    }

    proptest! {
        #[test]
        fn nothing_but_the_form_of_a_token_has_a_digest(text in "\\PC{0,60}") {
            let proper = text.len() == 43 && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
            prop_assert_eq!(digest_of(&text).is_some(), proper);
        }

        #[test]
        fn different_bytes_make_different_tokens(one: [u8; 32], other: [u8; 32]) {
            prop_assume!(one != other);
            prop_assert_ne!(issue(&ACTIVE, 0, one).unwrap().digest, issue(&ACTIVE, 0, other).unwrap().digest);
        }

        #[test]
        fn the_clock_cannot_overflow(now: i64) {
            prop_assert!(issue(&ACTIVE, now, [0; 32]).unwrap().expires_at >= now);
        }
    }
}
