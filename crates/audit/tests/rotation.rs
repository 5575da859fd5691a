//! A4 on a real PostgreSQL, with the very SQL that the steward leaves in a database. The auditor knows no other room; that
//! its words and the steward's are the same is seen here.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ask;

use std::sync::Arc;

use ask::{claim, measure};
use audit::MeasureId::{A3, A4};
use audit::config::{Attested, Database, Lifetime, Location, Stewardship};
use audit::{Config, Verdict};
use testkit::postgres::Postgres;

const DAY: i64 = 86_400;
/// Templates that its installation fills in, and the variant for servers that hide pg_authid.
const NOT_INSTALLED: [&str; 2] = ["revoke.sql", "credentials_without_pg_authid.sql"];
/// As long as the steward's own, and without a name in it.
const IN_USE: &str = "hQ7vN2kXw9ZpT4mYc8RbLd3JhQ7vN2kXw9ZpT4mYc8R";

/// The ledger's statements: the tables first, then the functions.
fn ledger() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../steward/src/ledger");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let name = |path: &std::path::Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    files.retain(|path| name(path).ends_with(".sql") && !NOT_INSTALLED.contains(&name(path).as_str()));
    files.sort_by_key(|path| (name(path) != "schema.sql", name(path)));
    files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// A cluster of its own, adopted and rotated twice: `app_b` is in use, `app_a` and the former role are retired.
struct World {
    server: Postgres,
    database: String,
    config: Config,
}

impl World {
    fn start() -> Self {
        let server = Postgres::start();
        let database = server.fresh_database();
        let sql = |sql: &str| server.run_sql(&database.name, sql);
        for statement in ledger() {
            sql(&statement);
        }
        sql(&format!(
            "create role app_owner nologin; create role app_a nologin; create role app_b nologin; \
             grant app_owner to app_a, app_b; grant connect on database {} to app_b; \
             grant usage on schema portcullis to app_b; \
             grant select on portcullis.slot, portcullis.rotation to app_b; \
             grant execute on function portcullis.credentials() to app_b; \
             insert into portcullis.slot (role_name, kind) values ('app_owner', 'owner'), ('app_a', 'slot'), \
             ('app_b', 'slot'), ('{}', 'legacy')",
            database.name, database.owner
        ));
        let verifier = |password: &str| {
            sql(&format!("create role of_a_moment password '{password}'"));
            let verifier = sql("select rolpassword from pg_authid where rolname = 'of_a_moment'");
            sql("drop role of_a_moment");
            verifier
        };
        let (first, second) = (verifier("the first"), verifier(IN_USE));
        // The same password under a new salt: the cluster's own SQL goes on.
        let administrator = verifier(server.superuser_password());
        sql(&format!("select portcullis.rotate('app_a', '{first}', 0, 1, null)"));
        sql(&format!("select portcullis.retire('{}', 0)", database.owner));
        sql(&format!("select portcullis.rotate('app_b', '{second}', 1, 2, null)"));
        sql("select portcullis.retire('app_a', 1)");
        sql(&format!("select portcullis.rotate_administrator('superuser', '{administrator}', 0, 1, null)"));
        let mut config = Config::new("http://127.0.0.1:9", "http://127.0.0.1:9/", "a", Arc::new(|| 0));
        config.databases = vec![Database {
            name: "backend".into(),
            location: Location::Postgres {
                url: format!("postgres://app_b@127.0.0.1:{}/{}", server.port(), database.name),
                password: Some(IN_USE.to_owned().into()),
            },
            stewardship: Stewardship {
                maximum_password_age: Some(Lifetime {
                    seconds: 90 * DAY,
                    source: "maximum_password_age".into(),
                }),
                dead_man_switch: false,
                last_rotation: Some(Attested { finished_at: 0, generation: 2, previous_refused: Some(true) }),
            },
        }];
        Self { database: database.name.clone(), server, config }
    }

    fn sql(&self, sql: &str) -> String {
        self.server.run_sql(&self.database, sql)
    }

    /// The verdict of a claim, and of the whole measure.
    async fn verdicts(&self, id: &str) -> (Verdict, Verdict) {
        let report = measure(self.config.clone(), A4).await;
        let claim = claim(&report, &format!("backend_{id}"));
        assert_ne!(claim.evidence, [], "{claim:#?}");
        (claim.verdict, report.measures[0].verdict)
    }
}

const YOUNG: &str = "every_password_is_younger_than_x";
const BOUND: &str = "the_ledger_speaks_of_the_passwords_in_use";
const DEAD: &str = "replaced_credentials_are_dead";

