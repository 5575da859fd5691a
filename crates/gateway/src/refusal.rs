//! Why a request is not forwarded: the policy's own denial, or something that the gateway cannot do just now.

use http::StatusCode;
use policy::Denial;

use crate::problem::Problem;

/// What stands between a request and the backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Policy says no.
    Denied(Denial),
    /// No key set can be had for the issuer and none is remembered.
    NoKeys,
    /// API keys cannot be looked up.
    NoApiKeys,
    /// The body is declared larger than allowed.
    TooLarge,
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

impl Refusal {
    /// The stable word for counters and records.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Denied(denial) => denial.code(),
            Self::NoKeys => "no_keys",
            Self::NoApiKeys => "no_api_keys",
            Self::TooLarge => "too_large",
        }
    }

    /// The reason in full, for the operator.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Denied(denial) => denial.to_string(),
            other => other.problem().detail,
        }
    }

    /// What the client is told.
    pub(crate) fn problem(&self) -> Problem {
        match self {
            Self::Denied(denial) => {
                let status = StatusCode::from_u16(denial.status()).unwrap_or(StatusCode::FORBIDDEN);
                let code = denial.error().unwrap_or_else(|| denial.code());
                let problem = Problem::new(status, hidden(code), denial.detail());
                match denial.www_authenticate() {
                    Some(challenge) => problem.challenging(challenge),
                    None => problem,
                }
            }
            Self::NoKeys => Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                self.code(),
                "the keys of the token's issuer cannot be had just now",
            )
            .retry_after(5),
            Self::NoApiKeys => Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                self.code(),
                "API keys cannot be looked up just now",
            )
            .retry_after(5),
            Self::TooLarge => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                self.code(),
                "the request body is larger than allowed",
            ),
        }
    }
}

/// To the client an unlisted path, an unlisted method and an operation without a rule are one: the answer maps nothing.
fn hidden(code: &'static str) -> &'static str {
    match code {
        "method_not_listed" | "denied_by_rule" => "not_listed",
        other => other,
    }
}
