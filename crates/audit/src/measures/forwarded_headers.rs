//! X9: no header that a stranger sends is believed (ASVS 5 V4.1.3, V8.3.1; CWE-290, CWE-348): not who one is, not what one
//! may, not which host this is. Control: the same endpoint lets the right token in, the same metadata is answered without.

use crate::config::Caller;
use crate::evidence::Evidence;
use crate::measures::claimed::{Claimed, claimed};
use crate::measures::tally::{self, Found};
use crate::report::Claim;
use crate::world::World;
use crate::world::http::{Answer, Probe, Sent};

/// What it can claim.
pub(crate) const CLAIMS: &[Claimed] = &[
    claimed(
        "no_header_says_who_one_is",
        "no header of a stranger's makes him somebody",
        &["V4.1.3", "V8.3.1"],
        &[290, 348],
    ),
    claimed("no_header_gives_a_scope", "no header adds a scope to a token", &["V8.3.1"], &[863]),
    claimed(
        "no_header_changes_the_host",
        "no header changes the addresses in metadata and redirects",
        &["V4.1.3"],
        &[644],
    ),
    claimed(
        "no_header_changes_the_reset_link",
        "no header changes where the link in a reset mail leads",
        &["V4.1.3"],
        &[640, 644],
    ),
];

/// Where a header would lead.
const FOREIGN: &str = "attacker.example";
/// Headers by which other proxies and frameworks say who is there.
const IDENTITIES: [(&str, &str); 14] = [
    ("x-auth-subject", "admin"),
    ("x-auth-client", "admin"),
    ("x_auth_subject", "admin"),
    ("x-user-id", "1"),
    ("x-user", "admin"),
    ("x-username", "admin"),
    ("x-remote-user", "admin"),
    ("remote-user", "admin"),
    ("x-forwarded-user", "admin"),
    ("x-authenticated-user", "admin"),
    ("x-webauth-user", "admin"),
    ("x-ms-client-principal-name", "admin"),
    ("x-amzn-oidc-identity", "admin"),
    ("x-goog-authenticated-user-email", "accounts.google.com:admin@example.com"),
];

/// One attempt that must be refused.
struct Tried {
    claim: usize,
    what: String,
    sent: Sent,
    control: Result<String, String>,
}

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    let mut claims = judge(&observe(world).await);
    claims.push(hosts(&metadata(world).await));
    claims.push(link(world).await);
    claims
}

async fn observe(world: &World) -> Vec<Tried> {
    let matrix = world.matrix().await;
    let mut asked = Vec::new();
    let protected = world
        .inventory
        .endpoints
        .iter()
        .enumerate()
        .filter(|(_, one)| one.method == "GET" && one.caller().is_some());
    let (good, other): (Vec<_>, Vec<_>) =
        protected.partition(|(at, endpoint)| matrix.control(*at, endpoint).is_ok());
    for (at, endpoint) in good.into_iter().chain(other).take(3) {
        let control = matrix.control(at, endpoint);
        for (name, value) in IDENTITIES {
            let probe = Probe::new("GET", endpoint.url()).header(name, value);
            asked.push((0, format!("{} with {name}: {value}", endpoint.name()), probe, control.clone()));
        }
        let wanted = endpoint.scopes();
        if wanted.is_empty() {
            continue;
        }
        let kind = endpoint.caller().unwrap_or(Caller::User);
        if let Ok(token) = world.lacking(kind, &wanted).await {
            let scopes = wanted.iter().cloned().collect::<Vec<_>>().join(" ");
            for name in ["x-auth-scopes", "x_auth_scopes", "x-scopes", "x-oauth-scopes", "x-forwarded-groups"]
            {
                let probe = Probe::new("GET", endpoint.url())
                    .header(name, scopes.clone())
                    .with(Some(token.credential()));
                let what = format!("{} with {} and {name}", endpoint.name(), token.label);
                asked.push((1, what, probe, control.clone()));
            }
        }
    }
    let probes = asked.iter().map(|(_, _, probe, _)| probe.clone()).collect();
    let sent = world.http.send_all(probes).await;
    asked
        .into_iter()
        .zip(sent)
        .map(|((claim, what, _, control), sent)| Tried { claim, what, sent, control })
        .collect()
}

