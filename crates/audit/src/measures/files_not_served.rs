//! X12: nothing is served that was not meant to be: no history of the source, no file with secrets, no metrics, no debugging
//! help, no listing of a folder, no file outside, no TRACE, and no innards in an error (ASVS 5 V13.4, V16.5.1; OWASP
//! WSTG-CONF-04 to 06). Control: something else is served at the same origin.

use std::collections::BTreeSet;

use crate::evidence::Evidence;
use crate::measures::claimed::{Claimed, claimed};
use crate::measures::tally::{self, Found};
use crate::report::Claim;
use crate::world::World;
use crate::world::http::{Answer, Point, Probe, Sent, Unreachable};
use crate::world::surface::{Kind, Surface};

/// What it can claim.
pub(crate) const CLAIMS: &[Claimed] = &[
    claimed("no_source_control_is_served", "no history of the source is served", &["V13.4.1"], &[527]),
    claimed(
        "no_file_with_secrets_is_served",
        "no configuration, key, backup or other file that belongs to nobody outside is served",
        &["V13.4.7"],
        &[538, 530],
    ),
    claimed(
        "no_monitoring_is_served",
        "no metrics, no documentation of innards and no administration is served to strangers",
        &["V13.4.5"],
        &[497],
    ),
    claimed("no_debugging_is_served", "no debugging help is served", &["V13.4.2"], &[489, 11]),
    claimed("no_folder_is_listed", "no folder is listed", &["V13.4.3"], &[548]),
    claimed(
        "no_path_climbs_out",
        "no path leads to a file outside of what is served",
        &["V5.3.2"],
        &[22, 23],
    ),
    claimed("trace_is_refused", "TRACE is refused", &["V13.4.4"], &[693]),
    claimed("unknown_methods_are_refused", "a method that nobody knows is refused", &["V4.1.4"], &[650]),
    claimed(
        "errors_show_no_innards",
        "no error shows a stack, a query, a path or a library",
        &["V16.5.1"],
        &[209, 550],
    ),
];

/// Which claim a path belongs to, and what its content would have in it (empty: any content).
const PATHS: [(usize, &str, &str); 34] = [
    (0, "/.git/HEAD", "ref:"),
    (0, "/.git/config", "[core]"),
    (0, "/.svn/entries", ""),
    (0, "/.hg/requires", ""),
    (1, "/.env", "="),
    (1, "/.env.production", "="),
    (1, "/.npmrc", ""),
    (1, "/.aws/credentials", ""),
    (1, "/.ssh/id_rsa", ""),
    (1, "/.htpasswd", ""),
    (1, "/.DS_Store", ""),
    (1, "/portcullis.toml", "="),
    (1, "/config.json", ""),
    (1, "/docker-compose.yml", ""),
    (1, "/backup.sql", ""),
    (1, "/dump.sql", ""),
    (1, "/store.db", ""),
    (1, "/server.key", ""),
    (1, "/index.php.bak", ""),
    (2, "/metrics", "# "),
    (2, "/actuator/env", ""),
    (2, "/server-status", ""),
    (2, "/phpmyadmin/", ""),
    (2, "/adminer.php", ""),
    (3, "/debug/pprof/", ""),
    (3, "/debug/vars", ""),
    (3, "/_profiler/", ""),
    (3, "/phpinfo.php", ""),
    (3, "/__debug__/", ""),
    (5, "/..%2f..%2f..%2f..%2fetc/passwd", "root:"),
    (5, "/static/..%2f..%2f..%2f..%2fetc%2fpasswd", "root:"),
    (5, "/.%2e/.%2e/.%2e/.%2e/etc/passwd", "root:"),
    (5, "/%252e%252e/%252e%252e/%252e%252e/etc/passwd", "root:"),
    (5, "/..%5c..%5c..%5cetc%5cpasswd", "root:"),
];

/// What gives away how an error came about.
const INNARDS: [&str; 22] = [
    "traceback (most recent call last)",
    "stack backtrace",
    "panicked at",
    "rust_backtrace",
    "node_modules/",
    "at object.<anonymous>",
    "internal/modules/",
    "java.lang.",
    "org.springframework",
    ".java:",
    "system.nullreferenceexception",
    "microsoft.aspnetcore",
    "goroutine 1 [",
    "sqlstate",
    "syntax error at or near",
    "sqlite error",
    "org.postgresql",
    "psycopg2",
    "sequelize",
    ".cargo/registry",
    "/usr/src/app",
    "werkzeug debugger",
];

