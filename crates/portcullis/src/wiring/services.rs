//! Starting and stopping: store, identity, gateway, operations, and the threads that carry them.

use super::serving::{self, Shutdown, ShutdownSender};
use super::{
    changes, gateway as gateway_wiring, identity as identity_wiring, operations, policy as policy_wiring,
    store,
};
use crate::clock;
use crate::commands::CommandError;
use crate::commands::apply::apply_files;
use crate::config::{Configuration, Environment};
use ::gateway::{
    Gateway, KeyUse, LegacyKey, LegacyKeys, LegacyKeysUnavailable, OwnKeys, Ports, Revocation, Revocations,
    SessionApi,
};
use ::identity::{Clock, Fresh, Identity, Postman, SmtpPostman};
use ::store::{ApiKeyUse, ChangeRow, Store, kind};
use async_trait::async_trait;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::IntoResponse as _;
use http_body_util::BodyExt as _;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tower::ServiceExt as _;

/// Uses of API keys that wait to be recorded; beyond, the count is a little low, and no request waits.
const KEY_USES: usize = 4096;
/// How often they are recorded.
const RECORD_EVERY: Duration = Duration::from_millis(500);

/// How often the key set is held against the calendar.
const KEYS_EVERY: Duration = Duration::from_secs(20);

/// What a start is given besides its configuration.
#[derive(Default)]
pub struct Plan {
    /// A store that is open already.
    pub store: Option<Store>,
    /// Takes mails away, in place of SMTP.
    pub postman: Option<Arc<dyn Postman>>,
    /// More endpoints on the operations address.
    pub operations: Option<axum::Router>,
    /// https on identity and gateway.
    pub tls: Option<Arc<rustls::ServerConfig>>,
}

/// Where a start listens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Addresses {
    /// The issuer's origin.
    pub identity: Option<SocketAddr>,
    /// The gateway.
    pub gateway: Option<SocketAddr>,
    /// Operations.
    pub operations: Option<SocketAddr>,
}

/// Everything that runs.
pub struct Running {
    addresses: Addresses,
    gateway: Gateway,
    revocations: Arc<Revocations>,
    end: ShutdownSender,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    threads: Vec<std::thread::JoinHandle<()>>,
    store: Option<Store>,
}

/// Binds a listener; who holds the port is the first thing to know when it fails.
pub fn bind(what: &str, address: SocketAddr) -> Result<TcpListener, CommandError> {
    ::gateway::listen(address, false).map_err(|error| in_use(what, address, &error))
}

fn in_use(what: &str, address: SocketAddr, error: &std::io::Error) -> CommandError {
    let remedy = if error.kind() == std::io::ErrorKind::AddrInUse {
        "another program listens there; stop it, or choose another port"
    } else {
        "choose another address"
    };
    CommandError::usage(format!("{what} cannot listen on {address}: {error}; {remedy}"))
}

