//! From `[store]` to an open store.

use crate::config::{ConfigError, Configuration};
use secrecy::SecretString;
use std::path::PathBuf;
use store::{Location, Store};

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

/// The parts of a steward's JSON that opening a database needs.
#[derive(serde::Deserialize)]
struct Credentials {
    url: String,
    password: SecretString,
}

/// Where the store is. On the very first start of a SQLCipher store its key is made: 32 random bytes, mode 0600.
pub fn location(configuration: &Configuration, create: bool) -> Result<Location, ConfigError> {
    let section = configuration.file.store.clone().unwrap_or_default();
    let url = section.url.clone().unwrap_or_else(|| "sqlcipher:data/portcullis.db".to_owned());
    let mut secrets = configuration.secrets();
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
        if let Some(key_file) =
            key_file.as_ref().filter(|key_file| create && !key_file.exists() && !path.exists())
        {
            make_key(key_file)?;
        }
        let key = secrets.key("store.key", key_file.as_deref(), section.key.as_ref())?.ok_or_else(|| {
            ConfigError::Invalid("store.key_file is missing: a sqlcipher store needs its key".to_owned())
        })?;
        return Ok(Location::SqlCipher { path, key });
    }
    if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        return Err(ConfigError::Invalid(format!(
            "store.url: `{url}` is neither sqlcipher:PATH nor postgres://USER@HOST:PORT/DATABASE"
        )));
    }
    if url::Url::parse(&url).is_ok_and(|url| url.password().is_some()) {
        return Err(ConfigError::Invalid(
            "store.url holds a password: put it into a file (mode 0600) and name that in store.password_file"
                .to_owned(),
        ));
    }
    if let Some(secret_file) = file(&section.secret_file) {
        let bytes = secrets.text("store.secret", Some(&secret_file), None)?;
        let text = bytes.as_ref().map(secrecy::ExposeSecret::expose_secret).unwrap_or_default();
        let credentials: Credentials = serde_json::from_str(text).map_err(|_| {
            ConfigError::Invalid(format!(
                "store.secret_file: {} is no credentials JSON",
                secret_file.display()
            ))
        })?;
        return Ok(Location::Postgres { url: credentials.url, password: credentials.password });
    }
    let password =
        secrets.text("store.password", file(&section.password_file).as_deref(), section.password.as_ref())?;
    let password = password.ok_or_else(|| {
        ConfigError::Invalid(
            "store.password_file is missing: the database must require a password".to_owned(),
        )
    })?;
    Ok(Location::Postgres { url, password })
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
    Ok(Store::open(&location).await?)
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
