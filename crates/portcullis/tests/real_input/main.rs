//! The binary, whole, before and behind programs that nobody here wrote.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod foreign_issuer;
mod foreign_verifiers;
mod mail;
mod petstore;
mod reset_page;
mod world;
