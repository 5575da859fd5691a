//! `portcullis backup` and `restore`: from either engine into the other, online, and nothing by halves.

use testkit::postgres::Postgres;

use crate::served::{AUDIENCE, Laid, Served, private};
use crate::world::PASSWORD;

/// An empty installation on a database of its own.
async fn on_postgres() -> Laid {
    let database = Postgres::shared().fresh_database();
    let laid = Laid::out("").await;
    laid.edit(
        "url = \"sqlcipher:portcullis.db\"\nkey_file = \"store.key\"",
        &format!("url = \"{}\"\npassword_file = \"database\"", database.url()),
    );
    private(&laid.path("database"), database.password.as_bytes());
    laid
}

#[tokio::test]
async fn a_store_goes_to_the_other_engine_and_back_with_everybody_in_it() {
    let here = Served::start("").await;
    here.sign_up("ada@example.com").await;
    let (copy, key) = (here.laid.path("copy.db"), here.laid.path("copy.key"));
    let [copy, key] = [copy.to_str().unwrap(), key.to_str().unwrap()];
    // While it is served.
    let told = here.laid.run(&["backup", copy, "--key-file", key]).await.expect(0).stdout;
    assert!(told.contains("users") && told.contains("copied and read back"), "{told}");
    let again = here.laid.run(&["backup", copy, "--key-file", key]).await.expect(1);
    assert!(again.stderr.contains("there is a file already"), "{}", again.stderr);
    assert!(!std::fs::read(copy).unwrap().windows(3).any(|bytes| bytes == b"ada"), "the copy is encrypted");

    let other = on_postgres().await;
    other.run(&["restore", copy, "--key-file", key]).await.expect(0);
    let refused = other.run(&["restore", copy, "--key-file", key]).await.expect(1);
    assert!(refused.stderr.contains("--replace"), "{}", refused.stderr);
    other.run(&["restore", copy, "--key-file", key, "--replace"]).await.expect(0);
    let there = other.start().await;
    there.log_in("ada@example.com", PASSWORD).await.expect(200);
    there.sign_up("grace@example.com").await;
    let back = there.laid.path("back.db");
    let back_key = there.laid.path("back.key");
    let [back, back_key] = [back.to_str().unwrap(), back_key.to_str().unwrap()];
    let unnamed = there.laid.run(&["backup", back]).await.expect(2);
    assert!(unnamed.stderr.contains("--key-file"), "{}", unnamed.stderr);
    there.laid.run(&["backup", back, "--key-file", back_key]).await.expect(0);

    let third = Laid::out("").await;
    third.run(&["restore", back, "--key-file", back_key]).await.expect(0);
    let third = third.start().await;
    third.log_in("ada@example.com", PASSWORD).await.expect(200);
    third.log_in("grace@example.com", PASSWORD).await.expect(200);
    third.stop().await;
}

/// The auditor has its own idea of what a copy is: it must be ours.
#[tokio::test]
async fn the_audit_proves_what_backup_wrote_of_either_engine() {
    for laid in [Laid::out("").await, on_postgres().await] {
        let section = format!(
            "[audit]\ntarget = \"{}\"\nbackup = \"copies\"\nbackup_key_file = \"copy.key\"\n[operations]",
            laid.gateway
        );
        laid.edit("[operations]", &section);
        std::fs::create_dir(laid.path("copies")).unwrap();
        let here = laid.start().await;
        here.laid.run(&["api", "create", "--identifier", AUDIENCE, "--scope", "read:notes"]).await.expect(0);
        here.sign_up("ada@example.com").await;
        let (copy, key) = (here.laid.path("copies/one.db"), here.laid.path("copy.key"));
        let [copy, key] = [copy.to_str().unwrap(), key.to_str().unwrap()];
        here.laid.run(&["backup", copy, "--key-file", key]).await.expect(0);
        let audited = here.laid.run(&["audit", "--only", "X7", "--format", "json"]).await;
        let report = audited.json();
        assert_eq!(report["measures"][0]["verdict"], "pass", "{report:#}");
        assert!(report.to_string().contains("1 users in the copy, 1 in the live store"), "{report:#}");
        here.stop().await;
    }
}

#[tokio::test]
async fn a_wrong_key_and_a_damaged_copy_change_nothing() {
    let here = Served::start("").await;
    here.sign_up("ada@example.com").await;
    let copy = here.laid.path("copy.db");
    let copy = copy.to_str().unwrap();
    here.laid.run(&["backup", copy]).await.expect(0);
    let laid = here.stop().await;
    private(&laid.path("other.key"), &[9; 32]);
    let wrong = laid.path("other.key");
    let store = std::fs::read(laid.path("portcullis.db")).unwrap();
    laid.run(&["restore", copy, "--replace", "--key-file", wrong.to_str().unwrap()]).await.expect(1);
    let mut bytes = std::fs::read(copy).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(copy, &bytes).unwrap();
    laid.run(&["restore", copy, "--replace"]).await.expect(1);
    assert!(std::fs::read(laid.path("portcullis.db")).unwrap() == store, "the store was touched");
    laid.run(&["restore", "absent.db"]).await.expect(2);
    let here = laid.start().await;
    here.log_in("ada@example.com", PASSWORD).await.expect(200);
    here.stop().await;
}