#[tokio::test]
async fn a4_passes_when_every_login_role_was_rotated_by_the_steward() {
    let world = World::start();
    let report = measure(world.config.clone(), A4).await;
    assert_eq!(report.measures[0].verdict, Verdict::Pass, "{:#?}", report.measures[0]);
    assert_eq!(report.measures[0].value.as_deref(), Some("90 d, maximum_password_age of backend"));
    let young = claim(&report, &format!("backend_{YOUNG}"));
    assert_eq!(young.evidence.len(), 2, "the slot in use and the platform's role: {young:#?}");
    // A3 knows these passwords by where they come from.
    let report = measure(world.config.clone(), A3).await;
    assert_eq!(report.measures[0].verdict, Verdict::Pass, "{:#?}", report.measures[0]);
    for id in [
        "every_password_is_strong",
        "passwords_are_stored_as_scram",
        "role_is_not_powerful",
        // By the function that adoption leaves: 15 hides the view from this role.
        "rules_let_in_nobody_without_a_secret",
    ] {
        let claim = claim(&report, &format!("backend_{id}"));
        assert_eq!(claim.verdict, Verdict::Pass, "{claim:#?}");
    }
    world.sql("drop function portcullis.access_rules()");
    let report = measure(world.config.clone(), A3).await;
    let rules = claim(&report, "backend_rules_let_in_nobody_without_a_secret");
    assert_eq!(rules.verdict, Verdict::NotProven, "without it the rules stay hidden: {rules:#?}");
    world.sql(
        "grant select on pg_hba_file_rules to app_b; grant execute on function pg_hba_file_rules() to app_b",
    );
    let report = measure(world.config.clone(), A3).await;
    assert_eq!(report.measures[0].verdict, Verdict::Pass, "{:#?}", report.measures[0]);
}

#[tokio::test]
async fn a4_fails_for_what_is_old_foreign_or_still_alive() {
    let world = World::start();
    let fail = (Verdict::Fail, Verdict::Fail);
    world.sql(
        "update portcullis.rotation set set_at = set_at - interval '91 days' where role_name = 'superuser'",
    );
    assert_eq!(world.verdicts(YOUNG).await, fail, "the platform's role counts");
    world.sql(
        "update portcullis.rotation set set_at = set_at + interval '92 days' where role_name = 'superuser'",
    );
    assert_eq!(world.verdicts(YOUNG).await, fail, "from the future");
    world.sql(
        "update portcullis.rotation set set_at = set_at - interval '1 day' where role_name = 'superuser'",
    );
    assert_eq!(world.verdicts(YOUNG).await, (Verdict::Pass, Verdict::Pass));

    // The same password once more: a row that makes it look younger.
    world.sql(
        "insert into portcullis.rotation select role_name, 9, fingerprint, clock_timestamp(), null \
         from portcullis.rotation where role_name = 'app_b'",
    );
    assert_eq!(world.verdicts("no_password_came_back").await, fail);
    world.sql("delete from portcullis.rotation where generation = 9");

    // Somebody brings the replaced slot back to life.
    world.sql("alter role app_a login password 'the first'");
    assert_eq!(world.verdicts(DEAD).await, fail);
    world.sql("alter role app_a nologin password null");
    assert_eq!(world.verdicts(DEAD).await, (Verdict::Pass, Verdict::Pass));

    // Somebody changes the password in use behind the steward's back, to itself even: another salt, another verifier.
    world.sql(&format!("alter role app_b password '{IN_USE}'"));
    assert_eq!(world.verdicts(BOUND).await, fail);
}

#[tokio::test]
async fn a4_fails_when_the_server_is_to_end_passwords_and_does_not() {
    let mut world = World::start();
    world.config.databases[0].stewardship.dead_man_switch = true;
    let id = "the_server_ends_old_passwords";
    assert_eq!(world.verdicts(id).await.0, Verdict::Fail);
    world.sql(
        "do $$ begin execute format('alter role app_b valid until %L', now() + interval '100 days'); \
         execute format('alter role superuser valid until %L', now() + interval '100 days'); end $$",
    );
    assert_eq!(world.verdicts(id).await, (Verdict::Pass, Verdict::Pass));
}

#[tokio::test]
async fn a4_is_not_proven_without_ledger_function_or_for_a_role_that_nobody_rotates() {
    let mut world = World::start();
    let gap = (Verdict::NotProven, Verdict::NotProven);
    world.sql("create role forgotten login password 'hQ7vN2kXw9ZpT4mYc8RbLd3J'");
    assert_eq!(world.verdicts(YOUNG).await, gap);
    world.sql("drop role forgotten");
    world.sql("revoke execute on function portcullis.credentials() from app_b, public");
    assert_eq!(world.verdicts(YOUNG).await, gap);
    world.sql("grant execute on function portcullis.credentials() to app_b; revoke select on portcullis.rotation from app_b");
    assert_eq!(world.verdicts(YOUNG).await, gap);
    world.sql("grant select on portcullis.rotation to app_b");
    assert_eq!(world.verdicts(YOUNG).await, (Verdict::Pass, Verdict::Pass));
    world.config.databases[0].stewardship.maximum_password_age = None;
    assert_eq!(world.verdicts(YOUNG).await, gap);
    world.config.databases[0].location = Location::Postgres {
        url: format!("postgres://app_b@127.0.0.1:{}/{}", world.server.port(), world.database),
        password: Some("not the password".to_owned().into()),
    };
    assert_eq!(world.verdicts(YOUNG).await, gap);
    world.config.databases.clear();
    assert_eq!(measure(world.config, A4).await.measures[0].verdict, Verdict::NotProven);
}
