//! `--format badge`: one SVG, "security measures 12/14 proven, 2 d old". It says when its evidence is too old.

use crate::report::Report;
use crate::report::shown::{age, escaped, proven, stale};
use crate::verdict::Verdict;

const LABEL: &str = "security measures";

/// The badge at `now`. A badge is a file: whoever shows it renders it again, or its age stands still.
#[must_use]
pub fn render(report: &Report, now: i64) -> String {
    let (holds, all) = proven(report);
    let failed = report.measures.iter().any(|measure| measure.verdict == Verdict::Fail);
    let (message, colour) = match (stale(report, now), all) {
        (true, _) => (format!("stale: {} old", age(report, now)), "#6b7280"),
        (false, 0) => ("nothing was measured".to_owned(), "#6b7280"),
        (false, _) => {
            let colour = match (failed, holds == all) {
                (true, _) => "#b42318",
                (false, true) => "#1a7f37",
                (false, false) => "#9a6700",
            };
            (format!("{holds}/{all} proven, {} old", age(report, now)), colour)
        }
    };
    drawn(LABEL, &message, colour)
}

/// About as wide as a letter of Verdana at 11 px; `textLength` makes it exact in any font.
fn width(text: &str) -> usize {
    let units: usize = text.chars().map(|letter| if "il.,:/1 jt".contains(letter) { 5 } else { 7 }).sum();
    units + 10
}

fn drawn(label: &str, message: &str, colour: &str) -> String {
    let (left, right) = (width(label), width(message));
    let all = left + right;
    let (label, message) = (escaped(label), escaped(message));
    let text = |at: usize, wide: usize, text: &str| {
        format!("<text x=\"{}\" y=\"14\" textLength=\"{}\">{text}</text>", at + 5, wide - 10)
    };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{all}\" height=\"20\" role=\"img\" aria-label=\"{label}: {message}\">\
         <title>{label}: {message}</title><rect width=\"{all}\" height=\"20\" rx=\"3\" fill=\"#383d47\"/>\
         <path d=\"M{left} 0h{}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-{}z\" fill=\"{colour}\"/>\
         <g fill=\"#fff\" font-family=\"Verdana,DejaVu Sans,sans-serif\" font-size=\"11\">{}{}</g></svg>\n",
        right - 3,
        right - 3,
        text(0, left, &label),
        text(left, right, &message),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_badge_counts_and_knows_its_age() {
        let mut report = sample::report();
        let svg = render(&report, sample::STARTED + 2 * 86_400);
        assert!(svg.contains("security measures: 1/5 proven, 2 d old") && svg.contains("#b42318"), "{svg}");
        let svg = render(&report, sample::STARTED + 9 * 86_400);
        assert!(
            svg.contains("stale: 9 d old") && svg.contains("#6b7280") && !svg.contains("proven"),
            "{svg}"
        );
        report.measures.retain(|measure| measure.verdict == Verdict::Superseded);
        assert!(render(&report, sample::STARTED).contains("1/1 proven, 0 s old"));
        report.measures.clear();
        assert!(render(&report, sample::STARTED).contains("nothing was measured"));
    }
}
