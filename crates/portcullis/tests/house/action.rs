//! The GitHub Action: its description fits GitHub's schema, and its steps do what they say, against a stub of GitHub's
//! interface on loopback and the real binary.

use crate::graph::root;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

const REPORT: &str = r#"{"schema": 1, "run": {"started": "2026-11-24T16:00:00Z", "started_at": 1795536000, "environment": "staging",
 "vantages": ["http"], "target": "https://api.example.com", "issuer": "https://auth.example.com/", "version": "0.1.0", "id": "f00d"},
 "measures": [{"id": "N2", "line": "CORS.", "verdict": "VERDICT", "claims": [{"id": "strangers_are_refused", "verdict": "VERDICT",
 "evidence": [{"strength": "live", "vantage": "http", "what": "seen"}], "remedy": "mend it"}]}], "signature": null}"#;

/// The list of comments for a token that may read them and write none.
const FORK: &str = "[ ]";

/// A request as the stub heard it: the line, whether it was authorized, the body.
#[derive(Clone, Debug)]
struct Heard {
    line: String,
    authorized: bool,
    body: serde_json::Value,
}

/// Answers as GitHub does: `comments` to the list, something to the rest; 403 to a change where it has no list.
fn github(comments: &'static str) -> (SocketAddr, Arc<Mutex<Vec<Heard>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&heard);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            log.lock().unwrap().push(answer(stream, comments));
        }
    });
    (address, heard)
}

fn answer(mut stream: TcpStream, comments: &str) -> Heard {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() == 0 || line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let header = |name: &str| {
        lines.iter().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let length = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    if header("expect").is_some() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let line = lines.first().cloned().unwrap_or_default();
    let text = if line.starts_with("GET ") { comments } else { "{}" };
    let refused = comments == FORK && !line.starts_with("GET ") || comments.is_empty();
    let status = if refused { "403 Forbidden" } else { "200 OK" };
    let reply =
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}", text.len());
    stream.write_all(reply.as_bytes()).unwrap();
    Heard {
        line,
        authorized: header("authorization").as_deref() == Some("Bearer token-of-the-job"),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    }
}

