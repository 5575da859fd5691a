//! Whether a line's box is ticked, and the one line of evidence below it. Old evidence ticks nothing.

use super::{Document, Line, Mapping, mapping, render};
use crate::measures::MeasureId;
use crate::report::{Measure, Report, rfc3339, summary};
use crate::verdict::Verdict;

/// What becomes of a line's box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Ticked: proven, everywhere that the line speaks of.
    Ticked,
    /// Open: disproved, not proven, waived, or the evidence is old.
    Open,
    /// No measure stands for the line; its box is left as it was.
    NotMeasured,
}

/// A line with what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged<'d> {
    /// Which.
    pub line: &'d Line,
    /// Its box.
    pub standing: Standing,
    /// One line of evidence; empty where nothing is measured.
    pub evidence: String,
    /// Unix seconds of the oldest report that it rests on.
    pub seen_at: Option<i64>,
}

/// What a document is judged by.
#[derive(Clone, Copy)]
pub(super) struct Reports<'r> {
    pub(super) current: &'r Report,
    /// Of other environments.
    pub(super) with: &'r [Report],
    /// Unix seconds.
    pub(super) now: i64,
}

impl<'r> Reports<'r> {
    /// The newest of an environment, however old.
    fn of(&self, environment: &str) -> Option<&'r Report> {
        std::iter::once(self.current)
            .chain(self.with)
            .filter(|report| report.run.environment == environment)
            .max_by_key(|report| report.run.started_at)
    }

    fn is_stale(&self, report: &Report) -> bool {
        report.is_stale(self.now)
    }
}

impl Document {
    /// What becomes of each line, by a report, those of other environments, and the time (Unix seconds) it is now.
    #[must_use]
    pub fn judge(&self, report: &Report, with: &[Report], now: i64) -> Vec<Judged<'_>> {
        let reports = Reports { current: report, with, now };
        self.lines().iter().map(|line| self.judged(line, reports)).collect()
    }

    pub(super) fn judged<'d>(&'d self, line: &'d Line, reports: Reports<'_>) -> Judged<'d> {
        if !self.is_measured(line) {
            return Judged { line, standing: Standing::NotMeasured, evidence: String::new(), seen_at: None };
        }
        let standing = if self.ticked(line, reports) { Standing::Ticked } else { Standing::Open };
        let of_each = line.environments.iter().filter_map(|name| reports.of(name));
        let seen_at = of_each.map(|report| report.run.started_at).min();
        let seen_at = seen_at.or(line.environments.is_empty().then_some(reports.current.run.started_at));
        let evidence = self.said(line, reports).replace(['\n', '\r'], " ");
        Judged { line, standing, evidence: plain(&evidence), seen_at }
    }

    /// All of its measures pass, in every environment that it tells apart; a replaced line with its successor.
    fn ticked(&self, line: &Line, reports: Reports<'_>) -> bool {
        if matches!(line.mapping, Mapping::Changed { .. }) {
            return false;
        }
        if let Some(successor) = line.replaced_by.and_then(|at| self.lines().get(at)) {
            return self.ticked(successor, reports);
        }
        let proven = |report: &Report| !reports.is_stale(report) && all_hold(line, report);
        if line.environments.is_empty() {
            return proven(reports.current);
        }
        line.environments.iter().all(|name| reports.of(name).is_some_and(proven))
    }

    fn said(&self, line: &Line, reports: Reports<'_>) -> String {
        if let Mapping::Changed { was } = &line.mapping {
            let was = mapping::joined(was);
            return format!("{} to {was}: portcullis audit init", render::CHANGED);
        }
        let report = reports.current;
        let measure = |id: MeasureId| report.measures.iter().find(|measure| measure.id == id);
        if let Some(successor) = line.replaced_by.and_then(|at| self.lines().get(at)) {
            let mut parts: Vec<String> = line
                .own
                .iter()
                .map(|id| match measure(*id) {
                    Some(measure) => format!("{id} {}", measure.verdict),
                    None => format!("{id} was not in this run"),
                })
                .collect();
            let state = if self.ticked(successor, reports) { "ticked" } else { "open" };
            parts.push(format!("replaced by the line below, which is {state}"));
            return parts.join("; ");
        }
        let told = |id: &MeasureId| match measure(*id) {
            Some(measure) => told(measure, report),
            None => format!("{id} was not in this run"),
        };
        let mut parts: Vec<String> = Vec::new();
        if line.environments.is_empty() {
            parts.extend(line.measures.iter().map(told));
            let stale = if reports.is_stale(report) { "stale, " } else { "" };
            let (environment, seen) = (&report.run.environment, date(report));
            return format!("{} ({environment}, {stale}seen {seen})", parts.join("; "));
        }
        if line.environments.contains(&report.run.environment.as_str()) {
            parts.extend(line.measures.iter().map(told));
        } else {
            parts.push(mapping::joined(&line.measures));
        }
        let mut missing = Vec::new();
        for name in &line.environments {
            match reports.of(name) {
                None => missing.push(*name),
                Some(other) => {
                    let found = other.measures.iter().filter(|measure| line.measures.contains(&measure.id));
                    let verdict = if found.clone().count() < line.measures.len() {
                        Verdict::NotProven
                    } else {
                        Verdict::all(found.map(|measure| measure.verdict))
                    };
                    let stale = if reports.is_stale(other) { "stale, " } else { "" };
                    parts.push(format!("{name} {verdict} ({stale}seen {})", date(other)));
                }
            }
        }
        if !missing.is_empty() {
            parts.push(format!("no report of {}", missing.join(", ")));
        }
        parts.join("; ")
    }
}

