//! The verdicts of the contract, and how several make one.

use serde::{Deserialize, Serialize};

/// What was found out about a claim or a measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Shown in this run, with its controls.
    Pass,
    /// Disproved by an observation.
    Fail,
    /// Could not be shown: no way to look, no control, an ambiguous answer.
    NotProven,
    /// Not so, for reasons that somebody wrote down.
    Waived,
    /// Another line took its place.
    Superseded,
    /// Somebody else's duty, by configuration.
    Delegated,
    /// There is nothing here that it could be true of.
    NotApplicable,
}

impl Verdict {
    /// A measure is the AND of its claims: any fail fails it, else any gap leaves it not proven; a waiver or a
    /// delegation shows through; what does not apply takes no part. No claim at all proves nothing.
    #[must_use]
    pub fn all(claims: impl IntoIterator<Item = Verdict>) -> Verdict {
        claims.into_iter().max_by_key(|verdict| verdict.weight()).unwrap_or(Verdict::NotProven)
    }

    /// Which verdict shows when several are joined; a larger weight hides a smaller one.
    fn weight(self) -> u8 {
        match self {
            Self::NotApplicable => 0,
            Self::Superseded => 1,
            Self::Pass => 2,
            Self::Delegated => 3,
            Self::Waived => 4,
            Self::NotProven => 5,
            Self::Fail => 6,
        }
    }

    /// The word of the contract's JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::NotProven => "not_proven",
            Self::Waived => "waived",
            Self::Superseded => "superseded",
            Self::Delegated => "delegated",
            Self::NotApplicable => "not_applicable",
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict::{self, *};

    #[test]
    fn a_measure_is_the_and_of_its_claims() {
        for (claims, whole) in [
            (vec![Pass, Pass], Pass),
            (vec![Pass, NotProven, Fail], Fail),
            (vec![Pass, NotProven, Waived], NotProven),
            (vec![Pass, Waived], Waived),
            (vec![Pass, NotApplicable], Pass),
            (vec![NotApplicable], NotApplicable),
            (vec![Delegated, Pass], Delegated),
            (vec![], NotProven),
        ] {
            assert_eq!(Verdict::all(claims.clone()), whole, "{claims:?}");
        }
    }

    #[test]
    fn json_has_the_contracts_words() {
        for verdict in [Pass, Fail, NotProven, Waived, Superseded, Delegated, NotApplicable] {
            assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.as_str());
        }
    }
}
