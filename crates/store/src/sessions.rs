//! Sessions: one login of one user. Ended sessions stay until their time is over, so that a token is known as dead.

use crate::connection::pending;
use crate::{Fault, NewRefreshToken, Store};

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The `sid` of its tokens.
    pub id: String,
    /// Whose it is.
    pub user_id: String,
    /// The client that asked, or `session`.
    pub client_id: String,
    /// The audience of its tokens.
    pub audience: String,
    /// Scopes, separated by spaces.
    pub scope: String,
    /// Unix seconds.
    pub created_at: i64,
    /// The absolute end, Unix seconds.
    pub expires_at: i64,
    /// When it was ended early, Unix seconds.
    pub ended_at: Option<i64>,
}

impl Store {
    /// Begins a session with its first refresh token. False, and nothing written, when the user is gone or blocked.
    pub async fn create_session(
        &self,
        _session: &Session,
        _refresh: &NewRefreshToken,
    ) -> Result<bool, Fault> {
        pending()
    }
    /// As [`Store::create_session`], and only while the user's hash is the one that was just verified: a login with the
    /// old password cannot overtake a change of password.
    pub async fn create_session_for_password(
        &self,
        _session: &Session,
        _refresh: &NewRefreshToken,
        _verified_hash: &str,
    ) -> Result<bool, Fault> {
        pending()
    }
    /// The session with this id.
    pub async fn session(&self, _id: &str) -> Result<Option<Session>, Fault> {
        pending()
    }
    /// The sessions of a user that are neither ended nor expired, newest first.
    pub async fn sessions_of_user(&self, _user_id: &str, _now: i64) -> Result<Vec<Session>, Fault> {
        pending()
    }
    /// Ends a session and its refresh tokens; false when it is unknown or ended already.
    pub async fn end_session(&self, _id: &str, _now: i64) -> Result<bool, Fault> {
        pending()
    }
    /// Ends every session of a user and moves `not_before` to now; the number of sessions ended.
    pub async fn end_sessions_of_user(&self, _user_id: &str, _now: i64) -> Result<u64, Fault> {
        pending()
    }
}