/// What the listing of a folder begins with: nginx and Apache, Python, Express, Jetty, IIS.
const LISTINGS: [&str; 5] =
    ["index of", "directory listing for", "listing directory", "<title>directory: ", "[to parent directory]"];

/// One path at one origin, or a method.
struct Tried {
    claim: usize,
    what: String,
    /// What its content would have in it.
    mark: &'static str,
    sent: Sent,
}

/// What an origin answers otherwise.
struct Origin {
    base: String,
    /// A path that is surely not there: a frontend may answer any path with its page.
    missing: Sent,
    /// Something that it does answer.
    control: Option<String>,
}

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    let surface = world.surface().await;
    let mut all = Vec::new();
    let mut origins = Vec::new();
    for base in bases(world) {
        let (origin, tried) = observe(world, surface, base).await;
        origins.push(origin);
        all.push(tried);
    }
    let mut claims = judge(&origins, &all);
    claims.push(innards(surface, &all));
    claims
}

fn bases(world: &World) -> BTreeSet<String> {
    let origin = |address: &str| url::Url::parse(address).ok().map(|url| url.origin().ascii_serialization());
    [&world.config.target, &world.config.issuer]
        .into_iter()
        .chain(world.config.frontend_origins.iter().filter(|_| world.config.environment != "development"))
        .filter_map(|address| origin(address))
        .collect()
}

async fn observe(world: &World, surface: &Surface, base: String) -> (Origin, Vec<Tried>) {
    let known: BTreeSet<&str> =
        world.inventory.endpoints.iter().map(|endpoint| endpoint.path.as_str()).collect();
    let mut tried = Vec::new();
    let mut probes = vec![Probe::new("GET", format!("{base}/portcullis-audit-{}.txt", world.id))];
    // A path that the team itself says is an endpoint is judged as one.
    for (claim, path, mark) in PATHS.into_iter().filter(|(_, path, _)| !known.contains(path)) {
        tried.push((claim, format!("GET {base}{path}"), mark));
        probes.push(Probe::new("GET", format!("{base}{path}")));
    }
    for folder in ["/static/", "/assets/", "/uploads/", "/files/"] {
        tried.push((4, format!("GET {base}{folder}"), ""));
        probes.push(Probe::new("GET", format!("{base}{folder}")));
    }
    tried.push((6, format!("TRACE {base}/"), ""));
    probes.push(Probe::new("TRACE", format!("{base}/")));
    tried.push((7, format!("PORTCULLIS {base}/"), ""));
    probes.push(Probe::new("PORTCULLIS", format!("{base}/")));
    let mut sent = world.http.send_all(probes).await.into_iter();
    // Behind all of them once more: what went down in between has refused none of them.
    let again =
        world.http.send(Probe::new("GET", format!("{base}/portcullis-audit-{}-again.txt", world.id))).await;
    let missing = sent.next().unwrap_or_else(|| Err(Unreachable("not asked".into(), Point::NotSent)));
    let tried = tried
        .into_iter()
        .zip(sent)
        .map(|((claim, what, mark), sent)| Tried { claim, what, mark, sent })
        .collect();
    let control = surface
        .seen
        .iter()
        .find(|seen| {
            seen.answer.status < 300
                && (seen.name.contains(&base) || (seen.kind == Kind::Private && base == world.config.target))
        })
        .map(|seen| format!("{} got {}", seen.name, seen.answer.status))
        .filter(|_| still(&missing, &again));
    (Origin { base, missing, control }, tried)
}

/// Whether a path that is not there gets the same answer as before.
fn still(missing: &Sent, again: &Sent) -> bool {
    matches!((missing, again), (Ok(missing), Ok(again)) if missing.status == again.status && again.status < 500)
}

fn judge(origins: &[Origin], all: &[Vec<Tried>]) -> Vec<Claim> {
    let remedies = [
        "serve a folder that has nothing else in it",
        "serve a folder that has nothing else in it",
        "put it on another listener, which the internet does not reach",
        "switch it off",
        "switch off listings",
        "read a path once, and refuse what climbs",
        "answer TRACE with 405",
        "answer methods that you do not know with 405 or 501",
    ];
    CLAIMS
        .iter()
        .zip(remedies)
        .enumerate()
        .map(|(at, (claim, remedy))| {
            let found = origins.iter().zip(all).flat_map(|(origin, tried)| {
                tried.iter().filter(move |tried| tried.claim == at).map(|tried| shown(origin, tried))
            });
            tally::claim(claim.id, found, "nothing was asked", remedy)
        })
        .collect()
}

