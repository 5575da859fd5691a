//! `--format sarif`: SARIF 2.1.0, for code scanning.
//!
//! SARIF speaks of findings in files. What it cannot say is stated in the run's notification: a proven claim is no finding and
//! stands in the run's properties alone; a claim that is not proven is `kind: review`, whose level must be `none`
//! (section 3.27.10), so a reader that looks at levels does not see it. A finding of a running system has no line: it
//! is pinned to the document's line, else to the configuration's. Written by hand: a dozen objects, which the published schema
//! checks in the tests.

use serde_json::{Value, json};

use crate::measures::MeasureId;
use crate::report::shown::{path, sentence};
use crate::report::{Claim, Measure, Report, hex_sha256};
use crate::verdict::Verdict;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0-rtm.5.json";
const LIMITS: &str = "SARIF has no word for what is proven, nor for what nobody could look at. Proven claims stand in this \
                      run's properties alone. A claim that is not proven has the kind review, and therefore no level: a \
                      reader of levels does not see it. The report's JSON form says all of it; the exit code is the gate.";

/// A file that findings are pinned to.
#[derive(Clone, Debug)]
pub struct Source {
    /// Relative to the repository.
    pub uri: String,
    /// What is in it.
    pub text: String,
}

/// Where findings about a running system are pinned to, since code scanning wants a file and a line.
#[derive(Clone, Debug, Default)]
pub struct Anchors {
    /// The team's document: a measure's own line.
    pub document: Option<Source>,
    /// `portcullis.toml`: the setting that the measure is about.
    pub configuration: Option<Source>,
}

/// The report as SARIF; with the earlier one each finding says whether it is new.
#[must_use]
pub fn render(report: &Report, earlier: Option<&Report>, anchors: &Anchors) -> String {
    let run = &report.run;
    let mut rules = Vec::new();
    let mut results = Vec::new();
    for measure in &report.measures {
        for claim in &measure.claims {
            rules.push(rule(measure, claim));
            if let Some(mut result) = result(report, measure, claim, anchors) {
                result["ruleIndex"] = json!(rules.len() - 1);
                if let Some(state) = baseline(report, earlier, measure, claim) {
                    result["baselineState"] = json!(state);
                }
                results.push(result);
            }
        }
    }
    let verdicts: serde_json::Map<String, Value> = report
        .measures
        .iter()
        .map(|measure| {
            let claims: serde_json::Map<String, Value> =
                measure.claims.iter().map(|claim| (claim.id.clone(), json!(claim.verdict))).collect();
            (measure.id.to_string(), json!({"verdict": measure.verdict, "claims": claims}))
        })
        .collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "portcullis",
                "semanticVersion": run.version,
                "rules": rules,
            }},
            "automationDetails": {"id": format!("portcullis/{}/", run.environment)},
            "invocations": [{
                "executionSuccessful": true,
                "startTimeUtc": run.started,
                "toolExecutionNotifications": [{"level": "note", "message": {"text": LIMITS}}],
            }],
            "columnKind": "unicodeCodePoints",
            "results": results,
            "properties": {
                "environment": run.environment,
                "validUntil": run.valid_until,
                "commit": run.commit,
                "measures": verdicts,
            },
        }],
    });
    let mut text = serde_json::to_string_pretty(&log).unwrap_or_default();
    text.push('\n');
    text
}

fn rule(measure: &Measure, claim: &Claim) -> Value {
    let mut tags = vec!["security".to_owned(), format!("measure/{}", measure.id)];
    tags.extend(claim.cwe.iter().map(|number| format!("external/cwe/cwe-{number:03}")));
    let answers = match (claim.asvs.is_empty(), claim.cwe.is_empty()) {
        (true, true) => String::new(),
        _ => {
            let numbers = claim.asvs.iter().map(|id| format!("ASVS 5.0 {id}"));
            let weaknesses = claim.cwe.iter().map(|number| format!("CWE-{number}"));
            format!(" ({})", numbers.chain(weaknesses).collect::<Vec<_>>().join(", "))
        }
    };
    let help = format!(
        "{} Claimed: {}{answers}.{}",
        measure.line,
        sentence(claim),
        if claim.remedy.is_empty() { String::new() } else { format!(" Remedy: {}", claim.remedy) }
    );
    json!({
        "id": path(measure, claim),
        "name": camel(&claim.id),
        "shortDescription": {"text": sentence(claim)},
        "fullDescription": {"text": measure.line},
        "help": {"text": help},
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": tags, "asvs": claim.asvs, "cwe": claim.cwe, "security-severity": "7.0"},
    })
}

