//! N2: CORS lets in the frontend's origin and no other (Fetch standard, CORS protocol; OWASP ASVS 5 3.4.2): every
//! endpoint, by preflight, by the actual request and on its error paths, against look-alikes of the origin.
//!
//! CORS keeps a browser's scripts from reading; a caller without an Origin (curl, a machine) passes, and that is
//! right. The gateway also refuses unsafe methods from foreign origins, which is shown apart.

use std::collections::BTreeMap;

use crate::config::Caller;
use crate::evidence::Evidence;
use crate::report::Claim;
use crate::verdict::Verdict;
use crate::world::World;
use crate::world::http::{Answer, Credential, Probe, Sent};
use crate::world::inventory::Endpoint;
use crate::world::matrix;

const SHOWN: usize = 10;

/// Whose origin a request named.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    Frontend(String),
    Foreign(Vec<String>),
    None,
}

/// On which path a request was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Leg {
    Preflight,
    /// The right token, or none at a public endpoint.
    Actual,
    Unauthorized,
    Forbidden,
    NotFound,
    Failing,
}

impl Leg {
    fn words(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Actual => "actual request",
            Self::Unauthorized => "without a token",
            Self::Forbidden => "without the scope",
            Self::NotFound => "path that does not exist",
            Self::Failing => "failing operation",
        }
    }
}

/// One answer with what was asked.
struct Seen {
    endpoint: String,
    leg: Leg,
    origin: Origin,
    outcome: Sent,
}

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    let Some(frontend) = world.config.frontend_origins.first() else {
        let evidence = Evidence::configuration("no frontend origin is configured");
        let claim =
            Claim::not_proven("the_frontend_is_let_in", vec![evidence], "set gateway.frontend_origins");
        return vec![claim];
    };
    let seen = observe(world, frontend).await;
    let mut claims = vec![
        control(&seen),
        foreign(&seen),
        credentials(&seen),
        vary(&seen),
        errors(&seen),
        failing(&seen, world.config.failing.is_some()),
        unsafe_methods(&seen),
    ];
    claims.extend(crate::measures::refusal::inventory(&world.inventory));
    claims
}

/// Origins that a careless comparison takes for the frontend's.
fn look_alikes(frontend: &str, allowed: &[String]) -> Vec<Vec<String>> {
    let Some((scheme, authority)) = frontend.split_once("://") else { return Vec::new() };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, Some(port)),
        _ => (authority, None),
    };
    let with_port = |host: &str| port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let twin = if scheme == "https" { "http" } else { "https" };
    let mut singles = vec![
        "null".to_owned(),
        "https://attacker.example".to_owned(),
        format!("{scheme}://{host}.attacker.example"),
        format!("{scheme}://attacker{}", with_port(host)),
        format!("{twin}://{authority}"),
        format!("{scheme}://{host}:{}", if port == Some("8443") { "9443" } else { "8443" }),
        format!("{scheme}://sub.{}", with_port(host)),
        format!("{scheme}://{}", with_port(&format!("{host}."))),
        format!("{scheme}://{authority}@attacker.example"),
        format!("{scheme}://{host}%60.attacker.example"),
        format!("{scheme}://{host}_.attacker.example"),
        format!("{frontend}/"),
        "http://localhost:3000".to_owned(),
        "*".to_owned(),
    ];
    if host.contains('.') {
        singles.push(format!("{scheme}://{}", with_port(&host.replacen('.', "x", 1))));
    }
    let upper = format!("{scheme}://{}", authority.to_uppercase());
    singles.push(upper);
    singles.retain(|origin| !allowed.contains(origin));
    let mut all: Vec<Vec<String>> = singles.into_iter().map(|origin| vec![origin]).collect();
    all.push(vec![frontend.to_owned(), "https://attacker.example".to_owned()]);
    all
}

