//! Refresh tokens: opaque, stored as digests, replaced at every use, and the end of their session when used twice (RFC 9700 section 4.14).

use policy::ScopeSet;
use secrecy::SecretString;

use crate::client_credentials::narrow;
use crate::error::OAuthError;
use crate::one_time_secret::{Digest, OneTimeSecret};

/// How long refresh tokens live, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// A token that is not used for so long is dead.
    pub idle: i64,
    /// A session is dead so long after its login, however often it was refreshed.
    pub absolute: i64,
}

impl Default for Lifetimes {
    /// Fifteen days idle, thirty in all.
    fn default() -> Self {
        Self { idle: 15 * 86_400, absolute: 30 * 86_400 }
    }
}

impl Lifetimes {
    /// Unix seconds at which a session that begins now ends.
    #[must_use]
    pub const fn session_expires_at(&self, now: i64) -> i64 {
        now.saturating_add(self.absolute)
    }

    /// Unix seconds at which a token that is made now dies, within a session that ends at `session_expires_at`.
    #[must_use]
    pub fn token_expires_at(&self, now: i64, session_expires_at: i64) -> i64 {
        now.saturating_add(self.idle).min(session_expires_at)
    }
}

/// Makes a token of 32 fresh random bytes: what the client gets, and what is stored.
#[must_use]
pub fn new(fresh: [u8; 32]) -> (SecretString, Digest) {
    let secret = OneTimeSecret::new(fresh);
    let digest = secret.digest();
    (secret.reveal(), digest)
}

/// The digest under which a presented token would be stored; `None` when it has not the form of one.
#[must_use]
pub fn digest_of(token: &str) -> Option<Digest> {
    let proper = token.len() == 43
        && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    proper.then(|| Digest::of(token))
}

/// A token and its session, as they were loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The session that the token belongs to: its family.
    pub session_id: String,
    /// The client that it was given to.
    pub client_id: String,
    /// What the user let the session do. Narrowing a token never shrinks it.
    pub scope: ScopeSet,
    /// Unix seconds at which the token dies.
    pub expires_at: i64,
    /// Unix seconds at which it was used.
    pub redeemed_at: Option<i64>,
    /// Unix seconds at which the session ends.
    pub session_expires_at: i64,
    /// Unix seconds at which it was ended: by logout, a new password, reuse, an administrator.
    pub session_ended_at: Option<i64>,
    /// The user or the client was blocked since.
    pub blocked: bool,
}

/// What must become true: the old token is marked used, in the same statement that finds it unused, and the new one stored.
#[derive(Debug)]
pub struct Redemption {
    /// The session, which goes on.
    pub session_id: String,
    /// The new token, for the client.
    pub token: SecretString,
    /// The new token, for the store.
    pub digest: Digest,
    /// Unix seconds at which the new token dies.
    pub expires_at: i64,
    /// What the new access token allows.
    pub scope: ScopeSet,
}

/// Why there is no new token. The client is told `invalid_grant` for all but the scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such token.
    #[error("the refresh token is unknown")]
    Unknown,
    /// It was used before: somebody has a copy. The session must be ended now, and the event recorded.
    #[error("the refresh token of session {session_id} was used twice")]
    Reused {
        /// The session to end.
        session_id: String,
    },
    /// The token or its session is too old.
    #[error("the refresh token has expired")]
    Expired,
    /// The session was ended.
    #[error("the session has ended")]
    Ended,
    /// The user or the client may not go on.
    #[error("the user or the client is blocked")]
    Blocked,
    /// It was given to another client (RFC 6749 section 10.4).
    #[error("the refresh token belongs to another client")]
    OtherClient,
    /// More scope is asked for than the session has.
    #[error("{0}")]
    Scope(OAuthError),
}

impl Refusal {
    /// The session that must be ended because of it.
    #[must_use]
    pub fn ends_session(&self) -> Option<&str> {
        match self {
            Self::Reused { session_id } => Some(session_id),
            _ => None,
        }
    }
}

