//! `--format text`: short, for people.

use crate::report::Report;

/// The report for a terminal; `coloured` only where it is one.
#[must_use]
pub fn render(report: &Report, coloured: bool) -> String {
    let _ = coloured;
    report.run.target.clone()
}
