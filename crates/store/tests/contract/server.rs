//! What is particular to PostgreSQL: credentials, outages, nodes that start together.

use secrecy::SecretString;
use sqlx::{Connection as _, PgConnection};
use store::{Engine, Fault, Location, Options, Store};
use testkit::postgres::Postgres;

use crate::engines::{NOW, World, count_users, new_session, new_user, refresh, user};

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_together_agree_on_the_schema() {
    let database = Postgres::shared().fresh_database();
    let starts = (0..8).map(|_| {
        let location = Location::Postgres {
            url: database.url(),
            password: SecretString::from(database.password.clone()),
        };
        tokio::spawn(async move { Store::open(&location).await })
    });
    for start in starts.collect::<Vec<_>>() {
        let store = start.await.unwrap().unwrap();
        assert_eq!(store.engine(), &Engine::Postgres);
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_not_repeated() {
    let database = Postgres::shared().fresh_database();
    let location =
        Location::Postgres { url: database.url(), password: SecretString::from("not the password") };
    let refused = Store::open(&location).await;
    assert!(matches!(refused, Err(Fault::CredentialsRefused)), "{refused:?}");
    assert!(!format!("{refused:?}").contains("not the password"));
}

#[tokio::test]
async fn what_cannot_be_reached_is_unavailable() {
    let database = Postgres::shared().fresh_database();
    let password = SecretString::from(database.password.clone());
    let closed = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    for url in [
        format!("postgres://{}@127.0.0.1:{closed}/{}", database.owner, database.name),
        format!("postgres://{}@127.0.0.1:{}/absent", database.owner, database.port),
        "postgres://[nonsense".to_owned(),
    ] {
        let refused = Store::open(&Location::Postgres { url: url.clone(), password: password.clone() }).await;
        assert!(matches!(refused, Err(Fault::Unavailable(_))), "{url}: {refused:?}");
    }
    // The server has no TLS, and the URL insists.
    let url = format!("{}?sslmode=require", database.url());
    let refused = Store::open(&Location::Postgres { url, password }).await;
    assert!(matches!(refused, Err(Fault::Unavailable(_))), "{refused:?}");
}

#[tokio::test]
async fn the_store_survives_a_restart_of_the_server() {
    let cluster = Postgres::start();
    let database = cluster.fresh_database();
    let location =
        Location::Postgres { url: database.url(), password: SecretString::from(database.password.clone()) };
    let options = Options { connections: 2, ..Options::default() };
    let store = Store::open_with(&location, &options).await.unwrap();
    store.insert_user(&new_user("ada"), &[]).await.unwrap();
    cluster.stop();
    assert!(matches!(store.ping().await, Err(Fault::Unavailable(_))));
    assert!(matches!(store.insert_user(&new_user("bob"), &[]).await, Err(Fault::Unavailable(_))));
    cluster.start_again();
    store.ping().await.unwrap();
    store.insert_user(&new_user("bob"), &[]).await.unwrap();
    assert_eq!(count_users(&store).await, 2);
}

#[tokio::test]
async fn a_schema_from_the_future_is_refused() {
    let World { store, location, .. } = &World::postgres().await;
    store.upsert_role("a", "", false, &[], NOW).await.unwrap();
    let Location::Postgres { url, .. } = location else { panic!("not PostgreSQL") };
    let name = url.rsplit('/').next().unwrap();
    Postgres::shared()
        .run_sql(name, "insert into seaql_migrations (version, applied_at) values ('m9999_later', 0)");
    let refused = Store::open(location).await;
    assert!(matches!(&refused, Err(Fault::Newer { migration }) if migration == "m9999_later"), "{refused:?}");
}

#[tokio::test]
async fn a_slow_commit_is_heard_behind_one_of_more_rows_than_the_window() {
    let database = Postgres::shared().fresh_database();
    let location =
        Location::Postgres { url: database.url(), password: SecretString::from(database.password.clone()) };
    let store = Store::open(&location).await.unwrap();
    let mut other = PgConnection::connect(&database.url_with_password()).await.unwrap();

    // Another node's transaction takes a number, and stays open.
    let mut slow = other.begin().await.unwrap();
    let sql = "INSERT INTO changes (kind, key, at) VALUES ('session', 'slow', $1)";
    sqlx::query(sql).bind(NOW).execute(&mut *slow).await.unwrap();
    // Meanwhile one commit has 300 rows: a user's sessions.
    let ada = user(&store, "ada").await;
    for number in 0..300u16 {
        let mut token = refresh(0);
        token.digest[..2].copy_from_slice(&number.to_be_bytes());
        assert!(store.create_session(&new_session(&format!("s{number}"), &ada), &token).await.unwrap());
    }
    store.change_password(&ada, "new", NOW).await.unwrap();
    let newest = store.latest_seq().await.unwrap();
    slow.commit().await.unwrap();

    let heard = store.changes_since(newest, 256, NOW - 60).await.unwrap();
    assert!(heard.len() > 300, "{}", heard.len());
    assert!(heard.iter().any(|change| change.key == "slow"));
}
