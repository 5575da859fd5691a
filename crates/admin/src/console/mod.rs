//! `/console`: the board of measures, the first page of a console that grows.
//!
//! ```text
//! link (terminal) ─┐                 ┌─> Boards (the binary: reports of the auditor -> plain data) ─> pages
//!                  ├─> session ─> GET /console
//! password + scope ┘                 └─> nobody: 401 and how to get in
//! ```
//!
//! It only shows. Pages work without JavaScript and load nothing; what is in them is escaped, and pictures come from the
//! auditor's own hand.

pub mod board;
mod doors;
pub mod entry;
mod http;
mod pages;

pub use board::Board;
pub use doors::{Boards, Doors, People, Setting, SignIn};
pub use http::Console;
