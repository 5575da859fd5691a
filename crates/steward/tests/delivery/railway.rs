//! A variable on Railway, against a stub of its API.

use secrecy::ExposeSecret as _;
use steward::delivery::{
    Delivered, DeliveryFault, Place, Reached, deliver, deliver_administrator, read_back,
};
use testkit::railway::{Act, Failure, PROJECT, Railway};

use crate::{credential, place, without_secret};

const HERE: &str = "22222222-2222-4222-8222-222222222222";
const ELSEWHERE: &str = "33333333-3333-4333-8333-333333333333";
const SERVICES: [(&str, &str); 3] = [("backend", "backend"), ("worker", "worker"), ("postgres", "Postgres")];

async fn stub() -> Railway {
    Railway::start(&SERVICES, &[("railway-token", HERE)]).await
}

fn at(stub: &Railway, project: &str, environment: &str) -> Place {
    place(&format!(
        r#"{{ railway = {{ token = "env:T", project = "{project}", environment = "{environment}", service = "backend",
             redeploy = ["backend", "worker"], api = "{}",
             administrator = {{ service = "postgres", variable = "POSTGRES_PASSWORD" }} }} }}"#,
        stub.url()
    ).replace('\n', " "))
}

fn set(service: &str, name: &str) -> Act {
    Act::Set { service: service.to_owned(), name: name.to_owned(), held_back: true }
}

fn redeployed(service: &str) -> Act {
    Act::Redeployed(service.to_owned())
}

async fn fails(stub: &Railway, place: &Place) -> DeliveryFault {
    let fault = deliver(place, &credential(1)).await.unwrap_err();
    without_secret(&fault);
    assert_eq!(stub.refused(), [""; 0], "the requests themselves are right");
    fault
}

#[tokio::test]
async fn it_is_set_with_deployments_held_back_and_then_each_reader_starts_anew() {
    let stub = stub().await;
    let place = at(&stub, PROJECT, HERE);
    assert!(read_back(&place).await.unwrap().is_none());
    let Delivered { redeployed: told, .. } = deliver(&place, &credential(1)).await.unwrap();
    assert_eq!(told, ["backend", "worker"]);
    assert_eq!(stub.acts(), [set("backend", "DATABASE_URL"), redeployed("backend"), redeployed("worker")]);
    let value = stub.variable(HERE, "backend", "DATABASE_URL").unwrap();
    assert_eq!(value, credential(1).url_with_password().expose_secret());
    let found = read_back(&place).await.unwrap().unwrap();
    assert_eq!(found.password.expose_secret(), credential(1).password.expose_secret());
    assert_eq!(stub.refused(), [""; 0]);
}

#[tokio::test]
async fn the_administrators_password_goes_to_its_own_variable_and_nothing_starts_anew() {
    let stub = stub().await;
    assert!(deliver_administrator(&at(&stub, PROJECT, HERE), &credential(7)).await.unwrap());
    assert_eq!(stub.acts(), [set("postgres", "POSTGRES_PASSWORD")]);
    let value = stub.variable(HERE, "postgres", "POSTGRES_PASSWORD").unwrap();
    assert_eq!(value, credential(7).password.expose_secret());
    assert!(!deliver_administrator(&Place::File("/nowhere".into()), &credential(7)).await.unwrap());
}

#[tokio::test]
async fn a_token_of_another_environment_or_project_does_nothing() {
    let stub = stub().await;
    for (project, environment, word) in [(PROJECT, ELSEWHERE, "environment"), ("another", HERE, "project")] {
        let fault = fails(&stub, &at(&stub, project, environment)).await;
        assert_eq!(fault.reached, Reached::Nothing);
        assert!(fault.reason.contains(&format!("another {word}")), "{fault}");
    }
    let unknown = Railway::start(&SERVICES, &[("another-token", HERE)]).await;
    let fault = fails(&unknown, &at(&unknown, PROJECT, HERE)).await;
    assert!(fault.reason.contains("Not Authorized"), "{fault}");
    assert_eq!((stub.acts(), unknown.acts()), (vec![], vec![]));
}

