//! The ledger's functions on a real PostgreSQL: who may change what, who wins a race, and what the server's log sees.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Mutex;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{Connection as _, PgConnection, Row as _};
use steward::ledger::{self, Kind, LedgerError, Names};
use steward::verifier::{fingerprint, password, verifier};
use steward::{Credential, connect};
use testkit::postgres::{Database, Postgres};

/// A database whose roles are made by hand, with the ledger in it.
struct World<'a> {
    server: &'a Postgres,
    database: Database,
    names: Names,
}

/// The rotator belongs to the whole cluster: two tests that install at once would both make it.
static INSTALLING: Mutex<()> = Mutex::new(());

impl<'a> World<'a> {
    fn new(server: &'a Postgres) -> Self {
        let database = server.fresh_database();
        let names = Names::of(&database.owner, Kind::Legacy).unwrap();
        let Names { owner, slot_a, slot_b, legacy, .. } = &names;
        server.run_sql(
            &database.name,
            &format!(
                "create role {owner} nologin; create role {slot_a} nologin in role {owner}; \
                 create role {slot_b} nologin in role {owner}; grant {owner} to {legacy}; \
                 alter role {slot_a} set role = {owner}; alter role {slot_b} set role = {owner}; \
                 alter database {} owner to {owner}; \
                 alter default privileges grant execute on functions to {legacy};",
                database.name
            ),
        );
        let world = Self { server, database, names };
        let installing = INSTALLING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // A runtime of its own: the lock must not be held over an await.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let mut connection = world.administrator().await;
                    ledger::install(&mut connection, &world.names, None).await.unwrap();
                    // Again: it changes nothing.
                    ledger::install(&mut connection, &world.names, None).await.unwrap();
                });
            });
        });
        drop(installing);
        world
    }

    fn credential(&self, role: &str, password: &str) -> Credential {
        Credential {
            username: role.to_owned(),
            password: SecretString::from(password.to_owned()),
            host: "127.0.0.1".into(),
            port: self.database.port,
            database: self.database.name.clone(),
            parameters: String::new(),
            generation: 0,
        }
    }

    async fn administrator(&self) -> PgConnection {
        let password = self.server.superuser_password();
        connect::login(&self.credential(testkit::postgres::SUPERUSER, password)).await.unwrap()
    }

    async fn legacy(&self) -> PgConnection {
        connect::login(&self.credential(&self.database.owner, &self.database.password)).await.unwrap()
    }

    async fn slot(&self, role: &str, password: &SecretString) -> Result<PgConnection, connect::LoginFault> {
        connect::login(&self.credential(role, password.expose_secret())).await
    }
}

fn fresh(number: u8) -> (SecretString, SecretString) {
    let password = password([number; 32]);
    let verifier = verifier(&password, [number; 16]);
    (password, SecretString::from(verifier))
}

