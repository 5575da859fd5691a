//! The house itself: who may know whom, and whose code is let in.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod action;
mod dependencies;
mod deploy;
mod graph;
mod licence;
mod walls;
