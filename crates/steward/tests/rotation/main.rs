//! The rotation in a model world, and on a real PostgreSQL with a real application beside it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod administrator;
mod behind_our_back;
mod crash;
mod load;
mod model;
mod own_store;
mod races;
mod secrecy;
mod turns;
mod world;
