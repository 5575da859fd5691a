//! The steward of the databases' credentials: that a password is required and strong, that it is changed without an
//! outage, where it is delivered, and that the database is out of a stranger's reach.
//!
//! What is decided is pure and takes time and randomness as arguments; what touches a database, a file or a platform
//! stands beside it and decides nothing.

pub mod adopt;
pub mod connect;
mod credential;
pub mod delivery;
mod environment;
pub mod isolation;
pub mod journal;
pub mod ledger;
pub mod rotation;
mod sql;
mod steward;
pub mod strength;
pub mod verifier;

pub use credential::{Credential, CredentialError};
pub use environment::Environment;
pub use steward::Steward;
