//! A PostgreSQL store whose password is turned while requests run.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrecy::SecretString;
use store::{CredentialSource, Fault, Location, Options, Store};
use testkit::postgres::{Database, Postgres};

use crate::engines::{NOW, World, new_user};

/// The place where the credential stands, and how often it was looked at.
struct Place {
    url: String,
    password: Mutex<String>,
    asked: AtomicU64,
}

impl Place {
    fn of(database: &Database) -> Arc<Self> {
        Arc::new(Self {
            url: database.url(),
            password: Mutex::new(database.password.clone()),
            asked: AtomicU64::new(0),
        })
    }

    fn put(&self, password: &str) {
        password.clone_into(&mut self.password.lock().unwrap());
    }

    fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait::async_trait]
impl CredentialSource for Place {
    async fn credential(&self) -> Result<(String, SecretString), Fault> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Ok((self.url.clone(), SecretString::from(self.password.lock().unwrap().clone())))
    }
}

async fn open(database: &Database, options: &Options) -> Store {
    let location =
        Location::Postgres { url: database.url(), password: SecretString::from(database.password.clone()) };
    Store::open_with(&location, options).await.unwrap()
}

fn turn(database: &Database, password: &str) {
    let sql = format!("alter role {} password '{password}'", database.owner);
    Postgres::shared().run_sql("postgres", &sql);
}

/// Ends every session, so that the next operation must log in.
fn end_sessions(database: &Database) {
    let sql = format!(
        "select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity where datname = '{}'",
        database.name
    );
    Postgres::shared().run_sql("postgres", &sql);
}

fn sessions(database: &Database) -> u64 {
    let sql = format!("select count(*) from pg_stat_activity where datname = '{}'", database.name);
    Postgres::shared().run_sql("postgres", &sql).parse().unwrap()
}

/// Sixteen tasks that read and write until they are stopped.
struct Traffic {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    tasks: Vec<tokio::task::JoinHandle<Vec<Fault>>>,
}

