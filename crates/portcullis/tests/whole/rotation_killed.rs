//! `kill -9` of the command that changes a password, at every arrow of the state machine, while two servers use the
//! database; of the command that changes the encrypted file's key; and three commands at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use steward::Credential;
use steward::rotation::fault_point;
use testkit::postgres::Postgres;
use testkit::process;

use crate::served::{Laid, Served, private};
use crate::two_nodes::{LOOK, Nodes, finished, killed_at, logs_in, same, until};
use crate::world::PASSWORD;

/// As many installations go through the fault points side by side: most of the time of a rotation is waiting.
const LANES: usize = 3;

/// What the servers themselves finish before the command comes to a place is no kill: it is tried again.
const TRIES: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_killed_at_any_arrow_locks_nobody_out_and_the_next_one_goes_on() {
    let cluster = Arc::new(Postgres::start());
    let lanes: Vec<_> = (0..LANES)
        .map(|lane| {
            let names = fault_point::NAMES.into_iter().skip(lane).step_by(LANES);
            tokio::spawn(lane_of(cluster.clone(), names.collect()))
        })
        .collect();
    for lane in lanes {
        lane.await.unwrap();
    }
}

async fn lane_of(cluster: Arc<Postgres>, names: Vec<&'static str>) {
    let mut nodes = Nodes::on(&cluster).await;
    nodes.run().await;
    let nodes = Arc::new(nodes);
    let over = Arc::new(AtomicBool::new(false));
    let watch = tokio::spawn(watched(cluster.clone(), nodes.clone(), over.clone()));
    for name in names {
        kill_and_go_on(&cluster, &nodes, name).await;
    }
    over.store(true, Ordering::Relaxed);
    let looks = watch.await.unwrap();
    assert!(looks > 20, "{looks} looks");
    Arc::into_inner(nodes).unwrap().stop().await;
}

async fn kill_and_go_on(cluster: &Postgres, nodes: &Nodes, name: &str) {
    let mut generation = newest(cluster, nodes);
    let mut killed = false;
    for _ in 0..TRIES {
        let output = killed_at(&nodes.first, name, &["database", "rotate", "store", "--now", "--json"]).await;
        killed = output.code.is_none();
        if killed {
            break;
        }
        // A server was faster: it has finished what the command had begun.
        generation += 1;
        assert_eq!(finished(output)["report"]["generation"], generation, "{name}");
    }
    assert!(killed, "{name} was not reached");
    let left = History::of(cluster, nodes);

    // What has begun comes to its end, by this command or by a server; nothing new begins.
    nodes.first.run(&["database", "rotate", "store"]).await.expect(0);
    let begun = i64::from(name != "prepare");
    let (held, status) = (nodes.held(), nodes.status().await);
    assert_eq!(status["state"], "stable", "{name}: {status}");
    assert_eq!(status["administrator"]["state"], "stable", "{name}: {status}");
    assert_eq!(status["generation"], generation + begun, "{name}: one more, once");
    nodes.assert_both_hold(generation + begun).await;
    assert!(same(&held[0], &held[1]), "{name}");
    let administrator = std::fs::read_to_string(nodes.first.path("store.admin")).unwrap();
    assert!(
        logs_in(&Credential::from_url(administrator.trim(), None).unwrap()).await,
        "{name}: administrator"
    );

    let now = History::of(cluster, nodes);
    now.assert_goes_on_from(&left, name);
    let alive = cluster.run_sql("postgres", &format!(
        "select rolname from pg_authid where rolcanlogin and rolpassword is not null and rolname ~ '^{}(_[ab])?$'",
        nodes.database.owner
    ));
    assert_eq!(alive, held[0].username, "{name}: one role has a password");
}

/// The ledger: fingerprints of verifiers by role and generation, and what each role really has.
struct History {
    fingerprints: BTreeMap<(i64, String), String>,
    live: BTreeSet<String>,
}

