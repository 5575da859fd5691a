//! Roles: named sets of permissions that users get.

use serde::Serialize;
use store::Store;

use crate::{Error, apis};

/// Longest name in characters.
const MAXIMUM_NAME: usize = 100;

/// Scopes at one API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Permission {
    /// The API's identifier.
    pub api: String,
    /// Its scopes.
    pub scopes: Vec<String>,
}

impl Permission {
    /// Reads `URI=SCOPE`, as commands take it. The scope follows the last `=`, since a URI may have one.
    ///
    /// # Errors
    /// When there is no `=`, or nothing on one side.
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text.rsplit_once('=') {
            Some((api, scope)) if !api.is_empty() && !scope.is_empty() => {
                Ok(Self { api: api.to_owned(), scopes: vec![scope.to_owned()] })
            }
            _ => Err(Error::invalid(
                format!("permission {text}"),
                "must be URI=SCOPE, such as https://api.example.com=read:orders",
            )),
        }
    }
}

/// A role to make.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewRole {
    /// Its name, unique.
    pub name: String,
    /// For people; may be empty.
    pub description: String,
    /// Whether new users get it.
    pub default: bool,
    /// What it allows.
    pub permissions: Vec<Permission>,
}

/// What to change of a role; an empty change changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoleChange {
    /// Another description.
    pub description: Option<String>,
    /// Whether new users get it.
    pub default: Option<bool>,
    /// Permissions to add.
    pub add: Vec<Permission>,
    /// Permissions to take away.
    pub remove: Vec<Permission>,
}

/// A role, to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoleView {
    /// Its name.
    pub name: String,
    /// For people.
    pub description: String,
    /// Whether new users get it.
    pub default: bool,
    /// What it allows, by API.
    pub permissions: Vec<Permission>,
}

impl From<store::Role> for RoleView {
    fn from(role: store::Role) -> Self {
        let mut permissions: Vec<Permission> = Vec::new();
        for store::Permission { audience, scope } in role.permissions {
            match permissions.last_mut() {
                Some(last) if last.api == audience => last.scopes.push(scope),
                _ => permissions.push(Permission { api: audience, scopes: vec![scope] }),
            }
        }
        Self { name: role.name, description: role.description, default: role.is_default, permissions }
    }
}

/// Checks a role against the APIs, and gives the row to store, its permissions sorted and each once.
pub(crate) fn validate(role: &NewRole, apis: &[store::Api]) -> Result<store::Role, Error> {
    let fine = !role.name.is_empty()
        && role.name.chars().count() <= MAXIMUM_NAME
        && role.name.trim() == role.name
        && !role.name.chars().any(char::is_control);
    if !fine {
        return Err(Error::invalid(
            format!("role name {:?}", role.name),
            "must have 1 to 100 characters, no control characters, and no space at its ends",
        ));
    }
    let mut permissions = Vec::new();
    for permission in &role.permissions {
        apis::must_define(apis, &permission.api, &permission.scopes)?;
        let of =
            |scope: &String| store::Permission { audience: permission.api.clone(), scope: scope.clone() };
        permissions.extend(permission.scopes.iter().map(of));
    }
    permissions.sort();
    permissions.dedup();
    Ok(store::Role {
        name: role.name.clone(),
        description: role.description.clone(),
        is_default: role.default,
        permissions,
    })
}

/// Makes the stored role look like this one.
pub(crate) async fn write(store: &Store, role: &store::Role, now: i64) -> Result<(), Error> {
    let permissions: Vec<(String, String)> = role
        .permissions
        .iter()
        .map(|permission| (permission.audience.clone(), permission.scope.clone()))
        .collect();
    Ok(store.upsert_role(&role.name, &role.description, role.is_default, &permissions, now).await?)
}

/// Makes a role.
///
/// # Errors
/// When it exists, names an API or scope that does not, or the store fails.
pub async fn create(store: &Store, role: &NewRole, now: i64) -> Result<RoleView, Error> {
    let row = validate(role, &store.apis().await?)?;
    if store.role(&row.name).await?.is_some() {
        return Err(Error::Exists { kind: "role", name: row.name });
    }
    write(store, &row, now).await?;
    Ok(row.into())
}

/// Every role.
///
/// # Errors
/// When the store fails.
pub async fn list(store: &Store) -> Result<Vec<RoleView>, Error> {
    Ok(store.roles().await?.into_iter().map(RoleView::from).collect())
}

/// One role.
///
/// # Errors
/// When there is none of that name, or the store fails.
pub async fn show(store: &Store, name: &str) -> Result<RoleView, Error> {
    find(store, name).await.map(RoleView::from)
}

/// Changes a role.
///
/// # Errors
/// When there is none, an API or scope does not exist, or the store fails.
pub async fn update(store: &Store, name: &str, change: &RoleChange, now: i64) -> Result<RoleView, Error> {
    let present: RoleView = find(store, name).await?.into();
    let mut permissions = present.permissions;
    permissions.extend(change.add.iter().cloned());
    for taken in &change.remove {
        for permission in permissions.iter_mut().filter(|permission| permission.api == taken.api) {
            permission.scopes.retain(|scope| !taken.scopes.contains(scope));
        }
    }
    let role = NewRole {
        name: present.name,
        description: change.description.clone().unwrap_or(present.description),
        default: change.default.unwrap_or(present.default),
        permissions,
    };
    let row = validate(&role, &store.apis().await?)?;
    write(store, &row, now).await?;
    Ok(row.into())
}

/// Deletes a role, and takes it from its users.
///
/// # Errors
/// When there is none, or the store fails.
pub async fn delete(store: &Store, name: &str, now: i64) -> Result<(), Error> {
    if store.delete_role(name, now).await? {
        return Ok(());
    }
    find(store, name).await.map(|_| ())
}

async fn find(store: &Store, name: &str) -> Result<store::Role, Error> {
    match store.role(name).await? {
        Some(role) => Ok(role),
        None => Err(unknown(store, name).await?),
    }
}

async fn unknown(store: &Store, name: &str) -> Result<Error, Error> {
    let known = store.roles().await?.into_iter().map(|role| role.name).collect();
    Ok(Error::Unknown { kind: "role", name: name.to_owned(), known })
}

/// Checks that every one of these roles exists.
pub(crate) async fn must_exist(store: &Store, names: &[String]) -> Result<(), Error> {
    for name in names {
        find(store, name).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_read_at_the_last_equals_sign() {
        let permission = Permission::parse("https://api.example.com/?v=1=read:orders").unwrap();
        assert_eq!(
            (permission.api.as_str(), permission.scopes),
            ("https://api.example.com/?v=1", vec!["read:orders".to_owned()])
        );
        for bad in ["", "=", "https://api.example.com=", "=read", "read"] {
            assert!(Permission::parse(bad).is_err(), "{bad}");
        }
    }
}
