//! N1: a sound production passes, one without just this defence fails, and what nobody looked at is not proven. Names are
//! dnsmasq's, Railway is a stub that checks what it is asked.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ask;

use std::sync::Arc;

use ask::{claim, measure};
use audit::MeasureId::N1;
use audit::config::{Database, Location, Railway, Stewardship};
use audit::{Config, Report, Verdict, probe};
use serde_json::json;
use testkit::dns::Dnsmasq;
use testkit::postgres::Postgres;
use testkit::railway::{Failure, PROJECT, Railway as Stub};

const NOW: i64 = 1_800_000_000;
const ENVIRONMENT: &str = "22222222-2222-4222-8222-222222222222";
const HOST: &str = "postgres.railway.internal";
const NAME: &str = "backend_name_is_private";
const OUTSIDE: &str = "backend_is_closed_from_outside";
const PLATFORM: &str = "no_service_of_the_environment_has_a_tcp_proxy";
const PROXY: &str = "shuttle.proxy.rlwy.net";

struct World {
    config: Config,
    railway: Stub,
    _names: Dnsmasq,
    folder: tempfile::TempDir,
}

impl World {
    /// `db.test` and its likes are other names of the database.
    async fn start() -> Self {
        let names = Dnsmasq::start(
            &[
                (HOST, "10.0.0.7"),
                (HOST, "fd12::7"),
                ("half.test", "10.0.0.7"),
                ("half.test", "198.51.100.7"),
                ("mapped.test", "::ffff:198.51.100.7"),
                (PROXY, "10.0.0.7"),
            ],
            &[("alias.test", PROXY)],
        )
        .await;
        let railway =
            Stub::start(&[("s1", "Postgres"), ("s2", "PgBouncer")], &[("project-token", ENVIRONMENT)]).await;
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::new("http://127.0.0.1:9", "http://127.0.0.1:9/", "a", Arc::new(|| NOW));
        config.environment = "production".into();
        config.resolver = Some(names.address());
        config.railway = Some(Railway {
            token: "project-token".to_owned().into(),
            project: PROJECT.into(),
            environment: ENVIRONMENT.into(),
            url: railway.url(),
        });
        config.outside = vec![folder.path().join("probe.json")];
        let world = Self { config: Self::at(config, HOST), railway, _names: names, folder };
        world.report(60, &[(HOST, "closed")]);
        world
    }

    fn at(mut config: Config, host: &str) -> Config {
        config.databases = vec![Database {
            name: "backend".into(),
            location: Location::Postgres { url: format!("postgres://app@{host}:5432/app"), password: None },
            stewardship: Stewardship::default(),
        }];
        config
    }

    /// What a probe from outside said, `age` seconds ago.
    fn report(&self, age: i64, endpoints: &[(&str, &str)]) {
        let at = std::process::Command::new("date")
            .args(["-u", "-d", &format!("@{}", NOW - age), "+%Y-%m-%dT%H:%M:%SZ"])
            .output()
            .unwrap();
        let endpoints: Vec<_> = endpoints
            .iter()
            .map(|(host, result)| json!({"endpoint": format!("{host}:5432"), "result": result, "evidence": "as seen"}))
            .collect();
        let report = json!({
            "schema": 1,
            "at": String::from_utf8_lossy(&at.stdout).trim(),
            "outside": {"internal_name": HOST, "resolves": false},
            "control": {"url": "https://api.example.com/", "connected": true},
            "endpoints": endpoints,
        });
        std::fs::write(self.folder.path().join("probe.json"), report.to_string()).unwrap();
    }

    fn proxy(&self, deleted_at: Option<&str>) {
        self.railway.add_proxy(json!({
            "id": "p", "domain": PROXY, "proxyPort": 15_140, "applicationPort": 6432, "serviceId": "s2",
            "environmentId": ENVIRONMENT, "syncStatus": "ACTIVE", "createdAt": null, "updatedAt": null,
            "deletedAt": deleted_at,
        }));
    }
}

