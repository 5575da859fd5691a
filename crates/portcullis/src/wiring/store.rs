//! From `[store]` to an open store.

use crate::config::secret::{LaxMode, SecretReference, Secrets};
use crate::config::{ConfigError, Configuration};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use steward::Credential;
use store::key_file::Keys;
use store::{CredentialSource, Fault, Location, Options, Store};

/// Why there is no store to work on.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The configuration does not say which.
    #[error(transparent)]
    Configuration(#[from] ConfigError),
    /// It does not open.
    #[error("the store does not open: {0}")]
    Fault(#[from] store::Fault),
}

/// Where the store is, its secret still where it is kept.
pub enum Source {
    /// An encrypted file, and its key's file where the key is one.
    SqlCipher {
        /// The database.
        path: PathBuf,
        /// Its key.
        key_file: Option<PathBuf>,
    },
    /// A PostgreSQL database.
    Postgres(PostgresSource),
}

/// Where the credential of a PostgreSQL store is read, at the start and whenever the server refuses it.
#[derive(Clone)]
pub struct PostgresSource {
    /// The steward's JSON. Once it is there it counts, before that what follows does.
    pub secret_file: Option<PathBuf>,
    url: String,
    /// What the environment or a credential of systemd holds; they do not change while a process runs.
    password: Option<SecretString>,
    password_file: Option<PathBuf>,
    lax_mode: LaxMode,
}

impl PostgresSource {
    /// URL without password, and password, as they stand there now.
    pub fn read(&self) -> Result<(String, SecretString), ConfigError> {
        let nothing = BTreeMap::new();
        let noticed = Mutex::default();
        // A lax mode was noticed at the start; what was refused then is refused still.
        let mut secrets = Secrets { environment: &nothing, lax_mode: self.lax_mode, noticed: &noticed };
        if let Some(file) = self.secret_file.as_ref().filter(|file| file.exists()) {
            let text = secrets.text("store.secret", Some(file), None)?;
            let text = text.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default();
            let credential = Credential::from_json(text).map_err(|error| {
                ConfigError::Invalid(format!("store.secret_file: {}: {error}", file.display()))
            })?;
            if !same_place(&self.url, &credential.url()) {
                return Err(ConfigError::Invalid(format!(
                    "store.url leads to {}, and store.secret_file to {}: make them agree, or nobody knows which database \
                     is meant",
                    place(&self.url),
                    place(&credential.url())
                )));
            }
            return Ok((credential.url(), credential.password));
        }
        if let Some(password) = &self.password {
            return Ok((self.url.clone(), password.clone()));
        }
        let password = secrets.text("store.password", self.password_file.as_deref(), None)?;
        password.map(|password| (self.url.clone(), password)).ok_or_else(|| {
            ConfigError::Invalid(match &self.secret_file {
                Some(file) => format!(
                    "store.secret_file: {} is not there, and store.password_file does not say how to log in until it \
                     is: name today's password, and run `portcullis database adopt store`",
                    file.display()
                ),
                None => "store.password_file is missing: the database must require a password".to_owned(),
            })
        })
    }
}

/// Host, port and database of a URL, for people.
fn place(url: &str) -> String {
    let url = url::Url::parse(url).ok();
    let part = |part: &dyn Fn(&url::Url) -> String| url.as_ref().map(part).unwrap_or_default();
    let host = part(&|url| url.host_str().unwrap_or_default().to_ascii_lowercase());
    let port = part(&|url| url.port().unwrap_or(5432).to_string());
    format!("{host}:{port}{}", part(&|url| url.path().to_owned()))
}

fn same_place(one: &str, other: &str) -> bool {
    place(one) == place(other)
}

#[async_trait::async_trait]
impl CredentialSource for PostgresSource {
    async fn credential(&self) -> Result<(String, SecretString), Fault> {
        self.read().map_err(|error| Fault::Unavailable(error.to_string()))
    }
}

/// Where the store is, by `[store]`.
pub fn source(configuration: &Configuration) -> Result<Source, ConfigError> {
    let section = configuration.file.store.clone().unwrap_or_default();
    let url = section.url.clone().unwrap_or_else(|| "sqlcipher:data/portcullis.db".to_owned());
    let file = |written: &Option<PathBuf>| written.as_ref().map(|path| configuration.path(path));
    if let Some(path) = url.strip_prefix("sqlcipher:") {
        if section.password.is_some() || section.password_file.is_some() || section.secret_file.is_some() {
            return Err(ConfigError::Invalid(
                "store: a sqlcipher store has a key (key_file), not a password".to_owned(),
            ));
        }
        let path = configuration.path(std::path::Path::new(path));
        let key_file = match (&section.key_file, &section.key) {
            (None, None) => Some(path.with_extension("key")),
            (written, _) => file(written),
        };
        return Ok(Source::SqlCipher { path, key_file });
    }
    if SecretReference::parse(&url).is_none()
        && !(url.starts_with("postgres://") || url.starts_with("postgresql://"))
    {
        return Err(ConfigError::Invalid(format!(
            "store.url: `{url}` is neither sqlcipher:PATH nor postgres://USER@HOST:PORT/DATABASE"
        )));
    }
    let (url, written) = super::databases::url_of(configuration, "store.url", &url)?;
    let mut secrets = configuration.secrets();
    let password_file = file(&section.password_file);
    if section.password.is_some() && password_file.is_some() {
        return Err(ConfigError::Invalid(
            "store.password and store.password_file are both set; keep one".to_owned(),
        ));
    }
    let password = secrets.text("store.password", None, section.password.as_ref())?.or(written);
    let source = PostgresSource {
        secret_file: file(&section.secret_file),
        url,
        password,
        password_file,
        lax_mode: secrets.lax_mode,
    };
    // The modes of the files are looked at here, where a warning is heard.
    for (name, path) in [("store.secret", &source.secret_file), ("store.password", &source.password_file)] {
        if let Some(path) = path.as_ref().filter(|path| path.exists()) {
            secrets.bytes(name, Some(path), None)?;
        }
    }
    Ok(Source::Postgres(source))
}

/// Where the store is. On the very first start of a SQLCipher store its key is made: 32 random bytes, mode 0600.
pub fn location(configuration: &Configuration, create: bool) -> Result<Location, ConfigError> {
    match source(configuration)? {
        Source::SqlCipher { path, key_file } => {
            let key = configuration.file.store.as_ref().and_then(|store| store.key.clone());
            if key.is_some() && key_file.is_some() {
                return Err(ConfigError::Invalid(
                    "store.key and store.key_file are both set; keep one".to_owned(),
                ));
            }
            if let Some(key_file) =
                key_file.as_ref().filter(|key_file| create && !key_file.exists() && !path.exists())
            {
                make_key(key_file)?;
            }
            let key = match &key_file {
                Some(file) => Some(keys(configuration, file)?.current),
                None => configuration.secrets().key("store.key", None, key.as_ref())?,
            };
            let key = key.ok_or_else(|| {
                ConfigError::Invalid("store.key_file is missing: a sqlcipher store needs its key".to_owned())
            })?;
            Ok(Location::SqlCipher { path, key })
        }
        Source::Postgres(source) => {
            let (url, password) = source.read()?;
            Ok(Location::Postgres { url, password })
        }
    }
}

/// The keys of a SQLCipher store: two, while it is being changed or after a change that was cut short.
pub fn keys(configuration: &Configuration, key_file: &std::path::Path) -> Result<Keys, ConfigError> {
    let bytes = configuration.secrets().bytes("store.key", Some(key_file), None)?;
    let bytes = bytes.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default();
    Keys::parse(bytes).map_err(|_| {
        ConfigError::Invalid(format!(
            "store.key must hold 32 bytes or 64 hexadecimal digits, and holds {} bytes; make one with \
             `(umask 077; head -c 32 /dev/urandom > FILE)`",
            bytes.len()
        ))
    })
}

/// Whether this installation has a store: a gateway before a foreign issuer may go without.
pub fn has_store(configuration: &Configuration) -> bool {
    let keys = configuration.file.gateway.as_ref().is_some_and(|gateway| gateway.api_keys.is_some());
    configuration.file.store.is_some() || super::identity::has_issuer(configuration) || keys
}

/// Whether the store is a SQLCipher file that is not there yet.
pub fn is_first_start(configuration: &Configuration) -> bool {
    let url = configuration.file.store.as_ref().and_then(|store| store.url.clone());
    let url = url.unwrap_or_else(|| "sqlcipher:data/portcullis.db".to_owned());
    url.strip_prefix("sqlcipher:")
        .is_some_and(|path| !configuration.path(std::path::Path::new(path)).exists())
}

/// Opens the store.
pub async fn open(configuration: &Configuration, create: bool) -> Result<Store, StoreError> {
    let first = create && is_first_start(configuration);
    let location = location(configuration, create)?;
    if first && super::identity::has_issuer(configuration) {
        // With the store, whichever command is the first to open it: made later, it could not be told from a lost one.
        super::identity::key_encryption_key(configuration, true)?;
    }
    if let Location::SqlCipher { path, .. } = &location {
        if !create && !path.exists() {
            return Err(ConfigError::Invalid(format!(
                "there is no store at {}: start `portcullis dev` or `portcullis serve` first",
                path.display()
            ))
            .into());
        }
        make_parent(path)?;
    }
    match source(configuration)? {
        Source::SqlCipher { path, key_file: Some(key_file) } => {
            Ok(Store::open_with_key_file(&path, &key_file, &Options::default()).await?)
        }
        Source::SqlCipher { .. } => Ok(Store::open(&location).await?),
        Source::Postgres(source) => {
            let store = Store::open(&location).await?;
            store.set_credential_source(Arc::new(source));
            Ok(store)
        }
    }
}

/// A new key of 32 random bytes at `path`, readable by its owner alone; an existing file is never replaced.
pub fn make_key(path: &std::path::Path) -> Result<(), ConfigError> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    make_parent(path)?;
    let failed = |error: &dyn std::fmt::Display| {
        ConfigError::Invalid(format!("cannot make the key {}: {error}", path.display()))
    };
    let bytes = crate::clock::fresh::<32>().map_err(|error| failed(&error))?;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| failed(&error))?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(|error| failed(&error))
}

