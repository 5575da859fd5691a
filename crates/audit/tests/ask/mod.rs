//! How the tests ask the auditor.
#![expect(clippy::panic, reason = "a test fails by panicking")]

use audit::report::Claim;
use audit::{Config, MeasureId, Only, Report};

/// Runs one measure.
pub async fn measure(config: Config, id: MeasureId) -> Report {
    audit::run(config, Only::Measures(vec![id]), |_| {}).await
}

/// A claim of the only measure of a report.
pub fn claim<'a>(report: &'a Report, id: &str) -> &'a Claim {
    let claims = &report.measures[0].claims;
    claims.iter().find(|claim| claim.id == id).unwrap_or_else(|| panic!("no claim {id} in {claims:#?}"))
}
