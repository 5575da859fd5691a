//! `--format markdown`: the team's document, its sentences word for word, boxes by evidence (`document::render`); without
//! one the measures on one page.

use crate::document::{self, Document};
use crate::report::{Report, overview};

/// The document with its boxes set by evidence, and one line of evidence below each; behind it what it does not speak
/// of, and what of it is not measured. `with` are reports of other environments (`--with`).
#[must_use]
pub fn render(document: Option<&Document>, report: &Report, with: &[Report]) -> String {
    render_at(document, report, with, report.run.started_at)
}

/// The same at a time (Unix seconds) after the run: evidence that is old by then ticks nothing.
#[must_use]
pub fn render_at(document: Option<&Document>, report: &Report, with: &[Report], now: i64) -> String {
    match document {
        Some(document) => document::printed(document, report, with, now),
        None => overview::render(report, now),
    }
}
