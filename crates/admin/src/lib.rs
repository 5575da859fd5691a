//! Administration: APIs, roles, applications, users and API keys, one by one or declared in a file; and the console that shows the
//! auditor's measures.
//!
//! Every function takes the store, typed input, `now` (Unix seconds) and fresh random bytes, and gives a typed result that serialises
//! to JSON. A secret is in a result once, when it was made; the store has its digest alone. The server that runs beside sees
//! each change within a second, since the store writes it down for every node.

pub mod api_keys;
pub mod apis;
pub mod applications;
pub mod apply;
pub mod console;
pub mod declared;
pub mod plan;
pub mod roles;
pub mod users;

mod error;
mod secret;
mod uri;

pub use error::Error;
pub use secret::read_secret_file;
