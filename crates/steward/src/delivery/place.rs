//! Where a database's secret is put for those who use it.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

/// A place where a credential is delivered.
#[derive(Clone, Debug)]
pub enum Place {
    /// A file of mode 0600 with the credential's JSON.
    File(PathBuf),
    /// A program that reads the credential's JSON from its standard input.
    Command(CommandPlace),
    /// A variable of a service on Railway.
    Railway(RailwayPlace),
    /// A key of a Secret in Kubernetes.
    Kubernetes(KubernetesPlace),
}

/// A program and how long it may take.
#[derive(Clone, Debug)]
pub struct CommandPlace {
    /// The program, then its arguments. No secret stands among them: every user of the machine can read them.
    pub words: Vec<String>,
    /// After that it is ended, with all that it started.
    pub timeout: Duration,
}

/// What a variable holds.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum VariableValue {
    /// `postgres://role:password@host:port/database?…`
    Url,
    /// The password alone.
    #[default]
    Password,
}

/// A variable of one service, in one environment of one project.
#[derive(Clone, Debug)]
pub struct RailwayPlace {
    /// A project token; it is scoped to one environment, and is refused when that is another.
    pub token: SecretString,
    /// The project's id.
    pub project: String,
    /// The environment's id.
    pub environment: String,
    /// The id of the service that has the variable.
    pub service: String,
    /// `DATABASE_URL` unless said; the URL with the password in it.
    pub variable: String,
    /// Where the password of the role that the platform made stands, for whoever reads it there.
    pub administrator: Option<RailwayAdministrator>,
    /// The ids of the services that read the variable and start anew to see it; `service` alone unless said.
    pub redeploy: Vec<String>,
    /// Where the API is.
    pub api: String,
}

/// The variable of the role that the platform made.
#[derive(Clone, Debug)]
pub struct RailwayAdministrator {
    /// The id of the database's service, mostly.
    pub service: String,
    /// `POSTGRES_PASSWORD`, mostly: other variables refer to it.
    pub variable: String,
    /// What it holds.
    pub value: VariableValue,
}

/// A key of one Secret.
#[derive(Clone, Debug)]
pub struct KubernetesPlace {
    /// None: the pod's own.
    pub namespace: Option<String>,
    /// The Secret's name. It must exist: the right to create cannot be limited to one name.
    pub secret: String,
    /// The key that holds the JSON; `credential.json` unless said.
    pub key: String,
    /// A second key for the URL with the password in it, where an application wants that alone.
    pub url_key: Option<String>,
    /// The service account's token; read anew each time, since it changes.
    pub token_file: PathBuf,
    /// The certificate authority of the API server, PEM.
    pub certificate_authority_file: PathBuf,
    /// Where the API server is, without a slash at the end.
    pub api: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::File(path) => write!(f, "the file {}", path.display()),
            // Arguments may be longer than a line, and say little.
            Place::Command(command) => {
                write!(f, "the command {}", command.words.first().map_or("", String::as_str))
            }
            Place::Railway(railway) => {
                write!(f, "the variable {} of Railway's service {}", railway.variable, railway.service)
            }
            Place::Kubernetes(kubernetes) => write!(
                f,
                "the key {} of the Kubernetes Secret {}{}",
                kubernetes.key,
                kubernetes.namespace.as_ref().map(|namespace| format!("{namespace}/")).unwrap_or_default(),
                kubernetes.secret
            ),
        }
    }
}