fn verdicts(report: &Report, id: &str) -> (Verdict, Verdict) {
    (claim(report, id).verdict, report.measures[0].verdict)
}

const FAIL: (Verdict, Verdict) = (Verdict::Fail, Verdict::Fail);
const GAP: (Verdict, Verdict) = (Verdict::NotProven, Verdict::NotProven);

#[tokio::test]
async fn n1_passes_with_a_private_name_no_proxy_and_a_closed_door() {
    let world = World::start().await;
    let report = measure(world.config.clone(), N1).await;
    assert_eq!(report.measures[0].verdict, Verdict::Pass, "{:#?}", report.measures[0]);
    let name = claim(&report, NAME);
    assert!(
        name.evidence[0].what.contains("10.0.0.7") && name.evidence[0].what.contains("fd12::7"),
        "{name:#?}"
    );
    assert_eq!(world.railway.refused(), Vec::<String>::new(), "Railway understood every question");
    assert_eq!(world.railway.acts(), [], "and nothing was changed there");
    let text = audit::report::json::render(&report);
    assert!(!text.contains("project-token"));
}

#[tokio::test]
async fn n1_fails_without_its_defences() {
    let world = World::start().await;
    for host in ["half.test", "mapped.test", "alias.test", "198.51.100.7"] {
        let report = measure(World::at(world.config.clone(), host), N1).await;
        assert_eq!(verdicts(&report, NAME), FAIL, "{host}: {:#?}", report.measures[0]);
    }
    world.report(60, &[(HOST, "closed"), ("198.51.100.7", "open")]);
    assert_eq!(verdicts(&measure(world.config.clone(), N1).await, OUTSIDE), FAIL);
    world.report(60, &[(HOST, "closed")]);
    // The pooler's, not the database's own: it leads to the database all the same.
    world.proxy(None);
    let report = measure(world.config.clone(), N1).await;
    assert_eq!(verdicts(&report, PLATFORM), FAIL);
    assert!(claim(&report, PLATFORM).evidence[0].what.starts_with("PgBouncer: shuttle.proxy.rlwy.net:15140"));
}

