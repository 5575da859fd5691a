//! What an audit by schedule found is told as events: one for each measure and for each claim that regressed or was fixed
//! since the audit before, and one for the audit itself. An event names them by their ids, and repeats no evidence.

use super::super::board::{self, Crossed, Verdicts};
use ::audit::{Report, Verdict};

/// Tells what is news since `before`; without it only how the audit ended.
pub fn tell(before: Option<&Report>, report: &Report) {
    let environment = report.run.environment.as_str();
    let measures =
        before.map(|before| board::changes(&board::verdicts_of(before), &board::verdicts_of(report)));
    for Crossed { measure, was, is, worse } in measures.unwrap_or_default() {
        let (was, is) = (was.as_str(), is.as_str());
        if worse {
            tracing::warn!(target: "security", event = "measure_regressed", environment, measure, was, is);
        } else {
            tracing::info!(target: "security", event = "measure_fixed", environment, measure, was, is);
        }
    }
    // A measure that had failed already may have got worse all the same.
    let claims = before.map(|before| board::changes(&claims_of(before), &claims_of(report)));
    for Crossed { measure: claim, was, is, worse } in claims.unwrap_or_default() {
        let (was, is) = (was.as_str(), is.as_str());
        if worse {
            tracing::warn!(target: "security", event = "claim_regressed", environment, claim, was, is);
        } else {
            tracing::info!(target: "security", event = "claim_fixed", environment, claim, was, is);
        }
    }
    let count = |wanted| report.measures.iter().filter(|measure| measure.verdict == wanted).count();
    tracing::info!(
        target: "security",
        event = "audit_finished",
        environment,
        passed = count(Verdict::Pass),
        failed = count(Verdict::Fail),
        not_proven = count(Verdict::NotProven),
    );
}

/// An audit that came to no report.
pub fn failed(error: &str) {
    tracing::error!(event = "audit_failed", error, "the scheduled audit failed; it is tried again");
}

/// The verdict of each claim, by the name that a waiver calls it: `A4/backend_the_old_password_is_refused`.
fn claims_of(report: &Report) -> Verdicts {
    let claims = report.measures.iter().flat_map(|measure| {
        measure.claims.iter().map(|claim| (format!("{}/{}", measure.id, claim.id), claim.verdict))
    });
    claims.collect()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};

    use super::*;

    /// A report of these measures: id, verdict, and the verdict of its one claim, whose evidence holds a secret.
    fn report(measures: &[(&str, &str, &str)]) -> Report {
        let measures: Vec<Value> = measures
            .iter()
            .map(|(id, verdict, claim)| {
                json!({
                    "id": id,
                    "line": "a line",
                    "verdict": verdict,
                    "claims": [{
                        "id": "it_is_so",
                        "verdict": claim,
                        "evidence": [{"what": "s3cret", "vantage": "files", "strength": "repository"}],
                        "remedy": "change s3cret",
                    }],
                })
            })
            .collect();
        let report = json!({
            "schema": 1,
            "run": {
                "started": "2026-11-29T00:00:00Z",
                "started_at": 1_795_910_400,
                "environment": "staging",
                "vantages": ["files"],
                "target": "https://api.example.com",
                "issuer": "https://auth.example.com/",
                "version": "0.1.0",
                "id": "0f1e2d3c4b5a6978",
                "notes": [],
            },
            "measures": measures,
            "regressions": [],
        });
        Report::parse(report.to_string().as_bytes()).unwrap()
    }

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// The log's records, without their time, as `serve` writes them where no person reads.
    fn told(before: Option<&Report>, report: &Report) -> (Vec<Value>, String) {
        let log = Log::default();
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone());
        tracing::subscriber::with_default(subscriber.finish(), || tell(before, report));
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let record = |line: &str| {
            let mut record: Value = serde_json::from_str(line).unwrap();
            assert!(record["timestamp"].take().is_string(), "{line}");
            record
        };
        (text.lines().map(record).collect(), text)
    }

    #[test]
    fn each_finding_that_regressed_or_was_fixed_is_one_event_with_its_fields() {
        let before = report(&[
            ("A1", "pass", "pass"),
            ("A2", "fail", "fail"),
            ("A3", "not_proven", "not_proven"),
            ("A4", "pass", "pass"),
            ("A5", "fail", "pass"),
            ("A6", "fail", "fail"),
        ]);
        let after = report(&[
            ("A1", "fail", "fail"),
            ("A2", "pass", "pass"),
            ("A3", "fail", "fail"),
            ("A4", "pass", "pass"),
            // As bad as before, by another claim.
            ("A5", "fail", "not_proven"),
            ("A7", "fail", "fail"),
        ]);
        let event = |level: &str, event: &str, kind: &str, id: &str, was: &str, is: &str| {
            json!({
                "timestamp": null, "level": level, "target": "security", "event": event, "environment": "staging",
                kind: id, "was": was, "is": is,
            })
        };
        let regressed = |id: &str, was: &str, is: &str| {
            let (kind, name) = if id.contains('/') {
                ("claim", "claim_regressed")
            } else {
                ("measure", "measure_regressed")
            };
            event("WARN", name, kind, id, was, is)
        };
        let (records, text) = told(Some(&before), &after);
        assert_eq!(
            records,
            [
                regressed("A1", "pass", "fail"),
                event("INFO", "measure_fixed", "measure", "A2", "fail", "pass"),
                regressed("A3", "not_proven", "fail"),
                regressed("A1/it_is_so", "pass", "fail"),
                event("INFO", "claim_fixed", "claim", "A2/it_is_so", "fail", "pass"),
                regressed("A3/it_is_so", "not_proven", "fail"),
                regressed("A5/it_is_so", "pass", "not_proven"),
                json!({
                    "timestamp": null, "level": "INFO", "target": "security", "event": "audit_finished",
                    "environment": "staging", "passed": 2, "failed": 4, "not_proven": 0,
                }),
            ],
            "{text}"
        );
        assert!(!text.contains("s3cret"), "{text}");
        assert_eq!(told(None, &after).0.len(), 1, "nothing to compare with");
        assert_eq!(told(Some(&after), &after).0.len(), 1, "nothing new");
    }
}