async fn observe(world: &World, frontend: &str) -> Vec<Seen> {
    let config = &world.config;
    let mut origins: Vec<Origin> = config.frontend_origins.iter().cloned().map(Origin::Frontend).collect();
    origins.extend(look_alikes(frontend, &config.frontend_origins).into_iter().map(Origin::Foreign));
    origins.push(Origin::None);
    let mut planned: Vec<(String, Leg, Probe)> = Vec::new();
    for endpoint in &world.inventory.endpoints {
        plan(world, endpoint, &mut planned).await;
    }
    let target = config.target.trim_end_matches('/');
    let missing = Probe::new("GET", format!("{target}/portcullis-audit-{}", world.id));
    planned.push(("a path that does not exist".into(), Leg::NotFound, missing));
    if let Some(failing) = &config.failing {
        let (method, path) = failing.split_once(' ').unwrap_or(("GET", failing));
        let known = world
            .inventory
            .endpoints
            .iter()
            .find(|e| e.method == method && (e.path == path || e.template == path));
        let credential = match known {
            Some(endpoint) if !endpoint.is_public() => matrix::right(world, endpoint).await.ok(),
            Some(_) => None,
            None => world.full(Caller::User).await.ok(),
        };
        // Reading methods alone: the token would let it through.
        if method == "GET" || method == "HEAD" {
            let probe = Probe::new(method, format!("{target}{path}"));
            planned.push((
                failing.clone(),
                Leg::Failing,
                probe.with(credential.map(|token| token.credential())),
            ));
        }
    }
    let mut asked = Vec::new();
    let mut probes = Vec::new();
    for (endpoint, leg, probe) in planned {
        for origin in &origins {
            // A preflight without an Origin is none.
            if leg == Leg::Preflight && *origin == Origin::None {
                continue;
            }
            let named: &[String] = match origin {
                Origin::Frontend(one) => std::slice::from_ref(one),
                Origin::Foreign(all) => all,
                Origin::None => &[],
            };
            let probe = named.iter().fold(probe.clone(), |probe, origin| probe.header("origin", origin));
            asked.push((endpoint.clone(), leg, origin.clone()));
            probes.push(probe);
        }
    }
    let answers = world.http.send_all(probes).await;
    asked
        .into_iter()
        .zip(answers)
        .map(|((endpoint, leg, origin), outcome)| Seen { endpoint, leg, origin, outcome })
        .collect()
}

async fn plan(world: &World, endpoint: &Endpoint, planned: &mut Vec<(String, Leg, Probe)>) {
    let name = endpoint.name();
    let probe = || Probe::new(&endpoint.method, endpoint.url());
    let denied = endpoint.access == crate::config::Access::Denied;
    let with = |credential: Credential| probe().with(Some(credential));
    if !denied {
        let preflight = Probe::new("OPTIONS", endpoint.url())
            .header("access-control-request-method", &endpoint.method)
            .header("access-control-request-headers", "authorization");
        planned.push((name.clone(), Leg::Preflight, preflight));
    }
    if endpoint.is_public() {
        if endpoint.is_safe() {
            planned.push((name, Leg::Actual, probe()));
        }
        return;
    }
    planned.push((name.clone(), Leg::Unauthorized, probe()));
    if let (false, Some(kind)) = (endpoint.scopes().is_empty(), endpoint.caller())
        && let Ok(token) = matrix::lacking(world, kind, &endpoint.scopes()).await
    {
        planned.push((name.clone(), Leg::Forbidden, with(token.credential())));
    }
    if endpoint.is_safe()
        && let Ok(token) = matrix::right(world, endpoint).await
    {
        planned.push((name, Leg::Actual, with(token.credential())));
    }
}

fn allowed(answer: &Answer) -> Option<String> {
    answer.header("access-control-allow-origin")
}

fn named(seen: &Seen) -> String {
    let origin = match &seen.origin {
        Origin::Frontend(origin) => format!("from {origin}"),
        Origin::Foreign(all) => format!("from {}", all.join(" and ")),
        Origin::None => "without an Origin".into(),
    };
    format!("{}, {}, {origin}", seen.endpoint, seen.leg.words())
}

fn evidence(seen: &Seen, what: &str) -> Evidence {
    let evidence = Evidence::http(format!("{}: {what}", named(seen)));
    match &seen.outcome {
        Ok(answer) => evidence.shown(&answer.transcript),
        Err(_) => evidence,
    }
}

/// The frontend's origin comes back exactly, once, on preflights and actual requests.
fn control(seen: &[Seen]) -> Claim {
    let id = "the_frontend_is_let_in";
    let remedy = "answer the frontend's origin with Access-Control-Allow-Origin";
    let mut good = Vec::new();
    let mut gaps: BTreeMap<(String, Leg), Evidence> = BTreeMap::new();
    for one in seen.iter().filter(|one| matches!(one.leg, Leg::Preflight | Leg::Actual)) {
        let Origin::Frontend(origin) = &one.origin else { continue };
        let gap = match &one.outcome {
            Err(why) => Some(evidence(one, &why.to_string())),
            Ok(answer) if allowed(answer).as_deref() != Some(origin) => {
                Some(evidence(one, "the origin did not come back"))
            }
            Ok(answer) if one.leg == Leg::Preflight && !(200..300).contains(&answer.status) => {
                Some(evidence(one, "a browser takes only 2xx for a preflight"))
            }
            Ok(_) => None,
        };
        match gap {
            Some(gap) => drop(gaps.insert((one.endpoint.clone(), one.leg), gap)),
            None => good.push(one),
        }
    }
    let Some(first) = good.first() else {
        let evidence = gaps.into_values().take(SHOWN).collect();
        return Claim::not_proven(id, evidence, remedy);
    };
    let sum =
        evidence(first, &format!("the origin came back, as on {} others", good.len().saturating_sub(1)));
    if gaps.is_empty() {
        return Claim::pass(id, vec![sum]);
    }
    let more = gaps.len();
    let mut all = vec![sum, Evidence::http(format!("{more} did not get it back"))];
    all.extend(gaps.into_values().take(SHOWN));
    Claim::not_proven(id, all, remedy)
}

