//! Users, as an administrator sees them. Their passwords are only ever set.

use accounts::password::{self, Memory, Policy, SALT_LENGTH};
use accounts::user::{Email, UserId};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use store::{Insertion, Store, User, UserChange as Columns};

use crate::{Error, roles};

/// Users that are read at a time.
const PAGE: u64 = 500;

/// What an administrator's password must be, too.
#[derive(Debug)]
pub struct Passwords<'a> {
    /// The rules, and the cost of hashing.
    pub policy: &'a Policy,
    /// The name of the service, which no password may be made of.
    pub service_name: &'a str,
    /// Working memory for the hash.
    pub memory: &'a mut Memory,
}

impl Passwords<'_> {
    fn check(&self, email: &Email, password: &SecretString) -> Result<(), Error> {
        Ok(password::check_new(self.policy, password.expose_secret(), email, self.service_name)?)
    }

    pub(crate) fn hash(
        &mut self,
        email: &Email,
        password: &SecretString,
        salt: [u8; SALT_LENGTH],
    ) -> Result<String, Error> {
        self.check(email, password)?;
        let normal = password::normalise(password.expose_secret());
        let phc = password::hash(&self.policy.argon2, normal.expose_secret().as_bytes(), salt, self.memory);
        self.memory.wipe();
        Ok(phc?)
    }
}

/// A user to make.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The address, which is also the login.
    pub email: String,
    /// None: the user sets one by a reset link.
    pub password: Option<SecretString>,
    /// Exactly these roles; none for those that every new user gets.
    pub roles: Option<Vec<String>>,
    /// The address is known to be the user's.
    pub verified: bool,
}

/// What to change of a user; an empty change changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserChange {
    /// Another address. It is unverified unless `verified` says otherwise.
    pub email: Option<String>,
    /// The address is known to be the user's, or is not.
    pub verified: Option<bool>,
    /// A blocked user cannot log in; sessions end at once.
    pub blocked: Option<bool>,
    /// Exactly these roles.
    pub roles: Option<Vec<String>>,
}

/// Random bytes for one user.
#[derive(Clone)]
pub struct Fresh {
    /// Becomes the identifier.
    pub id: [u8; 16],
    /// Salts the password's hash.
    pub salt: [u8; SALT_LENGTH],
}

/// A user, to show. Neither password nor hash is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UserView {
    /// `usr_…`: the `sub` of the user's tokens.
    pub id: String,
    /// The address, as it was given.
    pub email: String,
    /// The address is known to be the user's.
    pub verified: bool,
    /// The user cannot log in.
    pub blocked: bool,
    /// The user has a password here.
    pub has_password: bool,
    /// The user's roles, sorted.
    pub roles: Vec<String>,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub updated_at: i64,
}

async fn view(store: &Store, user: User) -> Result<UserView, Error> {
    let roles = store.user_roles(&user.id).await?;
    Ok(UserView {
        id: user.id,
        email: user.email,
        verified: user.email_verified,
        blocked: user.blocked,
        has_password: user.password_hash.is_some(),
        roles,
        created_at: user.created_at,
        updated_at: user.updated_at,
    })
}

/// Makes a user.
///
/// # Errors
/// When the address is taken or none, the password is refused, a role does not exist, or the store fails.
pub async fn create(
    store: &Store,
    user: &NewUser,
    passwords: &mut Passwords<'_>,
    now: i64,
    fresh: Fresh,
) -> Result<UserView, Error> {
    let email = Email::parse(&user.email)?;
    let roles = match &user.roles {
        Some(given) => {
            roles::must_exist(store, given).await?;
            given.clone()
        }
        None => store.default_roles().await?,
    };
    if store.user_by_email(email.canonical()).await?.is_some() {
        return Err(exists(&email));
    }
    let password_hash =
        user.password.as_ref().map(|password| passwords.hash(&email, password, fresh.salt)).transpose()?;
    let row = store::NewUser {
        id: UserId::new(fresh.id).to_string(),
        email: email.as_str().to_owned(),
        email_canonical: email.canonical().to_owned(),
        email_verified: user.verified,
        password_hash,
        created_at: now,
    };
    match store.insert_user(&row, &roles).await? {
        Insertion::Inserted => show(store, &row.id).await,
        Insertion::AlreadyExists => Err(exists(&email)),
    }
}

