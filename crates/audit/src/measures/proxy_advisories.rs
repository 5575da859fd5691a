//! X10: what public advisories fooled other proxies with is tried here, each at endpoints that want a token and without one:
//! oauth2-proxy (health checks by User-Agent, X-Forwarded-Uri, fragments and queries in allowed routes, underscores in header
//! names), Envoy and Apache (dots and slashes in disguise), Tomcat behind a proxy (`..;`), Next.js
//! (x-middleware-subrequest), Traefik (hop-by-hop headers), Symfony (X-Original-URL). Control: the right token is let in there,
//! before and after.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::config::Access;
use crate::evidence::Evidence;
use crate::measures::claimed::{Claimed, claimed};
use crate::measures::tally::{self, Found};
use crate::report::Claim;
use crate::world::World;
use crate::world::http::{Credential, Probe, Sent};
use crate::world::inventory::Endpoint;
use crate::world::matrix::{self, let_in};

/// What it can claim.
pub(crate) const CLAIMS: &[Claimed] = &[
    claimed(
        "no_written_path_fools_it",
        "no path of a public advisory gets a stranger to an endpoint",
        &["V1.1.1"],
        &[22, 178, 436],
    ),
    claimed(
        "no_query_or_fragment_fools_it",
        "no query and no fragment of a public advisory gets a stranger to an endpoint",
        &["V8.2.1"],
        &[20, 436],
    ),
    claimed(
        "no_header_fools_it",
        "no header of a public advisory gets a stranger to an endpoint",
        &["V8.3.1", "V4.1.3"],
        &[290, 348],
    ),
    claimed(
        "no_health_check_fools_it",
        "nobody is let in for calling himself a health check",
        &["V8.2.1"],
        &[290],
    ),
    claimed(
        "private_answers_have_no_files_name",
        "what a token gets is not given under the name of a file that a cache would keep",
        &["V14.2.5"],
        &[524],
    ),
];

/// How many endpoints are tried; the detours of A5 are tried at all of them.
const ENDPOINTS: usize = 3;

/// Advisory and how a path is written for it: `{}` is the path, `{head}` all before its last segment, `{last}` that.
const PATHS: [(&str, &str); 16] = [
    ("CVE-2019-9901 (Envoy): a path that is not normalised", "/portcullis-audit/..{}"),
    ("CVE-2021-32779 (Envoy): # in a path", "{}%23x"),
    ("CVE-2021-29492 (Envoy): escaped slashes", "/.%2f{}"),
    ("CVE-2021-41773 (Apache): .%2e", "/portcullis-audit/.%2e{}"),
    ("CVE-2021-42013 (Apache): %%32%65", "/portcullis-audit/%%32%65%%32%65{}"),
    ("CVE-2020-17523 (Shiro): a space at the end", "{}%20"),
    ("CVE-2020-13933 (Shiro): %3b", "{head}/%3b{last}"),
    ("CVE-2022-32532 (Shiro): a line feed in the path", "{}%0a"),
    ("CVE-2023-34478 (Shiro): a dot at the end", "{}/."),
    ("Tomcat behind a proxy: ..;", "/portcullis-audit/..;{}"),
    ("Tomcat: a parameter in a segment", "{head}/;x=1/{last}"),
    ("CVE-2016-5007 (Spring): a tab at the end", "{}%09"),
    ("CVE-2024-38816 (Spring): a backslash", "/portcullis-audit/..%5c{}"),
    ("a NUL at the end", "{}%00"),
    ("an overlong slash", "{head}%c0%af{last}"),
    ("full-width letters", "{head}/%ef%bc%8f{last}"),
];

/// Advisory and what stands behind the path.
const QUERIES: [(&str, &str); 4] = [
    ("CVE-2025-54576 (oauth2-proxy): a query that looks like an open path", "?x=/.well-known/jwks.json"),
    ("the same without a name", "?/health"),
    ("oauth2-proxy: a fragment in an allowed route", "%23/../health"),
    ("a file's name in the query", "?x=.css"),
];

