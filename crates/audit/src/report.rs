//! The report, and the formats it is printed in ([`Format`]).

pub(crate) mod asvs;
pub mod badge;
pub mod difference;
mod drift;
mod format;
pub mod html;
pub mod json;
pub mod junit;
pub mod markdown;
mod matrix;
pub mod oscal;
mod overview;
pub mod picture;
pub mod prometheus;
#[cfg(test)]
mod published;
#[cfg(test)]
pub(crate) mod sample;
pub mod sarif;
pub(crate) mod shown;
pub mod text;
mod waiver;

pub use asvs::{Answered, Asvs};
pub use drift::{Change, Drift};
pub use format::{Format, Rendering, render};
pub use matrix::{Cell, Matrix, Row};
pub use waiver::Waiver;

use serde::{Deserialize, Serialize};

use crate::evidence::{Evidence, Vantage};
use crate::measures::MeasureId;
use crate::since::Regression;
use crate::verdict::Verdict;

/// The report's format; the contract's `schema`.
pub const SCHEMA: u32 = 1;

/// What one run found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// What changed since the report of `--since`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<Drift>,
    /// Who accepted what until when, as configured: those that apply, and those that no longer do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waivers: Vec<Waiver>,
    /// Every endpoint by every kind of credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matrix: Option<Matrix>,
    /// Which requirements of ASVS 5.0 the run answers, and which it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asvs: Option<Asvs>,
    /// A detached JWS over the exact bytes of this report with `null` in this place; last in the file.
    pub signature: Option<String>,
}

/// When, where, of what.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// RFC 3339, UTC: after it the evidence is stale and ticks nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<String>,
    /// Hex SHA-256 of the bytes of the report before this one, of the same environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// The commit of the repository that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
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
    /// What it says, in one sentence; from the measure's list of claims.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sentence: String,
    /// The requirements of OWASP ASVS 5.0 that it answers: `V6.2.1`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asvs: Vec<String>,
    /// The weaknesses (CWE) whose absence it shows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cwe: Vec<u32>,
}

impl Claim {
    fn of(id: &str, verdict: Verdict, evidence: Vec<Evidence>, remedy: String) -> Self {
        Self {
            id: id.into(),
            verdict,
            evidence,
            remedy,
            sentence: String::new(),
            asvs: Vec::new(),
            cwe: Vec::new(),
        }
    }

    /// Shown.
    pub fn pass(id: &str, evidence: Vec<Evidence>) -> Self {
        Self::of(id, Verdict::Pass, evidence, String::new())
    }

    /// Disproved.
    pub fn fail(id: &str, evidence: Vec<Evidence>, remedy: impl Into<String>) -> Self {
        Self::of(id, Verdict::Fail, evidence, remedy.into())
    }

