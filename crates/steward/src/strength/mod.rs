//! Whether a database requires a strong password, of every role that can log in: what was seen on the wire and in the
//! catalogue ([`observe()`]), and what that means where the database serves ([`judge()`]).
//!
//! Behaviour decides. `pg_hba_file_rules` shows a file that the server may not have read yet, so it explains and never
//! proves. What could not be seen is said as such and is never fine.

mod catalogue;
mod facts;
mod finding;
mod guesses;
mod judge;
mod observe;
mod password;
mod wire;

pub use facts::{
    Access, Channel, Door, Facts, Kind, Login, Path, Provenance, Role, Rule, Server, Stored, SystemUser, Try,
    WrongPassword,
};
pub use finding::{Certainty, Claim, Finding, Severity, refuses};
pub use judge::judge;
pub use observe::{Options, observe};
pub use password::{Context, Weakness, weaknesses};
pub use wire::{Address, Asked};
