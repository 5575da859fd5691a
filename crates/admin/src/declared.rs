//! Declared state: YAML files that say which APIs, roles, applications and users there are to be.
//!
//! ```yaml
//! apis:
//!   - identifier: https://api.example.com
//!     name: Orders
//!     scopes:
//!       - read:orders
//!       - { name: write:orders, description: change an order }
//!     signing_alg: RS256
//!     token_lifetime: 15m
//! roles:
//!   - name: user
//!     default: true
//!     permissions:
//!       - { api: https://api.example.com, scopes: [read:orders] }
//! applications:
//!   - name: worker
//!     type: non_interactive
//!     client_secret_file: secrets/worker      # optional: without it a secret is made and shown once
//!     apis:
//!       - { api: https://api.example.com, scopes: [read:orders, write:orders] }
//! users:
//!   - email: alice@example.com
//!     roles: [user]
//!     verified: true
//!     password_file: secrets/alice            # used once, when the user is made
//! ```
//!
//! A section that is absent is left alone; an unknown key is an error. Paths are relative to the file's folder.

use std::path::{Path, PathBuf};

use oauth::client::{AuthMethod, ClientType, GrantType};
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::{
    DeserializeOwned, Deserializer, Error as _, MapAccess, Visitor, value::MapAccessDeserializer,
};
use serde_saphyr::Spanned;

use crate::apis::{NewApi, NewScope, SigningAlg};
use crate::applications::{ApiAccess, NewApplication};
use crate::error::Error;
use crate::roles::{NewRole, Permission};
use crate::secret::read_secret_file;

/// A declared thing, and where it stands.
#[derive(Debug, Clone)]
pub struct At<T> {
    /// The thing.
    pub value: T,
    place: Option<Place>,
}

#[derive(Debug, Clone)]
struct Place {
    file: String,
    line: u64,
    column: u64,
}

impl<T> At<T> {
    /// Something that a program declares, and no file.
    pub const fn nowhere(value: T) -> Self {
        Self { value, place: None }
    }

    fn of<N>(value: T, name: &Spanned<N>, file: &str) -> Self {
        let (line, column) = (name.referenced.line(), name.referenced.column());
        Self { value, place: Some(Place { file: file.to_owned(), line, column }) }
    }

    /// The error, with the place where there is one. Faults of ours are nobody's line.
    pub(crate) fn locate(&self, error: Error) -> Error {
        match (&self.place, error) {
            (Some(Place { file, line, column }), error) if !error.is_fault() => Error::Declared {
                file: file.clone(),
                line: *line,
                column: *column,
                message: error.to_string(),
            },
            (_, error) => error,
        }
    }
}

/// What there is to be. A section that is `None` is left alone.
#[derive(Debug, Clone, Default)]
pub struct Declared {
    /// APIs.
    pub apis: Option<Vec<At<NewApi>>>,
    /// Roles.
    pub roles: Option<Vec<At<NewRole>>>,
    /// Applications.
    pub applications: Option<Vec<At<NewApplication>>>,
    /// Users.
    pub users: Option<Vec<At<DeclaredUser>>>,
}

/// A user that there is to be.
#[derive(Debug, Clone)]
pub struct DeclaredUser {
    /// The address.
    pub email: String,
    /// Used when the user is made, never later.
    pub password: Option<Password>,
    /// Exactly these roles; none: those of every new user when made, left alone later.
    pub roles: Option<Vec<String>>,
    /// None: left alone.
    pub verified: Option<bool>,
    /// None: left alone.
    pub blocked: Option<bool>,
}

/// Where a new user's password comes from.
#[derive(Debug, Clone)]
pub enum Password {
    /// A file, read only when the user is made: it may be gone afterwards.
    File(PathBuf),
    /// The program that declares the user has it.
    Given(SecretString),
}

impl Declared {
    /// Reads a file and the client secrets that it names.
    ///
    /// # Errors
    /// With file, line and column where the file is wrong.
    pub fn read_file(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|error| Error::File {
            path: path.to_owned(),
            why: format!("cannot be read: {error}"),
        })?;
        Self::parse(&text, &path.display().to_string(), path.parent().unwrap_or(Path::new(".")))
    }

    /// Reads several files as one declaration; nothing may be declared twice.
    ///
    /// # Errors
    /// Those of [`Declared::read_file`]; what is declared twice is found when the plan is made.
    pub fn read_files(paths: &[PathBuf]) -> Result<Self, Error> {
        paths.iter().try_fold(Self::default(), |all, path| Ok(all.joined(Self::read_file(path)?)))
    }

    /// Reads the text of a file, which lies in `folder`.
    ///
    /// # Errors
    /// With file, line and column where the text is wrong.
    pub fn parse(text: &str, file: &str, folder: &Path) -> Result<Self, Error> {
        // An empty document is null, which declares nothing.
        let document: Option<Document> = read_yaml(text, file)?;
        let document = document.unwrap_or_default();
        Ok(Self {
            apis: document.apis.map(|apis| apis.into_iter().map(|api| api.typed(file)).collect()),
            roles: document.roles.map(|roles| roles.into_iter().map(|role| role.typed(file)).collect()),
            applications: document
                .applications
                .map(|list| list.into_iter().map(|application| application.typed(file, folder)).collect())
                .transpose()?,
            users: document
                .users
                .map(|users| users.into_iter().map(|user| user.typed(file, folder)).collect()),
        })
    }

    fn joined(mut self, other: Self) -> Self {
        fn join<T>(mine: &mut Option<Vec<T>>, other: Option<Vec<T>>) {
            if let Some(other) = other {
                mine.get_or_insert_default().extend(other);
            }
        }
        join(&mut self.apis, other.apis);
        join(&mut self.roles, other.roles);
        join(&mut self.applications, other.applications);
        join(&mut self.users, other.users);
        self
    }
}

