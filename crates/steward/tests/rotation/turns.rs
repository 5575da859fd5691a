//! One rotation after the other, and what is said about them.

use steward::connect::LoginFault;
use steward::rotation::{Fault, Provenance, Rotated, State, Urgency};
use testkit::postgres::{self, Version};

use crate::world::{World, logs_in};

async fn takes_turns(options: &postgres::Options) {
    let world = World::with(options, |_| {}).await;
    let before = world.steward.status("backend").await.unwrap();
    assert_eq!(before.provenance, Provenance::Foreign);
    assert_eq!((before.age.urgency, before.age.due_at), (Urgency::Alarm, None), "an unknown age is due now");
    assert_eq!((before.adopted, before.live.logs_in), (Some(true), Some(true)));

    let mut last = world.today();
    for (generation, suffix) in [(1, "_a"), (2, "_b"), (3, "_a")] {
        let report = world.rotate().await;
        let now = world.delivered();
        assert_eq!((report.generation, now.generation), (generation, generation));
        assert_eq!((&report.from, &report.to), (&last.username, &now.username));
        assert_eq!(now.username, world.role(suffix));
        assert!(logs_in(&now).await);
        assert!(!logs_in(&last).await, "the old one is dead");
        let steps: Vec<_> = report.steps.iter().map(|step| step.step.as_str()).collect();
        assert_eq!(steps, ["prepared", "set", "tested", "promoted", "delivered", "adopted", "retired"]);
        assert!(report.proofs.len() >= 6, "{:?}", report.proofs);
        assert!(
            report
                .proofs
                .iter()
                .any(|proof| proof.what.contains("wrong password") && proof.seen.contains("28P01"))
        );

        let status = world.steward.status("backend").await.unwrap();
        assert_eq!(
            (status.provenance, status.state, status.generation),
            (Provenance::Ours, State::Stable, generation)
        );
        assert_eq!((status.age.urgency, status.live.previous_sessions), (Urgency::Fine, Some(0)));
        assert!(status.age.seconds.is_some_and(|age| age < 60), "{:?}", status.age);
        assert_eq!(status.last.as_ref(), Some(&report));
        assert!(!serde_json::to_string(&status).unwrap().contains("SCRAM-SHA-256$"));
        last = now;
    }
    let not_due = world.steward.rotate("backend", false, &|_| {}).await.unwrap();
    assert!(
        matches!(not_due, Rotated::NotDue { due_at } if due_at > crate::world::real_time()),
        "{not_due:?}"
    );
    assert_eq!(world.sql("select count(*), count(distinct fingerprint) from portcullis.rotation"), "3|3");
    assert_eq!(
        world.sql("select count(*) from pg_roles where rolvaliduntil < 'infinity' and rolcanlogin"),
        "0"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_roles_take_turns() {
    takes_turns(&postgres::Options::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_roles_take_turns_on_18() {
    takes_turns(&postgres::Options { version: Version::Eighteen, ..postgres::Options::default() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_adopted_says_so_and_a_tick_waits() {
    let world = World::unadopted(&postgres::Options::default(), |_| {}).await;
    let refused = world.steward.rotate("backend", true, &|_| {}).await;
    assert!(matches!(refused, Err(Fault::NotAdopted(_))), "{refused:?}");
    let ticks = world.steward.tick().await;
    assert!(matches!(ticks[..], [(_, Ok(steward::rotation::Ticked::Rest { due_at: None }))]), "{ticks:?}");
    assert_eq!(world.steward.status("backend").await.unwrap().adopted, Some(false));
    assert!(matches!(world.steward.status("other").await, Err(Fault::Unknown(_))));
    assert!(logs_in(&world.today()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_password_is_changed_at_the_first_tick_and_then_rests() {
    let world = World::new().await;
    let ticks = world.steward.tick().await;
    assert!(matches!(&ticks[..], [(_, Ok(steward::rotation::Ticked::Finished { .. }))]), "{ticks:?}");
    let ticks = world.steward.tick().await;
    assert!(matches!(ticks[..], [(_, Ok(steward::rotation::Ticked::Rest { due_at: Some(_) }))]), "{ticks:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dead_mans_switch_ends_a_forgotten_password() {
    let world = World::with(&postgres::Options::default(), |database| {
        (database.maximum_password_age, database.dead_man_switch) = (86_400, true);
    })
    .await;
    world.rotate().await;
    let role = world.role("_a");
    let left = world.sql(&format!(
        "select extract(epoch from rolvaliduntil - (select set_at from portcullis.slot where role_name = '{role}'))::bigint
         from pg_roles where rolname = '{role}'"
    ));
    assert_eq!(left, (86_400 + 21_600).to_string(), "a day and a quarter of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_new_role_may_not_do_is_found_before_anybody_gets_it() {
    let world = World::new().await;
    // Granted to today's role after the adoption, and not to the owner role.
    world.sql(&format!(
        "create schema reports; create table reports.sums (n int); grant usage on schema reports to {0}; \
         grant select on reports.sums to {0}",
        world.database.owner
    ));
    let failed = world.steward.rotate("backend", true, &|_| {}).await.unwrap_err().to_string();
    assert!(
        failed.contains("SELECT on the table reports.sums") && failed.contains("stays in use"),
        "{failed}"
    );
    assert!(logs_in(&world.today()).await);
    assert!(!world.secret_file().exists(), "nothing was delivered");
    let status = world.steward.status("backend").await.unwrap();
    assert_eq!((status.state, status.last_fault), (State::Set, Some(failed)));

    world.sql(&format!(
        "grant usage on schema reports to {0}; grant select on reports.sums to {0}",
        world.role("_owner")
    ));
    assert_eq!(world.rotate().await.generation, 1, "the rotation that was under way goes on");
    assert_eq!(world.steward.status("backend").await.unwrap().last_fault, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_asks_for_no_password_is_found_before_anybody_gets_it() {
    let world = World::new().await;
    world.server.edit_hba(&format!(
        "host all {} 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n",
        world.role("_a")
    ));
    world.server.reload();
    let failed = world.steward.rotate("backend", true, &|_| {}).await.unwrap_err().to_string();
    assert!(failed.contains("a wrong password logs in") && failed.contains("pg_hba.conf"), "{failed}");
    assert!(!world.secret_file().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_password_that_still_logs_in_is_no_success() {
    let world = World::new().await;
    world.server.edit_hba(&format!(
        "host all {} 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n",
        world.database.owner
    ));
    world.server.reload();
    // NOLOGIN refuses even where no password is asked for: that much is certain, and is the proof.
    world.rotate().await;
    let refused = steward::connect::login(&world.today()).await;
    assert!(matches!(refused, Err(LoginFault::Refused { ref code, .. }) if code == "28000"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_changes_nothing_and_is_no_refusal() {
    let world = World::new().await;
    world.rotate().await;
    world.server.stop();
    let fault = world.steward.rotate("backend", true, &|_| {}).await.unwrap_err();
    assert!(matches!(fault, Fault::Unreachable { .. }), "{fault:?}");
    let status = world.steward.status("backend").await.unwrap();
    assert_eq!((status.live.logs_in, status.provenance), (None, Provenance::Unknown));
    world.server.start_again();
    assert_eq!(world.rotate().await.generation, 2);
}