#[tokio::test]
async fn an_answer_with_errors_is_never_success() {
    use Failure::{Errors, ErrorsBesideData, False, HangsUpAfter, Null, Overwritten, Says};
    let errors = || Errors("Problem processing request".to_owned());
    let beside = || ErrorsBesideData("Problem processing request".to_owned());
    let says = |status, body: &str| Says(status, body.to_owned());
    for (step, failure, reached) in [
        ("projectToken", errors(), Reached::Nothing),
        ("projectToken", beside(), Reached::Nothing),
        ("projectToken", Null, Reached::Nothing),
        ("projectToken", says(200, "<html>"), Reached::Nothing),
        ("projectToken", says(401, "{}"), Reached::Nothing),
        ("projectToken", HangsUpAfter, Reached::Nothing),
        ("variableUpsert", errors(), Reached::Unknown),
        ("variableUpsert", beside(), Reached::Unknown),
        ("variableUpsert", says(200, r#"{"data":{"variableUpsert":true},"errors":[]}"#), Reached::Unknown),
        ("variableUpsert", says(200, r#"{"data":{"variableUpsert":true,"more":1}}"#), Reached::Unknown),
        ("variableUpsert", says(502, r#"{"data":{"variableUpsert":true}}"#), Reached::Unknown),
        ("variableUpsert", says(403, "no"), Reached::Nothing),
        ("variableUpsert", False, Reached::Unknown),
        ("variableUpsert", Null, Reached::Unknown),
        ("variableUpsert", HangsUpAfter, Reached::Unknown),
        ("variableUpsert", Overwritten, Reached::Unknown),
        ("variables", errors(), Reached::Unknown),
        ("serviceInstanceRedeploy", errors(), Reached::Secret),
        ("serviceInstanceRedeploy", beside(), Reached::Secret),
        ("serviceInstanceRedeploy", False, Reached::Secret),
        ("serviceInstanceRedeploy", HangsUpAfter, Reached::Secret),
    ] {
        let stub = stub().await;
        let place = at(&stub, PROJECT, HERE);
        stub.fail(step, failure.clone());
        let fault = fails(&stub, &place).await;
        assert_eq!(fault.reached, reached, "{step} {failure:?}: {fault}");
        let stands = stub.variable(HERE, "backend", "DATABASE_URL").is_some();
        match reached {
            Reached::Nothing => assert!(!stands, "{step} {failure:?}"),
            Reached::Secret => assert!(stands, "{step} {failure:?}"),
            Reached::Unknown => {}
        }
        // Delivering again is always right.
        deliver(&place, &credential(1)).await.unwrap();
    }
}

#[tokio::test]
async fn an_error_that_repeats_the_secret_is_shown_without_it() {
    let stub = stub().await;
    let place = at(&stub, PROJECT, HERE);
    let url = credential(1).url_with_password();
    stub.fail("variableUpsert", Failure::Errors(format!("bad value {}", url.expose_secret())));
    let fault = fails(&stub, &place).await;
    assert!(fault.reason.contains("bad value") && fault.reason.contains("[secret]"), "{fault}");
}

#[tokio::test]
async fn a_sealed_variable_is_taken_on_the_apis_word() {
    let stub = stub().await;
    stub.seal("DATABASE_URL");
    let place = at(&stub, PROJECT, HERE);
    deliver(&place, &credential(1)).await.unwrap();
    assert!(read_back(&place).await.unwrap().is_none());
}

#[tokio::test]
async fn a_value_that_would_be_a_reference_is_not_sent() {
    let stub = stub().await;
    let mut secret = credential(1);
    secret.parameters = "options=${{Postgres.PGPASSWORD}}".to_owned();
    let fault = deliver(&at(&stub, PROJECT, HERE), &secret).await.unwrap_err();
    assert_eq!((fault.reached, stub.acts()), (Reached::Nothing, vec![]));
}

#[tokio::test]
async fn who_does_not_listen_is_named() {
    let stub = stub().await;
    let place = at(&stub, PROJECT, HERE);
    drop(stub);
    let fault = deliver(&place, &credential(1)).await.unwrap_err();
    assert_eq!(fault.reached, Reached::Nothing);
    assert!(without_secret(&fault).contains("cannot be reached"), "{fault}");
}
