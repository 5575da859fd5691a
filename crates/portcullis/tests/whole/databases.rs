//! `portcullis database` on a real PostgreSQL: from one role to two that take turns, a change of password, and back; the
//! own store's while it is served; the own encrypted file's key.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use serde_json::Value;
use testkit::postgres::{Database, Postgres};
use testkit::process::{self, Output, Program};

use crate::served::{AUDIENCE, Laid, Served, private};
use crate::world::PASSWORD;

/// A database of the backend's beside a SQLCipher store.
async fn managed(cluster: &Postgres) -> (Laid, Database) {
    let database = cluster.fresh_database();
    let more = format!(
        r#"
[[database]]
name = "backend"
url = "{}"
password_file = "backend.password"
administrator_file = "backend.admin"
grace = "1s"
secret = {{ file = "backend.json" }}
"#,
        database.url()
    );
    // The store is made first, as it is where a database is taken into care later.
    let laid = Served::start("").await.stop().await;
    let text = std::fs::read_to_string(laid.file()).unwrap();
    std::fs::write(laid.file(), text + &more).unwrap();
    private(&laid.path("backend.password"), database.password.as_bytes());
    private(&laid.path("backend.admin"), cluster.url_with_password("postgres").as_bytes());
    (laid, database)
}

/// The secret as the application reads it.
fn secret(laid: &Laid, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(laid.path(name)).unwrap()).unwrap()
}

/// Logs in as an application would, with the URL of its secret.
async fn logs_in(url: &str) -> Output {
    let mut psql = process::command("psql");
    psql.args(["--no-psqlrc", "--tuples-only", "--no-align", "--dbname", url])
        .args(["--command", "select current_user, session_user"]);
    process::run(psql).await
}

async fn status(laid: &Laid, name: &str) -> Value {
    laid.run(&["database", "status", name, "--json"]).await.expect(0).json()[0].clone()
}