fn judge(tried: &[Tried]) -> Vec<Claim> {
    let remedies = ["strip from requests what only the gateway may say", "take scopes from the token alone"];
    CLAIMS
        .iter()
        .zip(remedies)
        .enumerate()
        .map(|(at, (claim, remedy))| {
            let found = tried.iter().filter(|tried| tried.claim == at).map(|tried| {
                let answer = match &tried.sent {
                    Ok(answer) => answer,
                    Err(why) => return Found::Unclear(Evidence::http(format!("{}: {why}", tried.what))),
                };
                let evidence =
                    Evidence::http(format!("{}: {}", tried.what, answer.status)).shown(&answer.transcript);
                match (answer.status, &tried.control) {
                    (200..=399, _) => Found::Bad(evidence),
                    (401 | 403 | 404, Ok(control)) => Found::Good(evidence.beside(control.clone())),
                    (status, Err(why)) => Found::Unclear(Evidence::http(format!(
                        "{}: {status}, but without a control: {why}",
                        tried.what
                    ))),
                    _ => Found::Unclear(evidence),
                }
            });
            let judged = tally::claim(claim.id, found, "nothing", remedy);
            if judged.verdict == crate::verdict::Verdict::NotApplicable {
                let why = Evidence::http("no endpoint here that it could be tried at with a control");
                return Claim::not_proven(
                    claim.id,
                    vec![why],
                    "give the auditor an endpoint and tokens to try",
                );
            }
            judged
        })
        .collect()
}

/// The metadata and an unknown path, without and with headers that name a foreign host.
async fn metadata(world: &World) -> Vec<(String, Sent, Sent)> {
    let issuer = &world.config.issuer;
    let target = world.config.target.trim_end_matches('/');
    let mut all = Vec::new();
    for url in [format!("{issuer}.well-known/openid-configuration"), issuer.clone(), format!("{target}/")] {
        let plain = world.http.send(Probe::new("GET", &url)).await;
        let spoofed = Probe::new("GET", &url)
            .header("x-forwarded-host", FOREIGN)
            .header("x-forwarded-server", FOREIGN)
            .header("x-host", FOREIGN)
            .header("x-forwarded-proto", "ftp")
            .header("x-original-host", FOREIGN)
            .header("forwarded", format!("host={FOREIGN};proto=ftp"));
        all.push((url, plain, world.http.send(spoofed).await));
    }
    all
}

fn hosts(seen: &[(String, Sent, Sent)]) -> Claim {
    let foreign = |answer: &Answer| {
        let in_body = String::from_utf8_lossy(&answer.body).contains(FOREIGN);
        in_body || answer.header("location").is_some_and(|to| to.contains(FOREIGN) || to.starts_with("ftp:"))
    };
    let found = seen.iter().map(|(url, plain, spoofed)| match (plain, spoofed) {
        (Ok(plain), Ok(spoofed)) => {
            let evidence =
                Evidence::http(format!("GET {url} with a foreign X-Forwarded-Host: {}", spoofed.status))
                    .shown(&spoofed.transcript)
                    .beside(format!("without it {}", plain.status));
            if foreign(spoofed) {
                Found::Bad(evidence)
            } else if matches!(plain.status, 429 | 500..) {
                Found::Unclear(evidence)
            } else if plain.status == spoofed.status || spoofed.status == 400 {
                Found::Good(evidence)
            } else {
                Found::Unclear(evidence)
            }
        }
        (Err(why), _) | (_, Err(why)) => Found::Unclear(Evidence::http(format!("GET {url}: {why}"))),
    });
    // An address can be shown wrong only by an answer that has some.
    let control = seen.iter().any(|(_, plain, _)| {
        plain.as_ref().is_ok_and(|plain| (200..300).contains(&plain.status) && !plain.body.is_empty())
    });
    let without = "no control: nothing with a body was answered without the headers";
    let lacking = (!control).then(|| Found::Unclear(Evidence::http(without)));
    tally::claim(
        CLAIMS[2].id,
        found.chain(lacking),
        "nothing was asked",
        "take addresses from the configuration, never from a header",
    )
}

