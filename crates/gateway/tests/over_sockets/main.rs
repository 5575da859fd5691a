//! The gateway over real sockets: the contract's table, its small print, and what attackers send.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod api_keys;
mod cors;
mod forward_auth;
mod forwarding;
mod framing;
mod issuers;
mod limits;
mod modes;
mod outbound_tls;
mod remembered;
mod session_api;
mod status_table;
mod world;
