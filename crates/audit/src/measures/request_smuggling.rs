//! X8: a request whose end can be read in two ways is refused, never answered twice (RFC 9112 sections 6 and 11.2, CWE-444):
//! two lengths, a disguised Transfer-Encoding, broken chunks, folded or split headers, another host inside, an upgrade that
//! carries requests of its own. What would be smuggled is a harmless request for a path that is not there. Control: a plain
//! request on the same connection is answered, and otherwise than what is no request.

use futures_util::StreamExt as _;

use crate::evidence::Evidence;
use crate::measures::claimed::{Claimed, claimed};
use crate::measures::tally::{self, Found};
use crate::report::Claim;
use crate::world::World;
use crate::world::raw::{Heard, Place};

/// What it can claim.
pub(crate) const CLAIMS: &[Claimed] = &[
    claimed(
        "two_lengths_are_not_believed",
        "a request with two lengths, or with a length in disguise, smuggles nothing",
        &["V4.2.1"],
        &[444],
    ),
    claimed(
        "broken_chunks_are_refused",
        "a body whose chunks are broken smuggles nothing",
        &["V4.2.1"],
        &[444],
    ),
    claimed(
        "broken_headers_are_refused",
        "a head with folded, split or doubled headers is refused",
        &["V4.2.1"],
        &[444, 113],
    ),
    claimed("no_upgrade_carries_requests", "no upgrade lets requests past the rules", &[], &[444]),
    claimed(
        "large_heads_are_refused",
        "a head that is too large is refused here, not further on",
        &["V4.2.5"],
        &[770],
    ),
    claimed(
        "answers_end_where_they_say",
        "answers without a body have none, and lengths are right",
        &["V4.2.2"],
        &[444],
    ),
];

/// Requests that are under way at once.
const AT_ONCE: usize = 6;

/// One way to send a request that can be read twice.
struct Attempt {
    claim: usize,
    name: &'static str,
    bytes: Vec<u8>,
    /// Whether it may be answered, if only the connection ends after it and nothing more of it is read (RFC 9112 section 6.1).
    or_closed: bool,
}

/// An attempt and what came back.
struct Tried {
    claim: usize,
    name: String,
    or_closed: bool,
    heard: Heard,
}

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    judge(&observe(world).await)
}

async fn observe(world: &World) -> Vec<Tried> {
    let config = &world.config;
    let agent = format!("portcullis-audit/{} run={}", config.version, world.id);
    let mut tried = Vec::new();
    let origin = |address: &str| url::Url::parse(address).ok().map(|url| url.origin().ascii_serialization());
    let bases: std::collections::BTreeSet<String> =
        [&config.target, &config.issuer].into_iter().filter_map(|address| origin(address)).collect();
    for base in bases {
        let Some(place) = Place::new(&base, &agent, config.certificate_authority.as_deref()) else {
            continue;
        };
        let path = format!("/portcullis-audit-{}", world.id);
        let plain = format!("{}\r\n", place.head(&format!("GET {path} HTTP/1.1")));
        let heard = futures_util::stream::iter(attempts(&place, &path).into_iter().map(|attempt| {
            let (place, plain, base) = (&place, plain.as_str(), base.as_str());
            async move {
                let heard = place.hear(plain, &attempt.bytes).await;
                let name = format!("{base}: {}", attempt.name);
                Tried { claim: attempt.claim, name, or_closed: attempt.or_closed, heard }
            }
        }));
        tried.extend(heard.buffered(AT_ONCE).collect::<Vec<_>>().await);
    }
    tried
}

