//! `POST` and `DELETE /users/session`, `POST /users/session/refresh`.

use accounts::password;
use accounts::throttle;
use accounts::user::Email;
use axum::extract::Request;
use http::StatusCode;
use oauth::refresh_token::{self, Lifetimes, Refusal as NotRedeemed};
use policy::ScopeSet;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;
use store::{NewRefreshToken, Rotation, Session};

use crate::body::{self, Secret, required};
use crate::client_address::client_address;
use crate::respond::{self, Answer, Problem};
use crate::{Fault, Identity, users};

/// How often a login starts again because another one renewed the same user's hash in between.
const ATTEMPTS: usize = 3;

#[derive(Deserialize)]
struct LogIn {
    email: Option<String>,
    password: Option<Secret>,
    audience: Option<String>,
    scope: Option<String>,
}

/// One answer for an unknown user, a wrong password and a blocked user.
fn wrong_credentials() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "wrong_credentials", "wrong e-mail address or password")
        .challenge("Bearer realm=\"session\"")
}

/// `POST /users/session`.
pub(crate) async fn log_in(identity: Identity, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let client_id = identity.session_client(&parts.headers).await?;
    let body = body::read(&parts.headers, body).await?;
    let asked: LogIn = body::json(&parts.headers, &body)?;
    let given = required(asked.email, "email")?;
    let Secret(secret) = required(asked.password, "password")?;
    let config = &identity.inner.config;
    let secret = password::presented(&config.passwords, secret.expose_secret())
        .map_err(|rejection| users::password_rejected(&rejection))?;
    let scope = asked.scope.as_deref().map(ScopeSet::parse).transpose().map_err(|_| {
        Problem::bad_request("invalid_scope", "`scope` has a character that no scope may have")
    })?;
    let audience = asked.audience.as_deref().unwrap_or(&config.session.audience);
    let api = identity
        .api(audience)
        .await?
        .ok_or_else(|| Problem::bad_request("unknown_audience", "no API here has this `audience`"))?;

    let email = Email::parse(&given).ok();
    let account = email.as_ref().map_or(given.as_str(), Email::canonical);
    let address = client_address(&parts.extensions, &parts.headers, &config.trusted_proxies);
    let buckets = throttle::login(account, address);
    if let Some(seconds) = identity.take(&buckets).await? {
        return Err(Problem::too_many(seconds).into());
    }

    for _ in 0..ATTEMPTS {
        let Some(Verified { user, hash: stored_hash, needs_rehash }) =
            verified(&identity, account, &secret).await?
        else {
            return Err(wrong_credentials().into());
        };

        let scope = identity.user_scope(&user.id, audience, scope.as_ref()).await?;
        let now = identity.inner.clock.now();
        let lifetimes = identity.lifetimes();
        let session = Session {
            id: identity.inner.fresh.id("ses_")?,
            user_id: user.id.clone(),
            client_id: client_id.clone(),
            audience: audience.to_owned(),
            scope: scope.to_string(),
            created_at: now,
            expires_at: lifetimes.session_expires_at(now),
            ended_at: None,
        };
        let (refresh, digest) = refresh_token::new(identity.inner.fresh.bytes()?);
        let row = NewRefreshToken {
            digest: digest.as_bytes().to_vec(),
            expires_at: lifetimes.token_expires_at(now, session.expires_at),
        };
        if !identity.inner.store.create_session_for_password(&session, &row, &stored_hash).await? {
            // The hash is another by now: a new password, or the same one hashed anew. Look again.
            continue;
        }
        tracing::info!(target: "security", event = "login", user = %user.id, session = %session.id);
        identity.succeeded(&buckets).await?;
        if needs_rehash {
            rehash(&identity, &user.id, &stored_hash, secret).await?;
        }
        return answer(&identity, &session, &scope, api.token_lifetime, &refresh, now);
    }
    Err(wrong_credentials().into())
}

/// A user whose password was just verified.
struct Verified {
    user: store::User,
    /// The hash that it was verified with.
    hash: String,
    needs_rehash: bool,
}

