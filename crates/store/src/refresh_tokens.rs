//! Refresh tokens, by digest. All tokens of a session are one family; each is redeemed once (RFC 9700 section 4.14.2).

use crate::connection::pending;
use crate::{Fault, Session, Store};

/// A refresh token to insert.
#[derive(Clone, PartialEq, Eq)]
pub struct NewRefreshToken {
    /// SHA-256 of the token.
    pub digest: Vec<u8>,
    /// Its end when it is not used, Unix seconds.
    pub expires_at: i64,
}

crate::redacted::redacted!(NewRefreshToken: expires_at);

/// A refresh token as stored.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken {
    /// SHA-256 of the token.
    pub digest: Vec<u8>,
    /// The family.
    pub session_id: String,
    /// Unix seconds.
    pub issued_at: i64,
    /// Unix seconds.
    pub expires_at: i64,
    /// When it was exchanged, Unix seconds.
    pub redeemed_at: Option<i64>,
}

crate::redacted::redacted!(RefreshToken: session_id, redeemed_at);

/// The outcome of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// The old token is spent, the new one is stored.
    Rotated,
    /// The token was spent before: somebody else has it. End the family with [`Store::end_session`].
    AlreadyRedeemed,
    /// Unknown, expired, or its session is over. Nothing changed.
    NotRedeemable,
}

impl Store {
    /// The token with this digest and its session.
    pub async fn refresh_token(&self, _digest: &[u8]) -> Result<Option<(RefreshToken, Session)>, Fault> {
        pending()
    }
    /// Spends the old token and stores the new one in one conditional write: of any number of contenders one wins.
    pub async fn rotate_refresh_token(
        &self,
        _old_digest: &[u8],
        _new: &NewRefreshToken,
        _now: i64,
    ) -> Result<Rotation, Fault> {
        pending()
    }
}
