//! From the configuration to running rooms. Nothing here decides; it puts together.

pub mod audit;
pub mod changes;
pub mod databases;
pub mod gateway;
pub mod identity;
pub mod installation;
pub mod legacy_keys;
pub mod listening;
pub mod operations;
pub mod policy;
pub mod refusals;
pub mod services;
pub mod serving;
pub mod session_api;
pub mod store;
