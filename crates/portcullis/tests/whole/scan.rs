//! `portcullis scan` in a repository, and G1 on one that holds a secret of the very server that is audited.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use testkit::process;

use crate::world::{World, portcullis};

pub fn git(folder: &Path, arguments: &[&str]) {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["-c", "user.name=Test", "-c", "user.email=test@example.com"])
        .args(arguments)
        .env_remove("GIT_DIR")
        .env_remove("GIT_INDEX_FILE")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn commit(folder: &Path, name: &str, content: &str) {
    std::fs::write(folder.join(name), content).unwrap();
    git(folder, &["add", "-A"]);
    git(folder, &["commit", "-q", "-m", name]);
}

async fn scan(arguments: &[&str]) -> process::Output {
    process::run(portcullis(&[&["scan"], arguments].concat())).await
}

#[tokio::test]
async fn what_is_found_decides_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    git(folder.path(), &["init", "-q", "-b", "main"]);
    commit(folder.path(), "README.md", "nothing\n");
    scan(&[path]).await.expect(0);
    let token = ["ghp", "R7kq2ZmX9vLwT4bNcY8sJ1dHfG6pQ3eUaWzK"].join("_");
    std::fs::write(folder.path().join("bot.js"), format!("const t = '{token}';\n")).unwrap();
    scan(&[path, "--staged"]).await.expect(0);
    git(folder.path(), &["add", "-A"]);
    let staged = scan(&[path, "--staged"]).await.expect(1);
    assert!(staged.stdout.contains("bot.js:1  github-token") && !staged.stdout.contains(&token));
    // The index made an object of it: it is there, though no commit ever had it.
    commit(folder.path(), "bot.js", "gone\n");
    let found = scan(&[path, "--json"]).await.expect(1).json();
    assert_eq!(found["findings"][0]["in_work_tree"], false);
    let fingerprint = found["findings"][0]["fingerprint"].as_str().unwrap();
    let baseline = format!(
        "{{\"schema\": 1, \"findings\": [{{\"fingerprint\": \"{fingerprint}\", \"reason\": \"revoked\", \"owner\": \"ada\", \
         \"expires\": \"9999-01-01\"}}]}}"
    );
    commit(folder.path(), "secrets-baseline.json", &baseline);
    scan(&[path]).await.expect(0);
    commit(folder.path(), "secrets-baseline.json", "{}");
    let refused = scan(&[path]).await.expect(2);
    assert!(refused.stderr.contains("secrets-baseline.json"), "{}", refused.stderr);
    scan(&["/nowhere/at/all"]).await.expect(2);
}

#[tokio::test]
async fn the_audit_looks_for_what_the_server_really_holds() {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "-q", "-b", "main"]);
    commit(folder.path(), "README.md", "nothing\n");
    let world = World::dev(&[], &format!("[audit]\nrepository = {:?}\n", folder.path())).await;
    let audited = async || {
        let mut command = portcullis(&["audit", "--only", "G1", "--format", "json", "--dir"]);
        command.arg(world.state());
        let report: Value = process::run(command).await.json();
        let claims = report["measures"][0]["claims"].as_array().cloned().unwrap_or_default();
        let claim = claims.into_iter().find(|claim| claim["id"] == "no_live_secret_in_the_repository");
        claim.unwrap()
    };
    assert_eq!(audited().await["verdict"], "pass");
    // That run made the key that signs evidence. In a PEM its bytes stand behind the head of their OCTET STRING (RFC 8410).
    let pem = std::fs::read_to_string(world.state().join("audit/signing-key.pem")).unwrap();
    let der =
        STANDARD.decode(pem.lines().filter(|line| !line.starts_with("---")).collect::<String>()).unwrap();
    let head = der.windows(4).position(|bytes| bytes == [0x04, 0x22, 0x04, 0x20]).unwrap();
    let seed = STANDARD.encode(&der[head + 4..head + 36]);
    commit(folder.path(), "evidence.txt", &format!("{seed}\n"));
    let told = audited().await;
    assert!(told["verdict"] == "fail" && told.to_string().contains("audit.signing_key"), "{told}");
    assert!(!told.to_string().contains(&seed));
    // Whatever the history holds is held for ever: another repository for the next secret.
    std::fs::remove_dir_all(folder.path().join(".git")).unwrap();
    std::fs::remove_file(folder.path().join("evidence.txt")).unwrap();
    git(folder.path(), &["init", "-q", "-b", "main"]);
    commit(folder.path(), "README.md", "nothing\n");
    assert_eq!(audited().await["verdict"], "pass");

    let secret = world.says("client_secret");
    commit(folder.path(), "fixture.txt", &format!("{secret} # portcullis:allow a fixture\n"));
    commit(folder.path(), "fixture.txt", "gone\n");
    assert_eq!(audited().await["verdict"], "fail");
}
