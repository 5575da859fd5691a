//! The decision: a [`Permit`], or a [`Denial`] that knows its status, its challenge and its reason.

use std::fmt;

use crate::caller::{Caller, CallerKindSeen};
use crate::cors::{OriginVerdict, is_safe_method};
use crate::path::Ambiguous;
use crate::rule::{Alternative, CallerKind, Requirement, Rule};
use crate::scope::ScopeSet;
use crate::table::Lookup;

/// Leave to forward one request. Only [`authorize`] makes one.
#[derive(Debug, Clone, Copy)]
pub struct Permit<'a> {
    rule: &'a Rule,
    caller: Option<&'a Caller>,
}

impl<'a> Permit<'a> {
    /// The rule that let it pass.
    #[must_use]
    pub fn rule(&self) -> &'a Rule {
        self.rule
    }

    /// Who was let in; on a public rule perhaps nobody in particular.
    #[must_use]
    pub fn caller(&self) -> Option<&'a Caller> {
        self.caller
    }
}

/// Why a request is not forwarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denial {
    /// 400: the path can be read in two ways.
    AmbiguousPath(Ambiguous),
    /// 400: malformed or repeated Authorization, bearer and API key together, Host not exactly one.
    Malformed {
        /// What is wrong, in words, without the credential.
        reason: String,
        /// Whether the credentials are what is wrong: then RFC 6750 section 3.1 names `invalid_request`.
        credentials: bool,
    },
    /// 401: nothing that says who is calling.
    NoCredentials,
    /// 401: a token that is bad, expired, foreign, revoked, too long or too long-lived.
    InvalidToken {
        /// Why, for the log and `explain`; never the token.
        reason: String,
    },
    /// 401: an API key that is unknown, expired, or past the sunset of all of them.
    InvalidApiKey {
        /// Why, for the log and `explain`; never the key.
        reason: String,
    },
    /// 403: no rule has this path.
    NotListed,
    /// 403: rules have this path, none has this method.
    MethodNotListed,
    /// 403: the operation grants nothing until a route says otherwise.
    RuleDenies {
        /// The rule's own words.
        why: String,
    },
    /// 403: an unsafe method from a page that is not the frontend's.
    ForeignOrigin,
    /// 403: a scope is missing.
    InsufficientScope {
        /// The alternative that wants the fewest scopes more than the caller has.
        required: ScopeSet,
        /// What of it the caller lacks.
        missing: ScopeSet,
        /// Every alternative that is open to this kind of caller.
        alternatives: Vec<ScopeSet>,
    },
    /// 403: a user's endpoint and a client's token, or the other way round.
    WrongCaller {
        /// Whose token is wanted.
        wanted: CallerKind,
        /// Whose it was.
        seen: CallerKindSeen,
        /// The scopes of the first alternative.
        required: ScopeSet,
    },
}

