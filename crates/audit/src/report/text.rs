//! `--format text`: short, for people at a terminal; colours only where it is one.

use crate::document::Document;
use crate::measures::MeasureId;
use crate::report::shown::{counted, parts, word};
use crate::report::{Change, Measure, Report, spoken_by_id, summary};
use crate::terminal::one_line;
use crate::verdict::Verdict;

/// Columns before a line that explains the one above it.
const INDENT: &str = "                     ";

/// The report for a terminal. With the document, the lines that no measure stands for are listed.
#[must_use]
pub fn render(report: &Report, document: Option<&Document>, coloured: bool) -> String {
    let mut text = head(report);
    let (own, beyond) = parts(report);
    for measure in own {
        text.push_str(&told(measure, coloured));
    }
    if !beyond.is_empty() {
        text.push_str("\nBeyond the document\n");
        for measure in &beyond {
            text.push_str(&told(measure, coloured));
        }
    }
    text.push_str(&changes(report));
    if !report.waivers.is_empty() {
        text.push_str("\nAccepted\n");
        for waiver in &report.waivers {
            let state = if waiver.applies { "" } else { " (no longer counts)" };
            text.push_str(&format!(
                "  {} until {}, by {}: {}{state}\n",
                one_line(&waiver.of),
                one_line(&waiver.expires),
                one_line(&waiver.owner),
                one_line(&waiver.reason)
            ));
        }
    }
    let unmeasured = document.map(not_measured).unwrap_or_default();
    if !unmeasured.is_empty() {
        text.push_str("\nLines of the document that no measure stands for\n");
        for (number, line) in unmeasured {
            text.push_str(&format!("  line {number}: {}\n", one_line(line)));
        }
    }
    text.push('\n');
    for note in &report.run.notes {
        text.push_str(&format!("note: {}\n", one_line(note)));
    }
    if let Some(asvs) = &report.asvs {
        text.push_str(&format!("{}\n", asvs_counted(asvs)));
    }
    let (own, beyond) = parts(report);
    text.push_str(&counted(own));
    if !beyond.is_empty() {
        text.push_str(&format!("; beyond the document: {}", counted(beyond)));
    }
    text.push('\n');
    text
}

fn head(report: &Report) -> String {
    let run = &report.run;
    let mut text =
        format!("{} ({}), {}", one_line(&run.target), one_line(&run.environment), one_line(&run.started));
    if let Some(until) = &run.valid_until {
        text.push_str(&format!(", valid until {}", one_line(until)));
    }
    if let Some(commit) = &run.commit {
        text.push_str(&format!(", commit {}", one_line(commit.get(..12).unwrap_or(commit))));
    }
    text.push('\n');
    if let Some(challenge) = &run.challenge {
        text.push_str(&format!("challenge: {}\n", one_line(challenge)));
    }
    text.push('\n');
    text
}

/// One measure: its verdict, its line, and where it does not hold, why and what to do.
fn told(measure: &Measure, coloured: bool) -> String {
    let verdict = painted(measure.verdict, coloured);
    let mut text = format!("{verdict}  {:<3}  {}\n", measure.id.as_str(), one_line(&measure.line));
    if let Some(value) = &measure.value {
        text.push_str(&format!("{INDENT}X is {}\n", one_line(value)));
    }
    if measure.verdict == Verdict::Pass || measure.claims.is_empty() {
        return text;
    }
    text.push_str(&format!("{INDENT}{}\n", one_line(&summary(measure))));
    let remedy = measure
        .claims
        .iter()
        .filter(|claim| claim.verdict == measure.verdict && !claim.remedy.is_empty())
        .map(|claim| claim.remedy.as_str())
        .next();
    if let Some(remedy) = remedy {
        text.push_str(&format!("{INDENT}remedy: {}\n", one_line(remedy)));
    }
    text
}

