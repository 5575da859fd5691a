//! Why a report may be believed: the real binary signs it, chains it, verifies it offline, and puts no secret in it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;
use testkit::process::{self, Output};

use crate::world::{PASSWORD, World, portcullis};

async fn run(arguments: &[&str]) -> Output {
    process::run(portcullis(arguments)).await
}

async fn audit(world: &World, arguments: &[&str]) -> Output {
    let mut command = portcullis(&["audit", "--dir"]);
    command.arg(world.state()).args(arguments);
    process::run(command).await
}

#[tokio::test]
async fn a_report_is_signed_chained_and_verified_without_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (first, second, key, chain) = (file("1.json"), file("2.json"), file("key.json"), file("chain"));
    {
        let world = World::dev(&[], "").await;
        let report = audit(&world, &["--format", "json", "--only", "N2", "--challenge", "nonce-7"]).await;
        assert!(report.stderr.contains("is kept, signed, as "), "{}", report.stderr);
        std::fs::write(&first, &report.stdout).unwrap();
        std::fs::write(&second, audit(&world, &["--json", "--only", "N2"]).await.stdout).unwrap();
        let mut printed = portcullis(&["audit", "key", "--dir"]);
        printed.arg(world.state());
        std::fs::write(&key, process::run(printed).await.expect(0).stdout).unwrap();
        let kept = world.state().join("audit/reports");
        std::fs::create_dir(&chain).unwrap();
        for entry in std::fs::read_dir(kept).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), std::path::Path::new(&chain).join(entry.file_name())).unwrap();
        }
    }
    // The server, its configuration and its state are gone.
    let verified = run(&["verify", &first, "--key", &key, "--challenge", "nonce-7", "--chain", &chain]).await;
    let verified = verified.expect(0).stdout;
    for part in
        ["by the key that was asked for", "repeats the challenge", "2 reports in a row", "1 newer reports"]
    {
        assert!(verified.contains(part), "{part}: {verified}");
    }
    let thumbprint: Value =
        serde_json::from_str(&run(&["verify", &second, "--json"]).await.expect(0).stdout).unwrap();
    let kid = thumbprint["reports"][0]["kid"].as_str().unwrap();
    run(&["verify", &first, &second, "--key", kid]).await.expect(0);
    // A file of that name is no key in its place.
    std::fs::write(file(kid), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k").unwrap();
    let mut beside = portcullis(&["verify", &first, "--key", kid]);
    beside.current_dir(folder.path());
    process::run(beside).await.expect(0);
    let unpinned = run(&["verify", &second]).await.expect(0).stdout;
    assert!(unpinned.contains("not pinned"), "{unpinned}");

    let other = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
    run(&["verify", &first, "--key", other]).await.expect(3);
    run(&["verify", &second, "--challenge", "nonce-7"]).await.expect(3);
    run(&["verify", &file("absent.json")]).await.expect(2);
    run(&["verify", &first, "--key", "no key"]).await.expect(2);
    let text = std::fs::read_to_string(&first).unwrap();
    let forged = file("forged.json");
    std::fs::write(&forged, text.replacen("\"verdict\": \"pass\"", "\"verdict\": \"fail\"", 1)).unwrap();
    run(&["verify", &forged]).await.expect(1);
    let (one, two): (Value, Value) = (
        serde_json::from_str(&text).unwrap(),
        serde_json::from_str(&std::fs::read_to_string(&second).unwrap()).unwrap(),
    );
    let moved = text.replace(one["signature"].as_str().unwrap(), two["signature"].as_str().unwrap());
    std::fs::write(&forged, moved).unwrap();
    run(&["verify", &forged]).await.expect(1);
}

#[tokio::test]
async fn evidence_is_no_token_and_a_tokens_key_signs_no_evidence() {
    let world = World::dev(&[], "").await;
    let report: Value =
        serde_json::from_str(&audit(&world, &["--json", "--only", "N2"]).await.stdout).unwrap();
    let detached = report["signature"].as_str().unwrap();
    // With a token's claims in the payload's place it is a whole JWS, still not an access token.
    let claims = serde_json::json!({"iss": world.says("issuer"), "aud": world.says("audience"), "exp": 4_000_000_000_u64});
    let attached = detached.replace("..", &format!(".{}.", URL_SAFE_NO_PAD.encode(claims.to_string())));
    for token in [detached, &attached] {
        let call = world.http.get(&world.gateway("/notes")).bearer(token).send().await.expect(401);
        assert!(call.header("www-authenticate").is_some_and(|value| value.contains("invalid_token")));
    }
    // And a token's signature in the report's place.
    let token = world.machine_token().await;
    let file = world.state().join("forged.json");
    let (head, rest) = token.split_once('.').unwrap();
    let signature = rest.split_once('.').unwrap().1;
    let mut bytes = serde_json::to_string_pretty(&report).unwrap();
    bytes.push('\n');
    std::fs::write(&file, bytes.replace(detached, &format!("{head}..{signature}"))).unwrap();
    run(&["verify", file.to_str().unwrap()]).await.expect(1);
}

