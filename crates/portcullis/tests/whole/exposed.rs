//! A database that a stranger could enter or reach: production does not start on it, `check` says the same, development
//! warns; and the probe's exit codes.

use testkit::postgres::Postgres;
use testkit::process;
use testkit::server::Server;

use crate::served::{AUDIENCE, Laid};
use crate::world::portcullis;

async fn is_refused(laid: &Laid, says: &[&str]) {
    laid.edit("environment = \"development\"", "environment = \"production\"");
    for command in ["serve", "check"] {
        let output = laid.run(&[command]).await;
        let said = format!("{}{}", output.stdout, output.stderr);
        assert_eq!(output.code, Some(2), "{command}: {said}");
        for part in says {
            assert!(said.contains(part), "{command} does not say `{part}`: {said}");
        }
    }
}

#[tokio::test]
async fn a_superuser_is_refused_in_production_and_named_in_development() {
    let cluster = Postgres::shared();
    let database = cluster.fresh_database();
    let laid = Laid::on_postgres(&cluster.url(&database.name), cluster.superuser_password()).await;
    laid.run(&["api", "create", "--identifier", AUDIENCE, "--scope", "read:notes"]).await.expect(0);
    let here = laid.start().await;
    let log = here.program().errors();
    assert!(log.contains("superuser"), "development says so: {log}");
    is_refused(&here.stop().await, &["superuser", "database store"]).await;
}

#[tokio::test]
async fn a_database_that_asks_for_no_password_is_refused_and_so_is_md5() {
    let cluster = Postgres::start();
    let database = cluster.fresh_database();
    let laid = Laid::on_postgres(&database.url(), &database.password).await;
    laid.run(&["api", "create", "--identifier", AUDIENCE, "--scope", "read:notes"]).await.expect(0);
    cluster.edit_hba("host all all 127.0.0.1/32 trust\n");
    cluster.reload();
    is_refused(&laid, &["database store", "password"]).await;

    cluster.edit_hba("host all all 127.0.0.1/32 md5\n");
    cluster.reload();
    cluster.run_sql(
        "postgres",
        &format!(
            "set password_encryption = 'md5'; alter role {} password '{}'",
            database.owner, database.password
        ),
    );
    laid.edit("environment = \"production\"", "environment = \"development\"");
    is_refused(&laid, &["database store", "MD5"]).await;
}

#[tokio::test]
async fn a_public_host_is_refused_before_anybody_logs_in_there() {
    let laid =
        Laid::on_postgres("postgres://app@shuttle.proxy.rlwy.net:15140/app", "Vn4rB2aXk9Qe7LwZ0tHs3mYd")
            .await;
    is_refused(&laid, &["shuttle.proxy.rlwy.net", "public", "railway.internal"]).await;
}

#[tokio::test]
async fn a_sound_database_starts_in_production() {
    let database = Postgres::shared().fresh_database();
    let laid = Laid::on_postgres(&database.url(), &database.password).await;
    laid.run(&["api", "create", "--identifier", AUDIENCE, "--scope", "read:notes"]).await.expect(0);
    laid.edit("environment = \"development\"", "environment = \"production\"");
    laid.start().await.stop().await;
}

#[tokio::test]
async fn the_probe_says_by_its_exit_code_what_it_found() {
    let control = Server::echo().await;
    let open = format!("127.0.0.1:{}", Postgres::shared().port());
    let probe = async |arguments: &[&str]| {
        let mut command = portcullis(&["probe"]);
        command.args(arguments);
        process::run(command).await
    };
    let found = probe(&[&open, "--control", &control.url(), "--json"]).await.expect(1).json();
    assert_eq!((&found["schema"], &found["endpoints"][0]["result"]), (&1.into(), &"open".into()));
    // A name that resolves here shows that this is no place outside: silence proves nothing.
    let closed = testkit::ports::refusing().to_string();
    let told = probe(&[&closed, "--control", &control.url(), "--internal-name", "localhost"]).await.expect(3);
    assert!(told.stdout.contains("could not tell"), "{}", told.stdout);
    probe(&["no endpoint", "--control", &control.url()]).await.expect(2);
    probe(&[&open]).await.expect(2);
}
