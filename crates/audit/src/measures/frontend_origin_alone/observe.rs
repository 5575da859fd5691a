//! What N2 sends, and what came back: every endpoint on every path, from the frontend, from look-alikes and from nobody.

use super::look_alikes::look_alikes;
use crate::config::Caller;
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
    Failing,
}

impl Leg {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Actual => "actual request",
            Self::Unauthorized => "without a token",
            Self::Forbidden => "without the scope",
            Self::NotFound => "path that does not exist",
            Self::Malformed => "malformed path",
            Self::Failing => "failing operation",
        }
    }
}

/// One answer with what was asked.
pub(super) struct Seen {
    pub(super) endpoint: String,
    pub(super) leg: Leg,
    pub(super) origin: Origin,
    pub(super) outcome: Sent,
}

/// Every endpoint, a path that does not exist and a failing operation, each from every origin.
pub(super) async fn observe(world: &World, frontend: &str) -> Vec<Seen> {
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
