//! Adoption of a database on a real PostgreSQL, 15 and 18: nothing is lost on the way there, and nothing on the way back.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod back;
mod obstacles;
mod platform;
mod there;
mod world;
