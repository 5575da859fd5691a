//! `--format prometheus`: gauges in the text exposition format, for a node exporter's folder or a push gateway.
//!
//! 1 holds, 0 fails, -1 is not proven: an alert on `< 1` sees both, and a missing series is no pass.

use std::fmt::Write as _;

use crate::report::Report;
use crate::report::shown::valid_until;
use crate::verdict::Verdict;

/// Each gauge with its help.
const GAUGES: [(&str, &str); 5] = [
    (
        "portcullis_measure",
        "1: proven (or waived, delegated, superseded, not applicable: see the label), 0: disproved, -1: not proven.",
    ),
    ("portcullis_claim", "The same for each claim of a measure."),
    ("portcullis_report_timestamp_seconds", "When the evidence was gathered; its age is time() minus this."),
    ("portcullis_report_valid_until_seconds", "From then on the evidence proves nothing."),
    ("portcullis_asvs_requirements", "Requirements of OWASP ASVS by what the run says of them."),
];

/// The report as gauges.
#[must_use]
pub fn render(report: &Report) -> String {
    let environment = escaped(&report.run.environment);
    let mut text = String::new();
    for (name, help) in GAUGES {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        match name {
            "portcullis_measure" => {
                for measure in &report.measures {
                    let _ = writeln!(
                        text,
                        "{name}{{id=\"{}\",environment=\"{environment}\",verdict=\"{}\"}} {}",
                        measure.id,
                        measure.verdict,
                        value(measure.verdict)
                    );
                }
            }
            "portcullis_claim" => {
                for measure in &report.measures {
                    for claim in &measure.claims {
                        let _ = writeln!(
                            text,
                            "{name}{{measure=\"{}\",claim=\"{}\",environment=\"{environment}\",verdict=\"{}\"}} {}",
                            measure.id,
                            escaped(&claim.id),
                            claim.verdict,
                            value(claim.verdict)
                        );
                    }
                }
            }
            "portcullis_report_timestamp_seconds" => {
                let _ = writeln!(text, "{name}{{environment=\"{environment}\"}} {}", report.run.started_at);
            }
            "portcullis_report_valid_until_seconds" => {
                let _ = writeln!(text, "{name}{{environment=\"{environment}\"}} {}", valid_until(report));
            }
            _ => {
                for (verdict, count) in requirements(report) {
                    let _ = writeln!(
                        text,
                        "{name}{{environment=\"{environment}\",verdict=\"{verdict}\"}} {count}"
                    );
                }
            }
        }
    }
    text
}

fn value(verdict: Verdict) -> i8 {
    match verdict {
        Verdict::Fail => 0,
        Verdict::NotProven => -1,
        _ => 1,
    }
}

fn requirements(report: &Report) -> Vec<(String, usize)> {
    let Some(asvs) = &report.asvs else { return Vec::new() };
    let mut counts: Vec<(String, usize)> = crate::report::shown::VERDICTS
        .into_iter()
        .map(|verdict| {
            (verdict.to_string(), asvs.answered.iter().filter(|one| one.verdict == verdict).count())
        })
        .filter(|(_, count)| *count > 0)
        .collect();
    counts.push(("unanswered".into(), asvs.unanswered.len()));
    counts
}

/// A label's value: backslash, quote and line break are escaped.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn each_measure_and_claim_is_a_gauge() {
        let mut report = sample::report();
        report.run.environment = "a\"b\\c\nd".into();
        let text = render(&report);
        let environment = "environment=\"a\\\"b\\\\c\\nd\"";
        for line in [
            format!("portcullis_measure{{id=\"N2\",{environment},verdict=\"fail\"}} 0"),
            format!("portcullis_measure{{id=\"A10\",{environment},verdict=\"not_proven\"}} -1"),
            format!(
                "portcullis_claim{{measure=\"A10\",claim=\"the_lifetime_is_bounded\",{environment},verdict=\"pass\"}} 1"
            ),
            format!("portcullis_report_timestamp_seconds{{{environment}}} 1795536000"),
            format!("portcullis_report_valid_until_seconds{{{environment}}} 1796140800"),
            format!("portcullis_asvs_requirements{{{environment},verdict=\"unanswered\"}} 2"),
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n\n{text}");
        }
    }
}
