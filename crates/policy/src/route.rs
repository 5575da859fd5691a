//! `[[gateway.route]]`: rules that the configuration gives beside or in place of the document's.

use serde::{Deserialize, Serialize};

use crate::pattern::{Pattern, PatternError};
use crate::rule::{Alternative, CallerKind, Method, MethodError, Requirement, Rule, RuleSource};
use crate::scope::{Scope, ScopeError, ScopeSet};

/// A `[[gateway.route]]` of the configuration: what OpenAPI cannot say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    /// `match = "POST /orders/{id}/refund"`: a method and the path as the gateway sees it, `servers` path included.
    #[serde(rename = "match")]
    pub match_: String,
    /// Everybody may, for this reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<String>,
    /// All of these scopes are needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// One of these scopes is enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub any_scopes: Option<Vec<String>>,
    /// Whose token it must be. Default: as the replaced rule has it, else any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<CallerKind>,
    /// Needed where the OpenAPI document lets somebody in already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replaces: bool,
}

/// What is wrong with a route.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteProblem {
    /// `match` is not a method, a space and a path.
    #[error("match must be a method, a space and a path, as in \"GET /health\"")]
    Match,
    /// The method is none.
    #[error(transparent)]
    Method(#[from] MethodError),
    /// The path is no pattern.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A scope is none.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// Neither public nor scoped.
    #[error("it lets nobody in: give scopes, any_scopes, or public with a reason")]
    NoRequirement,
    /// More than one of them.
    #[error("it has more than one of public, scopes and any_scopes: one of them decides")]
    ManyRequirements,
    /// An empty list of scopes would let every token in.
    #[error("its list of scopes is empty: name one scope at least")]
    EmptyScopes,
    /// `public` without a reason.
    #[error("public needs a reason, which reports will show")]
    NoReason,
    /// `caller` on a public route.
    #[error("caller has no meaning on a public route: nobody has to show a token there")]
    CallerOfPublic,
    /// The document has a rule for it.
    #[error("{source_of_rule} has a rule for it already; replaces = true puts this one in its place")]
    NeedsReplaces {
        /// Where the rule stands.
        source_of_rule: String,
    },
    /// `replaces` without anything to replace.
    #[error(
        "replaces = true, and no OpenAPI document has a rule for it: check the path, that of servers included"
    )]
    ReplacesNothing,
}

/// Reads a route and gives it its place among the rules.
pub(crate) fn add_route(
    rules: &mut Vec<Rule>,
    from_document: usize,
    index: usize,
    route: &RouteConfig,
) -> Result<(), RouteProblem> {
    let (method, pattern) = endpoint(&route.match_)?;
    let (documented, added) = rules.split_at(from_document.min(rules.len()));
    debug_assert!(added.iter().all(|rule| matches!(rule.source, RuleSource::Route { .. })));
    let of = |method: &str| {
        documented.iter().position(|rule| {
            // A rule that another route has replaced is found as well: then these are two rules for one endpoint.
            rule.method.as_str() == method && rule.pattern.same_shape(&pattern)
        })
    };
    let place = of(method.as_str());
    // HEAD follows GET: a rule for HEAD alone changes what the document says of GET.
    let followed = place.or_else(|| if method.as_str() == "HEAD" { of("GET") } else { None });
    let old = followed.and_then(|place| documented.get(place));
    let meant_for = old.and_then(|rule| rule.meant_for);
    let requirement = requirement(route, meant_for)?;
    let rule = Rule {
        method,
        requirement,
        source: RuleSource::Route { index },
        examples: old.map(|rule| rule.examples.clone()).unwrap_or_default(),
        meant_for: route.caller.or(meant_for),
        pattern,
    };
    match old {
        None if route.replaces => return Err(RouteProblem::ReplacesNothing),
        Some(old)
            if !route.replaces
                && matches!(old.source, RuleSource::OpenApi { .. })
                && !matches!(old.requirement, Requirement::Denied { .. }) =>
        {
            return Err(RouteProblem::NeedsReplaces { source_of_rule: old.source.to_string() });
        }
        _ => {}
    }
    match place.and_then(|place| rules.get_mut(place)) {
        Some(old) if matches!(old.source, RuleSource::OpenApi { .. }) => *old = rule,
        _ => rules.push(rule),
    }
    Ok(())
}

fn endpoint(text: &str) -> Result<(Method, Pattern), RouteProblem> {
    let mut words = text.split_ascii_whitespace();
    let (Some(method), Some(path), None) = (words.next(), words.next(), words.next()) else {
        return Err(RouteProblem::Match);
    };
    Ok((Method::parse(method)?, Pattern::parse(path)?))
}

fn requirement(route: &RouteConfig, meant_for: Option<CallerKind>) -> Result<Requirement, RouteProblem> {
    let caller = route.caller.or(meant_for).unwrap_or(CallerKind::Any);
    let parse = |scopes: &[String]| {
        if scopes.is_empty() {
            return Err(RouteProblem::EmptyScopes);
        }
        Ok(scopes.iter().map(|scope| Scope::parse(scope)).collect::<Result<Vec<Scope>, ScopeError>>()?)
    };
    match (&route.public, &route.scopes, &route.any_scopes) {
        (None, None, None) => Err(RouteProblem::NoRequirement),
        (Some(_), None, None) if route.caller.is_some() => Err(RouteProblem::CallerOfPublic),
        (Some(reason), None, None) if reason.trim().is_empty() => Err(RouteProblem::NoReason),
        (Some(reason), None, None) => Ok(Requirement::Public { reason: reason.trim().to_owned() }),
        (None, Some(all), None) => {
            let scopes: ScopeSet = parse(all)?.into_iter().collect();
            Ok(Requirement::Scopes { alternatives: vec![Alternative { scopes, caller }] })
        }
        (None, None, Some(any)) => {
            let alone = |scope| Alternative { scopes: std::iter::once(scope).collect(), caller };
            Ok(Requirement::Scopes { alternatives: parse(any)?.into_iter().map(alone).collect() })
        }
        _ => Err(RouteProblem::ManyRequirements),
    }
}
