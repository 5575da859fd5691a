//! The operations address: alive, ready, what is not ready by name, and figures.

use std::time::Duration;

use testkit::http::{Client, Reply};
use testkit::postgres::Postgres;

use crate::served::{AUDIENCE, Laid, Served, private};
use crate::world::PASSWORD;

/// The operations address of a configuration.
fn operations(laid: &Laid) -> String {
    let text = std::fs::read_to_string(laid.file()).unwrap();
    let (_, section) = text.split_once("[operations]\nlisten = \"").unwrap();
    format!("http://{}", section.split_once('"').unwrap().0)
}

/// Asks until the answer has this status.
async fn until(status: u16, url: &str) -> Reply {
    let asked = async {
        loop {
            let reply = Client::new().get(url).send().await;
            if reply.code() == status {
                return reply;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let asked = tokio::time::timeout(Duration::from_secs(60), asked).await;
    asked.unwrap_or_else(|_| panic!("{url} does not come to answer {status}"))
}

#[tokio::test]
async fn readiness_names_the_stopped_database_and_comes_back_with_it() {
    let postgres = Postgres::start();
    let database = postgres.fresh_database();
    let laid = Laid::out("").await;
    laid.edit(
        "url = \"sqlcipher:portcullis.db\"\nkey_file = \"store.key\"",
        &format!("url = \"{}\"\npassword_file = \"database\"", database.url()),
    );
    private(&laid.path("database"), database.password.as_bytes());
    laid.run(&["api", "create", "--identifier", AUDIENCE, "--scope", "read:notes"]).await.expect(0);
    let operations = operations(&laid);
    let (livez, readyz) = (format!("{operations}/livez"), format!("{operations}/readyz"));
    let here: Served = laid.start().await;
    here.http.get(&livez).send().await.expect(204);
    let ready = here.http.get(&readyz).send().await.expect(200).json();
    assert_eq!(ready["ready"], true);
    assert_eq!(ready["not_ready"], serde_json::json!([]));
    here.sign_up("ada@example.com").await;

    postgres.stop();
    let red = until(503, &readyz).await.json();
    assert_eq!(red["ready"], false);
    let named = red["not_ready"].as_array().unwrap();
    assert!(named.iter().any(|one| one == "store"), "the store is named: {red}");
    // The process is healthy: restarting it would bring no database back.
    here.http.get(&livez).send().await.expect(204);
    let refused = here.log_in("ada@example.com", PASSWORD).await.expect(503);
    assert_eq!(refused.header("content-type"), Some("application/problem+json"), "{}", refused.text());

    postgres.start_again();
    until(200, &readyz).await;
    here.log_in("ada@example.com", PASSWORD).await.expect(200);
    here.stop().await;
}

#[tokio::test]
async fn metrics_are_text_that_counts_what_was_asked() {
    let here = Served::start("").await;
    let operations = operations(&here.laid);
    let text = async || {
        let reply = here.http.get(&format!("{operations}/metrics")).send().await.expect(200);
        assert!(reply.header("content-type").unwrap().starts_with("text/plain"), "{:?}", reply.headers);
        reply.text()
    };
    let sum = |text: &str| -> f64 {
        text.lines()
            .filter(|line| line.starts_with("portcullis_") && line.contains("requests"))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    };
    let before = text().await;
    for line in before.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let value = line.rsplit(' ').next().unwrap();
        assert!(value.parse::<f64>().is_ok(), "a sample ends in a number: {line}");
    }
    assert_eq!(here.notes("not.a.token").await, 401);
    let after = text().await;
    assert!(sum(&after) > sum(&before), "a request is counted:\n{before}\n---\n{after}");
    for secret in ["not.a.token", "Bearer"] {
        assert!(!after.contains(secret), "{after}");
    }
    here.stop().await;
}
