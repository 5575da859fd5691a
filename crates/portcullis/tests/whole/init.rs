//! `portcullis init`: what it finds, what it writes, and that it overwrites nothing unasked. What it writes is judged by
//! others: by `check`, by the vendor's schema, and by the auditor's own claim on coverage.

use std::path::Path;
use std::process::Command;

use audit::Verdict;
use audit::dependencies::coverage;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::process::{self, Output};

use crate::world::portcullis;

const OPENAPI: &str = r#"openapi: 3.0.3
info: { title: Orders, version: "1" }
servers: [{ url: "http://localhost:8000/v1" }]
paths:
  /orders:
    get:
      security: [{ login: ["read:orders"] }]
      responses: { "200": { description: ok } }
components:
  securitySchemes:
    login:
      type: oauth2
      flows:
        authorizationCode:
          authorizationUrl: https://id.example.com/authorize
          tokenUrl: https://id.example.com/token
          scopes: { "read:orders": read orders }
"#;

const CHECKLIST: &str = "# Security\n\n- [ ] The database requires a strong password.\n- [ ] Dependencies are kept up to date by a tool.\n\
                         - [ ] The JWT expires after 15 minutes.\n";

/// A git repository with these files in its only commit.
fn repository(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    git(folder.path(), &["init", "-q"]);
    commit(folder.path());
    folder
}

fn commit(folder: &Path) {
    git(folder, &["add", "-A"]);
    git(folder, &["commit", "-q", "--allow-empty", "-m", "files"]);
}

fn git(folder: &Path, arguments: &[&str]) {
    let names = ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"];
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["-c", "commit.gpgsign=false"])
        .args(arguments)
        .envs(names.map(|name| (name, "ada@example.com")))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

async fn init(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = portcullis(&["init"]);
    command.args(arguments).arg(folder);
    process::run(command).await.expect(0)
}

fn state(said: &Value, path: &str) -> Value {
    let file = said["files"].as_array().unwrap().iter().find(|file| file["path"] == path);
    file.map_or(Value::Null, |file| file["state"].clone())
}

fn judged_by_schema(schema: &str, file: &Path) {
    let program = testkit::ecosystem::python().with_file_name("check-jsonschema");
    let output = Command::new(program).args(["--builtin-schema", schema]).arg(file).output().unwrap();
    let said = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {said:?}", file.display());
}

/// What `init` has written holds before those who will read it.
async fn holds(folder: &Path) {
    judged_by_schema("vendor.dependabot", &folder.join(".github/dependabot.yml"));
    judged_by_schema("vendor.github-workflows", &folder.join(".github/workflows/portcullis.yml"));
    let mut check = portcullis(&["check", "--json", "--config"]);
    check.arg(folder.join("portcullis.toml"));
    let checked = process::run(check).await.expect(0).json();
    assert_eq!(checked["problems"], json!([]));
    commit(folder);
    let covered = coverage::claim(folder);
    assert_eq!(covered.verdict, Verdict::Pass, "{covered:?}");
}

#[tokio::test]
async fn an_empty_repository_gets_what_it_takes_to_begin() {
    let folder = repository(&[]);
    let said = init(folder.path(), &["--json"]).await.json();
    assert_eq!(said["found"]["openapi"], Value::Null);
    assert_eq!(said["found"]["ecosystems"], json!({"github-actions": [""]}));
    for path in ["portcullis.toml", ".github/dependabot.yml", ".github/workflows/portcullis.yml"] {
        assert_eq!(state(&said, path), "written", "{path}");
    }
    holds(folder.path()).await;
    assert_eq!(std::fs::read_to_string(folder.path().join(".gitignore")).unwrap(), "/data/\n");

    // As the step for CI runs it: no server, no store, and no package whose registry would have to be asked.
    let mut audit = portcullis(&["audit", "--only", "G2", "--format", "json", "--config"]);
    audit.arg(folder.path().join("portcullis.toml"));
    let report = process::run(audit).await.expect(3).json();
    assert!(report["signature"].is_string(), "{report:#}");
    // Nothing was asked over HTTP, so nothing is said of it.
    assert!(!report["run"]["notes"].to_string().contains("CORS"), "{report:#}");
    let claims = report["measures"][0]["claims"].as_array().unwrap();
    let covered = claims.iter().find(|claim| claim["id"] == "every_manifest_is_covered").unwrap();
    assert_eq!(covered["verdict"], "pass", "{report:#}");
}

