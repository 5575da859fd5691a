//! A9: every endpoint wants a scope, a user endpoint a user's: without exactly that scope a good token gets 403
//! (RFC 6750 section 3.1), with it the token is let in.

use crate::config::Access;
use crate::evidence::Evidence;
use crate::measures::refusal;
use crate::report::Claim;
use crate::world::World;
use crate::world::inventory::{Endpoint, Inventory, Source};
use crate::world::matrix::{Attempt, Matrix};

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    let (inventory, matrix) = (&world.inventory, world.matrix().await);
    let scoped = |endpoint: &Endpoint| !endpoint.scopes().is_empty();
    let mut claims: Vec<Claim> = refusal::inventory(inventory).into_iter().collect();
    claims.push(named(inventory, matrix));
    claims.push(refusal::claim(
        "a_missing_scope_is_refused",
        &refusal::rows(inventory, matrix, &[Attempt::MissingScope], scoped),
        "demand the scopes of OpenAPI's security at the gateway",
    ));
    claims.push(refusal::right_is_let_in("the_right_scope_is_let_in", inventory, matrix, scoped));
    claims.push(refusal::backend(world.config.backend.is_some(), inventory, matrix, scoped));
    claims
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
