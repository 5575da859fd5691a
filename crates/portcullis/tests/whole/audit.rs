//! The auditor on the real product: it ticks what it saw, names what it could not see, and finds what is broken.

use std::collections::BTreeMap;

use serde_json::Value;
use testkit::process::{self, Output};

use crate::world::{World, portcullis};

async fn audit(world: &World, arguments: &[&str]) -> Output {
    let mut command = portcullis(&["audit", "--dir"]);
    command.arg(world.state()).args(arguments);
    process::run(command).await
}

fn verdicts(report: &Value) -> BTreeMap<String, String> {
    let measures = report["measures"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    measures.iter().map(|measure| (text(&measure["id"]), text(&measure["verdict"]))).collect()
}

fn claims<'r>(report: &'r Value, measure: &str, verdict: &str) -> Vec<&'r str> {
    let measures = report["measures"].as_array().unwrap().iter().filter(|one| one["id"] == measure);
    let claims = measures.flat_map(|measure| measure["claims"].as_array().unwrap());
    claims.filter(|claim| claim["verdict"] == verdict).filter_map(|claim| claim["id"].as_str()).collect()
}

#[tokio::test]
async fn a_first_audit_ticks_only_what_it_saw() {
    let world = World::dev(&[], "").await;
    let output = audit(&world, &["--format", "json", "--challenge", "nonce-7"]).await;
    let report: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(output.code, Some(3), "something is not proven: {}", output.stderr);
    assert_eq!(report["schema"], 1);
    assert_eq!(report["run"]["challenge"], "nonce-7");
    let verdicts = verdicts(&report);
    for sound in ["A1", "A2", "A3", "N2"] {
        assert_eq!(verdicts[sound], "pass", "{sound}: {report:#}");
    }
    for unseen in ["G1", "G2", "A4", "A5", "A6", "A7", "A9", "A10", "N1"] {
        assert_eq!(verdicts[unseen], "not_proven", "{unseen}");
    }
    for measure in ["A5", "A6", "A7", "A9", "A10"] {
        assert_eq!(claims(&report, measure, "fail"), [""; 0], "{measure}");
        assert!(!claims(&report, measure, "pass").is_empty(), "{measure} saw something: {report:#}");
    }
    // What no first run can show.
    assert_eq!(claims(&report, "A10", "not_proven"), ["an_expired_token_is_refused"]);
}

#[tokio::test]
async fn the_teams_document_comes_back_word_for_word() {
    let world = World::dev(&[], "").await;
    let document = "# Ours\n\nSome words.\n\n- [x] All dependencies are kept up-to-date using a dependency management tool.\n- [ ] \
                    The backend will use CORS to only allow requests from the frontend origin.\n- [x] A line that is no measure.\n";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("measures.md");
    std::fs::write(&file, document).unwrap();
    let output = audit(&world, &["--document", file.to_str().unwrap(), "--only", "N2", "--only", "G2"]).await;
    let kept: Vec<&str> =
        output.stdout.lines().filter(|line| !line.trim_start().starts_with("- Evidence")).collect();
    let wanted: Vec<String> = document
        .replace("- [x] All dep", "- [ ] All dep")
        .replace("- [ ] The backend", "- [x] The backend")
        .lines()
        .map(str::to_owned)
        .collect();
    assert_eq!(kept[..5], wanted[..5], "{}", output.stdout);
    assert!(
        output
            .stdout
            .contains("- [x] The backend will use CORS to only allow requests from the frontend origin.")
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), document, "without --write the file stays");
}

#[tokio::test]
async fn a_route_that_somebody_made_public_is_listed_with_its_reason() {
    let opened =
        "[[gateway.route]]\nmatch = \"GET /notes\"\npublic = \"somebody was in a hurry\"\nreplaces = true\n";
    let world = World::dev(&[], opened).await;
    let output = audit(&world, &["--format", "json"]).await;
    let report: Value = serde_json::from_str(&output.stdout).unwrap();
    let public: Vec<String> = report["measures"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|measure| measure["claims"].as_array().unwrap())
        .flat_map(|claim| claim["evidence"].as_array().unwrap())
        .filter_map(|evidence| evidence["what"].as_str())
        .filter(|what| what.contains("somebody was in a hurry"))
        .map(str::to_owned)
        .collect();
    assert!(!public.is_empty(), "the reason is listed, not hidden: {report:#}");
}

#[tokio::test]
async fn a_wrong_word_on_the_command_line_is_usage() {
    let world = World::dev(&[], "").await;
    for (arguments, part) in [
        (&["--only", "A11"][..], "A11"),
        (&["--document", "/nonexistent.md"], "/nonexistent.md"),
        (&["--since", "/nonexistent.json"], "/nonexistent.json"),
    ] {
        let output = audit(&world, arguments).await.expect(2);
        assert!(output.stderr.contains(part), "{arguments:?}: {}", output.stderr);
    }
}