/// No answer to a foreign origin, or to none, lets anyone but the frontend read it.
fn foreign(seen: &[Seen]) -> Claim {
    let frontends: Vec<&String> = seen
        .iter()
        .filter_map(|one| match &one.origin {
            Origin::Frontend(origin) => Some(origin),
            _ => None,
        })
        .collect();
    let offends = |answer: &Answer| {
        // The frontend's own origin on an answer to another lets that other read nothing.
        answer
            .headers
            .get_all("access-control-allow-origin")
            .iter()
            .any(|value| !frontends.iter().any(|origin| value.as_bytes() == origin.as_bytes()))
    };
    judge(
        "foreign_origins_are_not_let_in",
        seen.iter().filter(|one| !matches!(one.origin, Origin::Frontend(_))),
        seen,
        |one, answer| (offends(answer)).then(|| evidence(one, "it was let in")),
        "compare the whole origin with a list; no wildcard, no pattern, no echo",
    )
}

/// No wildcard, no credentials, no private network, for anybody.
fn credentials(seen: &[Seen]) -> Claim {
    judge(
        "no_wildcard_and_no_credentials",
        seen.iter(),
        seen,
        |one, answer| {
            let wildcard = allowed(answer).is_some_and(|value| value.contains('*'));
            let twice = answer.headers.get_all("access-control-allow-origin").iter().count() > 1;
            let more = ["access-control-allow-credentials", "access-control-allow-private-network"];
            let more = more.into_iter().find(|name| answer.headers.contains_key(*name));
            if wildcard {
                Some(evidence(one, "any origin is let in"))
            } else if twice {
                Some(evidence(one, "Access-Control-Allow-Origin came twice"))
            } else {
                more.map(|name| evidence(one, &format!("it carries {name}")))
            }
        },
        "send Access-Control-Allow-Origin once, with one origin, and no Access-Control-Allow-Credentials",
    )
}

/// A cache must not give one origin's answer to another.
fn vary(seen: &[Seen]) -> Claim {
    judge(
        "every_answer_varies_by_origin",
        seen.iter(),
        seen,
        |one, answer| {
            let vary = answer.header("vary").unwrap_or_default();
            let named =
                vary.split(',').any(|name| name.trim().eq_ignore_ascii_case("origin") || name.trim() == "*");
            (!named).then(|| evidence(one, "no Vary: Origin"))
        },
        "send Vary: Origin on every answer",
    )
}

/// Errors carry the header for the frontend too, or its scripts cannot tell why.
fn errors(seen: &[Seen]) -> Claim {
    judge(
        "errors_follow_the_same_rule",
        seen.iter().filter(|one| matches!(one.leg, Leg::Unauthorized | Leg::Forbidden | Leg::NotFound)),
        seen,
        |one, answer| match &one.origin {
            Origin::Frontend(origin) => (allowed(answer).as_deref() != Some(origin))
                .then(|| evidence(one, "the frontend cannot read this error")),
            _ => None,
        },
        "add the CORS headers to errors too",
    )
}

fn failing(seen: &[Seen], configured: bool) -> Claim {
    let id = "a_failing_operation_follows_the_same_rule";
    let remedy = "set [audit] failing to an operation that answers 5xx";
    if !configured {
        return Claim::not_proven(id, vec![Evidence::configuration("no failing operation is known")], remedy);
    }
    let failing: Vec<&Seen> = seen.iter().filter(|one| one.leg == Leg::Failing).collect();
    let fails = |one: &&Seen| one.outcome.as_ref().is_ok_and(|answer| answer.status >= 500);
    if failing.is_empty() || !failing.iter().all(fails) {
        let evidence =
            failing.iter().find(|one| !fails(one)).map(|one| evidence(one, "it did not fail with 5xx"));
        return Claim::not_proven(id, evidence.into_iter().collect(), remedy);
    }
    judge(
        id,
        failing.into_iter(),
        seen,
        |one, answer| match (&one.origin, allowed(answer)) {
            (Origin::Frontend(origin), value) => (value.as_deref() != Some(origin))
                .then(|| evidence(one, "the frontend cannot read this error")),
            (_, Some(value)) if !is_a_frontends(seen, &value) => Some(evidence(one, "it was let in")),
            _ => None,
        },
        "add the CORS headers where errors are made, after the backend's own are removed",
    )
}

