//! `--format oscal`: OSCAL assessment results (NIST), for auditors' tools.
//!
//! OSCAL knows `satisfied` and `not-satisfied`. What is not proven is `not-satisfied` with the reason `other` and a remark that
//! says so. `import-ap` is mandatory and there is no assessment plan: it points at a note in the back matter. Every UUID is made
//! of the run's own words (version 5, RFC 9562), so the same report gives the same bytes. Written by hand: a dozen objects,
//! which the published schema checks in the tests.

use serde_json::{Value, json};

use crate::evidence::{Evidence, Strength};
use crate::report::shown::{counted, path, sentence, word};
use crate::report::{Claim, Measure, Report};
use crate::verdict::Verdict;

/// The version of the model, and of the schema that the tests check against.
const VERSION: &str = "1.2.3";
/// Whose properties these are: NIST's own name space is closed.
const NAMESPACE: &str = "urn:portcullis:oscal";
/// All our UUIDs are in it.
const UUIDS: [u8; 16] =
    [0x5b, 0x0e, 0x9c, 0x52, 0x7d, 0x0a, 0x4c, 0x1b, 0x9d, 0x57, 0x2f, 0x61, 0x0c, 0x9e, 0x31, 0x84];
const PLAN: &str = "There is no assessment plan in OSCAL. What is looked at is fixed by the auditor program of this version \
                    (docs/audit.md): each measure, its claims, and the control beside each refusal.";
const LIMITS: &str = "OSCAL knows satisfied and not-satisfied. A measure that could not be proven is not-satisfied here, with \
                      the reason 'other' and a remark; waived and delegated measures likewise. The report's JSON form tells \
                      them apart.";

/// The report as OSCAL assessment results.
#[must_use]
pub fn render(report: &Report) -> String {
    let run = &report.run;
    let of = |name: &str| uuid(report, name);
    let mut observations = Vec::new();
    let mut findings = Vec::new();
    for measure in &report.measures {
        let mut related = Vec::new();
        for claim in &measure.claims {
            let observation = observation(report, measure, claim);
            related.push(json!({"observation-uuid": observation["uuid"]}));
            observations.push(observation);
        }
        findings.push(finding(report, measure, related));
    }
    let controls: Vec<Value> =
        report.measures.iter().map(|measure| json!({"control-id": measure.id})).collect();
    let selection = if controls.is_empty() {
        json!({"include-all": {}})
    } else {
        json!({"description": "The measures of the team's document, and those beyond it (X).", "include-controls": controls})
    };
    let mut result = json!({
        "uuid": of("result"),
        "title": line(&format!("Security measures, {}", run.environment)),
        "description": format!("{}. {LIMITS}", counted(&report.measures)),
        "start": run.started,
        "props": props(&[
            ("environment", Some(run.environment.clone())),
            ("target", Some(run.target.clone())),
            ("run", Some(run.id.clone())),
            ("commit", run.commit.clone()),
            ("challenge", run.challenge.clone()),
            ("previous-report-sha256", run.previous.clone()),
            ("valid-until", run.valid_until.clone()),
        ]),
        "reviewed-controls": {"control-selections": [selection]},
    });
    result["observations"] = json!(observations);
    result["findings"] = json!(findings);
    if !run.notes.is_empty() {
        result["remarks"] = json!(run.notes.join("\n\n"));
    }
    let plan = of("plan");
    let document = json!({"assessment-results": {
        "uuid": of("assessment-results"),
        "metadata": {
            "title": line(&format!("Security measures of {}, {}", run.target, run.environment)),
            "last-modified": run.started,
            "version": run.started,
            "oscal-version": VERSION,
            "props": props(&[("portcullis-version", Some(run.version.clone()))]),
        },
        "import-ap": {"href": format!("#{plan}")},
        "results": [result],
        "back-matter": {"resources": [{"uuid": plan, "title": "Assessment plan", "description": PLAN}]},
    }});
    let mut text = serde_json::to_string_pretty(&without_empty(document)).unwrap_or_default();
    text.push('\n');
    text
}

/// A claim, with what was seen for it.
fn observation(report: &Report, measure: &Measure, claim: &Claim) -> Value {
    let name = path(measure, claim);
    let mut methods: Vec<&str> = claim.evidence.iter().map(method).collect();
    methods.sort_unstable();
    methods.dedup();
    if methods.is_empty() {
        methods.push("UNKNOWN");
    }
    let mut properties =
        props(&[("claim", Some(name.clone())), ("verdict", Some(claim.verdict.to_string()))]);
    for requirement in &claim.asvs {
        properties.extend(props(&[("asvs-5.0", Some(requirement.clone()))]));
    }
    for weakness in &claim.cwe {
        properties.extend(props(&[("cwe", Some(format!("CWE-{weakness}")))]));
    }
    let mut observation = json!({
        "uuid": uuid(report, &format!("observation {name}")),
        "title": line(&sentence(claim)),
        "description": format!("{}: {}", word(claim.verdict), sentence(claim)),
        "props": properties,
        "methods": methods,
        "types": ["control-objective"],
        "collected": report.run.started,
    });
    if let Some(until) = &report.run.valid_until {
        observation["expires"] = json!(until);
    }
    let seen: Vec<Value> = claim
        .evidence
        .iter()
        .map(|evidence| {
            json!({
                "description": match &evidence.control {
                    Some(control) => format!("{} (control: {control})", evidence.what),
                    None => evidence.what.clone(),
                },
                "props": props(&[
                    ("strength", word_of(&evidence.strength)),
                    ("vantage", word_of(&evidence.vantage)),
                ]),
            })
        })
        .collect();
    observation["relevant-evidence"] = json!(seen);
    if !claim.remedy.is_empty() {
        observation["remarks"] = json!(format!("Remedy: {}", claim.remedy));
    }
    observation
}

