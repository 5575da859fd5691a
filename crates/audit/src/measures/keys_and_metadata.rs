//! X11: what the issuer publishes of itself is sound: public keys alone and strong ones, no weak algorithm, its exact name
//! (RFC 8414 section 3.3, OpenID Connect Discovery section 4.3), no grant that gives tokens away; and it does what that says:
//! a client proves who it is and gets no scope and no audience that it was not given.

use secrecy::ExposeSecret as _;
use serde_json::Value;

use crate::config::Caller;
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
    let tried = observe(world).await;
    claims.push(grants(&metadata, &tried));
    claims.extend(behaviour(&config.audience, &tried));
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

/// What the token endpoint answered; each a status and, where it gave a token, the token's scopes and audiences.
struct Tried {
    /// The right secret: the control of all the others.
    right: Result<Given, String>,
    no_secret: Result<u16, String>,
    wrong_secret: Result<u16, String>,
    password_grant: Result<u16, String>,
    strange_scope: Result<Given, String>,
    strange_audience: Result<u16, String>,
    /// The scope that nobody has.
    scope: String,
}

#[derive(Clone, Default)]
struct Given {
    status: u16,
    scope: String,
    audiences: Option<Vec<String>>,
}

async fn observe(world: &World) -> Tried {
    let config = &world.config;
    let scope = format!("audit:never-{}", world.id);
    let nobody = format!("nobody-{}", world.id);
    let Some(client) = &config.client else {
        let why = || "no client of the auditor's own ([audit] client_id)".to_owned();
        return Tried {
            right: Err(why()),
            no_secret: Err(why()),
            wrong_secret: Err(why()),
            password_grant: Err(why()),
            strange_scope: Err(why()),
            strange_audience: Err(why()),
            scope,
        };
    };
    let ask = |fields: Vec<(&'static str, String)>, secret: Option<String>| async move {
        let url = format!("{}oauth/token", config.issuer);
        let mut all = vec![("client_id", client.id.clone())];
        all.extend(secret.map(|secret| ("client_secret", secret)));
        all.extend(fields);
        let form: Vec<_> = all.iter().map(|(name, value)| (*name, value.as_str())).collect();
        world.http.send(Probe::new("POST", url).form(&form)).await.map_err(|why| why.to_string())
    };
    let grant = |audience: &str, scope: Option<&str>| {
        let mut fields =
            vec![("grant_type", "client_credentials".to_owned()), ("audience", audience.to_owned())];
        fields.extend(scope.map(|scope| ("scope", scope.to_owned())));
        fields
    };
    let secret = || Some(client.secret.expose_secret().to_owned());
    let audience = config.audience.as_str();
    let status = |answer: Result<Answer, String>| answer.map(|answer| answer.status);
    let right = match world.full(Caller::Client).await {
        Ok(token) => Ok(Given {
            status: 200,
            scope: token.scopes.iter().cloned().collect::<Vec<_>>().join(" "),
            audiences: token.claims.as_ref().and_then(audiences),
        }),
        Err(why) => Err(why),
    };
    let password = vec![
        ("grant_type", "password".to_owned()),
        ("username", format!("{nobody}@example.com")),
        ("password", nobody.clone()),
        ("audience", audience.to_owned()),
    ];
    Tried {
        right,
        no_secret: status(ask(grant(audience, None), None).await),
        wrong_secret: status(ask(grant(audience, None), Some(nobody.clone())).await),
        password_grant: status(ask(password, secret()).await),
        strange_scope: ask(grant(audience, Some(&scope)), secret()).await.map(|answer| Given {
            status: answer.status,
            scope: scopes(&answer),
            audiences: None,
        }),
        strange_audience: status(ask(grant(&format!("https://{nobody}.example"), None), secret()).await),
        scope,
    }
}

