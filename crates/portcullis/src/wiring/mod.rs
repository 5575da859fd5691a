//! From the configuration to running rooms. Nothing here decides; it puts together.

pub mod audit;
pub mod changes;
pub mod databases;
pub mod examination;
pub mod gateway;
pub mod identity;
pub mod installation;
pub mod key_change;
pub mod legacy_keys;
pub mod listening;
pub mod operations;
pub mod policy;
pub mod reach;
pub mod refusals;
pub mod services;
pub mod serving;
pub mod session_api;
pub mod steward;
pub mod stewardship;
pub mod store;
