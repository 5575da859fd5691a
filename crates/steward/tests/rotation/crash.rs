//! `kill -9` at every arrow: a child process dies there, another steward goes on, and the invariants hold.

use std::process::Stdio;

use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use steward::delivery::Place;
use steward::rotation::{Database, State, fault_point};
use steward::{Credential, Steward};
use store::{Location, Store};
use testkit::postgres;

use crate::world::{World, clock, fresh, logs_in, seal, with_administrator};

/// What the child is told on its standard input: nothing secret stands among its arguments.
#[derive(serde::Serialize, serde::Deserialize)]
struct Order {
    /// The encrypted file; none: the journal lies in the very database whose password changes.
    store: Option<String>,
    url: String,
    password: String,
    secret: String,
    administrator: String,
    administrator_file: String,
}

/// The child: one rotation, until it dies. Without an order there is nothing to do.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "the child of the tests below"]
async fn child() {
    let order: Order = serde_json::from_reader(std::io::stdin()).unwrap();
    let password = SecretString::from(order.password);
    let location = match &order.store {
        Some(path) => Location::SqlCipher { path: path.into(), key: SecretSlice::from(vec![1; 32]) },
        None => Location::Postgres { url: order.url.clone(), password: password.clone() },
    };
    let store = Store::open(&location).await.unwrap();
    let mut settings = Database::new("backend", order.url);
    (settings.password, settings.own_store) = (Some(password), order.store.is_none());
    settings.secret = Some(Place::File(order.secret.into()));
    settings.administrator = Some(SecretString::from(order.administrator));
    settings.administrator_file = Some(order.administrator_file.into());
    (settings.grace, settings.quiet) = (0, 0);
    let steward = Steward::new(store, seal(), vec![settings], clock(), fresh());
    steward.rotate("backend", true, &|_| {}).await.unwrap();
    panic!("the fault point was not reached");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_every_arrow_leaves_something_that_works() {
    let world = World::with(&postgres::Options::default(), |_| {}).await;
    kill_at_each(world, &fault_point::NAMES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn and_so_it_does_where_the_journal_lies_in_that_very_database() {
    let mut world =
        World::unadopted(&postgres::Options::default(), |database| database.own_store = true).await;
    world.store.close().await;
    world.store = Store::open(&location(&world, &world.today())).await.unwrap();
    world.adopt().await;
    kill_at_each(world, &fault_point::NAMES[..12]).await;
}

fn location(world: &World, credential: &Credential) -> Location {
    if world.settings.own_store {
        Location::Postgres { url: credential.url(), password: credential.password.clone() }
    } else {
        let path = world.folder.path().join("store.db");
        Location::SqlCipher { path, key: SecretSlice::from(vec![1; 32]) }
    }
}

async fn kill_at_each(mut world: World, names: &[&str]) {
    let file = with_administrator(&mut world);
    let mut generation = 0;
    let mut alive = world.today();
    for &name in names {
        world.store.close().await;
        let path = world.folder.path().join("store.db").display().to_string();
        let order = Order {
            store: (!world.settings.own_store).then_some(path),
            url: alive.url(),
            password: alive.password.expose_secret().to_owned(),
            secret: world.secret_file().display().to_string(),
            administrator: std::fs::read_to_string(&file).unwrap(),
            administrator_file: file.display().to_string(),
        };
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::child", "--ignored", "--nocapture"])
            .env(fault_point::VARIABLE, name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        serde_json::to_writer(child.stdin.take().unwrap(), &order).unwrap();
        let output = child.wait_with_output().unwrap();
        let signal = std::os::unix::process::ExitStatusExt::signal(&output.status);
        assert_eq!(signal, Some(6), "{name}: {}", String::from_utf8_lossy(&output.stderr));

        // I1: what the application holds still works, or what stands in its file does.
        let delivered = world.secret_file().exists().then(|| world.delivered());
        let read = delivered.unwrap_or(alive);
        assert!(logs_in(&read).await, "{name}: the application is locked out");

        world.store = Store::open(&location(&world, &read)).await.unwrap();
        world.settings.administrator = Some(SecretString::from(std::fs::read_to_string(&file).unwrap()));
        (world.settings.url, world.settings.password) = (read.url(), Some(read.password.clone()));
        world.steward = world.another();
        world.steward.recover("backend").await.unwrap();
        let status = world.steward.status("backend").await.unwrap();
        assert!(matches!(status.state, State::Stable | State::Promoted), "{name}: {:?}", status.state);
        if status.state != State::Stable || name == "prepare" {
            world.rotate().await;
        }
        world.steward.recover("backend").await.unwrap();

        let now = world.delivered();
        check(&world, name, &mut generation, &now).await;
        let administrator = std::fs::read_to_string(&file).unwrap();
        assert!(
            logs_in(&Credential::from_url(administrator.trim(), None).unwrap()).await,
            "{name}: administrator"
        );
        alive = now;
    }
}

/// I4: one generation more for each kill, but for the administrator's, which come after the end. One role alive.
async fn check(world: &World, name: &str, generation: &mut i64, now: &Credential) {
    *generation += 1;
    assert_eq!(now.generation, *generation, "{name}: each rotation that had begun has come to its end, once");
    assert!(logs_in(now).await, "{name}: what was delivered does not log in");
    let status = world.steward.status("backend").await.unwrap();
    assert_eq!(status.state, State::Stable, "{name}");
    assert_eq!(status.generation, now.generation, "{name}: journal and file agree");
    assert_eq!(status.administrator.unwrap().state, State::Stable, "{name}");
    let administrator = world.steward.administrator("backend").await.unwrap();
    let administrator = administrator.unwrap_or_else(|| world.administrator());
    let mut session = steward::connect::login(&administrator).await.unwrap();
    let alive: Vec<String> = sqlx::query_scalar(
        "select rolname::text from pg_authid where rolcanlogin and rolpassword is not null and not rolsuper",
    )
    .fetch_all(&mut session)
    .await
    .unwrap();
    assert_eq!(alive, std::slice::from_ref(&now.username), "{name}: one role has a password");
    // I3: the primary key of the history would not catch two roles under one generation.
    let twice: i64 = sqlx::query_scalar(
        "select count(*) from (select from portcullis.rotation where role_name <> 'superuser'
         group by generation having count(*) > 1) twice",
    )
    .fetch_one(&mut session)
    .await
    .unwrap();
    assert_eq!(twice, 0, "{name}: one verifier a generation");
    steward::connect::logout(session).await;
}
