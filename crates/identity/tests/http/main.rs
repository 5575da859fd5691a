//! The issuer over HTTP: real sockets, a real SQLCipher store, real hashing and signing. One file an endpoint.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod cors;
mod delegated;
mod discovery;
mod hang_up;
mod log_in;
mod log_out;
mod mail;
mod password_reset;
mod races;
mod refresh;
mod reset_page;
mod secrets_at_rest;
mod sign_up;
mod signing_keys;
mod token;
mod users_me;
mod world;
