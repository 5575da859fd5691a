//! What N2 sends, and what came back: every endpoint on every path, from the frontend, from look-alikes and from nobody.

use super::look_alikes::look_alikes;
use crate::config::{Caller, Mode};
use crate::world::World;
use crate::world::http::{Credential, Probe, Sent};
use crate::world::inventory::Endpoint;
use crate::world::matrix;

/// Whose origin a request named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Frontend(String),
    Foreign(Vec<String>),
    None,
}

/// On which path a request was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Leg {
    Preflight,
    /// The right token, or none at a public endpoint.
    Actual,
    Unauthorized,
    Forbidden,
    NotFound,
    /// A path that only a careless reader understands.
    Malformed,
    /// A path that does not exist, with a good token.
    Unlisted,
    /// A method that no endpoint has.
    UnknownMethod,
    /// A body that is cut off, with the token that its endpoint wants.
    CutBody,
    /// A body that is too large and no data, likewise.
    LargeBody,
    /// Without a token, `Sec-Fetch-Site: cross-site`.
    CrossSite,
    /// Without a token, `Sec-Fetch-Site: same-origin`.
    SameOrigin,
    Failing,
}

/// Whether bodies were sent that must be refused.
pub(super) enum Bodies {
    Tried,
    /// Nothing here takes one without effect.
    NoApi,
    /// The token is missing without which the body is not what is refused.
    Cannot(String),
}

/// More than the 64 kB that the session API reads, in bytes.
const LARGE: usize = 128 * 1024;
/// A method that reads (RFC 4918 section 9.1), and that nothing here serves.
const UNKNOWN: &str = "PROPFIND";

impl Leg {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Actual => "actual request",
            Self::Unauthorized => "without a token",
            Self::Forbidden => "without the scope",
            Self::NotFound => "path that does not exist",
            Self::Malformed => "malformed path",
            Self::Unlisted => "path that does not exist, with a token",
            Self::UnknownMethod => "unknown method",
            Self::CutBody => "a body that is cut off",
            Self::LargeBody => "a body that is too large",
            Self::CrossSite => "without a token, Sec-Fetch-Site: cross-site",
            Self::SameOrigin => "without a token, Sec-Fetch-Site: same-origin",
            Self::Failing => "failing operation",
        }
    }

    /// What it says by `Sec-Fetch-Site`.
    pub(super) fn says_site(self) -> Option<&'static str> {
        match self {
            Self::CrossSite => Some("cross-site"),
            Self::SameOrigin => Some("same-origin"),
            _ => None,
        }
    }

    /// Whether it is about more than the origin: two foreign ones will do.
    fn wants_few(self) -> bool {
        self.says_site().is_some()
    }
}

/// One answer with what was asked.
pub(super) struct Seen {
    pub(super) endpoint: String,
    pub(super) leg: Leg,
    pub(super) origin: Origin,
    pub(super) outcome: Sent,
}

/// Every endpoint, what must be refused and a failing operation, each from every origin.
pub(super) async fn observe(world: &World, frontend: &str) -> (Vec<Seen>, Bodies) {
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
    let malformed = Probe::new("GET", format!("{target}/portcullis-audit-{}%2f%5c/..", world.id));
    planned.push(("a malformed path".into(), Leg::Malformed, malformed));
    if let Ok(token) = world.full(Caller::User).await {
        let missing = Probe::new("GET", format!("{target}/portcullis-audit-{}", world.id));
        let name = "a path that does not exist".to_owned();
        planned.push((name, Leg::Unlisted, missing.with(Some(token.credential()))));
    }
    if let Some(endpoint) = world.inventory.endpoints.iter().find(|endpoint| endpoint.is_safe()) {
        let name = format!("{UNKNOWN} {}", endpoint.template);
        planned.push((name, Leg::UnknownMethod, Probe::new(UNKNOWN, endpoint.url())));
    }
    let bodies = bodies(world, &mut planned).await;
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
        let mut foreign = 0;
        for origin in &origins {
            foreign += usize::from(matches!(origin, Origin::Foreign(_)));
            if leg.wants_few() && foreign > 2 && matches!(origin, Origin::Foreign(_)) {
                continue;
            }
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
    let seen = asked
        .into_iter()
        .zip(answers)
        .map(|((endpoint, leg, origin), outcome)| Seen { endpoint, leg, origin, outcome })
        .collect();
    (seen, bodies)
}

/// Bodies that no server can act on, where a session is refreshed: no throttle counts there, and neither is any data.
async fn bodies(world: &World, planned: &mut Vec<(String, Leg, Probe)>) -> Bodies {
    const PATH: &str = "/session/refresh";
    let Some(session) = &world.config.session else { return Bodies::NoApi };
    if world.config.mode == Mode::Delegated {
        return Bodies::NoApi;
    }
    let probe = match world.tokens.session_probe(&world.config, &world.http, "POST", PATH).await {
        Ok(probe) => probe,
        Err(why) => return Bodies::Cannot(why),
    };
    let name = format!("POST {}{PATH}", session.prefix.trim_end_matches('/'));
    let cut = "{\"refresh_token\": \"".to_owned();
    for (leg, body) in [(Leg::CutBody, cut), (Leg::LargeBody, "a".repeat(LARGE))] {
        planned.push((name.clone(), leg, probe.clone().body("application/json", body)));
    }
    Bodies::Tried
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
    for leg in [Leg::CrossSite, Leg::SameOrigin].into_iter().filter(|_| !endpoint.is_safe()) {
        let site = leg.says_site().unwrap_or_default();
        planned.push((name.clone(), leg, probe().header("sec-fetch-site", site)));
    }
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
