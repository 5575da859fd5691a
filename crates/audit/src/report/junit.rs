//! `--format junit`: JUnit XML as Jenkins, GitLab and GitHub's reporters read it. A suite is a measure, a case a claim.
//!
//! JUnit knows passed, failed and skipped. What is not proven is skipped here, with the reason: a reader that counts failures
//! alone would take it for sound, so the suite's properties carry the verdict and the exit code stays the gate.

use crate::report::shown::{escaped, sentence, word};
use crate::report::{Claim, Measure, Report};
use crate::verdict::Verdict;

/// The report as JUnit XML.
#[must_use]
pub fn render(report: &Report) -> String {
    let claims = || report.measures.iter().flat_map(|measure| &measure.claims);
    let failures = claims().filter(|claim| claim.verdict == Verdict::Fail).count();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\">\n",
        escaped(&format!("security measures, {}", report.run.environment)),
        claims().count()
    );
    for measure in &report.measures {
        text.push_str(&suite(report, measure));
    }
    text.push_str("</testsuites>\n");
    text
}

fn suite(report: &Report, measure: &Measure) -> String {
    let count =
        |wanted: fn(Verdict) -> bool| measure.claims.iter().filter(|claim| wanted(claim.verdict)).count();
    let mut text = format!(
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" timestamp=\"{}\">\n    <properties>\n",
        escaped(&format!("{} {}", measure.id, measure.line)),
        measure.claims.len(),
        count(|verdict| verdict == Verdict::Fail),
        count(skipped),
        report.run.started.trim_end_matches('Z'),
    );
    let mut properties = vec![
        ("measure", measure.id.to_string()),
        ("verdict", measure.verdict.to_string()),
        ("environment", report.run.environment.clone()),
    ];
    properties.extend(measure.value.clone().map(|value| ("x", value)));
    properties.extend(report.run.valid_until.clone().map(|until| ("valid_until", until)));
    for (name, value) in properties {
        text.push_str(&format!("      <property name=\"{name}\" value=\"{}\"/>\n", escaped(&value)));
    }
    text.push_str("    </properties>\n");
    for claim in &measure.claims {
        text.push_str(&case(measure, claim));
    }
    text.push_str("  </testsuite>\n");
    text
}

fn skipped(verdict: Verdict) -> bool {
    !matches!(verdict, Verdict::Pass | Verdict::Fail)
}

fn case(measure: &Measure, claim: &Claim) -> String {
    let head =
        format!("    <testcase classname=\"portcullis.{}\" name=\"{}\"", measure.id, escaped(&claim.id));
    let said = escaped(&said(claim));
    match claim.verdict {
        Verdict::Pass => format!("{head}/>\n"),
        Verdict::Fail => format!(
            "{head}>\n      <failure type=\"{}\" message=\"{}\">{said}</failure>\n    </testcase>\n",
            claim.verdict,
            escaped(&sentence(claim))
        ),
        verdict => {
            format!("{head}>\n      <skipped>{}: {said}</skipped>\n    </testcase>\n", escaped(word(verdict)))
        }
    }
}

/// What was claimed, seen and is to be done, a line each.
fn said(claim: &Claim) -> String {
    let mut lines = vec![sentence(claim)];
    for evidence in &claim.evidence {
        let control = evidence.control.as_ref().map(|control| format!(" ({control})")).unwrap_or_default();
        lines.push(format!("{}{control}", evidence.what));
    }
    if !claim.remedy.is_empty() {
        lines.push(format!("remedy: {}", claim.remedy));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn what_fails_fails_and_what_is_not_proven_is_skipped_with_its_reason() {
        let text = render(&sample::report());
        assert!(
            text.contains("<testsuites name=\"security measures, staging\" tests=\"7\" failures=\"1\""),
            "{text}"
        );
        assert!(
            text.contains("<failure type=\"fail\" message=\"no origin but the frontend&#39;s is let in\">")
        );
        assert!(text.contains("<skipped>not proven: an expired token is refused\nno token of an earlier run was kept\nremedy: run it"));
        assert!(text.contains("<testcase classname=\"portcullis.A10\" name=\"the_lifetime_is_bounded\"/>"));
        assert!(text.contains("timestamp=\"2026-11-24T16:00:00\""));
        assert!(!text.contains("<script>"), "{text}");
    }
}