fn attempts(place: &Place, path: &str) -> Vec<Attempt> {
    let post = |lines: &str, body: &str| {
        format!("{}{lines}\r\n{body}", place.head(&format!("POST {path} HTTP/1.1"))).into_bytes()
    };
    // What would be answered if it were taken for a request of its own.
    let hidden = format!("{}\r\n", place.head(&format!("GET {path}-hidden HTTP/1.1")));
    let attempt = |claim, name, bytes, or_closed| Attempt { claim, name, bytes, or_closed };
    let after = format!("0\r\n\r\n{hidden}");
    let long = after.len();
    let chunked = "Transfer-Encoding: chunked\r\n";
    let disguised = |line: &str| post(&format!("Content-Length: {long}\r\n{line}\r\n"), &after);
    let mut all = vec![
        attempt(0, "Content-Length around chunks (CL.TE)", disguised("Transfer-Encoding: chunked"), true),
        attempt(
            0,
            "chunks around a Content-Length (TE.CL)",
            post(&format!("Content-Length: 4\r\n{chunked}"), &format!("{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len())),
            true,
        ),
        attempt(0, "Transfer-Encoding: xchunked", disguised("Transfer-Encoding: xchunked"), false),
        attempt(0, "a space before the colon", disguised("Transfer-Encoding : chunked"), false),
        attempt(0, "chunked, identity", disguised("Transfer-Encoding: chunked, identity"), false),
        attempt(0, "a vertical tab before chunked", disguised("Transfer-Encoding: \u{b}chunked"), false),
        attempt(0, "two different Content-Length", post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!"), false),
        attempt(0, "Content-Length: 5, 6", post("Content-Length: 5, 6\r\n", "hello!"), false),
        attempt(0, "Content-Length: +5", post("Content-Length: +5\r\n", "hello"), false),
        attempt(0, "Content-Length: -1", post("Content-Length: -1\r\n", ""), false),
        attempt(0, "a Content-Length beyond 64 bits", post("Content-Length: 18446744073709551621\r\n", "hello"), false),
        attempt(1, "a chunk size that is no number", post(chunked, "zz\r\nhello\r\n0\r\n\r\n"), true),
        attempt(1, "a chunk size beyond 64 bits", post(chunked, "10000000000000005\r\nhello\r\n0\r\n\r\n"), true),
        attempt(1, "a chunk longer than it says", post(chunked, "3\r\nhello\r\n0\r\n\r\n"), true),
        attempt(1, "a minus before a chunk size", post(chunked, "-5\r\nhello\r\n0\r\n\r\n"), true),
        attempt(2, "a folded header", post("X-Audit: a\r\n b\r\nContent-Length: 0\r\n", ""), false),
        attempt(2, "a bare CR in a header", post("X-Audit: a\rX-Hidden: b\r\nContent-Length: 0\r\n", ""), false),
        attempt(2, "a NUL in a header", post("X-Audit: a\0b\r\nContent-Length: 0\r\n", ""), false),
        attempt(2, "a header without a name", post(": b\r\nContent-Length: 0\r\n", ""), false),
        attempt(2, "a second Host", post("Host: attacker.example\r\nContent-Length: 0\r\n", ""), false),
        attempt(
            2,
            "no Host",
            format!("POST {path} HTTP/1.1\r\nUser-Agent: {}\r\nContent-Length: 0\r\n\r\n", place.agent).into_bytes(),
            false,
        ),
        attempt(
            3,
            "Upgrade: h2c",
            format!(
                "{}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
                place.head(&format!("GET {path} HTTP/1.1"))
            )
            .into_bytes(),
            false,
        ),
        attempt(
            3,
            "CONNECT",
            format!("{}\r\n", place.head("CONNECT 127.0.0.1:22 HTTP/1.1")).into_bytes(),
            false,
        ),
        attempt(4, "a header of 300 kB", post(&format!("X-Audit: {}\r\nContent-Length: 0\r\n", "a".repeat(300_000)), ""), false),
        attempt(
            4,
            "a path of 100 kB",
            format!("{}\r\n", place.head(&format!("GET {path}{} HTTP/1.1", "a".repeat(100_000)))).into_bytes(),
            false,
        ),
    ];
    let head = format!("{}\r\n", place.head(&format!("HEAD {path} HTTP/1.1")));
    let get = format!("{}Connection: close\r\n\r\n", place.head(&format!("GET {path} HTTP/1.1")));
    all.push(attempt(5, "HEAD, then GET", format!("{head}{get}").into_bytes(), false));
    all
}

fn judge(tried: &[Tried]) -> Vec<Claim> {
    let remedies = [
        "refuse a request with two lengths with 400, and end the connection",
        "refuse what is no chunk with 400, and end the connection",
        "refuse such a head with 400",
        "take no upgrade but those that you serve",
        "answer 431 or 414",
        "let a library frame the answers",
    ];
    CLAIMS
        .iter()
        .zip(remedies)
        .enumerate()
        .map(|(at, (claim, remedy))| {
            let found = tried.iter().filter(|tried| tried.claim == at).map(shown);
            let claim = tally::claim(claim.id, found, "nothing was sent", remedy);
            if claim.verdict == crate::verdict::Verdict::NotApplicable {
                return Claim::not_proven(&claim.id, claim.evidence, "let the auditor reach the target");
            }
            claim
        })
        .collect()
}

fn shown(tried: &Tried) -> Found {
    let heard = &tried.heard;
    let plain = match &heard.control {
        // What answers so to anything refuses nothing.
        Ok(status @ (400 | 421 | 429 | 500..)) => {
            let what = format!("{}: no control: a plain request got {status} too", tried.name);
            return Found::Unclear(Evidence::http(what));
        }
        Ok(status) => *status,
        Err(why) => return Found::Unclear(Evidence::http(format!("{}: no control: {why}", tried.name))),
    };
    let said = match heard.statuses.as_slice() {
        [] => "no answer".to_owned(),
        statuses => statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(", then "),
    };
    let end = if heard.closed { ", and the connection ended" } else { "" };
    let evidence = Evidence::http(format!("{}: {said}{end}", tried.name))
        .beside(format!("a plain request before it on the same connection got {plain}"));
    // The answer of HEAD has a length and no body; so the lengths of both are looked at together.
    if tried.claim == 5 {
        return framed(heard, evidence);
    }
    match heard.statuses.as_slice() {
        [_, _, ..] => Found::Bad(evidence),
        [] => Found::when(heard.closed, evidence),
        [101] => Found::Bad(evidence),
        [400 | 405 | 408 | 411 | 413 | 414 | 417 | 421 | 431 | 501 | 505] => Found::Good(evidence),
        // Something further on may have stumbled over what was let through, or waits for more of it.
        [100 | 429 | 500..=599] => Found::Unclear(evidence),
        [200..=299] if tried.name.ends_with("CONNECT") => Found::Bad(evidence),
        [status] if tried.claim == 3 => Found::when(*status >= 400 || *status == plain, evidence),
        [_] if tried.or_closed && heard.closed => Found::Good(evidence),
        [_] => Found::Bad(evidence),
    }
}

/// HEAD's answer and GET's, in a row: two heads, and not a byte that belongs to neither.
fn framed(heard: &Heard, evidence: Evidence) -> Found {
    match (heard.statuses.as_slice(), heard.rest) {
        ([first, second], 0) => Found::when(first == second, evidence),
        ([_], 0) if heard.closed => Found::Good(evidence),
        _ => Found::Unclear(evidence),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;

    fn heard(statuses: &[u16], closed: bool) -> Heard {
        Heard { control: Ok(401), statuses: statuses.to_vec(), closed, rest: 0 }
    }

    fn verdict(claim: usize, or_closed: bool, heard: Heard) -> Verdict {
        judge(&[Tried { claim, name: "x".into(), or_closed, heard }])[claim].verdict
    }

    #[test]
    fn refused_beside_a_control_passes_answered_fails_and_without_a_control_it_is_open() {
        for claim in 0..5 {
            assert_eq!(verdict(claim, false, heard(&[400], true)), Verdict::Pass, "{claim}");
            assert_eq!(verdict(claim, false, heard(&[401, 401], false)), Verdict::Fail, "{claim}");
            let uncontrolled = Heard { control: Err("no answer".into()), ..heard(&[400], true) };
            assert_eq!(verdict(claim, false, uncontrolled), Verdict::NotProven, "{claim}");
        }
        assert_eq!(verdict(0, false, heard(&[401], true)), Verdict::Fail, "taken for a request");
        assert_eq!(
            verdict(0, true, heard(&[401], true)),
            Verdict::Pass,
            "read one way, and the connection ended"
        );
        assert_eq!(verdict(0, true, heard(&[401], false)), Verdict::Fail);
        assert_eq!(verdict(0, true, heard(&[], true)), Verdict::Pass);
        assert_eq!(verdict(3, false, heard(&[101], false)), Verdict::Fail);
        assert_eq!(verdict(3, false, heard(&[401], false)), Verdict::Pass, "the upgrade was passed over");
        assert_eq!(verdict(5, false, heard(&[404, 404], true)), Verdict::Pass);
        assert_eq!(verdict(5, false, heard(&[404, 500], true)), Verdict::Fail);
        assert_eq!(verdict(5, false, Heard { rest: 7, ..heard(&[404], true) }), Verdict::NotProven);
        assert!(judge(&[]).iter().all(|claim| claim.verdict == Verdict::NotProven));
    }

    #[test]
    fn what_answers_the_same_to_everything_refuses_nothing() {
        for status in [400, 421, 429, 500, 502, 503, 504] {
            for claim in 0..CLAIMS.len() {
                let statuses = if claim == 5 { vec![status, status] } else { vec![status] };
                let heard = Heard { control: Ok(status), ..heard(&statuses, true) };
                assert_eq!(verdict(claim, true, heard), Verdict::NotProven, "{claim}: {status}");
            }
        }
        for claim in 0..5 {
            for status in [100, 429, 500, 502, 503, 504] {
                let verdict = verdict(claim, true, heard(&[status], true));
                assert_eq!(verdict, Verdict::NotProven, "{claim}: {status}");
            }
            for status in [501, 505] {
                assert_eq!(verdict(claim, false, heard(&[status], true)), Verdict::Pass, "{claim}: {status}");
            }
        }
    }
}
