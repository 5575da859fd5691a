//! Making and signing access tokens (RFC 9068), and what is remembered to make them without a read of the store.

use std::sync::Arc;

use oauth::access_token::{AccessToken, Subject, TYP};
use oauth::client::{ApiGrant, AuthMethod, Client, ClientType, GrantType};
use oauth::client_credentials;
use oauth::one_time_secret::Digest;
use policy::ScopeSet;
use secrecy::SecretString;

use crate::{Fault, Identity};

/// A token that was made for a command or a test.
#[derive(Debug)]
pub struct Minted {
    /// The token.
    pub access_token: SecretString,
    /// Seconds that it lives.
    pub expires_in: i64,
    /// What it allows.
    pub scope: String,
}

/// Why a command gets no token.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// There is no such user, or it is blocked.
    #[error("there is no such user, or it is blocked")]
    NoUser,
    /// There is no such client, or it is disabled.
    #[error("there is no such application, or it is disabled")]
    NoClient,
    /// There is no such API, or the client may not use it.
    #[error("no API has the audience {0}, or it is not granted")]
    NoApi(String),
    /// A scope that is not granted, or none at all.
    #[error("scope: {0}")]
    Scope(String),
    /// Our fault.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<store::Fault> for MintError {
    fn from(fault: store::Fault) -> Self {
        Self::Fault(fault.into())
    }
}

impl Identity {
    /// The client of this id, remembered.
    pub(crate) async fn client(&self, id: &str) -> Result<Option<Arc<Client>>, Fault> {
        let now = self.inner.clock.now();
        if let Some(client) = self.inner.clients.find(id, now) {
            return Ok(Some(client));
        }
        let reading = self.inner.clients.reading();
        let Some((row, grants)) = self.inner.store.client(id).await? else { return Ok(None) };
        let client = Arc::new(registered(row, grants)?);
        self.inner.clients.remember(id, &client, &reading, now);
        Ok(Some(client))
    }

    /// The API of this identifier, remembered.
    pub(crate) async fn api(&self, identifier: &str) -> Result<Option<Arc<client_credentials::Api>>, Fault> {
        let now = self.inner.clock.now();
        if let Some(api) = self.inner.apis.find(identifier, now) {
            return Ok(Some(api));
        }
        let reading = self.inner.apis.reading();
        let Some(row) = self.inner.store.api(identifier).await? else { return Ok(None) };
        let api = Arc::new(client_credentials::Api {
            identifier: row.identifier,
            scopes: granted(row.scopes.iter().map(|scope| scope.value.as_str())),
            token_lifetime: row.token_lifetime,
        });
        self.inner.apis.remember(identifier, &api, &reading, now);
        Ok(Some(api))
    }

    /// Signs claims with the key in force.
    pub(crate) fn sign(&self, claims: &serde_json::Value, now: i64) -> Result<String, Fault> {
        let keys = self.inner.keys.load();
        jose::sign(keys.signing(now)?, TYP, claims).map_err(|error| Fault::Token(error.to_string()))
    }

    /// A session's access token: token and lifetime in seconds. It never outlives its session.
    pub(crate) fn session_token(
        &self,
        session: &store::Session,
        scope: &ScopeSet,
        token_lifetime: Option<i64>,
        now: i64,
    ) -> Result<(String, i64), Fault> {
        let lifetime = token_lifetime
            .unwrap_or(self.inner.config.access_token_lifetime)
            .min(session.expires_at.saturating_sub(now));
        let claims = AccessToken {
            issuer: &self.inner.config.issuer,
            audience: &session.audience,
            client_id: &session.client_id,
            subject: Subject::User { id: &session.user_id, session: Some(&session.id) },
            scope,
            lifetime,
        }
        .claims(now, self.inner.fresh.bytes()?);
        Ok((self.sign(&claims, now)?, lifetime))
    }