#[tokio::test]
async fn a_monorepo_is_found_whole_and_a_second_run_changes_nothing() {
    let folder = repository(&[
        ("api/openapi.yaml", OPENAPI),
        ("tests/fixtures/openapi.yaml", OPENAPI),
        ("old/swagger.json", "{\"swagger\": \"2.0\", \"paths\": {}}"),
        ("docs/security.md", CHECKLIST),
        ("docs/todo.md", "- [ ] buy milk\n"),
        ("railway.toml", "[deploy]\n"),
        ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\n"),
        ("crates/a/Cargo.toml", "[package]\nname = \"a\"\n"),
        ("fuzz/Cargo.toml", "[package]\nname = \"fuzz\"\n[workspace]\n"),
        ("web/package.json", "{\"workspaces\": [\"packages/*\"]}"),
        ("web/packages/ui/package.json", "{}"),
        ("web/vite.config.ts", ""),
        ("deploy/Dockerfile", "FROM debian:12\nEXPOSE 9000\n"),
        ("jobs/requirements.txt", "flask==3.1.0\n"),
    ]);
    let said = init(folder.path(), &["--json"]).await.json();
    let found = &said["found"];
    assert_eq!(found["openapi"], "api/openapi.yaml");
    assert_eq!(found["document"], "docs/security.md");
    assert_eq!(found["railway"], json!(["railway.toml"]));
    assert_eq!(found["upstream"], "http://localhost:8000");
    assert_eq!(
        found["ecosystems"],
        json!({
            "cargo": ["", "fuzz"], "npm": ["web"], "docker": ["deploy"], "pip": ["jobs"], "github-actions": [""],
        })
    );
    assert_eq!(said["not_covered"], json!([]));
    holds(folder.path()).await;
    let again = init(folder.path(), &["--json"]).await.json();
    for file in again["files"].as_array().unwrap() {
        assert_eq!(file["state"], "unchanged", "{file}");
    }
    assert_eq!(state(&again, ".github/dependabot.yml"), "unchanged");
    // Whatever is uncommented then, or added by `audit init`, stands in the table that it was written for.
    let configuration = folder.path().join("portcullis.toml");
    let mut mapped = portcullis(&["audit", "init", "--yes", "--config"]);
    mapped.arg(&configuration).arg(folder.path().join("docs/security.md"));
    process::run(mapped).await.expect(0);
    let text = std::fs::read_to_string(&configuration).unwrap().replace("# advisories", "advisories");
    let text: toml::Table = toml::from_str(&text).unwrap();
    assert_eq!(text["audit"]["advisories"].as_str(), Some("../advisory-db"));
    assert_eq!(text["audit"]["lines"].as_table().unwrap().len(), 3);
}

#[tokio::test]
async fn what_git_would_commit_and_what_nothing_locks_is_told() {
    let folder = repository(&[
        (".gitignore", "node_modules"),
        ("package.json", "{\"dependencies\": {\"left-pad\": \"1.3.0\"}}"),
        (
            ".github/dependabot.yml",
            "version: 2\nupdates:\n  - {package-ecosystem: npm, directory: /, schedule: {interval: daily}}\n  \
             - {package-ecosystem: github-actions, directory: /, schedule: {interval: daily}}\n",
        ),
    ]);
    let said = init(folder.path(), &[]).await.stdout;
    for line in [
        "not locked   package.json: no lockfile is committed beside it or its workspace; G2 will fail on it",
        "covered      .github/dependabot.yml",
        "kept         .gitignore (it lacks /data/: keys and reports lie there)",
    ] {
        assert!(said.contains(line), "{line} is not in {said}");
    }
    let said = init(folder.path(), &["--yes", "--json"]).await.json();
    assert_eq!(state(&said, ".gitignore"), "appended");
    let ignored = std::fs::read_to_string(folder.path().join(".gitignore")).unwrap();
    assert_eq!(ignored, "node_modules\n/data/\n");
}

