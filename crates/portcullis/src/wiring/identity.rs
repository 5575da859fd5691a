//! From `[identity]` and `[mail]` to the issuer's settings.

use crate::commands::CommandError;
use crate::config::raw::{IdentityMode, Session};
use crate::config::{ConfigError, Configuration, Environment};
use identity::{Clock, Config, Fresh, Identity, MailConfig, Mode, SessionCaller, SessionConfig};
use secrecy::SecretSlice;

/// The document's X where nothing else is said.
pub const DEFAULT_ACCESS_TOKEN_LIFETIME: i64 = 15 * 60;
/// NIST SP 800-63B-4: a password that is the only factor has 15 characters at least.
const DEFAULT_MINIMUM_LENGTH: usize = 15;
/// A session that nobody refreshes ends after two weeks, and any after three months.
const REFRESH_IDLE: i64 = 14 * 86_400;
pub(super) const REFRESH_ABSOLUTE: i64 = 90 * 86_400;
/// No access token lives longer anywhere: what was revoked is remembered for as long.
pub const LONGEST_TOKEN: i64 = admin::apis::MAXIMUM_TOKEN_LIFETIME;

/// Whether this installation has an issuer: one that is delegated may go without.
pub fn has_issuer(configuration: &Configuration) -> bool {
    configuration.file.identity.as_ref().is_some_and(|identity| identity.issuer.is_some())
}

/// Whether users live at a foreign issuer.
pub fn is_delegated(configuration: &Configuration) -> bool {
    configuration.file.identity.as_ref().and_then(|identity| identity.mode) == Some(IdentityMode::Delegated)
}

/// `identity.access_token_lifetime` in seconds.
pub fn access_token_lifetime(configuration: &Configuration) -> i64 {
    configuration
        .file
        .identity
        .as_ref()
        .and_then(|identity| identity.access_token_lifetime)
        .map_or(DEFAULT_ACCESS_TOKEN_LIFETIME, |span| span.seconds())
}

/// `[identity.session]` with its defaults.
pub fn session(configuration: &Configuration) -> Session {
    configuration.file.identity.as_ref().and_then(|identity| identity.session.clone()).unwrap_or_default()
}

/// Who may call the session API's endpoints that know no user yet.
pub fn session_caller(session: &Session) -> Result<SessionCaller, ConfigError> {
    match (session.caller, &session.public) {
        (Some(_), Some(_)) => {
            Err(ConfigError::Invalid("identity.session: caller and public exclude each other".to_owned()))
        }
        (_, Some(reason)) if reason.trim().is_empty() => {
            Err(ConfigError::Invalid("identity.session.public: say why in words".to_owned()))
        }
        (_, Some(reason)) => Ok(SessionCaller::Public { reason: reason.clone() }),
        (_, None) => Ok(SessionCaller::Client),
    }
}

/// The rules for passwords, and the service's name, which no password may be made of.
pub fn password_rules(configuration: &Configuration) -> (accounts::password::Policy, String) {
    let section = configuration.file.identity.clone().unwrap_or_default();
    let policy = accounts::password::Policy {
        minimum_length: section
            .passwords
            .and_then(|passwords| passwords.minimum_length)
            .unwrap_or(DEFAULT_MINIMUM_LENGTH),
        ..accounts::password::Policy::default()
    };
    let issuer = section.issuer.unwrap_or_default();
    let host = url::Url::parse(&issuer).ok().and_then(|url| url.host_str().map(str::to_owned));
    (policy, host.unwrap_or(issuer))
}