impl Denial {
    /// The HTTP status: 400, 401 or 403.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::AmbiguousPath(_) | Self::Malformed { .. } => 400,
            Self::NoCredentials | Self::InvalidToken { .. } | Self::InvalidApiKey { .. } => 401,
            Self::NotListed
            | Self::MethodNotListed
            | Self::RuleDenies { .. }
            | Self::ForeignOrigin
            | Self::InsufficientScope { .. }
            | Self::WrongCaller { .. } => 403,
        }
    }

    /// The error code of RFC 6750 section 3.1, where one belongs to the answer.
    #[must_use]
    pub fn error(&self) -> Option<&'static str> {
        match self {
            Self::Malformed { credentials: true, .. } => Some("invalid_request"),
            Self::InvalidToken { .. } => Some("invalid_token"),
            Self::InsufficientScope { .. } | Self::WrongCaller { .. } => Some("insufficient_scope"),
            _ => None,
        }
    }

    /// The value of `WWW-Authenticate` (RFC 6750 section 3): on every 401, and wherever there is an error code. Without
    /// credentials it has no error code, as that section wants.
    #[must_use]
    pub fn www_authenticate(&self) -> Option<String> {
        match (self, self.error()) {
            (Self::InsufficientScope { required, .. } | Self::WrongCaller { required, .. }, Some(error)) => {
                Some(format!("Bearer error=\"{error}\", scope=\"{required}\""))
            }
            (_, Some(error)) => Some(format!("Bearer error=\"{error}\"")),
            (_, None) => (self.status() == 401).then(|| "Bearer".to_owned()),
        }
    }

    /// A name that does not change, for metrics, logs and the `type` of a problem.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::AmbiguousPath(_) => "ambiguous_path",
            Self::Malformed { .. } => "malformed_request",
            Self::NoCredentials => "no_credentials",
            Self::InvalidToken { .. } => "invalid_token",
            Self::InvalidApiKey { .. } => "invalid_api_key",
            Self::NotListed => "not_listed",
            Self::MethodNotListed => "method_not_listed",
            Self::RuleDenies { .. } => "denied_by_rule",
            Self::ForeignOrigin => "foreign_origin",
            Self::InsufficientScope { .. } => "insufficient_scope",
            Self::WrongCaller { .. } => "wrong_caller",
        }
    }

    /// What the client may be told: a sentence without internals. An unlisted path, an unlisted method and an
    /// operation without a rule read alike, so that the answer maps nothing.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Self::NotListed | Self::MethodNotListed | Self::RuleDenies { .. } => {
                "this endpoint is not open".into()
            }
            Self::InvalidToken { .. } => "the access token is not valid".into(),
            Self::InvalidApiKey { .. } => "the API key is not valid".into(),
            other => other.to_string(),
        }
    }
}

/// The reason in full, for the operator's log and `explain`.
impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AmbiguousPath(reason) => write!(f, "{reason}"),
            Self::Malformed { reason, .. } => f.write_str(reason),
            Self::NoCredentials => f.write_str("no credentials were sent"),
            Self::InvalidToken { reason } => write!(f, "the access token is not valid: {reason}"),
            Self::InvalidApiKey { reason } => write!(f, "the API key is not valid: {reason}"),
            Self::NotListed => f.write_str("no rule lists this path"),
            Self::MethodNotListed => f.write_str("rules list this path, but not this method"),
            Self::RuleDenies { why } => write!(f, "the rule denies everybody: {why}"),
            Self::ForeignOrigin => f.write_str("the request comes from a page that is not the frontend's"),
            Self::InsufficientScope { missing, alternatives, .. } => {
                write!(f, "the token lacks the scope {missing}")?;
                if alternatives.len() > 1 {
                    f.write_str("; enough would be ")?;
                    for (index, scopes) in alternatives.iter().enumerate() {
                        write!(f, "{}{scopes}", if index == 0 { "" } else { ", or " })?;
                    }
                }
                Ok(())
            }
            Self::WrongCaller { wanted, seen, required } => {
                let seen = match seen {
                    CallerKindSeen::User => "a user's token",
                    CallerKindSeen::Client => "a client's token",
                    CallerKindSeen::ApiKey => "an API key",
                };
                let wanted = match wanted {
                    CallerKind::User => "a user's token",
                    CallerKind::Client => "a client-credentials token",
                    CallerKind::Any => "a token with a subject",
                };
                write!(f, "{wanted} is needed (scope {required}), and this is {seen}")
            }
        }
    }
}

impl std::error::Error for Denial {}

/// Judges the origin of a request before anything else about it: an unsafe method (RFC 9110 section 9.2.1) from a
/// foreign page is refused. No `Origin` at all passes, as machines send none.
///
/// # Errors
/// [`Denial::ForeignOrigin`].
pub fn authorize_origin(method: &str, origin: &OriginVerdict<'_>) -> Result<(), Denial> {
    if *origin == OriginVerdict::Foreign && !is_safe_method(method) {
        Err(Denial::ForeignOrigin)
    } else {
        Ok(())
    }
}

