//! What was seen of one database. Plain data without a secret in it, so that it can be judged, kept and compared.

use serde::{Deserialize, Serialize};

use super::password::Weakness;
use super::wire::{Address, Asked};

/// What was seen. `Err` holds why something could not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The application's role.
    pub role: String,
    /// The database that it enters.
    pub database: String,
    /// Each address that was tried: the configured one, then the direct one behind a pooler.
    pub doors: Vec<Door>,
    /// The right password at the configured address. Without it a refusal means nothing.
    pub control: Login,
    /// `SYSTEM_USER` of the application's session.
    pub system_user: SystemUser,
    /// One wrong password for each role that can log in.
    pub tries: Vec<Try>,
    /// The server's version and roles.
    pub server: Result<Server, String>,
    /// What is stored of each role that can log in.
    pub stored: Result<Vec<Stored>, String>,
    /// The lines of `pg_hba.conf`, loaded or not.
    pub rules: Result<Vec<Rule>, String>,
    /// Where the application's password came from.
    pub provenance: Provenance,
    /// The way to the configured address.
    pub channel: Channel,
}

/// An address and what it asked of whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Door {
    /// Where.
    pub address: Address,
    /// Whether it offers TLS.
    pub offers_tls: Result<bool, String>,
    /// Its first answer to each start-up.
    pub accesses: Vec<Access>,
    /// How many pairs of role and database were left out, since there are too many.
    pub left_out: usize,
}

/// One start-up and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// Which role.
    pub role: String,
    /// Which database; none for a replication connection, which has rules of its own.
    pub database: Option<String>,
    /// Over TLS, or in the clear: they have rules of their own, too.
    pub tls: bool,
    /// What the server wants.
    pub asked: Asked,
}

/// The outcome of a login with the right password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Login {
    /// It works.
    Works,
    /// The server refuses it.
    Refused(String),
    /// Nobody can say.
    Unclear(String),
}

/// Who a session is to the server, from PostgreSQL 16 on (`SYSTEM_USER`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SystemUser {
    /// Older, or not asked.
    Unseen,
    /// NULL: nobody proved anything.
    Nobody,
    /// How and who: `scram-sha-256:app`.
    Is(String),
}

/// A wrong password for one role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Try {
    /// Which role.
    pub role: String,
    /// Which database.
    pub database: String,
    /// What became of it.
    pub outcome: WrongPassword,
}

/// What became of a wrong password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WrongPassword {
    /// Refused, as it should be: 28P01, 28000, or a pooler's word for it.
    Refused,
    /// It let us in.
    Accepted,
    /// Nobody can say.
    Unclear(String),
}

/// The server and everybody who can log in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// `server_version_num`: 180004.
    pub version: u32,
    /// Every role that can log in.
    pub roles: Vec<Role>,
}

/// A role that can log in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// SUPERUSER.
    pub superuser: bool,
    /// CREATEROLE: before PostgreSQL 16 nearly a superuser.
    pub create_role: bool,
    /// CREATEDB.
    pub create_database: bool,
    /// REPLICATION: may read every byte of the cluster.
    pub replication: bool,
    /// BYPASSRLS.
    pub bypass_row_security: bool,
    /// Its `VALID UNTIL` has passed, by the server's clock: no password opens it.
    pub expired: bool,
    /// Powerful roles that it belongs to, directly or not, with or without `SET` and `INHERIT`.
    pub reaches: Vec<String>,
    /// The databases that it may enter.
    pub databases: Vec<String>,
}

/// What is stored of a role's password; never the verifier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Which role.
    pub role: String,
    /// In which form; none where that was not shown.
    pub kind: Option<Kind>,
    /// Rounds of PBKDF2, of a SCRAM verifier.
    pub iterations: Option<u32>,
    /// Hex SHA-256 of what is stored.
    pub fingerprint: Option<String>,
    /// What somebody would try first, and it opens. Found by computing, without a login. The word itself is not kept.
    pub guessed: Option<String>,
}

/// The form of a stored password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// `SCRAM-SHA-256$…`
    Scram,
    /// `md5…`
    Md5,
    /// NULL: no password at all.
    None,
}

/// A line of `pg_hba.conf`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its number in the file; the first match decides.
    pub line: u32,
    /// `local`, `host`, `hostssl`, `hostnossl`, `hostgssenc`, `hostnogssenc`.
    pub kind: Option<String>,
    /// `10.0.0.0`, `samenet`, `all`, or a name.
    pub address: Option<String>,
    /// `trust`, `scram-sha-256`, …
    pub method: Option<String>,
    /// Why the server cannot read the line.
    pub error: Option<String>,
}

/// Where the application's password came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provenance {
    /// Made by us of 256 random bits: the ledger's fingerprint is that of what the server stores now.
    Ours {
        /// Which generation.
        generation: i64,
    },
    /// Somebody else's, measured. Empty: nothing speaks against it.
    Foreign(Vec<Weakness>),
}

/// The way to the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Whether the application's connection is encrypted, by its URL's `sslmode` and what the server offers.
    pub tls: Option<bool>,
    /// Whether it could be led past TLS (`sslmode` is `prefer` or absent).
    pub tls_is_optional: bool,
    /// Where it leads.
    pub path: Path,
}

/// Where a connection leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Path {
    /// This machine or a private network.
    Private,
    /// The internet.
    Public,
    /// Nobody can say.
    Unknown,
}
