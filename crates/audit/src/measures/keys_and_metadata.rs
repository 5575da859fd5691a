//! X11: what the issuer publishes of itself is sound: public keys alone and strong ones, no weak algorithm, its exact name
//! (RFC 8414 section 3.3, OpenID Connect Discovery section 4.3); and its token endpoint does what that says
//! (`token_endpoint`).

mod token_endpoint;

use serde_json::Value;

use crate::evidence::Evidence;
use crate::measures::claimed::{Claimed, claimed};
use crate::measures::tally::{self, Found};
use crate::report::Claim;
use crate::world::World;
use crate::world::http::{Answer, Probe};

/// What it can claim.
pub(crate) const CLAIMS: &[Claimed] = &[
    claimed("only_public_keys_are_published", "the key set has no private member", &[], &[321, 522]),
    claimed(
        "published_keys_are_strong",
        "every published key has 128 bits of strength",
        &["V11.2.3", "V11.6.1"],
        &[326],
    ),
    claimed(
        "no_weak_algorithm_is_offered",
        "neither keys nor metadata offer none, a shared secret or SHA-1",
        &["V11.4.3", "V9.1.2"],
        &[327, 328],
    ),
    claimed(
        "the_issuer_names_itself_exactly",
        "the metadata's issuer is the issuer, byte for byte",
        &["V10.5.3"],
        &[346],
    ),
    claimed("every_address_is_the_issuers", "every address in the metadata is the issuer's own", &[], &[601]),
    claimed(
        "no_grant_gives_tokens_away",
        "neither the implicit nor the password grant is offered or served",
        &["V10.4.4", "V10.6.1"],
        &[522],
    ),
    claimed(
        "clients_prove_who_they_are",
        "the token endpoint refuses a client without its secret or with a wrong one",
        &["V10.4.10"],
        &[287, 306],
    ),
    claimed(
        "no_scope_is_given_unasked",
        "a client gets no scope that it was not given",
        &["V10.4.11"],
        &[269],
    ),
    claimed(
        "tokens_are_for_one_audience",
        "a token is for the audience that was asked for, and none is given for one that nobody knows",
        &["V9.2.4"],
        &[863],
    ),
];

/// Members of a key that nobody but its owner may have (RFC 7518 section 6).
const PRIVATE: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "k"];
/// RSA of this many bits has 128 bits of strength (NIST SP 800-57).
const MODULUS: usize = 3072;

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    let (config, http) = (&world.config, &world.http);
    let get = |path: &str| http.send(Probe::new("GET", format!("{}{path}", config.issuer)));
    let keys = get(".well-known/jwks.json").await.map_err(|why| format!("the key set: {why}"));
    let metadata =
        get(".well-known/openid-configuration").await.map_err(|why| format!("the metadata: {why}"));
    let keys = keys.and_then(|answer| json(&answer, "the key set"));
    let metadata = metadata.and_then(|answer| json(&answer, "the metadata"));
    let mut claims = judge(&config.issuer, &keys, &metadata);
    let tried = token_endpoint::observe(world).await;
    claims.push(token_endpoint::grants(&metadata, &tried));
    claims.extend(token_endpoint::behaviour(&config.audience, &tried));
    claims
}

fn json(answer: &Answer, what: &str) -> Result<Value, String> {
    match answer.json().filter(|_| answer.status == 200) {
        Some(value) => Ok(value),
        None => Err(format!("{what} is not there: {}", answer.status)),
    }
}

