//! A9: every endpoint wants a scope, a user endpoint a user's: without exactly that scope a good token gets 403
//! (RFC 6750 section 3.1), with it the token is let in. And what is written in four places agrees: every operation of
//! OpenAPI has a rule, every rule its endpoint, every scope that is demanded can be had by somebody. And every route that was
//! really called is one of these.

mod called;

use crate::config::{Access, Caller, Granted};
use crate::evidence::Evidence;
use crate::measures::claimed::{Claimed, claimed};
use crate::measures::refusal;
use crate::report::Claim;
use crate::verdict::Verdict;
use crate::world::World;
use crate::world::inventory::{Endpoint, Inventory, Source};
use crate::world::matrix::{Attempt, Matrix};
use crate::world::tokens::{Had, Scopes};

/// How many offenders a claim shows.
const SHOWN: usize = 20;

/// What it can claim.
pub(crate) const CLAIMS: &[Claimed] = &[
    refusal::KNOWN,
    claimed(
        "every_endpoint_names_a_scope_or_is_closed",
        "every endpoint names a scope, or is closed to everybody",
        &["V8.1.1", "V8.2.1"],
        &[862],
    ),
    claimed(
        "every_documented_operation_has_a_rule",
        "every operation of the OpenAPI document has a rule that lets somebody in",
        &["V8.1.1"],
        &[862],
    ),
    claimed(
        called::ID,
        "every route that the access log shows answered is in the OpenAPI document or has a rule",
        &["V8.1.1"],
        &[1059],
    ),
    claimed("every_rule_has_its_endpoint", "every rule is for an endpoint that is there", &[], &[1059]),
    claimed(
        "every_scope_can_be_had",
        "every scope that an endpoint demands can be had by some role or client",
        &["V8.1.1"],
        &[],
    ),
    claimed(
        "a_missing_scope_is_refused",
        "a good token without exactly the endpoint's scope is refused",
        &["V8.2.1", "V10.3.2"],
        &[863],
    ),
    claimed(
        "the_right_scope_is_let_in",
        "a good token with the endpoint's scope is let in",
        &["V10.3.2"],
        &[],
    ),
    refusal::BACKEND,
];

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    let (inventory, matrix) = (&world.inventory, world.matrix().await);
    let scoped = |endpoint: &Endpoint| !endpoint.scopes().is_empty();
    let mut claims: Vec<Claim> = refusal::inventory(inventory).into_iter().collect();
    claims.push(named(inventory, matrix));
    claims.push(ruled(inventory));
    claims.push(called::claim(&world.config, inventory).await);
    claims.push(there(inventory, matrix));
    claims.push(obtainable(world).await);
    claims.push(refusal::claim(
        "a_missing_scope_is_refused",
        &refusal::rows(inventory, matrix, &[Attempt::MissingScope], scoped),
        "demand the scopes of OpenAPI's security at the gateway",
    ));
    claims.push(refusal::right_is_let_in("the_right_scope_is_let_in", inventory, matrix, scoped));
    claims.push(refusal::backend(world.config.backend.is_some(), inventory, matrix, scoped));
    claims
}

/// In OpenAPI, and no rule: denied to everybody, which is safe, and a promise that nobody can call.
fn ruled(inventory: &Inventory) -> Claim {
    let id = "every_documented_operation_has_a_rule";
    let documented = inventory.endpoints.iter().filter(|endpoint| endpoint.source == Source::OpenApi);
    let (dead, alive): (Vec<_>, Vec<_>) = documented.partition(|endpoint| endpoint.access == Access::Denied);
    if !dead.is_empty() {
        let mut evidence: Vec<_> = dead
            .iter()
            .take(SHOWN)
            .map(|endpoint| {
                let what = "is in the OpenAPI document, and neither its security nor a route lets anybody in";
                Evidence::configuration(format!("{} {what}", endpoint.name()))
            })
            .collect();
        if dead.len() > SHOWN {
            evidence.push(Evidence::configuration(format!("and {} more", dead.len() - SHOWN)));
        }
        return Claim::fail(
            id,
            evidence,
            "name scopes in OpenAPI's security, or give it a [[gateway.route]]",
        );
    }
    let what = format!("{} operations of the document have a rule each", alive.len());
    let claim = Claim::pass(id, vec![Evidence::configuration(what)]);
    if alive.is_empty() { claim.but(Verdict::NotApplicable) } else { claim }
}

/// A rule for an endpoint that is gone lets nobody in today, and whoever comes to that path tomorrow.
fn there(inventory: &Inventory, matrix: &Matrix) -> Claim {
    let id = "every_rule_has_its_endpoint";
    let rules =
        inventory.endpoints.iter().enumerate().filter(|(_, endpoint)| endpoint.source == Source::Route);
    let mut evidence = Vec::new();
    let mut count = 0_usize;
    for (at, endpoint) in rules {
        count += 1;
        let right = matrix.cell(at, Attempt::Right).and_then(|cell| cell.outcome.as_ref().ok());
        // With a parameter 404 may be about the example.
        if let Some(answer) = right.filter(|answer| answer.status == 404 && !endpoint.template.contains('{'))
        {
            let what = format!("note: {} has a route, and the backend answers 404 there", endpoint.name());
            evidence.push(Evidence::http(what).shown(&answer.transcript));
        }
    }
    let counted = format!("{count} rules beside the document's own; {} without an endpoint", evidence.len());
    evidence.insert(0, Evidence::configuration(counted));
    let claim = Claim::pass(id, evidence);
    if count == 0 { claim.but(Verdict::NotApplicable) } else { claim }
}

