//! Which requirements of OWASP ASVS 5.0 a run answers, and which it does not.

use serde::{Deserialize, Serialize};

use crate::verdict::Verdict;

/// The requirements, by what was said of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asvs {
    /// `5.0.0`.
    pub edition: String,
    /// Those that claims of this run speak of.
    pub answered: Vec<Answered>,
    /// Those of which the auditor says nothing, by number.
    pub unanswered: Vec<String>,
}

/// One requirement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// `V6.2.1`.
    pub requirement: String,
    /// The AND of its claims.
    pub verdict: Verdict,
    /// `A1/every_row_is_hashed`.
    pub claims: Vec<String>,
}