fn judge(issuer: &str, keys: &Result<Value, String>, metadata: &Result<Value, String>) -> Vec<Claim> {
    let about = |value: &Result<Value, String>, look: &dyn Fn(&Value) -> Vec<Found>| match value {
        Ok(value) => look(value),
        Err(why) => vec![Found::Unclear(Evidence::http(why.clone()))],
    };
    let mut algorithms = about(keys, &|keys| each_key(keys, weak_algorithm));
    algorithms.extend(about(metadata, &offered));
    vec![
        tally::claim(
            CLAIMS[0].id,
            about(keys, &|keys| each_key(keys, private_member)),
            "no key is published",
            "publish public members alone",
        ),
        tally::claim(
            CLAIMS[1].id,
            about(keys, &|keys| each_key(keys, weakness)),
            "no key is published",
            "use RSA of 3072 bits, P-256 or Ed25519",
        ),
        tally::claim(CLAIMS[2].id, algorithms, "nothing names an algorithm", "offer RS256, ES256 or EdDSA"),
        tally::claim(
            CLAIMS[3].id,
            about(metadata, &|metadata| vec![exact(issuer, metadata)]),
            "no metadata",
            "publish the issuer as tokens name it",
        ),
        tally::claim(
            CLAIMS[4].id,
            about(metadata, &|metadata| addresses(issuer, metadata)),
            "the metadata names no address",
            "take every address from the issuer's",
        ),
    ]
}

fn each_key(keys: &Value, rule: fn(&Value) -> Result<String, String>) -> Vec<Found> {
    let keys = keys.get("keys").and_then(Value::as_array).cloned().unwrap_or_default();
    keys.iter()
        .map(|key| {
            let name = key.get("kid").and_then(Value::as_str).unwrap_or("without a kid");
            match rule(key) {
                Ok(said) => Found::Good(Evidence::http(format!("key {name}: {said}"))),
                Err(said) => Found::Bad(Evidence::http(format!("key {name}: {said}"))),
            }
        })
        .collect()
}

fn private_member(key: &Value) -> Result<String, String> {
    match PRIVATE.iter().find(|member| key.get(**member).is_some()) {
        Some(member) => Err(format!("it has the private member {member}")),
        None => Ok("no private member".into()),
    }
}

fn weakness(key: &Value) -> Result<String, String> {
    use base64::Engine as _;
    let bytes = |name: &str| {
        let text = key.get(name)?.as_str()?;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).ok()
    };
    match key.get("kty").and_then(Value::as_str).unwrap_or_default() {
        "RSA" => {
            let modulus = bytes("n").unwrap_or_default();
            let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
            let first = modulus.get(zeros).map_or(0, |byte| byte.leading_zeros() as usize);
            let bits = (modulus.len() - zeros) * 8 - first;
            let exponent = bytes("e").unwrap_or_default();
            let small = exponent.iter().all(|byte| *byte == 0) || exponent == [1] || exponent == [3];
            if bits < MODULUS || small {
                Err(format!("RSA of {bits} bits{}", if small { " with a small exponent" } else { "" }))
            } else {
                Ok(format!("RSA of {bits} bits"))
            }
        }
        kind @ ("EC" | "OKP") => {
            let curve = key.get("crv").and_then(Value::as_str).unwrap_or_default();
            if matches!(curve, "P-256" | "P-384" | "P-521" | "Ed25519" | "Ed448") {
                Ok(format!("{kind} on {curve}"))
            } else {
                Err(format!("{kind} on {curve:?}"))
            }
        }
        other => Err(format!("a key of the kind {other:?}")),
    }
}

fn is_weak(algorithm: &str) -> bool {
    algorithm.eq_ignore_ascii_case("none")
        || algorithm.starts_with("HS")
        || matches!(algorithm, "RS1" | "RSA1_5")
}

fn weak_algorithm(key: &Value) -> Result<String, String> {
    match key.get("alg").and_then(Value::as_str) {
        Some(algorithm) if is_weak(algorithm) => Err(format!("alg {algorithm}")),
        Some(algorithm) => Ok(format!("alg {algorithm}")),
        None => Ok("no alg of its own".into()),
    }
}

fn offered(metadata: &Value) -> Vec<Found> {
    let mut found = Vec::new();
    for (name, value) in metadata.as_object().into_iter().flatten() {
        if !name.ends_with("signing_alg_values_supported") {
            continue;
        }
        for algorithm in value.as_array().into_iter().flatten().filter_map(Value::as_str) {
            // A client's own assertion by its secret (client_secret_jwt) is a shared secret by design.
            let by_secret = name.starts_with("token_endpoint_auth") && algorithm.starts_with("HS");
            found.push(Found::when(
                by_secret || !is_weak(algorithm),
                Evidence::http(format!("{name} has {algorithm}")),
            ));
        }
    }
    found
}