impl History {
    fn of(cluster: &Postgres, nodes: &Nodes) -> Self {
        let database = &nodes.database;
        let rows = cluster.run_sql(
            &database.name,
            &format!(
                "select generation, role_name, fingerprint from portcullis.rotation where role_name ~ '^{}'",
                database.owner
            ),
        );
        let fingerprints = rows
            .lines()
            .map(|row| {
                let [generation, role, fingerprint] = row.split('|').collect::<Vec<_>>()[..] else {
                    panic!("{row}")
                };
                ((generation.parse().unwrap(), role.to_owned()), fingerprint.to_owned())
            })
            .collect();
        let live = cluster.run_sql("postgres", &format!(
            "select encode(sha256(convert_to(rolpassword, 'UTF8')), 'hex') from pg_authid where rolname ~ '^{}_[ab]$'",
            database.owner
        ));
        Self { fingerprints, live: live.lines().map(str::to_owned).collect() }
    }

    /// Nothing of the past has changed, a retry has set the very verifier that stood there, generations have no gap and
    /// no double, and the newest one is what its role has.
    fn assert_goes_on_from(&self, before: &Self, name: &str) {
        for (key, fingerprint) in &before.fingerprints {
            assert_eq!(self.fingerprints.get(key), Some(fingerprint), "{name}: {key:?}");
        }
        let generations: Vec<i64> = self.fingerprints.keys().map(|(generation, _)| *generation).collect();
        let counted: Vec<i64> = (1..).take(generations.len()).collect();
        assert_eq!(generations, counted, "{name}");
        let newest = self.fingerprints.values().next_back();
        assert!(
            newest.is_some_and(|newest| self.live.contains(newest)),
            "{name}: the ledger tells the truth"
        );
    }
}

fn newest(cluster: &Postgres, nodes: &Nodes) -> i64 {
    History::of(cluster, nodes).fingerprints.keys().next_back().map_or(0, |(generation, _)| *generation)
}