fn all_hold(line: &Line, report: &Report) -> bool {
    let found: Vec<_> = line
        .measures
        .iter()
        .filter_map(|id| report.measures.iter().find(|measure| measure.id == *id))
        .collect();
    found.len() == line.measures.len()
        && found.iter().all(|measure| is_borne(measure))
        && found.iter().any(|measure| holds(measure))
}

/// Whether a box may be ticked with it.
fn is_borne(measure: &Measure) -> bool {
    // "Our issuer is Auth0" is true where users are delegated, beside something that was seen.
    let foreign = measure.id == MeasureId::A8 && measure.verdict == Verdict::Delegated;
    holds(measure) || foreign || measure.verdict == Verdict::NotApplicable
}

/// Whether a measure of the line was not in the run, and none that was, there or in another environment that the line
/// speaks of, keeps its box open.
pub(super) fn did_not_run(line: &Line, reports: Reports<'_>) -> bool {
    let of_each: Vec<&Report> = match line.environments.is_empty() {
        true => vec![reports.current],
        false => line.environments.iter().filter_map(|name| reports.of(name)).collect(),
    };
    let found = |id: &MeasureId, report: &'_ Report| report.measures.iter().any(|measure| measure.id == *id);
    let lacks = |report: &Report| !line.measures.iter().all(|id| found(id, report));
    (lacks(reports.current) || of_each.iter().any(|report| lacks(report)))
        && of_each
            .iter()
            .flat_map(|report| &report.measures)
            .filter(|measure| line.measures.contains(&measure.id))
            .all(is_borne)
}

/// Whether a measure by itself ticks a box.
pub(crate) fn holds(measure: &Measure) -> bool {
    matches!(measure.verdict, Verdict::Pass | Verdict::Superseded)
}

/// `A9 pass: …`, one sentence on a measure.
pub(crate) fn told(measure: &Measure, report: &Report) -> String {
    let value = measure.value.as_ref().map(|value| format!(" (X: {value})")).unwrap_or_default();
    let of_it = |of: &str| MeasureId::parse(of.split('/').next().unwrap_or_default()) == Some(measure.id);
    let waiver = report.waivers.iter().find(|waiver| waiver.applies && of_it(&waiver.of));
    let summary = match (measure.verdict, waiver) {
        (Verdict::Waived, Some(waiver)) => {
            let until = waiver.expires.get(..10).unwrap_or(&waiver.expires);
            format!("until {until} by {}: {}", waiver.owner, waiver.reason)
        }
        (Verdict::Delegated, _) => format!("not stored here: {}", summary(measure)),
        _ => summary(measure),
    };
    format!("{} {}{value}: {summary}", measure.id, measure.verdict).replace(['\n', '\r'], " ")
}

/// The day of a report: hours and minutes would change a document at every run.
fn date(report: &Report) -> String {
    rfc3339(report.run.started_at).chars().take(10).collect()
}