    /// A user's token for `portcullis token --user`: a session of its own that lives as long as the token and cannot be
    /// refreshed. `user` is a user's id or address; `scope` none for all that the user may.
    ///
    /// # Errors
    /// [`MintError`].
    pub async fn mint_user_token(
        &self,
        user: &str,
        audience: Option<&str>,
        scope: Option<&str>,
    ) -> Result<Minted, MintError> {
        let inner = &self.inner;
        let canonical = accounts::user::Email::parse(user).map(|email| email.canonical().to_owned());
        let user = match canonical {
            Ok(address) => inner.store.user_by_email(&address).await?,
            Err(_) => inner.store.user(user).await?,
        };
        let user = user.filter(|user| !user.blocked).ok_or(MintError::NoUser)?;
        let audience = audience.unwrap_or(&inner.config.session.audience);
        let api = self.api(audience).await?.ok_or_else(|| MintError::NoApi(audience.to_owned()))?;
        let asked =
            scope.map(ScopeSet::parse).transpose().map_err(|error| MintError::Scope(error.to_string()))?;
        let scope = self.user_scope(&user.id, audience, asked.as_ref()).await?;
        if let Some(asked) = asked
            && !scope.covers(&asked)
        {
            return Err(MintError::Scope(format!("not granted: {}", asked.difference(&scope))));
        }
        let now = inner.clock.now();
        let lifetime = api.token_lifetime.unwrap_or(inner.config.access_token_lifetime);
        let session = store::Session {
            id: inner.fresh.id("ses_")?,
            user_id: user.id,
            client_id: crate::bearer::NO_CLIENT.to_owned(),
            audience: audience.to_owned(),
            scope: scope.to_string(),
            created_at: now,
            expires_at: now + lifetime,
            ended_at: None,
        };
        // The store wants a first refresh token with each session; nobody ever sees this one.
        let unseen = store::NewRefreshToken { digest: inner.fresh.bytes::<32>()?.to_vec(), expires_at: now };
        if !inner.store.create_session(&session, &unseen).await? {
            return Err(MintError::NoUser);
        }
        let (token, expires_in) = self.session_token(&session, &scope, api.token_lifetime, now)?;
        tracing::info!(target: "security", event = "token_minted", user = %session.user_id, session = %session.id);
        Ok(Minted { access_token: token.into(), expires_in, scope: scope.to_string() })
    }

    /// A client's token for `portcullis token --app`: what `client_credentials` would give, without the secret.
    ///
    /// # Errors
    /// [`MintError`].
    pub async fn mint_client_token(
        &self,
        client_id: &str,
        audience: Option<&str>,
        scope: Option<&str>,
    ) -> Result<Minted, MintError> {
        let client =
            self.client(client_id).await?.filter(|client| !client.disabled).ok_or(MintError::NoClient)?;
        let grant = match audience {
            Some(audience) => client.api_grants.iter().find(|grant| grant.audience == audience),
            None => client
                .api_grants
                .iter()
                .find(|grant| grant.audience == self.inner.config.session.audience)
                .or(client.api_grants.first()),
        };
        let no_api = || MintError::NoApi(audience.unwrap_or("(none)").to_owned());
        let grant = grant.ok_or_else(no_api)?;
        let api = self.api(&grant.audience).await?.ok_or_else(no_api)?;
        let scope = client_credentials::narrow(&grant.scopes.intersection(&api.scopes), scope)
            .map_err(|error| MintError::Scope(error.description().to_owned()))?;
        let now = self.inner.clock.now();
        let expires_in = api.token_lifetime.unwrap_or(self.inner.config.access_token_lifetime);
        let claims = AccessToken {
            issuer: &self.inner.config.issuer,
            audience: &grant.audience,
            client_id: &client.id,
            subject: Subject::Client,
            scope: &scope,
            lifetime: expires_in,
        }
        .claims(now, self.inner.fresh.bytes()?);
        let token = self.sign(&claims, now)?;
        tracing::info!(target: "security", event = "token_minted", client = %client.id);
        Ok(Minted { access_token: token.into(), expires_in, scope: scope.to_string() })
    }
}

fn granted<'a>(scopes: impl Iterator<Item = &'a str>) -> ScopeSet {
    ScopeSet::granted(&scopes.collect::<Vec<_>>().join(" "))
}

/// A stored client in the court's words.
fn registered(row: store::ClientRow, grants: Vec<store::ClientGrant>) -> Result<Client, Fault> {
    let unreadable = |what: &str| {
        Fault::Store(store::Fault::Unreadable(format!("{what} of client {} is not known", row.id)))
    };
    let kind = ClientType::parse(&row.kind).ok_or_else(|| unreadable("kind"))?;
    let auth_method = AuthMethod::parse(&row.auth_method).ok_or_else(|| unreadable("auth_method"))?;
    let secret_digest = row
        .secret_digest
        .as_deref()
        .map(Digest::try_from)
        .transpose()
        .map_err(|_| unreadable("secret_digest"))?;
    Ok(Client {
        kind,
        auth_method,
        secret_digest,
        // A grant that a newer version stored is one that this version does not serve.
        grants: row.grants.iter().filter_map(|grant| GrantType::parse(grant)).collect(),
        api_grants: grants
            .iter()
            .map(|grant| ApiGrant {
                audience: grant.audience.clone(),
                scopes: granted(grant.scopes.iter().map(String::as_str)),
            })
            .collect(),
        disabled: row.disabled,
        id: row.id,
        name: row.name,
    })
}
