//! `POST /users` (sign-up) and `GET|PATCH|DELETE /users/me`.

use accounts::password::{self, PasswordRejection};
use accounts::throttle;
use accounts::user::{Email, UserId};
use axum::extract::Request;
use http::StatusCode;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::json;
use store::{Insertion, NewUser, UserChange};

use crate::body::{self, Secret, required};
use crate::client_address::client_address;
use crate::mail::{Errand, Letter};
use crate::respond::{self, Answer, Problem, Refusal};
use crate::throttling::guards_account;
use crate::{Fault, Identity, letters};

/// Scope for `GET`.
pub(crate) const READ: &str = "read:current_user";
/// Scope for `PATCH`.
pub(crate) const UPDATE: &str = "update:current_user";
/// Scope for `DELETE`.
pub(crate) const DELETE: &str = "delete:current_user";

#[derive(Deserialize)]
struct SignUp {
    email: Option<String>,
    password: Option<Secret>,
}

/// A new password that is refused, and why. The reason depends on what was sent alone, never on what is stored.
pub(crate) fn password_rejected(rejection: &PasswordRejection) -> Problem {
    Problem::bad_request("password_rejected", rejection.to_string())
}

/// `POST /users`. Whether the address was known shows neither in the answer nor in its time: both ways hash, make the same
/// statements and leave one mail, in the user's own transaction. Whose address it is, is looked up by who sends the mail.
pub(crate) async fn sign_up(identity: Identity, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    identity.session_client(&parts.headers).await?;
    let body = body::read(&parts.headers, body).await?;
    let asked: SignUp = body::json(&parts.headers, &body)?;
    let email = parse_email(&required(asked.email, "email")?)?;
    let Secret(secret) = required(asked.password, "password")?;
    let config = &identity.inner.config;
    password::check_new(&config.passwords, secret.expose_secret(), &email, &config.service_name)
        .map_err(|rejection| password_rejected(&rejection))?;

    let address = client_address(&parts.extensions, &parts.headers, &config.trusted_proxies);
    let mut may_write = true;
    for bucket in throttle::sign_up(email.canonical(), address) {
        if let Some(seconds) = identity.take(std::slice::from_ref(&bucket)).await? {
            if !guards_account(&bucket) {
                return Err(Problem::too_many(seconds).into());
            }
            may_write = false;
        }
    }
    let roles = identity.inner.store.default_roles().await?;
    let password_hash = identity.hash(password::normalise(secret.expose_secret())).await?;

    let user = NewUser {
        id: UserId::new(identity.inner.fresh.bytes()?).as_str().to_owned(),
        email: email.as_str().to_owned(),
        email_canonical: email.canonical().to_owned(),
        email_verified: false,
        password_hash: Some(password_hash),
        created_at: identity.inner.clock.now(),
    };
    let inner = &identity.inner;
    let (welcome, known) = if may_write {
        let not_after = user.created_at + letters::THREE_DAYS;
        let errand = Errand::AlreadyKnown { account: email.canonical().to_owned(), not_after };
        (letters::welcome(identity.sender(), &user.email)?, errand)
    } else {
        let nobody = letters::welcome(identity.sender(), "")?;
        (nobody.clone(), Errand::Letter(nobody))
    };
    let welcome = welcome.seal(&inner.seal, &inner.fresh)?;
    let known = known.seal(&inner.seal, &inner.fresh)?;
    match inner.store.insert_user_with_mail(&user, &roles, &welcome, &known).await? {
        Insertion::Inserted => {
            tracing::info!(target: "security", event = "user_created", user = %user.id);
        }
        Insertion::AlreadyExists => tracing::info!(target: "security", event = "sign_up_of_known_address"),
    }
    inner.mail_wake.notify_one();

    Ok(respond::json(StatusCode::CREATED, "application/json", &json!({ "email": email.as_str() })))
}

impl Identity {
    /// The letter to the owner of an address that was signed up with again: to the stored address, never to the spelling of
    /// whoever asks. None when the account is gone.
    pub(crate) async fn already_known(&self, account: &str) -> Result<Option<Letter>, Fault> {
        match self.inner.store.user_by_email(account).await? {
            Some(owner) => Ok(Some(letters::already_known(self.sender(), &owner.email)?)),
            None => Ok(None),
        }
    }
}

fn parse_email(text: &str) -> Result<Email, Problem> {
    Email::parse(text).map_err(|error| Problem::bad_request("email_rejected", error.to_string()))
}

fn shown(user: &store::User) -> serde_json::Value {
    json!({
        "id": user.id,
        "email": user.email,
        "email_verified": user.email_verified,
        "created_at": user.created_at,
        "updated_at": user.updated_at,
    })
}

