//! How the tests ask the auditor.
#![expect(clippy::panic, reason = "a test fails by panicking")]

use audit::report::Claim;
use audit::{Config, MeasureId, Only, Report};

/// Runs one measure. Whatever it claims in whatever world must stand in its list, which gives it its sentence.
pub async fn measure(config: Config, id: MeasureId) -> Report {
    let report = audit::run(config, Only::Measures(vec![id]), |_| {}).await;
    for claim in report.measures.iter().flat_map(|measure| &measure.claims) {
        assert!(!claim.sentence.is_empty(), "{id}/{} is not in the measure's CLAIMS", claim.id);
    }
    report
}

/// A claim of the only measure of a report.
pub fn claim<'a>(report: &'a Report, id: &str) -> &'a Claim {
    let claims = &report.measures[0].claims;
    claims.iter().find(|claim| claim.id == id).unwrap_or_else(|| panic!("no claim {id} in {claims:#?}"))
}
