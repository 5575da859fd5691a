//! `--since`: what was better in an earlier report.

use serde::{Deserialize, Serialize};

use crate::measures::MeasureId;
use crate::report::{Report, SCHEMA};
use crate::schema::{self, ReportError};
use crate::verdict::Verdict;

/// Something that an earlier report had proven and this one has not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Regression {
    /// The measure.
    pub measure: MeasureId,
    /// The claim, or none when it is the measure as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// Then.
    pub was: Verdict,
    /// Now; none: the claim is no longer made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is: Option<Verdict>,
}

impl Report {
    /// Reads a report that `--format json` wrote.
    ///
    /// # Errors
    /// What is no report, or of another schema.
    pub fn parse(json: &[u8]) -> Result<Self, ReportError> {
        schema::read(json, SCHEMA)
    }

    /// Compares with an earlier report and keeps what got worse. Measures that are not in this run
    /// (`--only`) are not compared.
    pub fn compare(&mut self, earlier: &Report) {
        self.regressions = regressions(earlier, self);
    }
}

/// A verdict with which somebody could live.
fn good(verdict: Verdict) -> bool {
    !matches!(verdict, Verdict::Fail | Verdict::NotProven)
}

fn regressions(earlier: &Report, now: &Report) -> Vec<Regression> {
    let mut found = Vec::new();
    for was in &earlier.measures {
        let Some(is) = now.measures.iter().find(|measure| measure.id == was.id) else { continue };
        if good(was.verdict)
            && (!good(is.verdict) || (was.verdict == Verdict::Pass && is.verdict == Verdict::Waived))
        {
            found.push(Regression { measure: was.id, claim: None, was: was.verdict, is: Some(is.verdict) });
        }
        for claim in was.claims.iter().filter(|claim| claim.verdict == Verdict::Pass) {
            let today = is.claims.iter().find(|other| other.id == claim.id).map(|other| other.verdict);
            if !today.is_some_and(|verdict| good(verdict) && verdict != Verdict::Waived) {
                found.push(Regression {
                    measure: was.id,
                    claim: Some(claim.id.clone()),
                    was: claim.verdict,
                    is: today,
                });
            }
        }
    }
    found
}
