//! The page behind a reset link, in Chromium, as a person uses it: with scripts and without.

use serde_json::{Value, json};
use testkit::ecosystem;
use testkit::node::Script;

use crate::world::World;

const PERSON: &str = include_str!("../../../../tests/ecosystem/reset_page.mjs");
const NEW_PASSWORD: &str = "willow-anthem-copper-93"; // portcullis:allow of this test

async fn reset_link(world: &World, email: &str) -> String {
    world
        .http
        .post(&world.issuer("users/password-reset"))
        .json(&json!({ "email": email }))
        .send()
        .await
        .expect(202);
    let deadline = tokio::time::timeout(testkit::http::PATIENCE, async {
        loop {
            let letters = world.http.get(world.says("mailbox")).send().await.expect(200).json();
            let texts = letters.as_array().unwrap().iter().filter(|letter| letter["to"] == email);
            let mut words =
                texts.filter_map(|letter| letter["text"].as_str()).flat_map(str::split_whitespace);
            if let Some(link) = words.rfind(|word| word.contains("/reset?token=")) {
                return link.to_owned();
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    });
    deadline.await.expect("the letter comes")
}

async fn person(world: &World, email: &str, scripts: bool) {
    world.sign_up(email).await;
    let asked = json!({
        "link": reset_link(world, email).await,
        "weak": "passwordpassword",
        "password": NEW_PASSWORD,
        "browser": ecosystem::chromium(),
        "scripts": scripts,
    });
    let saw: Value = Script::new(PERSON).run(&[], &asked.to_string()).await.expect(0).json();
    assert_eq!(saw["opened"], json!([200, 200]), "opening the link changes nothing: {saw}");
    assert_eq!(saw["weak"]["status"], 400, "{saw}");
    assert!(saw["weak"]["alert"].as_str().is_some_and(|text| !text.is_empty()), "{saw}");
    assert_eq!(saw["done"]["status"], 200, "{saw}");
    assert_eq!(saw["reopened"], 400, "the link is dead: {saw}");
    assert_eq!(saw["elsewhere"], json!([]), "the page asks nobody else: {saw}");
    assert_eq!(saw["complaints"], json!([]), "{saw}");
    let policy = saw["policy"].as_str().unwrap_or_default();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(saw["referrer"], "no-referrer", "the link reaches nobody by Referer: {saw}");

    world.log_in(email, crate::world::PASSWORD, None).await.expect(401);
    world.log_in(email, NEW_PASSWORD, None).await.expect(200);
}

#[tokio::test]
async fn a_person_sets_a_new_password_with_scripts_and_without() {
    let world = World::dev(&[], "").await;
    person(&world, "ada@example.com", true).await;
    person(&world, "grace@example.com", false).await;
}
