//! A8: users are looked after by a foreign issuer, an Auth0 tenant say. What is asked of it: that it is who it says it is
//! (OpenID Connect Discovery section 4.3), that it shows public keys and no others (RFC 7517 section 9.2), whose tokens it
//! gives, and that the login which it replaced is gone. What it does with passwords is its own affair: `delegated`.

use serde_json::Value;

use crate::config::{Caller, Mode};
use crate::evidence::Evidence;
use crate::measures::claimed::{Claimed, claimed};
use crate::report::Claim;
use crate::verdict::Verdict;
use crate::world::World;
use crate::world::http::{Answer, Probe};
use crate::world::matrix::{Attempt, let_in};
use crate::world::tokens::{self, Scopes};

/// The login that the document had before.
const OLD_LOGIN: &str = "/users/session";
/// Members of a key that nobody but its owner may have (RFC 7518 section 6).
const SECRET_MEMBERS: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "k"];
/// The least that a foreign RSA key may have.
const MODULUS_BITS: usize = 2048;

/// What it can claim.
pub(crate) const CLAIMS: &[Claimed] = &[
    claimed("users_are_a_foreign_issuers", "users live at a foreign issuer", &[], &[]),
    claimed(
        "the_issuer_is_who_it_says_it_is",
        "the foreign issuer names itself as the configuration does",
        &["V10.5.3"],
        &[346],
    ),
    claimed(
        "the_issuer_shows_public_keys_alone",
        "the foreign issuer shows strong public keys and nothing secret",
        &[],
        &[321, 326],
    ),
    claimed(
        "its_tokens_name_it_and_are_let_in",
        "the foreign issuer's tokens name it, and the gateway lets them in",
        &["V9.1.3"],
        &[345],
    ),
    claimed(
        "the_login_that_it_replaced_is_gone",
        "nobody logs in at the place that the foreign issuer took",
        &[],
        &[287],
    ),
];

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    let config = &world.config;
    if config.foreign_issuers.is_empty() {
        let id = "users_are_a_foreign_issuers";
        return vec![match config.mode {
            Mode::Own => {
                let what = "users live here (identity.mode = own), and no foreign issuer is trusted";
                Claim::pass(id, vec![Evidence::configuration(what)]).but(Verdict::NotApplicable)
            }
            Mode::Delegated => {
                let what = "users live elsewhere (identity.mode = delegated), and no foreign issuer is named";
                let remedy = "name it in [[gateway.issuer]]";
                Claim::not_proven(id, vec![Evidence::configuration(what)], remedy)
            }
        }];
    }
    let mut asked = Vec::new();
    for issuer in &config.foreign_issuers {
        asked.push(ask(world, issuer).await);
    }
    let mut claims = vec![named(config.mode, &config.foreign_issuers), who(&asked), keys(&asked)];
    claims.push(tokens(world, &asked).await);
    if config.mode == Mode::Delegated {
        claims.push(old_login(world).await);
    }
    claims
}

/// What the configuration says: the verdict that shows when everything that could be asked is in order.
fn named(mode: Mode, issuers: &[String]) -> Claim {
    let issuers = issuers.join(", ");
    match mode {
        Mode::Delegated => {
            let what = format!("users live at {issuers} (identity.mode = delegated)");
            Claim::pass("users_are_a_foreign_issuers", vec![Evidence::configuration(what)])
                .but(Verdict::Delegated)
        }
        Mode::Own => {
            let what = format!("users live here, and tokens of {issuers} are trusted beside our own");
            Claim::pass("users_are_a_foreign_issuers", vec![Evidence::configuration(what)])
        }
    }
}

/// What a foreign issuer said of itself.
struct Asked {
    issuer: String,
    discovery: Result<Answer, String>,
    keys: Result<Answer, String>,
}

async fn ask(world: &World, issuer: &str) -> Asked {
    let base = issuer.trim_end_matches('/');
    let get = async |url: String| match world.http.send(Probe::new("GET", &url)).await {
        Ok(answer) if answer.status == 200 => Ok(answer),
        Ok(answer) => Err(format!("{url} answered {}", answer.status)),
        Err(why) => Err(format!("{url}: {why}")),
    };
    let discovery = get(format!("{base}/.well-known/openid-configuration")).await;
    let said = discovery.as_ref().ok().and_then(Answer::json);
    let keys = match said.as_ref().and_then(|said| said.get("jwks_uri")).and_then(Value::as_str) {
        Some(url) => get(url.to_owned()).await,
        None => get(format!("{base}/.well-known/jwks.json")).await,
    };
    Asked { issuer: issuer.to_owned(), discovery, keys }
}