fn shown(origin: &Origin, tried: &Tried) -> Found {
    let answer = match &tried.sent {
        Ok(answer) => answer,
        // An odd request may be answered by ending the connection; that serves nothing either.
        Err(why) if origin.control.is_some() && tried.claim >= 5 && why.is_closed() => {
            return Found::Good(Evidence::http(format!("{}: {why}", tried.what)));
        }
        Err(why) => return Found::Unclear(Evidence::http(format!("{}: {why}", tried.what))),
    };
    let evidence = Evidence::http(format!("{}: {}", tried.what, answer.status)).shown(&answer.transcript);
    let served = (200..300).contains(&answer.status) && !same(answer, origin.missing.as_ref().ok());
    let content = String::from_utf8_lossy(&answer.body).to_ascii_lowercase();
    let marked = match tried.claim {
        4 => LISTINGS.iter().any(|mark| content.contains(mark)),
        _ => tried.mark.is_empty() || content.contains(tried.mark),
    };
    match tried.claim {
        6 | 7 if (200..400).contains(&answer.status) => Found::Bad(evidence),
        // 401: what lets nothing in that no rule names lets no such method in either.
        6 | 7 if !matches!(answer.status, 400 | 401 | 403 | 404 | 405 | 501) => Found::Unclear(evidence),
        _ if served && marked => Found::Bad(evidence),
        // Something is served there; what it is cannot be told.
        _ if served => Found::Unclear(evidence),
        0..=5 if answer.status == 429 || answer.status >= 502 => Found::Unclear(evidence),
        _ => match &origin.control {
            Some(control) => Found::Good(evidence.beside(control.clone())),
            None => Found::Unclear(Evidence::http(format!(
                "{}: {}, and nothing else is served at {}",
                tried.what, answer.status, origin.base
            ))),
        },
    }
}

/// A page that answers every path is no file.
fn same(answer: &Answer, missing: Option<&Answer>) -> bool {
    missing.is_some_and(|missing| missing.status == answer.status && missing.body == answer.body)
}

