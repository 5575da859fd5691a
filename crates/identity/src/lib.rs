//! The issuer: OAuth endpoints, the session API, hosted pages.
//!
//! Every handler reads as five beats: parse, load, decide, commit, answer. What is decided is decided in the court (`oauth`, `accounts`,
//! `policy`, `jose`); what is committed is one statement of the store that repeats its precondition. Handlers that change something
//! run detached from their connection.

mod bearer;
mod body;
mod client_address;
mod config;
mod discovery;
mod fault;
mod hashing_pool;
mod issuing;
mod jwks;
mod known;
mod letters;
mod mail;
mod pages;
mod password_reset;
mod passwords;
mod respond;
mod routes;
mod session;
mod signing;
mod sources;
mod throttling;
mod token;
mod users;

use std::sync::Arc;

use arc_swap::ArcSwap;
use oauth::{client::Client, client_credentials};
use secrecy::SecretSlice;
use store::{Seal, Store};

pub use config::{Config, MailConfig, Mode, SessionCaller, SessionConfig};
pub use fault::Fault;
pub use issuing::{MintError, Minted};
pub use mail::{DeliveryError, Letter, Postman, SmtpPostman};
pub use session::PasswordCheck;
pub use signing::{PUBLISHED_BEFORE, SigningRotation};
pub use sources::{Clock, Fresh};

use hashing_pool::HashingPool;
use known::Known;
use signing::Keys;
use token::SecretGate;

/// The issuer. Cheap to clone.
#[derive(Clone)]
pub struct Identity {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) fresh: Fresh,
    pub(crate) seal: Seal,
    pub(crate) keys: ArcSwap<Keys>,
    pub(crate) clients: Known<Client>,
    pub(crate) apis: Known<client_credentials::Api>,
    pub(crate) pool: HashingPool,
    pub(crate) secret_gate: SecretGate,
    pub(crate) mail_wake: tokio::sync::Notify,
    /// A hash that no password has, for users that do not exist.
    pub(crate) dummy_hash: String,
    /// Scheme, host and port of the issuer.
    pub(crate) origin: String,
    /// Where the reset form is sent to: the issuer's path and `reset`.
    pub(crate) reset_path: String,
    pub(crate) over_tls: bool,
    /// Those of the configuration, until a reload brings others.
    pub(crate) frontend_origins: ArcSwap<policy::Origins>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Identity").field("issuer", &self.inner.config.issuer).finish_non_exhaustive()
    }
}

impl Identity {
    /// Checks the configuration and the key-encryption key, loads the signing keys (or makes the first, RSA with 3072 bits), and starts
    /// the hashing threads.
    ///
    /// # Errors
    /// [`Fault::Configuration`] names the setting; [`Fault::KeyEncryptionKeyDoesNotFit`] when `key_encryption_key` (32 bytes) is not the
    /// one that this store was first opened with.
    pub async fn start(
        config: Config,
        store: Store,
        key_encryption_key: SecretSlice<u8>,
        clock: Clock,
        fresh: Fresh,
    ) -> Result<Self, Fault> {
        config.check().map_err(Fault::Configuration)?;
        let url = url::Url::parse(&config.issuer).map_err(|error| Fault::Configuration(error.to_string()))?;
        let seal = Seal::new(&key_encryption_key)?;
        signing::check_key_encryption_key(&store, &seal, &fresh).await?;
        let keys = signing::load(&store, &seal, &fresh, config.access_token_lifetime, clock.now()).await?;
        let pool = HashingPool::start(config.hashing_threads, config.hashing_queue, hashing_pool::IDLE)?;
        Ok(Self {
            inner: Arc::new(Inner {
                dummy_hash: accounts::password::dummy_phc(&config.passwords.argon2),
                origin: url.origin().ascii_serialization(),
                reset_path: format!("{}reset", url.path()),
                over_tls: url.scheme() == "https",
                frontend_origins: ArcSwap::from_pointee(config.frontend_origins.clone()),
                keys: ArcSwap::from_pointee(keys),
                clients: Known::default(),
                apis: Known::default(),
                secret_gate: SecretGate::default(),
                mail_wake: tokio::sync::Notify::new(),
                config,
                store,
                clock,
                fresh,
                seal,
                pool,
            }),
        })
    }

    /// Takes in one row of the store's change feed. Kinds that concern nothing remembered here are ignored.
    ///
    /// # Errors
    /// When signing keys cannot be read again; those that were held stay in force, and the row should be tried again.
    pub async fn apply_change(&self, kind: &str, key: &str) -> Result<(), Fault> {
        match kind {
            store::kind::CLIENT => self.inner.clients.forget(key),
            store::kind::API => {
                self.inner.apis.forget(key);
                // What a client may do at the API may have gone with it.
                self.inner.clients.forget_all();
            }
            store::kind::SIGNING_KEY => self.reload_keys().await?,
            _ => {}
        }
        Ok(())
    }

    /// Takes other frontend origins, as a reload of the configuration brings them.
    pub fn replace_frontend_origins(&self, origins: policy::Origins) {
        self.inner.frontend_origins.store(Arc::new(origins));
    }

    /// The settings that this issuer runs with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Bytes that hashing threads hold now: an arena each while they work and for half a minute after.
    #[must_use]
    pub fn hashing_arenas(&self) -> usize {
        self.inner.pool.arenas()
    }

    /// Seals a letter into the outbox and wakes the task that sends it.
    pub(crate) async fn post(&self, letter: Letter) -> Result<(), Fault> {
        let mail = letter.seal(&self.inner.seal, &self.inner.fresh)?;
        self.inner.store.enqueue_mail(&mail.id, &mail.sealed, self.inner.clock.now()).await?;
        self.inner.mail_wake.notify_one();
        Ok(())
    }

    pub(crate) fn sender(&self) -> letters::Sender<'_> {
        letters::Sender {
            service: &self.inner.config.service_name,
            issuer: &self.inner.config.issuer,
            now: self.inner.clock.now(),
        }
    }
}
