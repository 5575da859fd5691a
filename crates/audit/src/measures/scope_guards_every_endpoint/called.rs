//! What was really called against what is known: a route that the access log has answered, and that neither the OpenAPI document
//! nor a rule knows, is one that nobody guards by intention (OWASP API9:2023, improper inventory management).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::config::Config;
use crate::evidence::Evidence;
use crate::report::Claim;
use crate::verdict::Verdict;
use crate::world::access_log::{self, Log};
use crate::world::inventory::{Inventory, matches};

pub(super) const ID: &str = "every_called_route_is_known";
/// How many routes a claim shows.
const SHOWN: usize = 20;
/// The issuer's own paths; a path that ends in a slash stands for all below it.
const ISSUERS: [&str; 11] = [
    "/.well-known/",
    "/oauth/",
    "/authorize",
    "/userinfo",
    "/v2/logout",
    "/oidc/logout",
    "/mfa/",
    "/login",
    "/signup",
    "/consent",
    "/reset",
];

pub(super) async fn claim(config: &Config, inventory: &Inventory) -> Claim {
    match &config.access_log {
        None => {
            let what = "not tried: no access log was given ([audit] access_log)";
            Claim::pass(ID, vec![Evidence::configuration(what)]).but(Verdict::NotApplicable)
        }
        Some(path) => {
            let issuers = issuers(&config.issuer, &config.target);
            let file = path.clone();
            // A large log takes a while, and a file of a network's may keep one waiting.
            let log = tokio::task::spawn_blocking(move || access_log::read(&file)).await;
            judge(path, &log.unwrap_or_else(|error| Err(error.to_string())), inventory, issuers)
        }
    }
}

/// The paths that are nobody's omission: where issuer and backend are one origin, one log speaks of both. Elsewhere the backend
/// has no business there, and whatever it answers at such a path is its own.
fn issuers(issuer: &str, target: &str) -> &'static [&'static str] {
    let origin = |url: &str| url::Url::parse(url).ok().map(|url| url.origin());
    match (origin(issuer), origin(target)) {
        (Some(issuer), Some(target)) if issuer == target => &ISSUERS,
        _ => &[],
    }
}

