//! Reset links, by digest: single use, one alive per user.

use crate::connection::pending;
use crate::{Fault, NewMail, Store};

/// A reset link as stored.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordReset {
    /// SHA-256 of the token.
    pub digest: Vec<u8>,
    /// Whose password it resets.
    pub user_id: String,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub expires_at: i64,
    /// Unix seconds.
    pub redeemed_at: Option<i64>,
}

crate::redacted::redacted!(PasswordReset: user_id, expires_at, redeemed_at);

/// The outcome of a redemption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redemption {
    /// The password is set and every session is over.
    Redeemed {
        /// Whose it was.
        user_id: String,
    },
    /// Unknown, spent, expired, or replaced by a newer link. Nothing changed.
    NotRedeemable,
}

impl Store {
    /// Stores a reset link; earlier ones of the user die.
    pub async fn insert_password_reset(
        &self,
        _digest: &[u8],
        _user_id: &str,
        _expires_at: i64,
        _now: i64,
    ) -> Result<(), Fault> {
        pending()
    }
    /// As [`Store::insert_password_reset`], with the mail that carries it in the same transaction.
    pub async fn insert_password_reset_with_mail(
        &self,
        _digest: &[u8],
        _user_id: &str,
        _expires_at: i64,
        _mail: &NewMail,
        _now: i64,
    ) -> Result<(), Fault> {
        pending()
    }
    /// The reset link with this digest. A look: it spends nothing.
    pub async fn password_reset(&self, _digest: &[u8]) -> Result<Option<PasswordReset>, Fault> {
        pending()
    }
    /// Spends the link, sets the password, ends every session: one transaction, one winner.
    pub async fn redeem_password_reset(
        &self,
        _digest: &[u8],
        _new_password_hash: &str,
        _now: i64,
    ) -> Result<Redemption, Fault> {
        pending()
    }
}
