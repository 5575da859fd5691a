//! Adoption of a database that one role owns and logs in to: the role's things go to an owner role that cannot log in,
//! beside which two slots log in by turns.
//!
//! Nothing is lost: what depends on today's role is moved, copied to the owner role, or refused beforehand by its name.
//! The last look before each commit compares what the server itself has recorded of both roles. Today's role keeps
//! logging in, with its open sessions, until the first rotation retires it; [`undo`] gives everything back.

mod apply;
mod ask;
mod fault;
mod plan;
mod refuse;
mod undo;

pub use apply::apply;
pub use fault::{Fault, Refusal};
pub use plan::plan;
pub use undo::{Back, undo, undo_plan};

use crate::ledger::{Names, Statement};

/// What a person may choose.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A role that may read the ledger, besides `portcullis_audit`.
    pub auditor: Option<String>,
}

/// The statements of one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The database that it runs in.
    pub database: String,
    /// What it does, in this order.
    pub statements: Vec<Statement>,
}

/// What will be done, for a person to read first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Who will be who.
    pub names: Names,
    /// The database that holds the ledger.
    pub home: String,
    /// What stands in the way; while there is any, nothing is done.
    pub refusals: Vec<Refusal>,
    /// What to look at: nothing that stands in the way.
    pub notes: Vec<String>,
    /// The transactions. None: everything is in place.
    pub steps: Vec<Step>,
}

impl Plan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.refusals.is_empty() && self.steps.is_empty()
    }
}
