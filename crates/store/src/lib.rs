//! One store on SQLCipher (the default, one encrypted file) and on PostgreSQL: entities, queries and migrations once.
//!
//! The room knows rows, not rules: what may happen is decided in the court, and every commit here repeats its
//! precondition in the statement's WHERE clause and counts the row. Whatever alters something that nodes remember
//! inserts a row in `changes` in the same transaction.
//!
//! Conventions: ids are text, times are Unix seconds (`i64`), digests are 32 bytes, lists are JSON in a text column.
//! Time is always an argument.

mod api_keys;
mod apis;
pub mod backup;
mod changes;
mod clients;
mod connection;
mod connections;
mod console;
mod credentials;
mod fault;
mod fault_point;
pub mod key_file;
mod last_threads;
mod lists;
mod lock;
mod migrations;
mod outbox;
mod password_resets;
mod postgres;
mod redacted;
mod refresh_tokens;
mod rekey;
mod reports;
mod roles;
mod rotations;
mod seal;
mod sessions;
mod signing_keys;
mod sqlcipher;
mod tables;
mod throttles;
mod transaction;
mod users;

pub use api_keys::{ApiKey, ApiKeyUse};
pub use apis::{Api, ApiScope};
pub use changes::{Model as ChangeRow, Revocations, kind};
pub use clients::{ClientGrant, ClientRow};
pub use connection::{Engine, Location, Options, Store};
pub use console::{ConsoleLink, Model as ConsoleSession};
pub use credentials::CredentialSource;
pub use fault::Fault;
pub use fault_point::REKEY_ARROWS;
pub use outbox::{MAIL_LEASE, Mail, NewMail};
pub use password_resets::{Model as PasswordReset, Redemption};
pub use refresh_tokens::{Model as RefreshToken, NewRefreshToken, Rotation};
pub use rekey::{RekeyStep, rekey};
pub use reports::{Model as ReportRow, REPORTS_KEPT, ReportSummary};
pub use roles::{Permission, Role};
pub use rotations::{Model as RotationRow, NodeCredential};
pub use seal::{Seal, SealFault};
pub use sessions::Model as Session;
pub use signing_keys::Model as SigningKey;
pub use throttles::Taken;
pub use users::{Insertion, Model as User, NewUser, UserChange};
