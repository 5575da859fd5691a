//! Users. `email_canonical` finds a user; `not_before` is the time before which no token of the user counts.

use crate::connection::pending;
use crate::{Fault, Store};

/// A user as stored.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// `usr_…`.
    pub id: String,
    /// As the user wrote it.
    pub email: String,
    /// The form that is compared; unique.
    pub email_canonical: String,
    /// Whether the user has shown that mail reaches them.
    pub email_verified: bool,
    /// PHC string; none where no local password exists.
    pub password_hash: Option<String>,
    /// A blocked user has no session and gets none.
    pub blocked: bool,
    /// Tokens issued before this moment are refused. Unix seconds, 0 for never.
    pub not_before: i64,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub updated_at: i64,
}

crate::redacted::redacted!(User: id, blocked);

/// A user to insert.
#[derive(Clone, PartialEq, Eq)]
pub struct NewUser {
    /// `usr_…`.
    pub id: String,
    /// As the user wrote it.
    pub email: String,
    /// The form that is compared.
    pub email_canonical: String,
    /// Whether the address is known to be the user's.
    pub email_verified: bool,
    /// PHC string.
    pub password_hash: Option<String>,
    /// Unix seconds.
    pub created_at: i64,
}

crate::redacted::redacted!(NewUser: id);

/// What to change of a user; `None` leaves a column as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserChange {
    /// A new address as the user wrote it; comes with `email_canonical`.
    pub email: Option<String>,
    /// Its canonical form. A new address ends outstanding reset links.
    pub email_canonical: Option<String>,
    /// Whether it is verified.
    pub email_verified: Option<bool>,
    /// Blocking ends every session at once.
    pub blocked: Option<bool>,
}

/// The outcome of an insert that may meet an earlier row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insertion {
    /// The row is new.
    Inserted,
    /// Somebody was first; nothing changed.
    AlreadyExists,
}

impl Store {
    /// Inserts a user with roles, all or nothing. A role that does not exist is a [`Fault::Conflict`].
    pub async fn insert_user(&self, _user: &NewUser, _roles: &[String]) -> Result<Insertion, Fault> {
        pending()
    }
    /// The user with this canonical address.
    pub async fn user_by_email(&self, _email_canonical: &str) -> Result<Option<User>, Fault> {
        pending()
    }
    /// The user with this id.
    pub async fn user(&self, _id: &str) -> Result<Option<User>, Fault> {
        pending()
    }
    /// Users in the order of their ids, after the given one: for pages.
    pub async fn users(&self, _after: Option<&str>, _limit: u64) -> Result<Vec<User>, Fault> {
        pending()
    }
    /// How many users there are.
    pub async fn count_users(&self) -> Result<u64, Fault> {
        pending()
    }
    /// Changes a user; false when there is none. An address that is taken is a [`Fault::Conflict`].
    pub async fn update_user(&self, _id: &str, _change: &UserChange, _now: i64) -> Result<bool, Fault> {
        pending()
    }
    /// Deletes a user with sessions, refresh tokens, reset links and roles; false when there is none.
    pub async fn delete_user(&self, _id: &str, _now: i64) -> Result<bool, Fault> {
        pending()
    }
    /// Replaces the hash if it is still `expected`: a rehash at login. Ends no session.
    pub async fn set_password_hash(
        &self,
        _id: &str,
        _expected: &str,
        _new: &str,
        _now: i64,
    ) -> Result<bool, Fault> {
        pending()
    }
    /// A new password: ends every session, reset links die, `not_before` is now. False when there is no user.
    pub async fn change_password(&self, _id: &str, _new_hash: &str, _now: i64) -> Result<bool, Fault> {
        pending()
    }
    /// The names of the user's roles, sorted.
    pub async fn user_roles(&self, _id: &str) -> Result<Vec<String>, Fault> {
        pending()
    }
    /// Replaces the user's roles; false when there is no user, [`Fault::Conflict`] for an unknown role.
    pub async fn set_user_roles(&self, _id: &str, _roles: &[String], _now: i64) -> Result<bool, Fault> {
        pending()
    }
    /// Every scope that the user's roles allow on this API, sorted, each once.
    pub async fn user_permissions(&self, _id: &str, _audience: &str) -> Result<Vec<String>, Fault> {
        pending()
    }
}
