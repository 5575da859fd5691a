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

#[tokio::test]
async fn a_file_that_does_not_say_its_form_is_usage() {
    let output = process::run(portcullis(&["audit", "--output", "report.pdf"])).await.expect(2);
    assert!(output.stderr.contains("FORMAT=FILE"), "{}", output.stderr);
}
