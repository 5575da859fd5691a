//! What the matrix of endpoints shows beside the token itself: paths written otherwise, ID tokens, other users' objects, and
//! whether document, rules, scopes and grants agree; and the foreign issuer that users may live at.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use audit::MeasureId::{A5, A7, A8, A9};
use audit::config::{Access, Caller, Granted, Mode, Route};
use audit::{Config, Verdict};

use crate::ask::{claim, measure};
use crate::world::{World, fails, not_proven};

fn scopes(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn granted() -> Granted {
    Granted {
        clients: scopes(&["read:reports", "run:reports"]),
        users: scopes(&["read:orders", "write:orders"]),
    }
}

/// The verdict on one claim where the world lacks these and the configuration is changed so.
async fn verdict(
    lacks: &[&'static str],
    id: audit::MeasureId,
    name: &str,
    change: impl Fn(&mut Config),
) -> Verdict {
    let world = World::start(lacks).await;
    let mut config = world.config();
    change(&mut config);
    let report = measure(config, id).await;
    assert_eq!(*world.acted.lock().unwrap(), Vec::<String>::new(), "no unsafe method was let through");
    claim(&report, name).verdict
}

#[tokio::test]
async fn a_path_written_otherwise_is_tried_without_a_token() {
    let id = "a_path_written_otherwise_is_refused";
    assert_eq!(verdict(&[], A5, id, |_| {}).await, Verdict::Pass);
    let report = fails("one reading of a path", A5, id).await;
    let seen = claim(&report, id);
    for words in ["with no token and a slash at the end", "with no token and its first slash doubled"] {
        assert!(seen.evidence.iter().any(|evidence| evidence.what.contains(words)), "{seen:#?}");
    }
    not_proven(A5, id, |config| config.client = None).await;
}

#[tokio::test]
async fn a_key_that_a_token_brings_along_is_not_believed() {
    let report = fails("configured keys", A5, "forged_tokens_are_refused").await;
    let seen = claim(&report, "forged_tokens_are_refused");
    for words in ["a token that brings its own key", "a token in another issuer's name"] {
        assert!(seen.evidence.iter().any(|evidence| evidence.what.contains(words)), "{seen:#?}");
    }
    fails("configured keys", A7, "forged_tokens_are_refused").await;
}

#[tokio::test]
async fn an_id_token_is_no_access_token() {
    let id = "an_id_token_is_refused";
    assert_eq!(verdict(&[], A7, id, |_| {}).await, Verdict::NotApplicable, "the issuer gives none");
    assert_eq!(verdict(&["access tokens alone"], A7, id, |_| {}).await, Verdict::Pass);
    assert_eq!(verdict(&["access tokens alone", "audience"], A7, id, |_| {}).await, Verdict::Fail);
    let no_control = |config: &mut Config| config.session = None;
    assert_eq!(verdict(&["access tokens alone"], A7, id, no_control).await, Verdict::NotProven);
}

#[tokio::test]
async fn another_users_object_is_tried_where_somebody_named_one() {
    let id = "another_users_object_is_refused";
    let named = |path: &'static str| move |config: &mut Config| config.others = vec![path.into()];
    assert_eq!(verdict(&[], A7, id, |_| {}).await, Verdict::NotApplicable);
    assert_eq!(verdict(&[], A7, id, named("GET /orders/8")).await, Verdict::Pass);
    assert_eq!(verdict(&["owner check"], A7, id, named("GET /orders/8")).await, Verdict::Fail);
    for unclear in ["GET /nowhere", "DELETE /orders/8", "/orders/8"] {
        assert_eq!(verdict(&[], A7, id, named(unclear)).await, Verdict::NotProven, "{unclear}");
    }
}

#[tokio::test]
async fn document_rules_scopes_and_grants_agree() {
    let id = "every_scope_can_be_had";
    assert_eq!(verdict(&[], A9, id, |_| {}).await, Verdict::Pass, "the auditor's own tokens show it");
    assert_eq!(verdict(&[], A9, id, |config| config.granted = Some(granted())).await, Verdict::Pass);
    let without = |config: &mut Config| {
        let mut granted = granted();
        granted.users.remove("write:orders");
        config.granted = Some(granted);
    };
    assert_eq!(verdict(&[], A9, id, without).await, Verdict::Fail);
    not_proven(A9, id, |config| config.user = None).await;

    let world = World::start(&[]).await;
    let mut config = world.config();
    let mut more = granted();
    more.clients.insert("old:scope".into());
    config.granted = Some(more);
    let report = measure(config, A9).await;
    let evidence = &claim(&report, id).evidence;
    assert_eq!(evidence[1].what, "note: granted and demanded nowhere: old:scope");
}

#[tokio::test]
async fn an_operation_without_a_rule_and_a_rule_without_an_operation_are_told() {
    let world = World::start(&[]).await;
    let file = world.folder.path().join("openapi.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("paths:", "paths:\n  /forgotten:\n    get: {}")).unwrap();
    let report = measure(world.config(), A9).await;
    let forgotten = claim(&report, "every_documented_operation_has_a_rule");
    assert_eq!(forgotten.verdict, Verdict::Fail);
    assert!(forgotten.evidence[0].what.starts_with("GET /forgotten "), "{forgotten:#?}");

    let mut config = world.config();
    let access = Access::Scopes { alternatives: vec![vec!["read:orders".into()]], caller: Caller::User };
    config.routes = vec![Route { method: "GET".into(), path: "/vanished".into(), access }];
    let report = measure(config, A9).await;
    assert_eq!(claim(&report, "every_rule_has_its_endpoint").verdict, Verdict::Pass);
}

#[tokio::test]
async fn the_matrix_is_in_the_report() {
    let world = World::start(&["token check"]).await;
    let report = measure(world.config(), A9).await;
    let matrix = report.matrix.unwrap();
    let column = |words: &str| matrix.attempts.iter().position(|attempt| attempt == words).unwrap();
    let row = |method: &str, path: &str| {
        matrix.rows.iter().find(|row| row.method == method && row.path == path).unwrap()
    };
    let orders = row("GET", "/orders/{id}");
    assert_eq!(orders.caller, "user");
    assert_eq!(orders.cells.len(), matrix.attempts.len());
    let none = &orders.cells[column("no token")];
    assert_eq!((none.status, none.verdict), (Some(200), Verdict::Fail));
    let right = &orders.cells[column("the right token")];
    assert_eq!((right.status, right.verdict), (Some(200), Verdict::Pass));
    let unsafe_one = &row("POST", "/reports").cells[column("the right token")];
    assert_eq!((unsafe_one.status, unsafe_one.verdict), (None, Verdict::NotApplicable));
    assert!(measure(world.config(), audit::MeasureId::A3).await.matrix.is_none(), "nothing was sent");
}

// --- A8

async fn delegated(foreign: &'static [&'static str], here: &'static [&'static str]) -> audit::Report {
    let (foreign, world) = (World::start(foreign).await, World::start(here).await);
    let mut config = world.config();
    config.mode = Mode::Delegated;
    config.session = None;
    config.foreign_issuers = vec![format!("{}/", foreign.url)];
    measure(config, A8).await
}

#[tokio::test]
async fn a8_asks_the_foreign_issuer_itself() {
    let report = delegated(&[], &[]).await;
    assert_eq!(report.measures[0].verdict, Verdict::Delegated, "{:#?}", report.measures[0]);
    let tokens = claim(&report, "its_tokens_name_it_and_are_let_in");
    assert_eq!(tokens.verdict, Verdict::Pass);
    assert!(tokens.evidence[0].control.as_ref().unwrap().starts_with("GET /reports "), "{tokens:#?}");

    for (foreign, here, id) in [
        (&["exact issuer"][..], &[][..], "the_issuer_is_who_it_says_it_is"),
        (&["own name"], &[], "its_tokens_name_it_and_are_let_in"),
        (&["public keys alone"], &[], "the_issuer_shows_public_keys_alone"),
        (&[], &["its login gone"], "the_login_that_it_replaced_is_gone"),
    ] {
        let report = delegated(foreign, here).await;
        assert_eq!(claim(&report, id).verdict, Verdict::Fail, "{:#?}", report.measures[0]);
        assert_eq!(report.measures[0].verdict, Verdict::Fail);
    }
}

#[tokio::test]
async fn a8_without_an_answer_is_not_proven_and_without_an_issuer_is_about_nobody() {
    let silent = |config: &mut Config| {
        config.mode = Mode::Delegated;
        config.session = None;
        config.foreign_issuers = vec!["http://127.0.0.1:9/".into()];
    };
    for id in ["the_issuer_is_who_it_says_it_is", "the_issuer_shows_public_keys_alone"] {
        not_proven(A8, id, silent).await;
    }
    let nobody = |config: &mut Config| config.mode = Mode::Delegated;
    not_proven(A8, "users_are_a_foreign_issuers", nobody).await;
    let world = World::start(&[]).await;
    assert_eq!(measure(world.config(), A8).await.measures[0].verdict, Verdict::NotApplicable);
    // Trusted beside our own.
    let foreign = World::start(&[]).await;
    let mut config = world.config();
    config.foreign_issuers = vec![format!("{}/", foreign.url)];
    let report = measure(config, A8).await;
    assert_eq!(report.measures[0].verdict, Verdict::Pass, "{:#?}", report.measures[0]);
}

#[tokio::test]
async fn a_route_that_was_called_and_that_nobody_knows_is_a_finding() {
    let id = "every_called_route_is_known";
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    let known = "203.0.113.7 - - [29/Nov/2026:11:00:00 +0000] \"GET /orders/7 HTTP/1.1\" 200 2\n";
    let with = |lines: String| {
        std::fs::write(&log, lines).unwrap();
        let log = log.clone();
        move |config: &mut Config| config.access_log = Some(log.clone())
    };
    let unknown = r#"{"method": "GET", "path": "/internal/ada@example.com?token=s3cret", "status": 200}"#;
    assert_eq!(verdict(&[], A9, id, |_| {}).await, Verdict::NotApplicable);
    assert_eq!(verdict(&[], A9, id, with(known.to_owned())).await, Verdict::Pass);
    assert_eq!(verdict(&[], A9, id, with(format!("{known}{unknown}\nnonsense\n"))).await, Verdict::Fail);
    let world = World::start(&[]).await;
    let mut config = world.config();
    config.access_log = Some(log.clone());
    let report = measure(config, A9).await;
    let text = audit::report::json::render(&report);
    assert!(
        text.contains("GET /internal/… was answered once") && text.contains("1 lines that are none"),
        "{text}"
    );
    assert!(!text.contains("s3cret") && !text.contains("ada@example.com"), "{text}");
    // Another service's log, and one that cannot be read.
    not_proven(A9, id, with("nonsense\n".to_owned())).await;
    not_proven(A9, id, |config| config.access_log = Some("/nonexistent/access.log".into())).await;
}
