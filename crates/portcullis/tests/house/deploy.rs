//! The files in deploy/: read by the tools of those who will read them, and true in what they promise.

use crate::graph::root;
use std::path::{Path, PathBuf};
use std::process::Command;

fn deploy(file: &str) -> PathBuf {
    root().join("deploy").join(file)
}

/// A program that `scripts/test` has installed beside the tests' Python.
fn judged_by(program: &str, arguments: &[&str], files: &[PathBuf]) {
    let program = testkit::ecosystem::python().with_file_name(program);
    let output = Command::new(&program).args(arguments).args(files).output().expect("the program runs");
    assert!(
        output.status.success(),
        "{}: {}{}",
        program.display(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn yaml(path: &Path) -> serde_json::Value {
    serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn dockerfiles_pass_the_linter() {
    judged_by("hadolint", &[], &[deploy("docker/Dockerfile"), deploy("railway/Dockerfile")]);
}

/// Or a planted mistake would pass as well.
#[test]
#[should_panic(expected = "DL3007")]
fn the_linter_sees_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("Dockerfile");
    std::fs::write(&file, "FROM debian:latest\nRUN true\n").unwrap();
    judged_by("hadolint", &[], &[file]);
}

#[test]
fn the_image_is_built_with_this_repositorys_toolchain() {
    let toolchain: toml::Table =
        toml::from_str(&std::fs::read_to_string(root().join("rust-toolchain.toml")).unwrap()).unwrap();
    let channel = toolchain["toolchain"]["channel"].as_str().unwrap();
    let version = channel.split('.').take(2).collect::<Vec<_>>().join(".");
    let dockerfile = std::fs::read_to_string(deploy("docker/Dockerfile")).unwrap();
    assert!(dockerfile.contains(&format!("FROM rust:{version}-")), "{version}");
}

#[test]
fn kubernetes_objects_fit_their_schemas() {
    judged_by("kubernetes-validate", &["--strict"], &[deploy("kubernetes/portcullis.yaml")]);
}

#[test]
fn compose_and_workflows_fit_their_schemas() {
    judged_by(
        "check-jsonschema",
        &["--builtin-schema", "vendor.compose-spec"],
        &[deploy("compose/compose.yaml")],
    );
    let workflows = root().join(".github/workflows");
    judged_by(
        "check-jsonschema",
        &["--builtin-schema", "vendor.github-workflows"],
        &[workflows.join("ci.yml"), workflows.join("release.yml")],
    );
    judged_by(
        "check-jsonschema",
        &["--builtin-schema", "vendor.dependabot"],
        &[root().join(".github/dependabot.yml")],
    );
}

/// By the claim that the auditor makes of other repositories. In a clone, whose default branch is what is committed here:
/// a change that brings a manifest brings its line of `dependabot.yml` too.
#[test]
fn every_manifest_of_this_repository_is_looked_after() {
    let folder = tempfile::tempdir().unwrap();
    let clone = folder.path().join("clone");
    let git = Command::new("git").args(["clone", "--quiet"]).arg(root()).arg(&clone).output();
    let cloned = git.is_ok_and(|output| output.status.success());
    let top = if cloned { clone } else { root() };
    let claim = audit::dependencies::coverage::claim(&top);
    // An unpacked archive has no default branch, and says so beside what is covered.
    let expected = if cloned { audit::Verdict::Pass } else { audit::Verdict::NotProven };
    assert_eq!(claim.verdict, expected, "{claim:#?}");
    assert!(
        claim.evidence.iter().any(|evidence| evidence.what.contains("are looked after by")),
        "{claim:#?}"
    );
}

#[test]
fn in_compose_only_portcullis_publishes_a_port_and_the_database_has_no_way_out() {
    let compose = yaml(&deploy("compose/compose.yaml"));
    assert_eq!(compose["networks"]["inside"]["internal"], true);
    for (name, service) in compose["services"].as_object().unwrap() {
        let networks = service["networks"].as_array().unwrap();
        if name == "portcullis" {
            for port in service["ports"].as_array().unwrap() {
                assert!(port.as_str().unwrap().starts_with("127.0.0.1:"), "{port}");
            }
        } else {
            assert!(service.get("ports").is_none(), "{name} publishes a port");
            assert_eq!(networks.len(), 1, "{name}");
            assert_eq!(networks[0], "inside", "{name}");
        }
    }
}

#[test]
fn in_kubernetes_the_default_is_nothing_and_the_database_hears_three() {
    let text = std::fs::read_to_string(deploy("kubernetes/portcullis.yaml")).unwrap();
    let objects: Vec<serde_json::Value> =
        text.split("\n---\n").map(|object| serde_saphyr::from_str(object).unwrap()).collect();
    let policy = |name: &str| {
        objects
            .iter()
            .find(|object| object["kind"] == "NetworkPolicy" && object["metadata"]["name"] == name)
            .unwrap_or_else(|| panic!("no policy {name}"))
    };
    let nothing = &policy("nothing")["spec"];
    assert_eq!(nothing["podSelector"], serde_json::json!({}));
    assert_eq!(nothing["policyTypes"], serde_json::json!(["Ingress", "Egress"]));
    assert!(nothing.get("ingress").is_none() && nothing.get("egress").is_none());

    let database = &policy("database")["spec"];
    let heard: Vec<&str> = database["ingress"][0]["from"]
        .as_array()
        .unwrap()
        .iter()
        .map(|peer| peer["podSelector"]["matchLabels"]["app"].as_str().unwrap())
        .collect();
    assert_eq!(heard, ["portcullis", "steward", "backend"]);
    assert!(database.get("egress").is_none(), "the database speaks to nobody");

    let rights = objects.iter().find(|object| object["kind"] == "Role").unwrap();
    let rule = &rights["rules"][0];
    assert_eq!(rule["verbs"], serde_json::json!(["get", "patch"]));
    assert!(!rule["resourceNames"].as_array().unwrap().is_empty());
}

/// systemd's own reader, where this machine has it.
#[test]
fn unit_files_are_read_by_systemd() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!(
            "NOT SHOWN: systemd-analyze is missing (package systemd), so deploy/systemd was not read by it"
        );
        return;
    }
    // It wants the program to exist: the units are read with one that does.
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for name in ["portcullis.service", "portcullis-rotate.service", "portcullis-rotate.timer"] {
        let text = std::fs::read_to_string(deploy("systemd").join(name)).unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text.replace("/usr/bin/portcullis", "/bin/true")).unwrap();
        files.push(path);
    }
    let output = Command::new("systemd-analyze").arg("verify").args(&files).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let about_ours: Vec<&str> = said.lines().filter(|line| line.contains("portcullis")).collect();
    assert!(output.status.success() && about_ours.is_empty(), "{said}");
}
