//! What is different between two states of one thing, in words.

use std::collections::BTreeSet;

use oauth::client::AuthMethod;
use store::{ClientGrant, ClientRow, User, UserChange};

use crate::applications::{Draft, sorted};
use crate::declared::DeclaredUser;

/// `label +a -b`, or nothing.
fn members(label: &str, before: &[String], after: &[String]) -> Option<String> {
    let (before, after): (BTreeSet<&String>, BTreeSet<&String>) =
        (before.iter().collect(), after.iter().collect());
    let added = after.difference(&before).map(|member| format!(" +{member}"));
    let taken = before.difference(&after).map(|member| format!(" -{member}"));
    let text: String = added.chain(taken).collect();
    (!text.is_empty()).then(|| format!("{label}{text}"))
}

/// `label before -> after`, or nothing.
fn value(label: &str, before: &str, after: &str) -> Option<String> {
    (before != after).then(|| format!("{label} {before} -> {after}"))
}

fn seconds(lifetime: Option<i64>) -> String {
    lifetime.map_or_else(|| "the issuer's".to_owned(), |seconds| format!("{seconds}s"))
}

pub(super) fn api_difference(before: &store::Api, after: &store::Api) -> Vec<String> {
    let names = |api: &store::Api| api.scopes.iter().map(|scope| scope.value.clone()).collect::<Vec<_>>();
    let scopes = members("scopes", &names(before), &names(after));
    // The same scopes with other words beside them, or in another order.
    let reworded =
        (scopes.is_none() && before.scopes != after.scopes).then(|| "scope descriptions".to_owned());
    [
        value("name", &before.name, &after.name),
        scopes,
        reworded,
        value("signing_alg", &before.signing_alg, &after.signing_alg),
        value("token_lifetime", &seconds(before.token_lifetime), &seconds(after.token_lifetime)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

pub(super) fn role_difference(before: &store::Role, after: &store::Role) -> Vec<String> {
    let permissions = |role: &store::Role| {
        role.permissions
            .iter()
            .map(|permission| format!("{}={}", permission.audience, permission.scope))
            .collect::<Vec<_>>()
    };
    let default = |role: &store::Role| if role.is_default { "yes" } else { "no" };
    [
        members("permissions", &permissions(before), &permissions(after)),
        value("default", default(before), default(after)),
        (before.description != after.description).then(|| "description".to_owned()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

pub(super) fn application_difference(row: &ClientRow, access: &[ClientGrant], after: &Draft) -> Vec<String> {
    let scopes = |grants: &[ClientGrant]| {
        let of = |grant: &ClientGrant| {
            grant.scopes.iter().map(|scope| format!("{}={scope}", grant.audience)).collect::<Vec<_>>()
        };
        grants.iter().flat_map(of).collect::<Vec<_>>()
    };
    let audiences =
        |grants: &[ClientGrant]| grants.iter().map(|grant| grant.audience.clone()).collect::<Vec<_>>();
    let yes_no = |flag: bool| if flag { "yes" } else { "no" };
    let secret = match (after.auth_method, &row.secret_digest, after.digest) {
        (AuthMethod::None, None, _) => None,
        (AuthMethod::None, Some(_), _) => Some("secret goes".to_owned()),
        (_, Some(stored), Some(given)) if stored.as_slice() == given.as_bytes() => None,
        (_, Some(_), None) => None,
        (_, _, _) => Some("new secret".to_owned()),
    };
    [
        value("name", &row.name, &after.name),
        value("type", &row.kind, after.kind.as_str()),
        value("auth_method", &row.auth_method, after.auth_method.as_str()),
        members("grants", &row.grants, &after.grants),
        members("callbacks", &row.callbacks, &after.callbacks),
        members("logout_urls", &row.logout_urls, &after.logout_urls),
        members("web_origins", &row.web_origins, &after.web_origins),
        members("apis", &scopes(access), &scopes(&after.apis))
            .or_else(|| members("apis", &audiences(access), &audiences(&after.apis))),
        value("disabled", yes_no(row.disabled), yes_no(after.disabled)),
        secret,
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Besides the words, what to write.
pub(super) fn user_difference(
    user: &User,
    held: &[String],
    declared: &DeclaredUser,
) -> (Vec<String>, UserChange, Option<Vec<String>>) {
    let yes_no = |flag: bool| if flag { "yes" } else { "no" };
    let verified = declared.verified.filter(|verified| *verified != user.email_verified);
    let blocked = declared.blocked.filter(|blocked| *blocked != user.blocked);
    let roles = declared.roles.as_ref().map(|roles| sorted(roles)).filter(|roles| *roles != sorted(held));
    let details = [
        verified.and_then(|verified| value("verified", yes_no(user.email_verified), yes_no(verified))),
        blocked.and_then(|blocked| value("blocked", yes_no(user.blocked), yes_no(blocked))),
        roles.as_ref().and_then(|roles| members("roles", held, roles)),
    ]
    .into_iter()
    .flatten()
    .collect();
    (details, UserChange { email_verified: verified, blocked, ..UserChange::default() }, roles)
}
