//! What the auditor is told: `[audit]`, and what the rest of the configuration promises.

use super::databases::{self, Kind, Managed, Purpose, STORE};
use super::policy::Policy;
use super::{gateway, identity, store};
use crate::commands::CommandError;
use crate::config::value::Span;
use crate::config::{Configuration, Environment};
use crate::wiring::installation::Installation;
use audit::config::{
    Access, Attested, Backup, Caller, ClientCredentials, Config, Database, Granted, Lifetime, Location, Mode,
    Railway, Route, Session, Stewardship, UserCredentials,
};
use policy::{CallerKind, Requirement, RuleSource, ScopeSet};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Puts the auditor's world together.
pub async fn config(installation: &Installation, policy: &Policy) -> Result<Config, CommandError> {
    let configuration = &installation.configuration;
    let section = configuration.file.audit.clone().unwrap_or_default();
    let audience = gateway::audience(configuration)?;
    let issuer = configuration
        .file
        .identity
        .as_ref()
        .and_then(|identity| identity.issuer.clone())
        .or_else(|| foreign(configuration).next())
        .ok_or_else(|| {
            CommandError::usage("audit: identity.issuer is missing, and there is no [[gateway.issuer]]")
        })?;
    let target = section.target.clone().ok_or_else(|| {
        CommandError::usage("audit.target is missing: the gateway's address as it is reached from here")
    })?;
    let mut config = Config::new(&target, &issuer, &audience, Arc::new(crate::clock::now));
    config.environment = configuration.environment.to_string();
    config.backend = section.backend.clone();
    config.mode = if identity::is_delegated(configuration) { Mode::Delegated } else { Mode::Own };
    let gateway_section = configuration.file.gateway.clone().unwrap_or_default();
    config.foreign_issuers = foreign(configuration).collect();
    config.access_token_lifetime = Some(lifetime(configuration));
    config.session_lifetime = Some(Lifetime {
        seconds: identity::REFRESH_ABSOLUTE,
        source: "the longest life of a session".to_owned(),
    });
    config.session = session(configuration)?;
    config.openapi = gateway_section.openapi.as_ref().map(|file| configuration.path(file));
    config.routes = routes(policy);
    config.frontend_origins = policy.origins.iter().map(str::to_owned).collect();
    if let Some(header) = gateway_section.api_keys.as_ref().and_then(|keys| keys.header.clone()) {
        config.api_key_header = header;
    }
    let path = |written: &Option<std::path::PathBuf>| written.as_ref().map(|path| configuration.path(path));
    let mut secrets = configuration.secrets();
    config.store = match (store::has_store(configuration), store::location(configuration, false)) {
        (false, _) => None,
        (true, Ok(::store::Location::SqlCipher { path, key })) => Some(Location::SqlCipher { path, key }),
        (true, Ok(::store::Location::Postgres { url, password })) => {
            Some(Location::Postgres { url, password: Some(password) })
        }
        // Nobody has started yet, as in CI: what needs the store is not proven.
        (true, Err(_)) if store::is_first_start(configuration) => None,
        (true, Err(error)) => return Err(error.into()),
    };
    let databases = databases::all(configuration, Purpose::Serve)?;
    let attested = attested(configuration, &databases).await;
    for managed in &databases {
        let stewardship = stewardship(managed, attested.get(&managed.name));
        match &managed.kind {
            _ if managed.name == STORE => config.store_stewardship = stewardship,
            Kind::Postgres { database, .. } => config.databases.push(Database {
                name: managed.name.clone(),
                location: Location::Postgres {
                    url: database.url.clone(),
                    password: database.password.clone(),
                },
                stewardship,
            }),
            Kind::SqlCipher { .. } => {}
        }
    }
    config.database = match &section.database {
        None => None,
        Some(url) => Some(match url.strip_prefix("sqlcipher:") {
            Some(file) => Location::SqlCipher {
                path: configuration.path(std::path::Path::new(file)),
                key: secrets
                    .key(
                        "audit.database_key",
                        path(&section.database_key_file).as_deref(),
                        section.database_key.as_ref(),
                    )?
                    .ok_or_else(|| CommandError::usage("audit.database_key_file is missing"))?,
            },
            None => Location::Postgres {
                url: url.clone(),
                password: secrets.text(
                    "audit.database_password",
                    path(&section.database_password_file).as_deref(),
                    section.database_password.as_ref(),
                )?,
            },
        }),
    };
    config.backup = match path(&section.backup) {
        None => None,
        Some(file) => Some(Backup {
            path: file,
            key: secrets.key(
                "audit.backup_key",
                path(&section.backup_key_file).as_deref(),
                section.backup_key.as_ref(),
            )?,
        }),
    };
    config.client = match &section.client_id {
        Some(id) => Some(ClientCredentials {
            id: id.clone(),
            secret: secrets
                .text(
                    "audit.client_secret",
                    path(&section.client_secret_file).as_deref(),
                    section.client_secret.as_ref(),
                )?
                .ok_or_else(|| CommandError::usage("audit.client_secret_file is missing"))?,
        }),
        None => installation.dev.as_ref().and_then(|folder| folder.machine_application().ok()).map(
            |application| ClientCredentials {
                id: application.client_id,
                secret: application.client_secret.into(),
            },
        ),
    };
    config.user = match &section.user_email {
        // A delegated installation of `dev` has no users, and the file of their password is never made.
        Some(_) if config.mode == Mode::Delegated && installation.dev.is_some() => None,
        Some(email) => Some(UserCredentials {
            email: email.clone(),
            password: secrets
                .text(
                    "audit.user_password",
                    path(&section.user_password_file).as_deref(),
                    section.user_password.as_ref(),
                )?
                .ok_or_else(|| CommandError::usage("audit.user_password_file is missing"))?,
        }),
        None => None,
    };
    config.api_key =
        secrets.text("audit.api_key", path(&section.api_key_file).as_deref(), section.api_key.as_ref())?;
    config.other_audience = other_audience(configuration, config.client.as_ref(), &audience).await?;
    config.granted = granted(configuration, &audience).await?;
    config.others = section.others.clone().unwrap_or_default();
    config.access_log = path(&section.access_log);
    config.mailbox = section.mailbox.clone();
    config.exercise = section.exercise.unwrap_or(configuration.environment != Environment::Production);
    config.failing = section.failing.clone();
    config.examples = section.examples.clone().unwrap_or_default();
    config.repository = Some(path(&section.repository).unwrap_or_else(|| configuration.folder.clone()));
    config.dependencies = dependencies(configuration, &section)?;
    config.state = path(&section.state);
    if let Some(span) = section.valid_for {
        config.valid_for = span.seconds();
    }
    config.waivers = section.waiver.iter().flatten().map(|waiver| waiver.0.clone()).collect();
    config.outside = section.outside.iter().flatten().map(|file| configuration.path(file)).collect();
    config.railway = railway(configuration)?;
    config.public_candidates = public_candidates(configuration);
    if let Some(folder) = &installation.dev {
        // Read again and again by a developer's machine only; there is none in production.
        config.certificate_authority = std::fs::read(folder.path.join("ca.pem")).ok();
    }
    config.secrets = super::live_secrets::of(installation, &config);
    Ok(config)
}

