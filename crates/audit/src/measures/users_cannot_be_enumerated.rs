//! X5: nobody can find out who has an account (ASVS 5 V6.3.8, CWE-204, CWE-208): login, sign-up and reset answer a known
//! address as they answer one that nobody has, in status, headers and body, and a login takes as long. Time is compared in
//! pairs, one after the other, against the noise of the same run; what lies between is not proven.

use std::time::{Duration, Instant};

use secrecy::SecretString;
use serde_json::json;

use crate::evidence::Evidence;
use crate::measures::claimed::{Claimed, claimed};
use crate::report::Claim;
use crate::world::account::{self, Account};
use crate::world::http::{Answer, Probe};
use crate::world::{World, random_hex};

/// What it can claim.
pub(crate) const CLAIMS: &[Claimed] = &[
    claimed(
        "a_login_tells_nothing",
        "a failed login is answered alike for known and unknown addresses",
        &["V6.3.8"],
        &[204],
    ),
    claimed(
        "a_sign_up_tells_nothing",
        "signing up is answered alike for taken and free addresses",
        &["V6.3.8"],
        &[204],
    ),
    claimed(
        "a_reset_tells_nothing",
        "a reset is answered alike for known and unknown addresses",
        &["V6.3.8"],
        &[204],
    ),
    claimed(
        "a_login_takes_as_long",
        "a failed login takes as long for known and unknown addresses",
        &["V6.3.8"],
        &[208],
    ),
];

/// Pairs of logins that are timed: few, since each counts against the throttle and costs the server a hash.
const PAIRS: usize = 5;
/// Headers that differ from answer to answer for reasons of their own.
const VARYING: [&str; 6] =
    ["date", "x-request-id", "content-length", "connection", "keep-alive", "set-cookie"];

/// What the answers to a known and an unknown address look like.
type Pair = Result<[Answer; 2], String>;

struct Seen {
    login: Pair,
    sign_up: Pair,
    reset: Pair,
    times: Result<Vec<[Duration; 2]>, String>,
}

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    judge(&observe(world).await)
}

async fn observe(world: &World) -> Seen {
    let account = match Account::open(world).await {
        Ok(account) => account,
        Err(why) => {
            let all = || Err(why.clone());
            return Seen { login: all(), sign_up: all(), reset: all(), times: Err(why.clone()) };
        }
    };
    let nobody = || format!("nobody-{}@example.com", random_hex::<10>());
    let ask = |method: &'static str, path: &'static str, body: serde_json::Value| async move {
        let probe: Probe = world.tokens.session_probe(&world.config, &world.http, method, path).await?;
        world.http.send(probe.json(&body)).await.map_err(|why| why.to_string())
    };
    let login = |email: String| {
        ask("POST", "/session", json!({"email": email, "password": format!("wrong-{}", world.id)}))
    };
    let reset = |email: String| ask("POST", "/password-reset", json!({"email": email}));
    let mut strangers = Vec::new();
    let seen = Seen {
        login: {
            let unknown = nobody();
            let answers = (login(account.email.clone()).await, login(unknown.clone()).await);
            pair(answers, [&account.email, &unknown])
        },
        reset: {
            let unknown = nobody();
            let answers = (reset(account.email.clone()).await, reset(unknown.clone()).await);
            pair(answers, [&account.email, &unknown])
        },
        sign_up: {
            let password = SecretString::from(format!("Zq{}", random_hex::<20>()));
            let fresh = format!("audit-{}@example.com", random_hex::<10>());
            let known = account::sign_up(world, &account.email, &password, &[]).await;
            let unknown = account::sign_up(world, &fresh, &password, &[]).await;
            if unknown.as_ref().is_ok_and(|answer| answer.status == 201)
                && let Ok(session) = account::log_in(world, &fresh, &password).await
            {
                strangers.push(Account { email: fresh.clone(), password, session });
            }
            pair((known, unknown), [&account.email, &fresh])
        },
        times: times(|known| login(if known { account.email.clone() } else { nobody() })).await,
    };
    for stranger in strangers {
        stranger.close(world).await;
    }
    account.close(world).await;
    seen
}

