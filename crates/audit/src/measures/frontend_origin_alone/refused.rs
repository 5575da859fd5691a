//! Two things beside the rule itself: bodies that must be refused are refused under the same rule, and what a browser says by
//! `Sec-Fetch-Site` (W3C Fetch Metadata) changes no judgement. A caller that is no browser writes there what it likes, so an
//! origin is refused whether it says `cross-site` or `same-origin`.

use super::observe::{Bodies, Leg, Origin, Seen};
use super::{allowed, evidence};
use crate::evidence::Evidence;
use crate::measures::tally::{self, Found};
use crate::report::Claim;
use crate::verdict::Verdict;

/// The answers to a body that is broken or too large: the frontend can read them, and nobody else can.
pub(super) fn bodies(seen: &[Seen], tried: &Bodies) -> Claim {
    let id = "refused_bodies_follow_the_same_rule";
    match tried {
        Bodies::NoApi => {
            let what = "no session API here, whose bodies could be refused without effect";
            return Claim::pass(id, vec![Evidence::configuration(what)]).but(Verdict::NotApplicable);
        }
        Bodies::Cannot(why) => {
            let remedy = "give the auditor a client with the scope session";
            return Claim::not_proven(id, vec![Evidence::http(why.clone())], remedy);
        }
        Bodies::Tried => {}
    }
    // That a stranger's large body was not read to its end is no answer, and no harm.
    let unread = |one: &&Seen| {
        one.leg == Leg::LargeBody && one.outcome.is_err() && !matches!(one.origin, Origin::Frontend(_))
    };
    let sent = seen.iter().filter(|one| matches!(one.leg, Leg::CutBody | Leg::LargeBody));
    let found = sent.filter(|one| !unread(one)).map(|one| {
        let answer = match &one.outcome {
            Ok(answer) => answer,
            Err(why) => return Found::Unclear(evidence(one, &why.to_string())),
        };
        let header = allowed(answer);
        match (&one.origin, answer.status) {
            (Origin::Frontend(origin), status @ (400 | 413 | 415 | 422)) => {
                let readable = header.as_deref() == Some(origin);
                let what = if readable { "it comes back" } else { "the frontend cannot read this error" };
                Found::when(readable, evidence(one, &format!("{status}: {what}")))
            }
            // A throttle, a proxy's fault or a bad token: the body was not what was refused.
            (Origin::Frontend(_), status) => {
                Found::Unclear(evidence(one, &format!("{status}: the body itself was not refused")))
            }
            (_, status) => {
                let frontends = |value: &String| super::is_a_frontends(seen, value);
                let shut = header.as_ref().is_none_or(frontends);
                Found::when(shut, evidence(one, &format!("{status}")))
            }
        }
    });
    let mut claim = tally::claim(id, found, "nothing was sent", "add the CORS headers to errors too");
    claim.evidence.push(throttled(seen));
    claim
}

/// What is said of 429: it is not provoked here.
fn throttled(seen: &[Seen]) -> Evidence {
    let count =
        seen.iter().filter(|one| one.outcome.as_ref().is_ok_and(|answer| answer.status == 429)).count();
    Evidence::http(match count {
        0 => "429 was not provoked, and none came in passing".to_owned(),
        _ => format!("{count} answers were 429, in passing, and are judged with the others"),
    })
}

/// An unsafe method of a foreign origin is refused with each `Sec-Fetch-Site` as it is without; so is nobody's, for want of a
/// token.
pub(super) fn fetch_metadata(seen: &[Seen]) -> Claim {
    let id = "fetch_metadata_changes_no_judgement";
    let remedy = "judge Origin itself: Sec-Fetch-Site may refuse more, and never let in more";
    let status = |one: &Seen| one.outcome.as_ref().ok().map(|answer| answer.status);
    let found = seen.iter().filter(|one| one.leg.says_site().is_some()).map(|one| {
        let without = seen.iter().find(|other| {
            other.leg == Leg::Unauthorized && other.endpoint == one.endpoint && other.origin == one.origin
        });
        let (now, before) = (status(one), without.and_then(status));
        let said = |status: Option<u16>| status.map_or("no answer".to_owned(), |status| status.to_string());
        let told = evidence(one, &format!("{}, and {} without it", said(now), said(before)));
        let opened = one.outcome.as_ref().ok().and_then(allowed);
        let opened = opened.is_some_and(|value| !super::is_a_frontends(seen, &value));
        match (&one.origin, now, before) {
            (_, Some(200..=399), _) => Found::Bad(told),
            _ if opened => Found::Bad(told),
            (Origin::Foreign(_), Some(403), Some(403)) => Found::Good(told),
            // Throttled, or broken for the moment: it says nothing of the header.
            (Origin::Foreign(_), Some(429 | 500..=599), Some(403)) => Found::Unclear(told),
            (Origin::Foreign(_), Some(_), Some(403)) => Found::Bad(told),
            (Origin::Frontend(_) | Origin::None, Some(now), Some(before)) if now == before => {
                Found::Good(told)
            }
            // Nobody from another site may be refused for that.
            (Origin::None, Some(403), Some(401)) => Found::Good(told),
            _ => Found::Unclear(told),
        }
    });
    tally::claim(id, found, "no unsafe method here to try", remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Transcript;
    use crate::world::http::Answer;

    /// What two foreign requests for one endpoint make: without `Sec-Fetch-Site`, and with it.
    fn verdict(without: u16, with: u16, opened: bool) -> Verdict {
        let seen = |leg, status, opened: bool| {
            let mut headers = http::HeaderMap::new();
            if opened {
                headers.insert("access-control-allow-origin", http::HeaderValue::from_static("*"));
            }
            let transcript = Transcript { request: String::new(), response: String::new() };
            let origin = Origin::Foreign(vec!["https://foreign.example".into()]);
            let outcome = Ok(Answer { status, headers, body: bytes::Bytes::new(), transcript });
            Seen { endpoint: "POST /orders".into(), leg, origin, outcome }
        };
        fetch_metadata(&[seen(Leg::Unauthorized, without, false), seen(Leg::SameOrigin, with, opened)])
            .verdict
    }

    #[test]
    fn a_throttle_or_a_fault_in_passing_says_nothing_of_fetch_metadata() {
        assert_eq!(verdict(403, 403, false), Verdict::Pass);
        for status in [429, 500, 503] {
            assert_eq!(verdict(403, status, false), Verdict::NotProven, "{status}");
            assert_eq!(verdict(403, status, true), Verdict::Fail, "{status}, and any origin may read it");
        }
        for status in [200, 204, 302, 400, 401, 404] {
            assert_eq!(verdict(403, status, false), Verdict::Fail, "{status}");
        }
    }
}