/// Advisory, header and value; `{open}` is a path that needs no token.
const HEADERS: [(&str, &str, &str); 16] = [
    ("oauth2-proxy: X-Forwarded-Uri", "x-forwarded-uri", "{open}"),
    ("CVE-2018-14773 (Symfony): X-Original-URL", "x-original-url", "{open}"),
    ("CVE-2018-14773 (Symfony): X-Rewrite-URL", "x-rewrite-url", "{open}"),
    ("X-Forwarded-Prefix", "x-forwarded-prefix", "/portcullis-audit"),
    ("X-Forwarded-Method", "x-forwarded-method", "OPTIONS"),
    ("X-HTTP-Method-Override", "x-http-method-override", "OPTIONS"),
    (
        "CVE-2025-29927 (Next.js): x-middleware-subrequest",
        "x-middleware-subrequest",
        "middleware:middleware:middleware:middleware:middleware",
    ),
    (
        "CVE-2024-45410 (Traefik): Connection names a header",
        "connection",
        "close, authorization, x-forwarded-for",
    ),
    ("CVE-2025-64484 (oauth2-proxy): an underscore in a name", "x_forwarded_user", "admin"),
    ("X-Forwarded-User", "x-forwarded-user", "admin"),
    ("X-Forwarded-Email", "x-forwarded-email", "admin@example.com"),
    ("X-Remote-User", "x-remote-user", "admin"),
    ("X-Auth-Subject", "x-auth-subject", "admin"),
    ("X-Auth-Scopes", "x-auth-scopes", "admin"),
    ("X-Forwarded-For a neighbour", "x-forwarded-for", "127.0.0.1"),
    ("X-Forwarded-Access-Token", "x-forwarded-access-token", "x"),
];

/// Who calls himself a health check (oauth2-proxy's bypass by User-Agent; the auditor's own name stands behind it).
const CHECKS: [&str; 4] =
    ["GoogleHC/1.0", "kube-probe/1.29", "ELB-HealthChecker/2.0", "Google-Cloud-Scheduler"];

/// One attempt.
struct Tried {
    claim: usize,
    what: String,
    sent: Sent,
    /// What the right token got at the same endpoint.
    control: Result<String, String>,
}

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    judge(&observe(world).await)
}

