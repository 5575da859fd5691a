//! From one role to an owner and two slots.

use secrecy::SecretString;
use steward::adopt::{self, Options};
use steward::ledger;
use steward::verifier::{password, verifier};
use testkit::postgres::Version;

use crate::world::{World, run, text};

pub async fn adopted(world: &World) -> ledger::Names {
    let plan = adopt::plan(&world.administrator(), &world.today(), &Options::default()).await.unwrap();
    assert_eq!(plan.refusals, [], "nothing stands in the way");
    adopt::apply(&world.administrator(), &plan).await.unwrap_or_else(|fault| panic!("{fault}"))
}

/// The first rotation: a session of slot A.
pub async fn rotated(world: &World, names: &ledger::Names, number: u8) -> SecretString {
    let word = password([number; 32]);
    let verifier = SecretString::from(verifier(&word, [number; 16]));
    let mut session = world.session(&world.today()).await;
    ledger::rotate(&mut session, &names.slot_a, &verifier, 0, 1, None).await.unwrap();
    word
}

async fn nothing_is_lost(version: Version) {
    let world = World::rich(version);
    let app = world.database.owner.clone();
    let before = world.rights(&app);
    assert!(before.len() > 150, "{} rights", before.len());
    let mut open = world.session(&world.today()).await;
    run(
        &mut open,
        "prepare known as select count(*)::text from shop.customers; create temp table mine (a integer)",
    )
    .await
    .unwrap();

    let in_log = |world: &World| world.server.log().matches("mapped secret").count();
    let told = in_log(&world);
    assert!(told > 0, "the log holds what is said in clear");
    let names = adopted(&world).await;
    assert_eq!(
        (&*names.owner, &*names.slot_a, &*names.slot_b),
        (&*format!("{app}_owner"), &*format!("{app}_a"), &*format!("{app}_b"))
    );
    for role in [&names.owner, &names.slot_a, &names.slot_b, &app] {
        let now = world.rights(role);
        let lost: Vec<_> = before.iter().filter(|right| !now.contains(right)).collect();
        let new: Vec<_> = now.iter().filter(|right| !before.contains(right)).collect();
        assert!(lost.is_empty() && new.is_empty(), "{role} has lost {lost:?} and gained {new:?}");
    }
    let owned = format!(
        "select count(*) from pg_shdepend d left join pg_class c on c.oid = d.objid and classid = 'pg_class'::regclass \
         where refobjid = '{app}'::regrole and deptype = 'o' and classid not in ('pg_default_acl'::regclass, 'pg_user_mapping'::regclass) \
         and relpersistence is distinct from 't'"
    );
    assert_eq!(world.sql(&owned), "0", "{app} owns nothing any more");
    let attributes = format!(
        "select rolsuper, rolcreaterole, rolcreatedb, rolcanlogin, rolconnlimit from pg_roles where rolname ~ '^{app}_' order by rolname"
    );
    assert_eq!(world.sql(&attributes), "f|f|f|f|77\nf|f|f|f|77\nf|f|f|f|-1");

    // The open session goes on, with what it has prepared, and makes new things.
    assert_eq!(text(&mut open, "select count(*)::text from shop.customers").await, "2");
    run(&mut open, "execute known; insert into mine values (1); insert into shop.orders (customer, total) values (1, 5); \
        create table shop.late (a integer); drop table shop.late; create table shop.late (a integer); \
        alter table shop.customers add column note text").await.unwrap();
    // A new session of the same role acts as the owner.
    let mut new = world.session(&world.today()).await;
    assert_eq!(text(&mut new, "select current_user::text").await, names.owner);
    run(&mut new, "create table shop.newer (a integer)").await.unwrap();
    let owners = "select string_agg(tableowner::text, ',' order by tablename) from pg_tables where tablename in ('late', 'newer')";
    assert_eq!(text(&mut new, owners).await, format!("{app},{}", names.owner));

    // Slot A, after the first rotation, is as good as the former role was.
    let word = rotated(&world, &names, 1).await;
    let mut a = world
        .session(&steward::Credential { username: names.slot_a.clone(), password: word, ..world.today() })
        .await;
    assert_eq!(
        text(&mut a, owners).await,
        format!("{0},{0}", names.owner),
        "what the open session made is gathered"
    );
    assert_eq!(
        text(&mut a, "select current_user || ' ' || session_user").await,
        format!("{} {}", names.owner, names.slot_a)
    );
    assert_eq!(text(&mut a, "select string_agg(body, ',') from shared_rows").await, "seen");
    assert_eq!(
        text(&mut a, "select a::text from by_name").await,
        "1",
        "$user is the schema of the former role's name"
    );
    assert_eq!(text(&mut a, "show statement_timeout").await, "15s", "the steward's own session sets it");
    assert_eq!(
        text(&mut a, "select current_setting('my.setting') || current_setting('work_mem')").await,
        "it's \\ here5MB"
    );
    run(&mut a, "alter table shop.late add b integer; create table shop.mine (a serial); call shop.bill(1); \
        select shop.total(1), nextval('shop.numbers'), foreign_secret(); insert into foreign_owned (a) values (1); \
        create schema fresh; create publication more for table shop.orders; refresh materialized view shop.totals; \
        drop table shop.late, shop.newer; select lo_get(4001), lo_get(4002); create view foreign_schema.v as select 1").await.unwrap();
    let reader = "select has_table_privilege('reader', 'shop.mine', 'select') and has_sequence_privilege('reader', 'shop.mine_a_seq', 'usage')";
    assert_eq!(world.sql(reader), "t", "default privileges hold for what the slot makes");
    // And what others make for the former role is the slot's.
    world.sql("grant usage, create on schema foreign_schema to other; set role other; create table foreign_schema.given (a integer)");
    run(&mut a, "select * from foreign_schema.given").await.unwrap();

    assert_eq!(
        in_log(&world),
        told,
        "the server copied the user mapping: its password is in no statement's text"
    );
    assert_eq!(world.sql("select count(distinct umoptions) from pg_user_mappings"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_on_15() {
    nothing_is_lost(Version::Installed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_on_18() {
    nothing_is_lost(Version::Eighteen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_named_like_the_ledgers_schema_does_not_begin_to_look_into_it() {
    let mut world = World::empty(Version::Installed);
    world.sql(&format!("alter role {} rename to portcullis", world.database.owner));
    // A new name voids an MD5 password, not a SCRAM one.
    world.database.owner = "portcullis".to_owned();
    let names = adopted(&world).await;
    // Now the schema is there.
    let again = adopt::plan(&world.administrator(), &world.today(), &Options::default()).await.unwrap();
    assert!(again.is_done(), "{again:#?}");
    let word = rotated(&world, &names, 3).await;
    let slot = steward::Credential { username: names.slot_a.clone(), password: word, ..world.today() };
    for credential in [world.today(), slot] {
        let mut session = world.session(&credential).await;
        assert_eq!(
            text(&mut session, "select current_schema()::text").await,
            "public",
            "{}",
            credential.username
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_changes_nothing_and_a_second_adoption_finds_nothing_to_do() {
    let world = World::rich(Version::Installed);
    let (catalogue, roles) = (world.catalogue(&world.database.name), world.roles());
    let plan = adopt::plan(&world.administrator(), &world.today(), &Options::default()).await.unwrap();
    assert!(!plan.is_done() && plan.steps.len() == 1, "one database, one transaction");
    assert!(
        plan.steps[0]
            .statements
            .iter()
            .all(|one| one.sentence.ends_with('.') && !one.sql.contains("mapped secret"))
    );
    assert_eq!((world.catalogue(&world.database.name), world.roles()), (catalogue, roles));

    let names = adopted(&world).await;
    let (catalogue, roles) = (world.catalogue(&world.database.name), world.roles());
    let again = adopt::plan(&world.administrator(), &world.today(), &Options::default()).await.unwrap();
    assert!(again.is_done(), "{again:#?}");
    assert_eq!(adopt::apply(&world.administrator(), &again).await.unwrap(), names);
    assert_eq!((world.catalogue(&world.database.name), world.roles()), (catalogue, roles));
    // Also after a rotation, by the name of the slot.
    let word = rotated(&world, &names, 2).await;
    let slot = steward::Credential { username: names.slot_a.clone(), password: word, ..world.today() };
    let again = adopt::plan(&world.administrator(), &slot, &Options::default()).await.unwrap();
    assert!(again.is_done() && again.names == names, "{again:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_database_of_the_role_is_adopted_and_the_ledger_comes_last() {
    let world = World::empty(Version::Installed);
    let app = &world.database.owner;
    let second = world.server.fresh_database();
    world.sql("create table here (a integer)");
    world.sql(&format!("alter table here owner to {app}"));
    world.server.run_sql(&second.name, &format!(
        "grant all on database {} to {app}; create table there (a integer); alter table there owner to {app}; \
         create table granted (a integer); grant select on granted to {app}", second.name));
    let plan = adopt::plan(&world.administrator(), &world.today(), &Options::default()).await.unwrap();
    let databases: Vec<&str> = plan.steps.iter().map(|step| &*step.database).collect();
    assert_eq!(databases, [&*world.database.name, &*second.name, &*world.database.name]);

    // A lock in the second database: the adoption stops there, and nothing is half done.
    let mut holder =
        world.session(&steward::Credential { database: second.name.clone(), ..world.administrator() }).await;
    run(&mut holder, "set idle_in_transaction_session_timeout to 0; begin; select * from public.there")
        .await
        .unwrap();
    let busy = adopt::apply(&world.administrator(), &plan).await.unwrap_err();
    assert!(matches!(&busy, adopt::Fault::Busy { database, .. } if *database == second.name), "{busy}");
    assert_eq!(world.sql("select to_regclass('portcullis.slot') is null"), "t", "no ledger yet");
    run(&mut holder, "rollback").await.unwrap();

    let names = adopted(&world).await;
    let owners = |database: &str| {
        world.server.run_sql(database, "select string_agg(distinct tableowner::text, ',') from pg_tables where tablename in ('here', 'there')")
    };
    assert_eq!(
        (owners(&world.database.name), owners(&second.name)),
        (names.owner.clone(), names.owner.clone())
    );
    assert_eq!(
        world.server.run_sql(
            &second.name,
            &format!("select has_table_privilege('{}', 'granted', 'select')", names.slot_b)
        ),
        "t"
    );
    let again = adopt::plan(&world.administrator(), &world.today(), &Options::default()).await.unwrap();
    assert!(again.is_done(), "{again:#?}");
}