/// Nobody for an unknown user, a wrong password and a blocked user; the log knows which.
async fn verified(
    identity: &Identity,
    account: &str,
    secret: &SecretString,
) -> Result<Option<Verified>, Fault> {
    let user = identity.inner.store.user_by_email(account).await?;
    let stored_hash = user.as_ref().and_then(|user| user.password_hash.clone());
    let verification = identity.verify(secret, stored_hash.as_deref()).await?;
    match (user, stored_hash, verification.matches) {
        (Some(user), Some(_), true) if user.blocked => {
            tracing::info!(target: "security", event = "login_of_blocked_user", user = %user.id);
            Ok(None)
        }
        (Some(user), Some(hash), true) => {
            Ok(Some(Verified { user, hash, needs_rehash: verification.needs_rehash }))
        }
        (user, ..) => {
            tracing::info!(target: "security", event = "login_failed", user = user.as_ref().map(|user| user.id.as_str()));
            Ok(None)
        }
    }
}

/// What came of an address and a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordCheck {
    /// It is this user.
    User {
        /// The user's id.
        id: String,
    },
    /// An unknown user, a wrong password or a blocked user: nobody is told which.
    Nobody,
    /// Too many attempts.
    TooMany {
        /// Seconds to wait.
        seconds: i64,
    },
}

impl Identity {
    /// The check of `POST /users/session` and its throttles, for a page of the issuer's own that keeps sessions of its own. What it
    /// begins must count from before this check: a password that changes meanwhile ends it.
    ///
    /// # Errors
    /// When the store fails, or hashing is busy.
    pub async fn check_password(
        &self,
        request: &http::request::Parts,
        email: &str,
        password: &SecretString,
    ) -> Result<PasswordCheck, Fault> {
        let config = &self.inner.config;
        if config.mode == crate::Mode::Delegated {
            return Ok(PasswordCheck::Nobody);
        }
        let Ok(secret) = password::presented(&config.passwords, password.expose_secret()) else {
            return Ok(PasswordCheck::Nobody);
        };
        let parsed = Email::parse(email).ok();
        let account = parsed.as_ref().map_or(email, Email::canonical);
        let address = client_address(&request.extensions, &request.headers, &config.trusted_proxies);
        let buckets = throttle::login(account, address);
        if let Some(seconds) = self.take(&buckets).await? {
            return Ok(PasswordCheck::TooMany { seconds });
        }
        let Some(Verified { user, .. }) = verified(self, account, &secret).await? else {
            return Ok(PasswordCheck::Nobody);
        };
        self.succeeded(&buckets).await?;
        Ok(PasswordCheck::User { id: user.id })
    }
}

/// The policy has risen since the password was hashed. Whoever is second changes nothing.
async fn rehash(identity: &Identity, user_id: &str, old: &str, password: SecretString) -> Result<(), Fault> {
    match identity.hash(password).await {
        Ok(new) => {
            let now = identity.inner.clock.now();
            identity.inner.store.set_password_hash(user_id, old, &new, now).await?;
            Ok(())
        }
        // Under load the login must not fail for it: the next one renews the hash.
        Err(Fault::Busy) => Ok(()),
        Err(fault) => Err(fault),
    }
}

fn answer(
    identity: &Identity,
    session: &Session,
    scope: &ScopeSet,
    token_lifetime: Option<i64>,
    refresh: &SecretString,
    now: i64,
) -> Answer {
    let (access_token, expires_in) = identity.session_token(session, scope, token_lifetime, now)?;
    Ok(respond::ok(&json!({
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": expires_in,
        "scope": scope.to_string(),
        "refresh_token": refresh.expose_secret(),
    })))
}

impl Identity {
    pub(crate) fn lifetimes(&self) -> Lifetimes {
        let session = &self.inner.config.session;
        Lifetimes { idle: session.refresh_idle, absolute: session.refresh_absolute }
    }

    /// What a user's token allows at this API: what the user's roles allow there, narrowed by what was asked, and besides the scopes for
    /// the user's own account. Those are narrowed only by a request that names one of them: a login that asks for `read:orders` can
    /// still read who it is.
    pub(crate) async fn user_scope(
        &self,
        user_id: &str,
        audience: &str,
        asked: Option<&ScopeSet>,
    ) -> Result<ScopeSet, Fault> {
        let permitted = self.inner.store.user_permissions(user_id, audience).await?;
        let permitted = ScopeSet::granted(&permitted.join(" "));
        let own = ScopeSet::granted(&[users::READ, users::UPDATE, users::DELETE].join(" "));
        let Some(asked) = asked.filter(|asked| !asked.is_empty()) else { return Ok(permitted.union(&own)) };
        let named = own.intersection(asked);
        Ok(permitted.intersection(asked).union(if named.is_empty() { &own } else { &named }))
    }
}

