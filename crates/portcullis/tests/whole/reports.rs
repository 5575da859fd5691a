//! A real run leaves in every form at once, each fits its published schema, and a kept report is shown again.

use serde_json::Value;
use testkit::process;

use crate::world::{World, portcullis};

const READER: &str = include_str!("../../../../tests/ecosystem/reports.py");

#[tokio::test]
async fn one_run_leaves_in_every_form() {
    let world = World::dev(&[], "").await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut command = portcullis(&["audit", "--dir"]);
    command.arg(world.state()).args(["--only", "N2", "--only", "A10", "--only", "A9"]);
    for name in [
        "report.json",
        "report.sarif",
        "report.xml",
        "report.oscal.json",
        "report.prom",
        "report.html",
        "badge.svg",
    ] {
        command.arg("--output").arg(at(name));
    }
    let printed = process::run(command).await.expect(3);
    assert!(printed.stdout.contains("not proven"), "{}", printed.stdout);

    let schema = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/report.schema.json");
    let packages = testkit::ecosystem::node_modules();
    let arguments = [schema.as_path(), packages.as_path(), folder.path()].map(|path| path.to_str().unwrap());
    let seen = process::run(testkit::python::script(READER, &arguments)).await.expect(0).json();
    assert_eq!(seen["gauges"]["portcullis_measure"], 3, "{seen}");
    let report: Value = serde_json::from_slice(&std::fs::read(at("report.json")).unwrap()).unwrap();
    assert_eq!(report["schema"], 1);
    assert!(std::fs::read_to_string(at("badge.svg")).unwrap().contains("security measures: 1/3 proven"));
    assert!(
        std::fs::read_to_string(at("report.html"))
            .unwrap()
            .contains("Every endpoint by every kind of credential")
    );

    // Again, without a configuration and without an audit.
    let mut command = portcullis(&["audit", "--format", "json", "--from"]);
    command.arg(at("report.json")).arg("--output").arg(at("public.html")).arg("--public");
    let refused = process::run(command).await.expect(2);
    assert!(refused.stderr.contains("--public"), "{}", refused.stderr);
    let mut command = portcullis(&["audit", "--from"]);
    command.arg(at("report.json")).arg("--output").arg(at("public.html")).arg("--public");
    command.current_dir(folder.path());
    process::run(command).await.expect(3);
    let public = std::fs::read_to_string(at("public.html")).unwrap();
    let port = world.says("gateway").rsplit(':').next().unwrap().trim_end_matches('/').to_owned();
    assert!(public.contains("CORS lets in") && !public.contains(&port), "no host stands in it");
    let mut command = portcullis(&["audit", "--format", "json", "--from"]);
    command.arg(at("report.json")).current_dir(folder.path());
    let again = process::run(command).await.expect(3);
    assert_eq!(again.stdout, std::fs::read_to_string(at("report.json")).unwrap(), "byte for byte");
}

/// In a folder without a configuration, as somebody has it who was sent two reports.
#[tokio::test]
async fn two_kept_reports_are_compared_without_a_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let report = |verdict: &str, at: u32| {
        format!(
            r#"{{"schema": 1, "run": {{"started": "1970-01-0{at}T00:00:00Z", "started_at": {}, "environment": "staging", "vantages": ["http"],
            "target": "https://api.example.com", "issuer": "https://auth.example.com/", "version": "0.1.0", "id": "{at}"}}, "measures": [
            {{"id": "N2", "line": "CORS.", "verdict": "{verdict}", "claims": [{{"id": "foreign_origins_are_not_let_in", "verdict": "{verdict}",
            "evidence": [], "remedy": ""}}]}}], "signature": null}}"#,
            (at - 1) * 86_400
        )
    };
    for (name, text) in [("old.json", report("pass", 1)), ("new.json", report("fail", 2))] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let compared = async |from: &str, since: &str, arguments: &[&str], code: i32| {
        let mut command = portcullis(&["audit", "--from", from, "--since", since]);
        command.args(arguments).current_dir(folder.path());
        process::run(command).await.expect(code).stdout
    };
    let text = compared("new.json", "old.json", &[], 1).await;
    let sentence = "no foreign origin, and none that looks like the frontend's, is let in";
    assert!(text.contains(&format!("  worse than before: N2, {sentence}: pass, now fail\n")), "{text}");
    let difference = compared("new.json", "old.json", &["--format", "difference"], 1).await;
    assert!(difference.contains("| worse | **N2** CORS. | pass | fail |"), "{difference}");
    let better = compared("old.json", "new.json", &[], 0).await;
    assert!(better.contains(&format!("  better than before: N2, {sentence}: fail, now pass\n")), "{better}");
    let mut left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["new.json", "old.json"], "nothing was kept anywhere");
}

#[tokio::test]
async fn a_file_that_does_not_say_its_form_is_usage() {
    let output = process::run(portcullis(&["audit", "--output", "report.pdf"])).await.expect(2);
    assert!(output.stderr.contains("FORMAT=FILE"), "{}", output.stderr);
}