/// The issuer's settings.
pub fn config(configuration: &Configuration, origins: policy::Origins) -> Result<Config, ConfigError> {
    let section = configuration.file.identity.clone().unwrap_or_default();
    let missing = |key: &str| ConfigError::Invalid(format!("{key} is missing"));
    let shortest =
        if configuration.environment == Environment::Development { 8 } else { DEFAULT_MINIMUM_LENGTH };
    let session = session(configuration);
    let gateway_audience = configuration.file.gateway.as_ref().and_then(|gateway| gateway.audience.clone());
    let (passwords, service_name) = password_rules(configuration);
    let issuer = section.issuer.ok_or_else(|| missing("identity.issuer"))?;
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let config = Config {
        service_name,
        issuer,
        access_token_lifetime: access_token_lifetime(configuration),
        session: SessionConfig {
            prefix: session.prefix.clone().unwrap_or_else(|| "/users".to_owned()),
            audience: session
                .audience
                .clone()
                .or(gateway_audience)
                .ok_or_else(|| missing("identity.session.audience, or gateway.audience,"))?,
            caller: session_caller(&session)?,
            refresh_idle: REFRESH_IDLE,
            refresh_absolute: REFRESH_ABSOLUTE,
        },
        passwords,
        mode: if is_delegated(configuration) { Mode::Delegated } else { Mode::Own },
        mail: mail(configuration)?,
        trusted_proxies: configuration.file.trusted_proxies.clone().unwrap_or_default(),
        frontend_origins: origins,
        hashing_threads: threads,
        hashing_queue: 64 * threads,
    };
    config.check().map_err(ConfigError::Invalid)?;
    if config.passwords.minimum_length < shortest {
        return Err(ConfigError::Invalid(format!(
            "identity.passwords.minimum_length is {}, and a password that is the only factor has {shortest} characters at \
             least (NIST SP 800-63B-4)",
            config.passwords.minimum_length
        )));
    }
    if config.access_token_lifetime > LONGEST_TOKEN {
        return Err(ConfigError::Invalid(
            "identity.access_token_lifetime is above 24h: an access token is no session; use refresh tokens"
                .to_owned(),
        ));
    }
    Ok(config)
}

/// `[mail]`.
pub fn mail(configuration: &Configuration) -> Result<Option<MailConfig>, ConfigError> {
    let Some(section) = &configuration.file.mail else { return Ok(None) };
    let wanted = |value: &Option<String>, key: &str| {
        value.clone().ok_or_else(|| ConfigError::Invalid(format!("mail.{key} is missing")))
    };
    let file = section.password_file.as_ref().map(|path| configuration.path(path));
    Ok(Some(MailConfig {
        smtp: wanted(&section.smtp, "smtp")?,
        from: wanted(&section.from, "from")?,
        password: configuration.secrets().text(
            "mail.password",
            file.as_deref(),
            section.password.as_ref(),
        )?,
    }))
}

/// The key under which signing keys and mails rest. `create`: make it where neither it nor the store is there yet.
pub fn key_encryption_key(
    configuration: &Configuration,
    create: bool,
) -> Result<SecretSlice<u8>, ConfigError> {
    let section = configuration.file.identity.clone().unwrap_or_default();
    let file = section.key_encryption_key_file.as_ref().map(|path| configuration.path(path));
    if let Some(file) = file.as_ref().filter(|file| create && !file.exists()) {
        super::store::make_key(file)?;
    }
    let name = "identity.key_encryption_key";
    configuration.secrets().key(name, file.as_deref(), section.key_encryption_key.as_ref())?.ok_or_else(
        || {
            ConfigError::Invalid(format!(
                "{name}_file is missing: name a file with 32 random bytes, made with \
             `(umask 077; head -c 32 /dev/urandom > FILE)` and the same on every node"
            ))
        },
    )
}

/// The issuer of this installation, asked in this process: for commands beside a server, or without one.
pub async fn issuer(configuration: &Configuration, store: &store::Store) -> Result<Identity, CommandError> {
    let policy =
        super::policy::read(configuration).map_err(|problems| CommandError::usage(problems.join("\n")))?;
    let key = key_encryption_key(configuration, false)?;
    Identity::start(
        config(configuration, policy.origins)?,
        store.clone(),
        key,
        Clock::new(crate::clock::now),
        Fresh::system(),
    )
    .await
    .map_err(|fault| CommandError::failed(fault.to_string()))
}

/// Takes no mail away: it waits until it is of no more use.
pub struct Undelivered;

#[async_trait::async_trait]
impl identity::Postman for Undelivered {
    async fn deliver(&self, _: &identity::Letter) -> Result<(), identity::DeliveryError> {
        Err(identity::DeliveryError::Later("[mail] is not configured".to_owned()))
    }
}