/// What `--since` found.
fn changes(report: &Report) -> String {
    let mut text = String::new();
    let of = |measure: MeasureId, claim: &Option<String>| {
        let says = |claim: &str| format!(", {}", one_line(&spoken_by_id(report, measure, claim)));
        claim.as_deref().map(says).unwrap_or_default()
    };
    for regression in &report.regressions {
        let now = regression.is.map_or("gone", word);
        text.push_str(&format!(
            "  worse than before: {}{}: {}, now {now}\n",
            regression.measure,
            of(regression.measure, &regression.claim),
            word(regression.was)
        ));
    }
    for drift in &report.drift {
        let said = match drift.change {
            // Said above, with those that an older report knows of.
            Change::Regressed
                if report
                    .regressions
                    .iter()
                    .any(|said| said.measure == drift.measure && said.claim == drift.claim) =>
            {
                continue;
            }
            Change::Regressed => "worse than before",
            Change::Fixed => "better than before",
            Change::Stale => "evidence too old",
            Change::VantageLost => "no longer seen from where it was seen",
        };
        let now = drift.is.map_or("gone", word);
        text.push_str(&format!(
            "  {said}: {}{}: {}, now {now}\n",
            drift.measure,
            of(drift.measure, &drift.claim),
            word(drift.was)
        ));
    }
    if text.is_empty() { text } else { format!("\nSince the earlier report\n{text}") }
}

/// The check-box lines that stand for nothing that is measured: number and text.
pub(crate) fn not_measured(document: &Document) -> Vec<(usize, &str)> {
    let unmeasured =
        document.lines().iter().filter(|line| line.measures.is_empty() && line.replaced_by.is_none());
    unmeasured.map(|line| (line.number, line.text.as_str())).collect()
}

/// `ASVS 5.0.0: 2 requirements answered (1 fail, 1 not proven), 2 not`.
pub(crate) fn asvs_counted(asvs: &crate::report::Asvs) -> String {
    let counts = super::shown::VERDICTS.into_iter().filter_map(|verdict| {
        let count = asvs.answered.iter().filter(|answered| answered.verdict == verdict).count();
        (count > 0).then(|| format!("{count} {}", word(verdict)))
    });
    let counts = counts.collect::<Vec<_>>().join(", ");
    let counts = if counts.is_empty() { counts } else { format!(" ({counts})") };
    format!(
        "ASVS {}: {} requirements answered{counts}, {} not",
        asvs.edition,
        asvs.answered.len(),
        asvs.unanswered.len()
    )
}

/// The verdict in a column of its own.
fn painted(verdict: Verdict, coloured: bool) -> String {
    let word = format!("{:<14}", word(verdict));
    if !coloured {
        return word;
    }
    let colour = match verdict {
        Verdict::Pass | Verdict::Superseded => 32,
        Verdict::Fail => 31,
        Verdict::NotProven => 33,
        Verdict::Waived | Verdict::Delegated | Verdict::NotApplicable => 36,
    };
    format!("\u{1b}[{colour}m{word}\u{1b}[0m")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn everything_has_its_place() {
        let document = Document::parse("- [ ] CORS for the frontend only.\n- [ ] Lunch is at noon.\n");
        let text = render(&sample::report(), Some(&document), false);
        for line in [
            "https://api.internal.example (staging), 2026-11-24T16:00:00Z, valid until 2026-12-01T16:00:00Z, commit 3f2c1ab94bd5",
            "challenge: 7f3a",
            "not proven      A10  The JWT expires after X minutes.",
            "                     an expired token is refused: no token of an earlier run was kept",
            "                     X is 15 min, access_token_lifetime",
            "                     remedy: run it again after the token's end",
            "  worse than before: N2, no origin but the frontend's is let in: pass, now fail",
            "  better than before: A10, a token lives no longer than configured: not proven, now pass",
            "  A4 until 2026-12-24T16:00:00Z, by Ada: adopted after the move",
            "  line 2: Lunch is at noon.",
            "ASVS 5.0.0: 2 requirements answered (1 not proven, 1 fail), 2 not",
            "1 superseded, 1 delegated, 1 waived, 1 not applicable, 1 not proven, 1 fail",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n\n{text}");
        }
        assert!(!text.contains('\u{1b}'));
        let mut hostile = sample::report();
        hostile.run.target = "a\n\u{1b}[2J".into();
        hostile.run.notes = vec!["a\nnote: b".into()];
        let text = render(&hostile, None, false);
        assert!(text.starts_with("a \\u{1b}[2J (staging)") && text.contains("\nnote: a note: b\n"), "{text}");
        assert!(render(&sample::report(), None, true).contains("\u{1b}[31mfail"));
    }
}