/// What G2 is told beside the repository.
fn dependencies(
    configuration: &Configuration,
    section: &crate::config::raw::Audit,
) -> Result<audit::config::Dependencies, CommandError> {
    let path = |written: &Option<std::path::PathBuf>| written.as_ref().map(|path| configuration.path(path));
    let variable = |name: &str| configuration.variables().get(name).map(std::path::PathBuf::from);
    let password = configuration.secrets().text(
        "audit.advisories_password",
        path(&section.advisories_password_file).as_deref(),
        section.advisories_password.as_ref(),
    )?;
    let advisories = section.advisories.as_ref().map(|written| {
        audit::dependencies::Advisories::parse(written, password.as_ref(), |folder| {
            configuration.path(folder)
        })
        .map_err(|why| CommandError::usage(format!("audit.advisories: {why}")))
    });
    let mut dependencies = audit::config::Dependencies {
        advisories: advisories.transpose()?,
        deployed: path(&section.deployed),
        cargo_home: variable("CARGO_HOME").or_else(|| variable("HOME").map(|home| home.join(".cargo"))),
        ..audit::config::Dependencies::default()
    };
    if let Some(window) = section.dependency_window {
        dependencies.window = window.seconds();
    }
    // A URL stays as it is; everything else is a folder.
    dependencies.registry = section.registry.as_ref().map(|written| {
        if written.contains("://") {
            written.clone()
        } else {
            configuration.path(std::path::Path::new(written)).display().to_string()
        }
    });
    Ok(dependencies)
}