#[tokio::test(flavor = "multi_thread")]
async fn two_slots_take_turns_and_the_former_role_ends() {
    let world = World::new(Postgres::shared());
    let (names, legacy) = (&world.names, &mut world.legacy().await);
    let (first, first_verifier) = fresh(1);
    let set_at = ledger::rotate(legacy, &names.slot_a, &first_verifier, 0, 1, None).await.unwrap();
    let mut a = world.slot(&names.slot_a, &first).await.unwrap();

    // The former role still makes a table, by a session that began before.
    sqlx::raw_sql("create table late (n integer)").execute(&mut *legacy).await.unwrap();
    assert_eq!(ledger::sessions(&mut a, &names.legacy).await.unwrap(), 1);
    assert_eq!(ledger::retire(&mut a, &names.legacy, 0).await.unwrap(), 1, "its session was ended");
    assert!(sqlx::query("select 1").execute(&mut *legacy).await.is_err());
    assert!(matches!(
        connect::login(&world.credential(&world.database.owner, &world.database.password)).await,
        Err(connect::LoginFault::Refused { .. })
    ));
    let owner: String = sqlx::query_scalar("select tableowner::text from pg_tables where tablename = 'late'")
        .fetch_one(&mut a)
        .await
        .unwrap();
    assert_eq!(owner, names.owner, "what it made last belongs to the owner role");

    let (second, second_verifier) = fresh(2);
    ledger::rotate(&mut a, &names.slot_b, &second_verifier, 1, 2, Some(Duration::from_secs(86_400)))
        .await
        .unwrap();
    let mut b = world.slot(&names.slot_b, &second).await.unwrap();
    assert_eq!(ledger::retire(&mut b, &names.slot_a, 1).await.unwrap(), 1);
    assert!(matches!(world.slot(&names.slot_a, &first).await, Err(connect::LoginFault::Refused { .. })));

    // The ledger speaks of the live verifier.
    let stored = ledger::credentials(&mut b).await.unwrap();
    let live = stored.iter().find(|stored| stored.role == names.slot_b).unwrap();
    assert_eq!(live.fingerprint.as_deref(), Some(&*fingerprint(second_verifier.expose_secret())));
    assert_eq!((live.kind.as_deref(), live.iterations, live.can_login), (Some("scram"), Some(4096), true));
    let slots = ledger::slots(&mut b).await.unwrap();
    let slot = |role: &str| slots.iter().find(|slot| slot.role == role).unwrap();
    assert_eq!(slot(&names.slot_b).fingerprint, live.fingerprint);
    assert_eq!(slot(&names.slot_b).valid_until, live.valid_until);
    assert_eq!(slot(&names.slot_b).valid_until.unwrap() - slot(&names.slot_b).set_at.unwrap(), 86_400);
    assert_eq!((slot(&names.slot_a).generation, slot(&names.slot_a).set_at), (1, Some(set_at)));
    assert!(slot(&names.slot_a).fingerprint.is_none() && slot(&names.slot_a).retired_at.is_some());
    let retired = stored.iter().find(|stored| stored.role == names.slot_a).unwrap();
    assert_eq!((retired.kind.as_deref(), retired.can_login), (Some("none"), false));
    assert_eq!(ledger::newest_generation(&mut b).await.unwrap(), 2);
    let history: Vec<(String, i64)> =
        sqlx::query_as("select role_name, generation from portcullis.rotation order by 2")
            .fetch_all(&mut b)
            .await
            .unwrap();
    assert_eq!(history, [(names.slot_a.clone(), 1), (names.slot_b.clone(), 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixteen_callers_one_wins_and_its_password_logs_in() {
    let world = World::new(Postgres::shared());
    let mut callers = Vec::new();
    for number in 0..16 {
        let (mut connection, slot) = (world.legacy().await, world.names.slot_a.clone());
        callers.push(tokio::spawn(async move {
            let (_, verifier) = fresh(number);
            (number, ledger::rotate(&mut connection, &slot, &verifier, 0, 1, None).await)
        }));
    }
    let mut winners = Vec::new();
    for caller in callers {
        match caller.await.unwrap() {
            (number, Ok(_)) => winners.push(number),
            (_, Err(error)) => assert!(matches!(error, LedgerError::Moved), "{error}"),
        }
    }
    assert_eq!(winners.len(), 1, "{winners:?}");
    for number in 0..16 {
        let logged_in = world.slot(&world.names.slot_a, &fresh(number).0).await.is_ok();
        assert_eq!(logged_in, number == winners[0], "password {number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_changes_nothing_and_keeps_the_first_dates() {
    let world = World::new(Postgres::shared());
    let slot = &world.names.slot_a;
    let (word, verifier) = fresh(3);
    let mut legacy = world.legacy().await;
    let period = Some(Duration::from_secs(7_200));
    ledger::rotate(&mut legacy, slot, &verifier, 0, 1, period).await.unwrap();
    let dates = "select set_at::text, valid_until::text from portcullis.slot where generation = 1";
    let before: (String, String) = sqlx::query_as(dates).fetch_one(&mut legacy).await.unwrap();
    ledger::rotate(&mut legacy, slot, &verifier, 0, 1, period).await.unwrap();
    ledger::rotate(&mut legacy, slot, &verifier, 0, 1, None).await.unwrap();
    assert_eq!(before, sqlx::query_as(dates).fetch_one(&mut legacy).await.unwrap(), "to the microsecond");
    let until: String = sqlx::query_scalar("select rolvaliduntil::text from pg_roles where rolname = $1")
        .bind(slot)
        .fetch_one(&mut legacy)
        .await
        .unwrap();
    assert_eq!(until, before.1);
    let mut a = world.slot(slot, &word).await.unwrap();

    // The same password again under a new generation is no rotation, and neither is an old one by a late caller.
    let other = &world.names.slot_b;
    let moved = ledger::rotate(&mut a, other, &verifier, 1, 2, None).await;
    assert!(matches!(moved, Err(LedgerError::Moved)), "{moved:?}");
    let (second, second_verifier) = fresh(4);
    ledger::rotate(&mut a, other, &second_verifier, 1, 2, None).await.unwrap();
    let late = ledger::rotate(&mut legacy, slot, &verifier, 0, 1, None).await;
    assert!(matches!(late, Err(LedgerError::Moved)), "{late:?}");
    let mut b = world.slot(other, &second).await.unwrap();
    ledger::retire(&mut b, slot, 1).await.unwrap();
    let late = ledger::rotate(&mut legacy, slot, &verifier, 1, 2, None).await;
    assert!(matches!(late, Err(LedgerError::Moved)), "{late:?}");
    assert!(world.slot(slot, &word).await.is_err(), "a late retry does not wake a retired password");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_ours_to_change_is_refused() {
    let world = World::new(Postgres::shared());
    let names = &world.names;
    let mut legacy = world.legacy().await;
    let (first, verifier) = fresh(5);
    for role in [&names.owner, &names.legacy, "superuser", ledger::ROTATOR, "nobody", ""] {
        let refused = ledger::rotate(&mut legacy, role, &verifier, 0, 1, None).await;
        let expected = if role == names.legacy { LedgerError::OwnSlot } else { LedgerError::NotOurs };
        assert_eq!(refused.unwrap_err().to_string(), expected.to_string(), "{role}");
    }
    for (expect, new, period) in [
        (1, 1, None),
        (0, 0, None),
        (-1, 1, None),
        // The numbers cannot be used up.
        (0, i64::MAX, None),
        (0, 1_000_001, None),
        (0, 1, Some(59)),
        (0, 1, Some(401 * 86_400)),
    ] {
        let refused = ledger::rotate(
            &mut legacy,
            &names.slot_a,
            &verifier,
            expect,
            new,
            period.map(Duration::from_secs),
        )
        .await;
        assert!(matches!(refused, Err(LedgerError::Argument(_))), "{expect} {new} {period:?}: {refused:?}");
    }
    assert!(matches!(
        ledger::rotate(&mut legacy, &names.slot_a, &verifier, 7, 8, None).await,
        Err(LedgerError::Moved)
    ));
    ledger::rotate(&mut legacy, &names.slot_a, &verifier, 0, 1, None).await.unwrap();

    // A slot neither changes nor ends itself, and nothing ends the newest.
    let mut a = world.slot(&names.slot_a, &first).await.unwrap();
    let (_, second) = fresh(6);
    assert!(matches!(
        ledger::rotate(&mut a, &names.slot_a, &second, 1, 2, None).await,
        Err(LedgerError::OwnSlot)
    ));
    assert!(matches!(ledger::retire(&mut a, &names.slot_a, 1).await, Err(LedgerError::OwnSlot)));
    assert!(matches!(ledger::retire(&mut legacy, &names.slot_a, 1).await, Err(LedgerError::Moved)));
    assert!(matches!(ledger::retire(&mut a, &names.legacy, 1).await, Err(LedgerError::Moved)));
    assert!(matches!(ledger::retire(&mut a, &names.owner, 0).await, Err(LedgerError::NotOurs)));
    assert!(matches!(ledger::retire(&mut a, "superuser", 0).await, Err(LedgerError::NotOurs)));
    assert!(matches!(ledger::sessions(&mut a, "superuser").await, Err(LedgerError::NotOurs)));
    // Nor does the application reach the tables, or the roles, past the functions.
    for sql in [
        "update portcullis.slot set generation = 9",
        "insert into portcullis.slot (role_name, kind) values ('superuser', 'slot')",
        "delete from portcullis.rotation",
        "create function portcullis.f() returns int language sql as 'select 1'",
        "select portcullis.rotate_administrator('superuser', null, 0, 1, null)",
        "set role portcullis_rotator",
        "drop schema portcullis cascade",
    ] {
        assert!(sqlx::raw_sql(sql).execute(&mut a).await.is_err(), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_may_call_nothing_in_spite_of_default_privileges() {
    let server = Postgres::shared();
    let world = World::new(server);
    let stranger = format!("stranger_of_{}", world.database.name);
    server.run_sql(
        &world.database.name,
        &format!(
            "create role {stranger} login password 'stranger'; grant connect on database {} to {stranger}; \
             alter default privileges in schema portcullis grant execute on functions to {stranger}",
            world.database.name
        ),
    );
    let mut administrator = world.administrator().await;
    sqlx::raw_sql("drop function portcullis.retire; drop function portcullis.credentials")
        .execute(&mut administrator)
        .await
        .unwrap();
    ledger::install(&mut administrator, &world.names, None).await.unwrap();
    let mut connection = connect::login(&world.credential(&stranger, "stranger")).await.unwrap();
    for result in [
        ledger::retire(&mut connection, &world.names.legacy, 0).await.map(|_| ()),
        ledger::sessions(&mut connection, &world.names.legacy).await.map(|_| ()),
        ledger::credentials(&mut connection).await.map(|_| ()),
        ledger::slots(&mut connection).await.map(|_| ()),
    ] {
        assert!(matches!(result, Err(LedgerError::Missing)), "{result:?}");
    }
    let functions = "select p.proname::text, a.grantee::regrole::text from pg_proc p, aclexplode(p.proacl) a \
        where p.pronamespace = 'portcullis'::regnamespace and a.grantee <> p.proowner order by 1";
    let granted: Vec<(String, String)> =
        sqlx::query_as(functions).fetch_all(&mut administrator).await.unwrap();
    let owner = &world.names.owner;
    let expected = ["access_rules", "credentials", "gather", "retire", "rotate", "sessions"]
        .map(|name| (name.to_owned(), owner.clone()));
    assert_eq!(granted, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_rolls_back_leaves_the_old_password() {
    let world = World::new(Postgres::shared());
    let mut legacy = world.legacy().await;
    let slot = &world.names.slot_a;
    let ((old, old_verifier), (new, new_verifier)) = (fresh(7), fresh(8));
    ledger::rotate(&mut legacy, slot, &old_verifier, 0, 1, None).await.unwrap();
    let mut transaction = legacy.begin().await.unwrap();
    ledger::rotate(&mut transaction, slot, &new_verifier, 1, 2, None).await.unwrap();
    transaction.rollback().await.unwrap();
    assert!(world.slot(slot, &new).await.is_err());
    assert!(world.slot(slot, &old).await.is_ok());
    assert_eq!(ledger::newest_generation(&mut legacy).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_password_nor_a_malformed_verifier_reaches_the_servers_log() {
    // A cluster of its own: it logs everything.
    let server = Postgres::start();
    server.run_sql("postgres", "alter system set log_statement = 'all'; alter system set log_min_duration_statement = 0; select pg_reload_conf()");
    let world = World::new(&server);
    let slot = &world.names.slot_a;
    let mut legacy = world.legacy().await;
    let logs_all: String = sqlx::query_scalar("show log_statement").fetch_one(&mut legacy).await.unwrap();
    assert_eq!(logs_all, "all");

    let (word, verifier) = fresh(9);
    let clear = SecretString::from("correct horse battery staple".to_owned());
    assert!(matches!(
        ledger::rotate(&mut legacy, slot, &clear, 0, 1, None).await,
        Err(LedgerError::NotAVerifier)
    ));
    ledger::rotate(&mut legacy, slot, &verifier, 0, 1, None).await.unwrap();
    let mut a = world.slot(slot, &word).await.unwrap();
    ledger::retire(&mut a, &world.names.legacy, 0).await.unwrap();

    let folder = server.run_sql("postgres", "show data_directory");
    let log = std::fs::read_to_string(format!("{folder}/../server.log")).unwrap();
    assert!(log.contains("portcullis.rotate($1"), "the log holds the calls");
    assert!(log.contains("parameters:"), "with their parameters");
    assert!(!log.contains(word.expose_secret()) && !log.contains("correct horse"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_function_refuses_a_malformed_verifier_by_itself() {
    let server = Postgres::start();
    let world = World::new(&server);
    let mut legacy = world.legacy().await;
    let good = fresh(10).1;
    let good = good.expose_secret();
    for bad in [
        Some("hunter2hunter2".to_owned()),
        Some(good.replace("$4096:", "$1000:")),
        Some(good.replace("$4096:", "$99999999:")),
        Some(format!("{good}\n")),
        Some(good.replacen('=', "", 1)),
        None,
    ] {
        let refused = sqlx::query("select portcullis.rotate($1, $2, 0, 1, null)")
            .bind(&world.names.slot_a)
            .bind(&bad)
            .execute(&mut legacy)
            .await;
        assert!(matches!(LedgerError::from(refused.unwrap_err()), LedgerError::NotAVerifier), "{bad:?}");
    }
    // Refused as a failed statement, whose text the server logs: without the parameter.
    let folder = server.run_sql("postgres", "show data_directory");
    let log = std::fs::read_to_string(format!("{folder}/../server.log")).unwrap();
    assert!(
        log.contains("select portcullis.rotate($1, $2, 0, 1, null)") && !log.contains("hunter2"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_platforms_own_role_has_generations_of_its_own() {
    let server = Postgres::start();
    let world = World::new(&server);
    let (word, verifier) = fresh(11);
    let mut administrator = world.administrator().await;
    let before = ledger::newest_generation(&mut administrator).await.unwrap();
    ledger::rotate_administrator(&mut administrator, "superuser", &verifier, 0, 1, None).await.unwrap();
    ledger::rotate_administrator(&mut administrator, "superuser", &verifier, 0, 1, None).await.unwrap();
    let late = ledger::rotate_administrator(&mut administrator, "superuser", &fresh(12).1, 0, 1, None).await;
    assert!(matches!(late, Err(LedgerError::Moved)), "{late:?}");
    let ours =
        ledger::rotate_administrator(&mut administrator, &world.names.slot_a, &fresh(13).1, 0, 1, None).await;
    assert!(matches!(ours, Err(LedgerError::NotOurs)), "{ours:?}");
    assert_eq!(ledger::newest_generation(&mut administrator).await.unwrap(), before);
    assert!(world.slot("superuser", &word).await.is_ok());
    assert!(connect::login(&world.credential("superuser", server.superuser_password())).await.is_err());
    let row =
        sqlx::query("select generation, fingerprint from portcullis.rotation where role_name = 'superuser'")
            .fetch_one(&mut administrator)
            .await
            .unwrap();
    assert_eq!(row.get::<i64, _>(0), 1);
    assert_eq!(row.get::<String, _>(1), fingerprint(verifier.expose_secret()));
}

/// What the auditor looks for passwords in is every value, this schema's too: what it may not read is not proven.
#[tokio::test(flavor = "multi_thread")]
async fn the_owner_may_read_all_of_the_ledger() {
    let world = World::new(Postgres::shared());
    let unread = world.server.run_sql(
        &world.database.name,
        &format!(
            "select string_agg(relname, ' ') from pg_class where relnamespace = 'portcullis'::regnamespace and relkind = 'r' \
             and not has_table_privilege('{}', oid, 'select')",
            world.names.owner
        ),
    );
    assert_eq!(unread, "");
}
