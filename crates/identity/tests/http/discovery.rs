//! `/.well-known/*`.

use crate::world::{ISSUER, World};

#[tokio::test]
async fn rfc8414_2_metadata_says_what_works_and_is_the_same_twice() {
    let world = World::new().await;
    let openid = world.request("GET", "/.well-known/openid-configuration").send().await.expect(200);
    let oauth = world.request("GET", "/.well-known/oauth-authorization-server").send().await.expect(200);
    assert_eq!(openid.body, oauth.body);
    let said = openid.json();
    assert_eq!(said["issuer"], ISSUER);
    assert_eq!(said["token_endpoint"], format!("{ISSUER}oauth/token"));
    assert_eq!(said["jwks_uri"], format!("{ISSUER}.well-known/jwks.json"));
    assert_eq!(said["grant_types_supported"], serde_json::json!(["client_credentials"]));
    for (name, value) in said.as_object().unwrap() {
        assert_ne!(value, &serde_json::json!([]), "{name}");
    }
    assert_eq!(openid.header("access-control-allow-origin"), Some("*"));
    assert_eq!(openid.header("access-control-allow-credentials"), None);
}

#[tokio::test]
async fn rfc8414_no_header_of_the_request_gets_into_the_metadata() {
    let world = World::new().await;
    let reply = world
        .request("GET", "/.well-known/openid-configuration")
        .header("host", "evil.test")
        .header("x-forwarded-host", "evil.test")
        .header("forwarded", "host=evil.test")
        .send()
        .await
        .expect(200);
    assert!(!reply.text().contains("evil.test"));
}

#[tokio::test]
async fn rfc7517_5_the_key_set_holds_public_rsa_keys_of_3072_bits_alone() {
    let world = World::new().await;
    let reply = world.request("GET", "/.well-known/jwks.json").send().await.expect(200);
    assert_eq!(reply.header("cache-control"), Some("public, max-age=300"));
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    let set = reply.json();
    for key in set["keys"].as_array().unwrap() {
        assert_eq!(
            (key["kty"].as_str(), key["use"].as_str(), key["alg"].as_str()),
            (Some("RSA"), Some("sig"), Some("RS256"))
        );
        assert_eq!(key["n"].as_str().unwrap().len(), 512, "3072 bits in base64url");
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(key.get(private).is_none(), "{private}");
        }
    }
    let head = world.request("HEAD", "/.well-known/jwks.json").send().await.expect(200);
    assert!(head.body.is_empty());
    world.request("POST", "/.well-known/jwks.json").send().await.expect(405);
    world.request("GET", "/.well-known/nothing").send().await.expect(404);
}
