//! What this version does not measure: said aloud, never ticked.

use crate::config::{Config, Mode};
use crate::evidence::Evidence;
use crate::measures::MeasureId;
use crate::report::Claim;
use crate::verdict::Verdict;

/// The claim's id. It says nothing that its evidence does not, so a summary leaves it out.
pub(crate) const CLAIM: &str = "measured";

pub(crate) fn claims(id: MeasureId, config: &Config) -> Vec<Claim> {
    if id == MeasureId::A8 && config.mode == Mode::Delegated && !config.foreign_issuers.is_empty() {
        let evidence = Evidence::configuration(format!(
            "users live at {} (identity.mode = delegated); that issuer is not measured here",
            config.foreign_issuers.join(", ")
        ));
        return vec![Claim::pass("users_are_a_foreign_issuers", vec![evidence]).but(Verdict::Delegated)];
    }
    let evidence = Evidence::configuration("not measured by this version");
    vec![Claim::not_proven(CLAIM, vec![evidence], "none yet: a later version measures it")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_ticked_that_is_not_measured() {
        let mut config = Config::new("http://t", "http://i/", "a", std::sync::Arc::new(|| 0));
        for id in [MeasureId::G1, MeasureId::G2, MeasureId::A8] {
            assert_eq!(claims(id, &config)[0].verdict, Verdict::NotProven, "{id}");
        }
        config.mode = Mode::Delegated;
        config.foreign_issuers = vec!["https://tenant.eu.auth0.com/".into()];
        assert_eq!(claims(MeasureId::A8, &config)[0].verdict, Verdict::Delegated);
        assert_eq!(claims(MeasureId::G1, &config)[0].verdict, Verdict::NotProven);
    }
}
