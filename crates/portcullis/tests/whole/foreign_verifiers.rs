//! Our tokens, verified by libraries that nobody here wrote, through our discovery document and key set alone.

use serde_json::{Value, json};
use testkit::{node, process, python};

use crate::world::World;

const JOSE: &str = include_str!("../../../../tests/ecosystem/verify.mjs");
const PYJWT: &str = include_str!("../../../../tests/ecosystem/verify.py");

/// The same token with one character in the middle of its signature changed.
fn forged(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let middle = signature.len() / 2;
    let other = if signature.as_bytes()[middle] == b'A' { "B" } else { "A" };
    format!("{signed}.{}{other}{}", &signature[..middle], &signature[middle + 1..])
}

/// Gives both libraries a list of `{token, issuer, audience}` and returns what each says: claims or an error.
async fn verified(asked: &Value) -> [Vec<Value>; 2] {
    let asked = asked.to_string();
    let jose = node::Script::new(JOSE).run(&[], &asked).await.expect(0).json();
    let pyjwt = process::run_with_input(python::script(PYJWT, &[]), asked.as_bytes()).await.expect(0).json();
    [jose, pyjwt].map(|answers| answers.as_array().unwrap().clone())
}

#[tokio::test]
async fn jose_and_pyjwt_accept_our_tokens_and_nothing_else() {
    let world = World::dev(&[], "").await;
    world.sign_up("ada@example.com").await;
    let machine = world.machine_token().await;
    let user = world.user_token("ada@example.com", None).await;
    let (issuer, audience) = (world.says("issuer"), world.says("audience"));
    let ask = |token: &str, audience: &str| json!({"token": token, "issuer": issuer, "audience": audience});
    let asked = json!([
        ask(&machine, audience),
        ask(&user, audience),
        ask(&forged(&machine), audience),
        ask(&user, "https://other.example.com"),
    ]);
    for answers in verified(&asked).await {
        let [machine, user, bent, elsewhere] = &answers[..] else { panic!("{answers:?}") };
        for (good, subject_is_client) in [(machine, true), (user, false)] {
            assert!(good["error"].is_null(), "{good}");
            assert_eq!((&good["header"]["typ"], &good["header"]["alg"]), (&"at+jwt".into(), &"RS256".into()));
            let claims = &good["claims"];
            assert_eq!(claims["iss"], issuer);
            assert_eq!(claims["sub"].as_str().unwrap().ends_with("@clients"), subject_is_client);
            // RFC 9068 section 2.2: what every access token carries.
            for required in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"] {
                assert!(!claims[required].is_null(), "{required}: {claims}");
            }
            let lifetime = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
            assert!((1..=900).contains(&lifetime), "{lifetime}");
        }
        assert!(
            bent["claims"].is_null() && bent["error"].as_str().unwrap().to_lowercase().contains("signature")
        );
        assert!(
            elsewhere["claims"].is_null()
                && elsewhere["error"].as_str().unwrap().to_lowercase().contains("aud")
        );
    }
}
