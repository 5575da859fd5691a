//! A6: endpoints that need no user's scopes need a token of the client-credentials flow (RFC 6749 section 4.4).
//! Endpoints that are declared public are a waiver, with the reasons that somebody wrote down.

use crate::config::{Access, Caller};
use crate::evidence::Evidence;
use crate::measures::claimed::{Claimed, claimed};
use crate::measures::refusal;
use crate::report::Claim;
use crate::verdict::Verdict;
use crate::world::World;
use crate::world::inventory::{Endpoint, Inventory};
use crate::world::matrix::Attempt;

/// What it can claim.
pub(crate) const CLAIMS: &[Claimed] = &[
    refusal::KNOWN,
    claimed(
        "no_client_endpoint_answers_without_a_token",
        "no client's endpoint serves anybody who brings no token",
        &["V8.2.1"],
        &[306],
    ),
    claimed(
        "forged_tokens_are_refused",
        "no client's endpoint believes a token that was forged",
        &["V9.1.1", "V9.1.2"],
        &[347],
    ),
    claimed(
        "tokens_for_another_audience_are_refused",
        "no client's endpoint takes a token that was made for another audience",
        &["V9.2.3", "V10.3.1"],
        &[863],
    ),
    claimed(
        "a_users_token_is_refused",
        "no client's endpoint takes a user's token",
        &["V8.2.1", "V10.3.2"],
        &[863],
    ),
    claimed(
        "a_clients_token_is_let_in",
        "clients' endpoints let in the right client's token",
        &["V10.3.2"],
        &[],
    ),
    claimed(
        "no_endpoint_is_declared_public",
        "no endpoint is declared public; those that are have a reason each",
        &["V8.1.1"],
        &[862],
    ),
    refusal::BACKEND,
];

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    let (inventory, matrix) = (&world.inventory, world.matrix().await);
    let clients = |endpoint: &Endpoint| matches!(endpoint.caller(), Some(Caller::Client | Caller::Any));
    let rows = |attempts: &[Attempt]| refusal::rows(inventory, matrix, attempts, clients);
    let mut claims: Vec<Claim> = refusal::inventory(inventory).into_iter().collect();
    claims.push(refusal::claim(
        "no_client_endpoint_answers_without_a_token",
        &rows(&[Attempt::NoToken]),
        "give the endpoint client-credentials scopes in OpenAPI's security, or a [[gateway.route]]",
    ));
    claims.push(refusal::forged(rows));
    claims.push(refusal::another_audience(rows));
    claims.push(refusal::claim(
        "a_users_token_is_refused",
        &rows(&[Attempt::WrongCaller]),
        "set caller = \"client\" on the route",
    ));
    claims.push(refusal::right_is_let_in("a_clients_token_is_let_in", inventory, matrix, clients));
    claims.push(refusal::backend(world.config.backend.is_some(), inventory, matrix, clients));
    claims.extend(public(inventory));
    claims
}

fn public(inventory: &Inventory) -> Option<Claim> {
    let evidence: Vec<_> = inventory
        .endpoints
        .iter()
        .filter_map(|endpoint| match &endpoint.access {
            Access::Public { reason } => {
                Some(Evidence::configuration(format!("{} is public: {reason}", endpoint.name())))
            }
            _ => None,
        })
        .collect();
    (!evidence.is_empty())
        .then(|| Claim::pass("no_endpoint_is_declared_public", evidence).but(Verdict::Waived))
}