/// What is promised of a database's password.
fn stewardship(managed: &Managed, last_rotation: Option<&Attested>) -> Stewardship {
    let (seconds, dead_man_switch) = match &managed.kind {
        Kind::Postgres { database, .. } if managed.configured => {
            (Some(database.maximum_password_age), database.dead_man_switch)
        }
        Kind::Postgres { .. } => (None, false),
        Kind::SqlCipher { maximum_age, .. } => (*maximum_age, false),
    };
    Stewardship {
        maximum_password_age: seconds
            .map(|seconds| Lifetime { seconds, source: "maximum_password_age".to_owned() }),
        dead_man_switch,
        last_rotation: last_rotation.cloned(),
    }
}

/// What the journal says of each last change. A journal that cannot be read attests nothing.
async fn attested(configuration: &Configuration, databases: &[Managed]) -> BTreeMap<String, Attested> {
    let mut attested = BTreeMap::new();
    if !store::has_store(configuration) || !databases.iter().any(Managed::is_stewarded) {
        return attested;
    }
    let Ok(opened) = store::open(configuration, false).await else { return attested };
    if let Ok(Some(steward)) = super::steward::of(configuration, &opened, databases) {
        for name in steward.names() {
            if let Ok(status) = steward.status(&name).await
                && let Some(last) = status.last
            {
                // A change comes to its end only when the old credential was tried and refused.
                let last = Attested {
                    finished_at: last.finished_at,
                    generation: last.generation,
                    previous_refused: (!last.proofs.is_empty()).then_some(true),
                };
                attested.insert(name, last);
            }
        }
    }
    opened.close().await;
    attested
}

/// `[audit.railway]`: none without a token.
fn railway(configuration: &Configuration) -> Result<Option<Railway>, CommandError> {
    let Some(section) = configuration.file.audit.as_ref().and_then(|audit| audit.railway.clone()) else {
        return Ok(None);
    };
    let file = section.token_file.as_ref().map(|file| configuration.path(file));
    let token =
        configuration.secrets().text("audit.railway.token", file.as_deref(), section.token.as_ref())?;
    let Some(token) = token else {
        let nothing = section.project.is_none() && section.environment.is_none() && section.url.is_none();
        return if nothing {
            Ok(None)
        } else {
            Err(CommandError::usage(
                "audit.railway.token_file is missing: a project token of the environment",
            ))
        };
    };
    // Railway itself names both in each deployment.
    let or_own = |written: Option<String>, key: &str, variable: &str| {
        written.or_else(|| configuration.variables().get(variable).cloned()).ok_or_else(|| {
            CommandError::usage(format!("audit.railway.{key} is missing: its id, as the dashboard copies it"))
        })
    };
    Ok(Some(Railway {
        token,
        project: or_own(section.project, "project", "RAILWAY_PROJECT_ID")?,
        environment: or_own(section.environment, "environment", "RAILWAY_ENVIRONMENT_ID")?,
        url: section.url.unwrap_or_else(|| Railway::API.to_owned()),
    }))
}

/// Where the environment of this process says that a database is offered to the internet.
fn public_candidates(configuration: &Configuration) -> Vec<String> {
    let variable =
        |name: &str| configuration.variables().get(name).filter(|value| !value.trim().is_empty()).cloned();
    let proxy = variable("RAILWAY_TCP_PROXY_DOMAIN").zip(variable("RAILWAY_TCP_PROXY_PORT"));
    let proxy = proxy.map(|(domain, port)| format!("{domain}:{port}"));
    variable("DATABASE_PUBLIC_URL").into_iter().chain(proxy).collect()
}

