//! What is beyond the document: a sound world passes each measure, one that lacks just that defence fails it, and where the
//! auditor may not look it is not proven. Each claim's own three cases stand beside its measure.

mod ask;
mod world;

use ask::{claim, measure};
use audit::MeasureId::{X2, X3, X4, X5, X6, X7, X8, X9, X10, X11, X12, X13, X14};
use audit::{Only, Verdict};
use world::{World, document, fails, not_proven};

#[tokio::test]
async fn a_sound_world_passes_what_is_beyond_the_document() {
    let world = World::start(&[]).await;
    let ids = vec![X2, X3, X4, X5, X6, X8, X9, X10, X11, X12, X13, X14];
    let mut config = world.config();
    // No line of a document stands for what is beyond it.
    config.document = Some(document());
    let report = audit::run(config, Only::Measures(ids), |_| {}).await;
    let open: Vec<String> = report
        .measures
        .iter()
        .flat_map(|measure| measure.claims.iter().map(move |claim| (measure.id, claim)))
        .filter(|(_, claim)| !matches!(claim.verdict, Verdict::Pass | Verdict::NotApplicable))
        // How long a login takes is the machine's affair, which tests share.
        .filter(|(_, claim)| claim.id != "a_login_takes_as_long" || claim.verdict == Verdict::Fail)
        .map(|(id, claim)| format!("{id}/{}: {} {:#?}", claim.id, claim.verdict, claim.evidence))
        .collect();
    assert!(open.is_empty(), "{}", open.join("\n"));
    assert_eq!(*world.acted.lock().unwrap(), Vec::<String>::new(), "no unsafe method was let through");
    assert_eq!(world.users(), ["audit@example.com"], "no throw-away user is left");

    // Every claim says what it says.
    for measure in &report.measures {
        for claim in &measure.claims {
            assert!(!claim.sentence.is_empty(), "{}/{} is in no list", measure.id, claim.id);
        }
    }
    let json = audit::report::json::render(&report);
    for secret in ["the auditor's own password", "an-old-key", "eyJ"] {
        assert!(!json.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn each_fails_without_its_defence() {
    fails("nosniff", X2, "every_answer_says_nosniff").await;
    fails("page policy", X2, "pages_run_no_foreign_script").await;
    fails("cookie flags", X3, "scripts_do_not_see_cookies").await;
    fails("throttle", X4, "guessing_a_password_is_throttled").await;
    fails("equal answers", X5, "a_reset_tells_nothing").await;
    fails("logout", X6, "a_logout_ends_its_tokens").await;
    fails("single refresh", X6, "a_refresh_token_works_once").await;
    fails("header check", X9, "no_header_says_who_one_is").await;
    fails("path check", X10, "no_written_path_fools_it").await;
    fails("exact issuer", X11, "the_issuer_names_itself_exactly").await;
    fails("closed folder", X12, "no_source_control_is_served").await;
    fails("password rules", X13, "common_passwords_are_refused").await;
    fails("type check", X14, "wrong_types_are_refused").await;
    fails("single parameters", X14, "doubled_parameters_are_refused").await;
    fails("strict JSON", X14, "broken_data_is_refused").await;
    fails("body bound", X14, "large_bodies_are_refused").await;
    fails("text check", X14, "strange_texts_are_refused").await;
    fails("body type", X14, "other_types_of_body_are_refused").await;
}

#[tokio::test]
async fn each_is_not_proven_where_the_auditor_may_not_look() {
    for (id, claim) in [
        (X4, "guessing_a_password_is_throttled"),
        (X4, "guessing_a_secret_is_throttled"),
        (X5, "a_login_tells_nothing"),
        (X6, "a_logout_ends_its_tokens"),
        (X13, "short_passwords_are_refused"),
        (X2, "password_fields_are_for_password_managers"),
    ] {
        not_proven(id, claim, |config| config.exercise = false).await;
    }
    for (id, claim) in
        [(X9, "no_header_says_who_one_is"), (X10, "no_header_fools_it"), (X11, "clients_prove_who_they_are")]
    {
        not_proven(id, claim, |config| (config.client, config.user) = (None, None)).await;
    }
    not_proven(X7, "the_backup_opens", |config| config.backup = None).await;
    not_proven(X14, "wrong_types_are_refused", |config| config.client = None).await;
}

/// A server that believes Transfer-Encoding and Content-Length by turns answers the hidden request, too.
#[tokio::test]
async fn a_server_that_reads_lengths_loosely_is_seen() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut buffer = vec![0; 65_536];
                while let Ok(count) = stream.read(&mut buffer).await {
                    if count == 0 {
                        break;
                    }
                    // Wherever a request line stands, it is taken for a request.
                    let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
                    for _ in 0..text.matches(" HTTP/1.1\r\n").count() {
                        let answer = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
                        if stream.write_all(answer.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    let world = World::start(&[]).await;
    let mut config = world.config();
    config.target = url.clone();
    config.issuer = format!("{url}/");
    let report = measure(config, X8).await;
    assert_eq!(
        claim(&report, "two_lengths_are_not_believed").verdict,
        Verdict::Fail,
        "{:#?}",
        report.measures[0]
    );
    let sound = measure(world.config(), X8).await;
    assert_ne!(sound.measures[0].verdict, Verdict::Fail, "{:#?}", sound.measures[0]);
}
