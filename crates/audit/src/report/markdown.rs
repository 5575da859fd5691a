//! `--format markdown`: the team's document, its sentences word for word, boxes by evidence.

use crate::document::{Document, EVIDENCE, Line};
use crate::report::{Measure, Report, summary};
use crate::verdict::Verdict;

/// Reports of other environments count for this long, in seconds: a month.
const FRESH: i64 = 30 * 86_400;
const NO_MEASURE: &str = "no measure stands for this line";

/// The document with its boxes set by evidence, and one line of evidence below each. `with` are reports of other
/// environments (`--with`). Without a document, a list of the measures.
#[must_use]
pub fn render(document: Option<&Document>, report: &Report, with: &[Report]) -> String {
    let Some(document) = document else { return list(report) };
    let mut text = String::new();
    let mut at = 0;
    for line in document.lines() {
        for raw in document.raw.iter().take(line.number - 1).skip(at) {
            text.push_str(raw);
            text.push('\n');
        }
        let ticked = ticked(document, line, report, with);
        for (offset, raw) in document.raw.iter().skip(line.number - 1).take(line.height).enumerate() {
            match (offset, raw.get(..line.mark), raw.get(line.mark + 1..)) {
                (0, Some(before), Some(after)) => {
                    text.push_str(before);
                    text.push(if ticked { 'x' } else { ' ' });
                    text.push_str(after);
                }
                _ => text.push_str(raw),
            }
            text.push('\n');
        }
        let indent: String =
            document.raw[line.number - 1].chars().take_while(|c| c.is_whitespace()).collect();
        text.push_str(&format!("{indent}  {EVIDENCE}{}\n", said(document, line, report, with)));
        at = line.number - 1 + line.height;
    }
    for raw in document.raw.iter().skip(at) {
        text.push_str(raw);
        text.push('\n');
    }
    text
}

fn list(report: &Report) -> String {
    let mut text = format!("# Measures\n\n> {}, {}\n\n", report.run.target, report.run.started);
    for measure in &report.measures {
        let mark = if holds(measure) { 'x' } else { ' ' };
        text.push_str(&format!("- [{mark}] {}\n  {EVIDENCE}{}\n", measure.line, told(measure)));
    }
    text
}

fn holds(measure: &Measure) -> bool {
    matches!(measure.verdict, Verdict::Pass | Verdict::Superseded)
}

/// Ticked when all of its measures pass, in every environment that it tells apart; a replaced line with its successor.
fn ticked(document: &Document, line: &Line, report: &Report, with: &[Report]) -> bool {
    if let Some(successor) = line.replaced_by.and_then(|at| document.lines().get(at)) {
        return ticked(document, successor, report, with);
    }
    if line.measures.is_empty() {
        return false;
    }
    let all_in = |report: &Report| {
        let found: Vec<_> = line
            .measures
            .iter()
            .filter_map(|id| report.measures.iter().find(|measure| measure.id == *id))
            .collect();
        found.len() == line.measures.len()
            && found.iter().all(|measure| holds(measure) || measure.verdict == Verdict::NotApplicable)
            && found.iter().any(|measure| holds(measure))
    };
    if line.environments.is_empty() {
        return all_in(report);
    }
    line.environments.iter().all(|environment| {
        let fresh = |other: &&Report| report.run.started_at - other.run.started_at <= FRESH;
        std::iter::once(report)
            .chain(with)
            .filter(|other| other.run.environment == *environment)
            .filter(fresh)
            .any(all_in)
    })
}

fn said(document: &Document, line: &Line, report: &Report, with: &[Report]) -> String {
    let measure = |id| report.measures.iter().find(|measure| measure.id == id);
    if let Some(successor) = line.replaced_by.and_then(|at| document.lines().get(at)) {
        let mut parts: Vec<String> = line
            .own
            .iter()
            .map(|id| match measure(*id) {
                Some(measure) => format!("{id} {}", measure.verdict),
                None => format!("{id} was not in this run"),
            })
            .collect();
        if parts.is_empty() {
            parts.push(NO_MEASURE.into());
        }
        let state = if ticked(document, successor, report, with) { "ticked" } else { "open" };
        parts.push(format!("replaced by line {}, which is {state}", successor.number));
        return parts.join("; ");
    }
    if line.measures.is_empty() {
        return NO_MEASURE.into();
    }
    let mut parts: Vec<String> = line
        .measures
        .iter()
        .map(|id| measure(*id).map_or_else(|| format!("{id} was not in this run"), told))
        .collect();
    let missing: Vec<&str> = line
        .environments
        .iter()
        .copied()
        .filter(|name| !std::iter::once(report).chain(with).any(|other| other.run.environment == *name))
        .collect();
    if !missing.is_empty() {
        parts.push(format!("no report of {}", missing.join(", ")));
    }
    parts.join("; ")
}

fn told(measure: &Measure) -> String {
    let value = measure.value.as_ref().map(|value| format!(" (X: {value})")).unwrap_or_default();
    format!("{} {}{value}: {}", measure.id, measure.verdict, summary(measure)).replace(['\n', '\r'], " ")
}
