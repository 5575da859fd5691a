//! What a stranger wrote into a file, or called it, moves no cursor when a command repeats it.

use std::path::Path;

use testkit::process::{self, Output};

use crate::scan::git;
use crate::world::portcullis;

/// Clears the screen, and names the window.
const ESCAPES: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}";
/// As it is shown.
const SHOWN: &str = "\\u{1b}[2J\\u{1b}]0;owned\\u{7}";

async fn run(arguments: &[&str], folder: &Path) -> Output {
    let mut command = portcullis(arguments);
    command.current_dir(folder);
    process::run(command).await
}

#[track_caller]
fn is_tame(what: &str, output: &Output) {
    let said = format!("{}{}", output.stdout, output.stderr);
    assert!(said.contains(SHOWN), "{what} repeats nothing of it: {said:?}");
    assert!(!said.contains(['\u{1b}', '\u{7}']), "{what}: {said:?}");
}

#[tokio::test]
async fn what_a_file_says_is_repeated_without_its_controls() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let write = |name: &str, text: &str| {
        std::fs::create_dir_all(path.join(name).parent().unwrap()).unwrap();
        std::fs::write(path.join(name), text).unwrap();
    };
    write("portcullis.toml", &format!("{ESCAPES} = 1\n"));
    write("escaped.toml", "\"\\u001b[2J\\u001b]0;owned\\u0007\" = 1\n");
    write("measures.md", &format!("- [ ] CORS {ESCAPES} for the frontend's origin.\n"));
    write(
        "report.json",
        &format!(
            "{{\"schema\": 1, \"{}\": 1}}",
            ESCAPES.replace('\u{1b}', "\\u001b").replace('\u{7}', "\\u0007")
        ),
    );
    let baseline = "{\"schema\": 1, \"findings\": [{\"\\u001b[2J\\u001b]0;owned\\u0007\": 1}]}";
    write("baseline.json", baseline);
    for arguments in [
        &["audit"][..],
        &["audit", "--schedule", "6h"],
        &["audit", "--config", "escaped.toml"],
        &["audit", "init", "measures.md"],
        &["audit", "init", "measures.md", "--config", "escaped.toml"],
        &["audit", "key", "--config", "escaped.toml"],
        &["check", "--config", "escaped.toml"],
        &["scan", "--baseline", "baseline.json"],
    ] {
        is_tame(&arguments.join(" "), &run(arguments, path).await.expect(2));
    }
    let kept =
        run(&["audit", "init", "measures.md", "--yes", "--comments", "--config", "absent.toml"], path).await;
    assert!(!format!("{}{}", kept.stdout, kept.stderr).contains('\u{1b}'), "{kept:?}");
    // Its own words for a report may repeat nothing of it.
    let verified = run(&["verify", "report.json"], path).await;
    assert!(!format!("{}{}", verified.stdout, verified.stderr).contains('\u{1b}'), "{verified:?}");
}

#[tokio::test]
async fn what_a_file_is_called_is_repeated_without_its_controls() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    git(path, &["init", "-q"]);
    let name = format!("a{ESCAPES}b").replace('/', "");
    let inside = path.join(&name);
    std::fs::create_dir(&inside).unwrap();
    std::fs::write(inside.join("openapi.yaml"), "openapi: 3.0.3\npaths: {}\n").unwrap();
    std::fs::write(inside.join("package.json"), "{\"name\": \"a\", \"dependencies\": {\"b\": \"1\"}}")
        .unwrap();
    for arguments in [&["init", "--dry-run"][..], &["init"]] {
        is_tame(&arguments.join(" "), &run(arguments, path).await.expect(0));
    }
    for (command, arguments) in [
        ("scan", &["scan", "--baseline"][..]),
        ("verify", &["verify"]),
        ("audit", &["audit", "--config"]),
        ("audit init", &["audit", "init"]),
    ] {
        let named = inside.join("absent");
        let all: Vec<&str> = arguments.iter().copied().chain([named.to_str().unwrap()]).collect();
        is_tame(command, &run(&all, path).await.expect(2));
    }
}
