//! Rules that cannot stand side by side.

use crate::rule::{Method, Rule};
use crate::table::TableError;

/// Rules with one method and one shape.
pub(crate) fn doubles(rules: &[Rule]) -> Vec<TableError> {
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
pub(crate) fn ties(rules: &[Rule]) -> Vec<TableError> {
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
