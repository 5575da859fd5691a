//! The measures of the contract, and those beyond it. Each has a file that says its claim in words; `observe` looks,
//! `judge` is pure.

mod backups_restore;
pub(crate) mod claimed;
mod client_endpoints_need_a_clients_token;
mod cookies;
mod database_is_network_isolated;
mod database_password_is_rotated;
mod database_requires_a_strong_password;
mod dependencies_are_kept_current;
mod files_not_served;
mod foreign_issuer_looks_after_users;
mod forwarded_headers;
mod frontend_origin_alone;
mod input_is_checked;
mod keys_and_metadata;
mod no_endpoint_without_oauth;
mod no_secret_in_the_code;
mod password_is_reset_by_mail;
mod passwords_are_chosen_well;
mod passwords_are_hashed;
mod proxy_advisories;
mod refusal;
mod request_smuggling;
mod scope_guards_every_endpoint;
mod security_headers;
mod sessions_end;
mod tally;
mod throttling;
mod tls_and_hsts;
mod token_expires_in_time;
mod user_endpoints_need_a_users_token;
mod users_cannot_be_enumerated;

use serde::{Deserialize, Serialize};

use crate::config::Mode;
use crate::evidence::Evidence;
use crate::measures::claimed::{Claimed, claimed};
use crate::report::Claim;
use crate::verdict::Verdict;
use crate::world::{World, account};

pub(crate) use refusal::drawn;

/// The one claim of a measure that could not be tried, since nobody is there.
const ANSWERS: &str = "the_server_answers";
/// What any measure can claim.
pub(crate) const ANY: &[Claimed] =
    &[claimed(ANSWERS, "somebody answers at the target and at the issuer", &[], &[])];

/// The contract's ids, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "`sentence` says what each is")]
pub enum MeasureId {
    G1,
    G2,
    A1,
    A2,
    A3,
    A4,
    A5,
    A6,
    A7,
    A8,
    A9,
    A10,
    N1,
    N2,
    X1,
    X2,
    X3,
    X4,
    X5,
    X6,
    X7,
    X8,
    X9,
    X10,
    X11,
    X12,
    X13,
    X14,
}

impl MeasureId {
    /// All of them, in the contract's order.
    pub const ALL: [Self; 28] = [
        Self::G1,
        Self::G2,
        Self::A1,
        Self::A2,
        Self::A3,
        Self::A4,
        Self::A5,
        Self::A6,
        Self::A7,
        Self::A8,
        Self::A9,
        Self::A10,
        Self::N1,
        Self::N2,
        Self::X1,
        Self::X2,
        Self::X3,
        Self::X4,
        Self::X5,
        Self::X6,
        Self::X7,
        Self::X8,
        Self::X9,
        Self::X10,
        Self::X11,
        Self::X12,
        Self::X13,
        Self::X14,
    ];

    /// Whether no document asks for it: it is shown in a section of its own.
    #[must_use]
    pub fn is_beyond(self) -> bool {
        self.as_str().starts_with('X')
    }

    /// The id as it is written; any case.
    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|measure| measure.as_str().eq_ignore_ascii_case(id))
    }

    /// `A10`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::G1 => "G1",
            Self::G2 => "G2",
            Self::A1 => "A1",
            Self::A2 => "A2",
            Self::A3 => "A3",
            Self::A4 => "A4",
            Self::A5 => "A5",
            Self::A6 => "A6",
            Self::A7 => "A7",
            Self::A8 => "A8",
            Self::A9 => "A9",
            Self::A10 => "A10",
            Self::N1 => "N1",
            Self::N2 => "N2",
            Self::X1 => "X1",
            Self::X2 => "X2",
            Self::X3 => "X3",
            Self::X4 => "X4",
            Self::X5 => "X5",
            Self::X6 => "X6",
            Self::X7 => "X7",
            Self::X8 => "X8",
            Self::X9 => "X9",
            Self::X10 => "X10",
            Self::X11 => "X11",
            Self::X12 => "X12",
            Self::X13 => "X13",
            Self::X14 => "X14",
        }
    }

    /// Whether every claim of it is made of requests to the target and the issuer.
    fn asks_over_http(self) -> bool {
        matches!(self, Self::A5 | Self::A6 | Self::A7 | Self::A9 | Self::A10 | Self::N2)
            // A backup is a file.
            || (self.is_beyond() && self != Self::X7)
    }

    /// What it says, where no document says it better.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::G1 => "no sensitive data is hard-coded",
            Self::G2 => "dependencies are kept up to date by a tool",
            Self::A1 => "no plain passwords are stored, only hash and salt",
            Self::A2 => "passwords are reset by a link in an e-mail",
            Self::A3 => "the database requires a strong password",
            Self::A4 => "the database's password is rotated",
            Self::A5 => "no endpoint is open to anything but OAuth; the static API key is dead",
            Self::A6 => "endpoints without user scopes require client-credentials tokens",
            Self::A7 => "user endpoints require a user's JWT",
            Self::A8 => "users are looked after by a foreign issuer",
            Self::A9 => "all endpoints require scopes",
            Self::A10 => "the JWT expires in time",
            Self::N1 => "the database is network-isolated",
            Self::N2 => "CORS lets in the frontend's origin only",
            Self::X1 => "TLS and HSTS guard every address",
            Self::X2 => "every answer carries its security headers",
            Self::X3 => "cookies are out of reach of scripts and of other sites",
            Self::X4 => "guessing is throttled",
            Self::X5 => "nobody can find out who has an account",
            Self::X6 => "sessions end when they should",
            Self::X7 => "backups can be restored",
            Self::X8 => "no request can be smuggled into another",
            Self::X9 => "no header that a stranger sends is believed",
            Self::X10 => "what fooled other proxies does not fool this one",
            Self::X11 => "published keys and metadata are sound",
            Self::X12 => "nothing is served that was not meant to be",
            Self::X13 => "passwords are chosen by good rules",
            Self::X14 => "input is checked",
        }
    }
}

