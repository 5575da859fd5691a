//! The gateway as the binary sees it: made once, served on every core, reloaded while it runs.

use std::fmt;
use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

pub use crate::api_key::KeyUse;
use crate::api_key::LegacyKeys;
use crate::config::{Config, ConfigError};
use crate::decisions::Decisions;
use crate::forward::Backend;
use crate::key_source::{KeySource, OwnKeys};
use crate::metrics::Metrics;
use crate::revocations::Revocations;
use crate::server;
use crate::session::SessionApi;
use crate::snapshot::Snapshot;

/// Unix seconds, now.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;
/// 16 fresh random bytes.
pub type Fresh = Arc<dyn Fn() -> [u8; 16] + Send + Sync>;

/// What the gateway needs of its surroundings. It has no database, no clock and no randomness of its own.
#[derive(Clone)]
pub struct Ports {
    /// The keys of our own issuer.
    pub own_keys: Arc<OwnKeys>,
    /// What ended before its time.
    pub revocations: Arc<Revocations>,
    /// Where API keys are looked up.
    pub legacy_keys: Option<Arc<dyn LegacyKeys>>,
    /// Where uses of API keys are recorded; a full queue drops the event and counts it.
    pub key_uses: Option<mpsc::Sender<KeyUse>>,
    /// The session API, where it is served on this origin.
    pub session_api: Option<SessionApi>,
    /// The time.
    pub now: Clock,
    /// Randomness for request ids.
    pub fresh: Fresh,
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ports").field("session_api", &self.session_api).finish_non_exhaustive()
    }
}

/// What connections share.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) snapshot: ArcSwap<Snapshot>,
    pub(crate) ports: Ports,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) decisions: Decisions,
}

/// The gateway. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Gateway(Arc<Inner>);

impl Gateway {
    /// Makes a gateway of `config`.
    ///
    /// # Errors
    /// [`ConfigError`]: what cannot work is said now, not at the first request.
    pub fn new(config: Config, ports: Ports) -> Result<Self, ConfigError> {
        let metrics = Arc::new(Metrics::default());
        let snapshot = Snapshot::new(config, &ports.own_keys, &metrics, None)?;
        Ok(Self(Arc::new(Inner {
            snapshot: ArcSwap::from_pointee(snapshot),
            ports,
            metrics,
            decisions: Decisions::default(),
        })))
    }

    /// Takes a new configuration. Requests under way end under the old one. TLS, the number of
    /// connections and the time to connect to the backend stay as they were when [`Gateway::serve`] was called.
    ///
    /// # Errors
    /// [`ConfigError`]; then the last good configuration stays in force.
    pub fn reload(&self, config: Config) -> Result<(), ConfigError> {
        let previous = self.0.snapshot.load_full();
        let snapshot = Snapshot::new(config, &self.0.ports.own_keys, &self.0.metrics, Some(&previous))?;
        self.0.snapshot.store(Arc::new(snapshot));
        Ok(())
    }

    /// Serves `listener` on this runtime until `shutdown` completes; then takes no more connections, lets requests under
    /// way end, and cuts what is left after [`crate::Timeouts::drain`]. May be called once a core, each with a listener
    /// of its own: connections to the backend are pooled for each call.
    ///
    /// # Errors
    /// When the backend is https and the system has no certificate authorities. What goes wrong with one connection
    /// ends that connection alone.
    pub async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let snapshot = self.0.snapshot.load_full();
        let backend = Backend::new(&snapshot.config.upstream, snapshot.config.timeouts.connect)
            .map_err(io::Error::other)?;
        server::serve(Arc::clone(&self.0), Arc::new(backend), listener, shutdown).await
    }

    /// Asks for the keys of every foreign issuer, so that the first request need not wait. An issuer that does not
    /// answer is asked again when a token of its comes.
    pub async fn warm_up(&self) {
        let now = (self.0.ports.now)();
        for issuer in &self.0.snapshot.load_full().issuers {
            // Only the fetch matters here.
            let _ = issuer.keys.current(now).await;
        }
    }

    /// The foreign issuers whose keys are not at hand: their tokens get 503.
    #[must_use]
    pub fn issuers_without_keys(&self) -> Vec<String> {
        let now = (self.0.ports.now)();
        let snapshot = self.0.snapshot.load();
        let lacks =
            |source: &KeySource| matches!(source, KeySource::Foreign(foreign) if !foreign.has_keys(now));
        snapshot
            .issuers
            .iter()
            .filter(|issuer| lacks(&issuer.keys))
            .map(|issuer| issuer.config.url.clone())
            .collect()
    }

    /// The last decisions.
    #[must_use]
    pub fn decisions(&self) -> &Decisions {
        &self.0.decisions
    }

    /// The rules in force.
    #[must_use]
    pub fn table(&self) -> Arc<policy::Table> {
        Arc::clone(&self.0.snapshot.load().config.table)
    }

    /// Counters in Prometheus's text format.
    #[must_use]
    pub fn metrics(&self) -> String {
        self.0.metrics.text(self.0.snapshot.load().remembered.len(), self.0.ports.revocations.len())
    }
}
