//! `--format json`: the contract's form, which [`Report::parse`](crate::report::Report::parse) reads again.

use crate::report::Report;

/// The report as JSON, with a final newline.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut text = serde_json::to_string_pretty(report).unwrap_or_default();
    text.push('\n');
    text
}
