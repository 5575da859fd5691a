//! The binary, whole: before and behind programs that nobody here wrote, and against input that nobody should send.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod administration;
mod audit;
mod bad_configuration;
mod bad_requests;
mod commands;
mod console;
mod copies;
mod crash;
mod database_full;
mod databases;
mod delegated;
mod exposed;
mod foreign_issuer;
mod foreign_verifiers;
mod init;
mod mail;
mod nodes;
mod on_postgres;
mod operations;
mod petstore;
mod production;
mod reports;
mod reset_page;
mod rotation_killed;
mod rotation_under_load;
mod rotation_under_pgbench;
mod served;
mod signals;
mod signing_keys;
mod tls;
mod tour;
mod two_nodes;
mod world;
