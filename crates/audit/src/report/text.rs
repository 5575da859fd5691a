//! `--format text`: short, for people.

use crate::report::{Report, summary};
use crate::verdict::Verdict;

/// The report for a terminal; `coloured` only where it is one.
#[must_use]
pub fn render(report: &Report, coloured: bool) -> String {
    let run = &report.run;
    let mut text = format!("{} ({}), {}\n", run.target, run.environment, run.started);
    if let Some(challenge) = &run.challenge {
        text.push_str(&format!("challenge: {challenge}\n"));
    }
    text.push('\n');
    for measure in &report.measures {
        let verdict = painted(measure.verdict, coloured);
        text.push_str(&format!("{verdict}  {:<3}  {}\n", measure.id.as_str(), measure.line));
        if let Some(value) = &measure.value {
            text.push_str(&format!("{:19}X is {value}\n", ""));
        }
        if measure.verdict == Verdict::Pass || measure.claims.is_empty() {
            continue;
        }
        text.push_str(&format!("{:19}{}\n", "", summary(measure).replace('\n', " ")));
        let remedy = measure
            .claims
            .iter()
            .filter(|claim| claim.verdict == measure.verdict && !claim.remedy.is_empty())
            .map(|claim| claim.remedy.as_str())
            .next();
        if let Some(remedy) = remedy {
            text.push_str(&format!("{:19}remedy: {remedy}\n", ""));
        }
    }
    text.push('\n');
    for note in &run.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    for regression in &report.regressions {
        let claim = regression.claim.as_deref().map(|claim| format!(" {claim}")).unwrap_or_default();
        let now = regression.is.map_or("gone", Verdict::as_str);
        text.push_str(&format!(
            "worse than before: {}{claim}: {}, now {now}\n",
            regression.measure, regression.was
        ));
    }
    let counts = [
        Verdict::Pass,
        Verdict::Fail,
        Verdict::NotProven,
        Verdict::Waived,
        Verdict::Superseded,
        Verdict::Delegated,
        Verdict::NotApplicable,
    ]
    .into_iter()
    .map(|verdict| (verdict, report.measures.iter().filter(|measure| measure.verdict == verdict).count()))
    .filter(|(_, count)| *count > 0)
    .map(|(verdict, count)| format!("{count} {}", verdict.as_str().replace('_', " ")))
    .collect::<Vec<_>>();
    text.push_str(&format!("{}\n", counts.join(", ")));
    text
}

/// The verdict in a column of its own.
fn painted(verdict: Verdict, coloured: bool) -> String {
    let word = format!("{:<12}", verdict.as_str().replace('_', " "));
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
