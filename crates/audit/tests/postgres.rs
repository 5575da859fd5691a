//! A1 and A3 on a real PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ask;

use ask::{claim, measure};
use audit::MeasureId::{A1, A3};
use audit::config::{Database, Location};
use audit::{Config, Report, Verdict};
use sqlx::{ConnectOptions as _, PgConnection};
use std::str::FromStr as _;
use std::sync::Arc;
use testkit::postgres::{Options, Postgres};

fn config(url: String, password: &str) -> Config {
    let mut config = Config::new("http://127.0.0.1:9", "http://127.0.0.1:9/", "a", Arc::new(|| 0));
    let location = Location::Postgres { url, password: Some(password.to_owned().into()) };
    config.databases = vec![Database {
        name: "backend".into(),
        location: location.clone(),
        stewardship: audit::config::Stewardship::default(),
    }];
    config.database = Some(location);
    config
}

async fn connect(url: &str) -> PgConnection {
    sqlx::postgres::PgConnectOptions::from_str(url).unwrap().connect().await.unwrap()
}

#[tokio::test]
async fn a3_passes_on_scram_with_a_role_of_its_own() {
    let database = Postgres::shared().fresh_database();
    let report = measure(config(database.url(), &database.password), A3).await;
    for id in ["wrong_password_is_refused", "every_login_wants_scram", "role_is_not_powerful"] {
        let claim = claim(&report, &format!("backend_{id}"));
        assert_eq!(claim.verdict, Verdict::Pass, "{claim:#?}");
    }
    let refused = claim(&report, "backend_wrong_password_is_refused");
    assert!(
        refused.evidence[0].what.contains("superuser (28P01)"),
        "every login role was tried: {refused:#?}"
    );
}

#[tokio::test]
async fn a3_fails_for_a_superuser_and_reads_how_passwords_are_stored() {
    let server = Postgres::shared();
    let report = measure(config(server.url("postgres"), server.superuser_password()), A3).await;
    assert_eq!(claim(&report, "backend_role_is_not_powerful").verdict, Verdict::Fail);
    assert_eq!(claim(&report, "backend_passwords_are_stored_as_scram").verdict, Verdict::Pass);
}

#[tokio::test]
async fn a3_is_not_proven_without_the_right_password() {
    let database = Postgres::shared().fresh_database();
    let report = measure(config(database.url(), "not the password"), A3).await;
    let claim = claim(&report, "backend_wrong_password_is_refused");
    assert_eq!(claim.verdict, Verdict::NotProven, "{claim:#?}");
}

/// A cluster with these rules, and what A3 finds there as the superuser.
async fn with_rules(rules: &str, tls: bool) -> (Postgres, Report) {
    let server = Postgres::start_with(&Options { tls, ..Options::default() });
    server.edit_hba(rules);
    server.reload();
    let report = measure(config(server.url("postgres"), server.superuser_password()), A3).await;
    (server, report)
}

const SCRAM: &str = "host all all 127.0.0.1/32 scram-sha-256\n";

#[tokio::test]
async fn a3_fails_where_a_login_is_trusted() {
    let (_, report) = with_rules("host all all 127.0.0.1/32 trust\n", false).await;
    for id in ["backend_wrong_password_is_refused", "backend_every_login_wants_scram"] {
        assert_eq!(claim(&report, id).verdict, Verdict::Fail, "{:#?}", report.measures[0]);
    }
}

#[tokio::test]
async fn a3_fails_where_one_database_of_several_is_trusted() {
    let (_, report) = with_rules(&format!("host template1 all 127.0.0.1/32 trust\n{SCRAM}"), false).await;
    assert_eq!(claim(&report, "backend_wrong_password_is_refused").verdict, Verdict::Pass);
    let wants = claim(&report, "backend_every_login_wants_scram");
    assert_eq!(wants.verdict, Verdict::Fail, "{wants:#?}");
    assert!(wants.evidence[0].what.contains("asked for nothing at template1"), "{wants:#?}");
}