/// What a server answered is text, whatever Markdown or HTML would make of it.
fn plain(text: &str) -> String {
    text.replace('<', "&lt;").replace("](", "] (")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MeasureId::{A1, A4, A5, A6, A7, A8, N1};
    use crate::VALID_FOR;
    use crate::report::Waiver;
    use crate::report::sample::of as report;

    fn one(text: &str, report: &Report, with: &[Report], now: i64) -> (Standing, String) {
        let document = Document::parse(text);
        let judged = document.judge(report, with, now).remove(0);
        (judged.standing, judged.evidence)
    }

    #[test]
    fn old_evidence_unticks() {
        let mut report = report("production", 0, &[(A1, Verdict::Pass)]);
        let line = "- [x] Passwords are hashed.";
        assert_eq!(one(line, &report, &[], VALID_FOR - 1).0, Standing::Ticked);
        let (standing, said) = one(line, &report, &[], VALID_FOR);
        assert_eq!(standing, Standing::Open);
        assert_eq!(said, "A1 pass: a claim (production, stale, seen 1970-01-01)");
        report.run.valid_until = Some(rfc3339(60));
        assert_eq!(one(line, &report, &[], 59).0, Standing::Ticked);
        assert_eq!(one(line, &report, &[], 60).0, Standing::Open);
        report.run.valid_until = Some("for ever".into());
        assert_eq!(one(line, &report, &[], 0).0, Standing::Open);
        report.run.valid_until = None;
        report.run.started_at = 10_000;
        assert_eq!(one(line, &report, &[], 0).0, Standing::Open, "no evidence comes from the future");
    }

    #[test]
    fn a_newer_report_of_an_environment_hides_an_older_one() {
        let line = "- [x] The database is private on prod and staging.";
        let pass = |name, at| report(name, at, &[(N1, Verdict::Pass)]);
        let fail = |name, at| report(name, at, &[(N1, Verdict::Fail)]);
        let current = pass("production", 100);
        assert_eq!(one(line, &current, &[], 100).0, Standing::Open);
        assert_eq!(one(line, &current, &[pass("staging", 50)], 100).0, Standing::Ticked);
        let (standing, said) = one(line, &current, &[pass("staging", 50), fail("staging", 60)], 100);
        assert_eq!(standing, Standing::Open);
        assert!(said.contains("staging fail (seen 1970-01-01)"), "{said}");
        let (standing, said) = one(line, &current, &[pass("staging", 100 - VALID_FOR)], 100);
        assert_eq!(standing, Standing::Open);
        assert!(said.contains("staging pass (stale, seen"), "{said}");
        let (_, said) = one(line, &report("development", 0, &[]), &[], 0);
        assert_eq!(said, "N1; no report of staging, production");
    }

    #[test]
    fn what_is_waived_or_delegated_stays_open_and_says_so() {
        let mut waived = report("production", 0, &[(A4, Verdict::Waived)]);
        waived.waivers.push(Waiver {
            of: "A4/every_password_is_younger_than_x".into(),
            reason: "the move is in March".into(),
            owner: "ada".into(),
            expires: "2027-01-31T00:00:00Z".into(),
            since: "2026-11-29T00:00:00Z".into(),
            applies: true,
        });
        let (standing, said) = one("- [x] The password is rotated.", &waived, &[], 0);
        assert_eq!(standing, Standing::Open);
        assert!(said.starts_with("A4 waived: until 2027-01-31 by ada: the move is in March"), "{said}");
        let delegated = report("production", 0, &[(A1, Verdict::Delegated)]);
        let (standing, said) = one("- [x] Passwords are hashed.", &delegated, &[], 0);
        assert_eq!(standing, Standing::Open);
        assert!(said.starts_with("A1 delegated: not stored here"), "{said}");
        let auth0 = "- [ ] Users' endpoints require a user's JWT. Actual implementation: Auth0.";
        let verdicts = [(A7, Verdict::Pass), (A8, Verdict::Delegated)];
        assert_eq!(one(auth0, &report("production", 0, &verdicts), &[], 0).0, Standing::Ticked);
        let alone = report("production", 0, &[(A8, Verdict::Delegated)]);
        assert_eq!(one("- [ ] We use Auth0.", &alone, &[], 0).0, Standing::Open);
    }

    #[test]
    fn other_words_are_never_ticked() {
        let passed = report("production", 0, &[(A1, Verdict::Pass)]);
        let line = "- [x] Passwords are hashed. <!-- measures: A1; words: 00000000 -->";
        let (standing, said) = one(line, &passed, &[], 0);
        assert_eq!(standing, Standing::Open);
        assert_eq!(said, "the line changed since it was mapped to A1: portcullis audit init");
    }

    #[test]
    fn a_replaced_line_is_ticked_or_open_with_its_successor_and_says_so() {
        use Verdict::{NotProven, Pass, Superseded};
        let source = "- [ ] Partners call with an API key.\n  - [ ] Replaced by client credentials.\n";
        let said =
            |verdicts: &[(MeasureId, Verdict)]| one(source, &report("production", 0, verdicts), &[], 0);
        let below = |state: &str| format!("replaced by the line below, which is {state}");
        assert_eq!(
            said(&[(A5, Superseded), (A6, Pass)]),
            (Standing::Ticked, format!("A5 superseded; {}", below("ticked")))
        );
        assert_eq!(
            said(&[(A5, NotProven), (A6, Pass)]),
            (Standing::Open, format!("A5 not_proven; {}", below("open")))
        );
        assert_eq!(said(&[]).1, format!("A5 was not in this run; {}", below("open")));
        let nothing = "- [x] Lunch.\n  - [ ] Replaced by client credentials.\n";
        assert_eq!(one(nothing, &report("production", 0, &[]), &[], 0), (Standing::Open, below("open")));
        let none = "- [x] Lunch. <!-- measures: none -->\n  - [ ] Replaced by client credentials.\n";
        assert_eq!(one(none, &report("production", 0, &[]), &[], 0).0, Standing::NotMeasured);
    }

    #[test]
    fn an_answer_is_no_markup() {
        assert_eq!(plain("<b> [a](javascript:b)"), "&lt;b> [a] (javascript:b)");
    }
}
