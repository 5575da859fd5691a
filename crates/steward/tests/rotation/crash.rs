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
    store: String,
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
    let location = Location::SqlCipher { path: order.store.into(), key: SecretSlice::from(vec![1; 32]) };
    let store = Store::open(&location).await.unwrap();
    let mut settings = Database::new("backend", order.url);
    settings.password = Some(SecretString::from(order.password));
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
    let mut world = World::with(&postgres::Options::default(), |_| {}).await;
    let file = with_administrator(&mut world);
    let mut generation = 0;
    let mut alive = world.today();
    for name in fault_point::NAMES {
        world.store.close().await;
        let order = Order {
            store: world.folder.path().join("store.db").display().to_string(),
            url: world.database.url(),
            password: world.database.password.clone(),
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
        assert_eq!(
            signal,
            Some(6),
            "{name}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );

        // I1: what the application holds still works, and if not, what stands in its file does.
        let delivered = world.secret_file().exists().then(|| world.delivered());
        let read = delivered.unwrap_or(alive);
        assert!(logs_in(&read).await, "{name}: the application is locked out");

        let location = Location::SqlCipher {
            path: world.folder.path().join("store.db"),
            key: SecretSlice::from(vec![1; 32]),
        };
        world.store = Store::open(&location).await.unwrap();
        world.settings.administrator = Some(SecretString::from(std::fs::read_to_string(&file).unwrap()));
        world.steward = world.another();
        world.steward.recover("backend").await.unwrap();
        let status = world.steward.status("backend").await.unwrap();
        assert!(matches!(status.state, State::Stable | State::Promoted), "{name}: {:?}", status.state);
        if status.state != State::Stable || name == "prepare" {
            world.rotate().await;
        }
        world.steward.recover("backend").await.unwrap();

        // I4, I2: one more generation, one password alive, and it is the one in the file.
        let now = world.delivered();
        generation = check(&world, name, generation, &read, &now).await;
        let administrator = std::fs::read_to_string(&file).unwrap();
        assert!(
            logs_in(&Credential::from_url(administrator.trim(), None).unwrap()).await,
            "{name}: administrator"
        );
        alive = now;
    }
    assert!(alive.password.expose_secret().len() == 43);
}

async fn check(world: &World, name: &str, before: i64, read: &Credential, now: &Credential) -> i64 {
    assert!(now.generation > before || now.generation == read.generation, "{name}");
    assert!(logs_in(now).await, "{name}: what was delivered does not log in");
    let status = world.steward.status("backend").await.unwrap();
    assert_eq!(status.state, State::Stable, "{name}");
    assert_eq!(status.generation, now.generation, "{name}: journal and file agree");
    let administrator = status.administrator.unwrap();
    assert_eq!(administrator.state, State::Stable, "{name}");
    let location = &world.settings;
    let credential = world.steward.administrator(&location.name).await.unwrap();
    if let Some(credential) = credential {
        let mut session = steward::connect::login(&credential).await.unwrap();
        let alive: Vec<String> = sqlx::query_scalar(
            "select rolname::text from pg_authid where rolcanlogin and rolpassword is not null and not rolsuper",
        )
        .fetch_all(&mut session)
        .await
        .unwrap();
        assert_eq!(alive, [now.username.clone()], "{name}: one role has a password");
        let twice: i64 = sqlx::query_scalar(
            "select count(*) from (select generation from portcullis.rotation where role_name <> 'superuser'
             group by generation having count(*) > 1) twice",
        )
        .fetch_one(&mut session)
        .await
        .unwrap();
        assert_eq!(twice, 0, "{name}: I3, one verifier a generation");
        steward::connect::logout(session).await;
    }
    now.generation
}