/// What A2's exercise sent with X-Forwarded-Host and Forwarded.
async fn link(world: &World) -> Claim {
    let id = CLAIMS[3].id;
    let origin = match world.begun().await {
        Ok(begun) => begun.link.as_ref().map(|link| link.origin.clone()).map_err(Clone::clone),
        Err(why) => Err(why.clone()),
    };
    leads(id, &origin, &world.config.issuer)
}

fn leads(id: &str, origin: &Result<String, String>, issuer: &str) -> Claim {
    match origin {
        Ok(origin) => {
            let home = url::Url::parse(issuer).map(|url| url.origin().ascii_serialization());
            let evidence =
                Evidence::http(format!("the link leads to {origin}, though headers named another host"));
            let found = Found::when(home.is_ok_and(|home| home == *origin), evidence);
            tally::claim(id, [found], "nothing", "take the link's host from identity.issuer")
        }
        Err(why) => Claim::not_proven(
            id,
            vec![Evidence::http(why.clone())],
            "set [audit] exercise and mailbox where a throw-away user may be made",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict::{Fail, NotProven, Pass};
    use crate::world::http::{Point, Unreachable, answer_of};

    #[test]
    fn a_header_that_is_believed_fails_and_without_a_control_it_is_open() {
        for claim in 0..2 {
            let of = |status, control: Result<String, String>| {
                let sent = Ok(answer_of(status, &[], ""));
                judge(&[Tried { claim, what: "x".into(), sent, control }])[claim].verdict
            };
            let good = || Ok("the right token got 200".to_owned());
            assert_eq!(of(if claim == 0 { 401 } else { 403 }, good()), Pass);
            assert_eq!(of(200, good()), Fail);
            assert_eq!(of(401, Err("no token".into())), NotProven);
            assert_eq!(of(503, good()), NotProven);
        }
        assert!(judge(&[]).iter().all(|claim| claim.verdict == NotProven));
    }

    #[test]
    fn a_host_in_a_header_leads_nowhere() {
        let of = |spoofed: Answer| hosts(&[("u".into(), Ok(answer_of(200, &[], "x")), Ok(spoofed))]).verdict;
        assert_eq!(of(answer_of(200, &[], "x")), Pass);
        assert_eq!(of(answer_of(200, &[], "https://attacker.example/")), Fail);
        assert_eq!(of(answer_of(302, &[("location", "https://attacker.example/")], "")), Fail);
        assert_eq!(of(answer_of(500, &[], "")), NotProven);
        assert_eq!(
            hosts(&[(
                "u".into(),
                Err(Unreachable("down".into(), Point::NotConnected)),
                Ok(answer_of(200, &[], ""))
            )])
            .verdict,
            NotProven
        );
        for (status, body) in [(404, "x"), (503, "x"), (200, "")] {
            let same = || Ok(answer_of(status, &[], body));
            assert_eq!(hosts(&[("u".into(), same(), same())]).verdict, NotProven, "{status}");
        }
        let leads = |origin: Result<String, String>| leads("x", &origin, "https://id.example/").verdict;
        assert_eq!(leads(Ok("https://id.example".into())), Pass);
        assert_eq!(leads(Ok("https://attacker.example".into())), Fail);
        assert_eq!(leads(Err("no mail".into())), NotProven);
    }
}
