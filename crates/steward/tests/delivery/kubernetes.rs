//! A key of a Secret, against a stub of Kubernetes's API.

use std::path::Path;

use secrecy::ExposeSecret as _;
use steward::delivery::{Place, Reached, deliver, read_back};
use testkit::kubernetes::{Failure, Kubernetes, Step};

use crate::{credential, place, same, without_secret};

/// A stub, the folder with what a pod finds, and the place.
async fn world() -> (Kubernetes, tempfile::TempDir, Place) {
    let stub = Kubernetes::start("first-token").await;
    stub.put("backend", "backend-db", &[("untouched", "value")]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "first-token\n").unwrap();
    std::fs::write(folder.path().join("ca.crt"), stub.authority()).unwrap();
    let place = at(&stub, folder.path(), "backend-db");
    (stub, folder, place)
}

fn at(stub: &Kubernetes, folder: &Path, secret: &str) -> Place {
    place(
        &format!(
            r#"{{ kubernetes = {{ namespace = "backend", secret = "{secret}", url_key = "url", api = "{}",
             token_file = "{}/token", certificate_authority_file = "{}/ca.crt" }} }}"#,
            stub.url(),
            folder.display(),
            folder.display()
        )
        .replace('\n', " "),
    )
}

#[tokio::test]
async fn its_keys_are_patched_and_others_stay() {
    let (stub, _folder, place) = world().await;
    assert!(read_back(&place).await.unwrap().is_none());
    deliver(&place, &credential(1)).await.unwrap();
    same(read_back(&place).await.unwrap(), &credential(1));
    assert_eq!(
        stub.value("backend", "backend-db", "url").unwrap(),
        credential(1).url_with_password().expose_secret()
    );
    assert_eq!(stub.value("backend", "backend-db", "untouched").unwrap(), "value");
    assert_eq!(stub.requests(), [Step::Get, Step::Get, Step::Patch, Step::Get]);
    assert_eq!(stub.refused(), [""; 0]);
}

#[tokio::test]
async fn the_token_is_read_again_for_every_request() {
    let (stub, folder, place) = world().await;
    deliver(&place, &credential(1)).await.unwrap();
    stub.change_token("second-token");
    let fault = deliver(&place, &credential(2)).await.unwrap_err();
    assert_eq!(fault.reached, Reached::Nothing);
    assert!(without_secret(&fault).contains("401") && !fault.to_string().contains("first-token"), "{fault}");
    std::fs::write(folder.path().join("token"), "second-token").unwrap();
    deliver(&place, &credential(2)).await.unwrap();
    same(read_back(&place).await.unwrap(), &credential(2));
}

#[tokio::test]
async fn who_is_overtaken_reads_again_and_gives_up_some_time() {
    let (stub, _folder, place) = world().await;
    stub.fail(Step::Patch, Failure::Overtaken);
    deliver(&place, &credential(1)).await.unwrap();
    assert_eq!(stub.requests(), [Step::Get, Step::Patch, Step::Get, Step::Patch]);
    for _ in 0..4 {
        stub.fail(Step::Patch, Failure::Overtaken);
    }
    let fault = deliver(&place, &credential(2)).await.unwrap_err();
    assert_eq!(fault.reached, Reached::Nothing);
    assert!(without_secret(&fault).contains("somebody else"), "{fault}");
    same(read_back(&place).await.unwrap(), &credential(1));
}

#[tokio::test]
async fn every_failure_is_one() {
    let status = |code, message: &str| Failure::Status(code, message.to_owned());
    let other = r#"{"metadata":{"name":"another","resourceVersion":"1"},"data":{}}"#;
    let unchanged = r#"{"metadata":{"name":"backend-db","resourceVersion":"2"},"data":{}}"#;
    let says = |body: &str| Failure::Says(body.to_owned());
    for (step, failure, reached, word) in [
        (Step::Get, status(403, "forbidden"), Reached::Nothing, "RoleBinding"),
        (Step::Get, status(500, "etcd"), Reached::Unknown, "deliver again"),
        (Step::Get, says("<html>"), Reached::Nothing, "something else"),
        (Step::Get, says(other), Reached::Nothing, "something else"),
        (Step::Get, Failure::HangsUpAfter, Reached::Unknown, "does not answer"),
        (Step::Patch, status(403, "forbidden"), Reached::Nothing, "`patch` is not allowed"),
        (Step::Patch, status(422, "invalid"), Reached::Nothing, "invalid"),
        (Step::Patch, status(503, "busy"), Reached::Unknown, "deliver again"),
        (Step::Patch, says("{}"), Reached::Unknown, "something else"),
        (Step::Patch, says(unchanged), Reached::Unknown, "webhook"),
        (Step::Patch, Failure::HangsUpAfter, Reached::Unknown, "does not answer"),
    ] {
        let (stub, _folder, place) = world().await;
        stub.fail(step, failure.clone());
        let fault = deliver(&place, &credential(1)).await.unwrap_err();
        assert_eq!(fault.reached, reached, "{step:?} {failure:?}: {fault}");
        assert!(without_secret(&fault).contains(word), "{fault}");
        deliver(&place, &credential(1)).await.unwrap();
        assert_eq!(stub.refused(), [""; 0]);
    }
}

#[tokio::test]
async fn what_is_not_there_or_immutable_is_said_with_the_remedy() {
    let (stub, folder, place) = world().await;
    let missing = at(&stub, folder.path(), "not-there");
    let fault = deliver(&missing, &credential(1)).await.unwrap_err();
    assert!(without_secret(&fault).contains("kubectl create secret"), "{fault}");
    stub.make_immutable("backend", "backend-db");
    let fault = deliver(&place, &credential(1)).await.unwrap_err();
    assert!(without_secret(&fault).contains("immutable"), "{fault}");
    assert!(!stub.requests().contains(&Step::Patch));
    std::fs::remove_file(folder.path().join("token")).unwrap();
    let fault = deliver(&place, &credential(1)).await.unwrap_err();
    assert!(without_secret(&fault).contains("cannot read"), "{fault}");
}

#[tokio::test]
async fn a_server_under_another_authority_gets_no_token() {
    let (stub, folder, place) = world().await;
    let other = Kubernetes::start("x").await;
    std::fs::write(folder.path().join("ca.crt"), other.authority()).unwrap();
    let fault = deliver(&place, &credential(1)).await.unwrap_err();
    assert_eq!(fault.reached, Reached::Nothing);
    assert!(without_secret(&fault).contains("certificate"), "{fault}");
    assert!(stub.requests().is_empty() && stub.refused().is_empty());
    std::fs::write(folder.path().join("ca.crt"), "nothing in PEM").unwrap();
    assert!(deliver(&place, &credential(1)).await.unwrap_err().reason.contains("PEM"));
}
