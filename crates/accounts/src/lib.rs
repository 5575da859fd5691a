//! Users, passwords, resets and throttling as pure rules.
//!
//! Nothing here reads a clock, draws randomness, opens a file or waits: time is an argument named `now` (Unix
//! seconds), randomness an argument named `fresh` or `salt`. What a rule decides, the caller commits.

pub mod blocklist;
pub mod console;
pub mod password;
pub mod password_reset;
pub mod throttle;
pub mod user;
