//! What the token endpoint does: it serves no grant that gives tokens away, a client proves who it is, and gets no scope and
//! no audience that it was not given.

use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::CLAIMS;
use crate::config::Caller;
use crate::evidence::Evidence;
use crate::measures::tally::{self, Found};
use crate::report::Claim;
use crate::world::World;
use crate::world::http::{Answer, Probe};

/// What the token endpoint answered; each a status and, where it gave a token, the token's scopes and audiences.
pub(super) struct Tried {
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

pub(super) async fn observe(world: &World) -> Tried {
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

pub(super) fn grants(metadata: &Result<Value, String>, tried: &Tried) -> Claim {
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

pub(super) fn behaviour(audience: &str, tried: &Tried) -> Vec<Claim> {
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
    use serde_json::json;

    /// Of the metadata what speaks of grants.
    fn metadata() -> Value {
        json!({"token_endpoint": "https://id.example.com/oauth/token", "grant_types_supported": ["client_credentials"],
               "response_types_supported": []})
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
