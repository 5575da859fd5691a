//! What cannot be moved is refused by its name, and an administrator need not be a superuser.

use steward::adopt::{self, Back, Options};
use steward::verifier::password;
use steward::{Credential, ledger};
use testkit::postgres::Version;

use crate::there::rotated;
use crate::world::{World, run, text};

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_moved_is_refused_with_its_remedy() {
    let world = World::empty(Version::Installed);
    let app = &world.database.owner;
    world.sql(&format!(
        "alter role {app} superuser; set role {app}; \
         create function tell() returns event_trigger language plpgsql as 'begin end'; \
         create event trigger watch on ddl_command_end execute function tell(); \
         create foreign data wrapper own; \
         create subscription sub connection 'host=127.0.0.1 port=1 dbname=x' publication p with (connect = false); \
         reset role; alter role {app} nosuperuser createdb; create schema portcullis; create role {app}_a"
    ));
    let before = (world.catalogue(&world.database.name), world.roles());
    let plan = adopt::plan(&world.administrator(), &world.today(), &Options::default()).await.unwrap();
    let refusals = plan.refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    for word in [
        "event trigger watch",
        "foreign data wrapper own",
        "subscription sub",
        "NOCREATEDB",
        "schema portcullis",
        &format!("{app}_a"),
    ] {
        assert!(refusals.contains(word), "{word}: {refusals}");
    }
    assert_eq!(plan.refusals.len(), 6, "{refusals}");
    let refused = adopt::apply(&world.administrator(), &plan).await.unwrap_err();
    assert!(refused.to_string().contains("alter event trigger watch owner to \"superuser\""), "{refused}");
    assert_eq!((world.catalogue(&world.database.name), world.roles()), before);

    // The remedies help.
    world.sql(&format!(
        "alter event trigger watch owner to superuser; alter foreign data wrapper own owner to superuser; \
         alter subscription sub owner to superuser; alter role {app} nocreatedb; drop schema portcullis; drop role {app}_a"
    ));
    crate::there::adopted(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn expressions_that_ask_who_acts_and_rules_that_name_the_role_are_noted() {
    let world = World::empty(Version::Installed);
    let app = &world.database.owner;
    world.sql(
        "create table t (a text default current_user); create policy p on t using (a = session_user::text)",
    );
    world.server.edit_hba(&format!(
        "host all {app} 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n"
    ));
    let plan = adopt::plan(&world.administrator(), &world.today(), &Options::default()).await.unwrap();
    let notes = plan.notes.join("\n");
    for word in ["policy p of public.t", "default of public.t.a", "line 1 of pg_hba.conf"] {
        assert!(notes.contains(word), "{word}: {notes}");
    }
    assert_eq!(plan.refusals, []);
}

async fn an_administrator_without_superusers_rights(version: Version) {
    let world = World::empty(version);
    let (app, home) = (&world.database.owner, &world.database.name);
    world.sql(&format!(
        "create role head login createrole createdb password 'head'; grant create, connect on database {home} to head; \
         create table t (a integer); alter table t owner to {app}; alter schema public owner to {app}"
    ));
    let head = world.credential("head", "head");
    if version == Version::Eighteen {
        let plan = adopt::plan(&head, &world.today(), &Options::default()).await.unwrap();
        assert!(plan.refusals[0].remedy.contains("WITH ADMIN OPTION"), "{:?}", plan.refusals);
        world.sql(&format!("grant {app} to head with admin option, inherit false, set false"));
    }
    let members = "select roleid::regrole, member::regrole from pg_auth_members where member = 'head'::regrole and roleid::regrole::text !~ '_(owner|a|b|rotator)$'";
    let before = world.sql(members);
    let plan = adopt::plan(&head, &world.today(), &Options::default()).await.unwrap();
    assert_eq!(plan.refusals, []);
    let names = adopt::apply(&head, &plan).await.unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(world.sql(members), before, "what it needed for a moment is taken back");
    let acts = format!("select pg_has_role('head', '{}', 'usage')", names.owner);
    assert_eq!(world.sql(&acts), "f", "the administrator does not act as the owner");

    let word = rotated(&world, &names, 6).await;
    let mut a =
        world.session(&Credential { username: names.slot_a.clone(), password: word, ..world.today() }).await;
    run(&mut a, "insert into t values (1); create table u (a integer)").await.unwrap();
    ledger::retire(&mut a, app, 0).await.unwrap();
    assert!(steward::connect::login(&world.today()).await.is_err());
    // It may not read pg_authid: what passwords are stored as is not known, and says so.
    let stored = ledger::credentials(&mut a).await.unwrap();
    assert!(
        !stored.is_empty()
            && stored.iter().all(|stored| stored.kind.is_none() && stored.fingerprint.is_none())
    );
    assert_eq!(
        text(&mut a, "select tableowner::text from pg_tables where tablename = 'u'").await,
        names.owner
    );

    // And back, by the same administrator.
    let back = Back { password: password([9; 32]), salt: [9; 16] };
    let credential = adopt::undo(&head, &world.today(), &back, |_| async { Ok(()) })
        .await
        .unwrap_or_else(|fault| panic!("{fault}"));
    let mut session = world.session(&credential).await;
    assert_eq!(
        text(&mut session, "select tableowner::text from pg_tables where tablename = 'u'").await,
        *app
    );
    assert_eq!(
        world.sql(
            "select count(*) from pg_roles where rolname ~ '^(owner|portcullis)_.*(owner|a|b|rotator)$'"
        ),
        "0"
    );
    assert_eq!(world.sql("select to_regnamespace('portcullis') is null"), "t");
    assert_eq!(world.sql(members), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_without_superusers_rights_on_15() {
    an_administrator_without_superusers_rights(Version::Installed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_without_superusers_rights_on_18() {
    an_administrator_without_superusers_rights(Version::Eighteen).await;
}

/// Who may make schemas, as an application that owns its database may, could lay out a ledger before adoption does.
#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_the_application_laid_out_is_neither_read_nor_run() {
    let world = World::empty(Version::Installed);
    let app = &world.database.owner;
    let mut session = world.session(&world.today()).await;
    run(
        &mut session,
        &format!(
            "create schema portcullis; \
             create function portcullis.seize() returns text language plpgsql as $$ begin \
                 if current_setting('is_superuser') = 'on' then execute 'alter role {app} superuser'; end if; \
                 return '{app}'; end $$; \
             create view portcullis.slot as select portcullis.seize() as role_name, 'slot'::text as kind, 0::bigint as generation, \
                 null::text as fingerprint, null::timestamptz as set_at, null::timestamptz as valid_until, null::timestamptz as retired_at; \
             create view portcullis.rotation as select portcullis.seize() as role_name, 0::bigint as generation, ''::text as fingerprint; \
             create function portcullis.rotate_administrator(text, text, bigint, bigint, interval) returns timestamptz \
                 language sql as $$ select portcullis.seize()::timestamptz $$; \
             create table portcullis.reversal (sql text); insert into portcullis.reversal values ('alter role {app} superuser')"
        ),
    )
    .await
    .unwrap();
    let administrator = world.administrator();
    let plan = adopt::plan(&administrator, &world.today(), &Options::default()).await.unwrap();
    let seized = format!("select rolsuper from pg_roles where rolname = '{app}'");
    assert_eq!(world.sql(&seized), "f", "a dry run makes the application no superuser");
    assert!(plan.refusals.iter().any(|refusal| refusal.what.contains("schema portcullis")), "{plan:?}");
    let back = Back { password: password([1; 32]), salt: [1; 16] };
    let undone = adopt::undo(&administrator, &world.today(), &back, |_| async { Ok(()) }).await;
    assert!(undone.unwrap_err().to_string().contains("is not ours"));

    let mut superuser = world.session(&administrator).await;
    let verifier = secrecy::SecretString::from(steward::verifier::verifier(&password([2; 32]), [2; 16]));
    for refused in [
        ledger::slots(&mut superuser).await.map(|_| ()),
        ledger::newest_generation(&mut superuser).await.map(|_| ()),
        ledger::credentials(&mut superuser).await.map(|_| ()),
        ledger::rotate_administrator(&mut superuser, "superuser", &verifier, 0, 1, None).await.map(|_| ()),
    ] {
        assert!(matches!(refused, Err(ledger::LedgerError::Foreign(_))), "{refused:?}");
    }
    // One that has appeared between the plan and its being carried out.
    run(&mut session, "drop view portcullis.slot, portcullis.rotation; create table portcullis.slot (role_name text primary key, kind text)")
        .await
        .unwrap();
    let names = ledger::Names::of(app, ledger::Kind::Legacy).unwrap();
    let refused = ledger::install(&mut superuser, &names, None).await.unwrap_err();
    assert!(refused.to_string().contains("no administrator"), "{refused}");
    assert_eq!(world.sql(&seized), "f", "the application is no superuser");
}

/// The owner of a database sets the search path of everybody who logs in to it.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_path_of_the_application_does_not_reach_an_administrators_session() {
    let world = World::empty(Version::Installed);
    let (app, home) = (&world.database.owner, &world.database.name);
    world.sql(&format!("alter database {home} owner to {app}"));
    let mut session = world.session(&world.today()).await;
    run(
        &mut session,
        &format!(
            "create schema trap; \
             create function trap.seize() returns boolean language plpgsql as $$ begin \
                 if current_setting('is_superuser') = 'on' then execute 'alter role {app} superuser'; end if; return true; end $$; \
             create view trap.pg_stat_activity as select * from pg_catalog.pg_stat_activity where trap.seize(); \
             create view trap.pg_roles as select * from pg_catalog.pg_roles where trap.seize(); \
             create function trap.alike(name, name) returns boolean language sql as 'select trap.seize() and $1 operator(pg_catalog.=) $2'; \
             create operator trap.= (leftarg = name, rightarg = name, function = trap.alike); \
             alter database {home} set search_path = trap, pg_catalog"
        ),
    )
    .await
    .unwrap();
    let seized =
        format!("select rolsuper from pg_catalog.pg_roles where rolname operator(pg_catalog.=) '{app}'");
    let mut superuser = world.session(&world.administrator()).await;
    assert_eq!(text(&mut superuser, "show search_path").await, "pg_catalog, pg_temp");
    text(&mut superuser, "select count(*)::text from pg_stat_activity where usename = 'postgres'").await;
    let mut again = world.session(&world.today()).await;
    assert_eq!(
        text(&mut again, "show search_path").await,
        "trap, pg_catalog",
        "the application keeps its own"
    );
    assert_eq!(world.server.run_sql("postgres", &seized), "f", "the application is no superuser");
}
