//! From reports of the auditor to the board's plain data: two rooms that do not know each other.

use super::reports::Kept;
use ::audit::document::{Document, Standing};
use ::audit::evidence::{Evidence, Strength, Vantage};
use ::audit::report::{Change, Claim, Measure, Report, spoken, spoken_by_id, summary};
use ::audit::{MeasureId, Verdict};
use admin::console::board::{self, Board, Cell, Drift, Environment, Line, Mark};
use std::collections::BTreeMap;

/// The verdict of each measure by its id, as a history keeps it.
pub type Verdicts = BTreeMap<String, Verdict>;

/// What a history keeps of a report.
pub fn verdicts_of(report: &Report) -> Verdicts {
    report.measures.iter().map(|measure| (measure.id.to_string(), measure.verdict)).collect()
}

/// The newest report of an environment, and those before it.
pub struct Told {
    /// The report.
    pub kept: Kept,
    /// When each run began and what it found, the newest first; the first is that of the report.
    pub history: Vec<(i64, Verdicts)>,
}

/// Draws pictures; a function each, so that the board is tested without them. Histories are runs without claims, the
/// oldest first.
pub struct Pictures {
    /// Their style.
    pub style: &'static str,
    /// Every endpoint by every kind of credential.
    pub matrix: fn(&::audit::report::Matrix) -> String,
    /// How many measures stood how.
    pub runs: fn(&[Report]) -> String,
    /// One measure.
    pub history: fn(&[Report], MeasureId) -> String,
}

impl Told {
    /// The history as a picture wants it: runs without claims, the oldest first.
    fn runs(&self) -> Vec<Report> {
        let run = |(at, verdicts): &(i64, Verdicts)| {
            let mut report = Report::default();
            report.run.started_at = *at;
            report.run.started = rfc3339(*at);
            let measures =
                verdicts.iter().filter_map(|(id, verdict)| Some((MeasureId::parse(id)?, *verdict)));
            report.measures = measures
                .map(|(id, verdict)| Measure {
                    id,
                    line: String::new(),
                    verdict,
                    claims: Vec::new(),
                    value: None,
                })
                .collect();
            report
        };
        self.history.iter().rev().map(run).collect()
    }
}

fn rfc3339(seconds: i64) -> String {
    let since = std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + since).to_string()
}

/// Puts the board together, at `now`.
pub fn of(told: &[Told], document: Option<(&str, &Document)>, pictures: &Pictures, now: i64) -> Board {
    let mut shown = Board {
        now,
        environments: told.iter().map(|one| environment(one, pictures, now)).collect(),
        document: document.map(|(name, _)| name.to_owned()),
        picture_style: pictures.style,
        ..Board::default()
    };
    match document {
        Some((_, document)) => shown.lines = lines_of(document, told, pictures, now),
        None => shown.lines = measures(told, pictures, now, |id| !id.is_beyond()),
    }
    shown.beyond = measures(told, pictures, now, MeasureId::is_beyond);
    shown
}

/// The document's lines, each judged by the report of each environment beside those of the others.
fn lines_of(document: &Document, told: &[Told], pictures: &Pictures, now: i64) -> Vec<Line> {
    let mut indents: Vec<usize> = document.lines().iter().map(|line| line.indent).collect();
    indents.sort_unstable();
    indents.dedup();
    let mut lines: Vec<Line> = document
        .lines()
        .iter()
        .map(|line| Line {
            text: line.text.clone(),
            depth: indents.iter().position(|indent| *indent == line.indent).unwrap_or_default(),
            cells: Vec::new(),
        })
        .collect();
    for (at, one) in told.iter().enumerate() {
        let others: Vec<Report> = told
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != at)
            .map(|(_, other)| Report::clone(&other.kept.report))
            .collect();
        let report = &one.kept.report;
        let runs = one.runs();
        for (line, judged) in lines.iter_mut().zip(document.judge(report, &others, now)) {
            let behind = report.measures.iter().filter(|measure| judged.line.measures.contains(&measure.id));
            let mark = match judged.standing {
                Standing::Ticked => Mark::Ticked,
                Standing::NotMeasured => Mark::NotMeasured,
                Standing::Open => {
                    open_mark(behind.clone().map(|measure| measure.verdict), is_stale(report, now))
                }
            };
            line.cells.push(Cell {
                mark,
                evidence: if mark == Mark::NotMeasured {
                    "not measured: no measure stands for this line".to_owned()
                } else {
                    judged.evidence.replace("&lt;", "<")
                },
                at: judged.seen_at,
                measures: behind.map(|measure| measure_of(&runs, measure, pictures)).collect(),
            });
        }
    }
    lines
}

