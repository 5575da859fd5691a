//! `--format difference`: what changed since an earlier report, in Markdown: the comment under a pull request.

use crate::report::shown::{cell, counted, mark, parts, spoken, word};
use crate::report::{Measure, Report};
use crate::verdict::Verdict;

/// Stands in the text unseen, so that the next run finds the comment and replaces it.
pub const MARKER: &str = "<!-- portcullis:difference -->";

/// One measure or claim whose verdict is another.
struct Changed {
    /// Markdown already.
    what: String,
    was: Option<Verdict>,
    is: Option<Verdict>,
    why: String,
}

impl Changed {
    /// 0 worse, 1 better, 2 new or gone; the order of the table.
    fn rank(&self) -> u8 {
        let good = |verdict: Option<Verdict>| {
            verdict.is_some_and(|verdict| !matches!(verdict, Verdict::Fail | Verdict::NotProven))
        };
        match (self.was, self.is) {
            (_, Some(Verdict::Fail)) => 0,
            (was, Some(_)) if good(was) && !good(self.is) => 0,
            (Some(Verdict::Pass), Some(Verdict::Waived)) => 0,
            (Some(was), None) if good(Some(was)) => 0,
            (Some(_), Some(_)) => 1,
            _ => 2,
        }
    }
}

/// What changed between two reports. Measures that only one of them looked at (`--only`) are not compared.
#[must_use]
pub fn render(report: &Report, earlier: Option<&Report>) -> String {
    let mut text = format!("{MARKER}\n### Security measures: {}\n\n", cell(&report.run.environment));
    let (own, beyond) = parts(report);
    text.push_str(&format!("{}.", counted(own)));
    if !beyond.is_empty() {
        text.push_str(&format!(" Beyond the document: {}.", counted(beyond)));
    }
    text.push_str("\n\n");
    let Some(earlier) = earlier else {
        text.push_str("There is no earlier report to compare with.\n\n");
        text.push_str(&open(report));
        return text;
    };
    let mut changed = changed(report, earlier);
    changed.sort_by_key(Changed::rank);
    if changed.is_empty() {
        text.push_str(&format!("Nothing changed since {}.\n", cell(&earlier.run.started)));
        return text;
    }
    text.push_str(&format!(
        "Since {}:\n\n| | what | was | is | why |\n|---|---|---|---|---|\n",
        cell(&earlier.run.started)
    ));
    let shown =
        |verdict: Option<Verdict>| verdict.map_or_else(|| "–".to_owned(), |verdict| word(verdict).to_owned());
    for one in &changed {
        let sign = match (one.rank(), one.was, one.is) {
            (0, ..) => "worse",
            (_, None, _) => "new",
            (_, _, None) => "gone",
            _ => "better",
        };
        text.push_str(&format!(
            "| {sign} | {} | {} | {} | {} |\n",
            one.what,
            shown(one.was),
            shown(one.is),
            cell(&one.why)
        ));
    }
    text
}

/// What is not proven at all, where nothing can be compared.
fn open(report: &Report) -> String {
    let mut text = String::new();
    for measure in &report.measures {
        if matches!(measure.verdict, Verdict::Fail | Verdict::NotProven) {
            text.push_str(&format!(
                "- {} {} {}: {}\n",
                mark(measure.verdict),
                measure.id,
                word(measure.verdict),
                cell(&crate::report::summary(measure))
            ));
        }
    }
    text
}

fn changed(report: &Report, earlier: &Report) -> Vec<Changed> {
    let mut changed = Vec::new();
    for is in &report.measures {
        let Some(was) = earlier.measures.iter().find(|other| other.id == is.id) else { continue };
        if was.verdict != is.verdict {
            changed.push(Changed {
                what: format!("**{}** {}", is.id, cell(&is.line)),
                was: Some(was.verdict),
                is: Some(is.verdict),
                why: crate::report::summary(is),
            });
        }
        changed.extend(claims(was, is));
    }
    changed
}

fn claims(was: &Measure, is: &Measure) -> Vec<Changed> {
    let mut changed = Vec::new();
    for claim in &is.claims {
        let before = was.claims.iter().find(|other| other.id == claim.id).map(|other| other.verdict);
        if before != Some(claim.verdict) {
            changed.push(Changed {
                what: format!("{} {}", is.id, cell(&spoken(is.id, claim))),
                was: before,
                is: Some(claim.verdict),
                why: claim.evidence.first().map(|evidence| evidence.what.clone()).unwrap_or_default(),
            });
        }
    }
    for claim in &was.claims {
        if !is.claims.iter().any(|other| other.id == claim.id) {
            changed.push(Changed {
                what: format!("{} {}", is.id, cell(&spoken(is.id, claim))),
                was: Some(claim.verdict),
                is: None,
                why: "this claim is no longer made".into(),
            });
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_worse_comes_first_and_nothing_breaks_the_table() {
        let text = render(&sample::report(), Some(&sample::earlier()));
        assert!(text.starts_with(MARKER));
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
        assert_eq!(rows.len(), 3, "{text}");
        assert!(
            rows[0].starts_with("| worse | **N2** CORS") && rows[0].contains("| pass | fail |"),
            "{text}"
        );
        assert!(rows[1].contains("no origin but the frontend's is let in"), "{text}");
        assert!(
            rows[2]
                .starts_with("| better | A10 a token lives no longer than configured | not proven | pass |")
        );
        assert!(!text.contains("<script>"), "{text}");
        for row in rows {
            assert_eq!(row.replace("\\|", "").matches('|').count(), 6, "{row}");
        }
    }

    #[test]
    fn nothing_changed_and_nothing_to_compare_with_are_said() {
        let report = sample::report();
        assert!(render(&report, Some(&report)).contains("Nothing changed since 2026-11-24T16:00:00Z."));
        let text = render(&report, None);
        assert!(text.contains("no earlier report") && text.contains("- ✗ N2 fail: "), "{text}");
    }

    #[test]
    fn a_claim_that_is_gone_is_worse_than_before() {
        let mut now = sample::earlier();
        for measure in &mut now.measures {
            measure.claims.retain(|claim| claim.id != "strangers_are_refused");
        }
        let text = render(&now, Some(&sample::earlier()));
        assert!(text.contains("| worse | N2 no origin but the frontend's is let in | pass | – |"), "{text}");
    }
}
