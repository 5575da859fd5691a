//! The folder of `dev`: what it keeps between starts, and the configuration that stands for it.

use crate::command_line::Dev;
use crate::config::{ConfigError, Configuration, Source};
use crate::wiring::store::{make_key, make_parent};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

/// What the last start was told, so that `audit`, `token` and administration find it.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct LastStart {
    /// Identity's port.
    pub identity: u16,
    /// The gateway's.
    pub gateway: u16,
    /// Operations' and the mailbox's.
    pub operations: u16,
    /// `--upstream`; none: the sample backend.
    pub upstream: Option<String>,
    /// Where the sample backend listens.
    pub sample: Option<u16>,
    /// `--openapi`, absolute.
    pub openapi: PathBuf,
    /// `--frontend`.
    pub frontends: Vec<String>,
    /// `--tls`.
    pub tls: bool,
}

/// The secret of the machine application, kept because every start prints it.
#[derive(Serialize, Deserialize)]
pub struct MachineApplication {
    /// Its id.
    pub client_id: String,
    /// Its secret; this folder is for development and readable by its owner alone.
    pub client_secret: String,
}

/// The origin that scripts run from when `--frontend` names none.
const DEFAULT_FRONTEND: &str = "http://localhost:3000";

/// A folder of `dev`.
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
}

impl Folder {
    /// Makes the folder and its keys where they are missing; what is there stays.
    pub fn create(path: &Path) -> Result<Self, ConfigError> {
        let folder = Folder { path: path.to_owned() };
        make_parent(&path.join("x"))?;
        let ignore = path.join(".gitignore");
        if !ignore.exists() {
            std::fs::write(&ignore, "*\n").map_err(|error| cannot_write(&ignore, &error))?;
        }
        // A key that went missing beside its database is not made anew: the store would say that it does not fit,
        // and the old one may still be found.
        if !path.join("portcullis.db").exists() {
            for key in ["store.key", "kek"] {
                if !path.join(key).exists() {
                    make_key(&path.join(key))?;
                }
            }
        }
        Ok(folder)
    }

    /// An existing folder.
    pub fn open(path: &Path) -> Result<Self, ConfigError> {
        if path.join("dev.json").exists() {
            return Ok(Folder { path: path.to_owned() });
        }
        Err(ConfigError::Invalid(format!(
            "{} is no folder of `portcullis dev`: start that first, or name a configuration with --config FILE",
            path.display()
        )))
    }

    /// Decides ports and addresses of a start.
    pub fn plan(&self, dev: &Dev) -> Result<LastStart, ConfigError> {
        let before = self.last_start().ok();
        let (identity, gateway, operations) = match dev.port {
            0 => match &before {
                Some(last) if [last.identity, last.gateway, last.operations].into_iter().all(is_free) => {
                    (last.identity, last.gateway, last.operations)
                }
                _ => {
                    let [identity, gateway, operations] = free_ports()?;
                    (identity, gateway, operations)
                }
            },
            port => {
                let beyond =
                    || ConfigError::Invalid(format!("--port {port}: two more ports after it are needed"));
                (port, port.checked_add(1).ok_or_else(beyond)?, port.checked_add(2).ok_or_else(beyond)?)
            }
        };
        let openapi = match &dev.openapi {
            Some(file) => std::path::absolute(file).map_err(|error| cannot_write(file, &error))?,
            None => {
                let file = self.path.join("sample-openapi.yaml");
                std::fs::write(&file, super::sample_backend::OPENAPI)
                    .map_err(|error| cannot_write(&file, &error))?;
                std::path::absolute(&file).map_err(|error| cannot_write(&file, &error))?
            }
        };
        let sample = if dev.upstream.is_none() {
            let before = before.as_ref().and_then(|last| last.sample).filter(|port| is_free(*port));
            Some(before.map_or_else(|| free_ports::<1>().map(|[port]| port), Ok)?)
        } else {
            None
        };
        let plan = LastStart {
            identity,
            gateway,
            operations,
            upstream: dev.upstream.clone(),
            sample,
            openapi,
            frontends: dev.frontends.clone(),
            tls: dev.tls,
        };
        Ok(plan)
    }

    /// Remembers a start that succeeded: one that did not must not lead commands to somebody else's server.
    pub fn remember(&self, start: &LastStart) -> Result<(), ConfigError> {
        self.write("dev.json", start)
    }

    /// Takes the folder for this process, until the file is closed: two starts on one store would take each other's ports.
    pub fn lock(&self) -> Result<std::fs::File, ConfigError> {
        let path = self.path.join("lock");
        let file = std::fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|error| cannot_write(&path, &error))?;
        file.try_lock().map_err(|_| {
            ConfigError::Invalid(format!(
                "another `portcullis dev` runs on {}: stop it, or take another folder with --dir",
                self.path.display()
            ))
        })?;
        Ok(file)
    }

    /// What the last start was told.
    pub fn last_start(&self) -> Result<LastStart, ConfigError> {
        self.read("dev.json")
    }

    /// The machine application of this folder.
    pub fn machine_application(&self) -> Result<MachineApplication, ConfigError> {
        self.read("client.json")
    }

    /// Keeps the machine application.
    pub fn keep_machine_application(&self, application: &MachineApplication) -> Result<(), ConfigError> {
        self.write("client.json", application)
    }

    /// The configuration of a start: what `dev` decides, under `portcullis.toml` of the folder, under the environment.
    pub fn configuration(
        &self,
        start: &LastStart,
        environment: &BTreeMap<String, String>,
    ) -> Result<Configuration, ConfigError> {
        let file = self.path.join("portcullis.toml");
        Configuration::load(&Source {
            file: file.exists().then_some(file.as_path()),
            defaults: defaults(start),
            folder: &self.path,
            environment,
        })
    }

    pub(super) fn read<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, ConfigError> {
        let path = self.path.join(name);
        let text = std::fs::read_to_string(&path)
            .map_err(|error| ConfigError::Unreadable { path: path.clone(), error })?;
        serde_json::from_str(&text).map_err(|error| ConfigError::File { path, message: error.to_string() })
    }

    pub(super) fn write(&self, name: &str, value: &impl Serialize) -> Result<(), ConfigError> {
        use std::io::Write as _;
        use std::os::unix::fs::OpenOptionsExt as _;
        let path = self.path.join(name);
        // Whole or not at all: a start that dies in between leaves the old file.
        let beside = self.path.join(format!("{name}.new"));
        let text = serde_json::to_vec_pretty(value).map_err(|error| cannot_write(&path, &error.into()))?;
        std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)
            .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
            .and_then(|()| std::fs::rename(&beside, &path))
            .map_err(|error| cannot_write(&path, &error))
    }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> ConfigError {
    ConfigError::Invalid(format!("cannot write {}: {error}", path.display()))
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(SocketAddr::new(crate::command_line::LOOPBACK, port)).is_ok()
}

