//! From `[store]` and `[[database]]` to the databases whose credentials are looked after.

use super::store;
use crate::config::raw;
use crate::config::secret::SecretReference;
use crate::config::value::Span;
use crate::config::{ConfigError, Configuration};
use secrecy::{ExposeSecret as _, SecretString};
use std::path::PathBuf;
use steward::Credential;
use steward::delivery::{Place, WrittenPlace};
use steward::rotation::Database;

/// The name of Portcullis's own database.
pub const STORE: &str = "store";

/// A database of this installation.
#[derive(Clone)]
pub struct Managed {
    /// Its name; `store` is Portcullis's own.
    pub name: String,
    /// What it is, and what is to be done with it.
    pub kind: Kind,
    /// Whether `[[database]]` names it: what does not is looked at and not changed.
    pub configured: bool,
}

impl Managed {
    /// Whether the steward looks after it: PostgreSQL, and named by the configuration.
    pub fn is_stewarded(&self) -> bool {
        self.configured && matches!(self.kind, Kind::Postgres { .. })
    }
}

/// What a database is.
#[derive(Clone)]
pub enum Kind {
    /// PostgreSQL.
    Postgres {
        /// What the steward is told.
        database: Box<Database>,
        /// How its password is changed.
        change: Change,
    },
    /// Portcullis's own encrypted file.
    SqlCipher {
        /// The database.
        path: PathBuf,
        /// Its key; none where the key is no file, so that nobody can change it here.
        key_file: Option<PathBuf>,
        /// Seconds; none: the key is changed by command alone.
        maximum_age: Option<i64>,
    },
}

/// How the password of a database is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// By the server, when it is due, and by command.
    Server,
    /// By a job alone: the token of the platform can change everything, and has no place in a server.
    Job,
    /// Not at all: nobody said where the new one goes.
    Never,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A server: it takes no token of a platform, even where it could.
    Serve,
    /// A command or a job, which changes passwords.
    Command,
}

/// Every database, and all that is wrong with what is said of them.
pub fn read(configuration: &Configuration, purpose: Purpose) -> (Vec<Managed>, Vec<String>) {
    let mut databases = Vec::new();
    let mut problems = Vec::new();
    let sections: Vec<raw::Database> = configuration.file.database.clone().unwrap_or_default();
    if store::has_store(configuration) {
        let section = sections.iter().find(|section| section.name.as_deref() == Some(STORE));
        match own(configuration, section, purpose) {
            Ok(own) => databases.push(own),
            Err(error) => problems.push(error.to_string()),
        }
    }
    for (index, section) in sections.iter().enumerate() {
        match &section.name {
            None => problems.push(format!(
                "database: the {} [[database]] has no name; status, audit and `portcullis database` call it by that",
                ordinal(index + 1)
            )),
            Some(name) if !is_name(name) => problems.push(format!(
                "database: `{name}` is no name: 1 to 63 lower-case letters, digits, - and _"
            )),
            Some(name) if sections.iter().take(index).any(|other| other.name.as_ref() == Some(name)) => {
                problems.push(format!("database.{name}: two [[database]] have this name"));
            }
            Some(name) if name == STORE => {
                if !store::has_store(configuration) {
                    problems.push("database.store: this installation has no store of its own".to_owned());
                }
            }
            Some(name) => match managed(configuration, name, section, purpose) {
                Ok(managed) => databases.push(managed),
                Err(error) => problems.push(error.to_string()),
            },
        }
    }
    (databases, problems)
}

/// As [`read`], where anything wrong is an error.
pub fn all(configuration: &Configuration, purpose: Purpose) -> Result<Vec<Managed>, ConfigError> {
    match read(configuration, purpose) {
        (databases, problems) if problems.is_empty() => Ok(databases),
        (_, problems) => Err(ConfigError::Invalid(problems.join("\n"))),
    }
}

