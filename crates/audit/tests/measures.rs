//! Each measure three times: a sound world passes, one that lacks just that defence fails, a missing control is not
//! proven.

mod ask;
mod endpoints;
mod world;

use std::sync::atomic::Ordering;

use ask::{claim, measure};
use audit::MeasureId::{A1, A2, A3, A5, A6, A7, A9, A10, N2};
use audit::config::{Access, Location, Mode, Route};
use audit::report::{json, markdown, text};
use audit::{Only, Verdict, exit_code};
use world::{World, document, fails, not_proven};

#[tokio::test]
async fn a_sound_world_passes_everything_on_the_second_run() {
    let world = World::start(&[]).await;
    let mut config = world.config();
    config.document = Some(document());
    let first = audit::run(config.clone(), Only::All, |_| {}).await;
    let of = |report: &audit::Report, id| report.measures.iter().find(|m| m.id == id).unwrap().clone();
    for id in [A1, A2, A3, A6, A7, A9, N2] {
        assert_eq!(of(&first, id).verdict, Verdict::Pass, "{:#?}", of(&first, id));
    }
    assert_eq!(of(&first, A5).verdict, Verdict::Superseded, "{:#?}", of(&first, A5));
    let kept = of(&first, A10);
    assert_eq!(kept.verdict, Verdict::NotProven, "no token was kept yet: {kept:#?}");
    assert_eq!(kept.value.as_deref(), Some("15 min, access_token_lifetime"));

    // Nothing is missing but time, and that is what is advised.
    let remedy = |report: &audit::Report| {
        of(report, A10)
            .claims
            .into_iter()
            .find(|claim| claim.id == "an_expired_token_is_refused")
            .unwrap()
            .remedy
    };
    assert_eq!(remedy(&first), "run it again after the end of the tokens that this run keeps");
    let soon = measure(config.clone(), A10).await;
    assert_eq!(remedy(&soon), "run it again after 2027-01-15T08:16:00Z, when the kept token has ended");

    // The tokens that the first run kept have ended.
    world.now.fetch_add(1000, Ordering::SeqCst);
    let mut second = audit::run(config.clone(), Only::All, |_| {}).await;
    assert_eq!(of(&second, A10).verdict, Verdict::Pass, "{:#?}", of(&second, A10));
    assert_eq!(*world.acted.lock().unwrap(), Vec::<String>::new(), "no unsafe method was let through");

    second.compare(&first);
    assert!(second.regressions.is_empty(), "{:#?}", second.regressions);
    assert_eq!(exit_code(audit::Outcome::Audited(&second)), 3, "G1 and others are not measured");
    let document = markdown::render(config.document.as_ref(), &second, &[]);
    for line in ["* [x] Every password", "* [x] Partners call us", "  * [x] Superseded by OAuth"] {
        assert!(document.contains(line), "{line} in {document}");
    }
    for line in ["1. [ ] There are no secrets", "* [ ] Our identity provider", "* [ ] The database lives"] {
        assert!(document.contains(line), "{line} in {document}");
    }
    assert!(document.contains("(X: 15 min, access_token_lifetime)"));

    // No secret in any form of the report.
    for form in [json::render(&second), text::render(&second, None, false), document] {
        for secret in ["the auditor's own password", "an-old-key", "eyJ"] {
            assert!(!form.contains(secret), "{secret}");
        }
    }
}

#[tokio::test]
async fn the_throw_away_user_is_deleted() {
    let world = World::start(&[]).await;
    let report = measure(world.config(), A1).await;
    assert_eq!(report.measures[0].verdict, Verdict::Pass, "{:#?}", report.measures[0]);
    let answer = measure(world.config(), A7).await;
    assert_eq!(answer.measures[0].verdict, Verdict::Pass, "{:#?}", answer.measures[0]);
    assert_eq!(world.users(), ["audit@example.com"]);
}

// --- A1

#[tokio::test]
async fn a1_fails_without_its_defences() {
    fails("hash", A1, "no_password_is_stored_in_clear").await;
    fails("hash", A1, "a_new_password_is_stored_nowhere").await;
    fails("clean log", A1, "no_password_is_stored_in_clear").await;
    fails("strong hash", A1, "every_hash_is_at_owasps_floor").await;
    fails("own salt", A1, "every_hash_has_its_own_salt").await;
    fails("token digest", A1, "a_reset_token_is_stored_nowhere").await;
}

