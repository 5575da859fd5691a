//! The configuration as it is written. Every key of `portcullis.toml` stands here once; what it means is
//! decided in [`super::Configuration`].

use super::secret::SecretReference;
use super::value::{Day, Size, Span};
use super::waiver::Waiver;
use policy::RouteConfig;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use steward::delivery::WrittenPlace;

macro_rules! section {
    ($(#[$meta:meta])* $name:ident { $($field:ident : $kind:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name { $(pub $field: Option<$kind>),* }
    };
}

section! {
    /// The whole file.
    File {
        environment: Environment,
        trusted_proxies: Vec<ipnet::IpNet>,
        identity: Identity,
        store: Store,
        database: Vec<Database>,
        gateway: Gateway,
        mail: Mail,
        operations: Operations,
        bootstrap: Bootstrap,
        audit: Audit,
    }
}

/// Where this runs; it decides what warns and what refuses to start.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// A developer's machine.
    Development,
    /// Like production, for rehearsals.
    Staging,
    /// The real thing.
    Production,
}

impl std::fmt::Display for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Environment::Development => "development",
            Environment::Staging => "staging",
            Environment::Production => "production",
        })
    }
}

/// Whose users these are.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum IdentityMode {
    /// Ours: accounts and passwords are kept here.
    Own,
    /// A foreign issuer's: no local passwords, no session paths.
    Delegated,
}

section! {
    /// `[identity]`
    Identity {
        mode: IdentityMode,
        issuer: String,
        listen: std::net::SocketAddr,
        key_encryption_key_file: PathBuf,
        key_encryption_key: SecretReference,
        access_token_lifetime: Span,
        session: Session,
        passwords: Passwords,
    }
}

/// Who may ask for sessions.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum SessionCaller {
    /// A client-credentials token with scope `session`.
    Client,
}

section! {
    /// `[identity.session]`
    Session {
        prefix: String,
        on_gateway: bool,
        audience: String,
        caller: SessionCaller,
        public: String,
    }
}

section! {
    /// `[identity.passwords]`
    Passwords { minimum_length: usize }
}

section! {
    /// `[store]`
    Store {
        url: String,
        key_file: PathBuf,
        key: SecretReference,
        secret_file: PathBuf,
        password_file: PathBuf,
        password: SecretReference,
    }
}

section! {
    /// `[[database]]`: a database whose credentials the steward looks after; the name `store` means Portcullis's own.
    Database {
        name: String,
        url: String,
        password_file: PathBuf,
        password: SecretReference,
        administrator_file: PathBuf,
        administrator: SecretReference,
        maximum_password_age: Span,
        dead_man_switch: bool,
        grace: Span,
        secret: WrittenPlace<SecretReference>,
    }
}

/// Whether the gateway denies, or only reports what it would deny.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum GatewayMode {
    /// Deny.
    Enforce,
    /// Report.
    Observe,
}

section! {
    /// `[gateway]`
    Gateway {
        listen: std::net::SocketAddr,
        upstream: String,
        audience: String,
        openapi: PathBuf,
        mode: GatewayMode,
        frontend_origins: Vec<String>,
        remembered_tokens: usize,
        maximum_body: Size,
        upstream_timeout: Span,
        forward_token: bool,
        issuer: Vec<Issuer>,
        route: Vec<RouteConfig>,
        api_keys: ApiKeys,
    }
}

/// How a foreign issuer's access tokens look.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// `typ: at+jwt`, `client_id`.
    #[default]
    Rfc9068,
    /// `typ: JWT`, the client in `azp`.
    Auth0,
}

section! {
    /// `[[gateway.issuer]]`
    Issuer {
        url: String,
        audience: String,
        profile: Profile,
        maximum_token_lifetime: Span,
        jwks: String,
    }
}

section! {
    /// `[gateway.api_keys]`
    ApiKeys { header: String, deprecated: Day, sunset: Day, link: String }
}

section! {
    /// `[mail]`
    Mail { smtp: String, from: String, password_file: PathBuf, password: SecretReference }
}

section! {
    /// `[operations]`
    Operations { listen: std::net::SocketAddr }
}

section! {
    /// `[bootstrap]`
    Bootstrap { apply: Vec<PathBuf> }
}

section! {
    /// `[audit]`
    Audit {
        document: PathBuf,
        lines: BTreeMap<String, Vec<String>>,
        repository: PathBuf,
        target: String,
        backend: String,
        frontend: String,
        database: String,
        database_password_file: PathBuf,
        database_password: SecretReference,
        database_key_file: PathBuf,
        database_key: SecretReference,
        backup: PathBuf,
        backup_key_file: PathBuf,
        backup_key: SecretReference,
        client_id: String,
        client_secret_file: PathBuf,
        client_secret: SecretReference,
        user_email: String,
        user_password_file: PathBuf,
        user_password: SecretReference,
        api_key_file: PathBuf,
        api_key: SecretReference,
        mailbox: String,
        exercise: bool,
        failing: String,
        others: Vec<String>,
        access_log: PathBuf,
        examples: BTreeMap<String, String>,
        secrets_baseline: PathBuf,
        advisories: String,
        advisories_password_file: PathBuf,
        advisories_password: SecretReference,
        dependency_window: Span,
        deployed: PathBuf,
        registry: String,
        state: PathBuf,
        signing_key_file: PathBuf,
        signing_key: SecretReference,
        valid_for: Span,
        waiver: Vec<Waiver>,
        outside: Vec<PathBuf>,
        railway: AuditRailway,
        schedule: Span,
    }
}

section! {
    /// `[audit.railway]`: the platform is asked for TCP proxies of every service.
    AuditRailway {
        token_file: PathBuf,
        token: SecretReference,
        project: String,
        environment: String,
        url: String,
    }
}
