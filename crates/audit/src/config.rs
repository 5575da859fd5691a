//! What an audit is told: the contract's `[audit]` section and what the binary knows from the rest of the
//! configuration. All of it is plain data; the auditor knows no type of another room.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use secrecy::{SecretSlice, SecretString};

use crate::dependencies::Advisories;
use crate::document::Document;
use crate::measures::MeasureId;
use crate::scan::LiveSecret;
use crate::waivers::Waiver;

/// The clock of an audit: Unix seconds. An argument, so that a test can replay a token after its end.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Everything that one run needs.
#[derive(Clone)]
pub struct Config {
    /// `development`, `staging` or `production`, as configured; stands in the report.
    pub environment: String,
    /// The program's version, for the User-Agent and the report.
    pub version: String,
    /// Unix seconds, now.
    pub clock: Clock,
    /// `--challenge`: stands in the report's `run`, so that a stranger can see that it is fresh.
    pub challenge: Option<String>,

    /// `[audit] target`: the gateway as it is reached from here, `https://api.example.com`. No path.
    pub target: String,
    /// `[audit] backend`: the backend's own address, to try the way round the gateway. Give one only where a
    /// stranger could try it too: an answer there to a request without a token is a fail.
    pub backend: Option<String>,
    /// Certificates in PEM, trusted instead of the system's own (`dev --tls` makes an authority of its own): then a
    /// certificate of a public authority is refused.
    pub certificate_authority: Option<Vec<u8>>,

    /// Our issuer, ending in `/`: tokens come from `{issuer}oauth/token`, keys from its `jwks.json`.
    pub issuer: String,
    /// Whether users live here or at a foreign issuer (`identity.mode`).
    pub mode: Mode,
    /// `url` of each `[[gateway.issuer]]`.
    pub foreign_issuers: Vec<String>,
    /// `gateway.audience`: what a token's `aud` must contain.
    pub audience: String,
    /// Another audience for which `client` may have a token. Without one, "a token for another audience is
    /// refused" is not proven: nobody can change the audience of a signed token.
    pub other_audience: Option<String>,
    /// `identity.access_token_lifetime` and `[[gateway.issuer]] maximum_token_lifetime`, whichever binds here.
    pub access_token_lifetime: Option<Lifetime>,
    /// How long a session lives at most, however often it is refreshed; none: nobody promised anything.
    pub session_lifetime: Option<Lifetime>,
    /// The session API (`POST /users/session` and its neighbours); none when it is switched off.
    pub session: Option<Session>,

    /// `gateway.openapi`, read here by a reader of our own.
    pub openapi: Option<PathBuf>,
    /// Each `[[gateway.route]]`. One that has the method and path of an OpenAPI operation replaces it.
    pub routes: Vec<Route>,
    /// `gateway.frontend_origins`.
    pub frontend_origins: Vec<String>,
    /// `[gateway.api_keys] header`; `API-Key` where there is no such section.
    pub api_key_header: String,

    /// Portcullis's own store.
    pub store: Option<Location>,
    /// What `[[database]] name = "store"` says of it; that table is not repeated in `databases`.
    pub store_stewardship: Stewardship,
    /// Each other `[[database]]`, by name.
    pub databases: Vec<Database>,
    /// `[audit] database`: read-only; searched for passwords like the store.
    pub database: Option<Location>,
    /// Where a copy of the store is; none: nobody said so.
    pub backup: Option<Backup>,

