//! What changed since an earlier report: what got worse, what got better, what is too old, and what the auditor no
//! longer sees from where it stands.
//!
//! Only what got worse is a regression, and only of a report that somebody named with `--since`: it ends the command
//! with 4. Against the last report of `[audit] state` the changes are shown, and nothing more.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::evidence::Vantage;
use crate::measures::MeasureId;
use crate::report::{Change, Claim, Drift, Measure, Report, SCHEMA};
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

    /// Compares with the report of `--since`: what changed, and what of it ends the command with 4. Measures that are
    /// not in this run (`--only`) are not compared.
    pub fn compare(&mut self, earlier: &Report) {
        self.show_drift(earlier);
        let regressed = self.drift.iter().filter(|drift| drift.change == Change::Regressed);
        self.regressions = regressed
            .map(|drift| Regression {
                measure: drift.measure,
                claim: drift.claim.clone(),
                was: drift.was,
                is: drift.is,
            })
            .collect();
    }

    /// Compares with the last report that was kept: what changed is shown, and judges nothing.
    pub fn show_drift(&mut self, earlier: &Report) {
        self.drift = drift(earlier, self);
    }
}

/// A verdict with which somebody could live.
fn good(verdict: Verdict) -> bool {
    !matches!(verdict, Verdict::Fail | Verdict::NotProven)
}

fn worse(was: Verdict, is: Option<Verdict>) -> bool {
    let waived = was == Verdict::Pass && is == Some(Verdict::Waived);
    good(was) && (waived || !is.is_some_and(good))
}

fn better(was: Verdict, is: Verdict) -> bool {
    (!good(was) || was == Verdict::Waived) && matches!(is, Verdict::Pass | Verdict::Superseded)
}

fn drift(earlier: &Report, now: &Report) -> Vec<Drift> {
    let mut found = Vec::new();
    for was in &earlier.measures {
        let Some(is) = now.measures.iter().find(|measure| measure.id == was.id) else {
            // Nobody looked again, and what was seen then no longer counts.
            if was.verdict == Verdict::Pass && earlier.is_stale(now.run.started_at) {
                found.push(Drift {
                    measure: was.id,
                    claim: None,
                    change: Change::Stale,
                    was: was.verdict,
                    is: None,
                });
            }
            continue;
        };
        let claims: Vec<Drift> =
            was.claims.iter().filter_map(|claim| claim_drift(was.id, claim, is, now)).collect();
        if worse(was.verdict, Some(is.verdict)) {
            // Lost from sight as a whole only where nothing of it got worse otherwise.
            let lost = is.verdict == Verdict::NotProven
                && claims.iter().any(|drift| drift.change == Change::VantageLost)
                && !claims.iter().any(|drift| drift.change == Change::Regressed);
            let change = if lost { Change::VantageLost } else { Change::Regressed };
            found.push(whole(was, is, change));
        } else if better(was.verdict, is.verdict) {
            found.push(whole(was, is, Change::Fixed));
        }
        found.extend(claims);
    }
    found
}

fn whole(was: &Measure, is: &Measure, change: Change) -> Drift {
    Drift { measure: was.id, claim: None, change, was: was.verdict, is: Some(is.verdict) }
}

fn claim_drift(measure: MeasureId, was: &Claim, is: &Measure, now: &Report) -> Option<Drift> {
    let today = is.claims.iter().find(|claim| claim.id == was.id).map(|claim| claim.verdict);
    let change = if was.verdict == Verdict::Pass && worse(was.verdict, today) {
        let unseen = matches!(today, None | Some(Verdict::NotProven)) && lost(was, now);
        if unseen { Change::VantageLost } else { Change::Regressed }
    } else if today.is_some_and(|today| better(was.verdict, today)) {
        Change::Fixed
    } else {
        return None;
    };
    Some(Drift { measure, claim: Some(was.id.clone()), change, was: was.verdict, is: today })
}

