//! `POST` and `PUT /users/password-reset`: a link by mail, good once and for half an hour.

use std::net::IpAddr;

use accounts::password::{self, PasswordRejection};
use accounts::password_reset::{Account, Stored, digest_of, issue};
use accounts::throttle;
use accounts::user::Email;
use axum::extract::Request;
use http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;
use store::Redemption;

use crate::body::{self, Secret, required};
use crate::client_address::client_address;
use crate::mail::Errand;
use crate::respond::{self, Answer, Problem, Refusal};
use crate::{Fault, Identity, letters, users};

#[derive(Deserialize)]
struct Ask {
    email: Option<String>,
}

/// `POST`: 202, whoever is asked for. The request leaves an errand in the outbox and looks nobody up, so known and unknown
/// addresses cost the same; the task that sends mail makes the link, where there is somebody to send it to.
pub(crate) async fn request(identity: Identity, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    identity.session_client(&parts.headers).await?;
    let body = body::read(&parts.headers, body).await?;
    let asked: Ask = body::json(&parts.headers, &body)?;
    let given = required(asked.email, "email")?;
    let email = Email::parse(&given).ok();
    let account = email.as_ref().map_or(given.as_str(), Email::canonical);
    let address = client_address(&parts.extensions, &parts.headers, &identity.inner.config.trusted_proxies);

    // Silently: the answer must not say that somebody else asked for this account before.
    if identity.take(&throttle::password_reset(account, address)).await?.is_none() {
        let inner = &identity.inner;
        let now = inner.clock.now();
        let not_after = now + accounts::password_reset::LIFETIME;
        let errand = Errand::ResetLink { account: account.to_owned(), not_after };
        let mail = errand.seal(&inner.seal, &inner.fresh)?;
        inner.store.enqueue_mail(&mail.id, &mail.sealed, now).await?;
        inner.mail_wake.notify_one();
    }
    Ok(respond::json(
        StatusCode::ACCEPTED,
        "application/json",
        &json!({ "detail": "if this address has an account, a mail with a link is on its way" }),
    ))
}

impl Identity {
    /// Makes the link that was asked for and puts its letter into the outbox; does nothing where nobody may have one.
    pub(crate) async fn send_link(&self, account: &str) -> Result<(), Fault> {
        let inner = &self.inner;
        let now = inner.clock.now();
        let Some(user) = inner.store.user_by_email(account).await? else { return Ok(()) };
        let issued = issue(&Account { blocked: user.blocked }, now, inner.fresh.bytes()?);
        let Some(issued) = issued else { return Ok(()) };
        // To the stored address, never to the spelling of whoever asks.
        let token = issued.token.expose_secret();
        let letter = letters::password_reset(self.sender(), &user.email, token, issued.expires_at)?;
        let mail = letter.seal(&inner.seal, &inner.fresh)?;
        let stored = inner
            .store
            .insert_password_reset_with_mail(&issued.digest, &user.id, issued.expires_at, &mail, now)
            .await;
        match stored {
            Ok(()) => {
                tracing::info!(target: "security", event = "password_reset_requested", user = %user.id);
                Ok(())
            }
            // The user was deleted since the read: an unknown address by now.
            Err(store::Fault::Conflict(_)) => Ok(()),
            Err(fault) => Err(fault.into()),
        }
    }
}

/// What became of a redemption.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The password is set, every session is over.
    Done,
    /// The password is not good enough; the link still is.
    Rejected(PasswordRejection),
    /// The link is unknown, spent, replaced or too old.
    NotRedeemable,
    /// Too many attempts; seconds to wait.
    TooMany(i64),
}

impl Identity {
    /// The stored side of a token, with the user's address for the password rules. Reads alone.
    pub(crate) async fn find_reset(
        &self,
        digest: &[u8; 32],
    ) -> Result<Option<(Stored, Option<Email>)>, Refusal> {
        let Some(reset) = self.inner.store.password_reset(digest).await? else { return Ok(None) };
        let Some(user) = self.inner.store.user(&reset.user_id).await? else { return Ok(None) };
        let stored = Stored {
            user_id: reset.user_id,
            expires_at: reset.expires_at,
            redeemed_at: reset.redeemed_at,
            blocked: user.blocked,
        };
        Ok(Some((stored, Email::parse(&user.email).ok())))
    }

    /// Spends a token and sets the password. The page and the API both come here.
    pub(crate) async fn redeem_reset(
        &self,
        token: &str,
        new: &SecretString,
        address: IpAddr,
    ) -> Result<Outcome, Refusal> {
        let inner = &self.inner;
        let buckets = throttle::password_reset_redemption(address);
        if let Some(seconds) = self.take(&buckets).await? {
            return Ok(Outcome::TooMany(seconds));
        }
        let Some(digest) = digest_of(token) else { return Ok(Outcome::NotRedeemable) };
        let found = self.find_reset(&digest).await?;
        let now = inner.clock.now();
        let stored = found.as_ref().map(|(stored, _)| stored);
        if accounts::password_reset::redeem(stored, now).is_err() {
            return Ok(Outcome::NotRedeemable);
        }
        let Some((_, Some(email))) = found else { return Ok(Outcome::NotRedeemable) };
        let config = &inner.config;
        if let Err(rejection) =
            password::check_new(&config.passwords, new.expose_secret(), &email, &config.service_name)
        {
            self.succeeded(&buckets).await?;
            return Ok(Outcome::Rejected(rejection));
        }

        let hash = self.hash(password::normalise(new.expose_secret())).await?;
        match inner.store.redeem_password_reset(&digest, &hash, inner.clock.now()).await? {
            Redemption::NotRedeemable => Ok(Outcome::NotRedeemable),
            Redemption::Redeemed { user_id } => {
                tracing::info!(target: "security", event = "password_reset", user = %user_id);
                self.succeeded(&buckets).await?;
                self.post(letters::password_was_reset(self.sender(), email.as_str())?).await?;
                Ok(Outcome::Done)
            }
        }
    }
}

#[derive(Deserialize)]
struct Redeem {
    token: Option<Secret>,
    password: Option<Secret>,
}

/// `PUT`: 204, and every session of the user has ended. Nobody is logged in by it.
pub(crate) async fn redeem(identity: Identity, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    identity.session_client(&parts.headers).await?;
    let body = body::read(&parts.headers, body).await?;
    let asked: Redeem = body::json(&parts.headers, &body)?;
    let Secret(token) = required(asked.token, "token")?;
    let Secret(new) = required(asked.password, "password")?;
    let address = client_address(&parts.extensions, &parts.headers, &identity.inner.config.trusted_proxies);
    match identity.redeem_reset(token.expose_secret(), &new, address).await? {
        Outcome::Done => Ok(respond::empty(StatusCode::NO_CONTENT)),
        Outcome::Rejected(rejection) => Err(users::password_rejected(&rejection).into()),
        Outcome::NotRedeemable => Err(Problem::bad_request(
            "reset_not_redeemable",
            accounts::password_reset::NotRedeemable.to_string(),
        )
        .into()),
        Outcome::TooMany(seconds) => Err(Problem::too_many(seconds).into()),
    }
}
