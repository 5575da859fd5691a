//! What holds for every table, every path and every caller.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use policy::{
    Caller, CallerKind, Lookup, NormalPath, OpenApi, Origins, Question, Requirement, RouteConfig, RuleSource,
    Table, TokenFacts, authorize, explain, normalise,
};
use proptest::prelude::*;

const METHODS: [&str; 4] = ["GET", "HEAD", "POST", "OPTIONS"];

/// Few words, so that patterns and paths meet often.
fn segment_pattern() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[ab]{1,2}",
        1 => "[AB]",
        2 => Just("{x}".to_owned()),
        1 => "[ab]\\.\\{x\\}",
        1 => "\\{x\\}-\\{y\\}",
    ]
}

fn pattern() -> impl Strategy<Value = String> {
    (proptest::collection::vec(segment_pattern(), 0..4), proptest::bool::weighted(0.2)).prop_map(
        |(mut parts, rest)| {
            if rest {
                parts.push("{rest...}".to_owned());
            }
            format!("/{}", parts.join("/"))
        },
    )
}

fn route() -> impl Strategy<Value = RouteConfig> {
    let method = proptest::sample::select(vec!["GET", "GET", "HEAD", "POST"]);
    (
        method,
        pattern(),
        proptest::option::weighted(0.8, "[pq]"),
        proptest::sample::select(vec![None, Some(CallerKind::User), Some(CallerKind::Client)]),
    )
        .prop_map(|(method, pattern, scope, caller)| RouteConfig {
            match_: format!("{method} {pattern}"),
            public: scope.is_none().then(|| "a reason".to_owned()),
            caller: caller.filter(|_| scope.is_some()),
            scopes: scope.map(|scope| vec![scope]),
            ..RouteConfig::default()
        })
}

/// A table of those routes that can stand beside the ones before them.
fn table(routes: &[RouteConfig]) -> (Table, Vec<RouteConfig>) {
    let mut kept = Vec::new();
    for route in routes {
        kept.push(route.clone());
        if Table::build(None, &kept).is_err() {
            kept.pop();
        }
    }
    (Table::build(None, &kept).unwrap(), kept)
}

fn path() -> impl Strategy<Value = NormalPath> {
    proptest::collection::vec("[ab]{1,2}|[AB]|[aA]\\.[ab]|b-a", 0..4)
        .prop_map(|parts| normalise(&format!("/{}", parts.join("/"))).unwrap())
}