/// Runs a step in a folder.
fn step(name: &str, folder: &Path, environment: &[(&str, &str)]) -> Output {
    Command::new("bash")
        .arg(root().join(".github/action").join(name))
        .current_dir(folder)
        .env("GITHUB_OUTPUT", folder.join("outputs"))
        .env("GITHUB_STEP_SUMMARY", folder.join("summary"))
        .env("GITHUB_REPOSITORY", "ours/backend")
        .env("GITHUB_SHA", "3f2c1ab94bd5c02f5f2f9d2c8f3d7f0a11223344")
        .env("GITHUB_REF", "refs/pull/7/merge")
        .env("TOKEN", "token-of-the-job")
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

fn done(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_description_fits_githubs_schema_and_names_scripts_that_exist() {
    let program = testkit::ecosystem::python().with_file_name("check-jsonschema");
    let file = root().join("action.yml");
    let judged = Command::new(program)
        .args(["--builtin-schema", "vendor.github-actions"])
        .arg(&file)
        .output()
        .unwrap();
    done(judged);
    let text = std::fs::read_to_string(&file).unwrap();
    for script in std::fs::read_dir(root().join(".github/action")).unwrap() {
        let name = script.unwrap().file_name().into_string().unwrap();
        assert!(text.contains(&format!(".github/action/{name}\"")), "{name} is called nowhere");
    }
    // What comes from outside reaches a script as a variable, never as text of it.
    for line in text.lines().filter(|line| line.trim_start().starts_with("run:")) {
        assert!(!line.contains("${{"), "{line}");
    }
}

#[test]
fn a_report_is_shown_commented_and_uploaded_and_the_job_fails_at_last() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("now.json"), REPORT.replace("VERDICT", "fail")).unwrap();
    std::fs::write(folder.join("before.json"), REPORT.replace("VERDICT", "pass")).unwrap();
    done(step("fetch", folder, &[("BINARY", env!("CARGO_BIN_EXE_portcullis")), ("VERSION", "")]));
    let outputs = std::fs::read_to_string(folder.join("outputs")).unwrap();
    let binary = outputs.trim().strip_prefix("path=").unwrap();
    let wanted = [
        ("PORTCULLIS", binary),
        ("CONFIG", "portcullis.toml"),
        ("OUTPUT", "reports"),
        ("FROM", "now.json"),
        ("SINCE", "before.json"),
        ("ARGUMENTS", ""),
    ];
    done(step("audit", folder, &wanted));
    let outputs = std::fs::read_to_string(folder.join("outputs")).unwrap();
    assert!(
        outputs.contains("exit-code=1\n") && outputs.contains("report=reports/report.json\n"),
        "{outputs}"
    );
    assert!(std::fs::read_to_string(folder.join("summary")).unwrap().contains("| ✗ fail | N2 | CORS. |"));
    for file in ["report.json", "report.html", "report.sarif", "report.junit.xml", "report.difference.md"] {
        assert!(folder.join("reports").join(file).is_file(), "{file}");
    }

    // Somebody else's comment holds the marker too, and is left alone.
    let comments = r#"[{"id": 1, "body": "<!-- portcullis:difference -->\nmine", "user": {"type": "User"}}, {"id": 42, "body":
        "<!-- portcullis:difference -->\nold", "user": {"type": "Bot"}}]"#;
    for (comments, request) in [
        (comments, "PATCH /repos/ours/backend/issues/comments/42 HTTP/1.1"),
        ("[]", "POST /repos/ours/backend/issues/7/comments HTTP/1.1"),
    ] {
        let (address, heard) = github(comments);
        let api = format!("http://{address}");
        let difference = "reports/report.difference.md";
        done(step(
            "comment",
            folder,
            &[("GITHUB_API_URL", &api), ("NUMBER", "7"), ("DIFFERENCE", difference)],
        ));
        let heard = heard.lock().unwrap().clone();
        assert_eq!(heard.len(), 2, "{heard:?}");
        assert!(heard.iter().all(|one| one.authorized), "{heard:?}");
        assert_eq!(heard[1].line, request);
        let body = heard[1].body["body"].as_str().unwrap();
        assert!(
            body.starts_with("<!-- portcullis:difference -->") && body.contains("| pass | fail |"),
            "{body}"
        );
    }

    // A fork's token: the job goes on, and says so. Nothing that GitHub sends is printed.
    for refuses in [FORK, ""] {
        let (address, _) = github(refuses);
        let api = format!("http://{address}");
        let difference = "reports/report.difference.md";
        let environment = [("GITHUB_API_URL", api.as_str()), ("NUMBER", "7"), ("DIFFERENCE", difference)];
        let said = done(step("comment", folder, &environment));
        assert!(said.starts_with("::warning::") && said.lines().count() == 1, "{said}");
    }

    let (address, heard) = github("[]");
    let api = format!("http://{address}");
    done(step("upload", folder, &[("GITHUB_API_URL", &api), ("SARIF", "reports/report.sarif")]));
    let heard = heard.lock().unwrap().clone();
    assert_eq!(heard[0].line, "POST /repos/ours/backend/code-scanning/sarifs HTTP/1.1");
    assert_eq!(heard[0].body["ref"], "refs/pull/7/merge");
    // The first bytes of gzip, in base64.
    assert!(heard[0].body["sarif"].as_str().unwrap().starts_with("H4sI"), "{heard:?}");

    // Without the permission the findings are judged all the same. Nobody listens: the same.
    let (address, heard) = github("");
    let refuses = format!("http://{address}");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    for api in [refuses, silent] {
        let said =
            done(step("upload", folder, &[("GITHUB_API_URL", &api), ("SARIF", "reports/report.sarif")]));
        assert!(said.starts_with("::warning::") && said.contains("security-events: write"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    assert_eq!(heard.lock().unwrap().len(), 1);
    let outputs = std::fs::read_to_string(folder.join("outputs")).unwrap();
    let code = outputs.lines().find_map(|line| line.strip_prefix("exit-code=")).unwrap();
    assert_eq!(step("judge", folder, &[("CODE", code), ("FAIL_ON", "fail")]).status.code(), Some(1));
}

/// GitHub leaves a step out when one before it failed, unless its condition says otherwise.
#[test]
fn the_job_is_judged_whatever_became_of_the_steps_before() {
    let text = std::fs::read_to_string(root().join("action.yml")).unwrap();
    let action = serde_saphyr::from_str::<serde_json::Value>(&text).unwrap();
    let steps = action["runs"]["steps"].as_array().unwrap();
    let judge = steps.last().unwrap();
    assert_eq!(judge["name"], "Judge");
    let when = judge["if"].as_str().unwrap();
    assert!(when.contains("!cancelled()") && when.contains("steps.audit.outcome == 'success'"), "{when}");
}

#[test]
fn all_lines_of_the_arguments_count_and_no_earlier_run_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Writes what it was called with into each file that it is to write, but the HTML page.
    let program = r#"#!/usr/bin/env bash
        for argument; do case "${argument#*=}" in */.run.*.html) ;; */.run.*) echo "$@" >"${argument#*=}" ;; esac; done
        exit 3"#;
    std::fs::write(folder.join("text"), program).unwrap();
    // By a process of its own: a program that anybody still writes cannot be started.
    let install = ["-m", "755", "text", "stub"];
    done(Command::new("install").args(install).current_dir(folder).output().unwrap());
    std::fs::create_dir(folder.join("reports")).unwrap();
    for file in ["report.json", "report.html", "mine.txt"] {
        std::fs::write(folder.join("reports").join(file), "earlier").unwrap();
    }
    let program = folder.join("stub");
    let wanted = [
        ("PORTCULLIS", program.to_str().unwrap()),
        ("CONFIG", "portcullis.toml"),
        ("OUTPUT", "reports"),
        ("SINCE", "reports/report.json"),
        ("ARGUMENTS", "--only A9\n  --with staging.json\n$(touch never)\n"),
    ];
    done(step("audit", folder, &wanted));
    let called = std::fs::read_to_string(folder.join("reports/report.json")).unwrap();
    let end = "--since reports/report.json --only A9 --with staging.json $(touch never)\n";
    assert!(called.ends_with(end), "{called}");
    let mut left: Vec<_> =
        std::fs::read_dir(folder.join("reports")).unwrap().map(|file| file.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(
        left,
        ["mine.txt", "report.difference.md", "report.json", "report.junit.xml", "report.sarif", "summary.md"]
    );
}