/// The two answers, the address that was sent out of each: an answer may say it again.
fn pair(answers: (Result<Answer, String>, Result<Answer, String>), sent: [&String; 2]) -> Pair {
    let (mut known, mut unknown) = (answers.0?, answers.1?);
    let [first, second] = sent;
    for (answer, address) in [(&mut known, first), (&mut unknown, second)] {
        answer.body = String::from_utf8_lossy(&answer.body).replace(address.as_str(), "ADDRESS").into();
    }
    Ok([known, unknown])
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long an answer takes is measured by the machine's own clock"
)]
async fn times<F, A>(mut log_in: F) -> Result<Vec<[Duration; 2]>, String>
where
    F: FnMut(bool) -> A,
    A: Future<Output = Result<Answer, String>>,
{
    let mut pairs = Vec::new();
    for _ in 0..PAIRS {
        let mut pair = [Duration::ZERO; 2];
        for (known, took) in [true, false].into_iter().zip(&mut pair) {
            let begun = Instant::now();
            let answer = log_in(known).await?;
            *took = begun.elapsed();
            if answer.status != 401 {
                return Err(format!("a failed login got {}", answer.status));
            }
        }
        pairs.push(pair);
    }
    Ok(pairs)
}

fn judge(seen: &Seen) -> Vec<Claim> {
    vec![
        alike(CLAIMS[0].id, &seen.login, 400..429, "answer 401 with the same body, whoever it is"),
        alike(CLAIMS[1].id, &seen.sign_up, 200..300, "answer 201 always, and tell the owner by mail"),
        alike(CLAIMS[2].id, &seen.reset, 200..300, "answer 202 with the same body always"),
        as_long(&seen.times),
    ]
}

fn alike(id: &str, pair: &Pair, usual: std::ops::Range<u16>, remedy: &str) -> Claim {
    let [known, unknown] = match pair {
        Ok(pair) => pair,
        Err(why) => {
            let remedy = "set [audit] exercise where a throw-away user may be made";
            return Claim::not_proven(id, vec![Evidence::http(why.clone())], remedy);
        }
    };
    let evidence = |what: &str| {
        vec![Evidence::http(format!("known: {}, unknown: {}{what}", known.status, unknown.status))]
    };
    if known.status == 429 || unknown.status == 429 {
        return Claim::not_proven(id, evidence(""), "run the audit again when the throttle has emptied");
    }
    if known.status != unknown.status {
        return Claim::fail(id, evidence(""), remedy);
    }
    if body(known) != body(unknown) {
        return Claim::fail(id, evidence(", but other bodies"), remedy);
    }
    let (first, second) = (headers(known), headers(unknown));
    if first != second {
        let name = first.iter().chain(&second).find(|one| first.contains(one) != second.contains(one));
        let name = name.map(|(name, _)| name.as_str()).unwrap_or_default();
        return Claim::fail(id, evidence(&format!(", but another {name}")), remedy);
    }
    if !usual.contains(&known.status) {
        return Claim::not_proven(id, evidence(""), "let the auditor reach the session API");
    }
    Claim::pass(id, evidence(" with the same headers and body"))
}

/// The body without the request's number.
fn body(answer: &Answer) -> String {
    match answer.json() {
        Some(serde_json::Value::Object(mut members)) => {
            members.remove("request_id");
            serde_json::Value::Object(members).to_string()
        }
        _ => String::from_utf8_lossy(&answer.body).into_owned(),
    }
}

fn headers(answer: &Answer) -> Vec<(String, String)> {
    let mut all: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| !VARYING.contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    all.sort();
    all
}

/// Milliseconds that no network tells apart from none.
const NEAR: f64 = 2.0;

