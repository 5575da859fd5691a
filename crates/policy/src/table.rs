//! All rules of a gateway: built once, asked by every request.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::openapi::OpenApi;
use crate::path::NormalPath;
use crate::pattern::{Pattern, PatternError};
use crate::rule::{Alternative, CallerKind, Method, MethodError, Requirement, Rule, RuleSource};
use crate::scope::{Scope, ScopeError, ScopeSet};
use crate::security::{ScopeUse, note_use};
use crate::tree::Tree;

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

/// Why a table cannot be built. Each names its rules and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// A route that says nothing sensible.
    #[error("gateway.route {} ({match_}): {problem}", index + 1)]
    Route {
        /// Its place in the configuration, from 0.
        index: usize,
        /// Its `match`.
        match_: String,
        /// What is wrong with it.
        problem: RouteProblem,
    },
    /// Two rules for one endpoint.
    #[error("two rules for {endpoint}: {first} and {second}; remove one")]
    Double {
        /// Method and path.
        endpoint: String,
        /// Where the one stands.
        first: String,
        /// Where the other stands.
        second: String,
    },
    /// Two rules match one path and neither is more literal.
    #[error(
        "{first} and {second} both match {endpoint} and neither is more literal; \
         add a gateway.route for \"{endpoint}\" that says what holds there"
    )]
    Tie {
        /// The one, with its source.
        first: String,
        /// The other, with its source.
        second: String,
        /// What both match.
        endpoint: String,
    },
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

/// What a lookup finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// The most literal rule for path and method.
    Found(&'a Rule),
    /// Rules have the path, but not the method: an unlisted route all the same.
    MethodNotListed,
    /// No rule has the path.
    NotListed,
}

/// The rules, ready to be asked.
#[derive(Debug, Clone)]
pub struct Table {
    rules: Vec<Rule>,
    tree: Tree,
    methods: Vec<String>,
}

impl Table {
    /// Puts the rules of the document and the routes of the configuration together.
    ///
    /// # Errors
    /// All errors at once: malformed routes, two rules for one endpoint, ties, `replaces` that is missing or replaces
    /// nothing.
    pub fn build(openapi: Option<&OpenApi>, routes: &[RouteConfig]) -> Result<Self, Vec<TableError>> {
        let mut rules: Vec<Rule> = openapi.map(|document| document.rules().to_vec()).unwrap_or_default();
        let mut errors = doubles(&rules);
        let from_document = rules.len();
        for (index, route) in routes.iter().enumerate() {
            if let Err(problem) = add_route(&mut rules, from_document, index, route) {
                errors.push(TableError::Route { index, match_: route.match_.clone(), problem });
            }
        }
        let routed: Vec<Rule> =
            rules.iter().filter(|rule| matches!(rule.source, RuleSource::Route { .. })).cloned().collect();
        errors.extend(doubles(&routed));
        if errors.is_empty() {
            errors = ties(&rules);
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut methods: BTreeSet<String> =
            rules.iter().map(|rule| rule.method.as_str().to_owned()).collect();
        if methods.contains("GET") {
            methods.insert("HEAD".to_owned());
        }
        Ok(Self { tree: Tree::new(&rules), rules, methods: methods.into_iter().collect() })
    }

    /// The rule of an endpoint. Allocates nothing.
    ///
    /// Where a backend that ignores case would find a more literal rule with another demand (`/users/ME` beside
    /// `/users/me` and `/users/{id}`), the path counts as not listed.
    #[must_use]
    pub fn lookup(&self, method: &str, path: &NormalPath) -> Lookup<'_> {
        let found = self.tree.find(method, path.decoded());
        let Some((rank, rule)) = found.rule.and_then(|(rank, index)| Some((rank, self.rules.get(index)?)))
        else {
            return if found.path { Lookup::MethodNotListed } else { Lookup::NotListed };
        };
        let folded =
            found.folded.filter(|(other, _)| *other > rank).and_then(|(_, index)| self.rules.get(index));
        match folded {
            Some(other) if other.requirement != rule.requirement => Lookup::NotListed,
            _ => Lookup::Found(rule),
        }
    }

    /// The methods that are listed for a path, HEAD beside GET, in alphabetical order.
    #[must_use]
    pub fn methods_of(&self, path: &NormalPath) -> Vec<&str> {
        let listed = |method: &&str| matches!(self.lookup(method, path), Lookup::Found(_));
        self.methods.iter().map(String::as_str).filter(listed).collect()
    }

    /// All rules: the document's in its order, then the routes that replace nothing.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = &Rule> + '_ {
        self.rules.iter()
    }

    /// Every scope that some rule demands, and who may use it there.
    #[must_use]
    pub fn scopes(&self) -> BTreeMap<Scope, ScopeUse> {
        let mut scopes = BTreeMap::new();
        self.rules.iter().for_each(|rule| note_use(&mut scopes, rule));
        scopes
    }
}

impl fmt::Display for Lookup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found(rule) => rule.fmt(f),
            Self::MethodNotListed => f.write_str("rules list this path, but not this method"),
            Self::NotListed => f.write_str("no rule lists this path"),
        }
    }
}

/// Reads a route and gives it its place among the rules.
fn add_route(
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

/// Rules with one method and one shape.
fn doubles(rules: &[Rule]) -> Vec<TableError> {
    let mut errors = Vec::new();
    for (at, first) in rules.iter().enumerate() {
        for second in &rules[at + 1..] {
            if first.method == second.method && first.pattern.same_shape(&second.pattern) {
                errors.push(TableError::Double {
                    endpoint: first.endpoint(),
                    first: first.source.to_string(),
                    second: format!("{} ({})", second.source, second.endpoint()),
                });
            }
        }
    }
    errors
}

/// Rules that match one path and are equally literal, where no third rule is for just the paths that both match.
fn ties(rules: &[Rule]) -> Vec<TableError> {
    let ranked: Vec<_> = rules.iter().map(|rule| (rule.pattern.rank(), rule)).collect();
    let mut errors = Vec::new();
    for (at, (rank, first)) in ranked.iter().enumerate() {
        for (other, second) in &ranked[at + 1..] {
            if rank != other || first.pattern.same_shape(&second.pattern) {
                continue;
            }
            let Some(method) = common_method(&first.method, &second.method) else { continue };
            let Some(meet) = first.pattern.meet(&second.pattern) else { continue };
            let settled = |rule: &Rule| {
                rule.pattern.same_shape(&meet)
                    && common_method(&rule.method, method).is_some_and(|m| m == method)
            };
            if !rules.iter().any(settled) {
                errors.push(TableError::Tie {
                    first: format!("{} [{}]", first.endpoint(), first.source),
                    second: format!("{} [{}]", second.endpoint(), second.source),
                    endpoint: format!("{method} {meet}"),
                });
            }
        }
    }
    errors
}

/// The method for which both rules hold: HEAD follows GET.
fn common_method<'a>(a: &'a Method, b: &'a Method) -> Option<&'a Method> {
    match (a.as_str(), b.as_str()) {
        _ if a == b => Some(a),
        ("HEAD", "GET") => Some(a),
        ("GET", "HEAD") => Some(b),
        _ => None,
    }
}
