//! How single findings make a claim: one bad one fails it, one unclear one leaves it unproven, none at all means that
//! there is nothing here that it could be true of. Pure.

use crate::evidence::Evidence;
use crate::report::Claim;
use crate::verdict::Verdict;

/// How many findings a claim shows; the rest is counted.
const SHOWN: usize = 12;

/// What one look found.
#[derive(Debug)]
pub(crate) enum Found {
    Good(Evidence),
    Bad(Evidence),
    Unclear(Evidence),
}

impl Found {
    /// Good or bad, with the same evidence.
    pub(crate) fn when(good: bool, evidence: Evidence) -> Self {
        if good { Self::Good(evidence) } else { Self::Bad(evidence) }
    }
}

/// The claim of all these. `nothing`: why there is none.
pub(crate) fn claim(id: &str, found: impl IntoIterator<Item = Found>, nothing: &str, remedy: &str) -> Claim {
    let (mut good, mut bad, mut unclear) = (Vec::new(), Vec::new(), Vec::new());
    for one in found {
        match one {
            Found::Good(evidence) => good.push(evidence),
            Found::Bad(evidence) => bad.push(evidence),
            Found::Unclear(evidence) => unclear.push(evidence),
        }
    }
    if !bad.is_empty() {
        return Claim::fail(id, first(bad, SHOWN), remedy);
    }
    if !unclear.is_empty() {
        let evidence = first(unclear, SHOWN).into_iter().chain(first(good, 1)).collect();
        return Claim::not_proven(id, evidence, "give the auditor what it lacks: see [audit]");
    }
    if good.is_empty() {
        return Claim::pass(id, vec![Evidence::configuration(nothing)]).but(Verdict::NotApplicable);
    }
    Claim::pass(id, first(good, 2))
}

/// The first few, and the number of the others.
fn first(mut evidence: Vec<Evidence>, shown: usize) -> Vec<Evidence> {
    let more = evidence.len().saturating_sub(shown);
    evidence.truncate(shown);
    if more > 0
        && let Some(last) = evidence.last_mut()
    {
        last.what.push_str(&format!("; {more} more so"));
    }
    evidence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_fails_one_unclear_leaves_open_and_none_does_not_apply() {
        let good = || Found::Good(Evidence::http("good"));
        let bad = || Found::Bad(Evidence::http("bad"));
        let unclear = || Found::Unclear(Evidence::http("unclear"));
        let verdict = |found: Vec<Found>| claim("x", found, "nothing", "mend it").verdict;
        assert_eq!(verdict(vec![good(), bad(), unclear()]), Verdict::Fail);
        assert_eq!(verdict(vec![good(), unclear()]), Verdict::NotProven);
        assert_eq!(verdict(vec![good()]), Verdict::Pass);
        assert_eq!(verdict(vec![]), Verdict::NotApplicable);
        let many = claim("x", (0..30).map(|_| bad()), "nothing", "mend it");
        assert_eq!(many.evidence.len(), SHOWN);
        assert!(many.evidence.last().is_some_and(|last| last.what == "bad; 18 more so"));
    }
}
