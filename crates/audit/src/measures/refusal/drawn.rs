//! The matrix as a report keeps it: one column a kind of credential, each forgery and each detour counted under its kind.

use crate::config::{Access, Caller};
use crate::measures::refusal::{self, Shown};
use crate::report::{Cell, Matrix as Drawn, Row};
use crate::verdict::Verdict;
use crate::world::inventory::{Endpoint, Inventory};
use crate::world::matrix::{Attempt, Matrix, let_in};

/// A column: its words, and which attempts stand in it.
type Column = (&'static str, fn(Attempt) -> bool);

const COLUMNS: [Column; 11] = [
    ("no token", |attempt| attempt == Attempt::NoToken),
    ("a forged token", |attempt| matches!(attempt, Attempt::Forged(_))),
    ("an expired token", |attempt| attempt == Attempt::Expired),
    ("another audience's token", |attempt| attempt == Attempt::WrongAudience),
    ("an ID token", |attempt| attempt == Attempt::IdToken),
    ("without the scope", |attempt| attempt == Attempt::MissingScope),
    ("the wrong kind of caller", |attempt| attempt == Attempt::WrongCaller),
    ("an old API key", |attempt| attempt == Attempt::ApiKey),
    ("the path written otherwise", |attempt| matches!(attempt, Attempt::Detour(_))),
    ("past the gateway", |attempt| attempt == Attempt::PastTheGateway),
    ("the right token", |attempt| attempt == Attempt::Right),
];

pub(crate) fn drawn(inventory: &Inventory, matrix: &Matrix) -> Drawn {
    let endpoints = inventory.endpoints.iter().enumerate();
    Drawn {
        attempts: COLUMNS.iter().map(|(words, _)| (*words).to_owned()).collect(),
        rows: endpoints
            .map(|(at, endpoint)| Row {
                method: endpoint.method.clone(),
                path: endpoint.template.clone(),
                caller: caller(endpoint).to_owned(),
                cells: COLUMNS.iter().map(|(_, holds)| cell(endpoint, matrix, at, *holds)).collect(),
            })
            .collect(),
    }
}

fn caller(endpoint: &Endpoint) -> &'static str {
    match &endpoint.access {
        Access::Public { .. } => "public",
        Access::Denied => "denied",
        Access::Scopes { caller: Caller::User, .. } => "user",
        Access::Scopes { caller: Caller::Client, .. } => "client",
        Access::Scopes { caller: Caller::Any, .. } => "any",
    }
}

/// The worst of a column's attempts on one endpoint.
fn cell(endpoint: &Endpoint, matrix: &Matrix, at: usize, holds: fn(Attempt) -> bool) -> Cell {
    let mut worst = Cell { status: None, verdict: Verdict::NotApplicable };
    for tried in matrix.cells.iter().filter(|cell| cell.endpoint == at && holds(cell.attempt)) {
        let status = tried.outcome.as_ref().ok().map(|answer| answer.status);
        let verdict = if tried.attempt == Attempt::Right {
            match status {
                Some(status) if let_in(status) => Verdict::Pass,
                _ => Verdict::NotProven,
            }
        } else {
            match refusal::Row::of(tried, endpoint, matrix).shown() {
                Shown::Refused => Verdict::Pass,
                Shown::LetIn(_) => Verdict::Fail,
                Shown::Unclear(_) => Verdict::NotProven,
            }
        };
        if worst.verdict == Verdict::NotApplicable || Verdict::all([worst.verdict, verdict]) != worst.verdict
        {
            worst = Cell { status, verdict };
        }
    }
    worst
}