#[test]
fn no_link_of_the_checkout_is_followed_and_no_program_is_given_the_token() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("secret"), "of the machine").unwrap();
    let link = |name: &str, to: &str| std::os::unix::fs::symlink(to, folder.join(name)).unwrap();
    std::fs::create_dir(folder.join("elsewhere")).unwrap();
    link("reports", "elsewhere");
    link("report.sarif", "secret");
    for output in ["reports", "reports/"] {
        let wanted = [("PORTCULLIS", "true"), ("CONFIG", "portcullis.toml"), ("OUTPUT", output)];
        assert_eq!(step("audit", folder, &wanted).status.code(), Some(2), "{output}");
    }
    let (address, heard) = github("[]");
    let api = format!("http://{address}");
    let environment = [("GITHUB_API_URL", api.as_str()), ("NUMBER", "7"), ("DIFFERENCE", "report.sarif")];
    done(step("comment", folder, &environment));
    let environment = [("GITHUB_API_URL", api.as_str()), ("SARIF", "report.sarif")];
    assert!(!step("upload", folder, &environment).status.success());
    assert!(heard.lock().unwrap().is_empty());
    for name in ["comment", "upload"] {
        let text = std::fs::read_to_string(root().join(".github/action").join(name)).unwrap();
        let unset = text.find("unset TOKEN").unwrap();
        assert!(
            ["jq ", "gzip ", "mktemp"].iter().all(|program| text.find(program).is_none_or(|at| at > unset))
        );
    }
}

#[test]
fn the_job_fails_as_its_caller_wants() {
    let folder = tempfile::tempdir().unwrap();
    for (code, on, fails) in [
        ("0", "not-proven", false),
        ("1", "fail", true),
        ("4", "fail", true),
        ("1", "never", false),
        ("3", "fail", false),
        ("3", "never", false),
        ("3", "not-proven", true),
        ("2", "never", true),
        ("70", "never", true),
        ("0", "sometimes", true),
        ("3", "not_proven", true),
        ("0", "", true),
    ] {
        let output = step("judge", folder.path(), &[("CODE", code), ("FAIL_ON", on)]);
        assert_eq!(!output.status.success(), fails, "{code} {on}");
    }
}

