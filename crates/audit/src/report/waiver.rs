//! What somebody accepted, by name and until a date.

use serde::{Deserialize, Serialize};

/// One `[[audit.waiver]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiver {
    /// The measure, `A4`, or one claim of it, `A4/the_password_is_young`.
    pub of: String,
    /// Why it is accepted.
    pub reason: String,
    /// Who accepted it.
    pub owner: String,
    /// RFC 3339, UTC: from here on the raw verdict counts again. At most 90 days after `since`.
    pub expires: String,
    /// RFC 3339, UTC: when it was accepted.
    pub since: String,
    /// Whether it counts in this run.
    pub applies: bool,
}
