//! An application that works through ten rotations, and notices none.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sqlx::PgConnection;
use steward::{Credential, connect};
use testkit::postgres;

use crate::world::{World, application};

#[derive(Default)]
struct Counted {
    done: AtomicU64,
    failed: AtomicU64,
    over: AtomicBool,
}

/// Holds a session as an application's pool does, and reads its secret again when the file has changed.
async fn worker(file: PathBuf, first: Credential, counted: Arc<Counted>) {
    let mut credential = first;
    let mut session: Option<PgConnection> = None;
    let mut used = 0;
    while !counted.over.load(Ordering::SeqCst) {
        if let Ok(text) = std::fs::read_to_string(&file) {
            let now = Credential::from_json(&text).unwrap();
            if now.generation != credential.generation {
                credential = now;
                used = u32::MAX;
            }
        }
        // Pools let sessions go after a while.
        if used > 40
            && let Some(session) = session.take()
        {
            connect::logout(session).await;
        }
        let outcome = async {
            let mut open = match session.take() {
                Some(open) => open,
                None => {
                    used = 0;
                    application(&credential).await.map_err(|error| error.to_string())?
                }
            };
            used += 1;
            sqlx::query("insert into orders (word) values ('one')")
                .execute(&mut open)
                .await
                .map_err(|error| error.to_string())?;
            session = Some(open);
            Ok::<(), String>(())
        }
        .await;
        match outcome {
            Ok(()) => counted.done.fetch_add(1, Ordering::SeqCst),
            Err(reason) => {
                eprintln!("a failed request: {reason}");
                counted.failed.fetch_add(1, Ordering::SeqCst)
            }
        };
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_rotations_and_no_failed_request() {
    let world = World::with(&postgres::Options::default(), |database| {
        (database.grace, database.quiet) = (60, 1);
    })
    .await;
    let counted = Arc::new(Counted::default());
    let workers: Vec<_> =
        (0..4).map(|_| tokio::spawn(worker(world.secret_file(), world.today(), counted.clone()))).collect();
    let mut drained = 0;
    for generation in 1..=10 {
        let before = counted.done.load(Ordering::SeqCst);
        let report = world.rotate().await;
        assert_eq!(report.generation, generation);
        assert_eq!(report.sessions_terminated, 0, "nobody was thrown out");
        drained += report.sessions_drained;
        assert!(counted.done.load(Ordering::SeqCst) > before, "there was traffic");
    }
    counted.over.store(true, Ordering::SeqCst);
    for worker in workers {
        worker.await.unwrap();
    }
    assert_eq!(counted.failed.load(Ordering::SeqCst), 0);
    let rows = world.sql("select count(*) from orders");
    assert_eq!(rows, counted.done.load(Ordering::SeqCst).to_string(), "each request's row is there");
    eprintln!("{rows} requests, {drained} sessions went over");
}

/// An application that does not read its secret keeps its sessions; the rotation waits and says for what.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_does_not_adopt_is_waited_for() {
    let world = World::new().await;
    let stubborn = application(&world.today()).await.unwrap();
    let ticks = world.steward.tick().await;
    let [(_, Ok(steward::rotation::Ticked::Waiting { what, .. }))] = &ticks[..] else { panic!("{ticks:?}") };
    assert!(what.contains("1 sessions of"), "{what}");
    let status = world.steward.status("backend").await.unwrap();
    assert_eq!(status.state, steward::rotation::State::Promoted);
    assert_eq!(status.waiting_for.as_ref(), Some(what));
    assert!(crate::world::logs_in(&world.today()).await, "both work");
    assert!(crate::world::logs_in(&world.delivered()).await, "both work");
    connect::logout(stubborn).await;
    assert_eq!(world.rotate().await.generation, 1);
    assert!(!crate::world::logs_in(&world.today()).await);
}
