//! What tests start, ask and read: servers, mailboxes, databases, programs that nobody here wrote, a fixed clock and
//! repeatable randomness.
//!
//! Nothing here is a stand-in for the thing itself, but for the APIs of two platforms that run nowhere else: `railway` and
//! `kubernetes` are stubs, and say so. Mail goes to a real SMTP server, rows to a real PostgreSQL, requests over real
//! sockets. Development dependencies alone lead here; a test in `portcullis` holds that wall.
//!
//! A test fails by panicking, so these functions panic too, and say what was missing and what to do about it.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

pub mod auth0_simulator;
pub mod backend;
pub mod clock;
pub mod dns;
pub mod ecosystem;
pub mod http;
pub mod kubernetes;
pub mod namespaces;
pub mod node;
pub mod pgbouncer;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod python;
pub mod railway;
pub mod seed;
pub mod server;
pub mod smtp;
mod stub;