#[tokio::test]
async fn n1_is_not_proven_without_control() {
    let world = World::start().await;
    let with = |change: &dyn Fn(&mut Config)| {
        let mut config = world.config.clone();
        change(&mut config);
        measure(config, N1)
    };
    assert_eq!(verdicts(&with(&|config| config.outside.clear()).await, OUTSIDE), GAP);
    assert_eq!(verdicts(&with(&|config| config.outside = vec!["/nonexistent".into()]).await, OUTSIDE), GAP);
    assert_eq!(verdicts(&with(&|config| config.railway = None).await, PLATFORM), GAP, "it is on Railway");
    let forgotten = |config: &mut Config| config.public_candidates = vec![format!("{PROXY}:15140")];
    assert_eq!(verdicts(&with(&forgotten).await, OUTSIDE), GAP, "a public address that nobody tried");
    for host in ["nowhere.test", "slow.silence.test"] {
        let report = measure(World::at(world.config.clone(), host), N1).await;
        assert_eq!(verdicts(&report, NAME), GAP, "{host}");
    }
    for age in [8 * 86_400, -3600] {
        world.report(age, &[(HOST, "closed")]);
        assert_eq!(verdicts(&measure(world.config.clone(), N1).await, OUTSIDE), GAP, "{age}");
    }
    world.report(60, &[(HOST, "unknown")]);
    assert_eq!(verdicts(&measure(world.config.clone(), N1).await, OUTSIDE), GAP);
    world.report(60, &[(HOST, "closed")]);

    let another = |config: &mut Config| {
        if let Some(railway) = &mut config.railway {
            railway.environment = "33333333-3333-4333-8333-333333333333".into();
        }
    };
    assert_eq!(verdicts(&with(&another).await, PLATFORM), GAP, "the token is another environment's");
    let wrong = |config: &mut Config| {
        if let Some(railway) = &mut config.railway {
            railway.token = "no token".to_owned().into();
        }
    };
    assert_eq!(verdicts(&with(&wrong).await, PLATFORM), GAP);
    for (field, failure) in [
        ("tcpProxies", Failure::ErrorsBesideData("partial".into())),
        ("tcpProxies", Failure::Null),
        ("tcpProxies", Failure::Says(200, r#"{"data":{"tcpProxies":null}}"#.into())),
        ("tcpProxies", Failure::Says(503, String::new())),
        ("environment", Failure::Errors("no".into())),
        ("projectToken", Failure::HangsUpAfter),
    ] {
        let named = format!("{failure:?}");
        world.railway.fail(field, failure);
        assert_eq!(verdicts(&measure(world.config.clone(), N1).await, PLATFORM), GAP, "{named}");
    }
    world.proxy(Some("2026-11-24T00:00:00Z"));
    assert_eq!(
        verdicts(&measure(world.config.clone(), N1).await, PLATFORM),
        GAP,
        "being deleted is not deleted"
    );
}

#[tokio::test]
async fn development_may_be_open() {
    let world = World::start().await;
    world.proxy(None);
    world.report(60, &[(HOST, "open")]);
    let mut config = world.config.clone();
    config.environment = "development".into();
    let report = measure(config, N1).await;
    assert_eq!(report.measures[0].verdict, Verdict::Pass, "{:#?}", report.measures[0]);
    let said = &claim(&report, OUTSIDE).evidence;
    assert!(said.iter().any(|evidence| evidence.what.contains("may be open")), "{said:#?}");
    let mut staging = world.config.clone();
    staging.environment = "staging".into();
    assert_eq!(measure(staging, N1).await.measures[0].verdict, Verdict::Fail);
}

#[tokio::test]
async fn a_server_on_this_machine_is_asked_where_it_stands() {
    let world = World::start().await;
    let database = Postgres::shared().fresh_database();
    let mut config = world.config.clone();
    config.railway = None;
    config.databases[0].location =
        Location::Postgres { url: database.url(), password: Some(database.password.clone().into()) };
    let report = measure(config.clone(), N1).await;
    let inside = claim(&report, "backend_server_stands_in_a_private_network");
    assert_eq!(inside.verdict, Verdict::Pass, "{inside:#?}");
    assert!(inside.evidence[0].what.contains("127.0.0.1 (loopback)"), "{inside:#?}");
    assert_eq!(verdicts(&report, OUTSIDE), GAP, "nobody tried this machine's own address");
    config.store = None;
    config.databases.clear();
    assert_eq!(measure(config, N1).await.measures[0].verdict, Verdict::NotProven);
}

#[tokio::test]
async fn a_line_of_several_environments_is_ticked_by_fresh_reports_of_each() {
    let world = World::start().await;
    let document =
        audit::Document::parse("- [ ] The database is private in production and staging, public in dev.\n");
    let of = |environment: &str| {
        let mut config = world.config.clone();
        config.environment = environment.into();
        config.document = Some(document.clone());
        measure(config, N1)
    };
    let (production, staging, development) =
        (of("production").await, of("staging").await, of("development").await);
    let ticked = |with: &[Report]| {
        audit::report::markdown::render(Some(&document), &production, with).starts_with("- [x]")
    };
    assert!(!ticked(&[]));
    assert!(!ticked(std::slice::from_ref(&staging)));
    assert!(ticked(&[staging, development]));
}

#[test]
fn the_contracts_json_is_what_a_probe_writes() {
    let text = r#"{"schema": 1, "at": "2026-11-24T16:00:00Z",
        "outside": {"internal_name": "postgres.railway.internal", "resolves": false},
        "control": {"url": "https://api.example.com/", "connected": true},
        "endpoints": [{"endpoint": "db.example.com:5432", "result": "closed", "evidence": "refused"}]}"#;
    let report = probe::Report::parse(text.as_bytes()).unwrap();
    let written: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
    assert_eq!(written, serde_json::from_str::<serde_json::Value>(text).unwrap());
    assert_eq!(report.exit_code(), 0);
    assert!(probe::Report::parse(br#"{"schema": 2}"#).is_err());
}