/// The folder of `path`, mode 0700 where it is new.
pub fn make_parent(path: &std::path::Path) -> Result<(), ConfigError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else { return Ok(()) };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(|error| {
        ConfigError::Invalid(format!("cannot make the folder {}: {error}", parent.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_file_that_leads_elsewhere_is_no_credential_of_this_store() {
        use std::os::unix::fs::OpenOptionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("store.json");
        let today =
            Credential::from_url("postgres://portcullis_a:secret@DB.internal/portcullis", None).unwrap();
        let mut options = std::fs::OpenOptions::new();
        let mut opened = options.write(true).create_new(true).mode(0o600).open(&file).unwrap();
        std::io::Write::write_all(&mut opened, today.to_json().expose_secret().as_bytes()).unwrap();
        let source = |url: &str| PostgresSource {
            secret_file: Some(file.clone()),
            url: url.to_owned(),
            password: None,
            password_file: None,
            lax_mode: LaxMode::Refuse,
        };
        assert!(source("postgres://portcullis@db.internal:5432/portcullis?sslmode=require").read().is_ok());
        for elsewhere in [
            "postgres://portcullis@shuttle.proxy.rlwy.net:15140/portcullis",
            "postgres://p@db.internal/other",
        ] {
            let message = source(elsewhere).read().unwrap_err().to_string();
            assert!(
                message.contains("db.internal:5432/portcullis") && !message.contains("secret@"),
                "{message}"
            );
        }
    }
}
