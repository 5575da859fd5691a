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
    world.sql_as(&first, "create table orders (id int)").await;
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