async fn observe(world: &World) -> Vec<Tried> {
    let matrix = world.matrix().await;
    let endpoints = &world.inventory.endpoints;
    let open = endpoints
        .iter()
        .find(|endpoint| endpoint.is_public())
        .map_or("/health", |endpoint| endpoint.path.as_str());
    let protected: Vec<(usize, &Endpoint)> = endpoints
        .iter()
        .enumerate()
        .filter(|(_, endpoint)| endpoint.method == "GET" && endpoint.caller().is_some())
        .collect();
    // Those that let the right token in, first: without that there is no control.
    let (good, other): (Vec<_>, Vec<_>) =
        protected.into_iter().partition(|(at, endpoint)| matrix.control(*at, endpoint).is_ok());
    let agent = format!("portcullis-audit/{} run={}", world.config.version, world.id);
    let mut asked = Vec::new();
    for (at, endpoint) in good.into_iter().chain(other).take(ENDPOINTS) {
        let control = matrix.control(at, endpoint);
        let url = |path: &str| format!("{}{path}", endpoint.base);
        let mut ask =
            |claim, what: String, probe: Probe| asked.push((claim, what, probe, control.clone(), at));
        for (advisory, template) in PATHS {
            if let Some(path) = written(template, &endpoint.path) {
                ask(0, format!("{advisory}: {} as {path}", endpoint.name()), Probe::new("GET", url(&path)));
            }
        }
        for (advisory, suffix) in QUERIES {
            let path = format!("{}{suffix}", endpoint.path);
            ask(1, format!("{advisory}: {} as {path}", endpoint.name()), Probe::new("GET", url(&path)));
        }
        for (advisory, name, value) in HEADERS {
            let value = value.replace("{open}", open);
            let probe = Probe::new("GET", url(&endpoint.path)).header(name, value.clone());
            ask(2, format!("{advisory}: {} with {name}: {value}", endpoint.name()), probe);
        }
        for check in CHECKS {
            let probe =
                Probe::new("GET", url(&endpoint.path)).header("user-agent", format!("{check} {agent}"));
            ask(3, format!("{} by {check}", endpoint.name()), probe);
        }
        let kind = endpoint.caller().unwrap_or(crate::config::Caller::User);
        if let Ok(token) = world.full(kind).await {
            for suffix in ["/x.css", "%2fx.css", ";x.css", "%3bx.js", "%00.css", "/..%2fx.css"] {
                let path = format!("{}{suffix}", endpoint.path);
                let credential: Credential = token.credential();
                let probe = Probe::new("GET", url(&path)).with(Some(credential));
                ask(4, format!("the right token at {path}"), probe);
            }
        }
    }
    let probes = asked.iter().map(|(_, _, probe, _, _)| probe.clone()).collect();
    let sent = world.http.send_all(probes).await;
    let mut afterwards = BTreeMap::new();
    for at in asked.iter().map(|(.., at)| *at) {
        if let (Entry::Vacant(vacant), Some(endpoint)) = (afterwards.entry(at), endpoints.get(at)) {
            vacant.insert(again(world, endpoint).await);
        }
    }
    asked
        .into_iter()
        .zip(sent)
        .map(|((claim, what, _, control, at), sent)| {
            let control = control.and_then(|control| match afterwards.get(&at) {
                Some(Err(why)) => Err(why.clone()),
                _ => Ok(control),
            });
            Tried { claim, what, sent, control }
        })
        .collect()
}

/// The control once more, behind all attempts: what went down in between has refused none of them.
async fn again(world: &World, endpoint: &Endpoint) -> Result<(), String> {
    if endpoint.access == Access::Denied {
        return Ok(());
    }
    let token = matrix::right(world, endpoint).await?;
    let probe = Probe::new("GET", endpoint.url()).with(Some(token.credential()));
    still(&world.http.send(probe).await)
}

fn still(sent: &Sent) -> Result<(), String> {
    match sent {
        Ok(answer) if let_in(answer.status) => Ok(()),
        Ok(answer) => Err(format!("afterwards the right token got {} there", answer.status)),
        Err(why) => Err(format!("afterwards the right token got no answer there: {why}")),
    }
}

fn written(template: &str, path: &str) -> Option<String> {
    let (head, last) = path.rsplit_once('/')?;
    let written = template.replace("{head}", head).replace("{last}", last).replace("{}", path);
    (!last.is_empty() && written.starts_with('/')).then_some(written)
}

fn judge(tried: &[Tried]) -> Vec<Claim> {
    let remedies = [
        "read a path once, forward what was read, and refuse what can be read twice",
        "match the path alone, never the query",
        "strip what only the gateway may say, in every spelling",
        "let nobody in by his User-Agent",
        "answer 404 to a path that no rule names",
    ];
    CLAIMS
        .iter()
        .zip(remedies)
        .enumerate()
        .map(|(at, (claim, remedy))| {
            let found = tried.iter().filter(|tried| tried.claim == at).map(shown);
            let claim = tally::claim(claim.id, found, "no endpoint here wants a token", remedy);
            if tried.is_empty() {
                return Claim::not_proven(&claim.id, claim.evidence, "give the auditor an endpoint to try");
            }
            claim
        })
        .collect()
}