fn scopes(answer: &Answer) -> String {
    let body = answer.json().unwrap_or_default();
    if let Some(scope) = body.get("scope").and_then(Value::as_str) {
        return scope.to_owned();
    }
    let token = body.get("access_token").and_then(Value::as_str).map(|token| token.to_owned().into());
    let claims = token.as_ref().and_then(crate::world::forge::claims);
    claims.and_then(|claims| Some(claims.get("scope")?.as_str()?.to_owned())).unwrap_or_default()
}

fn audiences(claims: &Value) -> Option<Vec<String>> {
    match claims.get("aud")? {
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(many) => {
            Some(many.iter().filter_map(|one| one.as_str().map(ToOwned::to_owned)).collect())
        }
        _ => None,
    }
}

fn grants(metadata: &Result<Value, String>, tried: &Tried) -> Claim {
    let mut found = Vec::new();
    match metadata {
        Err(why) => found.push(Found::Unclear(Evidence::http(why.clone()))),
        Ok(metadata) => {
            let list = |name: &str| -> Option<Vec<String>> {
                let values = metadata.get(name)?.as_array()?.iter();
                Some(values.filter_map(|value| Some(value.as_str()?.to_owned())).collect())
            };
            found.push(match list("grant_types_supported") {
                Some(grants) => {
                    let given_away = grants.iter().any(|grant| grant == "implicit" || grant == "password");
                    let what = format!("grant_types_supported: {}", grants.join(", "));
                    Found::when(!given_away, Evidence::http(what))
                }
                // RFC 8414 section 2: left out, it means authorization_code and implicit.
                None => Found::Unclear(Evidence::http(
                    "no grant_types_supported, which means authorization_code and implicit",
                )),
            });
            found.push(match list("response_types_supported") {
                Some(responses) => {
                    let token = responses.iter().any(|kind| kind.split(' ').any(|part| part == "token"));
                    let what = format!("response_types_supported: {}", responses.join(", "));
                    Found::when(!token, Evidence::http(what))
                }
                None if metadata.get("authorization_endpoint").is_none() => Found::Good(Evidence::http(
                    "no authorization_endpoint, and no response_types_supported for one",
                )),
                None => Found::Unclear(Evidence::http("no response_types_supported, which is required")),
            });
        }
    }
    found.push(refused("grant_type=password", &tried.password_grant, &tried.right));
    tally::claim(
        CLAIMS[5].id,
        found,
        "nothing",
        "offer authorization_code, client_credentials and refresh_token alone",
    )
}

/// Must be refused, beside the right secret that is not.
fn refused(what: &str, status: &Result<u16, String>, right: &Result<Given, String>) -> Found {
    match (status, right) {
        (Err(why), _) => Found::Unclear(Evidence::http(format!("{what}: {why}"))),
        (Ok(status), _) if (200..300).contains(status) => {
            Found::Bad(Evidence::http(format!("{what}: {status}")))
        }
        (Ok(status), Ok(given)) if (400..404).contains(status) => Found::Good(
            Evidence::http(format!("{what}: {status}"))
                .beside(format!("the right secret got {}", given.status)),
        ),
        (Ok(status), Ok(_)) => Found::Unclear(Evidence::http(format!("{what}: {status}"))),
        (Ok(status), Err(why)) => {
            Found::Unclear(Evidence::http(format!("{what}: {status}, but without a control: {why}")))
        }
    }
}