fn exists(email: &Email) -> Error {
    Error::Exists { kind: "user", name: email.to_string() }
}

/// Every user, in the order of their identifiers.
///
/// # Errors
/// When the store fails.
pub async fn list(store: &Store) -> Result<Vec<UserView>, Error> {
    let mut all = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = page(store, after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(all) };
        after = Some(last.id.clone());
        all.extend(page);
    }
}

/// At most `limit` users after the identifier `after`.
///
/// # Errors
/// When the store fails.
pub async fn page(store: &Store, after: Option<&str>, limit: u64) -> Result<Vec<UserView>, Error> {
    let mut views = Vec::new();
    for user in store.users(after, limit).await? {
        views.push(view(store, user).await?);
    }
    Ok(views)
}

/// One user, by address or identifier.
///
/// # Errors
/// When there is none, or the store fails.
pub async fn show(store: &Store, email_or_id: &str) -> Result<UserView, Error> {
    let user = find(store, email_or_id).await?;
    view(store, user).await
}

/// Changes a user.
///
/// # Errors
/// When there is none, the new address is taken or none, a role does not exist, or the store fails.
pub async fn update(
    store: &Store,
    email_or_id: &str,
    change: &UserChange,
    now: i64,
) -> Result<UserView, Error> {
    let user = find(store, email_or_id).await?;
    let email = change.email.as_deref().map(Email::parse).transpose()?;
    if let Some(email) = &email
        && store.user_by_email(email.canonical()).await?.is_some_and(|other| other.id != user.id)
    {
        return Err(exists(email));
    }
    if let Some(roles) = &change.roles {
        roles::must_exist(store, roles).await?;
    }
    let moved = email.as_ref().is_some_and(|email| email.canonical() != user.email_canonical);
    let columns = Columns {
        email: email.as_ref().map(|email| email.as_str().to_owned()),
        email_canonical: email.as_ref().map(|email| email.canonical().to_owned()),
        email_verified: change.verified.or(moved.then_some(false)),
        blocked: change.blocked,
    };
    if columns != Columns::default() {
        store.update_user(&user.id, &columns, now).await?;
    }
    if let Some(roles) = &change.roles {
        store.set_user_roles(&user.id, roles, now).await?;
    }
    show(store, &user.id).await
}

/// Whether [`set_password`] would take this password, so that a change that comes with it can wait for the answer.
///
/// # Errors
/// When there is no such user, the password is refused, or the store fails.
pub async fn check_password(
    store: &Store,
    email_or_id: &str,
    password: &SecretString,
    passwords: &Passwords<'_>,
) -> Result<(), Error> {
    let user = find(store, email_or_id).await?;
    passwords.check(&Email::parse(&user.email)?, password)
}

/// Sets a user's password, and ends every session of theirs.
///
/// # Errors
/// When there is none, the password is refused, or the store fails.
pub async fn set_password(
    store: &Store,
    email_or_id: &str,
    password: &SecretString,
    passwords: &mut Passwords<'_>,
    now: i64,
    salt: [u8; SALT_LENGTH],
) -> Result<UserView, Error> {
    let user = find(store, email_or_id).await?;
    let email = Email::parse(&user.email)?;
    let phc = passwords.hash(&email, password, salt)?;
    store.change_password(&user.id, &phc, now).await?;
    show(store, &user.id).await
}

/// Deletes a user, with sessions, tokens and reset links.
///
/// # Errors
/// When there is none, or the store fails.
pub async fn delete(store: &Store, email_or_id: &str, now: i64) -> Result<(), Error> {
    let user = find(store, email_or_id).await?;
    store.delete_user(&user.id, now).await?;
    Ok(())
}

/// An identifier never has an `@`, an address always has one: neither can be taken for the other.
async fn find(store: &Store, email_or_id: &str) -> Result<User, Error> {
    let found = match UserId::parse(email_or_id) {
        Some(id) => store.user(id.as_str()).await?,
        None => store.user_by_email(Email::parse(email_or_id)?.canonical()).await?,
    };
    found.ok_or_else(|| Error::Unknown { kind: "user", name: email_or_id.to_owned(), known: Vec::new() })
}