fn exact(issuer: &str, metadata: &Value) -> Found {
    let said = metadata.get("issuer").and_then(Value::as_str).unwrap_or_default();
    Found::when(said == issuer, Evidence::http(format!("the metadata says {said}, asked was {issuer}")))
}

fn addresses(issuer: &str, metadata: &Value) -> Vec<Found> {
    let origin = |address: &str| url::Url::parse(address).ok().map(|url| url.origin());
    let members = metadata.as_object().into_iter().flatten();
    members
        .filter(|(name, _)| name.ends_with("_endpoint") || *name == "jwks_uri")
        .filter_map(|(name, value)| {
            let address = value.as_str()?;
            let own = origin(address).is_some() && origin(address) == origin(issuer);
            Some(Found::when(own, Evidence::http(format!("{name} is {address}"))))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;
    use base64::Engine as _;
    use serde_json::json;

    const ISSUER: &str = "https://id.example.com/";

    fn rsa(bytes: usize) -> Value {
        let n = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(vec![0xc3; bytes]);
        json!({"kty": "RSA", "kid": "1", "alg": "RS256", "n": n, "e": "AQAB"})
    }

    fn metadata() -> Value {
        json!({"issuer": ISSUER, "token_endpoint": "https://id.example.com/oauth/token", "jwks_uri": "https://id.example.com/jwks",
               "id_token_signing_alg_values_supported": ["RS256"], "grant_types_supported": ["client_credentials"],
               "response_types_supported": []})
    }

    fn verdict(key: Value, metadata: Value, id: &str) -> Verdict {
        let claims = judge(ISSUER, &Ok(json!({"keys": [key]})), &Ok(metadata));
        claims.iter().find(|claim| claim.id == id).map(|claim| claim.verdict).unwrap()
    }

    #[test]
    fn what_is_published_is_judged_by_itself() {
        let with = |change: Value| {
            let mut all = metadata();
            for (name, value) in change.as_object().unwrap() {
                all[name] = value.clone();
            }
            all
        };
        for claim in CLAIMS.iter().take(5) {
            assert_eq!(verdict(rsa(384), metadata(), claim.id), Verdict::Pass, "{}", claim.id);
        }
        let mut private = rsa(384);
        private["d"] = json!("x");
        assert_eq!(verdict(private, metadata(), "only_public_keys_are_published"), Verdict::Fail);
        assert_eq!(verdict(rsa(256), metadata(), "published_keys_are_strong"), Verdict::Fail);
        let curve = |crv: &str| json!({"kty": "EC", "crv": crv, "kid": "2"});
        assert_eq!(verdict(curve("P-256"), metadata(), "published_keys_are_strong"), Verdict::Pass);
        assert_eq!(verdict(curve("P-192"), metadata(), "published_keys_are_strong"), Verdict::Fail);
        let mut shared = rsa(384);
        shared["alg"] = json!("HS256");
        assert_eq!(verdict(shared, metadata(), "no_weak_algorithm_is_offered"), Verdict::Fail);
        let none = with(json!({"id_token_signing_alg_values_supported": ["RS256", "none"]}));
        assert_eq!(verdict(rsa(384), none, "no_weak_algorithm_is_offered"), Verdict::Fail);
        let other = with(json!({"issuer": "https://id.example.com"}));
        assert_eq!(verdict(rsa(384), other, "the_issuer_names_itself_exactly"), Verdict::Fail);
        let away = with(json!({"token_endpoint": "https://elsewhere.example/oauth/token"}));
        assert_eq!(verdict(rsa(384), away, "every_address_is_the_issuers"), Verdict::Fail);
        let unread = Err("the key set is not there: 404".to_owned());
        assert!(judge(ISSUER, &unread, &unread).iter().all(|claim| claim.verdict == Verdict::NotProven));
    }
}