#[tokio::test]
async fn a3_fails_where_tls_opens_another_door() {
    let (_, sound) = with_rules(SCRAM, true).await;
    let wants = claim(&sound, "backend_every_login_wants_scram");
    assert_eq!(wants.verdict, Verdict::Pass, "{wants:#?}");
    let (_, report) = with_rules(&format!("hostssl template1 all 127.0.0.1/32 trust\n{SCRAM}"), true).await;
    let wants = claim(&report, "backend_every_login_wants_scram");
    assert_eq!(wants.verdict, Verdict::Fail, "{wants:#?}");
    assert!(wants.evidence[0].what.contains("over TLS"), "{wants:#?}");
}

#[tokio::test]
async fn a3_reads_the_rules_for_addresses_that_it_does_not_have() {
    let id = "backend_rules_let_in_nobody_without_a_secret";
    let (server, report) = with_rules(&format!("{SCRAM}host all all 198.51.100.0/24 trust\n"), false).await;
    assert_eq!(claim(&report, "backend_every_login_wants_scram").verdict, Verdict::Pass);
    assert_eq!(claim(&report, id).verdict, Verdict::Fail, "{:#?}", claim(&report, id));
    let ask = || measure(config(server.url("postgres"), server.superuser_password()), A3);
    server.edit_hba(&format!(
        "{SCRAM}host all all 198.51.100.0/24 reject\nhost all all 198.51.100.7/32 trust\n"
    ));
    assert_eq!(claim(&ask().await, id).verdict, Verdict::Pass, "the first that matches decides");
    server.edit_hba(&format!("{SCRAM}host all all everywhere maybe\n"));
    assert_eq!(claim(&ask().await, id).verdict, Verdict::NotProven, "a line that does not load");
    // Edited and not reloaded: the file is sound, what is in force is not.
    server.edit_hba("host all all 127.0.0.1/32 trust\n");
    server.reload();
    server.edit_hba(SCRAM);
    let report = ask().await;
    assert_eq!(claim(&report, id).verdict, Verdict::Pass);
    assert_eq!(claim(&report, "backend_wrong_password_is_refused").verdict, Verdict::Fail);
}

#[tokio::test]
async fn a3_finds_each_poor_role() {
    let server = Postgres::start();
    let database = server.fresh_database();
    let sql = |sql: &str| server.run_sql("postgres", sql);
    let superuser = async |id: &str| {
        let report = measure(config(server.url("postgres"), server.superuser_password()), A3).await;
        claim(&report, &format!("backend_{id}")).verdict
    };
    assert_eq!(superuser("passwords_are_stored_as_scram").await, Verdict::Pass);
    for (role, password, id) in [
        (
            "with_md5",
            "set password_encryption = md5; create role with_md5 login password 'x'",
            "passwords_are_stored_as_scram",
        ),
        ("without", "create role without login", "passwords_are_stored_as_scram"),
        ("reader", "create role reader login password 'reader'", "no_password_is_its_roles_name"),
    ] {
        sql(password);
        assert_eq!(superuser(id).await, Verdict::Fail, "{role}");
        sql(&format!("drop role {role}"));
        assert_eq!(superuser(id).await, Verdict::Pass, "{role}");
    }
    // Nobody knows how strong a second role's password is, unless the steward made it.
    assert_eq!(superuser("every_password_is_strong").await, Verdict::NotProven);

    let app = async |id: &str| {
        let report = measure(config(database.url(), &database.password), A3).await;
        claim(&report, &format!("backend_{id}")).verdict
    };
    assert_eq!(app("role_is_not_powerful").await, Verdict::Pass);
    assert_eq!(app("passwords_are_stored_as_scram").await, Verdict::NotProven, "it may not look");
    assert_eq!(app("rules_let_in_nobody_without_a_secret").await, Verdict::NotProven, "it may not look");
    for power in ["pg_read_server_files", "pg_signal_backend", "superuser"] {
        sql(&format!("grant {power} to {}", database.owner));
        assert_eq!(app("role_is_not_powerful").await, Verdict::Fail, "what it can become: {power}");
        sql(&format!("revoke {power} from {}", database.owner));
    }
    sql(&format!("alter role {} createdb", database.owner));
    assert_eq!(app("role_is_not_powerful").await, Verdict::Fail);
}