fn result(report: &Report, measure: &Measure, claim: &Claim, anchors: &Anchors) -> Option<Value> {
    let (kind, level) = match claim.verdict {
        Verdict::Fail => ("fail", "error"),
        Verdict::NotProven | Verdict::Waived => ("review", "none"),
        _ => return None,
    };
    let seen: Vec<String> = claim
        .evidence
        .iter()
        .map(|evidence| match &evidence.control {
            Some(control) => format!("{} ({control})", evidence.what),
            None => evidence.what.clone(),
        })
        .collect();
    let prefix = if claim.verdict == Verdict::Fail { "Disproved" } else { "Not proven" };
    let mut message = format!("{prefix}: {}. {}", sentence(claim), seen.join(" "));
    if !claim.remedy.is_empty() {
        message.push_str(&format!(" Remedy: {}", claim.remedy));
    }
    let fingerprint =
        hex_sha256(format!("{}\0{}\0{}", report.run.environment, measure.id, claim.id).as_bytes());
    let (uri, line) = anchor(measure, anchors);
    let mut result = json!({
        "ruleId": path(measure, claim),
        "kind": kind,
        "level": level,
        "message": {"text": message},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": encoded(&uri)},
            "region": {"startLine": line},
        }}],
        "partialFingerprints": {
            "portcullisClaim/v1": fingerprint,
            // What GitHub tells alerts apart by, when a line moves.
            "primaryLocationLineHash": format!("{}:1", fingerprint.get(..16).unwrap_or(&fingerprint)),
        },
        "properties": {"verdict": claim.verdict, "environment": report.run.environment},
    });
    if claim.verdict == Verdict::Waived {
        let of = |waived: &str| waived == measure.id.as_str() || waived == path(measure, claim);
        let why = report.waivers.iter().find(|waiver| waiver.applies && of(&waiver.of)).map_or_else(
            || "accepted in the configuration".to_owned(),
            |waiver| format!("{} ({}, until {})", waiver.reason, waiver.owner, waiver.expires),
        );
        result["suppressions"] = json!([{"kind": "external", "status": "accepted", "justification": why}]);
    }
    Some(result)
}

/// Whether the earlier report had the same finding. Those that are gone are not repeated: readers would show them again.
fn baseline(
    report: &Report,
    earlier: Option<&Report>,
    measure: &Measure,
    claim: &Claim,
) -> Option<&'static str> {
    let found = |verdict| matches!(verdict, Verdict::Fail | Verdict::NotProven | Verdict::Waived);
    if let Some(earlier) = earlier {
        let before = earlier
            .measures
            .iter()
            .find(|other| other.id == measure.id)
            .and_then(|other| other.claims.iter().find(|other| other.id == claim.id));
        return Some(match before.map(|before| before.verdict) {
            Some(verdict) if verdict == claim.verdict => "unchanged",
            Some(verdict) if found(verdict) => "updated",
            _ => "new",
        });
    }
    // A kept report knows its drift, and nothing of an earlier report that had none.
    let drift = report
        .drift
        .iter()
        .find(|drift| drift.measure == measure.id && drift.claim.as_deref() == Some(claim.id.as_str()));
    match (report.drift.is_empty(), drift) {
        (true, _) => None,
        (false, None) => Some("unchanged"),
        (false, Some(drift)) if found(drift.was) => Some("updated"),
        (false, Some(_)) => Some("new"),
    }
}

/// The document's line of the measure, else the configuration's.
fn anchor(measure: &Measure, anchors: &Anchors) -> (String, usize) {
    let line_with = |source: &Source, wanted: &dyn Fn(&str) -> bool| {
        source.text.lines().position(wanted).map(|at| (source.uri.clone(), at + 1))
    };
    if let Some(document) = &anchors.document {
        // A line of the document may be written over several.
        let begins = |line: &str| {
            let text = line.trim_start().split_once("] ").map(|(_, text)| text.trim()).unwrap_or_default();
            !text.is_empty() && measure.line.starts_with(text)
        };
        if let Some(found) = line_with(document, &begins) {
            return found;
        }
    }
    let Some(configuration) = &anchors.configuration else { return ("portcullis.toml".into(), 1) };
    let settings = settings(measure.id);
    settings
        .iter()
        .find_map(|setting| line_with(configuration, &|line: &str| line.trim_start().starts_with(setting)))
        .unwrap_or_else(|| (configuration.uri.clone(), 1))
}