/// Portcullis's own.
fn own(
    configuration: &Configuration,
    section: Option<&raw::Database>,
    purpose: Purpose,
) -> Result<Managed, ConfigError> {
    let nothing = raw::Database::default();
    let configured = section.is_some();
    let section = section.unwrap_or(&nothing);
    let kind = match store::source(configuration)? {
        store::Source::SqlCipher { path, key_file } => {
            let foreign = [
                ("url", section.url.is_some()),
                ("password", section.password.is_some() || section.password_file.is_some()),
                ("administrator", section.administrator.is_some() || section.administrator_file.is_some()),
                ("dead_man_switch", section.dead_man_switch.is_some()),
                ("secret", section.secret.is_some()),
            ];
            if let Some((key, _)) = foreign.iter().find(|(_, set)| *set) {
                return Err(ConfigError::Invalid(format!(
                    "database.store.{key}: the store is a SQLCipher file, which has a key and no roles; only \
                     maximum_password_age is meant for it"
                )));
            }
            let maximum_age = section.maximum_password_age.map(Span::seconds);
            Kind::SqlCipher { path, key_file, maximum_age }
        }
        store::Source::Postgres(own) => {
            if let Some(url) = &section.url {
                return Err(ConfigError::Invalid(format!(
                    "database.store.url: store.url says where Portcullis's own database is; remove `{}`",
                    without_password(url)
                )));
            }
            let credential = own.read()?;
            let mut database = Database::new(STORE, credential.0);
            database.password = Some(credential.1);
            database.own_store = true;
            settings(configuration, STORE, section, &mut database)?;
            let place = match (&section.secret, &own.secret_file) {
                (Some(written), _) => place(configuration, STORE, written, purpose)?,
                (None, Some(file)) => Written::Place(Box::new(Place::File(file.clone()))),
                (None, None) => Written::Nowhere,
            };
            postgres(database, place, configured)
        }
    };
    Ok(Managed { name: STORE.to_owned(), kind, configured })
}

/// One of the backend's.
fn managed(
    configuration: &Configuration,
    name: &str,
    section: &raw::Database,
    purpose: Purpose,
) -> Result<Managed, ConfigError> {
    let url = section.url.as_deref().ok_or_else(|| {
        ConfigError::Invalid(format!(
            "database.{name}.url is missing: write postgres://role@host:5432/database"
        ))
    })?;
    let (url, written) = url_of(configuration, &format!("database.{name}.url"), url)?;
    let place = match &section.secret {
        Some(written) => place(configuration, name, written, purpose)?,
        None => Written::Nowhere,
    };
    let file = section.password_file.as_ref().map(|path| configuration.path(path));
    let mut database = Database::new(name, url);
    // What was delivered last is newer than what somebody wrote down before.
    let delivered = match &place {
        Written::Place(place) => match &**place {
            Place::File(path) if path.exists() => delivered(configuration, name, path)?,
            _ => None,
        },
        Written::ByAJob | Written::Nowhere => None,
    };
    if let Some(delivered) = delivered {
        database.url = delivered.url();
        database.password = Some(delivered.password);
    } else {
        database.password = configuration
            .secrets()
            .text(&format!("database.{name}.password"), file.as_deref(), section.password.as_ref())?
            .or(written);
    }
    settings(configuration, name, section, &mut database)?;
    Ok(Managed { name: name.to_owned(), kind: postgres(database, place, true), configured: true })
}

fn postgres(mut database: Database, place: Written, configured: bool) -> Kind {
    let change = match place {
        Written::Place(place) => {
            let change = if matches!(*place, Place::Railway(_)) { Change::Job } else { Change::Server };
            database.secret = Some(*place);
            change
        }
        Written::ByAJob => Change::Job,
        Written::Nowhere => Change::Never,
    };
    Kind::Postgres { database: Box::new(database), change: if configured { change } else { Change::Never } }
}

/// What holds for every PostgreSQL database.
fn settings(
    configuration: &Configuration,
    name: &str,
    section: &raw::Database,
    database: &mut Database,
) -> Result<(), ConfigError> {
    let file = section.administrator_file.as_ref().map(|path| configuration.path(path));
    database.administrator = configuration.secrets().text(
        &format!("database.{name}.administrator"),
        file.as_deref(),
        section.administrator.as_ref(),
    )?;
    if let Some(administrator) = &database.administrator {
        Credential::from_url(administrator.expose_secret(), None).map_err(|error| {
            ConfigError::Invalid(format!("database.{name}.administrator: {error}; its password stands in it"))
        })?;
    }
    database.administrator_file = file;
    if let Some(age) = section.maximum_password_age {
        if !(MINIMUM_AGE..=MAXIMUM_AGE).contains(&age.seconds()) {
            return Err(ConfigError::Invalid(format!(
                "database.{name}.maximum_password_age is {age}: between a minute and 400 days can be kept"
            )));
        }
        database.maximum_password_age = age.seconds();
    }
    database.dead_man_switch = section.dead_man_switch.unwrap_or(false);
    if let Some(grace) = section.grace {
        database.grace = grace.seconds();
    }
    Ok(())
}

/// Shorter would never be done with the last change when the next is due.
const MINIMUM_AGE: i64 = 60;
/// What the ledger takes as a period, too.
const MAXIMUM_AGE: i64 = 400 * 86_400;

/// A place as it is written.
enum Written {
    Place(Box<Place>),
    /// One that only a job may write to, read by a server.
    ByAJob,
    Nowhere,
}