/// A line for each measure that some report has.
fn measures(told: &[Told], pictures: &Pictures, now: i64, wanted: impl Fn(MeasureId) -> bool) -> Vec<Line> {
    let has = |id: MeasureId, report: &Report| report.measures.iter().any(|measure| measure.id == id);
    let ids = MeasureId::ALL.into_iter().filter(|id| wanted(*id));
    ids.filter(|id| told.iter().any(|one| has(*id, &one.kept.report)))
        .map(|id| Line {
            text: format!("{id}: {}", id.sentence()),
            depth: 0,
            cells: told.iter().map(|one| cell(one, id, pictures, now)).collect(),
        })
        .collect()
}

fn cell(told: &Told, id: MeasureId, pictures: &Pictures, now: i64) -> Cell {
    let report = &told.kept.report;
    let Some(measure) = report.measures.iter().find(|measure| measure.id == id) else {
        return Cell { evidence: "was not in this run".to_owned(), ..Cell::default() };
    };
    let stale = is_stale(report, now);
    let mark = match measure.verdict {
        Verdict::Pass | Verdict::Superseded if !stale => Mark::Ticked,
        verdict => open_mark([verdict].into_iter(), stale),
    };
    Cell {
        mark,
        evidence: format!("{}: {}", word(measure.verdict), summary(measure)),
        at: Some(report.run.started_at),
        measures: vec![measure_of(&told.runs(), measure, pictures)],
    }
}

/// Why a box is open, the worst first.
fn open_mark(verdicts: impl Iterator<Item = Verdict> + Clone, stale: bool) -> Mark {
    let any = |wanted: Verdict| verdicts.clone().any(|verdict| verdict == wanted);
    if any(Verdict::Fail) {
        Mark::Failed
    } else if any(Verdict::NotProven) || verdicts.clone().next().is_none() {
        Mark::Open
    } else if any(Verdict::Waived) || any(Verdict::Delegated) || any(Verdict::NotApplicable) {
        Mark::SetAside
    } else if stale {
        Mark::Stale
    } else {
        // All of it holds here; it is another environment's report that is missing.
        Mark::Open
    }
}

fn environment(told: &Told, pictures: &Pictures, now: i64) -> Environment {
    let report = &told.kept.report;
    let (proven, measures) = ::audit::report::proven(report);
    Environment {
        // Old evidence proves nothing here, as it ticks nothing.
        proven: if is_stale(report, now) { 0 } else { proven },
        measures,
        name: report.run.environment.clone(),
        started_at: report.run.started_at,
        started: report.run.started.clone(),
        stale: is_stale(report, now),
        target: report.run.target.clone(),
        commit: report.run.commit.as_ref().map(|commit| commit.chars().take(12).collect()),
        digest: told.kept.digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        signature: match &report.signature {
            Some(_) => "signed; portcullis verify checks it".to_owned(),
            None => "not signed".to_owned(),
        },
        drift: drift(told),
        notes: report.run.notes.clone(),
        matrix: report.matrix.as_ref().map(pictures.matrix),
        history: (told.history.len() > 1).then(|| (pictures.runs)(&told.runs())),
        matrix_says: report.matrix.as_ref().map(matrix_in_words).unwrap_or_default(),
    }
}

fn matrix_in_words(matrix: &::audit::report::Matrix) -> String {
    let cells = || matrix.rows.iter().flat_map(|row| &row.cells);
    let count = |verdict: Verdict| cells().filter(|cell| cell.verdict == verdict).count();
    format!(
        "{} endpoints by {} kinds of credential: {} answered as they should, {} did not, {} could not be told.",
        matrix.rows.len(),
        matrix.attempts.len(),
        count(Verdict::Pass),
        count(Verdict::Fail),
        count(Verdict::NotProven)
    )
}

/// What changed since the run before: the report's own comparison where it has one, else that of the verdicts.
fn drift(told: &Told) -> Vec<Drift> {
    let report = &told.kept.report;
    if !report.drift.is_empty() {
        return report
            .drift
            .iter()
            .map(|drift| {
                let how = match drift.change {
                    Change::Regressed => "regressed",
                    Change::Fixed => "fixed",
                    Change::Stale => "stale",
                    Change::VantageLost => "vantage lost",
                };
                let says = |claim: &String| format!(", {}", spoken_by_id(report, drift.measure, claim));
                let claim = drift.claim.as_ref().map(says);
                let is = drift.is.map_or("gone", word);
                Drift {
                    how: how.to_owned(),
                    what: format!(
                        "{}{}: {}, now {is}",
                        drift.measure,
                        claim.unwrap_or_default(),
                        word(drift.was)
                    ),
                    worse: drift.change != Change::Fixed,
                }
            })
            .collect();
    }
    let [(_, now), (_, before), ..] = told.history.as_slice() else { return Vec::new() };
    changes(before, now)
        .into_iter()
        .map(|change| Drift {
            how: if change.worse { "regressed" } else { "fixed" }.to_owned(),
            what: format!("{}: {}, now {}", change.measure, word(change.was), word(change.is)),
            worse: change.worse,
        })
        .collect()
}