/// Judges the caller by the rule that was found.
///
/// Without a caller every endpoint that is not public answers as one, listed or not. Scopes are needed beside the kind
/// of caller: neither stands in for the other.
///
/// # Errors
/// The [`Denial`] that the contract's table names.
pub fn authorize<'a>(found: Lookup<'a>, caller: Option<&'a Caller>) -> Result<Permit<'a>, Denial> {
    if let Lookup::Found(rule @ Rule { requirement: Requirement::Public { .. }, .. }) = found {
        return Ok(Permit { rule, caller });
    }
    let Some(caller) = caller else { return Err(Denial::NoCredentials) };
    match found {
        Lookup::NotListed => Err(Denial::NotListed),
        Lookup::MethodNotListed => Err(Denial::MethodNotListed),
        Lookup::Found(rule) => match &rule.requirement {
            Requirement::Public { .. } => Ok(Permit { rule, caller: Some(caller) }),
            Requirement::Denied { why } => Err(Denial::RuleDenies { why: why.clone() }),
            Requirement::Scopes { alternatives } => {
                if alternatives.iter().any(|a| caller.is(a.caller) && caller.scopes.covers(&a.scopes)) {
                    Ok(Permit { rule, caller: Some(caller) })
                } else {
                    Err(refusal(alternatives, caller))
                }
            }
        },
    }
}

/// Names what is missing. Off the fast path: it allocates.
fn refusal(alternatives: &[Alternative], caller: &Caller) -> Denial {
    let open: Vec<&Alternative> = alternatives.iter().filter(|a| caller.is(a.caller)).collect();
    let lacking = |a: &&&Alternative| a.scopes.difference(&caller.scopes).len();
    match open.iter().min_by_key(lacking) {
        Some(nearest) => Denial::InsufficientScope {
            required: nearest.scopes.clone(),
            missing: nearest.scopes.difference(&caller.scopes),
            alternatives: open.iter().map(|a| a.scopes.clone()).collect(),
        },
        None => Denial::WrongCaller {
            wanted: alternatives.iter().map(|a| a.caller).reduce(CallerKind::or).unwrap_or(CallerKind::Any),
            seen: caller.kind,
            required: alternatives.first().map(|a| a.scopes.clone()).unwrap_or_default(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RouteConfig, Table, normalise};

    fn judge(route: RouteConfig, caller: Option<&Caller>) -> Result<(), Denial> {
        let table = Table::build(None, &[RouteConfig { match_: "GET /a".into(), ..route }]).unwrap();
        authorize(table.lookup("GET", &normalise("/a").unwrap()), caller).map(|_| ())
    }

    fn scopes(all: &[&str]) -> Option<Vec<String>> {
        Some(all.iter().map(|scope| (*scope).to_owned()).collect())
    }

    fn key(granted: &str) -> Caller {
        Caller::from_api_key(None, ScopeSet::granted(granted))
    }

    #[test]
    fn the_nearest_alternative_is_named() {
        let route = || RouteConfig { any_scopes: scopes(&["a", "b", "c"]), ..RouteConfig::default() };
        let Err(Denial::InsufficientScope { required, missing, alternatives }) =
            judge(route(), Some(&key("x")))
        else {
            panic!("a scope is missing");
        };
        assert_eq!(
            (required.to_string(), missing.to_string(), alternatives.len()),
            ("a".into(), "a".into(), 3)
        );
        assert_eq!(judge(route(), Some(&key("c"))), Ok(()));
    }

    #[test]
    fn be_08_only_the_whole_scope_counts() {
        let route = || RouteConfig { scopes: scopes(&["read:a"]), ..RouteConfig::default() };
        for granted in
            ["", "read", "read:", "read:*", "Read:a", "read:ab", "xread:a", "read:a,b", "[\"read:a\"]"]
        {
            assert!(judge(route(), Some(&key(granted))).is_err(), "{granted}");
        }
        assert_eq!(judge(route(), Some(&key("x read:a y"))), Ok(()));
    }

    #[test]
    fn an_api_key_stands_for_a_client_and_never_for_a_user() {
        let route =
            |caller| RouteConfig { scopes: scopes(&["a"]), caller: Some(caller), ..RouteConfig::default() };
        assert_eq!(judge(route(CallerKind::Client), Some(&key("a"))), Ok(()));
        assert_eq!(judge(route(CallerKind::Any), Some(&key("a"))), Ok(()));
        let refused = judge(route(CallerKind::User), Some(&key("a"))).unwrap_err();
        assert_eq!(refused.code(), "wrong_caller");
        assert_eq!(refused.to_string(), "a user's token is needed (scope a), and this is an API key");
    }
}