fn method(evidence: &Evidence) -> &'static str {
    match evidence.strength {
        Strength::Live => "TEST",
        Strength::Catalogue | Strength::Repository => "EXAMINE",
        Strength::Attestation => "INTERVIEW",
    }
}

/// A measure, satisfied or not.
fn finding(report: &Report, measure: &Measure, related: Vec<Value>) -> Value {
    let (state, reason) = match measure.verdict {
        Verdict::Pass | Verdict::Superseded => ("satisfied", "pass"),
        Verdict::NotApplicable => ("satisfied", "other"),
        Verdict::Fail => ("not-satisfied", "fail"),
        Verdict::NotProven | Verdict::Waived | Verdict::Delegated => ("not-satisfied", "other"),
    };
    let waiver = report
        .waivers
        .iter()
        .find(|waiver| waiver.applies && waiver.of.split('/').next() == Some(measure.id.as_str()));
    let accepted = waiver
        .map(|waiver| format!(" Accepted by {} until {}: {}", waiver.owner, waiver.expires, waiver.reason));
    let remarks = format!("{}.{}", word(measure.verdict), accepted.unwrap_or_default());
    let mut finding = json!({
        "uuid": uuid(report, &format!("finding {}", measure.id)),
        "title": line(&format!("{} {}", measure.id, measure.line)),
        "description": line(&crate::report::summary(measure)),
        "props": props(&[("verdict", Some(measure.verdict.to_string())), ("x", measure.value.clone())]),
        "target": {
            "type": "objective-id",
            "target-id": measure.id,
            "title": line(&measure.line),
            "status": {"state": state, "reason": reason, "remarks": remarks},
        },
    });
    finding["related-observations"] = json!(related);
    finding
}

/// OSCAL allows no empty list: what is empty is left out.
fn without_empty(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, value)| value.as_array().is_none_or(|list| !list.is_empty()))
            .map(|(name, value)| (name, without_empty(value)))
            .collect(),
        Value::Array(list) => list.into_iter().map(without_empty).collect(),
        other => other,
    }
}

/// Properties of our own name space, without those that say nothing.
fn props(list: &[(&str, Option<String>)]) -> Vec<Value> {
    list.iter()
        .filter_map(|(name, value)| {
            let value = value.as_deref().map(line).filter(|value| !value.is_empty())?;
            Some(json!({"name": name, "ns": NAMESPACE, "value": value}))
        })
        .collect()
}

fn word_of(value: &impl serde::Serialize) -> Option<String> {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned))
}

/// On one line, as titles and values are.
fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Version 5: SHA-1 of the name space and the name. It names, and protects nothing.
fn uuid(report: &Report, name: &str) -> String {
    let run = &report.run;
    let mut named = UUIDS.to_vec();
    named.extend(format!("{}\n{}\n{}\n{}\n{name}", run.target, run.environment, run.started, run.id).bytes());
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, &named);
    let mut bytes: Vec<u8> = digest.as_ref().iter().copied().take(16).collect();
    bytes[6] = bytes[6] & 0x0f | 0x50;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::new();
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn satisfied_or_not_and_the_remark_says_which_kind_of_not() {
        let document: Value = serde_json::from_str(&render(&sample::report())).unwrap();
        let results = &document["assessment-results"];
        let states: Vec<String> = results["results"][0]["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|finding| {
                let (target, status) = (&finding["target"], &finding["target"]["status"]);
                format!("{} {} {}", target["target-id"], status["state"], status["remarks"]).replace('"', "")
            })
            .collect();
        assert_eq!(
            states,
            [
                "A1 not-satisfied delegated.",
                "A4 not-satisfied waived. Accepted by Ada until 2026-12-24T16:00:00Z: adopted after the move",
                "A5 satisfied superseded.",
                "A8 satisfied not applicable.",
                "A10 not-satisfied not proven.",
                "N2 not-satisfied fail."
            ]
        );
        let href = results["import-ap"]["href"].as_str().unwrap();
        assert_eq!(href.trim_start_matches('#'), results["back-matter"]["resources"][0]["uuid"]);
    }

    #[test]
    fn the_same_report_gives_the_same_bytes_and_another_one_others() {
        assert_eq!(render(&sample::report()), render(&sample::report()));
        let mut other = sample::report();
        other.run.id = "f".repeat(16);
        assert_ne!(uuid(&sample::report(), "plan"), uuid(&other, "plan"));
    }
}
