//! A fresh project on a platform: the application logs in as the superuser that the platform made, who owns everything.

use steward::adopt::{self, Back, Options};
use steward::ledger::{self, Kind};
use steward::verifier::{password, verifier};
use steward::{Credential, connect};
use testkit::postgres::{SUPERUSER, Version};

use crate::world::{World, run, text};

async fn the_platforms_superuser_is_left_behind(version: Version) {
    let world = World::empty(version);
    let sql = include_str!("rich.sql");
    // What the superuser himself made: no role APP, nothing is granted to it.
    let own = &sql[sql.find("set role APP;").unwrap()..];
    world.server.run_sql("postgres", "create role reader; create database railway");
    let railway = Credential { database: "railway".into(), ..world.administrator() };
    let own = own
        .replace("set role APP;", "")
        .replace("create schema APP;", "create schema app;")
        .replace("APP.by_name", "app.by_name")
        .replace("APP, reader", "reader");
    world.server.run_sql(
        "railway",
        &format!(
            "create extension postgres_fdw; create server remote foreign data wrapper postgres_fdw; {own}"
        ),
    );
    let looks = || {
        let dump = if version == Version::Installed { world.dump("railway") } else { String::new() };
        (world.catalogue("railway"), world.roles(), dump)
    };
    let before = looks();

    let plan = adopt::plan(&railway, &railway, &Options::default()).await.unwrap();
    assert_eq!(plan.refusals, []);
    assert!(plan.notes.iter().any(|note| note.contains("extension postgres_fdw stays")), "{:?}", plan.notes);
    let names = adopt::apply(&railway, &plan).await.unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(names.legacy_kind, Kind::Administrator);
    let again = adopt::plan(&railway, &railway, &Options::default()).await.unwrap();
    assert!(again.is_done(), "{again:#?}");
    let owners = "select string_agg(distinct pg_get_userbyid(relowner)::text, ',') from pg_class c where relnamespace in ('shop'::regnamespace, 'app'::regnamespace)";
    assert_eq!(world.server.run_sql("railway", owners), names.owner);
    assert_eq!(
        world.server.run_sql("railway", "select rolsuper from pg_roles where rolname = 'superuser'"),
        "t"
    );
    let powerful = "select count(*) from pg_roles where rolname ~ '^superuser_' and (rolsuper or pg_has_role(oid, 'superuser', 'member'))";
    assert_eq!(
        world.server.run_sql("railway", powerful),
        "0",
        "none of ours is a superuser or belongs to one"
    );

    // The application still logs in as the superuser and makes a table: adopting again gathers it.
    let mut session = world.session(&railway).await;
    run(&mut session, "create table shop.late (a integer)").await.unwrap();
    let again = adopt::plan(&railway, &railway, &Options::default()).await.unwrap();
    assert_eq!(again.steps[0].statements.len(), 1, "{again:#?}");
    adopt::apply(&railway, &again).await.unwrap();

    let word = password([7; 32]);
    ledger::rotate(&mut session, &names.slot_a, &verifier(&word, [7; 16]).into(), 0, 1, None).await.unwrap();
    let slot = Credential { username: names.slot_a.clone(), password: word, ..railway.clone() };
    let mut a = world.session(&slot).await;
    run(&mut a, "insert into shop.late values (1); create table made (a integer); create schema fresh; call shop.bill(1); \
        drop schema fresh; drop table made, shop.late; alter table shop.customers add x integer; \
        alter table shop.customers drop x; refresh materialized view shop.totals; select lo_get(4002)").await.unwrap();
    assert_eq!(text(&mut a, "select current_user::text").await, names.owner);
    for sql in [
        "create role r",
        "copy shop.customers to program 'true'",
        "alter system set work_mem to '1MB'",
        "select * from pg_authid",
    ] {
        assert!(run(&mut a, sql).await.is_err(), "{sql}");
    }
    let refused = ledger::retire(&mut a, SUPERUSER, 0).await;
    assert!(
        matches!(refused, Err(ledger::LedgerError::NotOurs)),
        "the platform's role is never retired: {refused:?}"
    );
    run(&mut a, "alter table shop.orders set (autovacuum_enabled = true); alter table shop.orders reset (autovacuum_enabled)").await.unwrap();

    let back = Back { password: password([8; 32]), salt: [8; 16] };
    let credential = adopt::undo(&railway, &slot, &back, |_| async { Ok(()) })
        .await
        .unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(credential.username, SUPERUSER);
    assert!(connect::login(&credential).await.is_ok(), "its password was not touched");
    let after = looks();
    assert_eq!(after.0, before.0);
    assert_eq!(after.1, before.1);
    assert_eq!(after.2, before.2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_platforms_superuser_is_left_behind_on_15() {
    the_platforms_superuser_is_left_behind(Version::Installed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_platforms_superuser_is_left_behind_on_18() {
    the_platforms_superuser_is_left_behind(Version::Eighteen).await;
}