/// A scope that nobody may have makes a dead endpoint; one that is given and demanded nowhere is a note.
async fn obtainable(world: &World) -> Claim {
    let id = "every_scope_can_be_had";
    let remedy = "give the scope to a role or a client, or correct its name";
    let (granted, told) = match &world.config.granted {
        Some(granted) => (granted.clone(), true),
        None => {
            let of = |had: Had| had.map(|token| token.scopes.clone()).unwrap_or_default();
            let granted = Granted {
                clients: of(world.full(Caller::Client).await),
                users: of(world.full(Caller::User).await),
            };
            (granted, false)
        }
    };
    let (mut dead, mut demanded) = (Vec::new(), Scopes::new());
    for endpoint in world.inventory.endpoints.iter().filter(|e| e.source != Source::SessionApi) {
        demanded.extend(endpoint.scopes());
        let callers: &[(Caller, &str, &Scopes)] =
            &[(Caller::User, "role", &granted.users), (Caller::Client, "client", &granted.clients)];
        let Some(wanted) = endpoint.caller().filter(|_| !endpoint.scopes().is_empty()) else { continue };
        let mut may = callers.iter().filter(|(kind, ..)| wanted == Caller::Any || wanted == *kind);
        if !may.any(|(_, _, scopes)| endpoint.satisfied_by(scopes)) {
            let whom = match wanted {
                Caller::User => "no role",
                Caller::Client => "no client",
                Caller::Any => "no role and no client",
            };
            let scopes = endpoint.scopes().into_iter().collect::<Vec<_>>().join(" ");
            dead.push(Evidence::configuration(format!("{}: {whom} may have {scopes}", endpoint.name())));
        }
    }
    if demanded.is_empty() {
        let evidence = Evidence::configuration("no endpoint demands a scope");
        return Claim::pass(id, vec![evidence]).but(Verdict::NotApplicable);
    }
    if !dead.is_empty() {
        dead.truncate(SHOWN);
        return if told {
            Claim::fail(id, dead, remedy)
        } else {
            dead.push(Evidence::configuration(
                "so say the auditor's own tokens: nobody told what others may have",
            ));
            Claim::not_proven(id, dead, remedy)
        };
    }
    let mut evidence = vec![Evidence::configuration(format!(
        "{} scopes are demanded; somebody may have each",
        demanded.len()
    ))];
    let given: Scopes = granted.users.union(&granted.clients).cloned().collect();
    let unused: Vec<&String> = given.difference(&demanded).filter(|_| told).collect();
    if !unused.is_empty() {
        let names = unused.iter().take(SHOWN).map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ");
        evidence.push(Evidence::configuration(format!("note: granted and demanded nowhere: {names}")));
    }
    Claim::pass(id, evidence)
}

/// Endpoints without a scope: open ones fail, closed ones are counted.
fn named(inventory: &Inventory, matrix: &Matrix) -> Claim {
    let id = "every_endpoint_names_a_scope_or_is_closed";
    let mut evidence = Vec::new();
    let mut open = Vec::new();
    let (mut scoped, mut closed) = (0, 0);
    for (at, endpoint) in inventory.endpoints.iter().enumerate() {
        match &endpoint.access {
            Access::Scopes { .. } if !endpoint.scopes().is_empty() => scoped += 1,
            Access::Scopes { .. } if endpoint.source == Source::SessionApi => {
                evidence.push(Evidence::configuration(format!(
                    "{} needs a user's token and no scope: it ends that token's own session",
                    endpoint.name()
                )))
            }
            Access::Scopes { .. } => {
                open.push(Evidence::configuration(format!("{} names no scope", endpoint.name())))
            }
            Access::Public { reason } => {
                evidence.push(Evidence::configuration(format!("{} is public: {reason}", endpoint.name())));
            }
            Access::Denied => {
                closed += 1;
                let right = matrix.cell(at, Attempt::Right).and_then(|cell| cell.outcome.as_ref().ok());
                if let Some(answer) = right.filter(|answer| answer.status < 400) {
                    let what = format!("{} names no scope and let a token in", endpoint.name());
                    open.push(Evidence::http(what).shown(&answer.transcript));
                }
            }
        }
    }
    let counts = format!("{scoped} endpoints name scopes; {closed} name none and are denied to everybody");
    evidence.insert(0, Evidence::configuration(counts));
    if open.is_empty() {
        Claim::pass(id, evidence)
    } else {
        Claim::fail(id, open, "name a scope in OpenAPI's security or in a [[gateway.route]]")
    }
}
