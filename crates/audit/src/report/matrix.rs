//! Every endpoint by every kind of credential, as a report keeps it: what a picture is drawn from.

use serde::{Deserialize, Serialize};

use crate::verdict::Verdict;

/// The endpoints by the credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matrix {
    /// The columns, in words: `no token`, `an expired token`, …
    pub attempts: Vec<String>,
    /// One an endpoint.
    pub rows: Vec<Row>,
}

/// One endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// `GET`.
    pub method: String,
    /// As the rule says it: `/orders/{id}`.
    pub path: String,
    /// `user`, `client`, `any`, `public`, `denied`.
    pub caller: String,
    /// One a column, in the order of [`Matrix::attempts`].
    pub cells: Vec<Cell>,
}

/// One attempt on one endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// The answer's status; none: not tried, or no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// `pass`: what should be let in was, what should be refused was; `fail`: the other way; `not_proven`: could not
    /// be told; `not_applicable`: there is nothing to try.
    pub verdict: Verdict,
}