impl Traffic {
    fn start(store: &Store) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let tasks = (0..16).map(|task| {
            let (store, stop, done) = (store.clone(), Arc::clone(&stop), Arc::clone(&done));
            tokio::spawn(async move {
                let mut failed = Vec::new();
                for number in 0.. {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let user = new_user(&format!("{task}-{number}"));
                    let written = store.insert_user(&user, &[]).await;
                    let read = store.user(&user.id).await;
                    if written.is_ok() && matches!(read, Ok(Some(_))) {
                        done.fetch_add(1, Ordering::SeqCst);
                    }
                    failed.extend(written.err().into_iter().chain(read.err()));
                }
                failed
            })
        });
        Self { tasks: tasks.collect(), stop, done }
    }

    /// Waits until so many more have been done.
    async fn more(&self, number: u64) {
        let wanted = self.done.load(Ordering::SeqCst) + number;
        while self.done.load(Ordering::SeqCst) < wanted {
            assert!(!self.tasks.iter().any(|task| task.is_finished()), "a task ended");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn finish(self, store: &Store) {
        self.stop.store(true, Ordering::SeqCst);
        for task in self.tasks {
            let failed = task.await.unwrap();
            assert!(failed.is_empty(), "{} failed: {:?}", failed.len(), failed.first());
        }
        let stored = store.users(None, 1_000_000).await.unwrap().len() as u64;
        assert_eq!(stored, self.done.load(Ordering::SeqCst));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_replaced_credential_costs_no_operation() {
    let database = Postgres::shared().fresh_database();
    let options = Options { connections: 4, ..Options::default() };
    let store = open(&database, &options).await;
    let traffic = Traffic::start(&store);
    for round in 0..5 {
        traffic.more(50).await;
        let password = format!("round {round}");
        turn(&database, &password);
        store.replace_credential(&database.url(), &SecretString::from(password)).await.unwrap();
    }
    traffic.more(50).await;
    traffic.finish(&store).await;
    // What ran on old connections has ended, and they are gone.
    while sessions(&database) > 4 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    store.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_password_turned_behind_our_back_costs_no_operation() {
    let database = Postgres::shared().fresh_database();
    // Connections live for a moment, so that some task logs in all the time.
    let options = Options { connections: 4, lifetime: Duration::from_millis(1), ..Options::default() };
    let store = open(&database, &options).await;
    let place = Place::of(&database);
    store.set_credential_source(place.clone());
    let traffic = Traffic::start(&store);
    for round in 0..5 {
        traffic.more(20).await;
        let password = format!("round {round}");
        place.put(&password);
        turn(&database, &password);
    }
    traffic.more(50).await;
    traffic.finish(&store).await;
    assert_eq!(place.asked(), 5, "one look for each password");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_that_are_refused_at_once_look_once() {
    let database = Postgres::shared().fresh_database();
    let store = open(&database, &Options { connections: 8, ..Options::default() }).await;
    let place = Place::of(&database);
    store.set_credential_source(place.clone());
    place.put("another");
    turn(&database, "another");
    end_sessions(&database);
    let operations = (0..16).map(|number| {
        let store = store.clone();
        tokio::spawn(async move { store.insert_user(&new_user(&format!("user{number}")), &[]).await })
    });
    for operation in operations.collect::<Vec<_>>() {
        operation.await.unwrap().unwrap();
    }
    assert_eq!(place.asked(), 1);
    assert_eq!(store.users(None, 100).await.unwrap().len(), 16);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_source_that_knows_no_better_is_asked_once_and_the_refusal_is_clear() {
    let database = Postgres::shared().fresh_database();
    let store = open(&database, &Options::default()).await;
    let place = Place::of(&database);
    store.set_credential_source(place.clone());
    turn(&database, "nobody told us");
    end_sessions(&database);
    let refused = store.insert_user(&new_user("ada"), &[]).await;
    assert!(matches!(refused, Err(Fault::CredentialsRefused)), "{refused:?}");
    assert_eq!(place.asked(), 1, "no loop");

    let operations = (0..16).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.ping().await })
    });
    for operation in operations.collect::<Vec<_>>() {
        let refused = operation.await.unwrap();
        assert!(matches!(refused, Err(Fault::CredentialsRefused)), "{refused:?}");
    }
    assert!(place.asked() <= 17, "{}: at most once an operation", place.asked());

    place.put("nobody told us");
    store.insert_user(&new_user("ada"), &[]).await.unwrap();
}

#[tokio::test]
async fn without_a_source_a_refusal_is_a_refusal() {
    let database = Postgres::shared().fresh_database();
    let store = open(&database, &Options::default()).await;
    turn(&database, "another");
    end_sessions(&database);
    assert!(matches!(store.ping().await, Err(Fault::CredentialsRefused)));
}

#[tokio::test]
async fn another_role_takes_over_from_one_that_may_not_log_in() {
    let database = Postgres::shared().fresh_database();
    let store = open(&database, &Options::default()).await;
    store.insert_user(&new_user("ada"), &[]).await.unwrap();
    let (owner, second) = (&database.owner, format!("{}_b", database.owner));
    Postgres::shared().run_sql(
        "postgres",
        &format!(
            "create role {second} login password 'second' in role {owner};
             alter role {second} set role = {owner};
             grant connect on database {} to {second};
             alter role {owner} nologin;",
            database.name
        ),
    );
    let url = database.url().replace(&format!("//{owner}@"), &format!("//{second}@"));
    let place = Arc::new(Place { url, password: Mutex::new("second".to_owned()), asked: AtomicU64::new(0) });
    store.set_credential_source(place.clone());
    end_sessions(&database);
    store.insert_user(&new_user("bob"), &[]).await.unwrap();
    store.change_password("usr_ada", "new", NOW).await.unwrap();
    assert_eq!(place.asked(), 1);
}

#[tokio::test]
async fn what_does_not_lead_to_this_store_is_not_taken() {
    let World { store, .. } = &World::postgres().await;
    store.insert_user(&new_user("ada"), &[]).await.unwrap();
    let empty = Postgres::shared().fresh_database();
    let refused = store.replace_credential(&empty.url(), &SecretString::from(empty.password.clone())).await;
    assert!(
        matches!(&refused, Err(Fault::Unavailable(reason)) if reason.contains("without this store")),
        "{refused:?}"
    );
    let refused = store.replace_credential(&empty.url(), &SecretString::from("wrong")).await;
    assert!(matches!(refused, Err(Fault::CredentialsRefused)), "{refused:?}");
    assert!(store.user("usr_ada").await.unwrap().is_some(), "the old connections stay");

    let World { store: file, .. } = &World::sqlcipher().await;
    let refused = file.replace_credential(&empty.url(), &SecretString::from("x")).await;
    assert!(matches!(refused, Err(Fault::OtherEngine(_))), "{refused:?}");
}
