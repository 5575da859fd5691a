//! What changed since an earlier report.

use serde::{Deserialize, Serialize};

use crate::measures::MeasureId;
use crate::verdict::Verdict;

/// How something changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It had been proven and is disproved, or can no longer be shown though the auditor stood where it stood.
    Regressed,
    /// It is proven and had not been.
    Fixed,
    /// The evidence that ticked it is too old.
    Stale,
    /// It had been proven from a place where the auditor no longer stands.
    VantageLost,
}

/// One change of a measure, or of one of its claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// The measure.
    pub measure: MeasureId,
    /// The claim; none: the measure as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// How.
    pub change: Change,
    /// Then.
    pub was: Verdict,
    /// Now; none: the claim is no longer made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is: Option<Verdict>,
}
