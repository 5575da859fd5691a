//! What this version does not measure: said aloud, never ticked.

use crate::evidence::Evidence;
use crate::measures::claimed::{Claimed, claimed};
use crate::report::Claim;

/// The claim's id. It says nothing that its evidence does not, so a summary leaves it out.
pub(crate) const CLAIM: &str = "measured";

/// What it can claim.
pub(crate) const CLAIMS: &[Claimed] = &[
    claimed("measured", "this version measures it", &[], &[]),
    claimed("users_are_a_foreign_issuers", "users live at a foreign issuer", &[], &[]),
];

pub(crate) fn claims() -> Vec<Claim> {
    let evidence = Evidence::configuration("not measured by this version");
    vec![Claim::not_proven(CLAIM, vec![evidence], "none yet: a later version measures it")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;

    #[test]
    fn nothing_is_ticked_that_is_not_measured() {
        assert_eq!(claims()[0].verdict, Verdict::NotProven);
    }
}