#[tokio::test]
async fn a1_reads_every_text_json_and_bytea_value() {
    let database = Postgres::shared().fresh_database();
    let mut connection = connect(&database.url_with_password()).await;
    sqlx::raw_sql(
        "CREATE TABLE people (id bigint, password_hash text); \
         INSERT INTO people SELECT i, '$argon2id$v=19$m=19456,t=2,p=1$' || lpad(i::text, 22, '0') || '$aGFzaA' \
           FROM generate_series(1, 1000) AS i; \
         CREATE TABLE log (body jsonb, raw bytea)",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    let config = config(database.url(), &database.password);
    let sound = measure(config.clone(), A1).await;
    for id in ["every_value_was_read", "no_password_is_stored_in_clear", "every_hash_is_at_owasps_floor"] {
        assert_eq!(claim(&sound, id).verdict, Verdict::Pass, "{:#?}", sound.measures[0]);
    }
    sqlx::raw_sql("INSERT INTO log VALUES ('{\"new\": {\"password\": \"hunter2\"}}', '\\x00')")
        .execute(&mut connection)
        .await
        .unwrap();
    let leaky = measure(config, A1).await;
    let claim = claim(&leaky, "no_password_is_stored_in_clear");
    assert_eq!(claim.verdict, Verdict::Fail);
    assert!(claim.evidence[0].what.contains("public.log.body"), "{claim:#?}");
}

#[tokio::test]
async fn a1_looks_into_documents_lists_and_rows() {
    let database = Postgres::shared().fresh_database();
    let mut connection = connect(&database.url_with_password()).await;
    sqlx::raw_sql(
        "CREATE TYPE login AS (email text, passwd text); \
         CREATE TABLE copies (document jsonb, documents jsonb[], password_history text[], last login)",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    let config = config(database.url(), &database.password);
    // MD5, which is no way to keep a password; and what is no password.
    for (column, value) in [
        ("document", r#"'{"a": [{"password": "5f4dcc3b5aa765d61d8327deb882cf99"}]}'"#),
        ("document", r#"'{"body": "{\"password\": \"5f4dcc3b5aa765d61d8327deb882cf99\"}"}'"#),
        ("documents", r#"ARRAY['{"password": "5f4dcc3b5aa765d61d8327deb882cf99"}'::jsonb]"#),
        ("password_history", "ARRAY['5f4dcc3b5aa765d61d8327deb882cf99']"),
        ("last", "ROW('ada@example.com', '5f4dcc3b5aa765d61d8327deb882cf99')"),
    ] {
        let sql = format!("DELETE FROM copies; INSERT INTO copies ({column}) VALUES ({value})");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        let report = measure(config.clone(), A1).await;
        let floor = claim(&report, "every_hash_is_at_owasps_floor");
        assert_eq!(floor.verdict, Verdict::Fail, "{column}: {floor:#?}");
        assert!(floor.evidence[0].what.contains(&format!("public.copies.{column}")), "{floor:#?}");
    }
    let sound = r#"'{"etag": "5f4dcc3b5aa765d61d8327deb882cf99", "password": null}'"#;
    let sql = format!("DELETE FROM copies; INSERT INTO copies (document) VALUES ({sound})");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    let report = measure(config, A1).await;
    for id in ["every_value_was_read", "no_password_is_stored_in_clear"] {
        assert_eq!(claim(&report, id).verdict, Verdict::Pass, "{:#?}", report.measures[0]);
    }
}
