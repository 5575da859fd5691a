//! N2: CORS lets in the frontend's origin and no other (Fetch standard, CORS protocol; OWASP ASVS 5 3.4.2): every
//! endpoint, by preflight, by the actual request and on its error paths, against look-alikes of the origin.
//!
//! CORS keeps a browser's scripts from reading; a caller without an Origin (curl, a machine) passes, and that is
//! right. The gateway also refuses unsafe methods from foreign origins, which is shown apart.

mod look_alikes;
mod observe;
mod refused;

use std::collections::{BTreeMap, BTreeSet};

use crate::evidence::Evidence;
use crate::measures::claimed::{Claimed, claimed};
use crate::report::Claim;
use crate::verdict::Verdict;
use crate::world::World;
use crate::world::http::Answer;
use observe::{Leg, Origin, Seen, observe};

const SHOWN: usize = 10;

/// What it can claim.
pub(crate) const CLAIMS: &[Claimed] = &[
    claimed("the_frontend_is_let_in", "the frontend's origin is let in", &["V3.4.2"], &[]),
    claimed(
        "foreign_origins_are_not_let_in",
        "no foreign origin, and none that looks like the frontend's, is let in",
        &["V3.4.2"],
        &[942, 346],
    ),
    claimed(
        "no_wildcard_and_no_credentials",
        "no answer lets in every origin, or credentials",
        &["V3.4.2"],
        &[942],
    ),
    claimed("every_answer_varies_by_origin", "every answer says that it depends on the origin", &[], &[524]),
    claimed(
        "errors_follow_the_same_rule",
        "errors let in the frontend's origin alone, too",
        &["V3.4.2"],
        &[942],
    ),
    claimed(
        "refused_bodies_follow_the_same_rule",
        "the answer to a body that is broken or too large lets in the frontend's origin alone, too",
        &["V3.4.2"],
        &[942],
    ),
    claimed(
        "preflights_grant_by_name",
        "a preflight grants the route's own methods and headers by name, never by a wildcard",
        &["V3.4.2"],
        &[942],
    ),
    claimed(
        "a_failing_operation_follows_the_same_rule",
        "an operation that fails lets in the frontend's origin alone, too",
        &["V3.4.2"],
        &[942],
    ),
    claimed(
        "unsafe_methods_of_foreign_origins_are_refused",
        "what a foreign origin sends with a method that changes something is refused",
        &["V3.5.1"],
        &[352, 346],
    ),
    claimed(
        "fetch_metadata_changes_no_judgement",
        "a foreign origin is refused whatever Sec-Fetch-Site says",
        &["V3.5.1"],
        &[352, 346],
    ),
];

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    let Some(frontend) = world.config.frontend_origins.first() else {
        let evidence = Evidence::configuration("no frontend origin is configured");
        let claim =
            Claim::not_proven("the_frontend_is_let_in", vec![evidence], "set gateway.frontend_origins");
        return vec![claim];
    };
    let (seen, tried) = observe(world, frontend).await;
    let mut claims = vec![
        control(&seen),
        foreign(&seen),
        credentials(&seen),
        vary(&seen),
        errors(&seen),
        refused::bodies(&seen, &tried),
        preflights(&seen),
        failing(&seen, world.config.failing.is_some()),
        unsafe_methods(&seen),
        refused::fetch_metadata(&seen),
    ];
    claims.extend(crate::measures::refusal::inventory(&world.inventory));
    claims
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
        seen.iter().filter(|one| {
            matches!(one.leg, Leg::Unauthorized | Leg::Forbidden | Leg::NotFound | Leg::Malformed)
                || matches!(one.leg, Leg::Unlisted | Leg::UnknownMethod)
        }),
        seen,
        |one, answer| match &one.origin {
            Origin::Frontend(origin) => (allowed(answer).as_deref() != Some(origin))
                .then(|| evidence(one, "the frontend cannot read this error")),
            _ => None,
        },
        "add the CORS headers to errors too",
    )
}

/// A preflight grants what was asked, by name: no wildcard, and no method that no endpoint here has.
fn preflights(seen: &[Seen]) -> Claim {
    let method = |one: &Seen| one.endpoint.split(' ').next().unwrap_or_default().to_uppercase();
    let subject =
        || seen.iter().filter(|one| one.leg == Leg::Preflight && matches!(one.origin, Origin::Frontend(_)));
    let known: BTreeSet<String> = subject().map(method).chain(["HEAD".into(), "OPTIONS".into()]).collect();
    if subject().next().is_none() {
        let evidence = Evidence::configuration("no endpoint here that a preflight could be sent for");
        return Claim::pass("preflights_grant_by_name", vec![evidence]).but(Verdict::NotApplicable);
    }
    judge(
        "preflights_grant_by_name",
        subject(),
        seen,
        |one, answer| {
            let list = |name: &str| -> Vec<String> {
                let value = answer.header(name).unwrap_or_default();
                value
                    .split(',')
                    .map(|word| word.trim().to_uppercase())
                    .filter(|word| !word.is_empty())
                    .collect()
            };
            let (methods, headers) =
                (list("access-control-allow-methods"), list("access-control-allow-headers"));
            let asked = method(one);
            // A simple method needs no leave.
            let simple = matches!(asked.as_str(), "GET" | "HEAD" | "POST");
            if methods.iter().chain(&headers).any(|word| word == "*") {
                Some(evidence(one, "it grants by a wildcard"))
            } else if let Some(more) = methods.iter().find(|method| !known.contains(*method)) {
                Some(evidence(one, &format!("it grants {more}, which no endpoint here has")))
            } else if !simple && !methods.contains(&asked) {
                Some(evidence(one, "it does not grant the method"))
            } else if !headers.iter().any(|header| header == "AUTHORIZATION") {
                Some(evidence(
                    one,
                    "it does not grant Authorization, without which nothing here can be called",
                ))
            } else {
                None
            }
        },
        "answer a preflight with the route's own methods and headers",
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
            // A server may end the connection before it has read all of it: what that shows, `refused::bodies` says.
            Err(_) if one.leg == Leg::LargeBody => {}
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