/// Starts everything by `configuration`.
pub async fn start(configuration: &Configuration, plan: Plan) -> Result<Running, CommandError> {
    let policy =
        policy_wiring::read(configuration).map_err(|problems| CommandError::usage(problems.join("\n")))?;
    for warning in policy.warnings.iter().chain(&gateway_wiring::warnings(configuration)) {
        tracing::warn!("{warning}");
    }
    let gateway_config = {
        let mut config = gateway_wiring::config(configuration, &policy)?;
        config.tls = plan.tls.clone();
        config
    };
    let has_issuer = identity_wiring::has_issuer(configuration);
    if !has_issuer && !identity_wiring::is_delegated(configuration) {
        return Err(CommandError::usage(
            "identity.issuer is missing, and identity.mode is not \"delegated\"",
        ));
    }
    // Everything that can be refused is refused before anything listens.
    let store = match plan.store {
        Some(store) => Some(store),
        None if store::has_store(configuration) => Some(store::open(configuration, true).await?),
        None => None,
    };
    if let Some(store) = &store {
        bootstrap(configuration, store).await?;
    }
    let identity = match &store {
        Some(store) if has_issuer => {
            let config = identity_wiring::config(configuration, policy.origins.clone())?;
            let key = identity_wiring::key_encryption_key(configuration, false)?;
            let started =
                Identity::start(config, store.clone(), key, Clock::new(clock::now), Fresh::system()).await;
            Some(started.map_err(|fault| CommandError::usage(fault.to_string()))?)
        }
        _ => None,
    };
    if let (Some(store), false) = (&store, identity_wiring::is_delegated(configuration)) {
        refuse_what_cannot_work(configuration, &policy, store).await?;
    }

    let (end, shutdown) = serving::shutdown();
    let (uses, used) = mpsc::channel(KEY_USES);
    let own_keys = Arc::new(OwnKeys::new(identity.as_ref().map(Identity::key_set).unwrap_or_default()));
    let revocations = Arc::new(Revocations::new(identity_wiring::LONGEST_TOKEN));
    let ports = Ports {
        own_keys: Arc::clone(&own_keys),
        revocations: Arc::clone(&revocations),
        legacy_keys: store.clone().map(|store| Arc::new(KeysInStore(store)) as Arc<dyn LegacyKeys>),
        key_uses: Some(uses),
        session_api: session_api(configuration, identity.as_ref()),
        now: Arc::new(clock::now),
        // An id of zeros names a request badly, and is no reason to refuse it.
        fresh: Arc::new(|| clock::fresh().unwrap_or_default()),
    };
    let gateway =
        Gateway::new(gateway_config, ports).map_err(|error| CommandError::usage(error.to_string()))?;

    let mut running = Running {
        addresses: Addresses::default(),
        gateway: gateway.clone(),
        revocations,
        end,
        tasks: Vec::new(),
        threads: Vec::new(),
        store: store.clone(),
    };
    if let Some(store) = &store {
        running.follow_changes(store, identity.as_ref(), &own_keys, &shutdown).await?;
        running.tasks.push(tokio::spawn(record_uses(store.clone(), used, shutdown.clone())));
    }
    running.listen(configuration, identity.as_ref(), plan.operations, plan.tls, &shutdown)?;
    if let Some(identity) = identity {
        let postman = match plan.postman {
            Some(postman) => Some(postman),
            None => identity_wiring::mail(configuration)?
                .map(|mail| SmtpPostman::new(&mail))
                .transpose()
                .map_err(|fault| CommandError::usage(fault.to_string()))?
                .map(|postman| Arc::new(postman) as Arc<dyn Postman>),
        };
        match postman {
            Some(postman) => {
                let shutdown = shutdown.clone();
                running.tasks.push(tokio::spawn(async move {
                    identity.deliver_mail(postman.as_ref(), shutdown.begun()).await;
                }));
            }
            None => tracing::warn!("[mail] is missing: reset links and notices stay in the outbox"),
        }
    }
    let warming = gateway.clone();
    running.tasks.push(tokio::spawn(async move {
        warming.warm_up().await;
        for issuer in warming.issuers_without_keys() {
            tracing::warn!(
                issuer,
                "the keys of a foreign issuer cannot be had yet; its tokens get 503 until they can"
            );
        }
    }));
    Ok(running)
}

async fn bootstrap(configuration: &Configuration, store: &Store) -> Result<(), CommandError> {
    let files = configuration
        .file
        .bootstrap
        .as_ref()
        .and_then(|bootstrap| bootstrap.apply.clone())
        .unwrap_or_default();
    let files: Vec<_> = files.iter().map(|file| configuration.path(file)).collect();
    if files.is_empty() {
        return Ok(());
    }
    let applied = apply_files(configuration, store, &files, admin::apply::Options::default()).await?;
    for change in &applied.changes {
        tracing::info!("bootstrap: {change}");
    }
    for secret in &applied.secrets {
        // A log is no place for a secret: it is made anew where somebody asks for it.
        tracing::warn!(
            "bootstrap: application {} has a secret that nobody has seen; run `portcullis app update {} --rotate-secret`, \
             or declare client_secret_file",
            secret.application,
            secret.client_id
        );
    }
    Ok(())
}