/// The median of the pairs' differences against their own spread: far within it is alike, far beyond it is not.
fn as_long(times: &Result<Vec<[Duration; 2]>, String>) -> Claim {
    let id = CLAIMS[3].id;
    let pairs = match times {
        Ok(pairs) if pairs.len() >= 5 => pairs,
        Ok(_) => {
            return Claim::not_proven(
                id,
                vec![Evidence::http("too few logins were timed")],
                "let the auditor log in",
            );
        }
        Err(why) => {
            let remedy = "set [audit] exercise where a throw-away user may be made";
            return Claim::not_proven(id, vec![Evidence::http(why.clone())], remedy);
        }
    };
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1000.0;
    let differences: Vec<f64> =
        pairs.iter().map(|[known, unknown]| milliseconds(*known) - milliseconds(*unknown)).collect();
    let whole = median(pairs.iter().map(|[known, _]| milliseconds(*known)).collect());
    let difference = median(differences.clone());
    let noise = median(differences.iter().map(|one| (one - difference).abs()).collect());
    let what = format!(
        "a login takes {whole:.1} ms, the difference is {difference:.1} ms with a noise of {noise:.1} ms, in {} pairs",
        pairs.len()
    );
    let evidence = vec![Evidence::http(what)];
    let size = difference.abs();
    // One pair that says the other thing, and it may be the network or the machine.
    let one_way = differences.iter().all(|one| one.is_sign_positive() == difference.is_sign_positive());
    if one_way && size > whole / 3.0 && size > 4.0 * noise && size > 5.0 {
        Claim::fail(id, evidence, "hash a password for unknown addresses, too")
    } else if size <= NEAR || (size <= whole / 4.0 && size <= 4.0 * noise) {
        Claim::pass(id, evidence)
    } else {
        Claim::not_proven(id, evidence, "run the audit from nearer, or when the server is less busy")
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict::{Fail, NotProven, Pass};
    use crate::world::http::answer_of;

    #[test]
    fn answers_must_be_alike_in_status_headers_and_body() {
        let of = |known: Answer, unknown: Answer| alike("x", &Ok([known, unknown]), 400..429, "r").verdict;
        let sound = |id: &str| {
            answer_of(401, &[("x-request-id", id)], &format!("{{\"a\":1,\"request_id\":\"{id}\"}}"))
        };
        assert_eq!(of(sound("1"), sound("2")), Pass);
        assert_eq!(of(sound("1"), answer_of(404, &[], "")), Fail);
        assert_eq!(of(sound("1"), answer_of(401, &[], "{\"a\":2}")), Fail);
        assert_eq!(of(sound("1"), answer_of(401, &[("retry-after", "1")], "{\"a\":1}")), Fail);
        assert_eq!(of(answer_of(429, &[], ""), sound("1")), NotProven);
        assert_eq!(of(answer_of(503, &[], ""), answer_of(503, &[], "")), NotProven);
        assert_eq!(alike("x", &Err("no".into()), 400..429, "r").verdict, NotProven);
    }

    #[test]
    fn time_is_judged_against_its_own_noise() {
        let of = |pairs: &[(u64, u64)]| {
            let pairs =
                pairs.iter().map(|(a, b)| [Duration::from_millis(*a), Duration::from_millis(*b)]).collect();
            as_long(&Ok(pairs)).verdict
        };
        assert_eq!(of(&[(100, 101), (99, 100), (101, 98), (100, 100), (102, 99)]), Pass);
        assert_eq!(of(&[(100, 2), (99, 3), (101, 2), (100, 2), (102, 1)]), Fail);
        assert_eq!(of(&[(100, 60), (20, 200), (300, 10), (100, 60), (102, 70)]), NotProven, "all noise");
        let steady = [(100, 76), (100, 76), (101, 77), (100, 76), (99, 75)];
        assert_eq!(of(&steady), NotProven, "a quarter, and it is no noise");
        assert_eq!(of(&[(100, 90), (95, 100), (110, 98), (104, 95), (90, 99)]), Pass, "within the noise");
        assert_eq!(of(&[(100, 2)]), NotProven);
        assert_eq!(as_long(&Err("no".into())).verdict, NotProven);
    }
}
