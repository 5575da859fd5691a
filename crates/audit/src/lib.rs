//! The auditor: proves each measure of the team's document from outside, by evidence. It stands in the garden and
//! knows no other room, so it cannot share their mistakes: HTTP, SQL catalogues and files are all it sees.
//!
//! ```text
//! Config ─> World (what can be reached) ─> measures/* (observe, judge) ─> Report ─> report/{text,json,markdown}
//! ```
//!
//! A refusal proves nothing alone: each has a control beside it, and without the control it is `not_proven`.
//! No unsafe method is ever sent with a token that would let it through.

mod addresses;
mod commit;
pub mod config;
mod database;
pub mod dependencies;
pub mod document;
pub mod evidence;
mod exercise;
mod git;
pub mod measures;
mod names;
pub mod probe;
pub mod report;
pub mod scan;
mod schema;
pub mod self_test;
pub mod signing;
pub mod since;
pub mod state;
pub mod terminal;
mod validity;
pub mod verdict;
pub mod verify;
pub mod waivers;
mod world;

use std::collections::BTreeSet;

pub use config::{Config, Only, Progress};
pub use document::Document;
pub use measures::MeasureId;
pub use report::{Outcome, Report, exit_code};
pub use schema::ReportError;
pub use validity::VALID_FOR;
pub use verdict::Verdict;

use report::{Asvs, Measure, Run};
use world::World;

/// How often a measure that takes long is heard of.
const TELL_EVERY: std::time::Duration = std::time::Duration::from_millis(500);

/// Runs the selected measures, one after the other, and tells `progress` before each. Never fails: what could not be
/// looked at is `not_proven`. At the end it keeps tokens for the next run and deletes its throw-away user.
pub async fn run(config: Config, selection: Only, progress: impl Fn(Progress)) -> Report {
    let document = config.document.clone();
    let world = World::new(config);
    let selected: Vec<MeasureId> = MeasureId::ALL.into_iter().filter(|id| selection.contains(*id)).collect();
    let mut measures = Vec::new();
    for (done, id) in selected.iter().copied().enumerate() {
        progress(Progress { done, total: selected.len(), what: format!("{id} {}", id.sentence()) });
        let mut claims = told(id, &world, |what| {
            progress(Progress { done, total: selected.len(), what });
        })
        .await;
        claims.iter_mut().for_each(|claim| measures::claimed::fill(id, claim));
        waivers::apply(&world.config.waivers, world.now, id, &mut claims);
        let line = document.as_ref().and_then(|document| document.line_of(id));
        let mut measure = Measure {
            id,
            line: line.map_or_else(|| id.sentence().to_owned(), |line| line.text.clone()),
            verdict: Verdict::NotProven,
            claims,
            value: measures::value(id, &world),
        };
        measure.verdict = match measure.proven() {
            // The line's promise is another line's now; its claims hold all the same.
            Verdict::Pass if line.is_some_and(|line| line.replaced_by.is_some()) => Verdict::Superseded,
            proven => proven,
        };
        measures.push(measure);
    }
    progress(Progress { done: selected.len(), total: selected.len(), what: "done".into() });
    let mut notes = notes(&world.config, world.http.sent() > 0);
    notes.extend(world.keep().await);
    let (accepted, said) = waivers::told(&world.config.waivers, world.now, &measures);
    notes.extend(said);
    let commit = world.config.repository.as_deref().and_then(commit::of);
    notes.extend(commit.as_ref().and_then(|(_, changed)| commit::told(*changed)));
    let drawn = world.sent().map(|matrix| measures::drawn(&world.inventory, matrix));
    world.clean_up().await;
    let vantages: BTreeSet<_> = measures
        .iter()
        .flat_map(|measure| &measure.claims)
        .flat_map(|claim| claim.evidence.iter().map(|evidence| evidence.vantage))
        .collect();
    let asvs = Some(Asvs::of(&measures));
    Report {
        schema: report::SCHEMA,
        run: Run {
            started: report::rfc3339(world.now),
            started_at: world.now,
            environment: world.config.environment.clone(),
            vantages: vantages.into_iter().collect(),
            target: world.config.target.clone(),
            issuer: world.config.issuer.clone(),
            version: world.config.version.clone(),
            id: world.id.clone(),
            valid_until: Some(report::rfc3339(world.now.saturating_add(world.config.valid_for))),
            commit: commit.map(|(commit, _)| commit),
            challenge: world.config.challenge.clone(),
            notes,
            ..Run::default()
        },
        measures,
        regressions: Vec::new(),
        drift: Vec::new(),
        waivers: accepted,
        matrix: drawn,
        asvs,
        signature: None,
    }
}

/// One measure's claims; while it looks, `tell` hears how many requests it has sent.
async fn told(id: MeasureId, world: &World, tell: impl Fn(String)) -> Vec<report::Claim> {
    let before = world.http.sent();
    let mut looking = std::pin::pin!(measures::observe(id, world));
    loop {
        match tokio::time::timeout(TELL_EVERY, &mut looking).await {
            Ok(claims) => return claims,
            Err(_) => {
                let sent = world.http.sent().saturating_sub(before);
                let doing = world.doing().unwrap_or_else(|| format!("{sent} requests"));
                tell(format!("{id} {}: {doing}", id.sentence()));
            }
        }
    }
}

/// What a reader should know about the run as a whole.
fn notes(config: &Config, over_http: bool) -> Vec<String> {
    let loopback = |address: &str| {
        url::Url::parse(address).is_ok_and(|url| match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        })
    };
    let mut notes = Vec::new();
    if over_http && loopback(&config.issuer) && config.issuer.starts_with("http:") {
        notes.push(format!("the issuer {} is on loopback over http: this is a test", config.issuer));
    }
    if over_http && loopback(&config.target) {
        notes.push("the target is on loopback: nothing here was seen from outside".into());
    }
    if over_http {
        notes.push("requests without an Origin pass CORS, and must: CORS is no authentication".into());
    }
    notes.extend(config.document.iter().flat_map(Document::notes));
    notes
}