/// A measure whose verdict crossed the line between what one can live with and what one cannot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crossed {
    /// The measure's id.
    pub measure: String,
    /// Then.
    pub was: Verdict,
    /// Now.
    pub is: Verdict,
    /// Whether it is bad news.
    pub worse: bool,
}

/// What regressed and what was fixed between two runs. Measures that are in one of them alone are not compared.
pub fn changes(before: &Verdicts, now: &Verdicts) -> Vec<Crossed> {
    let good = |verdict: Verdict| !matches!(verdict, Verdict::Fail | Verdict::NotProven);
    let both = before.iter().filter_map(|(id, was)| now.get(id).map(|is| (id, *was, *is)));
    both.filter(|(_, was, is)| good(*was) != good(*is) || (*was != Verdict::Fail && *is == Verdict::Fail))
        .map(|(id, was, is)| Crossed { measure: id.clone(), was, is, worse: !good(is) })
        .collect()
}

fn is_stale(report: &Report, now: i64) -> bool {
    report.is_stale(now)
}

fn measure_of(runs: &[Report], measure: &Measure, pictures: &Pictures) -> board::Measure {
    board::Measure {
        id: measure.id.to_string(),
        sentence: measure.id.sentence().to_owned(),
        verdict: word(measure.verdict).to_owned(),
        mark: mark_of(measure.verdict),
        value: measure.value.clone(),
        claims: measure.claims.iter().map(|claim| claim_of(measure.id, claim)).collect(),
        history: (!runs.is_empty()).then(|| (pictures.history)(runs, measure.id)),
    }
}

fn mark_of(verdict: Verdict) -> Mark {
    match verdict {
        Verdict::Pass | Verdict::Superseded => Mark::Ticked,
        verdict => open_mark([verdict].into_iter(), false),
    }
}

fn claim_of(measure: MeasureId, claim: &Claim) -> board::Claim {
    let asvs = claim.asvs.iter().map(|id| format!("ASVS {id}"));
    let cwe = claim.cwe.iter().map(|number| format!("CWE-{number}"));
    board::Claim {
        sentence: spoken(measure, claim),
        verdict: word(claim.verdict).to_owned(),
        mark: mark_of(claim.verdict),
        seen: claim.evidence.iter().map(seen_of).collect(),
        remedy: claim.remedy.clone(),
        answers: asvs.chain(cwe).collect(),
    }
}

