//! The role that the platform made.

use secrecy::ExposeSecret as _;
use steward::Credential;
use steward::rotation::Rotated;

use crate::world::{World, contains, logs_in, superuser, with_administrator};

#[tokio::test(flavor = "multi_thread")]
async fn it_is_changed_last_and_its_file_holds_what_logs_in() {
    let mut world = World::new().await;
    let file = with_administrator(&mut world);
    let first = superuser(&world, world.server.superuser_password());
    let Rotated::Finished { report: Some(report), administrator: Some(administrator) } =
        world.steward.rotate("backend", true, &|_| {}).await.unwrap()
    else {
        panic!("both were to be changed")
    };
    assert!(administrator.started_at >= report.finished_at, "alone and last");
    let steps: Vec<_> = administrator.steps.iter().map(|step| step.step.as_str()).collect();
    assert_eq!(steps, ["prepared", "set", "promoted", "delivered", "retired"]);

    let url = std::fs::read_to_string(&file).unwrap();
    let written = Credential::from_url(url.trim(), None).unwrap();
    assert_eq!(
        (written.database.as_str(), written.port),
        ("postgres", world.database.port),
        "only the password changed"
    );
    assert!(logs_in(&written).await);
    assert!(!logs_in(&first).await);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);

    // Again, by a process that still has the URL of the beginning: the journal knows better.
    let again = world.steward.rotate("backend", true, &|_| {}).await.unwrap();
    assert!(matches!(again, Rotated::Finished { administrator: Some(_), .. }), "{again:?}");
    let newest = Credential::from_url(std::fs::read_to_string(&file).unwrap().trim(), None).unwrap();
    assert!(logs_in(&newest).await);
    assert!(!logs_in(&written).await);
    let status = world.steward.status("backend").await.unwrap().administrator.unwrap();
    assert_eq!((status.generation, status.role.as_str()), (2, "superuser"));
    let text = serde_json::to_string(&(&status, &administrator, &report)).unwrap();
    assert!(!contains(&text, &written) && !contains(&text, &newest));

    let not_due = world.steward.rotate("backend", false, &|_| {}).await.unwrap();
    assert!(matches!(not_due, Rotated::NotDue { .. }), "{not_due:?}");
    assert_eq!(written.password.expose_secret().len(), 43);
}

/// Two databases of one server and one file: neither locks the other out, and both ledgers speak of what is in use.
#[tokio::test(flavor = "multi_thread")]
async fn several_databases_may_have_one_administrator() {
    let mut world = World::new().await;
    let file = with_administrator(&mut world);
    let second = world.server.fresh_database();
    let today = Credential::from_url(&second.url_with_password(), None).unwrap();
    world.sql_as(&today, "create table letters (id int)").await;
    let administrator = Credential::from_url(&world.server.url_with_password(&second.name), None).unwrap();
    let plan =
        steward::adopt::plan(&administrator, &today, &steward::adopt::Options::default()).await.unwrap();
    steward::adopt::apply(&administrator, &plan).await.unwrap();
    let other = steward::rotation::Database {
        name: "letters".to_owned(),
        url: second.url(),
        password: Some(today.password.clone()),
        secret: Some(steward::delivery::Place::File(world.folder.path().join("letters.json"))),
        ..world.settings.clone()
    };
    world.steward = steward::Steward::new(
        world.store.clone(),
        crate::world::seal(),
        vec![world.settings.clone(), other],
        crate::world::clock(),
        crate::world::fresh(),
    );
    let ledgers_are_right = || {
        for database in [&world.database.name, &second.name] {
            let same = world.server.url(database);
            let written = Credential::from_url(std::fs::read_to_string(&file).unwrap().trim(), None).unwrap();
            let url = Credential::from_url(&same, Some(&written.password)).unwrap();
            let sql = "select s.fingerprint = encode(sha256(convert_to(a.rolpassword, 'UTF8')), 'hex') from portcullis.slot s \
                       join pg_authid a on a.rolname = s.role_name where s.kind = 'administrator'";
            let output = std::process::Command::new("psql")
                .args(["-Atc", sql, url.url_with_password().expose_secret()])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "t", "{database}");
        }
    };
    for name in ["backend", "letters", "backend"] {
        let rotated = world.steward.rotate(name, true, &|_| {}).await.unwrap();
        assert!(matches!(rotated, Rotated::Finished { administrator: Some(_), .. }), "{name}: {rotated:?}");
        ledgers_are_right();
    }
    // What was changed for one is young for the other.
    let rotated = world.steward.rotate("letters", false, &|_| {}).await.unwrap();
    assert!(matches!(rotated, Rotated::NotDue { .. }), "{rotated:?}");
}

/// A fresh platform: the application logs in as the very superuser.
#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_was_the_administrator_leaves_that_role() {
    let mut world = World::unadopted(&testkit::postgres::Options::default(), |_| {}).await;
    let file = with_administrator(&mut world);
    // The platform's database belongs to the platform's role, and everybody may enter it.
    world.sql("create database railway");
    world.database.name = "railway".to_owned();
    let first = world.administrator();
    world.settings.url = world.server.url(&world.database.name);
    world.settings.password = Some(first.password.clone());
    world.steward = world.another();
    world.sql_as(&first, "create table public.orders (id int)").await;
    let plan = steward::adopt::plan(&first, &first, &steward::adopt::Options::default()).await.unwrap();
    steward::adopt::apply(&first, &plan).await.unwrap();

    let rotated = world.steward.rotate("backend", true, &|_| {}).await.unwrap();
    let Rotated::Finished { report: Some(report), .. } = rotated else { panic!("{rotated:?}") };
    assert_eq!((report.from.as_str(), report.to.as_str()), ("superuser", "superuser_a"));
    assert!(!logs_in(&first).await, "the password that the application had is dead");
    let written = Credential::from_url(std::fs::read_to_string(&file).unwrap().trim(), None).unwrap();
    assert!(logs_in(&written).await);
    assert!(logs_in(&world.delivered()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_enter_the_database_is_found_before_anybody_gets_it() {
    let mut world = World::unadopted(&testkit::postgres::Options::default(), |_| {}).await;
    with_administrator(&mut world);
    // Only a superuser may enter this one.
    let first = world.administrator();
    world.settings.url = world.server.url(&world.database.name);
    world.settings.password = Some(first.password.clone());
    world.steward = world.another();
    let plan = steward::adopt::plan(&first, &first, &steward::adopt::Options::default()).await.unwrap();
    steward::adopt::apply(&first, &plan).await.unwrap();
    let fault = world.steward.rotate("backend", true, &|_| {}).await.unwrap_err();
    assert!(matches!(fault, steward::rotation::Fault::TestFailed { .. }), "{fault:?}");
    assert!(fault.to_string().contains("permission denied for database"), "{fault}");
    assert!(logs_in(&first).await);
}
