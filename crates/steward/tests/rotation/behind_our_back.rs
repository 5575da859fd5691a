//! Somebody changes a password by hand.

use steward::rotation::{Fault, Provenance, Urgency};

use crate::world::{World, logs_in, with_administrator};

#[tokio::test(flavor = "multi_thread")]
async fn a_password_changed_by_hand_is_noticed_and_replaced() {
    let mut world = World::new().await;
    world.rotate().await;
    world.sql(&format!("alter role {} password 'by hand'", world.role("_a")));

    // Nobody else may look: nothing is known but that ours is refused.
    let status = world.steward.status("backend").await.unwrap();
    assert_eq!((status.provenance, status.live.logs_in), (Provenance::Changed, Some(false)));
    assert_eq!(status.age.urgency, Urgency::Alarm, "its age is unknown");
    let fault = world.steward.rotate("backend", true, &|_| {}).await.unwrap_err();
    assert!(matches!(fault, Fault::LockedOut { .. }), "{fault:?}");

    // With the administrator's help the other slot gets a new one.
    with_administrator(&mut world);
    assert_eq!(world.steward.status("backend").await.unwrap().provenance, Provenance::Changed);
    let report = world.rotate().await;
    assert_eq!((report.generation, report.to), (2, world.role("_b")));
    assert!(logs_in(&world.delivered()).await);
    assert_eq!(world.steward.status("backend").await.unwrap().provenance, Provenance::Ours);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_password_under_another_salt_is_noticed() {
    let world = World::new().await;
    world.rotate().await;
    let delivered = world.delivered();
    use secrecy::ExposeSecret as _;
    world.sql(&format!(
        "alter role {} password '{}'",
        delivered.username,
        delivered.password.expose_secret()
    ));
    let status = world.steward.status("backend").await.unwrap();
    assert_eq!((status.provenance, status.live.logs_in), (Provenance::Changed, Some(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_somebody_uses_gets_no_new_password() {
    let world = World::new().await;
    world.rotate().await;
    // Somebody gave the idle slot a password and logs in with it.
    world.sql(&format!("alter role {} login password 'sneaky'", world.role("_b")));
    let sneaky = steward::Credential {
        username: world.role("_b"),
        password: secrecy::SecretString::from("sneaky"),
        ..world.today()
    };
    let session = crate::world::application(&sneaky).await.unwrap();
    let fault = world.steward.rotate("backend", true, &|_| {}).await.unwrap_err();
    assert!(matches!(fault, Fault::SlotInUse { sessions: 1, .. }), "{fault:?}");
    use sqlx::Connection as _;
    session.close().await.unwrap();
    while world.sql(&format!("select count(*) from pg_stat_activity where usename = '{}'", world.role("_b")))
        != "0"
    {}
    assert_eq!(world.rotate().await.generation, 2);
    assert!(!logs_in(&sneaky).await);
}

/// The idle slot of the older journal is the one in use by now, and nobody has a session at night.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_brought_back_from_before_the_last_rotation_leaves_the_delivered_password_alone() {
    let mut world = World::new().await;
    world.rotate().await;
    let older = world.store.rotation("backend").await.unwrap().unwrap();
    world.rotate().await;
    let delivered = world.delivered();
    world.store.forget_rotations("backend").await.unwrap();
    assert!(world.store.begin_rotations(&older).await.unwrap());
    with_administrator(&mut world);

    let fault = world.steward.rotate("backend", true, &|_| {}).await.unwrap_err();
    assert!(fault.to_string().contains("a copy older than that rotation"), "{fault}");
    assert!(logs_in(&delivered).await);
    assert_eq!(world.delivered().generation, 2);
}
