//! A5: no endpoint is open to anything but OAuth, and the old API key is dead. RFC 6750 section 3, RFC 8725
//! sections 2.1, 3.1 and 3.9; OWASP ASVS 5 9.1 and 9.2.

use crate::evidence::Evidence;
use crate::measures::claimed::{Claimed, claimed};
use crate::measures::refusal;
use crate::report::Claim;
use crate::world::World;
use crate::world::detours::Detour;
use crate::world::inventory::Endpoint;
use crate::world::matrix::Attempt;

/// What it can claim.
pub(crate) const CLAIMS: &[Claimed] = &[
    refusal::KNOWN,
    claimed(
        "no_endpoint_answers_without_a_token",
        "no endpoint serves anybody who brings no token",
        &["V8.2.1", "V8.3.1"],
        &[306, 862],
    ),
    claimed(
        "forged_tokens_are_refused",
        "no endpoint believes a token that was forged",
        &["V7.2.1", "V9.1.1", "V9.1.2", "V9.1.3"],
        &[347, 345, 287],
    ),
    claimed(
        "tokens_for_another_audience_are_refused",
        "no endpoint takes a token that was made for another audience",
        &["V9.2.3", "V10.3.1"],
        &[863],
    ),
    claimed(
        "a_path_written_otherwise_is_refused",
        "no endpoint serves a stranger because its path is written otherwise",
        &["V1.1.1", "V8.3.1"],
        &[22, 178, 288, 436],
    ),
    claimed("the_old_api_key_is_dead", "no endpoint lets in a static API key", &["V7.2.2"], &[798, 287]),
    refusal::BACKEND,
];

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    let (inventory, matrix) = (&world.inventory, world.matrix().await);
    let closed = |endpoint: &Endpoint| !endpoint.is_public();
    let rows = |attempts: &[Attempt]| refusal::rows(inventory, matrix, attempts, closed);
    let mut claims: Vec<Claim> = refusal::inventory(inventory).into_iter().collect();
    claims.push(refusal::claim(
        "no_endpoint_answers_without_a_token",
        &rows(&[Attempt::NoToken]),
        "give the endpoint scopes in OpenAPI's security, or a [[gateway.route]]",
    ));
    claims.push(refusal::forged(rows));
    claims.push(refusal::another_audience(rows));
    let detours: Vec<Attempt> = Detour::ALL.into_iter().map(Attempt::Detour).collect();
    claims.push(refusal::claim(
        "a_path_written_otherwise_is_refused",
        &rows(&detours),
        "decide by the path that the backend will see: decode it once, refuse what is ambiguous, ignore override headers",
    ));
    claims.push(api_key(world, &rows(&[Attempt::ApiKey])));
    claims.push(refusal::backend(world.config.backend.is_some(), inventory, matrix, closed));
    claims
}

/// Sent with reading methods alone: a key that is alive would act with any other.
fn api_key(world: &World, rows: &[refusal::Row<'_>]) -> Claim {
    let id = "the_old_api_key_is_dead";
    if world.config.api_key.is_none() {
        let evidence = Evidence::configuration("there is no old key to try");
        return Claim::not_proven(
            id,
            vec![evidence],
            "set [audit] api_key_file to an old key of the auditor's own",
        );
    }
    refusal::claim(id, rows, "revoke the key, or set gateway.api_keys.sunset to a date that has passed")
}
