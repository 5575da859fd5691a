//! The patterns of a table as a tree of segments, so that a lookup costs as much as the path is long.

use std::cmp::Ordering;

use crate::pattern::{Mixed, Rank, Segment};
use crate::rule::Rule;

/// One node a distinct beginning of patterns; the root is the first.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, Default)]
struct Node {
    /// In the order of their lower case, so that spellings that differ in nothing else are neighbours.
    literals: Vec<(Box<str>, usize)>,
    mixed: Vec<(Mixed, usize)>,
    parameter: Option<usize>,
    rest: Vec<Endpoint>,
    here: Vec<Endpoint>,
}

/// A rule that ends here.
#[derive(Debug, Clone)]
struct Endpoint {
    method: Box<str>,
    rank: Rank,
    rule: usize,
}

/// What a lookup has come across.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The most literal rule for the method, by its place.
    pub(crate) rule: Option<(Rank, usize)>,
    /// The most literal rule that a backend would find which ignores case.
    pub(crate) folded: Option<(Rank, usize)>,
    /// Whether some rule has the path, for whatever method.
    pub(crate) path: bool,
}

impl Tree {
    pub(crate) fn new(rules: &[Rule]) -> Self {
        let mut tree = Self { nodes: vec![Node::default()] };
        for (index, rule) in rules.iter().enumerate() {
            tree.insert(index, rule);
        }
        tree
    }

    fn insert(&mut self, index: usize, rule: &Rule) {
        let endpoint =
            Endpoint { method: rule.method.as_str().into(), rank: rule.pattern.rank(), rule: index };
        let mut at = 0;
        for segment in &rule.pattern.segments {
            let fresh = self.nodes.len();
            let node = &mut self.nodes[at];
            at = match segment {
                Segment::Rest => {
                    node.rest.push(endpoint);
                    return;
                }
                Segment::Parameter => *node.parameter.get_or_insert(fresh),
                Segment::Mixed(mixed) => match node.mixed.iter().find(|(known, _)| known == mixed) {
                    Some((_, child)) => *child,
                    None => {
                        node.mixed.push((mixed.clone(), fresh));
                        fresh
                    }
                },
                Segment::Literal(literal) => {
                    let order = |known: &str| fold_order(known, literal).then_with(|| known.cmp(literal));
                    match node.literals.binary_search_by(|(known, _)| order(known)) {
                        Ok(found) => node.literals[found].1,
                        Err(place) => {
                            node.literals.insert(place, (literal.as_str().into(), fresh));
                            fresh
                        }
                    }
                }
            };
            if at == fresh {
                self.nodes.push(Node::default());
            }
        }
        self.nodes[at].here.push(endpoint);
    }

    /// Visits every pattern that matches. Each node is reached by one way only, so the work is bounded by the table's
    /// size whatever path a stranger sends.
    pub(crate) fn find(&self, method: &str, decoded: &str) -> Found {
        let mut found = Found::default();
        self.descend(0, if decoded == "/" { "" } else { decoded }, method, false, &mut found);
        found
    }

    /// `path` is what is left, with its leading slash; `folded` says that a literal on the way differed in case.
    fn descend(&self, at: usize, path: &str, method: &str, folded: bool, found: &mut Found) {
        let Some(node) = self.nodes.get(at) else { return };
        let Some(behind) = path.strip_prefix('/') else {
            return found.take(&node.here, method, folded);
        };
        let (segment, left) = behind.split_at(behind.find('/').unwrap_or(behind.len()));
        let start = node.literals.partition_point(|(literal, _)| fold_order(literal, segment).is_lt());
        for (literal, child) in &node.literals[start..] {
            if !literal.eq_ignore_ascii_case(segment) {
                break;
            }
            self.descend(*child, left, method, folded || &**literal != segment, found);
        }
        for (mixed, child) in &node.mixed {
            if mixed.matches(segment) {
                self.descend(*child, left, method, folded, found);
            } else if mixed.matches_ignoring_case(segment) {
                self.descend(*child, left, method, true, found);
            }
        }
        if let Some(child) = node.parameter {
            self.descend(child, left, method, folded, found);
        }
        if !node.rest.is_empty() {
            found.take(&node.rest, method, folded);
        }
    }
}

impl Found {
    /// HEAD follows GET, unless HEAD has a rule of its own in the same place.
    fn take(&mut self, endpoints: &[Endpoint], method: &str, folded: bool) {
        let of = |wanted: &str| endpoints.iter().find(|endpoint| &*endpoint.method == wanted);
        let endpoint = of(method).or_else(|| if method == "HEAD" { of("GET") } else { None });
        let best = if folded { &mut self.folded } else { &mut self.rule };
        if let Some(endpoint) = endpoint
            && best.is_none_or(|(rank, _)| endpoint.rank > rank)
        {
            *best = Some((endpoint.rank, endpoint.rule));
        }
        self.path |= !folded && !endpoints.is_empty();
    }
}

/// The order by lower case alone (ASCII: what folds further is refused in a path).
fn fold_order(a: &str, b: &str) -> Ordering {
    a.bytes().map(|b| b.to_ascii_lowercase()).cmp(b.bytes().map(|b| b.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Pattern;
    use crate::rule::{Method, Requirement, RuleSource};
    use proptest::prelude::*;

    fn rule(index: usize, method: &str, pattern: &str) -> Rule {
        Rule {
            method: Method::parse(method).unwrap(),
            pattern: Pattern::parse(pattern).unwrap(),
            requirement: Requirement::Denied { why: "test".into() },
            source: RuleSource::Route { index },
            examples: std::collections::BTreeMap::new(),
            meant_for: None,
        }
    }

    proptest! {
        /// The tree and a walk over all rules agree about the rank of what is found.
        #[test]
        fn it_finds_the_greatest_rank(
            patterns in proptest::collection::vec("(/([ab]|\\{x\\}|a\\{x\\}|\\{x\\}a)){0,4}(/\\{r\\.\\.\\.\\})?", 0..12),
            path in "(/[ab]{1,2}){0,4}",
        ) {
            let whole = |text: &str| if text.is_empty() { "/".to_owned() } else { text.to_owned() };
            let rules: Vec<Rule> =
                patterns.iter().enumerate().map(|(index, text)| rule(index, "GET", &whole(text))).collect();
            let path = crate::normalise(&whole(&path)).unwrap();
            let best = rules.iter().filter(|rule| rule.pattern.matches(path.segments())).map(|r| r.pattern.rank()).max();
            let found = Tree::new(&rules).find("GET", path.decoded());
            prop_assert_eq!(found.rule.map(|(rank, _)| rank), best);
            prop_assert_eq!(found.folded.map(|(rank, _)| rank), None);
            prop_assert_eq!(found.path, best.is_some());
        }
    }

    #[test]
    fn spellings_that_differ_in_case_are_kept_apart() {
        let rules =
            [rule(0, "GET", "/a"), rule(1, "GET", "/A"), rule(2, "GET", "/b"), rule(3, "GET", "/{x}")];
        let tree = Tree::new(&rules);
        let found =
            |path| (tree.find("GET", path).rule.unwrap().1, tree.find("GET", path).folded.map(|(_, at)| at));
        assert_eq!(found("/a"), (0, Some(1)));
        assert_eq!(found("/A"), (1, Some(0)));
        assert_eq!(found("/b"), (2, None));
        assert_eq!(found("/B"), (3, Some(2)));
        assert_eq!(found("/c"), (3, None));
    }
}