/// Scopes that nobody can hold, and tokens that the gateway refuses though we issue them: endpoints that are dead for a
/// reason nobody sees.
async fn refuse_what_cannot_work(
    configuration: &Configuration,
    policy: &policy_wiring::Policy,
    store: &Store,
) -> Result<(), CommandError> {
    let foreign =
        configuration.file.gateway.iter().any(|gateway| gateway.issuer.iter().flatten().next().is_some());
    if foreign {
        // A foreign issuer may give scopes that this store has never heard of.
        return Ok(());
    }
    let audience = gateway_wiring::audience(configuration)?;
    let mut unknown = policy_wiring::unknown_scopes(policy, &audience, store).await?;
    unknown.extend(policy_wiring::lifetimes_apart(configuration, store).await?);
    if configuration.environment == Environment::Development {
        for text in unknown {
            tracing::warn!("{text}");
        }
        return Ok(());
    }
    if unknown.is_empty() { Ok(()) } else { Err(CommandError::usage(unknown.join("\n"))) }
}

/// The session API on the gateway's origin, run where identity runs.
fn session_api(configuration: &Configuration, identity: Option<&Identity>) -> Option<SessionApi> {
    let identity = identity?;
    let session = identity_wiring::session(configuration);
    if !session.on_gateway.unwrap_or(true) || identity_wiring::is_delegated(configuration) {
        return None;
    }
    let router = identity.session_router();
    let runtime = tokio::runtime::Handle::current();
    Some(SessionApi {
        paths: identity.session_paths().into_iter().map(|(path, _)| path).collect(),
        service: Arc::new(move |mut request| {
            // The gateway has settled who the client is: here it is the peer, and no header has a say.
            let client = request.extensions_mut().remove::<std::net::IpAddr>();
            request.headers_mut().remove("x-forwarded-for");
            if let Some(client) = client {
                request.extensions_mut().insert(ConnectInfo(SocketAddr::new(client, 0)));
            }
            let answer = runtime.spawn(router.clone().oneshot(request.map(Body::new)));
            Box::pin(async move {
                let answer = match answer.await {
                    Ok(Ok(answer)) => answer,
                    Ok(Err(never)) => match never {},
                    Err(_) => http::StatusCode::INTERNAL_SERVER_ERROR.into_response(),
                };
                answer.map(|body| ::gateway::SessionBody::new(body.map_err(Into::into)))
            })
        }),
    })
}

impl Running {
    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    async fn follow_changes(
        &mut self,
        store: &Store,
        identity: Option<&Identity>,
        own_keys: &Arc<OwnKeys>,
        shutdown: &Shutdown,
    ) -> Result<(), CommandError> {
        // The number first, then the tables: what is committed in between is heard twice, never not at all.
        let newest = store.latest_seq().await?;
        let now = clock::now();
        let known = store.revocations_since(now - identity_wiring::LONGEST_TOKEN).await?;
        let sessions = known.sessions.into_iter().map(|(session, _)| Revocation::Session(session));
        let subjects = known
            .subjects
            .into_iter()
            .map(|(subject, not_before)| Revocation::Subject { subject, not_before });
        let clients = known.clients.into_iter().map(|(client, at)| Revocation::Client { client, at });
        self.revocations.apply_all(sessions.chain(subjects).chain(clients), now);
        let listener = Listener {
            revocations: Arc::clone(&self.revocations),
            identity: identity.cloned(),
            own_keys: Arc::clone(own_keys),
            store: store.clone(),
        };
        if let Some(identity) = identity {
            let watch = keys_by_date(identity.clone(), Arc::clone(own_keys), shutdown.clone());
            self.tasks.push(tokio::spawn(watch));
        }
        self.tasks.push(tokio::spawn(changes::follow(store.clone(), newest, shutdown.clone(), move |row| {
            let listener = listener.clone();
            async move { listener.hear(row).await }
        })));
        Ok(())
    }