fn who(asked: &[Asked]) -> Claim {
    let id = "the_issuer_is_who_it_says_it_is";
    let remedy = "write [[gateway.issuer]] url byte for byte as the issuer names itself";
    let (mut wrong, mut silent, mut right) = (Vec::new(), Vec::new(), Vec::new());
    for one in asked {
        let answer = match &one.discovery {
            Ok(answer) => answer,
            Err(why) => {
                silent.push(Evidence::http(why.clone()));
                continue;
            }
        };
        let document = answer.json().unwrap_or_default();
        let said = document.get("issuer").and_then(Value::as_str).unwrap_or_default();
        let evidence = |what: String| Evidence::http(what).shown(&answer.transcript);
        if said == one.issuer {
            right.push(evidence(format!("{} names itself so", one.issuer)));
        } else {
            wrong.push(evidence(format!("{} names itself {said:?}", one.issuer)));
        }
    }
    sum(id, wrong, silent, right, remedy)
}

fn keys(asked: &[Asked]) -> Claim {
    let id = "the_issuer_shows_public_keys_alone";
    let remedy = "have the issuer publish asymmetric keys of 2048 bits at least, and nothing secret";
    let (mut wrong, mut silent, mut right) = (Vec::new(), Vec::new(), Vec::new());
    for one in asked {
        let answer = match &one.keys {
            Ok(answer) => answer,
            Err(why) => {
                silent.push(Evidence::http(why.clone()));
                continue;
            }
        };
        // A body is never shown: it might be what should not be there.
        let evidence = |what: String| Evidence::http(what).shown(&answer.transcript);
        let body = answer.json().unwrap_or_default();
        let keys = body.get("keys").and_then(Value::as_array).cloned().unwrap_or_default();
        let faults: Vec<String> = keys.iter().filter_map(fault).collect();
        match (keys.len(), faults.first()) {
            (0, _) => wrong.push(evidence(format!("{} shows no key", one.issuer))),
            (_, Some(fault)) => wrong.push(evidence(format!("{}: {fault}", one.issuer))),
            (count, None) => right.push(evidence(format!("{} shows {count} public keys", one.issuer))),
        }
    }
    sum(id, wrong, silent, right, remedy)
}

/// What is wrong with a published key.
fn fault(key: &Value) -> Option<String> {
    use base64::Engine as _;
    let kid = key.get("kid").and_then(Value::as_str).unwrap_or("without a kid");
    if SECRET_MEMBERS.iter().any(|name| key.get(*name).is_some()) {
        return Some(format!("key {kid} is published with its secret"));
    }
    match key.get("kty").and_then(Value::as_str) {
        Some("RSA") => {
            let n = key.get("n").and_then(Value::as_str).unwrap_or_default();
            let n = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(n).unwrap_or_default();
            let bits = 8 * n.iter().skip_while(|byte| **byte == 0).count();
            (bits < MODULUS_BITS).then(|| format!("key {kid} has {bits} bits"))
        }
        Some("EC" | "OKP") => None,
        other => Some(format!("key {kid} is of the kind {}", other.unwrap_or("nothing"))),
    }
}