/// `N` different ports that nobody listens on.
fn free_ports<const N: usize>() -> Result<[u16; N], ConfigError> {
    let none = |error: std::io::Error| ConfigError::Invalid(format!("no free port: {error}"));
    // All are held until the last is known, so that no two are the same.
    let mut held = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind(SocketAddr::new(crate::command_line::LOOPBACK, 0)).map_err(none)?;
        *port = listener.local_addr().map_err(none)?.port();
        held.push(listener);
    }
    Ok(ports)
}

fn defaults(start: &LastStart) -> toml::Table {
    let scheme = if start.tls { "https" } else { "http" };
    let gateway = format!("{scheme}://localhost:{}", start.gateway);
    let upstream = start
        .upstream
        .clone()
        .unwrap_or_else(|| format!("http://127.0.0.1:{}", start.sample.unwrap_or_default()));
    let frontends =
        if start.frontends.is_empty() { vec![DEFAULT_FRONTEND.to_owned()] } else { start.frontends.clone() };
    let on = |port: u16| SocketAddr::new(crate::command_line::LOOPBACK, port).to_string();
    let mut table = toml::toml! {
        environment = "development"
        [identity]
        key_encryption_key_file = "kek"
        [identity.session]
        public = "development"
        [store]
        url = "sqlcipher:portcullis.db"
        key_file = "store.key"
        [gateway]
        [operations]
        [audit]
        exercise = true
        state = "audit"
        user_email = "audit@example.com"
        user_password_file = "audit.password"
    };
    let mut set = |path: [&str; 2], value: toml::Value| {
        if let Some(toml::Value::Table(section)) = table.get_mut(path[0]) {
            section.insert(path[1].to_owned(), value);
        }
    };
    set(["identity", "issuer"], format!("{scheme}://localhost:{}/", start.identity).into());
    set(["identity", "listen"], on(start.identity).into());
    set(["gateway", "listen"], on(start.gateway).into());
    set(["gateway", "audience"], gateway.clone().into());
    set(["gateway", "upstream"], upstream.into());
    set(["gateway", "openapi"], start.openapi.display().to_string().into());
    set(["gateway", "frontend_origins"], frontends.into());
    set(["operations", "listen"], on(start.operations).into());
    set(["audit", "target"], gateway.into());
    set(["audit", "mailbox"], format!("http://127.0.0.1:{}/mailbox", start.operations).into());
    if start.sample.is_some() {
        let health = toml::toml! {
            match = "GET /health"
            public = "liveness probe, answers no data"
        };
        set(["gateway", "route"], toml::Value::Array(vec![toml::Value::Table(health)]));
        set(["audit", "failing"], "GET /always-500".into());
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> LastStart {
        LastStart {
            identity: 4400,
            gateway: 4401,
            operations: 4402,
            upstream: None,
            sample: Some(4403),
            openapi: "/x/openapi.yaml".into(),
            frontends: vec![],
            tls: false,
        }
    }

    #[test]
    fn the_defaults_are_a_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Folder::create(folder.path()).unwrap();
        let read = folder.configuration(&start(), &BTreeMap::new()).unwrap();
        assert_eq!(read.environment, crate::config::Environment::Development);
        assert_eq!(read.file.identity.unwrap().issuer.unwrap(), "http://localhost:4400/");
        assert_eq!(read.file.gateway.unwrap().audience.unwrap(), "http://localhost:4401");
    }

    #[test]
    fn a_file_in_the_folder_adds_routes_and_settings() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Folder::create(folder.path()).unwrap();
        let text = "[gateway]\nremembered_tokens = 0\n[[gateway.route]]\nmatch = \"GET /x\"\nscopes = [\"read:x\"]\n";
        std::fs::write(folder.path.join("portcullis.toml"), text).unwrap();
        let gateway = folder.configuration(&start(), &BTreeMap::new()).unwrap().file.gateway.unwrap();
        assert_eq!((gateway.remembered_tokens, gateway.route.unwrap().len()), (Some(0), 2));
    }

    #[test]
    fn keys_are_made_once_and_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        Folder::create(&path).unwrap();
        let key = std::fs::read(path.join("kek")).unwrap();
        assert_eq!(key.len(), 32);
        assert_eq!(std::fs::metadata(path.join("kek")).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        Folder::create(&path).unwrap();
        assert_eq!(std::fs::read(path.join("kek")).unwrap(), key);
    }
}