#[tokio::test]
async fn a_database_is_adopted_its_password_changed_and_everything_given_back() {
    let cluster = Postgres::start();
    let (laid, database) = managed(&cluster).await;
    let today = database.url_with_password();
    logs_in(&today).await.expect(0);
    cluster.run_sql(
        &database.name,
        &format!("set role {}; create table orders (id int); insert into orders values (7)", database.owner),
    );

    let before = status(&laid, "backend").await;
    assert_eq!((&before["engine"], &before["status"]["adopted"]), (&"postgresql".into(), &false.into()));
    let refused = laid.run(&["database", "rotate", "backend", "--now"]).await.expect(1);
    assert!(refused.stderr.contains("portcullis database adopt backend"), "{}", refused.stderr);

    let shown = laid.run(&["database", "adopt", "backend", "--dry-run"]).await.expect(0);
    assert!(shown.stdout.contains("create role") && shown.stdout.contains("nothing was changed"));
    assert!(!shown.stdout.contains(&database.password), "{}", shown.stdout);
    assert_eq!(status(&laid, "backend").await["status"]["adopted"], false, "a dry run changes nothing");
    let adopted = laid.run(&["database", "adopt", "--json"]).await.expect(0).json();
    assert_eq!((&adopted["adopted"], &adopted["changed"]), (&true.into(), &true.into()));
    let again = laid.run(&["database", "adopt", "backend", "--json"]).await.expect(0).json();
    assert_eq!(again["changed"], false);
    logs_in(&today).await.expect(0);

    let rotated = laid.run(&["database", "rotate", "backend", "--now", "--json"]).await.expect(0);
    let rotated = rotated.json()[0].clone();
    assert_eq!(rotated["outcome"], "finished", "{rotated}");
    assert!(rotated["report"]["proofs"].as_array().is_some_and(|proofs| !proofs.is_empty()), "{rotated}");
    let first = secret(&laid, "backend.json");
    let mode = std::fs::metadata(laid.path("backend.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(first["username"], format!("{}_a", database.owner));
    let said = logs_in(first["url"].as_str().unwrap()).await.expect(0).stdout;
    assert_eq!(said.trim(), format!("{0}_owner|{0}_a", database.owner), "it acts as the owner");
    assert_ne!(logs_in(&today).await.code, Some(0), "the old password is dead");
    assert_ne!(
        std::fs::read_to_string(laid.path("backend.admin")).unwrap(),
        cluster.url_with_password("postgres"),
        "the platform's own role has a new password, too"
    );

    let not_due = laid.run(&["database", "rotate", "backend", "--json"]).await.expect(0).json();
    assert_eq!(not_due[0]["outcome"], "not_due");
    laid.run(&["database", "rotate", "backend", "--now"]).await.expect(0);
    let second = secret(&laid, "backend.json");
    assert_eq!(second["username"], format!("{}_b", database.owner));
    assert!(second["generation"].as_i64() > first["generation"].as_i64());
    assert_ne!(logs_in(first["url"].as_str().unwrap()).await.code, Some(0));

    let page = laid.run(&["database", "status", "backend"]).await.expect(0).stdout;
    for part in ["made here", "next change", "by the server", "no session was cut", "private", "backend.json"]
    {
        assert!(page.contains(part), "`{part}` is missing: {page}");
    }
    for secret in [&first, &second] {
        assert!(!page.contains(secret["password"].as_str().unwrap()));
    }
    laid.run(&["database", "check", "backend"]).await.expect(0);

    laid.run(&["database", "unadopt", "backend"]).await.expect(0);
    let back = secret(&laid, "backend.json");
    assert_eq!(back["username"], database.owner.as_str());
    let url = back["url"].as_str().unwrap();
    assert_eq!(logs_in(url).await.expect(0).stdout.trim(), format!("{0}|{0}", database.owner));
    let mut psql = process::command("psql");
    psql.args(["--no-psqlrc", "--tuples-only", "--no-align", "--dbname", url, "--command"])
        .arg("select id from orders; select count(*) from pg_roles where rolname ~ '^owner_.*_(a|b|owner)$'");
    assert_eq!(process::run(psql).await.expect(0).stdout.trim(), "7\n0", "nothing is lost, nothing is left");
    assert_ne!(logs_in(second["url"].as_str().unwrap()).await.code, Some(0));
}

/// An installation whose own store is PostgreSQL and looked after.
async fn on_own_postgres(cluster: &Postgres) -> (Laid, Database) {
    let database = cluster.fresh_database();
    let more = "[[database]]\nname = \"store\"\nadministrator_file = \"store.admin\"\ngrace = \"1s\"\n";
    let laid = Laid::out(more).await;
    laid.edit(
        "url = \"sqlcipher:portcullis.db\"\nkey_file = \"store.key\"",
        &format!(
            "url = \"{}\"\npassword_file = \"store.password\"\nsecret_file = \"store.json\"",
            database.url()
        ),
    );
    private(&laid.path("store.password"), database.password.as_bytes());
    private(&laid.path("store.admin"), cluster.url_with_password("postgres").as_bytes());
    laid.run(&["api", "create", "--identifier", AUDIENCE, "--scope", "read:notes"]).await.expect(0);
    let permission = format!("{AUDIENCE}=read:notes");
    laid.run(&["role", "create", "reader", "--permission", &permission, "--default"]).await.expect(0);
    (laid, database)
}

#[tokio::test]
async fn the_own_stores_password_changes_while_it_is_served_and_no_request_fails() {
    let cluster = Postgres::start();
    let (laid, database) = on_own_postgres(&cluster).await;
    laid.run(&["database", "adopt", "store"]).await.expect(0);
    let here = laid.start().await;
    here.sign_up("ada@example.com").await;

    let (served, failed) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let over = Arc::new(AtomicBool::new(false));
    let here = Arc::new(here);
    // Each login reads and writes the store.
    let load: Vec<_> = (0..2)
        .map(|_| {
            let (here, served, failed, over) = (here.clone(), served.clone(), failed.clone(), over.clone());
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let refresh = here.log_in("ada@example.com", PASSWORD).await;
                    if refresh.code() == 200 { &served } else { &failed }.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let mut roles = Vec::new();
    for _ in 0..2 {
        here.laid.run(&["database", "rotate", "store", "--now"]).await.expect(0);
        roles.push(secret(&here.laid, "store.json")["username"].as_str().unwrap().to_owned());
    }
    let before = served.load(Ordering::Relaxed);
    // Still served after the last old session is gone.
    while served.load(Ordering::Relaxed) < before + 5 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    over.store(true, Ordering::Relaxed);
    for worker in load {
        worker.await.unwrap();
    }
    assert_eq!(failed.load(Ordering::Relaxed), 0, "of {}", served.load(Ordering::Relaxed));
    assert_eq!(roles, [format!("{}_a", database.owner), format!("{}_b", database.owner)]);
    assert_ne!(logs_in(&database.url_with_password()).await.code, Some(0), "the first password is dead");

    // What is started next finds the newest in the file.
    let here = Arc::into_inner(here).unwrap();
    let laid = here.stop().await;
    let here = laid.start().await;
    here.log_in("ada@example.com", PASSWORD).await.expect(200);
    here.stop().await;
}

/// At their most talkative, server and commands say nothing that logs in.
#[tokio::test]
async fn no_password_stands_in_our_own_logs() {
    let cluster = Postgres::start();
    let (laid, database) = on_own_postgres(&cluster).await;
    let administrator = std::fs::read_to_string(laid.path("store.admin")).unwrap();
    let mut secrets = vec![database.password.clone(), cluster.superuser_password().to_owned()];
    assert!(administrator.contains(&secrets[1]), "what is looked for is what stands there");
    let talkative = |arguments: &[&str]| {
        let mut command = laid.command(arguments);
        command.env("PORTCULLIS_LOG", "trace");
        command
    };
    let mut said = String::new();
    for arguments in [
        &["database", "adopt", "store"][..],
        &["database", "status", "--json"],
        &["database", "check", "--json"],
    ] {
        let output = process::run(talkative(arguments)).await;
        said.push_str(&(output.stdout + &output.stderr));
    }
    let (server, _) = Program::ready(talkative(&["serve", "--json"])).await;
    for _ in 0..2 {
        let output = process::run(talkative(&["database", "rotate", "store", "--now"])).await.expect(0);
        said.push_str(&(output.stdout + &output.stderr));
        secrets.push(secret(&laid, "store.json")["password"].as_str().unwrap().to_owned());
        let url = std::fs::read_to_string(laid.path("store.admin")).unwrap();
        secrets.push(url::Url::parse(url.trim()).unwrap().password().unwrap().to_owned());
    }
    said.push_str(&server.errors());
    server.terminate().await;
    assert!(said.contains("\"DEBUG\"") && said.contains("generation"), "they are talkative");
    assert_eq!(secrets.len(), 6);
    for (number, password) in secrets.iter().enumerate() {
        assert!(!said.contains(password.as_str()), "password {number} was said");
    }
}

/// A platform gives one superuser, in `DATABASE_URL`; its secret goes to a file on a volume.
#[tokio::test]
async fn from_the_platforms_superuser_to_a_start_in_production() {
    let cluster = Postgres::start();
    // Everything belongs to that role, as on the platform.
    cluster.run_sql("postgres", "create database railway");
    let given = cluster.url_with_password("railway");
    let more = "[[database]]\nname = \"store\"\nadministrator_file = \"administrator\"\ngrace = \"1s\"\n";
    let laid = Laid::out(more).await;
    laid.edit(
        "url = \"sqlcipher:portcullis.db\"\nkey_file = \"store.key\"",
        "url = \"env:DATABASE_URL\"\nsecret_file = \"store.json\"",
    );
    laid.edit("environment = \"development\"", "environment = \"production\"");
    private(&laid.path("administrator"), given.as_bytes());
    let run = async |arguments: &[&str]| {
        let mut command = laid.command(arguments);
        command.env("DATABASE_URL", &given);
        process::run(command).await
    };
    let scope = ["api", "create", "--identifier", AUDIENCE, "--scope", "read:notes"];
    run(&scope).await.expect(0);
    let refused = run(&["serve"]).await.expect(2);
    assert!(refused.stderr.contains("superuser"), "{}", refused.stderr);

    run(&["database", "adopt", "store"]).await.expect(0);
    run(&["database", "rotate", "store", "--now"]).await.expect(0);
    assert_eq!(secret(&laid, "store.json")["username"], "superuser_a");
    assert_ne!(logs_in(&given).await.code, Some(0), "what the platform gave is dead");
    logs_in(std::fs::read_to_string(laid.path("administrator")).unwrap().trim()).await.expect(0);
    run(&["database", "check"]).await.expect(0);
    run(&["check"]).await.expect(0);

    let mut command = laid.command(&["serve", "--json"]);
    command.env("DATABASE_URL", &given);
    let (program, _) = process::Program::ready(command).await;
    assert!(program.terminate().await.success());
}

#[tokio::test]
async fn the_encrypted_files_key_changes_with_the_server_stopped_and_the_old_one_opens_nothing() {
    let here = Served::start("").await;
    here.sign_up("ada@example.com").await;
    let old = std::fs::read(here.laid.path("store.key")).unwrap();
    let in_use = here.laid.run(&["database", "rotate", "store", "--now"]).await.expect(1);
    assert!(in_use.stderr.contains("in use"), "{}", in_use.stderr);
    assert_eq!(std::fs::read(here.laid.path("store.key")).unwrap(), old);

    let laid = here.stop().await;
    let done = laid.run(&["database", "rotate", "store", "--now", "--json"]).await.expect(0).json();
    assert_eq!((&done[0]["outcome"], &done[0]["report"]["generation"]), (&"finished".into(), &1.into()));
    let new = std::fs::read(laid.path("store.key")).unwrap();
    assert_eq!(new.len(), 32);
    assert_ne!(new, old);
    let not_due = laid.run(&["database", "rotate", "store", "--json"]).await.expect(0).json();
    assert_eq!(not_due[0]["outcome"], "not_due");
    let page = laid.run(&["database", "status"]).await.expect(0).stdout;
    assert!(page.contains("SQLCipher") && page.contains("256 random bits, made here"), "{page}");

    let here = laid.start().await;
    here.log_in("ada@example.com", PASSWORD).await.expect(200);
    let laid = here.stop().await;
    private(&laid.path("store.key"), &old);
    let refused = laid.run(&["serve"]).await;
    assert!(refused.stderr.contains("key does not fit"), "{}", refused.stderr);
}

#[tokio::test]
async fn a_server_changes_the_key_by_itself_when_a_limit_asks_for_it() {
    let laid = Served::start("").await.stop().await;
    let old = std::fs::read(laid.path("store.key")).unwrap();
    let text = std::fs::read_to_string(laid.file()).unwrap();
    let more = "[[database]]\nname = \"store\"\nmaximum_password_age = \"1h\"\n";
    std::fs::write(laid.file(), text + more).unwrap();
    // The key's file says how old a key is that was never changed.
    let key_file = std::fs::File::options().write(true).open(laid.path("store.key")).unwrap();
    let made = key_file.metadata().and_then(|metadata| metadata.modified()).unwrap();
    key_file.set_modified(made - std::time::Duration::from_secs(7_200)).unwrap();
    drop(key_file);
    let here = laid.start().await;
    let changed = async {
        while std::fs::read(here.laid.path("store.key")).unwrap() == old {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(process::PATIENCE, changed).await.expect("the key changes");
    here.sign_up("ada@example.com").await;
    here.log_in("ada@example.com", PASSWORD).await.expect(200);
    let laid = here.stop().await;
    assert_eq!(std::fs::read(laid.path("store.key")).unwrap().len(), 32, "one key again");
    laid.start().await.stop().await;
}