#[derive(Deserialize)]
struct Refresh {
    refresh_token: Option<Secret>,
}

/// One answer whatever is wrong with a refresh token.
fn refresh_refused() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "invalid_refresh_token",
        "the refresh token is unknown, used, expired or revoked: log in again",
    )
    .challenge("Bearer realm=\"session\"")
}

/// `POST /users/session/refresh`: spends the token, gives the next (RFC 9700 section 4.14.2). A token that comes twice ends the
/// session, since somebody has a copy.
pub(crate) async fn refresh(identity: Identity, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let client_id = identity.session_client(&parts.headers).await?;
    let body = body::read(&parts.headers, body).await?;
    let asked: Refresh = body::json(&parts.headers, &body)?;
    let Secret(presented) = required(asked.refresh_token, "refresh_token")?;
    let old = refresh_token::digest_of(presented.expose_secret()).ok_or_else(refresh_refused)?;

    let store = &identity.inner.store;
    let Some((row, session)) = store.refresh_token(old.as_bytes()).await? else {
        return Err(refresh_refused().into());
    };
    let user = store.user(&session.user_id).await?;
    let permitted = identity.user_scope(&session.user_id, &session.audience, None).await?;
    let api = identity.api(&session.audience).await?;
    let stored = refresh_token::Stored {
        session_id: session.id.clone(),
        client_id: session.client_id.clone(),
        // What the user may do can have shrunk since the login.
        scope: ScopeSet::granted(&session.scope).intersection(&permitted),
        expires_at: row.expires_at,
        redeemed_at: row.redeemed_at,
        session_expires_at: session.expires_at,
        session_ended_at: session.ended_at,
        blocked: user.is_none_or(|user| user.blocked),
    };

    let now = identity.inner.clock.now();
    let decided = refresh_token::redeem(
        Some(&stored),
        &client_id,
        None,
        &identity.lifetimes(),
        now,
        identity.inner.fresh.bytes()?,
    );
    let redemption = match decided {
        Ok(redemption) => redemption,
        Err(refusal) => return Err(refuse(&identity, &refusal, now).await?.into()),
    };
    let (Some(api), false) = (api, redemption.scope.is_empty()) else { return Err(refresh_refused().into()) };

    let new =
        NewRefreshToken { digest: redemption.digest.as_bytes().to_vec(), expires_at: redemption.expires_at };
    match store.rotate_refresh_token(old.as_bytes(), &new, now).await? {
        Rotation::Rotated => {}
        Rotation::AlreadyRedeemed => {
            let reused = NotRedeemed::Reused { session_id: session.id };
            return Err(refuse(&identity, &reused, now).await?.into());
        }
        Rotation::NotRedeemable => return Err(refresh_refused().into()),
    }
    tracing::info!(target: "security", event = "session_refreshed", session = %session.id);
    answer(&identity, &session, &redemption.scope, api.token_lifetime, &redemption.token, now)
}

async fn refuse(identity: &Identity, refusal: &NotRedeemed, now: i64) -> Result<Problem, Fault> {
    if let Some(session) = refusal.ends_session() {
        identity.inner.store.end_session(session, now).await?;
        tracing::warn!(target: "security", event = "refresh_token_reused", session);
    } else {
        tracing::info!(target: "security", event = "refresh_refused", reason = %refusal);
    }
    Ok(refresh_refused())
}

/// `DELETE /users/session`: logout. Any token of the session will do; gateways hear of it by the change feed.
pub(crate) async fn log_out(identity: Identity, request: Request) -> Answer {
    let caller = identity.user_caller(request.headers(), None).await?;
    identity.inner.store.end_session(&caller.session.id, identity.inner.clock.now()).await?;
    tracing::info!(target: "security", event = "logout", user = %caller.user.id, session = %caller.session.id);
    Ok(respond::empty(StatusCode::NO_CONTENT))
}
