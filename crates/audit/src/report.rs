//! The report, and the three forms it is printed in.

pub mod json;
pub mod markdown;
pub mod text;

use serde::{Deserialize, Serialize};

use crate::evidence::{Evidence, Vantage};
use crate::measures::MeasureId;
use crate::since::Regression;
use crate::verdict::Verdict;

/// The report's format; the contract's `schema`.
pub const SCHEMA: u32 = 1;

/// What one run found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// When, where, of what.
    pub run: Run,
    /// The measures of the run, in the contract's order.
    pub measures: Vec<Measure>,
    /// What was better in the report of `--since`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regressions: Vec<Regression>,
    /// Not signed by this version.
    pub signature: Option<String>,
}

/// When, where, of what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// RFC 3339, UTC.
    pub started: String,
    /// The same in Unix seconds.
    pub started_at: i64,
    /// The configuration's `environment`.
    pub environment: String,
    /// Where the auditor stood.
    pub vantages: Vec<Vantage>,
    /// The gateway that was audited.
    pub target: String,
    /// The issuer whose tokens were used.
    pub issuer: String,
    /// The program's version.
    pub version: String,
    /// In the User-Agent of every request, so that a log shows what the auditor did.
    pub id: String,
    /// `--challenge`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<String>,
    /// What a reader should know: a loopback issuer, a state that could not be kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// Its id.
    pub id: MeasureId,
    /// The document's line, or our own sentence where there is no document or no line of it.
    pub line: String,
    /// The AND of its claims; `superseded` where the document replaced the line and all claims hold.
    pub verdict: Verdict,
    /// What it is made of.
    pub claims: Vec<Claim>,
    /// The number that the line's X stands for, with its source: `15 min, access_token_lifetime`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

impl Measure {
    /// The AND of the claims, whatever the document says of the line.
    #[must_use]
    pub fn proven(&self) -> Verdict {
        Verdict::all(self.claims.iter().map(|claim| claim.verdict))
    }
}

/// One claim of a measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Says it in words.
    pub id: String,
    /// What was found out.
    pub verdict: Verdict,
    /// By what.
    pub evidence: Vec<Evidence>,
    /// What to do about it; empty when there is nothing to do.
    pub remedy: String,
}

impl Claim {
    /// Shown.
    pub fn pass(id: &str, evidence: Vec<Evidence>) -> Self {
        Self { id: id.into(), verdict: Verdict::Pass, evidence, remedy: String::new() }
    }

    /// Disproved.
    pub fn fail(id: &str, evidence: Vec<Evidence>, remedy: impl Into<String>) -> Self {
        Self { id: id.into(), verdict: Verdict::Fail, evidence, remedy: remedy.into() }
    }

    /// Could not be shown.
    pub fn not_proven(id: &str, evidence: Vec<Evidence>, remedy: impl Into<String>) -> Self {
        Self { id: id.into(), verdict: Verdict::NotProven, evidence, remedy: remedy.into() }
    }

    /// With another verdict.
    #[must_use]
    pub fn but(mut self, verdict: Verdict) -> Self {
        self.verdict = verdict;
        self
    }
}

/// How an `audit` command ended, for [`exit_code`].
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// The program itself failed.
    Internal,
    /// It was called wrongly: a flag, a configuration, a document that cannot be read.
    Usage,
    /// It ran.
    Audited(&'a Report),
}

/// The contract's exit codes, the first that applies: 70 internal, 2 usage, 1 a fail, 4 a regression, 3 something
/// not proven, 0 otherwise.
#[must_use]
pub fn exit_code(outcome: Outcome<'_>) -> u8 {
    let report = match outcome {
        Outcome::Internal => return 70,
        Outcome::Usage => return 2,
        Outcome::Audited(report) => report,
    };
    let any = |verdict| report.measures.iter().any(|measure| measure.verdict == verdict);
    if any(Verdict::Fail) {
        1
    } else if !report.regressions.is_empty() {
        4
    } else if any(Verdict::NotProven) {
        3
    } else {
        0
    }
}