impl std::fmt::Display for MeasureId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Looks at what a measure is about and judges it.
pub(crate) async fn observe(id: MeasureId, world: &World) -> Vec<Claim> {
    if id.asks_over_http()
        && let Err(why) = world.answers().await
    {
        let remedy = "start it, or correct [audit] target";
        return vec![Claim::not_proven(ANSWERS, vec![Evidence::http(why.clone())], remedy)];
    }
    let mut claims = match id {
        MeasureId::A1 => passwords_are_hashed::claims(world).await,
        MeasureId::A2 => password_is_reset_by_mail::claims(world).await,
        MeasureId::A3 => database_requires_a_strong_password::claims(world).await,
        MeasureId::A4 => database_password_is_rotated::claims(world).await,
        MeasureId::A5 => no_endpoint_without_oauth::claims(world).await,
        MeasureId::A6 => client_endpoints_need_a_clients_token::claims(world).await,
        MeasureId::A7 => user_endpoints_need_a_users_token::claims(world).await,
        MeasureId::A8 => foreign_issuer_looks_after_users::claims(world).await,
        MeasureId::A9 => scope_guards_every_endpoint::claims(world).await,
        MeasureId::A10 => token_expires_in_time::claims(world).await,
        MeasureId::N1 => database_is_network_isolated::claims(world).await,
        MeasureId::N2 => frontend_origin_alone::claims(world).await,
        MeasureId::G1 => no_secret_in_the_code::claims(world).await,
        MeasureId::G2 => dependencies_are_kept_current::claims(world).await,
        MeasureId::X1 => tls_and_hsts::claims(world).await,
        MeasureId::X2 => security_headers::claims(world).await,
        MeasureId::X3 => cookies::claims(world).await,
        MeasureId::X4 => throttling::claims(world).await,
        MeasureId::X5 => users_cannot_be_enumerated::claims(world).await,
        MeasureId::X6 => sessions_end::claims(world).await,
        MeasureId::X7 => backups_restore::claims(world).await,
        MeasureId::X8 => request_smuggling::claims(world).await,
        MeasureId::X9 => forwarded_headers::claims(world).await,
        MeasureId::X10 => proxy_advisories::claims(world).await,
        MeasureId::X11 => keys_and_metadata::claims(world).await,
        MeasureId::X12 => files_not_served::claims(world).await,
        MeasureId::X13 => passwords_are_chosen_well::claims(world).await,
        MeasureId::X14 => input_is_checked::claims(world).await,
    };
    if id.is_beyond() && world.config.mode == Mode::Delegated {
        claims.iter_mut().for_each(delegate);
    }
    claims
}

/// What could not be tried because users live elsewhere is that issuer's affair.
fn delegate(claim: &mut Claim) {
    let elsewhere = claim.evidence.first().is_some_and(|evidence| evidence.what.contains(account::ELSEWHERE));
    if claim.verdict == Verdict::NotProven && elsewhere {
        claim.verdict = Verdict::Delegated;
        claim.remedy = String::new();
    }
}

/// What a measure can claim.
pub(crate) fn claims_of(id: MeasureId) -> &'static [Claimed] {
    match id {
        MeasureId::A1 => passwords_are_hashed::CLAIMS,
        MeasureId::A2 => password_is_reset_by_mail::CLAIMS,
        MeasureId::A3 => database_requires_a_strong_password::CLAIMS,
        MeasureId::A4 => database_password_is_rotated::CLAIMS,
        MeasureId::A5 => no_endpoint_without_oauth::CLAIMS,
        MeasureId::A6 => client_endpoints_need_a_clients_token::CLAIMS,
        MeasureId::A7 => user_endpoints_need_a_users_token::CLAIMS,
        MeasureId::A8 => foreign_issuer_looks_after_users::CLAIMS,
        MeasureId::A9 => scope_guards_every_endpoint::CLAIMS,
        MeasureId::A10 => token_expires_in_time::CLAIMS,
        MeasureId::N1 => database_is_network_isolated::CLAIMS,
        MeasureId::N2 => frontend_origin_alone::CLAIMS,
        MeasureId::G1 => no_secret_in_the_code::CLAIMS,
        MeasureId::G2 => dependencies_are_kept_current::CLAIMS,
        MeasureId::X1 => tls_and_hsts::CLAIMS,
        MeasureId::X2 => security_headers::CLAIMS,
        MeasureId::X3 => cookies::CLAIMS,
        MeasureId::X4 => throttling::CLAIMS,
        MeasureId::X5 => users_cannot_be_enumerated::CLAIMS,
        MeasureId::X6 => sessions_end::CLAIMS,
        MeasureId::X7 => backups_restore::CLAIMS,
        MeasureId::X8 => request_smuggling::CLAIMS,
        MeasureId::X9 => forwarded_headers::CLAIMS,
        MeasureId::X10 => proxy_advisories::CLAIMS,
        MeasureId::X11 => keys_and_metadata::CLAIMS,
        MeasureId::X12 => files_not_served::CLAIMS,
        MeasureId::X13 => passwords_are_chosen_well::CLAIMS,
        MeasureId::X14 => input_is_checked::CLAIMS,
    }
}

/// The number that a measure's line calls X, with its source.
pub(crate) fn value(id: MeasureId, world: &World) -> Option<String> {
    match id {
        MeasureId::A4 => database_password_is_rotated::value(&world.config),
        MeasureId::A10 => token_expires_in_time::value(&world.config),
        _ => None,
    }
}
