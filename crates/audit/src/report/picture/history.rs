//! How the measures stood, run by run.

use std::fmt::Write as _;

use super::svg;
use crate::measures::MeasureId;
use crate::report::Report;
use crate::report::shown::{class, escaped, mark, word};
use crate::verdict::Verdict;

/// Not more runs than these, the latest.
const RUNS: usize = 60;
const HEIGHT: usize = 120;
const TOP: usize = 14;
const LEFT: usize = 34;
/// How verdicts are stacked, the sound ones below; with what a legend calls them.
const STACK: [(&str, char, &str); 5] = [
    ("holds", '✓', "proven"),
    ("aside", '~', "waived or delegated"),
    ("none", '–', "not applicable"),
    ("open", '?', "not proven"),
    ("fails", '✗', "failed"),
];

/// A column a run, the oldest first: how many measures were proven, set aside, open, and failed.
#[must_use]
pub fn history_svg(reports: &[Report]) -> String {
    let reports = latest(reports);
    let most = reports.iter().map(|report| report.measures.len()).max().unwrap_or(0).max(1);
    let column = column(reports.len(), 28);
    let legend = STACK.map(|(_, mark, said)| format!("{mark} {said}")).join("   ");
    let width = (LEFT + reports.len() * column + 10).max(legend.chars().count() * 7 + 40);
    let bottom = TOP + HEIGHT;
    let mut inside = format!(
        "<path class=\"axis\" d=\"M{LEFT} {TOP}V{bottom}H{}\"/><text class=\"quiet\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{most}</text>\
         <text class=\"quiet\" x=\"{}\" y=\"{bottom}\" text-anchor=\"end\">0</text>",
        width - 10,
        LEFT - 5,
        TOP + 8,
        LEFT - 5
    );
    for (at, report) in reports.iter().enumerate() {
        let x = LEFT + at * column + 2;
        let mut below = 0;
        let mut said = Vec::new();
        let mut bars = String::new();
        for (name, sign, words) in STACK {
            let count = report.measures.iter().filter(|measure| class(measure.verdict) == name).count();
            if count == 0 {
                continue;
            }
            let (low, high) = (below * HEIGHT / most, (below + count) * HEIGHT / most);
            let y = bottom - high;
            let _ = write!(
                bars,
                "<rect class=\"{name}\" x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\"/>",
                column - 4,
                high - low
            );
            if column >= 16 && high - low >= 12 {
                let _ = write!(
                    bars,
                    "<text class=\"{name}\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{sign}</text>",
                    x + (column - 4) / 2,
                    y + (high - low) / 2 + 4
                );
            }
            said.push(format!("{count} {words}"));
            below += count;
        }
        let _ = write!(
            inside,
            "<g><title>{}</title>{bars}</g>",
            escaped(&format!("{}: {}", report.run.started, said.join(", ")))
        );
    }
    inside.push_str(&days(reports, column, bottom + 16));
    let _ = write!(
        inside,
        "<text class=\"quiet\" x=\"{LEFT}\" y=\"{}\">{}</text>",
        bottom + 36,
        escaped(&legend)
    );
    svg(width, bottom + 44, &format!("The measures over the last {} runs", reports.len()), &inside)
}

/// One measure's verdict run by run, the oldest first, in one row of signs.
#[must_use]
pub fn measure_history_svg(reports: &[Report], id: MeasureId) -> String {
    let reports = latest(reports);
    let column = column(reports.len(), 22);
    let mut inside = String::new();
    for (at, report) in reports.iter().enumerate() {
        let x = at * column + 1;
        let verdict = report.measures.iter().find(|measure| measure.id == id).map(|measure| measure.verdict);
        let (class, sign, said) = verdict.map_or(("none", ' ', "not in this run"), shown);
        let _ = write!(
            inside,
            "<g><title>{}</title><rect class=\"{class}\" x=\"{x}\" y=\"1\" width=\"{}\" height=\"20\" rx=\"2\"/>\
             <text class=\"{class}\" x=\"{}\" y=\"15\" text-anchor=\"middle\">{sign}</text></g>",
            escaped(&format!("{}: {said}", report.run.started)),
            column - 2,
            x + (column - 2) / 2
        );
    }
    let width = (reports.len() * column + 2).max(24);
    svg(width, 22, &format!("{id} over the last {} runs", reports.len()), &inside)
}

fn shown(verdict: Verdict) -> (&'static str, char, &'static str) {
    (class(verdict), mark(verdict), word(verdict))
}

fn latest(reports: &[Report]) -> &[Report] {
    reports.get(reports.len().saturating_sub(RUNS)..).unwrap_or(reports)
}

/// Narrower where there are many.
fn column(runs: usize, widest: usize) -> usize {
    (900 / runs.max(1)).clamp(14, widest)
}

/// The days of the first and of the last run.
fn days(reports: &[Report], column: usize, y: usize) -> String {
    let day = |report: &Report| escaped(report.run.started.get(..10).unwrap_or_default());
    let mut text = String::new();
    if let Some(first) = reports.first() {
        let _ = write!(text, "<text class=\"quiet\" x=\"{LEFT}\" y=\"{y}\">{}</text>", day(first));
    }
    // Beside the first there is room only when the columns reach far enough.
    if reports.len() * column > 160
        && let Some(last) = reports.last()
    {
        let x = LEFT + reports.len() * column;
        let _ = write!(
            text,
            "<text class=\"quiet\" x=\"{x}\" y=\"{y}\" text-anchor=\"end\">{}</text>",
            day(last)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_column_a_run_says_in_words_what_it_shows() {
        let svg = history_svg(&[sample::earlier(), sample::report()]);
        assert!(
            svg.contains(
                "<title>2026-11-24T16:00:00Z: 1 proven, 2 waived or delegated, 1 not applicable, 1 not proven, 1 failed</title>"
            ),
            "{svg}"
        );
        assert!(svg.contains("<title>The measures over the last 2 runs</title>") && !svg.contains("style="));
        let many = vec![sample::report(); 200];
        assert_eq!(history_svg(&many).matches("<g>").count(), RUNS);
        assert!(history_svg(&[]).contains("last 0 runs"));
    }

    #[test]
    fn one_measure_is_a_row_of_signs() {
        let svg = measure_history_svg(&[sample::earlier(), sample::report()], MeasureId::N2);
        assert!(
            svg.contains("2026-11-23T16:00:00Z: pass") && svg.contains("2026-11-24T16:00:00Z: fail"),
            "{svg}"
        );
        assert!(measure_history_svg(&[sample::report()], MeasureId::G1).contains("not in this run"));
    }
}
