//! A10: every token names its end (RFC 9068 section 2.2), no token lives longer than X, the document's number and
//! the configuration's are one, and a token past its end is refused: seen by replaying a token of an earlier run. And a
//! session, however often it is refreshed, has an end, too.

mod session_end;

use std::sync::Arc;

use serde_json::Value;

use crate::config::{Caller, Config};
use crate::document;
use crate::evidence::Evidence;
use crate::measures::claimed::{Claimed, claimed};
use crate::measures::{MeasureId, refusal};
use crate::report::{Claim, rfc3339};
use crate::verdict::Verdict;
use crate::world::World;
use crate::world::kept;
use crate::world::matrix::Attempt;
use crate::world::tokens::{Had, Token};

/// How many tokens the claim on lifetimes shows.
const SHOWN: usize = 20;

/// `15 min, access_token_lifetime`.
pub(crate) fn value(config: &Config) -> Option<String> {
    let lifetime = config.access_token_lifetime.as_ref()?;
    Some(format!("{}, {}", document::duration(lifetime.seconds), lifetime.source))
}

/// What it can claim.
pub(crate) const CLAIMS: &[Claimed] = &[
    claimed(
        "no_token_lives_longer_than_x",
        "every token names its end, and none lives longer than X",
        &["V9.2.1"],
        &[613],
    ),
    claimed(
        "the_document_and_the_configuration_agree",
        "the document's number is the configuration's",
        &[],
        &[],
    ),
    claimed(
        "an_expired_token_is_refused",
        "a token of an earlier run is refused after its end",
        &["V9.2.1"],
        &[613],
    ),
    claimed(session_end::ID, "a session has an end that no refresh moves", &["V7.3.2", "V10.4.8"], &[613]),
];

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    let mut tokens = Vec::new();
    for (name, kind) in [("user", Caller::User), ("client", Caller::Client)] {
        tokens.push((name, world.full(kind).await));
    }
    let all = world.tokens.seen().await;
    let rows = refusal::rows(&world.inventory, world.matrix().await, &[Attempt::Expired], |e| !e.is_public());
    let mut expired =
        refusal::claim("an_expired_token_is_refused", &rows, "refuse tokens whose exp has passed");
    if expired.verdict == Verdict::NotProven && world.config.state.is_some() {
        // Nothing is missing but time.
        match kept::last_end(&world.config) {
            None => expired.remedy = "run it again after the end of the tokens that this run keeps".into(),
            Some(end) if end + kept::LEEWAY >= world.now => {
                let end = rfc3339(end + kept::LEEWAY);
                expired.remedy = format!("run it again after {end}, when the kept token has ended");
            }
            Some(_) => {}
        }
    }
    if rows.is_empty() {
        expired =
            Claim::not_proven(&expired.id.clone(), expired.evidence, "give the auditor an endpoint to try");
    }
    let lifetime = lifetime(&tokens, &all, &world.config, world.now);
    vec![lifetime, agreement(&world.config), expired, session_end::claim(world).await]
}

/// `exp` and `iat` of every kind of token, and of every token of the run whatever it was asked for; a user's is the one
/// that the document speaks of.
fn lifetime(tokens: &[(&str, Had)], all: &[Arc<Token>], config: &Config, now: i64) -> Claim {
    let id = "no_token_lives_longer_than_x";
    let Some(limit) = &config.access_token_lifetime else {
        let evidence = Evidence::configuration("no lifetime is configured");
        return Claim::not_proven(id, vec![evidence], "set identity.access_token_lifetime");
    };
    let mut evidence = Vec::new();
    let (mut broken, mut unknown) = (false, false);
    for (name, had) in tokens {
        let claims = match had {
            Ok(token) => token.claims.as_ref(),
            Err(why) => {
                // A backend without client endpoints has no need of a client's token.
                unknown |= *name == "user";
                evidence.push(Evidence::http(format!("no {name}'s token: {why}")));
                continue;
            }
        };
        match claims.map(|claims| lived(claims, now)) {
            None => {
                unknown = true;
                evidence
                    .push(Evidence::http(format!("the {name}'s token is no JWT: its end cannot be read")));
            }
            Some(None) => {
                broken = true;
                evidence.push(Evidence::http(format!("the {name}'s token has no exp")));
            }
            Some(Some((seconds, how))) => {
                broken |= seconds > limit.seconds;
                let what = format!("the {name}'s token lives {} ({how})", document::duration(seconds));
                evidence.push(Evidence::http(what));
            }
        }
    }
    for token in all {
        let Some(claims) = &token.claims else { continue };
        let lived = lived(claims, now);
        if lived.is_none_or(|(seconds, _)| seconds > limit.seconds) && evidence.len() < SHOWN {
            broken = true;
            let life = lived.map_or("has no exp".to_owned(), |(seconds, _)| {
                format!("lives {}", document::duration(seconds))
            });
            evidence.push(Evidence::http(format!("{} {life}", token.label)));
        }
    }
    if !broken {
        evidence
            .push(Evidence::http(format!("{} tokens were given to this run, none for longer", all.len())));
    }
    evidence.push(Evidence::configuration(format!("X is {}", value(config).unwrap_or_default())));
    if broken {
        Claim::fail(id, evidence, "lower the token's lifetime at its issuer")
    } else if unknown {
        Claim::not_proven(id, evidence, "give the auditor a user and an issuer of JWTs")
    } else {
        Claim::pass(id, evidence)
    }
}

/// A token's life in seconds; none without `exp`.
fn lived(claims: &Value, now: i64) -> Option<(i64, &'static str)> {
    let date = |name: &str| claims.get(name).and_then(Value::as_f64).map(crate::world::kept::seconds);
    let exp = date("exp")?;
    Some(match date("iat") {
        Some(iat) => (exp.saturating_sub(iat), "exp - iat"),
        None => (exp.saturating_sub(now), "exp - now, for want of iat"),
    })
}

/// A number in the document is a promise; the configuration must keep it.
fn agreement(config: &Config) -> Claim {
    let id = "the_document_and_the_configuration_agree";
    let promised = config.document.as_ref().and_then(|document| document.promised(MeasureId::A10));
    match (promised, &config.access_token_lifetime) {
        (None, _) => {
            let evidence = Evidence::configuration("the document gives no number");
            Claim::pass(id, vec![evidence]).but(Verdict::NotApplicable)
        }
        (Some(promised), None) => {
            let what =
                format!("the document says {}, no lifetime is configured", document::duration(promised));
            Claim::not_proven(id, vec![Evidence::configuration(what)], "set identity.access_token_lifetime")
        }
        (Some(promised), Some(lifetime)) => {
            let what = format!(
                "the document says {}, {} is {}",
                document::duration(promised),
                lifetime.source,
                document::duration(lifetime.seconds)
            );
            let evidence = vec![Evidence::configuration(what)];
            if promised == lifetime.seconds {
                Claim::pass(id, evidence)
            } else {
                Claim::fail(id, evidence, format!("change the document or {}", lifetime.source))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_life_is_counted_from_iat_or_else_from_now() {
        assert_eq!(lived(&json!({"exp": 1000, "iat": 100}), 500), Some((900, "exp - iat")));
        assert_eq!(lived(&json!({"exp": 1000.5}), 500), Some((501, "exp - now, for want of iat")));
        assert_eq!(lived(&json!({"iat": 1}), 500), None);
        assert_eq!(lived(&json!({"exp": "1000"}), 500), None);
    }
}