    /// Could not be shown.
    pub fn not_proven(id: &str, evidence: Vec<Evidence>, remedy: impl Into<String>) -> Self {
        Self::of(id, Verdict::NotProven, evidence, remedy.into())
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

/// How many of the document's measures are proven, and of how many: the one rule by which badge, page and board count.
/// What applies to nothing is not counted, and what is beyond the document is not either.
#[must_use]
pub fn proven(report: &Report) -> (usize, usize) {
    shown::proven(report)
}

/// What a claim says, for people: its sentence, before it the name of the database that it is about.
#[must_use]
pub fn spoken(measure: MeasureId, claim: &Claim) -> String {
    shown::spoken(measure, claim)
}

/// The same by the claim's id, of this report or of the one that it is compared with.
#[must_use]
pub fn spoken_by_id(report: &Report, measure: MeasureId, claim: &str) -> String {
    spoken(measure, &shown::claim_of(report, measure, claim))
}

/// One line on a measure: the sentence of the claim that decided its verdict, and what was seen for it.
#[must_use]
pub fn summary(measure: &Measure) -> String {
    let proven = measure.proven();
    let Some(claim) = measure.claims.iter().find(|claim| claim.verdict == proven) else {
        return "no claim was made".into();
    };
    let others = measure.claims.iter().filter(|claim| claim.verdict == proven).count() - 1;
    let seen = claim.evidence.first().map(|evidence| evidence.what.as_str()).unwrap_or_default();
    let control = claim.evidence.first().and_then(|evidence| evidence.control.as_deref());
    let control = control.map(|control| format!(" ({control})")).unwrap_or_default();
    let more = match others {
        0 => String::new(),
        1 => "; 1 more claim so".to_owned(),
        more => format!("; {more} more claims so"),
    };
    let colon = if seen.is_empty() { "" } else { ": " };
    format!("{}{colon}{seen}{control}{more}", spoken(measure.id, claim))
}

/// Hex SHA-256: a report's digest, a finding's fingerprint.
#[must_use]
pub fn hex_sha256(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 3339 in UTC.
pub(crate) fn rfc3339(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days since 1 March of year 0, so that leap days end a year (Howard Hinnant's civil_from_days, in own words).
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        second / 3600,
        second % 3600 / 60,
        second % 60
    )
}

/// Unix seconds of what [`rfc3339`] wrote; none for any other text.
pub(crate) fn seconds_of(text: &str) -> Option<i64> {
    let number =
        |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok().filter(|number| *number >= 0);
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    // The way back of `rfc3339`: days_from_civil.
    let from_march = if month > 2 { year } else { year - 1 };
    let era = from_march.div_euclid(400);
    let of_era = from_march.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second;
    // What does not come out as it went in was no date, or is written in another way.
    (rfc3339(seconds) == text).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(verdicts: &[(MeasureId, Verdict)]) -> Report {
        sample::of("development", 0, verdicts)
    }

    #[test]
    fn exit_codes_in_the_contracts_order() {
        use MeasureId::{A1, A3, N2};
        use Verdict::{Delegated, Fail, NotProven, Pass, Superseded, Waived};
        assert_eq!(exit_code(Outcome::Internal), 70);
        assert_eq!(exit_code(Outcome::Usage), 2);
        let code = |report: &Report| exit_code(Outcome::Audited(report));
        assert_eq!(code(&report(&[(A1, Pass), (A3, Waived), (N2, Delegated), (A1, Superseded)])), 0);
        assert_eq!(code(&report(&[(A1, Pass), (N2, NotProven)])), 3);
        assert_eq!(code(&report(&[(A1, Fail), (N2, NotProven)])), 1);
        let mut worse = report(&[(A1, Pass), (N2, NotProven)]);
        worse.compare(&report(&[(A1, Pass), (N2, Pass)]));
        assert_eq!(worse.regressions.len(), 2, "the measure and its claim");
        assert_eq!(code(&worse), 4);
        let mut failed = report(&[(N2, Fail)]);
        failed.compare(&report(&[(N2, Pass)]));
        assert_eq!(code(&failed), 1);
        let mut fewer = report(&[(A1, Pass)]);
        fewer.compare(&report(&[(A1, Pass), (N2, Pass)]));
        assert_eq!(code(&fewer), 0, "a measure that was not run is no regression");
    }

    #[test]
    fn json_is_read_again_as_it_was_written() {
        let report = report(&[(MeasureId::A10, Verdict::NotProven)]);
        let json = json::render(&report);
        assert_eq!(Report::parse(json.as_bytes()).unwrap(), report);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["schema"], 1);
        assert_eq!(value["measures"][0]["id"], "A10");
        assert_eq!(value["measures"][0]["verdict"], "not_proven");
        assert!(value["signature"].is_null());
        assert!(Report::parse(b"{\"schema\": 2}").is_err());
        assert!(Report::parse(b"[]").is_err());
    }

    #[test]
    fn dates_are_rfc_3339() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_536_000, "2026-11-24T16:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(seconds), text);
            assert_eq!(seconds_of(text), Some(seconds));
        }
        for text in
            ["", "2026-11-24", "2026-13-24T16:00:00Z", "2026-02-30T16:00:00Z", "2026-11-24T16:00:00+01"]
        {
            assert_eq!(seconds_of(text), None, "{text}");
        }
    }

    #[test]
    fn text_is_coloured_only_when_asked() {
        let report = report(&[(MeasureId::N2, Verdict::Fail)]);
        assert!(!text::render(&report, None, false).contains('\u{1b}'));
        assert!(text::render(&report, None, true).contains("\u{1b}[31mfail"));
        assert!(text::render(&report, None, false).contains("1 fail"));
    }

    #[test]
    fn a_measure_is_told_by_the_sentence_of_the_claim_that_decided() {
        let mut measure = sample::report().measures.remove(5);
        assert_eq!(measure.id, MeasureId::N2);
        assert!(
            summary(&measure)
                .starts_with("no origin but the frontend's is let in: https://evil.example was let in: ")
        );
        measure.claims[0].evidence.clear();
        assert_eq!(summary(&measure), "no origin but the frontend's is let in");
        measure.claims.clear();
        assert_eq!(summary(&measure), "no claim was made");
    }

    #[test]
    fn text_shows_the_challenge() {
        let mut report = report(&[(MeasureId::N2, Verdict::Fail)]);
        assert!(!text::render(&report, None, false).contains("challenge"));
        report.run.challenge = Some("7f3a".into());
        assert!(text::render(&report, None, false).contains("challenge: 7f3a\n"));
    }
}
