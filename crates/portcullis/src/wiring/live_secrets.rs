//! Every secret that this installation holds, for the auditor to look for in the repository: what the configuration refers
//! to, and what the steward made of it since. What cannot be read is said, and never skipped.

use crate::config::Configuration;
use crate::config::secret::SecretReference;
use crate::wiring::evidence;
use crate::wiring::installation::Installation;
use audit::config::{Config, Location, Secrets};
use audit::scan::LiveSecret;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use std::path::PathBuf;
use steward::Credential;

/// What G1 is told. `config` is what the other measures are told: it holds credentials that are in use now.
pub fn of(installation: &Installation, config: &Config) -> Secrets {
    let configuration = &installation.configuration;
    let section = configuration.file.audit.clone().unwrap_or_default();
    let mut found = Found { configuration, live: Vec::new(), unread: Vec::new() };
    found.referred_to();
    found.signs_evidence();
    found.in_use(config);
    if let Some(folder) = &installation.dev
        && let Ok(application) = folder.machine_application()
    {
        found.add("the machine application's secret", application.client_secret.as_bytes());
    }
    let file = configuration.path.clone();
    let dev = installation.dev.as_ref().map(|folder| folder.path.join("dev.json"));
    Secrets {
        frontend: section.frontend,
        baseline: section.secrets_baseline.map(|file| configuration.path(&file)),
        live: found.live,
        unread: found.unread,
        configuration: file.into_iter().chain(dev).filter(|file| file.exists()).collect(),
    }
}

struct Found<'a> {
    configuration: &'a Configuration,
    live: Vec<LiveSecret>,
    unread: Vec<String>,
}

impl Found<'_> {
    fn add(&mut self, name: &str, value: &[u8]) {
        let known = self.live.iter().any(|known| known.value.expose_secret() == value);
        if !value.is_empty() && !known {
            self.live.push(LiveSecret { name: name.to_owned(), value: SecretSlice::from(value.to_vec()) });
        }
    }

    /// What a file or a reference holds: as it is, a key also as the bytes that its digits stand for, of a URL and of the
    /// steward's JSON the password.
    fn read(&mut self, name: &str, file: &Option<PathBuf>, reference: Option<&SecretReference>) {
        let file = file.as_ref().map(|file| self.configuration.path(file));
        let mut secrets = self.configuration.secrets();
        let bytes = match secrets.bytes(name, file.as_deref(), reference) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return,
            Err(error) => return self.unread.push(error.to_string()),
        };
        let whole = bytes.expose_secret();
        let text = std::str::from_utf8(whole).map(str::trim_end).ok();
        let credential = text.and_then(|text| Credential::from_json(text).ok());
        let url = text.and_then(|text| url::Url::parse(text).ok()).filter(|url| url.password().is_some());
        if let Some(credential) = credential {
            self.add(name, credential.password.expose_secret().as_bytes());
        } else if let Some(url) = url {
            self.add_password_of(name, &url);
        } else {
            self.add(name, text.map_or(whole, str::as_bytes));
            if let Some(Ok(Some(key))) = (text.is_some_and(|text| text.len() == 64))
                .then(|| self.configuration.secrets().key(name, file.as_deref(), reference))
            {
                self.add(name, key.expose_secret());
            }
        }
    }

    /// As it stands in the URL, and decoded.
    fn add_password_of(&mut self, name: &str, url: &url::Url) {
        let Some(password) = url.password() else { return };
        self.add(name, password.as_bytes());
        let decoded = Credential::from_url(url.as_str(), None).ok();
        if let Some(credential) = decoded {
            self.add(name, credential.password.expose_secret().as_bytes());
        }
    }

    fn referred_to(&mut self) {
        let file = &self.configuration.file;
        if let Some(identity) = &file.identity {
            let reference = identity.key_encryption_key.as_ref();
            self.read("identity.key_encryption_key", &identity.key_encryption_key_file, reference);
        }
        if let Some(store) = &file.store {
            self.read("store.key", &store.key_file, store.key.as_ref());
            self.read("store.password", &store.password_file, store.password.as_ref());
            // It comes with the adoption.
            let secret = store.secret_file.clone().filter(|file| self.configuration.path(file).exists());
            self.read("store.secret", &secret, None);
        }
        for database in file.database.iter().flatten() {
            let name = database.name.as_deref().unwrap_or("?");
            let (password, administrator) =
                (format!("database.{name}.password"), format!("database.{name}.administrator"));
            self.read(&password, &database.password_file, database.password.as_ref());
            self.read(&administrator, &database.administrator_file, database.administrator.as_ref());
        }
        if let Some(mail) = &file.mail {
            self.read("mail.password", &mail.password_file, mail.password.as_ref());
        }
        if let Some(audit) = &file.audit {
            self.read(
                "audit.database_password",
                &audit.database_password_file,
                audit.database_password.as_ref(),
            );
            self.read("audit.database_key", &audit.database_key_file, audit.database_key.as_ref());
            self.read("audit.backup_key", &audit.backup_key_file, audit.backup_key.as_ref());
            self.read(
                "audit.advisories_password",
                &audit.advisories_password_file,
                audit.advisories_password.as_ref(),
            );
            self.read("audit.client_secret", &audit.client_secret_file, audit.client_secret.as_ref());
            self.read("audit.user_password", &audit.user_password_file, audit.user_password.as_ref());
            self.read("audit.api_key", &audit.api_key_file, audit.api_key.as_ref());
            if let Some(railway) = &audit.railway {
                self.read("audit.railway.token", &railway.token_file, railway.token.as_ref());
            }
        }
    }

    /// Whoever has it makes reports that are believed: the configured key, and one that the state made for itself.
    fn signs_evidence(&mut self) {
        let audit = self.configuration.file.audit.clone().unwrap_or_default();
        let mut keys = Vec::new();
        if audit.signing_key_file.is_some() || audit.signing_key.is_some() {
            keys.push(evidence::key(self.configuration).map_err(|error| error.message));
        }
        if let Some(state) = evidence::state(self.configuration).filter(|state| state.key_file().exists()) {
            keys.push(state.key().map(Some).map_err(|error| format!("audit.state: {error}")));
        }
        for key in keys {
            match key.map(|key| key.and_then(|key| key.seed())) {
                Ok(Some(seed)) => self.add("audit.signing_key", seed.expose_secret()),
                Ok(None) => self.unread.push("audit.signing_key: its secret half cannot be told".into()),
                Err(why) => self.unread.push(why),
            }
        }
    }

    /// Credentials that the steward made since, and what stands in URLs.
    fn in_use(&mut self, config: &Config) {
        if let Some(store) = &config.store {
            self.located("store", store);
        }
        for database in &config.databases {
            self.located(&format!("database.{}", database.name), &database.location);
        }
        if let Some(database) = &config.database {
            self.located("audit.database", database);
        }
    }

    fn located(&mut self, name: &str, location: &Location) {
        match location {
            Location::SqlCipher { key, .. } => {
                // While it is being changed there are two.
                for key in key.expose_secret().chunks(32) {
                    self.add(&format!("{name}.key"), key);
                }
            }
            Location::Postgres { url, password } => {
                let name = format!("{name}.password");
                if let Some(password) = password {
                    self.add(&name, SecretString::expose_secret(password).as_bytes());
                }
                if let Ok(url) = url::Url::parse(url) {
                    self.add_password_of(&name, &url);
                }
            }
        }
    }
}
