//! `--format markdown` without a document: the run on one page, as a CI's step summary shows it.

use crate::report::shown::{age, cell, counted, mark, parts, path, spoken, stale, word};
use crate::report::text::asvs_counted;
use crate::report::{Change, Measure, Report, spoken_by_id, summary};
use crate::terminal::one_line;
use crate::verdict::Verdict;

/// The run as Markdown, at `now`.
#[must_use]
pub fn render(report: &Report, now: i64) -> String {
    let run = &report.run;
    let (own, beyond) = parts(report);
    let mut text = format!("# Security measures: {}\n\n", cell(&run.environment));
    text.push_str(&format!("{}, {} ({} old)", cell(&run.target), cell(&run.started), age(report, now)));
    if let Some(until) = &run.valid_until {
        text.push_str(&format!(", valid until {}", cell(until)));
    }
    if let Some(commit) = &run.commit {
        text.push_str(&format!(", commit `{}`", code(commit.get(..12).unwrap_or(commit))));
    }
    text.push_str("\n\n");
    if stale(report, now) {
        text.push_str("> **Stale:** this evidence is too old to prove anything today.\n\n");
    }
    text.push_str(&format!("**{}**\n\n", counted(own.iter().copied())));
    text.push_str(&table(&own));
    if !beyond.is_empty() {
        text.push_str(&format!("\n## Beyond the document\n\n**{}**\n\n", counted(beyond.iter().copied())));
        text.push_str(&table(&beyond));
    }
    text.push_str(&drift(report));
    text.push_str(&waivers(report));
    text.push_str(&remedies(report));
    if let Some(asvs) = &report.asvs {
        text.push_str(&format!("\n{}.\n", asvs_counted(asvs)));
    }
    if !run.notes.is_empty() {
        text.push('\n');
        for note in &run.notes {
            text.push_str(&format!("- Note: {}\n", cell(note)));
        }
    }
    text
}

fn table(measures: &[&Measure]) -> String {
    let mut text = String::from("| | | measure | seen |\n|---|---|---|---|\n");
    for measure in measures {
        let value = measure.value.as_ref().map(|value| format!(" (X: {value})")).unwrap_or_default();
        text.push_str(&format!(
            "| {} {} | {} | {} | {} |\n",
            mark(measure.verdict),
            word(measure.verdict),
            measure.id,
            cell(&format!("{}{value}", measure.line)),
            cell(&summary(measure))
        ));
    }
    text
}

fn drift(report: &Report) -> String {
    let mut rows = String::new();
    for drift in &report.drift {
        let change = match drift.change {
            Change::Regressed => "regressed",
            Change::Fixed => "fixed",
            Change::Stale => "stale",
            Change::VantageLost => "vantage lost",
        };
        let says = |claim: &String| format!(", {}", spoken_by_id(report, drift.measure, claim));
        let claim = drift.claim.as_ref().map(says).unwrap_or_default();
        rows.push_str(&format!(
            "| {change} | {} | {} | {} |\n",
            cell(&format!("{}{claim}", drift.measure)),
            word(drift.was),
            drift.is.map_or("gone", word)
        ));
    }
    if rows.is_empty() {
        return rows;
    }
    format!("\n## Since the earlier report\n\n| | what | was | is |\n|---|---|---|---|\n{rows}")
}

fn waivers(report: &Report) -> String {
    if report.waivers.is_empty() {
        return String::new();
    }
    let mut text =
        String::from("\n## Accepted\n\n| what | reason | by | until | counts |\n|---|---|---|---|---|\n");
    for waiver in &report.waivers {
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} |\n",
            cell(&waiver.of),
            cell(&waiver.reason),
            cell(&waiver.owner),
            cell(&waiver.expires),
            if waiver.applies { "yes" } else { "no longer" }
        ));
    }
    text
}

/// What to do, claim by claim.
fn remedies(report: &Report) -> String {
    let mut text = String::new();
    for measure in &report.measures {
        for claim in &measure.claims {
            if matches!(claim.verdict, Verdict::Fail | Verdict::NotProven) && !claim.remedy.is_empty() {
                text.push_str(&format!(
                    "- {} `{}`: {}. Remedy: {}\n",
                    mark(claim.verdict),
                    code(&path(measure, claim)),
                    cell(&spoken(measure.id, claim)),
                    cell(&claim.remedy)
                ));
            }
        }
    }
    if text.is_empty() { text } else { format!("\n## What to do\n\n{text}") }
}

/// Between two backticks.
fn code(text: &str) -> String {
    one_line(text).replace('`', "'")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn everything_has_its_place_and_nothing_breaks_it() {
        let text = render(&sample::report(), sample::STARTED + 2 * 86_400);
        for part in [
            "# Security measures: staging\n",
            "2026-11-24T16:00:00Z (2 d old), valid until 2026-12-01T16:00:00Z, commit `3f2c1ab94bd5`",
            "| ? not proven | A10 | The JWT expires after X minutes. (X: 15 min, access_token_lifetime) |",
            "| regressed | N2, no origin but the frontend's is let in | pass | fail |",
            "| A4 | adopted after the move | Ada | 2026-12-24T16:00:00Z | yes |",
            "- ✗ `N2/strangers_are_refused`: no origin but the frontend's is let in. Remedy: list",
            "ASVS 5.0.0: 2 requirements answered (1 not proven, 1 fail), 2 not.",
        ] {
            assert!(text.contains(part), "{part}\n\n{text}");
        }
        assert!(!text.contains("<script>") && !text.contains("Stale"), "{text}");
        assert!(render(&sample::report(), sample::STARTED + 8 * 86_400).contains("**Stale:**"));
    }
}