/// Whether a claim was seen from a place where this run did not stand at all.
fn lost(was: &Claim, now: &Report) -> bool {
    let stood: BTreeSet<Vantage> = now.run.vantages.iter().copied().collect();
    was.evidence.iter().any(|evidence| !stood.contains(&evidence.vantage))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Evidence;
    use crate::report::{Outcome, Run, exit_code, rfc3339};

    /// One measure with one claim, seen over HTTP.
    fn report(id: MeasureId, verdict: Verdict, vantages: &[Vantage]) -> Report {
        let claim = Claim::pass("a_claim", vec![Evidence::http("seen")]).but(verdict);
        Report {
            schema: SCHEMA,
            run: Run { vantages: vantages.to_vec(), ..Run::default() },
            measures: vec![Measure { id, line: String::new(), verdict, claims: vec![claim], value: None }],
            ..Report::default()
        }
    }

    fn changes(was: Verdict, is: Verdict, vantages: &[Vantage]) -> (Vec<Change>, u8) {
        let mut now = report(MeasureId::N2, is, vantages);
        now.compare(&report(MeasureId::N2, was, &[Vantage::Http]));
        let changes = now.drift.iter().map(|drift| drift.change).collect();
        (changes, exit_code(Outcome::Audited(&now)))
    }

    #[test]
    fn what_changed_is_told_by_its_kind_and_only_a_regression_ends_with_4() {
        use Change::{Fixed, Regressed, VantageLost};
        use Verdict::{Fail, NotProven, Pass, Waived};
        let here = &[Vantage::Http][..];
        for (was, is, vantages, change, code) in [
            (Pass, Pass, here, None, 0),
            (Fail, Fail, here, None, 1),
            (Pass, Fail, here, Some(Regressed), 1),
            (Pass, NotProven, here, Some(Regressed), 4),
            (Pass, Waived, here, Some(Regressed), 4),
            (NotProven, Pass, here, Some(Fixed), 0),
            (Fail, Pass, here, Some(Fixed), 0),
            (Waived, Pass, here, Some(Fixed), 0),
            (Pass, NotProven, &[], Some(VantageLost), 3),
            (Pass, Fail, &[], Some(Regressed), 1),
        ] {
            let expected: Vec<Change> = change.into_iter().flat_map(|change| [change, change]).collect();
            assert_eq!(changes(was, is, vantages), (expected, code), "{was} -> {is}");
        }
    }

    #[test]
    fn a_claim_that_is_no_longer_made_got_worse() {
        let mut now = report(MeasureId::N2, Verdict::Pass, &[Vantage::Http]);
        now.measures[0].claims[0].id = "another".into();
        now.compare(&report(MeasureId::N2, Verdict::Pass, &[Vantage::Http]));
        assert_eq!(now.regressions.len(), 1);
        assert_eq!(now.regressions[0].is, None);
    }

    #[test]
    fn a_measure_that_nobody_looked_at_again_is_stale_when_its_evidence_is() {
        let mut earlier = report(MeasureId::N2, Verdict::Pass, &[Vantage::Http]);
        earlier.run.valid_until = Some(rfc3339(100));
        for (at, changes) in [(99, 0), (100, 1)] {
            let mut now = report(MeasureId::A1, Verdict::Pass, &[Vantage::Http]);
            now.run.started_at = at;
            now.compare(&earlier);
            assert_eq!(now.drift.len(), changes);
            assert!(now.drift.iter().all(|drift| drift.change == Change::Stale));
            assert!(now.regressions.is_empty());
        }
    }

    #[test]
    fn against_the_last_report_of_the_state_nothing_ends_with_4() {
        let mut now = report(MeasureId::N2, Verdict::NotProven, &[Vantage::Http]);
        now.show_drift(&report(MeasureId::N2, Verdict::Pass, &[Vantage::Http]));
        assert_eq!(now.drift.len(), 2);
        assert_eq!(exit_code(Outcome::Audited(&now)), 3);
    }
}