#[test]
fn a_release_is_taken_only_with_the_digest_beside_it() {
    let releases = tempfile::tempdir().unwrap();
    let name = "portcullis-0.1.0-x86_64-unknown-linux-gnu";
    let folder = releases.path().join("v0.1.0");
    std::fs::create_dir_all(folder.join(name)).unwrap();
    std::fs::write(folder.join(name).join("portcullis"), "a program").unwrap();
    let made = Command::new("bash")
        .args(["-c", "tar -czf $0.tar.gz $0 && sha256sum $0.tar.gz > $0.tar.gz.sha256", name])
        .current_dir(&folder)
        .output()
        .unwrap();
    done(made);
    let address = format!("file://{}", releases.path().display());
    let fetch = |work: &Path| {
        let environment = [
            ("BINARY", ""),
            ("VERSION", "0.1.0"),
            ("RELEASES", address.as_str()),
            ("HOST", "x86_64-unknown-linux-gnu"),
            ("RUNNER_TEMP", work.to_str().unwrap()),
        ];
        step("fetch", work, &environment)
    };
    let work = tempfile::tempdir().unwrap();
    done(fetch(work.path()));
    assert!(std::fs::read_to_string(work.path().join("outputs")).unwrap().contains("/portcullis\n"));
    let mut archive = std::fs::read(folder.join(format!("{name}.tar.gz"))).unwrap();
    *archive.last_mut().unwrap() ^= 1;
    std::fs::write(folder.join(format!("{name}.tar.gz")), archive).unwrap();
    let work = tempfile::tempdir().unwrap();
    assert!(!fetch(work.path()).status.success());
    assert!(!work.path().join("outputs").exists());
}

/// The `at`th block of YAML in a page of the docs.
fn yaml_of(page: &str, at: usize) -> String {
    let text = std::fs::read_to_string(root().join("docs").join(page)).unwrap();
    let block = text.split("```yaml\n").nth(at + 1).unwrap_or_else(|| panic!("{page} has no block {at}"));
    block.split("```").next().unwrap().to_owned()
}

#[test]
fn what_the_docs_give_to_paste_fits_its_schema() {
    let folder = tempfile::tempdir().unwrap();
    for (at, schema) in [(0, "vendor.github-workflows"), (2, "vendor.gitlab-ci")] {
        let file = folder.path().join("pasted.yml");
        std::fs::write(&file, yaml_of("ci.md", at)).unwrap();
        let program = testkit::ecosystem::python().with_file_name("check-jsonschema");
        done(Command::new(program).args(["--builtin-schema", schema]).arg(&file).output().unwrap());
    }
    // Every input that the page's table names is one, and the other way round.
    let action = serde_saphyr::from_str::<serde_json::Value>(
        &std::fs::read_to_string(root().join("action.yml")).unwrap(),
    )
    .unwrap();
    let page = std::fs::read_to_string(root().join("docs/ci.md")).unwrap();
    let mut named: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let mut inputs: Vec<&str> = action["inputs"].as_object().unwrap().keys().map(String::as_str).collect();
    named.sort_unstable();
    inputs.sort_unstable();
    assert_eq!(named, inputs);
}

/// What docs/samples shows is what a run writes today: each file fits its schema. `scripts/samples` makes them anew.
#[test]
fn the_samples_fit_their_schemas() {
    let samples = root().join("docs/samples");
    let script = std::fs::read_to_string(root().join("tests/ecosystem/reports.py")).unwrap();
    let schema = root().join("docs/report.schema.json");
    let mut command = Command::new(testkit::ecosystem::python());
    command.arg("-c").arg(script).args([schema, testkit::ecosystem::node_modules(), samples.clone()]);
    done(command.output().unwrap());
    // The page for strangers holds nothing of the machine that it was made on.
    let public = std::fs::read_to_string(samples.join("public.html")).unwrap();
    for never in ["localhost", "127.0.0.1", "/catalogue", "/tmp/", "access_token_lifetime"] {
        assert!(!public.contains(never), "{never}");
    }
}