/// The URLs of the foreign issuers.
fn foreign(configuration: &Configuration) -> impl Iterator<Item = String> + '_ {
    let gateway = configuration.file.gateway.iter();
    gateway.flat_map(|gateway| gateway.issuer.iter().flatten()).filter_map(|issuer| issuer.url.clone())
}

fn lifetime(configuration: &Configuration) -> Lifetime {
    let foreign = configuration.file.gateway.iter().flat_map(|gateway| gateway.issuer.iter().flatten());
    let longest = foreign.filter_map(|issuer| issuer.maximum_token_lifetime).map(Span::seconds).max();
    let own = identity::access_token_lifetime(configuration);
    match longest {
        Some(seconds) if identity::is_delegated(configuration) || seconds > own => {
            Lifetime { seconds, source: "maximum_token_lifetime".to_owned() }
        }
        _ => Lifetime { seconds: own, source: "access_token_lifetime".to_owned() },
    }
}

fn session(configuration: &Configuration) -> Result<Option<Session>, CommandError> {
    if identity::is_delegated(configuration) {
        return Ok(None);
    }
    let section = identity::session(configuration);
    let public = match identity::session_caller(&section)? {
        ::identity::SessionCaller::Public { reason } => Some(reason),
        ::identity::SessionCaller::Client => None,
    };
    Ok(Some(Session {
        prefix: section.prefix.unwrap_or_else(|| "/users".to_owned()),
        on_gateway: section.on_gateway.unwrap_or(true),
        public,
    }))
}

/// The routes of the configuration; the document's operations are read by the auditor itself.
fn routes(policy: &Policy) -> Vec<Route> {
    policy
        .table
        .rules()
        .filter(|rule| matches!(rule.source, RuleSource::Route { .. }))
        .map(|rule| Route {
            method: rule.method.as_str().to_owned(),
            path: rule.pattern.as_str().to_owned(),
            access: match &rule.requirement {
                Requirement::Public { reason } => Access::Public { reason: reason.clone() },
                Requirement::Denied { .. } => Access::Denied,
                Requirement::Scopes { alternatives } => Access::Scopes {
                    alternatives: alternatives
                        .iter()
                        .map(|alternative| scopes(&alternative.scopes))
                        .collect(),
                    caller: match rule.caller() {
                        Some(CallerKind::User) => Caller::User,
                        Some(CallerKind::Client) => Caller::Client,
                        Some(CallerKind::Any) | None => Caller::Any,
                    },
                },
            },
        })
        .collect()
}

fn scopes(set: &ScopeSet) -> Vec<String> {
    set.to_vec()
}

/// Which scopes of the gateway's audience some client and some role may have. Where users are a foreign issuer's, it alone
/// knows.
async fn granted(configuration: &Configuration, audience: &str) -> Result<Option<Granted>, CommandError> {
    if !store::has_store(configuration)
        || store::is_first_start(configuration)
        || identity::is_delegated(configuration)
    {
        return Ok(None);
    }
    let store = store::open(configuration, false).await?;
    let (clients, roles) = (store.clients().await?, store.roles().await?);
    store.close().await;
    let permissions = roles.into_iter().flat_map(|role| role.permissions);
    Ok(Some(Granted {
        clients: clients
            .into_iter()
            .flat_map(|(_, grants)| grants)
            .filter(|grant| grant.audience == audience)
            .flat_map(|grant| grant.scopes)
            .collect(),
        users: permissions
            .filter(|permission| permission.audience == audience)
            .map(|permission| permission.scope)
            .collect(),
    }))
}

/// Another API that the auditor's client may have tokens for: the gateway must refuse those.
async fn other_audience(
    configuration: &Configuration,
    client: Option<&ClientCredentials>,
    audience: &str,
) -> Result<Option<String>, CommandError> {
    let Some(client) = client.filter(|_| store::has_store(configuration)) else { return Ok(None) };
    let store = store::open(configuration, false).await?;
    let found = store.client(&client.id).await?;
    store.close().await;
    Ok(found.and_then(|(_, grants)| {
        grants.into_iter().map(|grant| grant.audience).find(|granted| granted != audience)
    }))
}
