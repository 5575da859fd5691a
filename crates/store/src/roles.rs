//! Roles: named sets of permissions that users get.

use crate::connection::pending;
use crate::{Fault, Store};

/// A scope of an API that a role allows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// The API's identifier.
    pub audience: String,
    /// The scope.
    pub scope: String,
}

/// A role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name, unique.
    pub name: String,
    /// For people.
    pub description: String,
    /// Whether new users get it.
    pub is_default: bool,
    /// Sorted.
    pub permissions: Vec<Permission>,
}

impl Store {
    /// Makes the role, or makes it look like this. Permissions are (audience, scope); an API that does not exist is a
    /// [`Fault::Conflict`].
    pub async fn upsert_role(
        &self,
        _name: &str,
        _description: &str,
        _is_default: bool,
        _permissions: &[(String, String)],
        _now: i64,
    ) -> Result<(), Fault> {
        pending()
    }
    /// The role of this name.
    pub async fn role(&self, _name: &str) -> Result<Option<Role>, Fault> {
        pending()
    }
    /// Every role, by name.
    pub async fn roles(&self) -> Result<Vec<Role>, Fault> {
        pending()
    }
    /// Deletes the role and takes it from its users; false when there is none.
    pub async fn delete_role(&self, _name: &str, _now: i64) -> Result<bool, Fault> {
        pending()
    }
    /// The names of the roles that new users get, sorted.
    pub async fn default_roles(&self) -> Result<Vec<String>, Fault> {
        pending()
    }
}
