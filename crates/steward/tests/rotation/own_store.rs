//! Portcullis's own store on PostgreSQL: the journal lies in the very database whose password changes, and two nodes use
//! it all the while.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use secrecy::SecretString;
use steward::Steward;
use store::{Location, Store};
use testkit::postgres;

use crate::world::{World, clock, finished, fresh, logs_in, seal, settings};

struct Node {
    store: Store,
    steward: Steward,
    file: std::path::PathBuf,
}

async fn node(world: &World, name: &str) -> Node {
    let file = world.folder.path().join(format!("{name}.json"));
    let mut settings = settings(&world.database, file.clone());
    (settings.own_store, settings.name) = (true, "store".to_owned());
    let location = Location::Postgres {
        url: world.database.url(),
        password: SecretString::from(world.database.password.clone()),
    };
    let store = Store::open(&location).await.unwrap();
    let steward = Steward::new(store.clone(), seal(), vec![settings], clock(), fresh());
    Node { store, steward, file }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_node_takes_the_new_password_and_no_query_fails() {
    let world = World::unadopted(&postgres::Options::default(), |_| {}).await;
    // The tables come first, as on a system that runs already.
    let (one, two) = (node(&world, "one").await, node(&world, "two").await);
    world.adopt().await;
    let over = Arc::new(AtomicBool::new(false));
    let mut tasks = Vec::new();
    for (name, node) in [("one", &one), ("two", &two)] {
        let (store, steward, ended) = (node.store.clone(), node.steward.clone(), over.clone());
        // Both give a sign of life before anything begins.
        steward.take_up(name, "store").await.unwrap();
        tasks.push(tokio::spawn(async move {
            let mut queries = 0_u64;
            while !ended.load(Ordering::SeqCst) {
                store.take_throttle("bucket", 1_000_000, 60, 1).await.unwrap();
                store.latest_seq().await.unwrap();
                queries += 1;
                if queries.is_multiple_of(10) {
                    steward.take_up(name, "store").await.unwrap();
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            queries
        }));
    }
    for generation in 1..=3 {
        let report = finished(one.steward.rotate("store", true, &|_| {}).await.unwrap());
        assert_eq!((report.generation, report.sessions_terminated), (generation, 0));
        for node in [&one, &two] {
            let text = std::fs::read_to_string(&node.file).unwrap();
            let credential = steward::Credential::from_json(&text).unwrap();
            assert_eq!(credential.generation, generation, "each node has its own file");
            assert!(logs_in(&credential).await);
        }
    }
    over.store(true, Ordering::SeqCst);
    for task in tasks {
        assert!(task.await.unwrap() > 10);
    }
    assert!(!logs_in(&world.today()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_lags_behind_is_waited_for() {
    let world = World::unadopted(&postgres::Options::default(), |_| {}).await;
    let (one, two) = (node(&world, "one").await, node(&world, "two").await);
    world.adopt().await;
    two.steward.take_up("two", "store").await.unwrap();
    let ticks = one.steward.tick().await;
    let [(_, Ok(steward::rotation::Ticked::Waiting { what, .. }))] = &ticks[..] else { panic!("{ticks:?}") };
    assert!(what.contains("1 nodes"), "{what}");
    two.store.ping().await.unwrap();
    assert!(logs_in(&world.today()).await, "the node that lags still works");
    two.steward.take_up("two", "store").await.unwrap();
    finished(one.steward.rotate("store", true, &|_| {}).await.unwrap());
    two.store.ping().await.unwrap();
}
