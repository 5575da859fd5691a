//! Which requirements of OWASP ASVS 5.0 a run answers, and which it does not. The auditor carries their numbers and
//! levels; their texts are OWASP's.

use serde::{Deserialize, Serialize};

use crate::report::Measure;
use crate::verdict::Verdict;

/// The edition whose numbers the claims name.
pub const EDITION: &str = "5.0.0";
/// Every requirement's number and level.
const REQUIREMENTS: &str = include_str!("asvs.tsv");

/// The requirements, by what was said of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asvs {
    /// `5.0.0`.
    pub edition: String,
    /// Those that claims of this run speak of.
    pub answered: Vec<Answered>,
    /// Those of which the auditor says nothing, by number.
    pub unanswered: Vec<String>,
}

/// One requirement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// `V6.2.1`.
    pub requirement: String,
    /// The AND of its claims.
    pub verdict: Verdict,
    /// `A1/every_row_is_hashed`.
    pub claims: Vec<String>,
}

/// Number and level of each requirement, in ASVS's order.
pub(crate) fn requirements() -> impl Iterator<Item = (&'static str, &'static str)> {
    REQUIREMENTS.lines().filter_map(|line| line.split_once('\t'))
}

/// `L1`, `L2` or `L3`; none for a number that is no requirement's.
#[cfg(test)]
pub(crate) fn level(requirement: &str) -> Option<&'static str> {
    requirements().find(|(number, _)| *number == requirement).map(|(_, level)| level)
}

impl Asvs {
    /// What these measures say of each requirement. One that was only looked at in vain (`not_proven`) is answered too:
    /// its verdict says so.
    pub(crate) fn of(measures: &[Measure]) -> Self {
        let (mut answered, mut unanswered) = (Vec::new(), Vec::new());
        for (requirement, _) in requirements() {
            let speaking: Vec<_> = measures
                .iter()
                .flat_map(|measure| measure.claims.iter().map(move |claim| (measure.id, claim)))
                .filter(|(_, claim)| claim.asvs.iter().any(|other| other == requirement))
                .collect();
            if speaking.is_empty() {
                unanswered.push(requirement.to_owned());
                continue;
            }
            answered.push(Answered {
                requirement: requirement.to_owned(),
                verdict: Verdict::all(speaking.iter().map(|(_, claim)| claim.verdict)),
                claims: speaking.iter().map(|(id, claim)| format!("{id}/{}", claim.id)).collect(),
            });
        }
        Self { edition: EDITION.to_owned(), answered, unanswered }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measures::MeasureId;
    use crate::report::Claim;

    #[test]
    fn a_requirement_has_the_and_of_its_claims() {
        let claim = |verdict, asvs: &[&str]| {
            let mut claim = Claim::pass("a_claim", Vec::new()).but(verdict);
            claim.asvs = asvs.iter().map(|&one| one.to_owned()).collect();
            claim
        };
        let measure = Measure {
            id: MeasureId::A5,
            line: String::new(),
            verdict: Verdict::Fail,
            claims: vec![claim(Verdict::Pass, &["V8.2.1", "V9.1.1"]), claim(Verdict::Fail, &["V8.2.1"])],
            value: None,
        };
        let asvs = Asvs::of(&[measure]);
        let said: Vec<_> = asvs.answered.iter().map(|one| (one.requirement.as_str(), one.verdict)).collect();
        assert_eq!(said, [("V8.2.1", Verdict::Fail), ("V9.1.1", Verdict::Pass)]);
        assert_eq!(asvs.answered[0].claims, ["A5/a_claim", "A5/a_claim"]);
        assert_eq!(asvs.unanswered.len(), 343);
        assert_eq!((level("V1.1.1"), level("V99.1.1")), (Some("L2"), None));
    }
}