    /// `[audit] client_id` and its secret: may have every client's scope, asks for fewer.
    pub client: Option<ClientCredentials>,
    /// `[audit] user_email` and its password: may have every user's scope.
    pub user: Option<UserCredentials>,
    /// `[audit] api_key_file`: an old key of the auditor's own.
    pub api_key: Option<SecretString>,
    /// `[audit] mailbox`: answers GET with a JSON array of `to`, `subject`, `text`, `html`.
    pub mailbox: Option<String>,
    /// `[audit] exercise`: may sign up and reset a throw-away user.
    pub exercise: bool,
    /// `[audit] failing`: an operation that answers 5xx, `GET /always-500`.
    pub failing: Option<String>,
    /// `[audit] others`: operations on what belongs to another user than the auditor's, `GET /orders/8`.
    pub others: Vec<String>,
    /// `[audit] access_log`: the backend's, or that of a proxy before it; JSON lines, or the common or combined format.
    pub access_log: Option<PathBuf>,
    /// Which scopes of `audience` some client and some role may have; none: nobody told, a foreign issuer's for one.
    pub granted: Option<Granted>,
    /// `[audit] examples`: values of path parameters by name.
    pub examples: BTreeMap<String, String>,
    /// `[audit] repository`: a folder of the repository whose code is audited; none: there is none.
    pub repository: Option<PathBuf>,
    /// What G1 is told beside the repository.
    pub secrets: Secrets,
    /// What G2 is told beside the repository.
    pub dependencies: Dependencies,
    /// `[audit] state`: keeps a token for the next run; none keeps nothing.
    pub state: Option<PathBuf>,
    /// `[audit] valid_for` in seconds: how long a report counts.
    pub valid_for: i64,
    /// Each `[[audit.waiver]]`.
    pub waivers: Vec<Waiver>,
    /// `[audit] outside`: files with reports of `portcullis probe`, whose paths are already those of the file system.
    pub outside: Vec<PathBuf>,
    /// `[audit.railway]`; none: not on Railway, or nobody gave a token.
    pub railway: Option<Railway>,
    /// Where a database is, or was, known to be offered to the internet: `DATABASE_PUBLIC_URL`, or
    /// `RAILWAY_TCP_PROXY_DOMAIN` and `_PORT` joined by a colon, where the environment has them. The reports from outside
    /// must speak of each. `host:port` or a PostgreSQL URL, whose password is not looked at.
    pub public_candidates: Vec<String>,
    /// The DNS server that names are asked of; none: the system's. For tests.
    pub resolver: Option<SocketAddr>,
    /// `[audit] document`, parsed; its numbers are compared with the configuration's.
    pub document: Option<Document>,
}

impl Config {
    /// The least that a run needs; everything else starts empty, and what then cannot be shown is not proven.
    #[must_use]
    pub fn new(target: &str, issuer: &str, audience: &str, clock: Clock) -> Self {
        Self {
            environment: "development".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            clock,
            challenge: None,
            target: target.into(),
            backend: None,
            certificate_authority: None,
            issuer: issuer.into(),
            mode: Mode::Own,
            foreign_issuers: Vec::new(),
            audience: audience.into(),
            other_audience: None,
            access_token_lifetime: None,
            session_lifetime: None,
            session: None,
            openapi: None,
            routes: Vec::new(),
            frontend_origins: Vec::new(),
            api_key_header: "API-Key".into(),
            store: None,
            store_stewardship: Stewardship::default(),
            databases: Vec::new(),
            database: None,
            backup: None,
            client: None,
            user: None,
            api_key: None,
            mailbox: None,
            exercise: false,
            failing: None,
            others: Vec::new(),
            access_log: None,
            granted: None,
            examples: BTreeMap::new(),
            repository: None,
            secrets: Secrets::default(),
            dependencies: Dependencies::default(),
            state: None,
            valid_for: crate::VALID_FOR,
            waivers: Vec::new(),
            outside: Vec::new(),
            railway: None,
            public_candidates: Vec::new(),
            resolver: None,
            document: None,
        }
    }
}