/// Every error that was seen on the way, in this measure and before.
fn innards(surface: &Surface, all: &[Vec<Tried>]) -> Claim {
    let seen = surface.seen.iter().map(|seen| (seen.name.as_str(), &seen.answer));
    let tried =
        all.iter().flatten().filter_map(|tried| Some((tried.what.as_str(), tried.sent.as_ref().ok()?)));
    let found = seen.chain(tried).filter(|(_, answer)| answer.status >= 400).map(|(name, answer)| {
        let text = String::from_utf8_lossy(&answer.body).to_ascii_lowercase();
        let evidence = |what: String| Evidence::http(what).shown(&answer.transcript);
        match INNARDS.iter().find(|mark| text.contains(**mark)) {
            Some(mark) => Found::Bad(evidence(format!("{name}: its {} says {mark:?}", answer.status))),
            None => Found::Good(evidence(format!("{name}: its {} shows nothing of the kind", answer.status))),
        }
    });
    let id = CLAIMS[8].id;
    let claim = tally::claim(
        id,
        found,
        "no error was seen",
        "answer errors with a status and a number of the request",
    );
    if claim.verdict == crate::verdict::Verdict::NotApplicable {
        return Claim::not_proven(id, claim.evidence, "let the auditor reach the target");
    }
    claim
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;
    use crate::world::http::answer_of;
    use crate::world::surface::Seen;

    fn origin(control: bool) -> Origin {
        Origin {
            base: "https://a".into(),
            missing: Ok(answer_of(404, &[], "")),
            control: control.then(|| "GET /x got 200".to_owned()),
        }
    }

    fn verdict(claim: usize, mark: &'static str, sent: Sent, control: bool) -> Verdict {
        let tried = Tried { claim, what: "GET /x".into(), mark, sent };
        judge(&[origin(control)], &[vec![tried]])[claim].verdict
    }

    #[test]
    fn each_is_refused_beside_a_control_fails_when_served_and_is_open_without() {
        for (claim, mark, content) in [
            (0, "ref:", "ref: refs/heads/main"),
            (1, "=", "SECRET=x"),
            (2, "# ", "# HELP x"),
            (3, "", "goroutine"),
            (4, "index of", "Index of /static"),
            (5, "root:", "root:x:0:0"),
        ] {
            let missing = || Ok(answer_of(404, &[], ""));
            assert_eq!(verdict(claim, mark, missing(), true), Verdict::Pass, "{claim}");
            assert_eq!(
                verdict(claim, mark, Ok(answer_of(200, &[], content)), true),
                Verdict::Fail,
                "{claim}"
            );
            assert_eq!(verdict(claim, mark, missing(), false), Verdict::NotProven, "{claim}");
        }
        for method in [6, 7] {
            assert_eq!(verdict(method, "", Ok(answer_of(405, &[], "")), true), Verdict::Pass);
            assert_eq!(verdict(method, "", Ok(answer_of(200, &[], "TRACE / HTTP/1.1")), true), Verdict::Fail);
            assert_eq!(
                verdict(method, "", Err(Unreachable("no answer within 3 s".into(), Point::Unanswered)), true),
                Verdict::NotProven
            );
            for (point, wanted) in [
                (Point::Closed, Verdict::Pass),
                (Point::NotConnected, Verdict::NotProven),
                (Point::NotSent, Verdict::NotProven),
            ] {
                let sent = || Err(Unreachable("connection refused".into(), point));
                assert_eq!(verdict(method, "", sent(), true), wanted, "{point:?}");
                assert_eq!(verdict(method, "", sent(), false), Verdict::NotProven, "{point:?}");
            }
            for status in [429, 500, 502, 503] {
                let sent = Ok(answer_of(status, &[], ""));
                assert_eq!(verdict(method, "", sent, true), Verdict::NotProven, "{status}");
            }
            let uncontrolled = Ok(answer_of(405, &[], ""));
            assert_eq!(verdict(method, "", uncontrolled, false), Verdict::NotProven);
        }
    }

    #[test]
    fn a_listing_is_known_by_its_head_and_what_is_neither_is_open() {
        for (content, wanted) in [
            ("<h1>Index of /static/</h1>", Verdict::Fail),
            ("<h1>Directory listing for /static/</h1>", Verdict::Fail),
            ("<title>listing directory /static/</title>", Verdict::Fail),
            ("<title>Directory: /static/</title>", Verdict::Fail),
            ("a page of its own", Verdict::NotProven),
        ] {
            assert_eq!(verdict(4, "", Ok(answer_of(200, &[], content)), true), wanted, "{content}");
        }
        assert_eq!(verdict(1, "=", Ok(answer_of(200, &[], "a page")), true), Verdict::NotProven);
    }

    #[test]
    fn what_went_down_in_between_is_no_control() {
        let answered = |status| Ok(answer_of(status, &[], ""));
        assert!(still(&answered(404), &answered(404)));
        assert!(!still(&answered(404), &answered(503)));
        assert!(!still(&answered(503), &answered(503)));
        assert!(!still(&answered(404), &Err(Unreachable("connection refused".into(), Point::NotConnected))));
    }

    #[test]
    fn a_frontend_that_answers_every_path_serves_no_files() {
        let mut spa = origin(true);
        spa.missing = Ok(answer_of(200, &[], "<!doctype html>=app"));
        let tried = Tried {
            claim: 1,
            what: "GET /.env".into(),
            mark: "=",
            sent: Ok(answer_of(200, &[], "<!doctype html>=app")),
        };
        assert!(matches!(shown(&spa, &tried), Found::Good(_)));
    }

    #[test]
    fn an_error_with_its_stack_fails() {
        let surface = |body: &str| Surface {
            seen: vec![Seen::new("GET /always-500", Kind::Open, answer_of(500, &[], body))],
            silent: Vec::new(),
        };
        assert_eq!(innards(&surface("{\"title\":\"Internal Server Error\"}"), &[]).verdict, Verdict::Pass);
        assert_eq!(innards(&surface("Traceback (most recent call last):"), &[]).verdict, Verdict::Fail);
        assert_eq!(innards(&Surface::default(), &[]).verdict, Verdict::NotProven);
    }
}
