//! Where a database's secret is put, as the configuration names it.
//!
//! `secret = { file = PATH }`, `{ command = ["program", "argument"], timeout = "30s" }`, `{ railway = { … } }` or
//! `{ kubernetes = { … } }`. [`WrittenPlace`] is the table as it stands there; its parameter is the type of a reference
//! to a secret (`"env:NAME"`), which the reader of the configuration owns, resolves and hands to
//! [`WrittenPlace::place`].

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

use super::place::{CommandPlace, KubernetesPlace, Place, RailwayAdministrator, RailwayPlace, VariableValue};

/// Where Railway's public API is.
const RAILWAY: &str = "https://backboard.railway.com/graphql/v2";
/// Every pod reaches its API server under this name.
const KUBERNETES: &str = "https://kubernetes.default.svc";
/// Where a pod finds its service account.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// How long a command may take where the configuration does not say.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// A table that names no place.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("secret: {0}")]
pub struct PlaceError(String);

/// `secret = { … }` as it is written. Exactly one of the four.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenPlace<Reference> {
    file: Option<PathBuf>,
    command: Option<Vec<String>>,
    #[serde(default, deserialize_with = "span")]
    timeout: Option<Duration>,
    railway: Option<WrittenRailway<Reference>>,
    kubernetes: Option<WrittenKubernetes>,
}

/// `{ railway = { … } }`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRailway<Reference> {
    token: Option<Reference>,
    token_file: Option<PathBuf>,
    project: String,
    environment: String,
    service: String,
    variable: Option<String>,
    administrator: Option<WrittenAdministrator>,
    redeploy: Option<Vec<String>>,
    api: Option<String>,
}

/// `administrator = { service = ID, variable = "POSTGRES_PASSWORD", value = "password" }`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAdministrator {
    service: Option<String>,
    variable: String,
    value: Option<VariableValue>,
}

/// `{ kubernetes = { … } }`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenKubernetes {
    namespace: Option<String>,
    secret: String,
    key: Option<String>,
    url_key: Option<String>,
    token_file: Option<PathBuf>,
    certificate_authority_file: Option<PathBuf>,
    api: Option<String>,
}

impl<Reference> WrittenPlace<Reference> {
    /// The token of the platform as the configuration names it, to be resolved: `token_file`, and `token`. Neither is
    /// there where the place wants none.
    #[must_use]
    pub fn token(&self) -> (Option<&Path>, Option<&Reference>) {
        self.railway
            .as_ref()
            .map_or((None, None), |railway| (railway.token_file.as_deref(), railway.token.as_ref()))
    }

    /// What is meant. `folder` is the configuration's, for relative paths; `token` is what [`Self::token`] named.
    ///
    /// # Errors
    /// [`PlaceError`] when none or more than one is named, or a part cannot be what it should be.
    pub fn place(&self, folder: &Path, token: Option<SecretString>) -> Result<Place, PlaceError> {
        let named =
            [self.file.is_some(), self.command.is_some(), self.railway.is_some(), self.kubernetes.is_some()];
        if named.iter().filter(|named| **named).count() != 1 {
            return Err(refused("name exactly one of file, command, railway and kubernetes"));
        }
        if self.timeout.is_some() && self.command.is_none() {
            return Err(refused("timeout is for a command alone"));
        }
        if let Some(path) = &self.file {
            return match path.file_name() {
                Some(_) => Ok(Place::File(folder.join(path))),
                None => Err(refused("file is no path of a file")),
            };
        }
        if let Some(words) = &self.command {
            return command(words, self.timeout.unwrap_or(COMMAND_TIMEOUT), folder);
        }
        if let Some(railway) = &self.railway {
            return railway.place(token);
        }
        match &self.kubernetes {
            Some(kubernetes) => kubernetes.place(folder),
            None => Err(refused("name exactly one of file, command, railway and kubernetes")),
        }
    }
}

fn refused(reason: impl Into<String>) -> PlaceError {
    PlaceError(reason.into())
}

fn command(words: &[String], timeout: Duration, folder: &Path) -> Result<Place, PlaceError> {
    let Some((program, arguments)) = words.split_first().filter(|(program, _)| !program.is_empty()) else {
        return Err(refused("command wants a program: command = [\"program\", \"argument\"]"));
    };
    if words.iter().any(|word| word.contains('\0')) || timeout.is_zero() {
        return Err(refused("command has a word with a zero byte, or no time at all"));
    }
    // A bare name is looked up in PATH; a path is relative to the configuration's folder, as every other is.
    let program =
        if program.contains('/') { folder.join(program).display().to_string() } else { program.clone() };
    let words = std::iter::once(program).chain(arguments.iter().cloned()).collect();
    Ok(Place::Command(CommandPlace { words, timeout }))
}