/// What G1 looks at, and looks for, beside the repository itself.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// `[audit] frontend`: the page that browsers load; none: the first of `frontend_origins`.
    pub frontend: Option<String>,
    /// `[audit] secrets_baseline`; none: `secrets-baseline.json` at the repository's top, if it is there.
    pub baseline: Option<PathBuf>,
    /// The secrets that the server holds. They are searched for, and never stand in a report.
    pub live: Vec<LiveSecret>,
    /// Those that it may hold and that could not be read, and why.
    pub unread: Vec<String>,
    /// The files of the configuration: none of them may hold a secret.
    pub configuration: Vec<PathBuf>,
}

/// What G2 looks at beside the repository itself.
#[derive(Clone, Debug)]
pub struct Dependencies {
    /// `[audit] advisories`: the RustSec database, OSV's JSON files, or both; a folder, or a URL that is fetched.
    pub advisories: Option<Advisories>,
    /// `[audit] dependency_window` in seconds: how long an update or an advisory may stay unanswered.
    pub window: i64,
    /// `[audit] deployed`: the binary that runs, with the list of its dependencies in it.
    pub deployed: Option<PathBuf>,
    /// `[audit] registry`: a sparse index of crates, a URL or a folder; none: cargo's own copy, else crates.io.
    pub registry: Option<String>,
    /// Cargo's own folder, where its copy of the index is.
    pub cargo_home: Option<PathBuf>,
    /// Where npm's packages are described.
    pub npm: String,
    /// Where Python's packages are described.
    pub pypi: String,
}

impl Default for Dependencies {
    fn default() -> Self {
        Self {
            advisories: None,
            window: 30 * 86_400,
            deployed: None,
            registry: None,
            cargo_home: None,
            npm: "https://registry.npmjs.org".into(),
            pypi: "https://pypi.org/pypi".into(),
        }
    }
}

/// `identity.mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Users and their passwords are here.
    Own,
    /// Users are a foreign issuer's; A1 and A2 are delegated.
    Delegated,
}

/// The X of a line ("the JWT expires after X minutes", "the password is rotated every X months"), and the setting that
/// it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// Seconds.
    pub seconds: i64,
    /// The setting's name, `access_token_lifetime`: printed beside the number.
    pub source: String,
}

/// Which scopes can be had for the gateway's audience.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Granted {
    /// By some client, for itself.
    pub clients: BTreeSet<String>,
    /// By the users of some role.
    pub users: BTreeSet<String>,
}

/// `[identity.session]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// `/users`.
    pub prefix: String,
    /// Whether the target serves it (else the issuer's origin does).
    pub on_gateway: bool,
    /// The reason of `caller = public`; none: a client's token with the scope `session` is wanted.
    pub public: Option<String>,
}

/// One `[[gateway.route]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// `GET`, in upper case.
    pub method: String,
    /// `/orders/{id}`; `{rest...}` stands for what remains.
    pub path: String,
    /// Who may call it.
    pub access: Access,
}

/// Who may call an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody, and why.
    Public {
        /// The reason in the configuration.
        reason: String,
    },
    /// A caller of a kind with all scopes of one alternative.
    Scopes {
        /// Alternatives (OR) of scopes (AND).
        alternatives: Vec<Vec<String>>,
        /// Whose token.
        caller: Caller,
    },
    /// Nobody: the document says nothing that grants, and no route does.
    Denied,
}

/// Whose token an endpoint wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Caller {
    /// A user's.
    User,
    /// A client's own (client credentials).
    Client,
    /// Either.
    Any,
}

/// A database and how to open it.
#[derive(Clone)]
pub enum Location {
    /// An encrypted file.
    SqlCipher {
        /// The file.
        path: PathBuf,
        /// Its raw key, 32 bytes; 64 while it is being changed: the key in use and the pending one, of which one opens.
        key: SecretSlice<u8>,
    },
    /// A PostgreSQL database.
    Postgres {
        /// `postgres://role@host:port/database`.
        url: String,
        /// The role's password, where the URL has none.
        password: Option<SecretString>,
    },
}