/// `GET /users/me`.
pub(crate) async fn read(identity: Identity, request: Request) -> Answer {
    let caller = identity.user_caller(request.headers(), Some(READ)).await?;
    Ok(respond::ok(&shown(&caller.user)))
}

#[derive(Deserialize)]
struct Change {
    email: Option<String>,
    password: Option<Secret>,
    current_password: Option<Secret>,
}

/// `PATCH /users/me`. Address and password change only for who knows the current password; a new password ends every session, this one
/// too, since a stolen one cannot be told from it.
pub(crate) async fn change(identity: Identity, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let caller = identity.user_caller(&parts.headers, Some(UPDATE)).await?;
    let body = body::read(&parts.headers, body).await?;
    let asked: Change = body::json(&parts.headers, &body)?;
    if asked.email.is_none() && asked.password.is_none() {
        return Err(Problem::bad_request("nothing_to_change", "send `email`, `password` or both").into());
    }
    let config = &identity.inner.config;
    let user = &caller.user;
    let email = asked.email.as_deref().map(parse_email).transpose()?;
    let Secret(current) = required(asked.current_password, "current_password")?;
    let current = password::presented(&config.passwords, current.expose_secret())
        .map_err(|rejection| password_rejected(&rejection))?;
    if let Some(Secret(new)) = &asked.password {
        let stored;
        let address = match &email {
            Some(email) => email,
            None => {
                stored = parse_email(&user.email)?;
                &stored
            }
        };
        password::check_new(&config.passwords, new.expose_secret(), address, &config.service_name)
            .map_err(|rejection| password_rejected(&rejection))?;
    }

    let buckets = throttle::password_change(&user.id);
    if let Some(seconds) = identity.take(&buckets).await? {
        return Err(Problem::too_many(seconds).into());
    }
    let Some(stored_hash) = user.password_hash.as_deref() else {
        return Err(wrong_current_password());
    };
    if !identity.verify(&current, Some(stored_hash)).await?.matches {
        tracing::info!(target: "security", event = "wrong_current_password", user = %user.id);
        return Err(wrong_current_password());
    }
    identity.succeeded(&buckets).await?;

    let moved = email.filter(|email| email.as_str() != user.email);
    // Another spelling of the same address is still shown to be the user's.
    let to_another = moved.as_ref().is_some_and(|email| email.canonical() != user.email_canonical);
    if to_another && let Some(seconds) = identity.take(&throttle::address_change(&user.id)).await? {
        return Err(Problem::too_many(seconds).into());
    }
    let change = UserChange {
        email: moved.as_ref().map(|email| email.as_str().to_owned()),
        email_canonical: moved.as_ref().map(|email| email.canonical().to_owned()),
        email_verified: to_another.then_some(false),
        blocked: None,
    };
    let new_hash = match &asked.password {
        Some(Secret(new)) => Some(identity.hash(password::normalise(new.expose_secret())).await?),
        None => None,
    };
    // Only while the password that was just verified still stands: a reset that came in between wins.
    let now = identity.inner.clock.now();
    let store = &identity.inner.store;
    match store.change_account_from(&user.id, stored_hash, &change, new_hash.as_deref(), now).await {
        Ok(true) => {}
        Ok(false) => return Err(wrong_current_password()),
        Err(store::Fault::Conflict(_)) => {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "email_not_available",
                "this address cannot be used here",
            )
            .into());
        }
        Err(fault) => return Err(fault.into()),
    }
    if moved.is_some() {
        tracing::info!(target: "security", event = "email_changed", user = %user.id);
    }
    if to_another {
        identity.post(letters::email_was_changed(identity.sender(), &user.email)?).await?;
    }
    if new_hash.is_some() {
        tracing::info!(target: "security", event = "password_changed", user = %user.id);
        let to = moved.as_ref().map_or(user.email.as_str(), Email::as_str);
        identity.post(letters::password_was_changed(identity.sender(), to)?).await?;
    }
    let user = identity.inner.store.user(&user.id).await?.ok_or_else(respond::not_found)?;
    Ok(respond::ok(&shown(&user)))
}

fn wrong_current_password() -> Refusal {
    Problem::new(
        StatusCode::FORBIDDEN,
        "wrong_current_password",
        "`current_password` is not the password of this account",
    )
    .into()
}

/// `DELETE /users/me`: the user, sessions and all.
pub(crate) async fn delete(identity: Identity, request: Request) -> Answer {
    let caller = identity.user_caller(request.headers(), Some(DELETE)).await?;
    if !identity.inner.store.delete_user(&caller.user.id, identity.inner.clock.now()).await? {
        return Err(respond::not_found().into());
    }
    tracing::info!(target: "security", event = "user_deleted", user = %caller.user.id);
    identity.post(letters::account_was_deleted(identity.sender(), &caller.user.email)?).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}