    fn listen(
        &mut self,
        configuration: &Configuration,
        identity: Option<&Identity>,
        more_operations: Option<axum::Router>,
        tls: Option<Arc<rustls::ServerConfig>>,
        shutdown: &Shutdown,
    ) -> Result<(), CommandError> {
        let file = &configuration.file;
        let fallback = |port: u16| SocketAddr::new(crate::command_line::LOOPBACK, port);
        let operations_at =
            file.operations.as_ref().and_then(|section| section.listen).unwrap_or(fallback(8082));
        let operations_listener = bind("operations.listen", operations_at)?;
        let identity_listener = match identity {
            Some(_) => {
                let at = file.identity.as_ref().and_then(|section| section.listen).unwrap_or(fallback(8080));
                Some(bind("identity.listen", at)?)
            }
            None => None,
        };
        let gateway_at = file.gateway.as_ref().and_then(|section| section.listen).unwrap_or(fallback(8081));
        // A port of one's own before it is shared: with SO_REUSEPORT a forgotten process would take half the traffic.
        let gateway_at = {
            let alone = bind("gateway.listen", gateway_at)?;
            alone.local_addr().unwrap_or(gateway_at)
        };
        self.addresses = Addresses {
            identity: identity_listener.as_ref().and_then(|listener| listener.local_addr().ok()),
            gateway: Some(gateway_at),
            operations: operations_listener.local_addr().ok(),
        };
        self.listen_gateway(gateway_at, shutdown)?;
        if let (Some(listener), Some(identity)) = (identity_listener, identity) {
            let router = identity.router();
            self.tasks.push(tokio::spawn(serving::serve(listener, router, tls, shutdown.clone())));
        }
        let operations = operations::Operations { store: self.store.clone(), gateway: self.gateway.clone() };
        let router = more_operations.unwrap_or_default().merge(operations.router());
        self.tasks.push(tokio::spawn(serving::serve(operations_listener, router, None, shutdown.clone())));
        Ok(())
    }

    /// One current-thread runtime a core, each with a listener of its own on the same port.
    fn listen_gateway(&mut self, address: SocketAddr, shutdown: &Shutdown) -> Result<(), CommandError> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        for core in 0..cores {
            let (gateway, shutdown) = (self.gateway.clone(), shutdown.clone());
            let (told, heard) = std::sync::mpsc::sync_channel(1);
            let run = move || {
                let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                    Ok(runtime) => runtime,
                    Err(error) => {
                        let _ = told.send(Err(error));
                        return;
                    }
                };
                runtime.block_on(async {
                    match ::gateway::listen(address, cores > 1) {
                        Ok(listener) => {
                            let _ = told.send(Ok(()));
                            if let Err(error) = gateway.serve(listener, shutdown.begun()).await {
                                tracing::error!(%error, "the gateway does not serve");
                            }
                        }
                        Err(error) => {
                            let _ = told.send(Err(error));
                        }
                    }
                });
            };
            let thread =
                std::thread::Builder::new().name(format!("gateway-{core}")).spawn(run).map_err(|error| {
                    CommandError { message: format!("no thread for the gateway: {error}"), code: 70 }
                })?;
            self.threads.push(thread);
            match heard.recv() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(in_use("gateway.listen", address, &error)),
                Err(_) => {
                    return Err(CommandError { message: "a gateway thread ended".to_owned(), code: 70 });
                }
            }
        }
        Ok(())
    }

    /// Takes policy and gateway settings from a configuration that was read again. Listeners, store and keys stay.
    pub async fn reload(&self, configuration: &Configuration) -> Result<(), CommandError> {
        let policy = policy_wiring::read(configuration)
            .map_err(|problems| CommandError::usage(problems.join("\n")))?;
        if let (Some(store), false) = (&self.store, identity_wiring::is_delegated(configuration)) {
            refuse_what_cannot_work(configuration, &policy, store).await?;
        }
        let config = gateway_wiring::config(configuration, &policy)?;
        self.gateway.reload(config).map_err(|error| CommandError::usage(error.to_string()))
    }

    /// Ends in an orderly way, in under five seconds.
    pub async fn stop(self) {
        self.end.begin();
        let all = async {
            for task in self.tasks {
                let _ = task.await;
            }
            let _ = tokio::task::spawn_blocking(move || {
                for thread in self.threads {
                    let _ = thread.join();
                }
            })
            .await;
        };
        if tokio::time::timeout(serving::DRAIN + Duration::from_millis(500), all).await.is_err() {
            tracing::warn!("some requests did not end in time and were cut");
        }
        if let Some(store) = self.store {
            store.close().await;
        }
    }
}

