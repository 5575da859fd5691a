//! The clear password is nowhere: not in the server's log at its most talkative, failed statements included, not in its
//! statistics, not in our journal.

use secrecy::{ExposeSecret as _, SecretString};
use steward::{Credential, connect, ledger};
use testkit::postgres;

use crate::world::{World, contains, with_administrator};

#[tokio::test(flavor = "multi_thread")]
async fn the_clear_password_appears_nowhere() {
    let mut world = World::with(&postgres::Options::default().that_logs_everything(), |_| {}).await;
    let file = with_administrator(&mut world);
    world.sql("create extension pg_stat_statements");
    let mut secrets = Vec::new();
    for _ in 0..2 {
        world.rotate().await;
        secrets.push(world.delivered());
        secrets.push(Credential::from_url(std::fs::read_to_string(&file).unwrap().trim(), None).unwrap());
    }
    // Calls that fail, verifier and all: an old generation, and a role that is not ours.
    let mut session = connect::login(&world.delivered()).await.unwrap();
    let password = steward::verifier::password([9; 32]);
    let verifier = SecretString::from(steward::verifier::verifier(&password, [9; 16]));
    for (role, expect) in [(world.role("_a"), 0), ("nobody".to_owned(), 2)] {
        ledger::rotate(&mut session, &role, &verifier, expect, expect + 1, None).await.unwrap_err();
    }
    secrets.push(Credential { password, ..world.delivered() });

    let administrator = &secrets[3];
    let mut eyes =
        connect::login(&Credential { database: world.database.name.clone(), ..administrator.clone() })
            .await
            .unwrap();
    let activity: Vec<String> = sqlx::query_scalar("select coalesce(query, '') from pg_stat_activity")
        .fetch_all(&mut eyes)
        .await
        .unwrap();
    let statements: Vec<String> =
        sqlx::query_scalar("select query from public.pg_stat_statements").fetch_all(&mut eyes).await.unwrap();
    let journal: Vec<u8> = std::fs::read(world.folder.path().join("store.db")).unwrap();
    let rows = format!("{:?}", world.store.rotations().await.unwrap());
    let log = world.server.log();
    // The control: what is looked for would be found, and the log does tell of our calls.
    assert!(
        log.contains("portcullis.rotate(") && log.contains("generation has moved on"),
        "the log is talkative"
    );
    assert!(statements.iter().any(|text| text.contains("portcullis.rotate(")), "the statistics are on");
    for secret in &secrets {
        assert!(!contains(&log, secret), "in the server's log");
        assert!(!contains(&activity.join("\n"), secret) && !contains(&statements.join("\n"), secret));
        assert!(!contains(&rows, secret));
        let needle = secret.password.expose_secret().as_bytes();
        assert!(!journal.windows(needle.len()).any(|bytes| bytes == needle), "in the journal");
    }
    for row in world.store.rotations().await.unwrap() {
        for blob in [Some(row.current), row.pending, row.previous].into_iter().flatten() {
            assert!(!blob.windows(13).any(|bytes| bytes == b"SCRAM-SHA-256"), "sealed blobs say nothing");
        }
    }
}