#[tokio::test]
async fn files_that_are_there_are_kept_where_nobody_can_be_asked() {
    let folder = repository(&[
        ("portcullis.toml", "# mine\n"),
        ("Cargo.toml", "[package]\nname = \"a\"\n"),
        (
            ".github/dependabot.yml",
            "version: 2\nupdates: [{package-ecosystem: cargo, directory: /, schedule: {interval: daily}}]\n",
        ),
    ]);
    let said = init(folder.path(), &["--json"]).await.json();
    assert_eq!(state(&said, "portcullis.toml"), "kept");
    // It lacks the step that is written now: that is said, and not put in.
    assert_eq!(state(&said, ".github/dependabot.yml"), "kept");
    assert!(said["not_covered"][0].as_str().unwrap().contains("github-actions"), "{said}");
    assert_eq!(std::fs::read_to_string(folder.path().join("portcullis.toml")).unwrap(), "# mine\n");

    let overwritten = init(folder.path(), &["--yes", "--json"]).await.json();
    assert_eq!(state(&overwritten, "portcullis.toml"), "overwritten");
    holds(folder.path()).await;
}

/// A question is asked where somebody can answer it, and anything but yes leaves the file.
#[tokio::test]
async fn on_a_terminal_each_file_that_is_there_is_asked_about() {
    const TERMINAL: &str = include_str!("../../../../tests/ecosystem/terminal.py");
    let configuration = "portcullis.toml is there already. Overwrite it? [y/N] ";
    let updates = ".github/dependabot.yml is there already. Overwrite it? [y/N] ";
    for (answer, overwritten) in
        [("y\n", true), ("YES\n", true), ("\n", false), ("yeah\n", false), ("\u{4}", false)]
    {
        let folder = repository(&[
            ("portcullis.toml", "# mine\n"),
            (".github/dependabot.yml", "version: 2\nupdates: []\n"),
            ("Cargo.toml", "[package]\nname = \"a\"\n"),
        ]);
        let mut run = vec![env!("CARGO_BIN_EXE_portcullis").to_owned(), "init".to_owned()];
        run.push(folder.path().to_str().unwrap().to_owned());
        let asked = json!({"run": run, "answers": [[configuration, answer], [updates, "n\n"]]}).to_string();
        let said = process::run(testkit::python::script(TERMINAL, &[&asked])).await.expect(0).stdout;
        let of = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(of("portcullis.toml") != "# mine\n", overwritten, "{answer:?}: {said}");
        assert_eq!(of(".github/dependabot.yml"), "version: 2\nupdates: []\n", "{said}");
        let state = if overwritten { "overwritten" } else { "kept" };
        assert!(said.contains(&format!("{state:<12} portcullis.toml")), "{said}");
        assert!(said.contains("kept         .github/dependabot.yml"), "{said}");
    }
}

#[tokio::test]
async fn a_dry_run_writes_nothing_and_an_update_tool_that_covers_all_stays_alone() {
    let folder = repository(&[("renovate.json", "{}"), ("Cargo.toml", "[package]\nname = \"a\"\n")]);
    let said = init(folder.path(), &["--dry-run"]).await.stdout;
    assert!(
        said.contains("would write  portcullis.toml") && said.contains("environment = \"development\""),
        "{said}"
    );
    assert!(!said.contains("dependabot.yml"), "{said}");
    assert!(said.contains("next: portcullis check"), "{said}");
    let mut left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, [".git", "Cargo.toml", "renovate.json"]);
}

#[tokio::test]
async fn on_gitlab_the_step_is_printed() {
    let folder = repository(&[(".gitlab-ci.yml", "stages: []\n"), ("go.mod", "module x\n")]);
    let said = init(folder.path(), &[]).await.stdout;
    assert!(said.contains("portcullis scan") && said.contains("GIT_DEPTH"), "{said}");
    assert!(!folder.path().join(".github/workflows").exists());
}