fn behaviour(audience: &str, tried: &Tried) -> Vec<Claim> {
    let scope = match &tried.strange_scope {
        Ok(given) if (200..300).contains(&given.status) => {
            let got = given.scope.split(' ').any(|scope| scope == tried.scope);
            Found::when(
                !got,
                Evidence::http(format!("asked for a scope that nobody has, given: {}", given.scope)),
            )
        }
        Ok(given) => refused("a scope that nobody has", &Ok(given.status), &tried.right),
        Err(why) => Found::Unclear(Evidence::http(why.clone())),
    };
    let own = match &tried.right {
        Ok(given) => match &given.audiences {
            Some(audiences) => {
                let one = audiences.iter().all(|one| one == audience) && !audiences.is_empty();
                Found::when(
                    one,
                    Evidence::http(format!("asked for {audience}, the token says {}", audiences.join(", "))),
                )
            }
            None => Found::Unclear(Evidence::http("the token's audience cannot be read")),
        },
        Err(why) => Found::Unclear(Evidence::http(why.clone())),
    };
    vec![
        tally::claim(
            CLAIMS[6].id,
            [
                refused("no secret", &tried.no_secret, &tried.right),
                refused("a wrong secret", &tried.wrong_secret, &tried.right),
            ],
            "nothing",
            "authenticate the client before anything else",
        ),
        tally::claim(CLAIMS[7].id, [scope], "nothing", "give what the client was given, and no more"),
        tally::claim(
            CLAIMS[8].id,
            [own, refused("an audience that nobody knows", &tried.strange_audience, &tried.right)],
            "nothing",
            "put the audience that was asked for into the token, and refuse others",
        ),
    ]
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

    fn sound() -> Tried {
        let audiences = Some(vec!["https://api".to_owned()]);
        Tried {
            right: Ok(Given { status: 200, scope: "a".into(), audiences }),
            no_secret: Ok(401),
            wrong_secret: Ok(401),
            password_grant: Ok(400),
            strange_scope: Ok(Given { status: 400, ..Given::default() }),
            strange_audience: Ok(403),
            scope: "audit:never".into(),
        }
    }

    #[test]
    fn what_the_token_endpoint_does_is_judged_beside_the_right_secret() {
        use Verdict::{Fail, NotProven, Pass};
        let all = |tried: &Tried| -> Vec<Verdict> {
            let grants = grants(&Ok(metadata()), tried).verdict;
            [grants]
                .into_iter()
                .chain(behaviour("https://api", tried).iter().map(|claim| claim.verdict))
                .collect()
        };
        assert_eq!(all(&sound()), [Pass; 4]);
        assert_eq!(all(&Tried { password_grant: Ok(200), ..sound() }), [Fail, Pass, Pass, Pass]);
        assert_eq!(all(&Tried { no_secret: Ok(200), ..sound() }), [Pass, Fail, Pass, Pass]);
        assert_eq!(all(&Tried { wrong_secret: Ok(200), ..sound() }), [Pass, Fail, Pass, Pass]);
        let given = Given { status: 200, scope: "a audit:never".into(), audiences: None };
        assert_eq!(all(&Tried { strange_scope: Ok(given), ..sound() }), [Pass, Pass, Fail, Pass]);
        let narrowed = Given { status: 200, scope: "a".into(), audiences: None };
        assert_eq!(all(&Tried { strange_scope: Ok(narrowed), ..sound() }), [Pass; 4]);
        assert_eq!(all(&Tried { strange_audience: Ok(200), ..sound() }), [Pass, Pass, Pass, Fail]);
        let many = Some(vec!["https://api".to_owned(), "https://b".to_owned()]);
        let right = Ok(Given { status: 200, scope: String::new(), audiences: many });
        assert_eq!(all(&Tried { right, ..sound() }), [Pass, Pass, Pass, Fail]);
        assert_eq!(all(&Tried { right: Err("down".into()), ..sound() }), [NotProven; 4]);
        let mut implicit = metadata();
        implicit["response_types_supported"] = json!(["code", "id_token token"]);
        assert_eq!(grants(&Ok(implicit), &sound()).verdict, Fail);

        let without = |name: &str, endpoint: bool| {
            let mut metadata = metadata();
            metadata.as_object_mut().unwrap().remove(name);
            if endpoint {
                metadata["authorization_endpoint"] = json!("https://id.example.com/authorize");
            }
            grants(&Ok(metadata), &sound()).verdict
        };
        assert_eq!(without("grant_types_supported", false), NotProven, "left out, it means implicit, too");
        assert_eq!(without("response_types_supported", true), NotProven);
        assert_eq!(without("response_types_supported", false), Pass, "there is nothing to ask for one");
    }
}