#[tokio::test]
async fn a1_finds_one_unsalted_row_among_many() {
    let world = World::start(&[]).await;
    let mut connection = world.database().await;
    sqlx::raw_sql(
        "CREATE TABLE old (id INTEGER, passwd TEXT); \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) \
         INSERT INTO old SELECT i, '$2b$12$' || printf('%022d', i) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ01234' FROM n; \
         INSERT INTO old VALUES (0, '5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8')",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    let report = measure(world.config(), A1).await;
    let claim = claim(&report, "every_hash_is_at_owasps_floor");
    assert_eq!(claim.verdict, Verdict::Fail);
    assert_eq!(claim.evidence[0].what, "the store: 1 values of old.passwd are bare digests, without a salt");
}

#[tokio::test]
async fn a1_looks_into_json_within_json() {
    let world = World::start(&[]).await;
    let mut connection = world.database().await;
    sqlx::raw_sql(
        r#"CREATE TABLE outbox (body TEXT);
           INSERT INTO outbox VALUES ('{"payload": "{\"rows\": [{\"passwd\": \"5f4dcc3b5aa765d61d8327deb882cf99\"}]}"}'),
                                     ('{"etag": "5f4dcc3b5aa765d61d8327deb882cf99"}')"#,
    )
    .execute(&mut connection)
    .await
    .unwrap();
    let report = measure(world.config(), A1).await;
    let floor = claim(&report, "every_hash_is_at_owasps_floor");
    assert_eq!(floor.verdict, Verdict::Fail, "{floor:#?}");
    assert_eq!(
        floor.evidence[0].what,
        "the store: 1 bare digests of passwords in JSON of outbox.body, without a salt"
    );
    // With a salt beside it, how it was hashed is not known.
    sqlx::raw_sql(
        r#"UPDATE outbox SET body = '[{"password": "5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8", "salt": "1"}]'"#,
    )
    .execute(&mut connection)
    .await
    .unwrap();
    let report = measure(world.config(), A1).await;
    assert_eq!(claim(&report, "every_hash_is_at_owasps_floor").verdict, Verdict::NotProven);
}

#[tokio::test]
async fn a1_is_not_proven_without_control() {
    not_proven(A1, "a_new_password_is_stored_nowhere", |config| config.exercise = false).await;
    not_proven(A1, "every_value_was_read", |config| config.store = None).await;
    // A database that the throw-away user is not in proves nothing of it.
    let other = World::start(&[]).await;
    not_proven(A1, "a_new_password_is_stored_nowhere", |config| config.store = Some(other.location())).await;
    let wrong = |config: &mut audit::Config| {
        if let Some(Location::SqlCipher { key, .. }) = &mut config.store {
            *key = vec![0; 32].into();
        }
    };
    not_proven(A1, "every_value_was_read", wrong).await;
}

#[tokio::test]
async fn a1_and_a2_are_delegated_where_users_live_elsewhere() {
    let world = World::start(&[]).await;
    let foreign = World::start(&[]).await;
    let mut config = world.config();
    config.mode = Mode::Delegated;
    config.session = None;
    config.foreign_issuers = vec![format!("{}/", foreign.url)];
    for id in [A1, A2, audit::MeasureId::A8] {
        let report = measure(config.clone(), id).await;
        assert_eq!(report.measures[0].verdict, Verdict::Delegated, "{:#?}", report.measures[0]);
    }
}

// --- A2

#[tokio::test]
async fn a2_fails_without_its_defences() {
    fails("harmless link", A2, "opening_the_link_changes_nothing").await;
    fails("single use", A2, "the_link_works_once").await;
    fails("session end", A2, "the_reset_ends_every_session").await;
    fails("one link", A2, "a_newer_link_ends_the_older").await;
    fails("configured host", A2, "the_links_host_comes_from_the_configuration").await;
    fails("own host", A2, "the_links_host_comes_from_the_configuration").await;
    fails("equal answers", A2, "an_unknown_address_is_answered_alike").await;
}

#[tokio::test]
async fn a2_tries_a_link_that_an_earlier_run_kept() {
    for (lacks, verdict) in [(&[][..], Verdict::Pass), (&["link end"], Verdict::Fail)] {
        let id = "a_link_past_its_end_is_refused";
        let world = World::start(lacks).await;
        for _ in 0..2 {
            let report = measure(world.config(), A2).await;
            let waits = claim(&report, id);
            assert_eq!(waits.verdict, Verdict::NotApplicable, "{waits:#?}");
            assert_eq!(
                waits.evidence[0].what,
                "not tried yet: a link is kept for a run after 2027-01-15T09:01:00Z"
            );
        }
        world.now.fetch_add(3700, Ordering::SeqCst);
        let report = measure(world.config(), A2).await;
        assert_eq!(claim(&report, id).verdict, verdict, "{:#?}", claim(&report, id));
        // The auditor's own user can still log in.
        let report = measure(world.config(), A7).await;
        assert_eq!(report.measures[0].verdict, Verdict::Pass, "{:#?}", report.measures[0]);
    }
}

#[tokio::test]
async fn a2_is_not_proven_without_a_mailbox_or_exercise() {
    not_proven(A2, "a_link_arrives_by_mail", |config| config.mailbox = None).await;
    not_proven(A2, "a_link_arrives_by_mail", |config| config.exercise = false).await;
}

// --- A3

#[tokio::test]
async fn a3_fails_without_its_defences() {
    fails("encryption", A3, "store_file_is_ciphertext").await;
    fails("encryption", A3, "store_without_a_key_is_refused").await;
    fails("file mode", A3, "store_file_is_its_owners_alone").await;
    fails("key length", A3, "store_key_is_strong").await;
}

#[tokio::test]
async fn a3_is_not_proven_without_control() {
    let wrong = |config: &mut audit::Config| {
        if let Some(Location::SqlCipher { key, .. }) = &mut config.store {
            *key = vec![0; 32].into();
        }
    };
    not_proven(A3, "store_with_a_wrong_key_is_refused", wrong).await;
    not_proven(A3, "a_wrong_password_is_refused", |config| config.store = None).await;
}

#[tokio::test]
async fn a3_tries_both_keys_while_the_key_is_being_changed() {
    let world = World::start(&[]).await;
    let held = |first: [u8; 32], last: [u8; 32]| {
        let mut config = world.config();
        if let Some(Location::SqlCipher { key, .. }) = &mut config.store {
            *key = [first, last].concat().into();
        }
        measure(config, A3)
    };
    for (first, last) in [(world::KEY, [1; 32]), ([1; 32], world::KEY)] {
        let report = held(first, last).await;
        assert_eq!(report.measures[0].verdict, Verdict::Pass, "{:#?}", report.measures[0]);
    }
    let report = held([1; 32], [2; 32]).await;
    assert_eq!(claim(&report, "store_with_a_wrong_key_is_refused").verdict, Verdict::NotProven);
}

// --- A5, A6, A7, A9

#[tokio::test]
async fn a5_fails_without_its_defences() {
    fails("token check", A5, "no_endpoint_answers_without_a_token").await;
    fails("signature", A5, "forged_tokens_are_refused").await;
    fails("algorithm list", A5, "forged_tokens_are_refused").await;
    fails("asymmetric keys", A5, "forged_tokens_are_refused").await;
    fails("audience", A5, "tokens_for_another_audience_are_refused").await;
    fails("dead keys", A5, "the_old_api_key_is_dead").await;
}

#[tokio::test]
async fn forged_tokens_for_unsafe_methods_are_seen_without_effect() {
    let world = World::start(&["signature"]).await;
    let report = measure(world.config(), A5).await;
    let claim = claim(&report, "forged_tokens_are_refused");
    let believed = "DELETE /orders/{id} with a good token with its signature changed: it was believed";
    assert!(claim.evidence.iter().any(|evidence| evidence.what.starts_with(believed)), "{claim:#?}");
    assert_eq!(*world.acted.lock().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_backend_that_serves_strangers_fails_four_measures() {
    let open = World::start(&["token check"]).await;
    let world = World::start(&[]).await;
    for id in [A5, A6, A7, A9] {
        let mut config = world.config();
        config.backend = Some(open.url.clone());
        let report = measure(config, id).await;
        let claim = claim(&report, "the_backend_is_not_served_past_the_gateway");
        assert_eq!(claim.verdict, Verdict::Fail, "{id}: {claim:#?}");
        not_proven(id, "the_backend_is_not_served_past_the_gateway", |config| config.backend = None).await;
    }
    assert_eq!(*open.acted.lock().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn the_matrix_is_not_proven_without_control() {
    not_proven(A5, "no_endpoint_answers_without_a_token", |config| config.client = None).await;
    not_proven(A5, "tokens_for_another_audience_are_refused", |config| config.other_audience = None).await;
    not_proven(A5, "the_old_api_key_is_dead", |config| config.api_key = None).await;
    not_proven(A6, "tokens_for_another_audience_are_refused", |config| config.other_audience = None).await;
    not_proven(A6, "no_client_endpoint_answers_without_a_token", |config| config.client = None).await;
    not_proven(A7, "no_user_endpoint_answers_without_a_token", |config| config.user = None).await;
    not_proven(A9, "the_right_scope_is_let_in", |config| config.user = None).await;
    not_proven(A9, "every_endpoint_is_known", |config| config.openapi = Some("/nonexistent.yaml".into()))
        .await;
    // Against a dead server nothing is tried, and it is said once.
    for id in [A5, A6, A7, A9, A10, N2] {
        let report =
            not_proven(id, "the_server_answers", |config| config.target = "http://127.0.0.1:9".into()).await;
        assert_eq!(report.measures[0].claims.len(), 1);
        assert!(claim(&report, "the_server_answers").evidence[0].what.contains("http://127.0.0.1:9"));
    }
}

#[tokio::test]
async fn a6_fails_when_a_users_token_opens_a_clients_endpoint() {
    let world = World::start(&["caller check", "scope check"]).await;
    let report = measure(world.config(), A6).await;
    assert_eq!(
        claim(&report, "a_users_token_is_refused").verdict,
        Verdict::Fail,
        "{:#?}",
        report.measures[0]
    );
    fails("token check", A6, "no_client_endpoint_answers_without_a_token").await;
    fails("signature", A6, "forged_tokens_are_refused").await;
    fails("algorithm list", A6, "forged_tokens_are_refused").await;
    fails("asymmetric keys", A6, "forged_tokens_are_refused").await;
    let report = fails("audience", A6, "tokens_for_another_audience_are_refused").await;
    let claim = claim(&report, "tokens_for_another_audience_are_refused");
    assert!(claim.evidence.iter().all(|seen| seen.what.contains(" /reports ")), "{claim:#?}");
}

#[tokio::test]
async fn a6_with_public_endpoints_is_waived_with_the_reasons() {
    let world = World::start(&[]).await;
    let mut config = world.config();
    let reason = "liveness probe".to_owned();
    config.routes =
        vec![Route { method: "GET".into(), path: "/health".into(), access: Access::Public { reason } }];
    let report = measure(config, A6).await;
    assert_eq!(report.measures[0].verdict, Verdict::Waived, "{:#?}", report.measures[0]);
    let evidence = &claim(&report, "no_endpoint_is_declared_public").evidence[0];
    assert_eq!(evidence.what, "GET /health is public: liveness probe");
    assert_eq!(exit_code(audit::Outcome::Audited(&report)), 0);
}

#[tokio::test]
async fn a7_fails_without_its_defences() {
    fails("caller check", A7, "a_clients_token_is_refused").await;
    fails("password check", A7, "the_token_is_given_for_the_right_password_only").await;
    fails("token check", A7, "no_user_endpoint_answers_without_a_token").await;
}

#[tokio::test]
async fn a9_fails_without_the_scope_check() {
    let report = fails("scope check", A9, "a_missing_scope_is_refused").await;
    let claim = claim(&report, "a_missing_scope_is_refused");
    assert!(
        claim.evidence[0].request.as_ref().unwrap().contains("authorization: Bearer (a user's token with")
    );
}

// --- A10

#[tokio::test]
async fn a10_fails_without_its_defences() {
    fails("short life", A10, "no_token_lives_longer_than_x").await;
    fails("exp", A10, "no_token_lives_longer_than_x").await;
    fails("absolute end", A10, "a_session_ends_however_often_it_is_refreshed").await;
    fails("any end", A10, "a_session_ends_however_often_it_is_refreshed").await;

    let world = World::start(&["expiry"]).await;
    measure(world.config(), A10).await;
    world.now.fetch_add(1000, Ordering::SeqCst);
    let report = measure(world.config(), A10).await;
    assert_eq!(
        claim(&report, "an_expired_token_is_refused").verdict,
        Verdict::Fail,
        "{:#?}",
        report.measures[0]
    );
    assert_eq!(*world.acted.lock().unwrap(), Vec::<String>::new());
    // Both kinds of endpoint: A6's for clients, A7's for users.
    let expired = claim(&report, "an_expired_token_is_refused");
    for endpoint in ["GET /reports ", "GET /orders/{id} "] {
        assert!(expired.evidence.iter().any(|seen| seen.what.starts_with(endpoint)), "{expired:#?}");
    }
}

#[tokio::test]
async fn a10_reads_a_sessions_end_from_the_store() {
    let world = World::start(&[]).await;
    for (days, verdict) in [(90, Verdict::Pass), (30, Verdict::Fail)] {
        let mut config = world.config();
        let source = "a session's end".to_owned();
        config.session_lifetime = Some(audit::config::Lifetime { seconds: days * 86_400, source });
        let report = measure(config, A10).await;
        let end = claim(&report, "a_session_ends_however_often_it_is_refreshed");
        assert_eq!(end.verdict, verdict, "{end:#?}");
    }
}

#[tokio::test]
async fn a10_compares_the_documents_number_with_the_configurations() {
    let world = World::start(&[]).await;
    for (text, verdict) in [
        ("- [ ] The JWT expires after 15 minutes.", Verdict::Pass),
        ("- [ ] The JWT expires after 10 minutes.", Verdict::Fail),
        ("- [ ] The JWT expires after X minutes.", Verdict::NotApplicable),
    ] {
        let mut config = world.config();
        config.document = Some(audit::Document::parse(text));
        let report = measure(config, A10).await;
        assert_eq!(claim(&report, "the_document_and_the_configuration_agree").verdict, verdict, "{text}");
    }
}

#[tokio::test]
async fn a10_is_not_proven_before_a_kept_token_has_ended() {
    let world = World::start(&[]).await;
    for _ in 0..2 {
        let report = measure(world.config(), A10).await;
        let claim = claim(&report, "an_expired_token_is_refused");
        assert_eq!(claim.verdict, Verdict::NotProven, "{claim:#?}");
    }
    not_proven(A10, "a_session_ends_however_often_it_is_refreshed", |config| config.store = None).await;
    not_proven(A10, "no_token_lives_longer_than_x", |config| config.user = None).await;
    not_proven(A10, "no_token_lives_longer_than_x", |config| config.access_token_lifetime = None).await;
}

// --- N2

#[tokio::test]
async fn n2_fails_without_its_defences() {
    fails("origin list", N2, "foreign_origins_are_not_let_in").await;
    fails("null check", N2, "foreign_origins_are_not_let_in").await;
    fails("one origin", N2, "no_wildcard_and_no_credentials").await;
    fails("vary", N2, "every_answer_varies_by_origin").await;
    fails("named methods", N2, "preflights_grant_by_name").await;
    fails("cors on errors", N2, "errors_follow_the_same_rule").await;
    fails("cors on failures", N2, "a_failing_operation_follows_the_same_rule").await;
    fails("cors on refused bodies", N2, "refused_bodies_follow_the_same_rule").await;
    fails("origin before metadata", N2, "fetch_metadata_changes_no_judgement").await;
}

#[tokio::test]
async fn n2_asks_with_bodies_that_must_be_refused_and_says_what_it_did_not_ask() {
    let world = World::start(&[]).await;
    let report = measure(world.config(), N2).await;
    let bodies = claim(&report, "refused_bodies_follow_the_same_rule");
    assert_eq!(bodies.verdict, Verdict::Pass, "{bodies:#?}");
    assert_eq!(bodies.evidence.last().unwrap().what, "429 was not provoked, and none came in passing");
    let metadata = claim(&report, "fetch_metadata_changes_no_judgement");
    assert_eq!(metadata.verdict, Verdict::Pass, "{metadata:#?}");
    assert_eq!(*world.acted.lock().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn n2_is_not_proven_without_control() {
    not_proven(N2, "a_failing_operation_follows_the_same_rule", |config| config.failing = None).await;
    not_proven(N2, "the_frontend_is_let_in", |config| config.frontend_origins.clear()).await;
    not_proven(N2, "refused_bodies_follow_the_same_rule", |config| config.client = None).await;
    for (lacks, id) in [
        ("origin check", "fetch_metadata_changes_no_judgement"),
        ("cors", "foreign_origins_are_not_let_in"),
        ("cors", "the_frontend_is_let_in"),
        ("origin check", "unsafe_methods_of_foreign_origins_are_refused"),
    ] {
        let world = World::start(&[lacks]).await;
        let report = measure(world.config(), N2).await;
        assert_eq!(claim(&report, id).verdict, Verdict::NotProven, "{lacks}: {:#?}", report.measures[0]);
    }
}
