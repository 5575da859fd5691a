//! A1 and A3 on a real PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ask;

use ask::{claim, measure};
use audit::MeasureId::{A1, A3};
use audit::config::{Database, Location};
use audit::{Config, Verdict};
use sqlx::{ConnectOptions as _, PgConnection};
use std::str::FromStr as _;
use std::sync::Arc;
use testkit::postgres::Postgres;

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

#[tokio::test]
async fn a3_fails_where_a_login_is_trusted() {
    let server = Postgres::start();
    let file = server.run_sql("postgres", "SHOW hba_file");
    std::fs::write(file.trim(), "host all all 127.0.0.1/32 trust\nlocal all all trust\n").unwrap();
    server.run_sql("postgres", "SELECT pg_reload_conf()");
    // The reload reaches new sessions a moment later.
    for _ in 0..50 {
        let wrong = server.url("postgres").replacen("superuser@", "superuser:wrong@", 1);
        let options = sqlx::postgres::PgConnectOptions::from_str(&wrong).unwrap();
        if options.connect().await.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let report = measure(config(server.url("postgres"), server.superuser_password()), A3).await;
    for id in ["backend_wrong_password_is_refused", "backend_every_login_wants_scram"] {
        assert_eq!(claim(&report, id).verdict, Verdict::Fail, "{:#?}", report.measures[0]);
    }
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