impl<Reference> WrittenRailway<Reference> {
    fn place(&self, token: Option<SecretString>) -> Result<Place, PlaceError> {
        let token = token.ok_or_else(|| {
            refused("railway wants a project token: token_file = PATH, or token = \"env:NAME\"")
        })?;
        let redeploy = self.redeploy.clone().unwrap_or_else(|| vec![self.service.clone()]);
        let administrator = self.administrator.as_ref().map(|written| RailwayAdministrator {
            service: written.service.clone().unwrap_or_else(|| self.service.clone()),
            variable: written.variable.clone(),
            value: written.value.unwrap_or_default(),
        });
        let ids = [&self.project, &self.environment, &self.service];
        let services =
            redeploy.iter().chain(administrator.iter().map(|administrator| &administrator.service));
        if let Some(id) = ids.into_iter().chain(services).find(|id| !is_id(id)) {
            return Err(refused(format!(
                "railway: `{id}` is no id; the dashboard copies ids of project, environment and service (Ctrl-K, \"Copy … ID\")"
            )));
        }
        let variable = self.variable.clone().unwrap_or_else(|| "DATABASE_URL".to_owned());
        for name in std::iter::once(&variable).chain(administrator.iter().map(|role| &role.variable)) {
            if !is_variable(name) {
                return Err(refused(format!("railway: `{name}` is no name of a variable")));
            }
        }
        if administrator
            .as_ref()
            .is_some_and(|role| role.service == self.service && role.variable == variable)
        {
            return Err(refused("railway: the administrator's variable is the application's, too"));
        }
        Ok(Place::Railway(RailwayPlace {
            token,
            project: self.project.clone(),
            environment: self.environment.clone(),
            service: self.service.clone(),
            variable,
            administrator,
            redeploy,
            api: address(self.api.as_deref().unwrap_or(RAILWAY), "railway")?,
        }))
    }
}

impl WrittenKubernetes {
    fn place(&self, folder: &Path) -> Result<Place, PlaceError> {
        let key = self.key.clone().unwrap_or_else(|| "credential.json".to_owned());
        // They stand in a path of the API: what is no name must not lead elsewhere.
        let names = [Some(self.secret.as_str()), self.namespace.as_deref()];
        if let Some(name) = names.into_iter().flatten().find(|name| !is_subdomain(name)) {
            return Err(refused(format!("kubernetes: `{name}` is no name of a namespace or Secret")));
        }
        if let Some(key) = [Some(&key), self.url_key.as_ref()].into_iter().flatten().find(|key| !is_key(key))
        {
            return Err(refused(format!("kubernetes: `{key}` is no key of a Secret")));
        }
        if self.url_key.as_ref() == Some(&key) {
            return Err(refused("kubernetes: key and url_key are the same"));
        }
        let or_own = |path: &Option<PathBuf>, name: &str| match path {
            Some(path) => folder.join(path),
            None => Path::new(SERVICE_ACCOUNT).join(name),
        };
        Ok(Place::Kubernetes(KubernetesPlace {
            namespace: self.namespace.clone(),
            secret: self.secret.clone(),
            key,
            url_key: self.url_key.clone(),
            token_file: or_own(&self.token_file, "token"),
            certificate_authority_file: or_own(&self.certificate_authority_file, "ca.crt"),
            api: address(self.api.as_deref().unwrap_or(KUBERNETES), "kubernetes")?,
        }))
    }
}

/// An https address; http for this machine alone, since a secret and a token go there.
fn address(text: &str, whose: &str) -> Result<String, PlaceError> {
    let parsed = url::Url::parse(text).ok().filter(|url| url.host().is_some() && url.query().is_none());
    let may = parsed.as_ref().is_some_and(|url| match url.scheme() {
        "https" => true,
        "http" => match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        },
        _ => false,
    });
    if may {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err(refused(format!("{whose}: api is no https address")))
    }
}

/// Railway's ids are UUIDs today; what cannot hurt is let through.
fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_variable(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && text.bytes().next().is_some_and(|byte| !byte.is_ascii_digit())
}

/// RFC 1123 subdomain, as Kubernetes wants names.
fn is_subdomain(text: &str) -> bool {
    let label = |label: &str| {
        let ends =
            |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        ends(label.bytes().next())
            && ends(label.bytes().next_back())
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// A key of a Secret becomes the name of a file.
fn is_key(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && !text.starts_with("..")
        && text != "."
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map(Some).map_err(|_| {
        serde::de::Error::custom("timeout is no duration; write a number and a unit, such as \"30s\"")
    })
}