fn judge(path: &Path, log: &Result<Log, String>, inventory: &Inventory, own: &[&str]) -> Claim {
    let log = match log {
        Ok(log) => log,
        Err(why) => {
            let remedy = "let the auditor read the file that [audit] access_log names";
            return Claim::not_proven(ID, vec![Evidence::file(why.clone())], remedy);
        }
    };
    let (mut known, mut unknown, mut issuers) = (BTreeSet::new(), BTreeMap::<String, u64>::new(), 0_u64);
    // A preflight is answered before any route.
    let served =
        log.entries.iter().filter(|entry| access_log::is_served(entry.status) && entry.method != "OPTIONS");
    let mut counts = BTreeMap::<(&str, &str), u64>::new();
    for entry in served {
        *counts.entry((&entry.method, &entry.path)).or_default() += 1;
    }
    let words = inventory.endpoints.iter().flat_map(|endpoint| endpoint.template.split('/')).collect();
    for ((called, target), count) in counts {
        // HEAD follows GET (RFC 9110 section 9.3.2).
        let method = if called == "HEAD" { "GET" } else { called };
        let is = |at: &usize| {
            let endpoint = &inventory.endpoints[*at];
            let same = endpoint.method == method || (endpoint.method == "HEAD" && called == "HEAD");
            same && matches(&endpoint.template, target)
        };
        if let Some(at) = (0..inventory.endpoints.len()).find(is) {
            known.insert(at);
        } else if own.iter().any(|own| *own == target || (own.ends_with('/') && target.starts_with(own))) {
            issuers += count;
        } else {
            *unknown.entry(format!("{called} {}", access_log::shown(target, &words))).or_default() += count;
        }
    }
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let cut = if log.cut { " of its last 64 MiB" } else { "" };
    let (all, total, bad) = (inventory.endpoints.len(), log.entries.len(), log.bad);
    let counted = Evidence::file(format!(
        "{name}: {total} requests{cut}, {bad} lines that are none, {issuers} to the issuer's own paths; {} of {all} \
         known endpoints were called",
        known.len()
    ));
    if known.is_empty() {
        let what =
            "no request of it was answered at an endpoint that is known: it may be another service's log";
        let remedy = "name the access log of this backend, in JSON lines or the common log format";
        return Claim::not_proven(ID, vec![Evidence::file(what), counted], remedy);
    }
    if unknown.is_empty() {
        let what = match log.unread {
            0 if bad <= total => return Claim::pass(ID, vec![counted]),
            0 => "most of it could not be read".to_owned(),
            unread => format!("{unread} lines that could not be read may be requests that were answered"),
        };
        let remedy =
            "write the log in JSON lines or the common log format: what could not be read may hide a route";
        return Claim::not_proven(ID, vec![Evidence::file(what), counted], remedy);
    }
    let mut found: Vec<Evidence> = unknown
        .iter()
        .take(SHOWN)
        .map(|(route, count)| {
            let times = if *count == 1 { "once".to_owned() } else { format!("{count} times") };
            let what = "neither the OpenAPI document nor a rule knows it";
            Evidence::file(format!("{route} was answered {times}, and {what}"))
        })
        .collect();
    if unknown.len() > SHOWN {
        found.push(Evidence::file(format!("and {} more", unknown.len() - SHOWN)));
    }
    found.push(counted);
    Claim::fail(ID, found, "document the operation with its scopes, give it a [[gateway.route]], or end it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Access;
    use crate::world::access_log::Entry;
    use crate::world::inventory::{Endpoint, Source};

    fn verdict(requests: &[(&str, &str, u16)]) -> (Verdict, Vec<String>) {
        judged(requests, (1, 0), &ISSUERS)
    }

    fn judged(
        requests: &[(&str, &str, u16)],
        (bad, unread): (usize, usize),
        own: &[&str],
    ) -> (Verdict, Vec<String>) {
        let endpoint = Endpoint {
            method: "GET".into(),
            template: "/orders/{id}".into(),
            path: "/orders/1".into(),
            base: String::new(),
            access: Access::Denied,
            source: Source::OpenApi,
        };
        let inventory = Inventory { endpoints: vec![endpoint], fault: None };
        let entries = requests
            .iter()
            .map(|(method, path, status)| Entry {
                method: (*method).into(),
                path: (*path).into(),
                status: *status,
            })
            .collect();
        let log = Log { entries, bad, unread, cut: false };
        let claim = judge(Path::new("/var/log/access.log"), &Ok(log), &inventory, own);
        (claim.verdict, claim.evidence.into_iter().map(|evidence| evidence.what).collect())
    }

    #[test]
    fn a_route_that_was_answered_and_nobody_knows_is_a_finding() {
        let known = ("GET", "/orders/7", 200);
        let others = [
            ("HEAD", "/orders/7", 200),
            ("OPTIONS", "/x", 204),
            ("GET", "/wp-login.php", 404),
            ("POST", "/orders/7", 401),
            ("POST", "/oauth/token", 200),
        ];
        let (sound, told) = verdict(&[&[known], &others[..]].concat());
        assert_eq!(sound, Verdict::Pass);
        assert_eq!(
            told,
            [
                "access.log: 6 requests, 1 lines that are none, 1 to the issuer's own paths; 1 of 1 known endpoints were \
              called"
            ]
        );
        let (found, told) =
            verdict(&[known, ("GET", "/debug/ada@example.com", 200), ("DELETE", "/orders/7", 204)]);
        assert_eq!(found, Verdict::Fail);
        assert_eq!(
            told[0],
            "DELETE /orders/… was answered once, and neither the OpenAPI document nor a rule knows it"
        );
        assert!(told[1].starts_with("GET /debug/… was answered once"));
        for (method, path, status) in
            [("GET", "/live", 101), ("GET", "/api/v2/internal", 200), ("GET", "/console/run", 200)]
        {
            assert_eq!(verdict(&[known, (method, path, status)]).0, Verdict::Fail, "{path}");
        }
        // At a backend with an origin of its own, the issuer's paths are as unknown as any.
        assert_eq!(judged(&[known, ("GET", "/login", 200)], (0, 0), &[]).0, Verdict::Fail);
        assert_eq!(judged(&[known, ("GET", "/login", 200)], (0, 0), &ISSUERS).0, Verdict::Pass);
    }

    #[test]
    fn lines_that_could_not_be_read_may_hide_a_route() {
        let known = ("GET", "/orders/7", 200);
        assert_eq!(judged(&[known], (1, 0), &[]).0, Verdict::Pass);
        assert_eq!(judged(&[known], (2, 0), &[]).0, Verdict::NotProven);
        let (one, told) = judged(&[known, known], (1, 1), &[]);
        assert_eq!(one, Verdict::NotProven);
        assert_eq!(told[0], "1 lines that could not be read may be requests that were answered");
        assert_eq!(judged(&[known, ("GET", "/debug", 200)], (3, 3), &[]).0, Verdict::Fail);
    }

    #[test]
    fn the_issuers_paths_are_its_own_where_it_has_the_backends_origin() {
        let issuer = "https://api.example/";
        assert_eq!(issuers(issuer, "https://api.example:443").len(), ISSUERS.len());
        for target in ["https://issuer.example", "http://api.example", "https://api.example:8443", "api"] {
            assert!(issuers(issuer, target).is_empty(), "{target}");
        }
        assert!(issuers("issuer", "issuer").is_empty());
    }

    #[test]
    fn a_log_of_another_service_shows_nothing() {
        assert_eq!(verdict(&[("GET", "/elsewhere", 200)]).0, Verdict::NotProven);
        assert_eq!(verdict(&[("GET", "/orders/7", 401)]).0, Verdict::NotProven, "it was not answered");
        assert_eq!(verdict(&[]).0, Verdict::NotProven);
    }
}