/// Reads YAML strictly: no unknown keys (the types see to that), no doubled keys.
pub(crate) fn read_yaml<T: DeserializeOwned>(text: &str, file: &str) -> Result<T, Error> {
    serde_saphyr::from_str(text).map_err(|error| {
        let place = error.location();
        let message = error.without_snippet().to_string();
        Error::Declared {
            file: file.to_owned(),
            line: place.map_or(0, |place| place.line()),
            column: place.map_or(0, |place| place.column()),
            message: message.lines().next().unwrap_or_default().to_owned(),
        }
    })
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    apis: Option<Vec<WrittenApi>>,
    roles: Option<Vec<WrittenRole>>,
    applications: Option<Vec<WrittenApplication>>,
    users: Option<Vec<WrittenUser>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenApi {
    identifier: Spanned<String>,
    name: Option<String>,
    #[serde(default)]
    scopes: Vec<WrittenScope>,
    signing_alg: Option<WrittenAlg>,
    token_lifetime: Option<Duration>,
}

impl WrittenApi {
    fn typed(self, file: &str) -> At<NewApi> {
        let api = NewApi {
            identifier: self.identifier.value.clone(),
            name: self.name,
            scopes: self.scopes.into_iter().map(|scope| scope.0).collect(),
            signing_alg: self.signing_alg.map_or_else(SigningAlg::default, |algorithm| algorithm.0),
            token_lifetime: self.token_lifetime.map(|duration| duration.seconds()),
        };
        At::of(api, &self.identifier, file)
    }
}

struct WrittenAlg(SigningAlg);

impl<'de> Deserialize<'de> for WrittenAlg {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        SigningAlg::parse(&text)
            .map(Self)
            .ok_or_else(|| D::Error::custom("signing_alg must be RS256, ES256 or EdDSA"))
    }
}

/// A scope is its name, or a name with a description.
struct WrittenScope(NewScope);

impl<'de> Deserialize<'de> for WrittenScope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Full {
            name: String,
            #[serde(default)]
            description: String,
        }
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = NewScope;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a scope: its name, or { name, description }")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<NewScope, E> {
                Ok(NewScope { name: name.to_owned(), description: String::new() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<NewScope, A::Error> {
                let full = Full::deserialize(MapAccessDeserializer::new(map))?;
                Ok(NewScope { name: full.name, description: full.description })
            }
        }
        deserializer.deserialize_any(Either).map(Self)
    }
}

/// A duration such as `15m` or `90d`, in whole seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Duration(i64);

impl Duration {
    pub(crate) const fn seconds(self) -> i64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let duration = humantime::parse_duration(&text)
            .map_err(|_| D::Error::custom(format!("{text} is no duration; write 15m, 12h or 90d")))?;
        i64::try_from(duration.as_secs()).map(Self).map_err(|_| D::Error::custom("the duration is too long"))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRole {
    name: Spanned<String>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    default: bool,
    #[serde(default)]
    permissions: Vec<Access>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Access {
    api: String,
    scopes: Vec<String>,
}

impl WrittenRole {
    fn typed(self, file: &str) -> At<NewRole> {
        let permission = |Access { api, scopes }| Permission { api, scopes };
        let role = NewRole {
            name: self.name.value.clone(),
            description: self.description,
            default: self.default,
            permissions: self.permissions.into_iter().map(permission).collect(),
        };
        At::of(role, &self.name, file)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenApplication {
    name: Spanned<String>,
    #[serde(rename = "type")]
    kind: ClientType,
    client_id: Option<String>,
    client_secret_file: Option<PathBuf>,
    #[serde(default)]
    callbacks: Vec<String>,
    #[serde(default)]
    logout_urls: Vec<String>,
    #[serde(default)]
    web_origins: Vec<String>,
    #[serde(default)]
    grants: Vec<GrantType>,
    auth_method: Option<AuthMethod>,
    #[serde(default)]
    apis: Vec<Access>,
    #[serde(default)]
    disabled: bool,
}

impl WrittenApplication {
    fn typed(self, file: &str, folder: &Path) -> Result<At<NewApplication>, Error> {
        let access = |Access { api, scopes }| ApiAccess { api, scopes };
        let application = NewApplication {
            callbacks: self.callbacks,
            logout_urls: self.logout_urls,
            web_origins: self.web_origins,
            grants: self.grants,
            auth_method: self.auth_method,
            apis: self.apis.into_iter().map(access).collect(),
            disabled: self.disabled,
            client_id: self.client_id,
            ..NewApplication::new(self.name.value.clone(), self.kind)
        };
        let mut at = At::of(application, &self.name, file);
        if let Some(path) = self.client_secret_file {
            at.value.client_secret =
                Some(read_secret_file(&folder.join(path)).map_err(|error| at.locate(error))?);
        }
        Ok(at)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenUser {
    email: Spanned<String>,
    password_file: Option<PathBuf>,
    roles: Option<Vec<String>>,
    verified: Option<bool>,
    blocked: Option<bool>,
}

impl WrittenUser {
    fn typed(self, file: &str, folder: &Path) -> At<DeclaredUser> {
        let user = DeclaredUser {
            email: self.email.value.clone(),
            password: self.password_file.map(|path| Password::File(folder.join(path))),
            roles: self.roles,
            verified: self.verified,
            blocked: self.blocked,
        };
        At::of(user, &self.email, file)
    }
}
