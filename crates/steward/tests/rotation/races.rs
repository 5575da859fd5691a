//! Several stewards at once.

use steward::Credential;

use crate::world::{World, finished, logs_in, with_administrator};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_three_stewards_one_wins_and_its_password_is_the_one_that_works() {
    let world = World::new().await;
    for generation in 1..=2 {
        let tasks: Vec<_> = (0..3)
            .map(|_| {
                let steward = world.another();
                tokio::spawn(async move { steward.rotate("backend", true, &|_| {}).await })
            })
            .collect();
        for task in tasks {
            let report = finished(task.await.unwrap().unwrap());
            assert_eq!(report.generation, generation, "all three speak of one rotation");
        }
        let delivered = world.delivered();
        assert_eq!(delivered.generation, generation);
        assert!(logs_in(&delivered).await);
        let ledger = world.sql("select count(*), max(generation) from portcullis.rotation");
        assert_eq!(ledger, format!("{generation}|{generation}"), "one row a rotation");
    }
}

/// Each changes the very password that the others log in with; what one has read is stale a moment later, and no fault.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixteen_stewards_none_takes_anothers_change_of_the_administrator_for_a_lockout() {
    let mut world = World::new().await;
    let file = with_administrator(&mut world);
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let steward = world.another();
            tokio::spawn(async move { steward.rotate("backend", true, &|_| {}).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let newest = Credential::from_url(std::fs::read_to_string(&file).unwrap().trim(), None).unwrap();
    assert!(logs_in(&newest).await, "the file holds what logs in");
    assert!(logs_in(&world.delivered()).await);
    let status = world.steward.status("backend").await.unwrap();
    let administrator = status.administrator.unwrap();
    assert_eq!(administrator.state, steward::rotation::State::Stable, "every change came to its end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_journals_for_one_database_do_not_fight() {
    let world = World::new().await;
    let other = World::unadopted(&testkit::postgres::Options::default(), |_| {}).await;
    // The other store's steward looks after the same database, into another file.
    let mut settings = world.settings.clone();
    settings.secret = Some(steward::delivery::Place::File(other.secret_file()));
    let stranger = steward::Steward::new(
        other.store.clone(),
        crate::world::seal(),
        vec![settings],
        crate::world::clock(),
        crate::world::fresh(),
    );
    world.rotate().await;
    let fault = stranger.rotate("backend", true, &|_| {}).await.unwrap_err();
    assert!(matches!(fault, steward::rotation::Fault::LockedOut { .. }), "{fault:?}");
    assert!(!other.secret_file().exists());
    assert!(logs_in(&world.delivered()).await);
}
