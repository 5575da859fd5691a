//! What the binary tells this room.

use ipnet::IpNet;
use secrecy::SecretString;

/// The issuer's settings. Times are seconds.
#[derive(Clone, Debug)]
pub struct Config {
    /// The issuer identifier: an absolute http or https URL that ends in `/`. Links and `iss` are made from it, never from a header.
    pub issuer: String,
    /// Life of an access token, where an API does not set its own; the document's "X minutes".
    pub access_token_lifetime: i64,
    /// The session API.
    pub session: SessionConfig,
    /// Length, blocklist and hashing rules for passwords.
    pub passwords: accounts::password::Policy,
    /// Whether users live here.
    pub mode: Mode,
    /// The mail server; without it mails wait in the outbox until they are no longer of use.
    pub mail: Option<MailConfig>,
    /// Whose `X-Forwarded-For` is believed; default nobody's.
    pub trusted_proxies: Vec<IpNet>,
    /// Origins whose scripts may call the session API.
    pub frontend_origins: policy::Origins,
    /// Threads that hash passwords. Each holds one Argon2 arena (19 MiB at the default) while it works.
    pub hashing_threads: usize,
    /// Passwords that may wait for a thread before the answer is 503.
    pub hashing_queue: usize,
    /// How mails and pages call the service.
    pub service_name: String,
}

/// The session API: `POST /users/session` and its neighbours.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// Where it sits, without a final slash: `/users`.
    pub prefix: String,
    /// `aud` of a login's token when the request names none.
    pub audience: String,
    /// Who may call the endpoints that know no user yet.
    pub caller: SessionCaller,
    /// A refresh token unused for so long is dead.
    pub refresh_idle: i64,
    /// A session ends after this, however often it was refreshed.
    pub refresh_absolute: i64,
}

/// Who may sign up, log in, refresh and ask for a reset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionCaller {
    /// Holders of a client-credentials token with scope `session` for the session audience.
    Client,
    /// Anyone, for a reason that the audit prints.
    Public {
        /// Why.
        reason: String,
    },
}

/// Where users live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Here, with passwords hashed by this program.
    Own,
    /// At a foreign issuer: no local passwords, the session paths answer 404.
    Delegated,
}

/// An SMTP server.
#[derive(Clone, Debug)]
pub struct MailConfig {
    /// `smtps://host`, `smtp://host:587?tls=required`, or `smtp://127.0.0.1:25` in development; a user name may stand in it.
    pub smtp: String,
    /// The sender: `Example <no-reply@example.com>`.
    pub from: String,
    /// The password of the user named in `smtp`.
    pub password: Option<SecretString>,
}

impl Config {
    /// Says what in these settings cannot work, and the remedy.
    ///
    /// # Errors
    /// The first setting that is wrong, by its name in `portcullis.toml`.
    pub fn check(&self) -> Result<(), String> {
        let url = url::Url::parse(&self.issuer)
            .map_err(|e| format!("identity.issuer: {e}: write an absolute URL"))?;
        if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some()
        {
            return Err("identity.issuer: write an http or https URL without user information".to_owned());
        }
        if !self.issuer.ends_with('/') || url.query().is_some() || url.fragment().is_some() {
            return Err(
                "identity.issuer: end it in `/`, without a query or fragment (RFC 8414 section 2)".to_owned()
            );
        }
        if self.access_token_lifetime <= 0 {
            return Err("identity.access_token_lifetime: must be above zero".to_owned());
        }
        let prefix = &self.session.prefix;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_');
        if !prefix.starts_with('/')
            || prefix.len() < 2
            || prefix.ends_with('/')
            || prefix.contains("//")
            || !prefix.chars().all(plain)
        {
            return Err("identity.session.prefix: begin it with `/`, end it without, letters, digits, `-`, `_` and `/` only".to_owned());
        }
        for taken in ["/oauth", "/.well-known", "/reset"] {
            if prefix == taken || prefix.starts_with(&format!("{taken}/")) {
                return Err(format!("identity.session.prefix: {taken} has other work"));
            }
        }
        if self.session.audience.is_empty() {
            return Err("identity.session.audience: name the API whose tokens a login gives".to_owned());
        }
        if self.session.refresh_idle <= 0 || self.session.refresh_absolute < self.session.refresh_idle {
            return Err(
                "identity.session: refresh_idle must be above zero and refresh_absolute not below it"
                    .to_owned(),
            );
        }
        if let SessionCaller::Public { reason } = &self.session.caller
            && reason.trim().is_empty()
        {
            return Err("identity.session: `public` needs its reason in words".to_owned());
        }
        if self.hashing_threads == 0 || self.hashing_queue == 0 {
            return Err("identity: hashing_threads and hashing_queue must be above zero".to_owned());
        }
        Ok(())
    }
}
