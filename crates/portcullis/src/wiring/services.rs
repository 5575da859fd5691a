//! Starting and stopping: store, identity, gateway, operations, and the tasks that carry them.

use super::changes::{Feed, Heard};
use super::console;
use super::databases::{self, Purpose, STORE};
use super::examination::{self, Examination, Eye};
use super::legacy_keys::{KEY_USES, KeysInStore, record_uses};
use super::listening::{Addresses, Listeners, serve_on_every_core};
use super::reports::Reports;
use super::schedule::{self, ReadAgain, Schedule};
use super::serving::{self, Shutdown, ShutdownSender};
use super::session_api::session_api;
use super::stewardship::Stewardship;
use super::{
    gateway as gateway_wiring, identity as identity_wiring, operations, policy as policy_wiring, refusals,
    store,
};
use crate::clock;
use crate::commands::CommandError;
use crate::commands::apply::apply_files;
use crate::config::Configuration;
use ::gateway::{Gateway, LegacyKeys, OwnKeys, Ports, Revocations};
use ::identity::{Clock, Fresh, Identity, Postman, SmtpPostman};
use ::store::Store;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

/// The store's connections get this long to say goodbye.
const GOODBYE: Duration = Duration::from_millis(300);

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
    /// Reads the installation again, for audits by schedule.
    pub read_again: Option<ReadAgain>,
}