/// Hears changes and tells whoever remembers something of them.
#[derive(Clone)]
struct Listener {
    revocations: Arc<Revocations>,
    identity: Option<Identity>,
    own_keys: Arc<OwnKeys>,
    store: Store,
}

impl Listener {
    async fn hear(&self, row: ChangeRow) {
        let now = clock::now();
        let revocation = match row.kind.as_str() {
            kind::SESSION => Some(Revocation::Session(row.key.clone())),
            kind::SUBJECT => Some(Revocation::Subject { subject: row.key.clone(), not_before: row.at }),
            kind::CLIENT => match self.store.client(&row.key).await {
                Ok(Some((client, _))) if !client.disabled => None,
                Ok(_) => Some(Revocation::Client { client: row.key.clone(), at: row.at }),
                // Not known to be good: tokens of it are refused until they are renewed.
                Err(_) => Some(Revocation::Client { client: row.key.clone(), at: row.at }),
            },
            _ => None,
        };
        if let Some(revocation) = revocation {
            self.revocations.apply(revocation, now);
        }
        let Some(identity) = &self.identity else { return };
        if let Err(fault) = identity.apply_change(&row.kind, &row.key).await {
            tracing::error!(%fault, "a change was heard and could not be taken in");
        }
        if row.kind == kind::SIGNING_KEY {
            match identity.reload_keys().await {
                Ok(()) => self.own_keys.replace(identity.key_set()),
                Err(fault) => tracing::error!(%fault, "the signing keys cannot be read again"),
            }
        }
    }
}

/// A key leaves the set on its date, with no change to hear of.
async fn keys_by_date(identity: Identity, own_keys: Arc<OwnKeys>, shutdown: Shutdown) {
    let mut published = identity.key_set().to_json();
    let end = shutdown.begun();
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => return,
            () = tokio::time::sleep(KEYS_EVERY) => {}
        }
        let now = identity.key_set().to_json();
        if now != published {
            own_keys.replace(identity.key_set());
            published = now;
        }
    }
}

/// Legacy keys as the store has them.
struct KeysInStore(Store);

#[async_trait]
impl LegacyKeys for KeysInStore {
    async fn find(&self, digest: [u8; 32]) -> Result<Option<LegacyKey>, LegacyKeysUnavailable> {
        let found = self
            .0
            .api_key_by_digest(&digest)
            .await
            .map_err(|fault| LegacyKeysUnavailable(fault.to_string()))?;
        Ok(found.filter(|key| key.revoked_at.is_none()).map(|key| LegacyKey {
            id: key.id,
            client: key.client_id,
            scopes: ::policy::ScopeSet::granted(&key.scopes.join(" ")),
            expires_at: key.expires_at,
        }))
    }
}

/// Writes down when keys were last used, many uses in one statement.
async fn record_uses(store: Store, mut used: mpsc::Receiver<KeyUse>, shutdown: Shutdown) {
    let end = shutdown.begun();
    tokio::pin!(end);
    let mut batch = Vec::new();
    loop {
        let ended = tokio::select! {
            count = used.recv_many(&mut batch, KEY_USES) => count == 0,
            () = &mut end => true,
        };
        while let Ok(more) = used.try_recv() {
            batch.push(more);
        }
        let mut uses: HashMap<String, (i64, i64)> = HashMap::new();
        for KeyUse { id, at } in batch.drain(..) {
            let (latest, count) = uses.entry(id).or_insert((at, 0));
            *latest = at.max(*latest);
            *count += 1;
        }
        let uses: Vec<ApiKeyUse> = uses
            .into_iter()
            .map(|(id, (last_used_at, count))| ApiKeyUse { id, last_used_at, count })
            .collect();
        if !uses.is_empty()
            && let Err(fault) = store.record_api_key_uses(&uses).await
        {
            tracing::warn!(%fault, "uses of API keys are not recorded");
        }
        if ended {
            return;
        }
        tokio::time::sleep(RECORD_EVERY).await;
    }
}
