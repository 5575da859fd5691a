//! And back to the one role.

use std::sync::{Arc, Mutex};

use secrecy::ExposeSecret as _;
use steward::adopt::{self, Back};
use steward::verifier::password;
use steward::{Credential, connect, ledger};
use testkit::postgres::Version;

use crate::there::{adopted, rotated};
use crate::world::{World, run, text};

fn fresh(number: u8) -> Back {
    Back { password: password([number; 32]), salt: [number; 16] }
}

async fn there_and_back(version: Version) {
    let world = World::rich(version);
    let (home, app) = (world.database.name.clone(), world.database.owner.clone());
    let second = world.server.fresh_database();
    world
        .server
        .run_sql(&second.name, &format!("create table there (a integer); alter table there owner to {app}"));
    let looks = || {
        let dump = if version == Version::Installed { world.dump(&home) } else { String::new() };
        (world.catalogue(&home), world.catalogue(&second.name), world.roles(), dump)
    };
    let before = looks();

    let names = adopted(&world).await;
    let word = rotated(&world, &names, 3).await;
    let slot = Credential { username: names.slot_a.clone(), password: word, ..world.today() };
    let mut a = world.session(&slot).await;
    run(&mut a, "create table shop.made_by_a (a integer); drop table shop.made_by_a").await.unwrap();
    // The first rotation has ended: the former role cannot log in any more.
    ledger::retire(&mut a, &app, 0).await.unwrap();
    assert_ne!(looks(), before);

    let shown = adopt::undo_plan(&world.administrator(), &slot).await.unwrap();
    assert!(shown.steps.len() == 2 && shown.names == names);

    // The secret cannot be delivered: both credentials go on working, and a session of the slot as well.
    let back = fresh(4);
    let failed =
        adopt::undo(&world.administrator(), &slot, &back, |_| async { Err("the disk is full".to_owned()) })
            .await;
    assert!(matches!(failed, Err(adopt::Fault::Delivery(_))), "{failed:?}");
    let former = Credential { username: app.clone(), password: back.password.clone(), ..world.today() };
    let mut b = world.session(&former).await;
    assert_eq!(text(&mut b, "select current_user::text").await, app);
    assert_eq!(
        text(&mut a, "select count(*)::text from shop.customers").await,
        "2",
        "the slot's session goes on"
    );
    run(&mut a, "create table shop.in_between (a integer)").await.unwrap();
    world.session(&slot).await;

    let back = fresh(5);
    let delivered = Arc::new(Mutex::new(None));
    let place = delivered.clone();
    let (slot_works, former_works) = (slot.clone(), world.today());
    let credential = adopt::undo(&world.administrator(), &slot, &back, |credential| async move {
        // At this moment the slot still logs in, and so does what is delivered.
        let slot = connect::login(&slot_works).await.map_err(|fault| fault.to_string())?;
        let new = Credential { database: former_works.database, ..credential.clone() };
        let new = connect::login(&new).await.map_err(|fault| fault.to_string())?;
        connect::logout(slot).await;
        connect::logout(new).await;
        *place.lock().unwrap() = Some(credential);
        Ok(())
    })
    .await
    .unwrap_or_else(|fault| panic!("{fault}"));
    let delivered = delivered.lock().unwrap().take().unwrap();
    assert_eq!(delivered.password.expose_secret(), credential.password.expose_secret());
    assert_eq!((&credential.username, credential.generation), (&app, 2));
    assert!(text_fails(&mut a).await, "sessions of the slots have ended");
    assert!(connect::login(&slot).await.is_err());

    let mut session = world.session(&credential).await;
    assert_eq!(
        text(&mut session, "select tableowner::text from pg_tables where tablename = 'in_between'").await,
        app
    );
    run(&mut session, "drop table shop.in_between").await.unwrap();
    let after = looks();
    assert_eq!(after.0, before.0, "owners, privileges, policies, defaults");
    assert_eq!(after.1, before.1, "the second database");
    assert_eq!(after.2, before.2, "roles, memberships, settings");
    assert_eq!(after.3, before.3, "pg_dump --schema-only");
    assert!(matches!(
        adopt::undo(&world.administrator(), &credential, &back, |_| async { Ok(()) }).await,
        Err(adopt::Fault::NotAdopted)
    ));
    for word in [fresh(4).password, fresh(5).password] {
        assert!(!world.server.log().contains(word.expose_secret()), "a password in the server's log");
    }
    // And once more there.
    adopted(&world).await;
}

async fn text_fails(connection: &mut sqlx::PgConnection) -> bool {
    sqlx::query("select 1").execute(connection).await.is_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn there_and_back_on_15() {
    there_and_back(Version::Installed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_and_back_on_18() {
    there_and_back(Version::Eighteen).await;
}
