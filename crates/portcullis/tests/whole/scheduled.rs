//! `portcullis audit --schedule`: audits in the foreground, with a database of advisories that it fetches, and tells what
//! became different as events.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use testkit::process::{self, Program};
use tokio::process::Command;

use crate::scan::git;
use crate::world::{World, portcullis};

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn commit(folder: &Path) {
    git(folder, &["init", "-q"]);
    git(folder, &["add", "-A"]);
    git(folder, &["commit", "-q", "-m", "more"]);
}

/// An advisory on what is locked; `patched` says from which version on it is no more.
fn publish(folder: &Path, id: &str, patched: &str) {
    let text = format!(
        "```toml\n[advisory]\nid = \"{id}\"\npackage = \"planted\"\ndate = \"2020-01-01\"\n[versions]\npatched = [\"{patched}\"]\n```\n"
    );
    write(folder, &format!("crates/planted/{id}.md"), &text);
    commit(folder);
}

/// A crate that Dependabot looks after, with one dependency.
fn code(folder: &Path) {
    write(
        folder,
        "Cargo.toml",
        "[package]\nname = \"app\"\nversion = \"1.0.0\"\n[dependencies]\nplanted = \"1\"\n",
    );
    write(
        folder,
        "Cargo.lock",
        "version = 4\n[[package]]\nname = \"app\"\nversion = \"1.0.0\"\ndependencies = [\"planted\"]\n[[package]]\nname = \"planted\"\n\
         version = \"1.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n",
    );
    write(
        folder,
        ".github/dependabot.yml",
        "version: 2\nupdates: [{package-ecosystem: cargo, directory: /, schedule: {interval: weekly}}]\n",
    );
    commit(folder);
}

/// `[audit]` of a `dev` folder, with the database of advisories by its URL.
fn configuration(state: &Path, more: &str) -> String {
    let database = state.join("advisory-db");
    format!(
        "[audit]\nrepository = \"code\"\nregistry = \"index\"\nadvisories = \"file://{}\"\n{more}",
        database.display()
    )
}

#[tokio::test]
async fn what_became_different_since_the_audit_before_is_one_event_each() {
    let world = World::dev(&[], "").await;
    let state = world.state();
    std::fs::create_dir(state.join("index")).unwrap();
    code(&state.join("code"));
    publish(&state.join("advisory-db"), "RUSTSEC-2020-0001", ">= 1.0.0");
    write(&state, "portcullis.toml", &configuration(&state, "exercise = false\n"));
    let mut before = portcullis(&["audit", "--json", "--only", "A2", "--only", "G2", "--dir"]);
    before.arg(&state);
    let before = process::run(before).await.expect(3).json();
    assert_eq!(before["measures"][0]["verdict"], "not_proven");

    // One measure is fixed, one gets worse.
    write(&state, "portcullis.toml", &configuration(&state, ""));
    publish(&state.join("advisory-db"), "RUSTSEC-2020-0002", ">= 1.2.0");
    let mut shell: Command = process::command("sh");
    // Records and report in one stream, so that each is waited for. What the log says without being asked is looked at.
    shell.args(["-c", "exec \"$@\" 2>&1", "sh", env!("CARGO_BIN_EXE_portcullis")]);
    shell.args(["audit", "--schedule", "1h", "--only", "A2", "--only", "G2", "--dir"]).arg(&state);
    let mut program = Program::start(shell);
    let (mut events, mut said) = (Vec::new(), String::new());
    loop {
        let line = program.line().await;
        said.push_str(&line);
        said.push('\n');
        let Ok(record) = serde_json::from_str::<Value>(&line) else { continue };
        let Some(event) = record["event"].as_str().map(str::to_owned) else { continue };
        events.push(record);
        if event == "audit_finished" {
            break;
        }
    }
    let mut of: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for record in &events {
        let mut record = record.as_object().unwrap().clone();
        record.remove("timestamp");
        let event = record.remove("event").unwrap();
        of.entry(event.as_str().unwrap().to_owned()).or_default().push(Value::Object(record));
    }
    let fields = |level: &str, kind: &str, id: &str, was: &str, is: &str| json!({"level": level, "target": "security", "environment": "development", kind: id, "was": was, "is": is});
    assert_eq!(of["measure_fixed"], [fields("INFO", "measure", "A2", "not_proven", "pass")], "{said}");
    assert_eq!(of["measure_regressed"], [fields("WARN", "measure", "G2", "not_proven", "fail")], "{said}");
    let known = "G2/no_known_vulnerability_is_older_than_the_window";
    assert_eq!(of["claim_regressed"], [fields("WARN", "claim", known, "pass", "fail")], "{said}");
    let finished = json!({
        "level": "INFO", "target": "security", "environment": "development", "passed": 1, "failed": 1, "not_proven": 0,
    });
    assert_eq!(of["audit_finished"], [finished], "{said}");
    // Claims of A2 that were not proven before are made by name, one event each.
    assert!(of.get("claim_fixed").is_none_or(|fixed| fixed.iter().all(|one| one["is"] == "pass")), "{said}");
    assert_eq!(of.keys().filter(|event| *event != "claim_fixed").count(), 4, "{said}");
    // The report of the run is printed as by hand, and the evidence stands there alone.
    assert!(said.contains("RUSTSEC-2020-0002"), "{said}");
    assert!(!events.iter().any(|event| event.to_string().contains("RUSTSEC")), "{said}");
    assert!(program.terminate().await.success(), "{said}");
}

#[tokio::test]
async fn what_keeps_the_first_run_from_its_report_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut nowhere = portcullis(&["audit", "--schedule", "6h", "--dir"]);
    nowhere.arg(folder.path().join("absent"));
    let nowhere = process::run(nowhere).await.expect(2);
    assert!(nowhere.stderr.contains("absent"), "{}", nowhere.stderr);
    let restless = process::run(portcullis(&["audit", "--schedule", "5s"])).await.expect(2);
    assert!(restless.stderr.contains("--schedule is below 60 s"), "{}", restless.stderr);
    let help = process::run(portcullis(&["audit", "--help"])).await.expect(0);
    assert!(help.stdout.contains("portcullis audit --schedule 6h"), "{}", help.stdout);
}