/// Everything that runs.
pub struct Running {
    addresses: Addresses,
    gateway: Gateway,
    identity: Option<Identity>,
    end: ShutdownSender,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    threads: Vec<std::thread::JoinHandle<()>>,
    store: Option<Store>,
    /// What a reload cannot change, as it was at the start.
    fixed: Vec<(&'static str, String)>,
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
    let problems = refusals::of_configuration(configuration, &policy);
    if !problems.is_empty() {
        return Err(CommandError::usage(problems.join(
            "
",
        )));
    }
    // Everything that can be refused is refused before anything listens; a database that a stranger could enter, before
    // its first row is read.
    let managed = databases::all(configuration, Purpose::Serve)?;
    let eye = Eye::of(configuration);
    let own = managed.iter().filter(|managed| managed.name == STORE);
    let mut examinations = examination::of_all(None, own, &eye).await;
    refuse_by_examination(&examinations)?;
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
    if let Some(store) = &store {
        refuse_by_store(configuration, &policy, store).await?;
    }
    let stewardship =
        store.as_ref().map(|store| Stewardship::of(configuration, store, managed)).transpose()?;
    if let Some(stewardship) = &stewardship {
        let others = stewardship.databases.iter().filter(|managed| managed.name != STORE);
        let others = examination::of_all(stewardship.steward.as_ref(), others, &eye).await;
        refuse_by_examination(&others)?;
        examinations.extend(others);
        stewardship.known.examined(examinations);
    }

    let postman = match (plan.postman, &identity) {
        (Some(postman), _) => postman,
        (None, Some(_)) => postman(configuration)?,
        (None, None) => Arc::new(identity_wiring::Undelivered),
    };
    let (uses, used) = mpsc::channel(KEY_USES);
    let key_set = identity.as_ref().map(Identity::key_set).unwrap_or_default();
    let own_keys_written = key_set.to_json();
    let own_keys = Arc::new(OwnKeys::new(key_set));
    let revocations = Arc::new(Revocations::new(identity_wiring::LONGEST_TOKEN));
    let runtime = tokio::runtime::Handle::current();
    let ports = Ports {
        own_keys: Arc::clone(&own_keys),
        revocations: Arc::clone(&revocations),
        legacy_keys: store
            .clone()
            .map(|store| Arc::new(KeysInStore { store, runtime }) as Arc<dyn LegacyKeys>),
        key_uses: Some(uses),
        session_api: session_api(configuration, identity.as_ref()),
        now: Arc::new(clock::now),
        // An id of zeros names a request badly, and is no reason to refuse it.
        fresh: Arc::new(|| clock::fresh().unwrap_or_default()),
    };
    let gateway =
        Gateway::new(gateway_config, ports).map_err(|error| CommandError::usage(error.to_string()))?;
    let listeners = Listeners::bind(configuration, identity.is_some())?;

    let (end, shutdown) = serving::shutdown();
    let mut running = Running {
        addresses: listeners.addresses,
        gateway: gateway.clone(),
        identity: identity.clone(),
        end,
        tasks: Vec::new(),
        threads: Vec::new(),
        store: store.clone(),
        fixed: fixed(configuration),
    };
    let mut feed_heard = None;
    if let Some(store) = &store {
        let heard = Heard::default();
        let feed = Feed {
            store: store.clone(),
            revocations,
            identity: identity.clone(),
            published: Mutex::new(own_keys_written),
            own_keys,
            heard: heard.clone(),
        };
        let newest = feed.catch_up().await?;
        running.run(feed.follow(newest, shutdown.clone()));
        running.run(record_uses(store.clone(), used, shutdown.clone()));
        feed_heard = Some(heard);
    }
    let known = stewardship.as_ref().map(|stewardship| stewardship.known.clone()).unwrap_or_default();
    if let Some(mut stewardship) = stewardship {
        if let Some(own) = stewardship.own.take() {
            running.run(own.follow(shutdown.clone()));
        }
        running.run(stewardship.look_after(shutdown.clone()));
    }
    let reports = store.clone().map(Reports::of);
    if let Some(address) = listeners.addresses.gateway {
        running.threads = serve_on_every_core(&gateway, address, &shutdown)?;
    }
    if let (Some(listener), Some(identity)) = (listeners.identity, &identity) {
        let console = reports.clone().and_then(|reports| console::console(configuration, reports, identity));
        let mut router = identity.router();
        if let Some(console) = console {
            router = router.merge(console.router());
        }
        running.run(serving::serve(listener, router, plan.tls, shutdown.clone()));
    }
    let every = schedule::every(configuration).unwrap_or_default();
    if let (Some(every), Some(read_again), Some(reports)) = (every, plan.read_again, reports.clone()) {
        let environment = configuration.environment.to_string();
        let schedule = Schedule { every, environment, reports, read_again };
        running.run(schedule.follow(shutdown.clone()));
    } else if every.is_some() {
        tracing::warn!(
            "[audit] schedule: there is no store to keep reports in; run `portcullis audit --schedule`"
        );
    }
    let operations = operations::Operations {
        store,
        reports,
        gateway: gateway.clone(),
        heard: feed_heard,
        databases: known,
        environment: configuration.environment,
    };
    let router = plan.operations.unwrap_or_default().merge(operations.router());
    let on_loopback = listeners.addresses.operations.is_some_and(|address| address.ip().is_loopback());
    let router = if on_loopback { operations::for_this_machine_alone(router) } else { router };
    running.run(serving::serve(listeners.operations, router, None, shutdown.clone()));
    if let Some(identity) = identity {
        running.run(deliver_mail(identity, postman, shutdown));
    }
    running.run(warm_up(gateway));
    Ok(running)
}

/// Who takes mails away. Without `[mail]` they wait, and those that are of no more use are dropped.
fn postman(configuration: &Configuration) -> Result<Arc<dyn Postman>, CommandError> {
    let Some(mail) = identity_wiring::mail(configuration)? else {
        tracing::warn!("[mail] is missing: nobody gets a reset link or a notice");
        return Ok(Arc::new(identity_wiring::Undelivered));
    };
    let postman = SmtpPostman::new(&mail).map_err(|fault| CommandError::usage(fault.to_string()))?;
    Ok(Arc::new(postman))
}

async fn deliver_mail(identity: Identity, postman: Arc<dyn Postman>, shutdown: Shutdown) {
    identity.deliver_mail(postman.as_ref(), shutdown.begun()).await;
}

async fn warm_up(gateway: Gateway) {
    gateway.warm_up().await;
    for issuer in gateway.issuers_without_keys() {
        tracing::warn!(
            issuer,
            "the keys of a foreign issuer cannot be had yet; its tokens get 503 until they can"
        );
    }
}

/// What only a restart can change, by name, so that a reload can say which.
fn fixed(configuration: &Configuration) -> Vec<(&'static str, String)> {
    let file = &configuration.file;
    let gateway = file.gateway.as_ref();
    vec![
        ("environment", format!("{:?}", configuration.environment)),
        ("trusted_proxies", format!("{:?}", file.trusted_proxies)),
        ("[identity]", format!("{:?}", file.identity)),
        ("[store]", format!("{:?}", file.store)),
        ("[[database]]", format!("{:?}", file.database)),
        ("[mail]", format!("{:?}", file.mail)),
        ("[operations]", format!("{:?}", file.operations)),
        ("gateway.listen", format!("{:?}", gateway.map(|gateway| gateway.listen))),
        ("gateway.upstream", format!("{:?}", gateway.map(|gateway| &gateway.upstream))),
        ("gateway.audience", format!("{:?}", gateway.map(|gateway| &gateway.audience))),
    ]
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

/// What the databases themselves show to be wrong.
fn refuse_by_examination(examinations: &BTreeMap<String, Examination>) -> Result<(), CommandError> {
    for (name, examination) in examinations {
        for warning in examination.warnings.iter().chain(&examination.untold) {
            tracing::warn!(database = name, "{warning}");
        }
    }
    let problems = examination::problems(examinations);
    if problems.is_empty() { Ok(()) } else { Err(CommandError::usage(problems.join("\n"))) }
}

/// What the store shows to be wrong.
async fn refuse_by_store(
    configuration: &Configuration,
    policy: &policy_wiring::Policy,
    store: &Store,
) -> Result<(), CommandError> {
    let judged = refusals::of_store(configuration, policy, store).await?;
    for warning in judged.warnings {
        tracing::warn!("{warning}");
    }
    if judged.problems.is_empty() { Ok(()) } else { Err(CommandError::usage(judged.problems.join("\n"))) }
}

impl Running {
    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Where the board is, and a link that opens it once; none where there is no console.
    pub async fn open_console(&self, configuration: &Configuration) -> Option<console::Opened> {
        let store = self.store.as_ref().filter(|_| self.identity.is_some())?;
        match console::open(configuration, store).await {
            Ok(opened) => opened,
            Err(fault) => {
                tracing::warn!(%fault, "no link to the console can be made; `portcullis console link` tries again");
                None
            }
        }
    }

    fn run(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.push(tokio::spawn(task));
    }

    /// Takes rules, origins and gateway settings from a configuration that was read again. What only a restart can change
    /// must be as it was: half of a change is worse than none.
    pub async fn reload(&self, configuration: &Configuration) -> Result<(), CommandError> {
        let wanted = fixed(configuration);
        let changed: Vec<&str> =
            self.fixed.iter().zip(&wanted).filter(|(was, is)| was.1 != is.1).map(|(was, _)| was.0).collect();
        if !changed.is_empty() {
            return Err(CommandError::usage(format!("a change of {} wants a restart", changed.join(", "))));
        }
        let policy = policy_wiring::read(configuration)
            .map_err(|problems| CommandError::usage(problems.join("\n")))?;
        let problems = refusals::of_configuration(configuration, &policy);
        if !problems.is_empty() {
            return Err(CommandError::usage(problems.join("\n")));
        }
        if let Some(store) = &self.store {
            refuse_by_store(configuration, &policy, store).await?;
        }
        let config = gateway_wiring::config(configuration, &policy)?;
        self.gateway.reload(config).map_err(|error| CommandError::usage(error.to_string()))?;
        if let Some(identity) = &self.identity {
            identity.replace_frontend_origins(policy.origins);
        }
        for warning in policy.warnings.iter().chain(&configuration.warnings()) {
            tracing::warn!("{warning}");
        }
        Ok(())
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
        if let Some(store) = self.store
            && tokio::time::timeout(GOODBYE, store.close()).await.is_err()
        {
            tracing::warn!("the store's connections did not close in time");
        }
    }
}