/// A copy of the store, as `portcullis backup` writes it.
#[derive(Clone)]
pub struct Backup {
    /// `[audit] backup`: the file, or a folder whose newest file it is.
    pub path: PathBuf,
    /// `[audit] backup_key_file`: its raw key, 32 bytes; none: that of the store, where it is an SQLCipher file.
    pub key: Option<SecretSlice<u8>>,
}

/// One `[[database]]`.
#[derive(Clone)]
pub struct Database {
    /// Its name in the configuration.
    pub name: String,
    /// How to open it: once adopted, with the username and password in the steward's secret.
    pub location: Location,
    /// What the rest of the table says.
    pub stewardship: Stewardship,
}

/// What is promised of a database's password, and what the steward says that it did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stewardship {
    /// `maximum_password_age`, or its default, with that as the source: the X of A4.
    pub maximum_password_age: Option<Lifetime>,
    /// `dead_man_switch`: the server itself must refuse a password that is too old.
    pub dead_man_switch: bool,
    /// The journal's report of the last rotation that came to its end; none: there was none, or it cannot be read.
    pub last_rotation: Option<Attested>,
}

/// What the steward's journal says of its last rotation: an attestation, which proves nothing alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attested {
    /// Unix seconds, when RETIRED was reached.
    pub finished_at: i64,
    /// The generation that is in use since then.
    pub generation: i64,
    /// Whether the previous password was tried and refused then; none: it was not tried.
    pub previous_refused: Option<bool>,
}

/// `[audit.railway]`.
#[derive(Clone)]
pub struct Railway {
    /// `token_file`: a project token, which is good for one environment.
    pub token: SecretString,
    /// The project's id.
    pub project: String,
    /// The id of the environment that is audited.
    pub environment: String,
    /// `url`, or [`Railway::API`].
    pub url: String,
}

impl Railway {
    /// Railway's public interface.
    pub const API: &'static str = "https://backboard.railway.com/graphql/v2";
}

/// The auditor's own client.
#[derive(Clone)]
pub struct ClientCredentials {
    /// `client_id`.
    pub id: String,
    /// `client_secret`.
    pub secret: SecretString,
}

/// The auditor's own user.
#[derive(Clone)]
pub struct UserCredentials {
    /// The address.
    pub email: String,
    /// The password.
    pub password: SecretString,
}

/// `--only`: which measures are run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Only {
    /// All of them.
    All,
    /// These.
    Measures(Vec<MeasureId>),
}

impl Only {
    /// From the values of `--only`, in any case; none of them means all.
    ///
    /// # Errors
    /// An id that is no measure's; the message lists those that are.
    pub fn parse<S: AsRef<str>>(ids: &[S]) -> Result<Self, UnknownMeasure> {
        if ids.is_empty() {
            return Ok(Self::All);
        }
        ids.iter()
            .map(|id| MeasureId::parse(id.as_ref()).ok_or_else(|| UnknownMeasure(id.as_ref().to_owned())))
            .collect::<Result<_, _>>()
            .map(Self::Measures)
    }

    pub(crate) fn contains(&self, id: MeasureId) -> bool {
        match self {
            Self::All => true,
            Self::Measures(ids) => ids.contains(&id),
        }
    }
}

/// `--only` named something that is no measure.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("no measure is called {0:?}: G1 G2, A1 to A10, N1 N2, X1 to X14 are")]
pub struct UnknownMeasure(pub String);

/// Told to the caller while a run goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Measures that are done.
    pub done: usize,
    /// Measures of this run.
    pub total: usize,
    /// What is looked at now, for people.
    pub what: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_takes_ids_in_any_case_and_names_what_it_does_not_know() {
        assert_eq!(Only::parse::<&str>(&[]), Ok(Only::All));
        assert_eq!(Only::parse(&["n2", "A10"]), Ok(Only::Measures(vec![MeasureId::N2, MeasureId::A10])));
        assert_eq!(Only::parse(&["A11"]), Err(UnknownMeasure("A11".into())));
    }
}
