//! All rules of a gateway: built once, asked by every request.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::conflict::{doubles, ties};
use crate::openapi::OpenApi;
use crate::path::NormalPath;
use crate::route::{RouteConfig, RouteProblem, add_route};
use crate::rule::{Rule, RuleSource};
use crate::scope::Scope;
use crate::security::{ScopeUse, note_use};
use crate::tree::Tree;

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

    /// The rule of an endpoint. Allocates nothing, except where a segment meets a partly literal one that it does not fit.
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