/// The settings that a measure is about, the nearest first.
fn settings(id: MeasureId) -> &'static [&'static str] {
    match id {
        MeasureId::G1 | MeasureId::G2 => &["repository", "[audit]"],
        MeasureId::A1 | MeasureId::A2 => &["[identity.passwords]", "[identity]", "[audit]"],
        MeasureId::A3 => &["[[database]]", "[store]"],
        MeasureId::A4 => &["maximum_password_age", "[[database]]", "[store]"],
        MeasureId::A5 => &["[gateway.api_keys]", "[gateway]"],
        MeasureId::A6 | MeasureId::A7 | MeasureId::A9 => &["openapi", "[[gateway.route]]", "[gateway]"],
        MeasureId::A8 => &["mode", "[[gateway.issuer]]", "[identity]"],
        MeasureId::A10 => &["access_token_lifetime", "[identity]"],
        MeasureId::N1 => &["url", "[[database]]", "[store]"],
        MeasureId::N2 => &["frontend_origins", "[gateway]"],
        // Those beyond the document speak of the deployment as a whole.
        _ => &["target", "[audit]", "[gateway]"],
    }
}

/// A path as a relative reference (RFC 3986).
fn encoded(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// `an_expired_token` as `AnExpiredToken`, as code scanning writes the names of rules.
fn camel(id: &str) -> String {
    id.split('_')
        .map(|word| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>())
        })
        .map(Option::unwrap_or_default)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn results(earlier: Option<&Report>, anchors: &Anchors) -> Vec<Value> {
        let log: Value = serde_json::from_str(&render(&sample::report(), earlier, anchors)).unwrap();
        log["runs"][0]["results"].as_array().unwrap().clone()
    }

    #[test]
    fn what_fails_is_an_error_and_what_is_not_proven_is_for_review() {
        let results = results(None, &Anchors::default());
        let said: Vec<_> = results
            .iter()
            .map(|result| {
                ["ruleId", "kind", "level"].map(|key| result[key].as_str().unwrap().to_owned()).join(" ")
            })
            .collect();
        assert_eq!(
            said,
            [
                "A4/the_password_is_young review none",
                "A10/an_expired_token_is_refused review none",
                "N2/strangers_are_refused fail error"
            ]
        );
        assert_eq!(
            results[0]["suppressions"][0]["justification"],
            "adopted after the move (Ada, until 2026-12-24T16:00:00Z)"
        );
        let log: Value = serde_json::from_str(&render(&sample::report(), None, &Anchors::default())).unwrap();
        let run = &log["runs"][0];
        assert!(
            run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]
                .as_str()
                .unwrap()
                .contains("not proven")
        );
        assert_eq!(run["properties"]["measures"]["A10"]["claims"]["the_lifetime_is_bounded"], "pass");
        let rule = &run["tool"]["driver"]["rules"][results[2]["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], "N2/strangers_are_refused");
        assert!(rule["properties"]["tags"].as_array().unwrap().contains(&json!("external/cwe/cwe-942")));
        assert!(rule["help"]["text"].as_str().unwrap().contains("(ASVS 5.0 V3.4.2, CWE-942)"));
    }

    #[test]
    fn a_finding_is_new_only_once() {
        let states = |earlier: &Report| {
            results(Some(earlier), &Anchors::default())
                .iter()
                .map(|result| result["baselineState"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(states(&sample::earlier()), ["unchanged", "unchanged", "new"]);
        assert_eq!(states(&sample::report()), ["unchanged", "unchanged", "unchanged"]);
        let kept = results(None, &Anchors::default());
        assert_eq!(kept[2]["baselineState"], "new", "by the report's own drift");
    }

    #[test]
    fn findings_are_pinned_to_the_document_then_to_the_configuration() {
        let anchors = Anchors {
            document: Some(Source {
                uri: "docs/our measures.md".into(),
                text: "# Ours\n\n- [ ] The JWT expires after\n      X minutes.\n".into(),
            }),
            configuration: Some(Source {
                uri: "portcullis.toml".into(),
                text: "[gateway]\nfrontend_origins = []\n".into(),
            }),
        };
        let places: Vec<_> = results(None, &anchors)
            .iter()
            .map(|result| {
                let place = &result["locations"][0]["physicalLocation"];
                format!(
                    "{} {}",
                    place["artifactLocation"]["uri"].as_str().unwrap(),
                    place["region"]["startLine"]
                )
            })
            .collect();
        assert_eq!(places, ["portcullis.toml 1", "docs/our%20measures.md 3", "portcullis.toml 2"]);
    }
}