#[tokio::test]
async fn no_secret_of_the_whole_run_stands_in_any_form_of_its_report() {
    let world = World::dev(&[], "").await;
    world.sign_up("ada@example.com").await;
    let mut secrets = vec![
        ("the client's secret", world.says("client_secret").as_bytes().to_vec()),
        ("a user's password", PASSWORD.as_bytes().to_vec()),
        ("a client's token", world.machine_token().await.into_bytes()),
        ("a user's token", world.user_token("ada@example.com", None).await.into_bytes()),
    ];
    let mut outputs = vec![audit(&world, &["--format", "json"]).await.stdout];
    let kept = world.state().join("audit/reports");
    let report = std::fs::read_dir(kept).unwrap().next().unwrap().unwrap().path();
    for format in ["text", "markdown", "difference", "sarif", "junit", "html", "oscal", "prometheus", "badge"]
    {
        let form = audit(&world, &["--format", format, "--from", report.to_str().unwrap()]).await;
        assert!(!form.stdout.is_empty(), "{format}: {}", form.stderr);
        outputs.push(form.stdout);
    }
    // Whatever the installation keeps as a secret: keys, passwords, and the tokens that the audit kept.
    for name in ["kek", "store.key", "audit.password", "audit/signing-key.pem"] {
        let bytes = std::fs::read(world.state().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        secrets.push(("a file", bytes.trim_ascii().to_vec()));
    }
    let tokens: Value =
        serde_json::from_slice(&std::fs::read(world.state().join("audit/kept-tokens.json")).unwrap())
            .unwrap();
    for token in tokens.as_array().unwrap() {
        secrets.push(("a kept token", token["token"].as_str().unwrap().as_bytes().to_vec()));
    }
    assert!(secrets.len() > 8, "{}", secrets.len());
    for (what, secret) in &secrets {
        assert!(secret.len() >= 16, "{what} is too short to be looked for");
        // Of three alignments the middle of the base64 is the same whatever stands around it.
        let shifted = (0..3).map(|shift| {
            let padded = [&vec![b'x'; shift][..], secret].concat();
            let text = STANDARD.encode(padded);
            text[4..text.len() - 4].to_owned()
        });
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let raw = String::from_utf8(secret.clone()).ok();
        for form in shifted.chain([hex]).chain(raw) {
            for output in &outputs {
                assert!(!output.contains(&form), "{what} stands in a report");
                assert!(
                    !output.contains(&form.replace('+', "-").replace('/', "_")),
                    "{what} stands in a report"
                );
            }
        }
    }
}

#[tokio::test]
async fn what_the_state_no_longer_keeps_is_said() {
    let world = World::dev(&[], "").await;
    let run = async || audit(&world, &["--only", "N2"]).await.expect(0);
    run().await;
    let reports = world.state().join("audit/reports");
    // As many as are kept; no file of the name that says how many are gone can be written.
    let others =
        (1..::audit::state::KEPT).map(|at| reports.join(format!("99990101T{at:06}Z-development.json")));
    let others: Vec<_> = others.collect();
    others.iter().for_each(|file| std::fs::write(file, "{}").unwrap());
    std::fs::create_dir(reports.join("pruned-development")).unwrap();
    let said = run().await.stdout;
    assert!(
        said.contains("note: older reports than are to be kept are still there: ")
            && said.contains("pruned-development"),
        "{said}"
    );
    std::fs::remove_dir(reports.join("pruned-development")).unwrap();
    let said = run().await.stdout;
    assert!(!said.contains("older reports"), "{said}");
    others.iter().for_each(|file| std::fs::remove_file(file).unwrap());
    let left: Vec<_> = std::fs::read_dir(&reports)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    let [last] = left.as_slice() else { panic!("{left:?}") };
    let mut verify = portcullis(&["verify", "--chain"]);
    verify.arg(&reports).arg(last);
    let verified = process::run(verify).await.expect(0).stdout;
    assert!(verified.contains("development: 2 older reports are no longer kept; "), "{verified}");
}

#[tokio::test]
async fn what_is_waived_is_said_and_ends() {
    let waiver = |of: &str, since: &str, expires: &str| {
        format!(
            "[[audit.waiver]]\nof = \"{of}\"\nreason = \"the move\"\nowner = \"Ada\"\nsince = {since}\nexpires = {expires}\n"
        )
    };
    let (today, month) = (day(0), day(30));
    let configuration = [
        waiver("A10", &today, &month),
        waiver("A4", "2020-01-01", "2020-02-01"),
        waiver("N2/gone", &today, &month),
    ]
    .concat();
    let world = World::dev(&[], &configuration).await;
    let output = audit(&world, &["--json", "--only", "A10", "--only", "A4", "--only", "N2"]).await;
    let report: Value = serde_json::from_str(&output.stdout).unwrap();
    let verdict = |id: &str| {
        let measures = report["measures"].as_array().unwrap();
        measures.iter().find(|measure| measure["id"] == id).unwrap()["verdict"].clone()
    };
    assert_eq!((verdict("A10"), verdict("A4")), ("waived".into(), "not_proven".into()), "{report:#}");
    let notes = report["run"]["notes"].to_string();
    assert!(
        notes.contains("the waiver of A4 expired") && notes.contains("N2/gone matches nothing"),
        "{notes}"
    );
    assert_eq!(report["waivers"][0]["applies"], true);

    let file = world.state().join("portcullis.toml");
    std::fs::write(&file, waiver("A10", "2027-01-01", "2028-01-01")).unwrap();
    let refused = audit(&world, &["--only", "A10"]).await.expect(2);
    assert!(refused.stderr.contains("90 at most") && refused.stderr.contains("line 1"), "{}", refused.stderr);
}

#[tokio::test]
async fn a_report_that_is_not_what_was_signed_makes_nothing() {
    let world = World::dev(&[], "").await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (good, forged, bare, document) =
        (file("good.json"), file("forged.json"), file("bare.json"), file("d.md"));
    let text = audit(&world, &["--json", "--only", "N2"]).await.stdout;
    let report: Value = serde_json::from_str(&text).unwrap();
    std::fs::write(&good, &text).unwrap();
    std::fs::write(&forged, text.replace("development", "production")).unwrap();
    let signature = format!("\"{}\"", report["signature"].as_str().unwrap());
    std::fs::write(&bare, text.replace(&signature, "null")).unwrap();
    let source =
        "- [ ] CORS lets in our frontend's origin alone.\n- [x] The database requires a strong password.\n";
    std::fs::write(&document, source).unwrap();
    let shown = async |arguments: &[&str]| {
        let mut command = portcullis(&["audit"]);
        command.args(arguments).current_dir(folder.path());
        process::run(command).await
    };
    let write = ["--document", &document, "--write"];
    for how in ["--since", "--with"] {
        let refused = audit(&world, &[&[how, &forged, "--from", &good][..], &write].concat()).await.expect(2);
        assert!(refused.stderr.contains("portcullis verify"), "{how}: {}", refused.stderr);
    }
    let refused = shown(&[&["--from", &forged][..], &write].concat()).await.expect(2);
    assert!(refused.stderr.contains("portcullis verify"), "{}", refused.stderr);
    for arguments in [&["--from", &bare][..], &["--from", &good, "--with", &bare]] {
        let refused = shown(&[arguments, &write].concat()).await.expect(2);
        assert!(refused.stderr.contains("is not signed"), "{}", refused.stderr);
    }
    assert_eq!(std::fs::read_to_string(&document).unwrap(), source);

    let noted = shown(&["--from", &bare]).await.expect(0);
    assert!(noted.stderr.contains("is not signed") && noted.stdout.contains("is not signed"), "{noted:?}");
    let own = audit(&world, &["--from", &good]).await.expect(0);
    assert!(!own.stderr.contains("note:"), "{}", own.stderr);
    let other = World::dev(&[], "").await;
    run(&["audit", "key", "--dir", other.state().to_str().unwrap()]).await.expect(0);
    let foreign = audit(&other, &["--from", &good]).await.expect(0);
    assert!(foreign.stderr.contains("which is not this installation's key"), "{}", foreign.stderr);

    // What cannot be written at the end was known at the beginning.
    let absent = file("absent/r.json");
    let refused = audit(&world, &["--only", "N2", "--output", &absent]).await.expect(2);
    assert!(refused.stderr.contains(&absent) && refused.stdout.is_empty(), "{}", refused.stderr);

    shown(&[&["--from", &good][..], &write].concat()).await.expect(0);
    let written = std::fs::read_to_string(&document).unwrap();
    assert!(written.starts_with("- [x] CORS"), "{written}");
    assert!(written.ends_with("\n- [x] The database requires a strong password.\n"), "{written}");
}

/// A date so many days from now.
fn day(ahead: u32) -> String {
    let output =
        std::process::Command::new("date").args(["-u", "-d", &format!("+{ahead} days"), "+%F"]).output();
    String::from_utf8(output.unwrap().stdout).unwrap().trim().to_owned()
}