/// All the while: what stands in each node's file logs in, so no credential ends before every node has the next one; and
/// the verifier of a role that a file names is never another one.
async fn watched(cluster: Arc<Postgres>, nodes: Arc<Nodes>, over: Arc<AtomicBool>) -> usize {
    let mut looks = 0;
    let mut verifiers: BTreeMap<(String, i64), String> = BTreeMap::new();
    let mut newest = 0;
    while !over.load(Ordering::Relaxed) {
        for node in 0..2 {
            let held = nodes.held()[node].clone();
            let works = logs_in(&held).await;
            let text = format!("select rolpassword from pg_authid where rolname = '{}'", held.username);
            let (cluster, query) = (cluster.clone(), text);
            let verifier =
                tokio::task::spawn_blocking(move || cluster.run_sql("postgres", &query)).await.unwrap();
            // What was replaced while it was looked at says nothing.
            if !same(&nodes.held()[node], &held) {
                continue;
            }
            let who = (held.username.clone(), held.generation);
            assert!(works, "node {node} is locked out: {who:?}");
            assert_eq!(
                verifiers.entry(who.clone()).or_insert_with(|| verifier.clone()),
                &verifier,
                "{who:?}"
            );
            newest = newest.max(held.generation);
            assert!(held.generation + 1 >= newest, "node {node} went back to {who:?}");
            looks += 1;
        }
        tokio::time::sleep(4 * LOOK).await;
    }
    looks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_three_commands_at_once_one_changes_the_password_and_a_node_that_stands_still_is_waited_for() {
    let cluster = Postgres::start();
    let mut nodes = Nodes::on(&cluster).await;
    nodes.run().await;
    let rotate = ["database", "rotate", "store", "--now", "--json"];
    let (one, two, three) =
        tokio::join!(nodes.first.run(&rotate), nodes.first.run(&rotate), nodes.second.run(&rotate));
    for output in [one, two, three] {
        assert_eq!(finished(output)["report"]["generation"], 2, "all three speak of one rotation");
    }
    nodes.assert_both_hold(2).await;
    let count = cluster.run_sql(
        &nodes.database.name,
        &format!("select count(*) from portcullis.rotation where role_name ~ '^{}'", nodes.database.owner),
    );
    assert_eq!(count, "2", "it was changed once");

    // The second node says nothing and takes nothing: its credential is not ended.
    let before = nodes.held()[1].clone();
    nodes.second_program().signal("STOP").await;
    let (output, ()) = tokio::join!(nodes.first.run(&rotate), async {
        until("the first node has the new one", || async { nodes.held()[0].generation == 3 }).await;
        until("it is waited for", || async {
            let status = nodes.status().await;
            status["waiting_for"].as_str().is_some_and(|what| what.contains("1 nodes"))
        })
        .await;
        // Longer than the quiet time, after which it would have been retired.
        tokio::time::sleep(std::time::Duration::from_secs(7)).await;
        assert_eq!(nodes.status().await["state"], "promoted");
        assert!(logs_in(&before).await, "the credential that a node uses was ended");
        assert!(same(&nodes.held()[1], &before));
        nodes.second_program().signal("CONT").await;
    });
    finished(output);
    nodes.assert_both_hold(3).await;
    assert!(!logs_in(&before).await);
    nodes.stop().await;
}

/// The arrows of a change of key, and whether the new one opens after a kill there.
fn arrows() -> impl Iterator<Item = (&'static str, bool)> {
    store::REKEY_ARROWS.into_iter().map(|arrow| (arrow, ["renamed", "switched", "promoted"].contains(&arrow)))
}

#[tokio::test]
async fn a_change_of_key_killed_at_any_arrow_leaves_exactly_one_key_that_opens() {
    let here = Served::start("").await;
    here.sign_up("ada@example.com").await;
    let laid = here.stop().await;
    for (arrow, new) in arrows() {
        let old = std::fs::read(laid.path("store.key")).unwrap();
        let killed =
            killed_at(&laid, &format!("rekey:{arrow}"), &["database", "rotate", "store", "--now"]).await;
        assert_eq!(killed.code, None, "{arrow}: {}", killed.stderr);

        let mut opening = Vec::new();
        for key in keys(&laid) {
            if opens(&laid, &key).await {
                opening.push(key);
            }
        }
        assert_eq!(opening.len(), 1, "{arrow}: {} keys open the store", opening.len());
        assert_eq!(opening[0] != old, new, "{arrow}: which one");

        // As it was left: the next command opens it and settles the key file; the next change goes through.
        let users = laid.run(&["user", "list", "--json"]).await.expect(0).stdout;
        assert!(users.contains("ada@example.com"), "{arrow}: {users}");
        assert_eq!(std::fs::read(laid.path("store.key")).unwrap(), opening[0], "{arrow}: settled");
    }
    let last = std::fs::read(laid.path("store.key")).unwrap();
    laid.run(&["database", "rotate", "store", "--now"]).await.expect(0);
    assert!(!opens(&laid, &last).await);
    let here = laid.start().await;
    here.log_in("ada@example.com", PASSWORD).await.expect(200);
    here.stop().await;
}

/// Every key in the key file, and in what a kill left beside it.
fn keys(laid: &Laid) -> BTreeSet<Vec<u8>> {
    let files = std::fs::read_dir(laid.folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let named = |path: &Path| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.contains("store.key"))
    };
    let mut keys = BTreeSet::new();
    for file in files.filter(|path| named(path)) {
        keys.extend(std::fs::read(file).unwrap().chunks_exact(32).map(<[u8]>::to_vec));
    }
    keys
}

/// Whether a copy of the store opens with this key alone.
async fn opens(laid: &Laid, key: &[u8]) -> bool {
    let copy = tempfile::tempdir().unwrap();
    for name in ["portcullis.toml", "kek", "portcullis.db", "portcullis.db-wal", "portcullis.db-shm"] {
        let from = laid.path(name);
        if from.exists() {
            std::fs::copy(from, copy.path().join(name)).unwrap();
        }
    }
    private(&copy.path().join("store.key"), key);
    let mut command = crate::world::portcullis(&["user", "list", "--json", "--config"]);
    command.arg(copy.path().join("portcullis.toml"));
    let output = process::run(command).await;
    assert!(output.code == Some(0) || output.stderr.contains("key does not fit"), "{}", output.stderr);
    output.code == Some(0)
}
