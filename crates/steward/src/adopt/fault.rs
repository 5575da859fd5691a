//! What stands in the way of an adoption, and what can go wrong in one.

use crate::connect::LoginFault;
use crate::ledger::{LedgerError, NamesError};

/// One thing that stands in the way, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What it is, with its name.
    pub what: String,
    /// The remedy.
    pub remedy: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.what, self.remedy)
    }
}

/// Why a database was not adopted, or not given back. Each transaction is all or nothing, and doing it again goes on
/// where it stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The plan names what stands in the way; nothing was done.
    #[error("{}", listed("nothing was changed", .0))]
    Refused(Vec<Refusal>),
    /// Something would have been lost; the transaction was rolled back.
    #[error("database {database}: {} would be lost, so nothing was changed there: report this as a defect", left.join(", "))]
    WouldBeLost {
        /// Where.
        database: String,
        /// What, in the server's words.
        left: Vec<String>,
    },
    /// Locks could not be had, several times.
    #[error(
        "database {database} is too busy: another transaction holds what is to be moved ({reason}); try again when it is quiet"
    )]
    Busy {
        /// Where.
        database: String,
        /// The server's words.
        reason: String,
    },
    /// The administrator could not log in.
    #[error("the administrator cannot log in to database {database}: {fault}")]
    Login {
        /// Where.
        database: String,
        /// Refused, or unknown.
        fault: LoginFault,
    },
    /// The server refused a statement; its transaction was rolled back.
    #[error("database {database} refused ({sentence}): {reason}")]
    Statement {
        /// Where.
        database: String,
        /// What the statement was for.
        sentence: String,
        /// The server's words.
        reason: String,
    },
    /// There is nothing to give back.
    #[error("the database is not adopted: there is nothing to undo")]
    NotAdopted,
    /// The role's name is too long.
    #[error(transparent)]
    Names(#[from] NamesError),
    /// The ledger could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The former role has its new password, but its secret could not be delivered. The slots still log in.
    #[error("the secret could not be delivered, and the slots were left as they are: {0}")]
    Delivery(String),
}

fn listed(first: &str, refusals: &[Refusal]) -> String {
    refusals.iter().fold(first.to_owned(), |mut text, refusal| {
        text.push_str("\n  ");
        text.push_str(&refusal.to_string());
        text
    })
}
