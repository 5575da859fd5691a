//! `dev --tls`, asked by curl, which trusts nothing but the certificate authority in the folder.

use testkit::process::{self, Output};

use crate::world::World;

async fn curl(world: &World, arguments: &[&str]) -> Output {
    let mut command = process::command("curl");
    command.args(["--silent", "--show-error", "--include", "--cacert"]).arg(world.state().join("ca.pem"));
    command.args(arguments);
    process::run(command).await
}

#[tokio::test]
async fn both_origins_speak_https_by_the_folders_own_authority() {
    let world = World::dev(&["--tls"], "").await;
    let (issuer, gateway) = (world.says("issuer").to_owned(), world.says("gateway").to_owned());
    assert!(issuer.starts_with("https://") && gateway.starts_with("https://"), "{issuer} {gateway}");

    let fields = [
        "grant_type=client_credentials".to_owned(),
        format!("client_id={}", world.says("client_id")),
        format!("client_secret={}", world.says("client_secret")),
        format!("audience={}", world.says("audience")),
    ];
    let url = world.issuer("oauth/token");
    let mut arguments = vec![url.as_str()];
    arguments.extend(fields.iter().flat_map(|field| ["--data-urlencode", field.as_str()]));
    let answer = curl(&world, &arguments).await.expect(0).stdout;
    assert!(answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/2 200"), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let bearer = format!("Authorization: Bearer {}", body["access_token"].as_str().unwrap());

    let catalogue = world.gateway("/catalogue");
    let answer = curl(&world, &[&catalogue, "-H", &bearer]).await.expect(0).stdout;
    assert!(answer.lines().next().unwrap().contains(" 200"), "{answer}");
    let answer = curl(&world, &[&catalogue]).await.expect(0).stdout;
    assert!(answer.lines().next().unwrap().contains(" 401"), "{answer}");

    // The key set that a verifier would fetch is found where the metadata says, over https again.
    let metadata = curl(&world, &[&world.issuer(".well-known/openid-configuration")]).await.expect(0).stdout;
    assert!(metadata.contains(&format!("\"issuer\":\"{issuer}\"")), "{metadata}");
}

#[tokio::test]
async fn who_does_not_know_the_authority_or_speaks_plainly_gets_nothing() {
    let world = World::dev(&["--tls"], "").await;
    for url in [world.issuer(".well-known/jwks.json"), world.gateway("/health")] {
        let mut stranger = process::command("curl");
        stranger.args(["--silent", "--show-error", &url]);
        // 60: the peer's certificate cannot be authenticated.
        process::run(stranger).await.expect(60);
        let plain = world.http.get(&url.replacen("https://", "http://", 1)).try_send().await;
        assert!(plain.is_err_and(|error| !error.is_empty()), "plain http is not answered");
        curl(&world, &[&url]).await.expect(0);
    }
}