/// Judges a presented token, and makes the next one of 32 fresh random bytes. There is no grace: of two uses one loses.
///
/// # Errors
/// A [`Refusal`].
pub fn redeem(
    stored: Option<&Stored>,
    client_id: &str,
    asked_scope: Option<&str>,
    lifetimes: &Lifetimes,
    now: i64,
    fresh: [u8; 32],
) -> Result<Redemption, Refusal> {
    let stored = stored.ok_or(Refusal::Unknown)?;
    // Before reuse: what another client sends must not end the owner's session.
    if stored.client_id != client_id {
        return Err(Refusal::OtherClient);
    }
    if stored.session_ended_at.is_some() {
        return Err(Refusal::Ended);
    }
    if stored.redeemed_at.is_some() {
        return Err(Refusal::Reused { session_id: stored.session_id.clone() });
    }
    if now >= stored.expires_at || now >= stored.session_expires_at {
        return Err(Refusal::Expired);
    }
    if stored.blocked {
        return Err(Refusal::Blocked);
    }
    let scope = narrow(&stored.scope, asked_scope).map_err(Refusal::Scope)?;
    let (token, digest) = new(fresh);
    let expires_at = lifetimes.token_expires_at(now, stored.session_expires_at);
    Ok(Redemption { session_id: stored.session_id.clone(), token, digest, expires_at, scope })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use secrecy::ExposeSecret;

    const LIFETIMES: Lifetimes = Lifetimes { idle: 100, absolute: 1_000 };

    fn stored() -> Stored {
        Stored {
            session_id: "ses".into(),
            client_id: "app".into(),
            scope: ScopeSet::parse("read write").unwrap(),
            expires_at: 100,
            redeemed_at: None,
            session_expires_at: 1_000,
            session_ended_at: None,
            blocked: false,
        }
    }

    fn redeemed(stored: &Stored, now: i64) -> Result<Redemption, Refusal> {
        redeem(Some(stored), "app", None, &LIFETIMES, now, [1; 32])
    }

    #[test]
    fn each_use_makes_a_new_token_that_idles_anew_but_never_outlives_the_session() {
        let redemption = redeemed(&stored(), 99).unwrap();
        assert_eq!(redemption.expires_at, 199);
        assert_eq!(redemption.digest, digest_of(redemption.token.expose_secret()).unwrap());
        let late = Stored { expires_at: 960, ..stored() };
        assert_eq!(redeemed(&late, 950).unwrap().expires_at, 1_000);
    }

    #[test]
    fn every_refusal_reads_alike_to_the_client() {
        for (what, stored, now, refusal) in [
            ("idle", stored(), 100, Refusal::Expired),
            ("absolute", Stored { expires_at: 5_000, ..stored() }, 1_000, Refusal::Expired),
            (
                "used",
                Stored { redeemed_at: Some(5), ..stored() },
                10,
                Refusal::Reused { session_id: "ses".into() },
            ),
            (
                "used and old",
                Stored { redeemed_at: Some(5), ..stored() },
                500,
                Refusal::Reused { session_id: "ses".into() },
            ),
            ("ended", Stored { session_ended_at: Some(5), ..stored() }, 10, Refusal::Ended),
            ("blocked", Stored { blocked: true, ..stored() }, 10, Refusal::Blocked),
            ("another's", Stored { client_id: "other".into(), ..stored() }, 10, Refusal::OtherClient),
        ] {
            let found = redeemed(&stored, now).unwrap_err();
            assert_eq!(found, refusal, "{what}");
            assert_eq!(found.ends_session().is_some(), what.starts_with("used"), "{what}");
        }
        assert_eq!(redeem(None, "app", None, &LIFETIMES, 0, [1; 32]).unwrap_err(), Refusal::Unknown);
    }

    #[test]
    fn scope_narrows_and_never_widens() {
        let narrowed = redeem(Some(&stored()), "app", Some("read"), &LIFETIMES, 0, [1; 32]).unwrap();
        assert_eq!(narrowed.scope.to_string(), "read");
        let widened = redeem(Some(&stored()), "app", Some("read admin"), &LIFETIMES, 0, [1; 32]).unwrap_err();
        assert!(matches!(&widened, Refusal::Scope(error) if error.code() == ErrorCode::InvalidScope));
        assert_eq!(widened.ends_session(), None);
    }

    #[test]
    fn what_is_no_token_has_no_digest() {
        for text in ["", "short", &"a".repeat(44), &"é".repeat(21)] {
            assert!(digest_of(text).is_none());
        }
    }
}
