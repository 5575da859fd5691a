//! A7: user endpoints need a user's JWT, which `POST /users/session` gives for the right password only. RFC 9068
//! section 5 on telling users' tokens from clients'; OWASP ASVS 5 6.3.

use secrecy::ExposeSecret as _;

use crate::config::{Caller, Mode};
use crate::evidence::Evidence;
use crate::measures::claimed::{Claimed, claimed};
use crate::measures::refusal;
use crate::report::Claim;
use crate::verdict::Verdict;
use crate::world::http::{Answer, Probe};
use crate::world::inventory::{self, Endpoint};
use crate::world::matrix::Attempt;
use crate::world::{World, random_hex};

/// What it can claim.
pub(crate) const CLAIMS: &[Claimed] = &[
    refusal::KNOWN,
    claimed(
        "no_user_endpoint_answers_without_a_token",
        "no user's endpoint serves anybody who brings no token",
        &["V8.2.1"],
        &[306],
    ),
    claimed(
        "forged_tokens_are_refused",
        "no user's endpoint believes a token that was forged",
        &["V9.1.1", "V9.1.2"],
        &[347],
    ),
    claimed(
        "a_clients_token_is_refused",
        "no user's endpoint takes a client's own token",
        &["V8.2.1", "V10.3.2"],
        &[863],
    ),
    claimed("a_users_token_is_let_in", "users' endpoints let in the right user's token", &["V10.3.2"], &[]),
    claimed(
        "an_id_token_is_refused",
        "no user's endpoint takes an ID token for an access token",
        &["V9.2.2"],
        &[345],
    ),
    claimed(
        "another_users_object_is_refused",
        "a user's token opens nothing of another user's",
        &["V8.2.2"],
        &[639],
    ),
    claimed(
        "the_token_is_given_for_the_right_password_only",
        "the login gives a token for the right password and for no other",
        &["V6.2.8"],
        &[287],
    ),
    refusal::BACKEND,
];

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    let (known, matrix) = (&world.inventory, world.matrix().await);
    let users = |endpoint: &Endpoint| endpoint.caller() == Some(Caller::User);
    let rows = |attempts: &[Attempt]| refusal::rows(known, matrix, attempts, users);
    let mut claims: Vec<Claim> = refusal::inventory(known).into_iter().collect();
    claims.push(refusal::claim(
        "no_user_endpoint_answers_without_a_token",
        &rows(&[Attempt::NoToken]),
        "give the endpoint users' scopes in OpenAPI's security, or a [[gateway.route]]",
    ));
    claims.push(refusal::forged(rows));
    claims.push(refusal::claim(
        "a_clients_token_is_refused",
        &rows(&[Attempt::WrongCaller]),
        "set caller = \"user\" on the route",
    ));
    claims.push(refusal::right_is_let_in("a_users_token_is_let_in", known, matrix, users));
    claims.push(id_token(&rows(&[Attempt::IdToken])));
    claims.push(login(world).await);
    claims.push(another_users_object(world).await);
    claims.push(refusal::backend(world.config.backend.is_some(), known, matrix, users));
    claims
}

/// Made for the client to read, never for an API: OpenID Connect Core section 2, RFC 9068 section 4.
fn id_token(rows: &[refusal::Row<'_>]) -> Claim {
    let id = "an_id_token_is_refused";
    if rows.is_empty() {
        let evidence = Evidence::http("the issuer gave the auditor's user no ID token to try");
        return Claim::pass(id, vec![evidence]).but(Verdict::NotApplicable);
    }
    refusal::claim(
        id,
        rows,
        "compare aud with gateway.audience and typ with at+jwt; refuse tokens with a nonce",
    )
}

/// Broken object level authorisation (OWASP API1:2023, CWE-639): that a user may call an endpoint says nothing of whose
/// objects it may see there. Only the backend knows; it is tried where somebody named such an object.
async fn another_users_object(world: &World) -> Claim {
    let id = "another_users_object_is_refused";
    if world.config.others.is_empty() {
        let what = "not tried: nobody named an object that belongs to another user ([audit] others)";
        return Claim::pass(id, vec![Evidence::configuration(what)]).but(Verdict::NotApplicable);
    }
    let remedy = "look in the backend whether X-Auth-Subject owns the object; answer 404";
    let (mut open, mut unclear, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for named in &world.config.others {
        match others(world, named).await {
            Ok((evidence, Seen::Refused)) => refused.push(evidence),
            Ok((evidence, Seen::Shown)) => open.push(evidence),
            Ok((evidence, Seen::Unclear)) => unclear.push(evidence),
            Err(why) => unclear.push(Evidence::http(format!("{named}: {why}"))),
        }
    }
    if !open.is_empty() {
        Claim::fail(id, open, remedy)
    } else if !unclear.is_empty() {
        Claim::not_proven(
            id,
            unclear,
            "name an object of another user's that is there, below a path that OpenAPI has",
        )
    } else {
        Claim::pass(id, refused)
    }
}

/// What the auditor's user got for another's object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Refused,
    Shown,
    Unclear,
}

async fn others(world: &World, named: &str) -> Result<(Evidence, Seen), String> {
    let (method, path) = named.split_once(' ').ok_or("it is no method and path")?;
    if !matches!(method, "GET" | "HEAD") {
        return Err("a good token is sent with reading methods alone".into());
    }
    let mut endpoints = world.inventory.endpoints.iter().enumerate();
    let (at, endpoint) = endpoints
        .find(|(_, endpoint)| endpoint.method == method && inventory::matches(&endpoint.template, path))
        .ok_or("no endpoint is known for it")?;
    let control = world.matrix().await.control(at, endpoint)?;
    let token = world.full(Caller::User).await?;
    let probe = Probe::new(method, format!("{}{path}", endpoint.base)).with(Some(token.credential()));
    let answer = world.http.send(probe).await.map_err(|error| error.to_string())?;
    let seen = match answer.status {
        403 if answer.insufficient_scope() => Seen::Unclear,
        403 | 404 => Seen::Refused,
        200..=299 => Seen::Shown,
        _ => Seen::Unclear,
    };
    let what = format!("{named} with the auditor's user's token: {}", answer.status);
    Ok((Evidence::http(what).shown(&answer.transcript).beside(control), seen))
}

/// One wrong password and one unknown address a run, so that no throttle is filled.
async fn login(world: &World) -> Claim {
    let id = "the_token_is_given_for_the_right_password_only";
    let remedy = "answer 401 to a wrong password, the same as to an unknown address";
    if world.config.mode == Mode::Delegated {
        let issuers = world.config.foreign_issuers.join(", ");
        let evidence = Evidence::configuration(format!("users log in at {issuers}, whose affair that is"));
        return Claim::pass(id, vec![evidence]).but(Verdict::NotApplicable);
    }
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