fn place(
    configuration: &Configuration,
    name: &str,
    written: &WrittenPlace<SecretReference>,
    purpose: Purpose,
) -> Result<Written, ConfigError> {
    let (token_file, token) = written.token();
    if purpose == Purpose::Serve && (token_file.is_some() || token.is_some()) {
        return Ok(Written::ByAJob);
    }
    let file = token_file.map(|path| configuration.path(path));
    let token =
        configuration.secrets().text(&format!("database.{name}.secret.token"), file.as_deref(), token)?;
    let place = written
        .place(&configuration.folder, token)
        .map_err(|error| ConfigError::Invalid(format!("database.{name}.{error}")))?;
    Ok(match place {
        // A pod without a service account's token may read what is mounted, and change nothing.
        Place::Kubernetes(place) if purpose == Purpose::Serve && !place.token_file.exists() => {
            Written::ByAJob
        }
        place => Written::Place(Box::new(place)),
    })
}

fn delivered(
    configuration: &Configuration,
    name: &str,
    path: &std::path::Path,
) -> Result<Option<Credential>, ConfigError> {
    let text = configuration.secrets().text(&format!("database.{name}.secret"), Some(path), None)?;
    text.map(|text| Credential::from_json(text.expose_secret())).transpose().map_err(|error| {
        ConfigError::Invalid(format!(
            "database.{name}.secret: {}: {error}; `portcullis database rotate {name} --now` writes it anew once it \
             is moved away",
            path.display()
        ))
    })
}

/// A URL of the configuration without its password, and the password, which may only come by a reference.
pub fn url_of(
    configuration: &Configuration,
    key: &str,
    written: &str,
) -> Result<(String, Option<SecretString>), ConfigError> {
    let unreadable = || {
        ConfigError::Invalid(format!(
            "{key} is no address of a PostgreSQL database: write postgres://role@host:5432/database?sslmode=…"
        ))
    };
    let reference = SecretReference::parse(written);
    let resolved = match &reference {
        Some(reference) => configuration.secrets().text(key, None, Some(reference))?,
        None => None,
    };
    let text = resolved.as_ref().map_or(written, |text| text.expose_secret());
    let mut url = url::Url::parse(text).map_err(|_| unreadable())?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err(unreadable());
    }
    let Some(password) = url.password() else { return Ok((text.to_owned(), None)) };
    if reference.is_none() {
        return Err(ConfigError::Invalid(format!(
            "{key} holds a password: put it into a file (mode 0600) and name that in {}_file, or write the whole \
             URL into a variable and {key} = \"env:NAME\"",
            key.trim_end_matches("url").to_owned() + "password"
        )));
    }
    let password = Credential::from_url(text, None)
        .map(|credential| credential.password)
        .unwrap_or_else(|_| SecretString::from(password.to_owned()));
    url.set_password(None).map_err(|()| unreadable())?;
    Ok((url.to_string(), Some(password)))
}

/// For messages; somebody may have put a password there.
fn without_password(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(mut url) if url.password().is_some() => {
            let _ = url.set_password(None);
            url.to_string()
        }
        Ok(url) => url.to_string(),
        Err(_) => "…".to_owned(),
    }
}

fn is_name(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
}

fn ordinal(number: usize) -> String {
    match number {
        1 => "first".to_owned(),
        2 => "second".to_owned(),
        3 => "third".to_owned(),
        other => format!("{other}th"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;

    /// Who changes the password of a database whose secret is a Secret in Kubernetes.
    fn changer(token_file: &std::path::Path, purpose: Purpose) -> Change {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("portcullis.toml");
        let text = format!(
            "environment = \"development\"\n[[database]]\nname = \"backend\"\nurl = \"postgres://app@db.internal/app\"\n\
             password = \"env:PASSWORD\"\nsecret = {{ kubernetes = {{ secret = \"backend\", token_file = {token_file:?} }} }}\n"
        );
        std::fs::write(&path, text).unwrap();
        let environment = [("PASSWORD".to_owned(), "a password".to_owned())].into();
        let configuration = Configuration::load(&Source {
            file: Some(&path),
            defaults: toml::Table::new(),
            folder: folder.path(),
            environment: &environment,
        });
        let databases = all(&configuration.unwrap(), purpose).unwrap();
        match &databases.iter().find(|managed| managed.name == "backend").unwrap().kind {
            Kind::Postgres { change, .. } => *change,
            Kind::SqlCipher { .. } => panic!("a PostgreSQL database"),
        }
    }

    #[test]
    fn a_server_without_a_service_accounts_token_leaves_the_change_to_a_job() {
        let token = tempfile::NamedTempFile::new().unwrap();
        let nowhere = token.path().with_extension("missing");
        assert_eq!(changer(&nowhere, Purpose::Serve), Change::Job);
        assert_eq!(changer(token.path(), Purpose::Serve), Change::Server);
        assert_eq!(changer(&nowhere, Purpose::Command), Change::Server, "a job says what it lacks");
    }
}