/// Whose name stands in a token of the issuer's, and whether the gateway takes it. Tried where the auditor has a client.
async fn tokens(world: &World, asked: &[Asked]) -> Claim {
    let id = "its_tokens_name_it_and_are_let_in";
    let remedy = "give the auditor a client at the foreign issuer, and the issuer the API's audience";
    let Some(client) = &world.config.client else {
        let what = "not tried: the auditor has no client there ([audit] client_id)";
        return Claim::pass(id, vec![Evidence::configuration(what)]).but(Verdict::NotApplicable);
    };
    let (mut wrong, mut silent, mut right, mut without) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for one in asked {
        let (audience, any) = (&world.config.audience, Scopes::new());
        let token = match tokens::client_at(&one.issuer, client, &world.http, audience, &any).await {
            Ok(token) => token,
            Err(why) if one.issuer == world.config.issuer => {
                silent.push(Evidence::http(why));
                continue;
            }
            // The client may be one of our own issuer's.
            Err(why) => {
                without.push(Evidence::http(format!("{} gave the auditor no token: {why}", one.issuer)));
                continue;
            }
        };
        let Some(claims) = &token.claims else {
            wrong
                .push(Evidence::http(format!("a token of {} is no JWT: its end cannot be read", one.issuer)));
            continue;
        };
        let iss = claims.get("iss").and_then(Value::as_str).unwrap_or_default();
        let what = format!("a token of {} says iss {iss:?}", one.issuer);
        if iss != one.issuer {
            wrong.push(Evidence::http(what));
            continue;
        }
        // Where it may be let in nowhere, its name is all that it shows.
        right.push(match taken(world, one).await {
            Some(control) => Evidence::http(what).beside(control),
            None => Evidence::http(format!("{what}; no endpoint here lets this client in")),
        });
    }
    if wrong.is_empty() && silent.is_empty() && right.is_empty() {
        return Claim::pass(id, without).but(Verdict::NotApplicable);
    }
    sum(id, wrong, silent, right, remedy)
}

/// Where the gateway let a token of this issuer in.
async fn taken(world: &World, one: &Asked) -> Option<String> {
    let matrix = world.matrix().await;
    for kind in [Caller::Client, Caller::User] {
        let Ok(token) = world.full(kind).await else { continue };
        let iss = token.claims.as_ref().and_then(|claims| claims.get("iss")).and_then(Value::as_str);
        if iss != Some(one.issuer.as_str()) {
            continue;
        }
        let found = matrix.cells.iter().find_map(|cell| {
            let endpoint = world.inventory.endpoints.get(cell.endpoint)?;
            let answer = cell.outcome.as_ref().ok().filter(|answer| let_in(answer.status))?;
            (cell.attempt == Attempt::Right && endpoint.caller() == Some(kind))
                .then(|| format!("{} with {}: {}", endpoint.name(), token.label, answer.status))
        });
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Nobody logs in at the place that the foreign issuer took.
async fn old_login(world: &World) -> Claim {
    let id = "the_login_that_it_replaced_is_gone";
    let remedy = "take the old login away, or let it answer 410";
    let url = format!("{}{OLD_LOGIN}", world.config.target.trim_end_matches('/'));
    let answer = match world.http.send(Probe::new("POST", &url)).await {
        Ok(answer) => answer,
        Err(why) => return Claim::not_proven(id, vec![Evidence::http(format!("{url}: {why}"))], remedy),
    };
    let seen = Evidence::http(format!("POST {OLD_LOGIN} without a token: {}", answer.status))
        .shown(&answer.transcript);
    match answer.status {
        401 | 403 | 404 | 405 | 410 => Claim::pass(id, vec![seen]),
        200..=399 | 400 | 415 | 422 => Claim::fail(id, vec![seen], remedy),
        _ => Claim::not_proven(id, vec![seen], remedy),
    }
}

fn sum(id: &str, wrong: Vec<Evidence>, silent: Vec<Evidence>, right: Vec<Evidence>, remedy: &str) -> Claim {
    if !wrong.is_empty() {
        Claim::fail(id, wrong, remedy)
    } else if !silent.is_empty() {
        Claim::not_proven(id, silent, "let the auditor reach the issuer")
    } else {
        Claim::pass(id, right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_published_key_is_public_and_strong() {
        use base64::Engine as _;
        let number =
            |bytes: usize| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(vec![0xc1_u8; bytes]);
        assert_eq!(fault(&json!({"kty": "RSA", "kid": "1", "n": number(256), "e": "AQAB"})), None);
        assert_eq!(fault(&json!({"kty": "EC", "crv": "P-256", "x": "", "y": ""})), None);
        for (key, part) in [
            (json!({"kty": "RSA", "kid": "1", "n": number(128), "e": "AQAB"}), "key 1 has 1024 bits"),
            (json!({"kty": "RSA", "kid": "1", "n": number(256), "d": "x"}), "with its secret"),
            (json!({"kty": "oct", "k": "c2VjcmV0"}), "with its secret"),
            (json!({}), "of the kind nothing"),
        ] {
            assert!(fault(&key).unwrap().contains(part), "{key}");
        }
    }
}