fn seen_of(evidence: &Evidence) -> board::Seen {
    let strength = match evidence.strength {
        Strength::Live => "live",
        Strength::Catalogue => "by a catalogue",
        Strength::Repository => "by what is written",
        Strength::Attestation => "by somebody's word",
    };
    let from = match evidence.vantage {
        Vantage::Http => "over HTTP",
        Vantage::Database => "in the database",
        Vantage::Files => "in files",
        Vantage::Configuration => "in the configuration",
        Vantage::Names => "by names",
        Vantage::Platform => "at the platform",
        Vantage::Outside => "from outside",
    };
    let exchange = match (&evidence.request, &evidence.response) {
        (None, None) => None,
        (request, response) => {
            let part = |text: &Option<String>| text.clone().unwrap_or_default();
            Some(format!("{}\n{}", part(request), part(response)).trim().to_owned())
        }
    };
    board::Seen {
        what: evidence.what.clone(),
        control: evidence.control.clone(),
        exchange,
        from: format!("{strength}, {from}"),
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::NotProven => "not proven",
        Verdict::NotApplicable => "not applicable",
        other => other.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const DAY: i64 = 86_400;
    const NO_PICTURES: Pictures = Pictures {
        style: "",
        matrix: |_| String::new(),
        runs: |runs| format!("{} runs", runs.len()),
        history: |runs, id| {
            let has = |run: &&Report| run.measures.iter().any(|measure| measure.id == id);
            format!("{} of {}, first {}", runs.iter().filter(has).count(), runs.len(), runs[0].run.started)
        },
    };

    fn told(
        environment: &str,
        started_at: i64,
        verdicts: &[(MeasureId, Verdict)],
        before: &[(MeasureId, Verdict)],
    ) -> Told {
        let by_id = |verdicts: &[(MeasureId, Verdict)]| -> Verdicts {
            verdicts.iter().map(|(id, verdict)| (id.to_string(), *verdict)).collect()
        };
        let mut report = Report { schema: 1, ..Report::default() };
        report.run.environment = environment.to_owned();
        report.run.started_at = started_at;
        report.measures = verdicts
            .iter()
            .map(|(id, verdict)| Measure {
                id: *id,
                line: String::new(),
                verdict: *verdict,
                claims: vec![
                    Claim::pass("every_value_was_read", vec![Evidence::http("200 <b>")]).but(*verdict),
                ],
                value: None,
            })
            .collect();
        let kept = Kept { digest: vec![0xab, 1], report: Arc::new(report) };
        Told { kept, history: vec![(started_at, by_id(verdicts)), (started_at - DAY, by_id(before))] }
    }

    #[test]
    fn each_line_stands_for_itself_in_each_environment() {
        use MeasureId::{A1, A9, G2, N2};
        let document = Document::parse(
            "- [ ] Passwords are hashed.\n- [ ] CORS for the frontend origin only.\n- [x] The coffee is hot.\n",
        );
        let all = [
            told("production", 1_000, &[(A1, Verdict::Pass), (N2, Verdict::Fail)], &[(N2, Verdict::Pass)]),
            told("staging", 1_000 - 40 * DAY, &[(A1, Verdict::Pass), (N2, Verdict::NotProven)], &[]),
        ];
        let shown = of(&all, Some(("measures.md", &document)), &NO_PICTURES, 1_000);
        let marks = |at: usize| -> Vec<Mark> { shown.lines[at].cells.iter().map(|cell| cell.mark).collect() };
        assert_eq!(marks(0), [Mark::Ticked, Mark::Stale]);
        assert_eq!(marks(1), [Mark::Failed, Mark::Open]);
        assert_eq!(marks(2), [Mark::NotMeasured, Mark::NotMeasured]);
        assert_eq!(shown.lines[0].text, "Passwords are hashed.");
        assert_eq!(shown.lines[0].cells[0].at, Some(1_000));
        let history = shown.lines[0].cells[0].measures[0].history.as_deref();
        assert_eq!(history, Some("1 of 2, first 1970-01-01T00:00:00Z"));
        assert_eq!(shown.environments[0].history.as_deref(), Some("2 runs"));
        assert!(shown.environments[1].stale && !shown.environments[0].stale);
        let counted = |at: usize| (shown.environments[at].proven, shown.environments[at].measures);
        assert_eq!((counted(0), counted(1)), ((1, 2), (0, 2)));
        assert_eq!(shown.environments[0].digest, "ab01");
        let drift = &shown.environments[0].drift;
        assert_eq!((drift.len(), drift[0].what.as_str()), (1, "N2: pass, now fail"));
        assert!(drift[0].worse);

        let without = of(&all, None, &NO_PICTURES, 1_000);
        assert_eq!(without.lines.len(), 2, "a line a measure");
        assert!(without.lines[0].text.starts_with("A1: "));
        let sentence = "every text and binary value of the store and the backend's database was read";
        assert_eq!(without.lines[0].cells[0].evidence, format!("pass: {sentence}: 200 <b>"));
        assert_eq!(without.lines[0].cells[0].measures[0].claims[0].sentence, sentence);
        assert_eq!(without.lines[0].cells[1].mark, Mark::Stale);
        let one_alone =
            [told("a", 0, &[(A9, Verdict::Pass)], &[]), told("b", 0, &[(G2, Verdict::Waived)], &[])];
        let apart = of(&one_alone, None, &NO_PICTURES, 0);
        assert_eq!(apart.lines[0].cells[1].mark, Mark::SetAside, "{:?}", apart.lines);
        assert_eq!(apart.lines[0].cells[0].evidence, "was not in this run");
    }

    #[test]
    fn what_crossed_the_line_is_news() {
        let verdicts = |all: &[(&str, Verdict)]| -> Verdicts {
            all.iter().map(|(id, verdict)| ((*id).to_owned(), *verdict)).collect()
        };
        let table = [
            (Verdict::Pass, Verdict::Pass, None),
            (Verdict::Pass, Verdict::Fail, Some(true)),
            (Verdict::Pass, Verdict::NotProven, Some(true)),
            (Verdict::NotProven, Verdict::Fail, Some(true)),
            (Verdict::Fail, Verdict::NotProven, None),
            (Verdict::Fail, Verdict::Pass, Some(false)),
            (Verdict::NotProven, Verdict::Delegated, Some(false)),
            (Verdict::Pass, Verdict::Waived, None),
        ];
        for (was, is, news) in table {
            let found = changes(&verdicts(&[("A1", was), ("A2", was)]), &verdicts(&[("A1", is), ("A3", is)]));
            assert_eq!(found.first().map(|change| change.worse), news, "{was} {is}");
            assert!(found.len() <= 1, "measures of one run alone are not compared");
        }
    }
}