fn caller() -> impl Strategy<Value = Option<Caller>> {
    proptest::option::weighted(0.8, ("u|c@clients", "(p )?q?")).prop_map(|facts| {
        facts.map(|(sub, scope)| {
            Caller::from_token(&TokenFacts { sub: Some(&sub), scope: Some(&scope), ..TokenFacts::default() })
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// A rule is found only where its own pattern and method match, and nothing is found only where none does.
    #[test]
    fn a_lookup_finds_what_matches(routes in proptest::collection::vec(route(), 0..12), path in path()) {
        let (table, _) = table(&routes);
        for method in METHODS {
            let matches = |rule: &policy::Rule| {
                let follows = method == "HEAD" && rule.method.as_str() == "GET";
                (rule.method.as_str() == method || follows) && rule.pattern.matches(path.segments())
            };
            match table.lookup(method, &path) {
                Lookup::Found(rule) => prop_assert!(matches(rule), "{rule} {path}"),
                Lookup::MethodNotListed => prop_assert!(!table.rules().any(matches)),
                // A spelling that differs in case from a stricter rule is closed though a rule matches.
                Lookup::NotListed => prop_assert!(
                    !table.rules().any(matches) || path.decoded().bytes().any(|b| b.is_ascii_uppercase())
                        || table.rules().any(|rule| rule.pattern.as_str().bytes().any(|b| b.is_ascii_uppercase()))
                ),
            }
        }
    }

    /// Whatever passes with one rule more passed before by the same rule, or passes by the new one.
    #[test]
    fn adding_a_rule_never_opens_another_route(
        routes in proptest::collection::vec(route(), 0..10),
        added in route(),
        paths in proptest::collection::vec(path(), 1..8),
        caller in caller(),
    ) {
        let (before, mut kept) = table(&routes);
        kept.push(added);
        let place = kept.len() - 1;
        if let Ok(after) = Table::build(None, &kept) {
            for (path, method) in paths.iter().flat_map(|path| METHODS.map(|method| (path, method))) {
                if let Ok(permit) = authorize(after.lookup(method, path), caller.as_ref()) {
                    let by_new = permit.rule().source == RuleSource::Route { index: place };
                    let earlier = authorize(before.lookup(method, path), caller.as_ref());
                    prop_assert!(by_new || earlier.is_ok_and(|earlier| earlier.rule() == permit.rule()));
                }
            }
        }
    }

    /// The order of the routes decides nothing.
    #[test]
    fn order_decides_nothing(routes in proptest::collection::vec(route(), 0..10), path in path()) {
        let (forward, mut kept) = table(&routes);
        kept.reverse();
        let backward = Table::build(None, &kept).unwrap();
        for method in METHODS {
            let shown = |table: &Table| match table.lookup(method, &path) {
                Lookup::Found(rule) => rule.endpoint(),
                other => other.to_string(),
            };
            prop_assert_eq!(shown(&forward), shown(&backward));
        }
    }

    /// A permit exists only for a public rule, or for a caller who has every scope of an alternative made for it.
    #[test]
    fn a_permit_has_a_reason(
        routes in proptest::collection::vec(route(), 0..10), path in path(), caller in caller()
    ) {
        let (table, _) = table(&routes);
        for method in METHODS {
            let Ok(permit) = authorize(table.lookup(method, &path), caller.as_ref()) else { continue };
            match &permit.rule().requirement {
                Requirement::Public { reason } => prop_assert!(!reason.is_empty()),
                Requirement::Denied { .. } => prop_assert!(false),
                Requirement::Scopes { alternatives } => {
                    let caller = permit.caller().unwrap();
                    let met = alternatives.iter().any(|one| {
                        !one.scopes.is_empty()
                            && caller.is(one.caller)
                            && one.scopes.iter().all(|scope| caller.scopes.contains(scope.as_str()))
                    });
                    prop_assert!(met);
                }
            }
        }
    }

    /// More scopes never close a door.
    #[test]
    fn scopes_only_open(routes in proptest::collection::vec(route(), 0..10), path in path(), caller in caller()) {
        let (table, _) = table(&routes);
        if let Some(caller) = caller {
            let mut richer = caller.clone();
            richer.scopes.extend([policy::Scope::parse("p").unwrap(), policy::Scope::parse("r").unwrap()]);
            for method in METHODS {
                if authorize(table.lookup(method, &path), Some(&caller)).is_ok() {
                    prop_assert!(authorize(table.lookup(method, &path), Some(&richer)).is_ok());
                }
            }
        }
    }

    /// Two spellings that are found alike are forwarded alike, and a path that is forwarded is found as it was.
    #[test]
    fn what_is_found_is_what_is_forwarded(
        routes in proptest::collection::vec(route(), 0..10),
        raw in "(/([ab.%-]|%6[12]|%4[12]|%2[e5f]|;|\\\\){1,3}){1,4}",
    ) {
        let (table, _) = table(&routes);
        if let Ok(path) = normalise(&raw) {
            let forwarded = normalise(path.target()).unwrap();
            for method in METHODS {
                prop_assert_eq!(table.lookup(method, &path), table.lookup(method, &forwarded));
            }
        }
    }

    /// `explain` decides as the gateway does.
    #[test]
    fn explaining_is_deciding(routes in proptest::collection::vec(route(), 0..10), path in path(), caller in caller()) {
        let (table, _) = table(&routes);
        for method in METHODS {
            let question = Question { method, target: path.target(), origin: &[], caller: caller.as_ref() };
            let told = explain(&table, &Origins::default(), &question);
            prop_assert_eq!(&told.verdict, &authorize(table.lookup(method, &path), caller.as_ref()).map(|_| ()));
            prop_assert_eq!(told.steps.last().map(|step| step.name), Some("verdict"));
        }
    }

    #[test]
    fn reading_a_document_never_panics(
        at in 0usize..4000, insert in "[-{}\\[\\]:,#&*!|>'\"%@ \\n$a1é]{0,6}", cut in 0usize..40, json in any::<bool>()
    ) {
        let text = if json { include_str!("documents/library-2.0.json") } else { include_str!("documents/library-3.0.yaml") };
        let start = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let end = (start + cut).min(text.len());
        let end = (end..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
        let broken = format!("{}{insert}{}", &text[..start], &text[end..]);
        if let Ok(document) = OpenApi::parse(broken.as_bytes(), "broken") {
            let _ = Table::build(Some(&document), &[]);
        }
    }
}
