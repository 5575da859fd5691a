//! A7: user endpoints need a user's JWT, which `POST /users/session` gives for the right password only. RFC 9068
//! section 5 on telling users' tokens from clients'; OWASP ASVS 5 6.3.

use secrecy::ExposeSecret as _;

use crate::config::Caller;
use crate::evidence::Evidence;
use crate::measures::no_endpoint_without_oauth::FORGED;
use crate::measures::refusal;
use crate::report::Claim;
use crate::world::http::Answer;
use crate::world::inventory::Endpoint;
use crate::world::matrix::Attempt;
use crate::world::{World, random_hex};

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    let (inventory, matrix) = (&world.inventory, world.matrix().await);
    let users = |endpoint: &Endpoint| endpoint.caller() == Some(Caller::User);
    let rows = |attempts: &[Attempt]| refusal::rows(inventory, matrix, attempts, users);
    let mut claims: Vec<Claim> = refusal::inventory(inventory).into_iter().collect();
    claims.push(refusal::claim(
        "no_user_endpoint_answers_without_a_token",
        &rows(&[Attempt::NoToken]),
        "give the endpoint users' scopes in OpenAPI's security, or a [[gateway.route]]",
    ));
    claims.push(refusal::claim(
        "forged_tokens_are_refused",
        &rows(&FORGED),
        "verify the signature with the issuer's asymmetric keys and a fixed list of algorithms",
    ));
    claims.push(refusal::claim(
        "a_clients_token_is_refused",
        &rows(&[Attempt::WrongCaller]),
        "set caller = \"user\" on the route",
    ));
    claims.push(refusal::right_is_let_in("a_users_token_is_let_in", inventory, matrix, users));
    claims.push(login(world).await);
    claims.push(refusal::backend(world.config.backend.is_some(), inventory, matrix, users));
    claims
}

/// One wrong password and one unknown address a run, so that no throttle is filled.
async fn login(world: &World) -> Claim {
    let id = "the_token_is_given_for_the_right_password_only";
    let remedy = "answer 401 to a wrong password, the same as to an unknown address";
    let Some(user) = &world.config.user else {
        let evidence = Evidence::configuration("there is no user of the auditor's own");
        return Claim::not_proven(id, vec![evidence], "set [audit] user_email and user_password_file");
    };
    let control = match world.full(Caller::User).await {
        Ok(token) if token.claims.is_some() => "the right password got a JWT there".to_owned(),
        Ok(_) => {
            let evidence = Evidence::http("the token of POST /users/session is no JWT");
            return Claim::fail(id, vec![evidence], "give JWTs (RFC 9068)");
        }
        Err(why) => {
            return Claim::not_proven(
                id,
                vec![Evidence::http(why)],
                "give the auditor a user that can log in",
            );
        }
    };
    let wrong = format!("Wp{}", random_hex::<16>());
    let nobody = format!("nobody-{}@example.com", random_hex::<10>());
    let mut answers = Vec::new();
    for (email, password) in [(user.email.as_str(), wrong.as_str()), (&nobody, user.password.expose_secret())]
    {
        match world.tokens.log_in(&world.config, &world.http, email, password, None).await {
            Ok(answer) => answers.push(answer),
            Err(why) => {
                return Claim::not_proven(id, vec![Evidence::http(why)], "let the auditor reach the login");
            }
        }
    }
    judge(id, &answers, control, remedy)
}

fn judge(id: &str, answers: &[Answer], control: String, remedy: &str) -> Claim {
    let [wrong, unknown] = answers else {
        return Claim::not_proven(id, Vec::new(), "let the auditor reach the login");
    };
    let seen = Evidence::http(format!(
        "POST /users/session: a wrong password got {}, an unknown address {}",
        wrong.status, unknown.status
    ))
    .shown(&wrong.transcript)
    .beside(control);
    let given = |answer: &Answer| answer.json().is_some_and(|body| body.get("access_token").is_some());
    if given(wrong) || given(unknown) || wrong.status == 200 || unknown.status == 200 {
        return Claim::fail(id, vec![seen], remedy);
    }
    match (wrong.status, unknown.status) {
        (401, 401) if same_shape(wrong, unknown) => Claim::pass(id, vec![seen]),
        (401, 401) => Claim::fail(id, vec![seen, Evidence::http("the two bodies differ in form")], remedy),
        (429, _) | (_, 429) => {
            Claim::not_proven(id, vec![seen], "run the audit again when the throttle has emptied")
        }
        (a, b) if a != b => Claim::fail(id, vec![seen], remedy),
        _ => Claim::not_proven(id, vec![seen], remedy),
    }
}

/// Bodies with the same members and the same words, whatever ids they carry.
fn same_shape(a: &Answer, b: &Answer) -> bool {
    match (a.json(), b.json()) {
        (Some(serde_json::Value::Object(a)), Some(serde_json::Value::Object(b))) => {
            a.keys().eq(b.keys())
                && ["type", "title", "detail", "error", "error_description"]
                    .iter()
                    .all(|name| a.get(*name) == b.get(*name))
        }
        (a, b) => a.is_none() && b.is_none(),
    }
}