fn shown(tried: &Tried) -> Found {
    let answer = match &tried.sent {
        Ok(answer) => answer,
        // A connection that is closed over a request refuses it; one that never came about shows nothing.
        Err(why) if tried.control.is_ok() && why.is_closed() => {
            return Found::Good(Evidence::http(format!("{}: {why}", tried.what)));
        }
        Err(why) => return Found::Unclear(Evidence::http(format!("{}: {why}", tried.what))),
    };
    let evidence = Evidence::http(format!("{}: {}", tried.what, answer.status)).shown(&answer.transcript);
    let refused = match answer.status {
        300..=428 | 431 | 501 => true,
        // The backend may stumble over a path that only the right token brings it to.
        500 if tried.claim == 4 => true,
        200..=299 if tried.claim == 4 => {
            // Kept by nobody, it may be given under any name.
            let kept = answer.header("cache-control").unwrap_or_default().to_ascii_lowercase();
            kept.contains("no-store") || kept.contains("private")
        }
        101 | 200..=299 => false,
        _ => return Found::Unclear(evidence),
    };
    match (&tried.control, refused) {
        (_, false) => Found::Bad(evidence),
        (Ok(control), true) => Found::Good(evidence.beside(control.clone())),
        (Err(why), true) => Found::Unclear(Evidence::http(format!(
            "{}: {}, but without a control: {why}",
            tried.what, answer.status
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;
    use crate::world::http::{Point, Unreachable, answer_of};

    fn verdict(claim: usize, status: u16, headers: &[(&str, &str)], control: bool) -> Verdict {
        let control = if control { Ok("the right token got 200 there".into()) } else { Err("none".into()) };
        let sent = Ok(answer_of(status, headers, "{}"));
        judge(&[Tried { claim, what: "x".into(), sent, control }])[claim].verdict
    }

    #[test]
    fn each_is_refused_beside_a_control_fails_when_let_in_and_is_open_without() {
        for claim in 0..CLAIMS.len() {
            assert_eq!(verdict(claim, 401, &[], true), Verdict::Pass, "{claim}");
            assert_eq!(verdict(claim, 404, &[], true), Verdict::Pass, "{claim}");
            assert_eq!(verdict(claim, 200, &[], true), Verdict::Fail, "{claim}");
            assert_eq!(verdict(claim, 401, &[], false), Verdict::NotProven, "{claim}");
            assert_eq!(verdict(claim, 503, &[], true), Verdict::NotProven, "{claim}");
        }
        assert_eq!(verdict(4, 200, &[("cache-control", "private")], true), Verdict::Pass);
        assert!(judge(&[]).iter().all(|claim| claim.verdict == Verdict::NotProven));
    }

    #[test]
    fn a_connection_that_is_closed_refuses_and_one_that_never_came_shows_nothing() {
        for (point, control, wanted) in [
            (Point::Closed, true, Verdict::Pass),
            (Point::Closed, false, Verdict::NotProven),
            (Point::NotConnected, true, Verdict::NotProven),
            (Point::Unanswered, true, Verdict::NotProven),
            (Point::NotSent, true, Verdict::NotProven),
        ] {
            let control =
                if control { Ok("the right token got 200 there".into()) } else { Err("none".into()) };
            let sent = Err(Unreachable("connection refused".into(), point));
            let tried = Tried { claim: 0, what: "x".into(), sent, control };
            assert_eq!(judge(&[tried])[0].verdict, wanted, "{point:?}");
        }
        assert!(still(&Ok(answer_of(200, &[], ""))).is_ok());
        assert!(still(&Ok(answer_of(503, &[], ""))).is_err());
        assert!(still(&Err(Unreachable("connection refused".into(), Point::NotConnected))).is_err());
    }

    #[test]
    fn every_advisory_writes_a_path() {
        for (advisory, template) in PATHS {
            let path = written(template, "/orders/7").unwrap();
            assert!(
                path.starts_with('/') && path != "/orders/7" && !path.contains('{'),
                "{advisory}: {path}"
            );
            assert!(path.parse::<http::Uri>().is_ok(), "{advisory}: {path} cannot be sent");
        }
        assert_eq!(written("{head}%c0%af{last}", "/orders"), None, "no path begins so");
        assert_eq!(written("{head}/%3b{last}", "/orders/7").as_deref(), Some("/orders/%3b7"));
    }
}