fn is_a_frontends(seen: &[Seen], value: &str) -> bool {
    seen.iter().any(|one| matches!(&one.origin, Origin::Frontend(origin) if origin == value))
}

/// Offenders fail; no control, or no answer, is not proven.
fn judge<'a>(
    id: &str,
    subject: impl Iterator<Item = &'a Seen>,
    all: &[Seen],
    offence: impl Fn(&Seen, &Answer) -> Option<Evidence>,
    remedy: &str,
) -> Claim {
    let (mut offences, mut silent, mut count) = (Vec::new(), Vec::new(), 0_usize);
    for one in subject {
        match &one.outcome {
            Ok(answer) => {
                count += 1;
                offences.extend(offence(one, answer));
            }
            Err(why) => silent.push(evidence(one, &why.to_string())),
        }
    }
    if !offences.is_empty() {
        let more = offences.len().saturating_sub(SHOWN);
        offences.truncate(SHOWN);
        if more > 0 {
            offences.push(Evidence::http(format!("and {more} more of {count} answers")));
        }
        return Claim::fail(id, offences, remedy);
    }
    let let_in = all.iter().find(|one| match (&one.origin, &one.outcome) {
        (Origin::Frontend(origin), Ok(answer)) => allowed(answer).as_deref() == Some(origin),
        _ => false,
    });
    let Some(control) = let_in else {
        let evidence =
            Evidence::http("no answer lets the frontend in, so that others are not let in shows nothing");
        return Claim::not_proven(
            id,
            vec![evidence],
            "answer the frontend's origin with Access-Control-Allow-Origin",
        );
    };
    if !silent.is_empty() || count == 0 {
        silent.truncate(SHOWN);
        return Claim::not_proven(id, silent, "let the auditor reach every endpoint");
    }
    let sum = Evidence::http(format!("{count} answers")).beside(format!("{}: let in", named(control)));
    Claim::pass(id, vec![sum])
}

/// Unsafe methods from a foreign origin are refused before the token is judged: with no token, 403 instead of the 401
/// that the frontend gets.
fn unsafe_methods(seen: &[Seen]) -> Claim {
    let id = "unsafe_methods_of_foreign_origins_are_refused";
    let is_unsafe = |one: &&Seen| {
        one.leg == Leg::Unauthorized
            && !one.endpoint.starts_with("GET ")
            && !one.endpoint.starts_with("HEAD ")
    };
    let status = |one: &Seen| one.outcome.as_ref().ok().map(|answer| answer.status);
    let (mut refused, mut same, mut odd) = (Vec::new(), Vec::new(), Vec::new());
    for one in seen.iter().filter(is_unsafe).filter(|one| matches!(one.origin, Origin::Foreign(_))) {
        let frontend = seen
            .iter()
            .filter(is_unsafe)
            .find(|other| other.endpoint == one.endpoint && matches!(other.origin, Origin::Frontend(_)));
        match (status(one), frontend.and_then(status)) {
            (Some(403), Some(401)) => refused.push(one),
            (Some(200..400), _) => odd.push(evidence(one, "it was let in")),
            _ => same.push(one),
        }
    }
    if !odd.is_empty() {
        odd.truncate(SHOWN);
        return Claim::fail(id, odd, "refuse unsafe methods whose Origin is not the frontend's");
    }
    if let Some(one) = same.first() {
        let what = "it was answered as the frontend is, so the origin refused nothing that could be seen";
        let counted = Evidence::http(format!("{} of {} so", same.len(), same.len() + refused.len()));
        let remedy =
            "refuse unsafe methods whose Origin is not the frontend's with 403, before the token is judged";
        return Claim::not_proven(id, vec![evidence(one, what), counted], remedy);
    }
    match refused.first() {
        Some(one) => {
            let what = format!("403, as were {} others", refused.len() - 1);
            Claim::pass(id, vec![evidence(one, &what).beside("the frontend's origin got 401 there")])
        }
        None => Claim::pass(id, vec![Evidence::configuration("no unsafe method here to try")])
            .but(Verdict::NotApplicable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alikes_never_contain_an_allowed_origin() {
        let allowed = ["https://app.example.com".to_owned(), "http://localhost:3000".to_owned()];
        let all = look_alikes(&allowed[0], &allowed);
        assert!(all.iter().all(|origins| origins.len() > 1 || !allowed.contains(&origins[0])));
        let has = |origin: &str| all.contains(&vec![origin.to_owned()]);
        assert!(has("https://app.example.com.attacker.example"));
        assert!(has("https://appxexample.com"));
        assert!(has("http://app.example.com"));
        assert!(has("https://sub.app.example.com"));
        assert!(!has("http://localhost:3000"));
        assert!(
            look_alikes("http://localhost:5173", &[]).contains(&vec!["http://sub.localhost:5173".to_owned()])
        );
    }
}
