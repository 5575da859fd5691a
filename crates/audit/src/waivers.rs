//! `[[audit.waiver]]`: what somebody accepts by name, with a reason, until a date at most ninety days away.
//!
//! A waiver takes a claim that fails or is not proven and makes it `waived`: the box stays open. What it never touches is
//! a claim that holds, and whether a report's signature does: `portcullis verify` knows no waiver.

use crate::evidence::Evidence;
use crate::measures::MeasureId;
use crate::report::{Claim, Measure, Waiver as Told, rfc3339};
use crate::verdict::Verdict;

/// The longest that a waiver holds, in days.
pub const LONGEST: i64 = 90;
const DAY: i64 = 86_400;

/// One `[[audit.waiver]]`, sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiver {
    measure: MeasureId,
    /// None: all of the measure's.
    claim: Option<String>,
    reason: String,
    owner: String,
    since: i64,
    expires: i64,
}

/// A waiver that cannot count.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum WaiverError {
    /// `of` names no measure.
    #[error(
        "of = {0:?} is no measure: \"A4\" for all of it, \"A4/CLAIM\" for one claim, as the report names it"
    )]
    Unknown(String),
    /// A text is empty.
    #[error("{0} is empty: a waiver says who accepts it, and why")]
    Empty(&'static str),
    /// It ends before it begins.
    #[error("it expires on {expires}, which is not after {since}")]
    Backwards {
        /// Its first day.
        since: String,
        /// Its end.
        expires: String,
    },
    /// Over ninety days.
    #[error("it would hold for {0} days; a waiver holds for {LONGEST} at most, and is then decided anew")]
    TooLong(i64),
}

impl Waiver {
    /// A waiver from its table; `since` and `expires` in Unix seconds.
    ///
    /// # Errors
    /// It names no measure, lacks an owner or a reason, or holds for too long.
    pub fn new(of: &str, reason: &str, owner: &str, since: i64, expires: i64) -> Result<Self, WaiverError> {
        let (measure, claim) = match of.split_once('/') {
            Some((measure, claim)) => (measure, Some(claim)),
            None => (of, None),
        };
        let known = MeasureId::parse(measure).filter(|_| claim != Some(""));
        let measure = known.ok_or_else(|| WaiverError::Unknown(of.to_owned()))?;
        for (name, text) in [("reason", reason), ("owner", owner)] {
            if text.trim().is_empty() {
                return Err(WaiverError::Empty(name));
            }
        }
        if expires <= since {
            return Err(WaiverError::Backwards { since: rfc3339(since), expires: rfc3339(expires) });
        }
        if expires - since > LONGEST * DAY {
            return Err(WaiverError::TooLong((expires - since + DAY - 1) / DAY));
        }
        let claim = claim.map(ToOwned::to_owned);
        Ok(Self { measure, claim, reason: reason.trim().into(), owner: owner.trim().into(), since, expires })
    }

    fn of(&self) -> String {
        match &self.claim {
            Some(claim) => format!("{}/{claim}", self.measure),
            None => self.measure.to_string(),
        }
    }

    fn applies(&self, now: i64) -> bool {
        self.since <= now && now < self.expires
    }

    fn is_of(&self, measure: MeasureId, claim: &Claim) -> bool {
        self.measure == measure && self.claim.as_ref().is_none_or(|id| *id == claim.id)
    }

    fn told(&self, now: i64) -> Told {
        Told {
            of: self.of(),
            reason: self.reason.clone(),
            owner: self.owner.clone(),
            expires: rfc3339(self.expires),
            since: rfc3339(self.since),
            applies: self.applies(now),
        }
    }

    /// What a reader should know of a waiver that changed nothing.
    fn note(&self, now: i64, measures: &[Measure]) -> Option<String> {
        let of = self.of();
        if now >= self.expires {
            return Some(format!(
                "the waiver of {of} expired on {}: what was found counts again",
                rfc3339(self.expires)
            ));
        }
        if now < self.since {
            return Some(format!(
                "the waiver of {of} begins on {}: it does not count yet",
                rfc3339(self.since)
            ));
        }
        // A measure that this run did not look at says nothing about its waiver.
        let measure = measures.iter().find(|measure| measure.id == self.measure)?;
        let mut meant = measure.claims.iter().filter(|claim| self.is_of(measure.id, claim)).peekable();
        if meant.peek().is_none() {
            return Some(format!(
                "the waiver of {of} matches nothing: no such claim was made; correct or remove it"
            ));
        }
        let needed = meant.any(|claim| claim.verdict == Verdict::Waived);
        (!needed).then(|| {
            format!("the waiver of {of} is not needed: nothing of it fails or is not proven; remove it")
        })
    }
}

/// Takes what is waived from among a measure's claims. What was found stays in the evidence.
pub(crate) fn apply(waivers: &[Waiver], now: i64, measure: MeasureId, claims: &mut [Claim]) {
    for claim in claims {
        if !matches!(claim.verdict, Verdict::Fail | Verdict::NotProven) {
            continue;
        }
        let Some(waiver) = waivers.iter().find(|waiver| waiver.applies(now) && waiver.is_of(measure, claim))
        else {
            continue;
        };
        let found = if claim.verdict == Verdict::Fail { "it fails" } else { "it is not proven" };
        let accepted = Evidence::configuration(format!(
            "{found}, and {} accepts that until {}: {}",
            waiver.owner,
            rfc3339(waiver.expires),
            waiver.reason
        ));
        claim.evidence.insert(0, accepted);
        claim.verdict = Verdict::Waived;
    }
}

/// The waivers as the report lists them, and what is to be said of them.
pub(crate) fn told(waivers: &[Waiver], now: i64, measures: &[Measure]) -> (Vec<Told>, Vec<String>) {
    let list = waivers.iter().map(|waiver| waiver.told(now)).collect();
    (list, waivers.iter().filter_map(|waiver| waiver.note(now, measures)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiver(of: &str) -> Waiver {
        Waiver::new(of, "the move is in May", "Ada", 1000, 1000 + 30 * DAY).unwrap()
    }

    fn claims() -> Vec<Claim> {
        vec![
            Claim::pass("holds", Vec::new()),
            Claim::fail("fails", vec![Evidence::database("seen")], "mend it"),
            Claim::not_proven("open", Vec::new(), "look"),
        ]
    }

    fn waived(waivers: &[Waiver], now: i64) -> (Measure, Vec<Told>, Vec<String>) {
        let mut claims = claims();
        apply(waivers, now, MeasureId::A4, &mut claims);
        let mut measure =
            Measure { id: MeasureId::A4, line: String::new(), verdict: Verdict::Pass, claims, value: None };
        measure.verdict = measure.proven();
        let (told, notes) = told(waivers, now, std::slice::from_ref(&measure));
        (measure, told, notes)
    }

    #[test]
    fn a_measure_or_one_claim_is_waived_and_what_was_found_stays() {
        let (measure, told, notes) = waived(&[waiver("A4")], 1000);
        assert_eq!(measure.verdict, Verdict::Waived);
        assert_eq!(measure.claims[0].verdict, Verdict::Pass);
        let what = &measure.claims[1].evidence[0].what;
        assert!(
            what.starts_with("it fails, and Ada accepts that until 1970-01-31T00:16:40Z: the move"),
            "{what}"
        );
        assert_eq!(measure.claims[1].evidence[1].what, "seen");
        assert!(told[0].applies && notes.is_empty());

        let (measure, ..) = waived(&[waiver("a4/fails")], 1000);
        assert_eq!(measure.verdict, Verdict::NotProven, "the other claim is still open");
        assert_eq!(measure.claims[1].verdict, Verdict::Waived);
    }

    #[test]
    fn what_no_longer_counts_or_matches_nothing_is_said() {
        for (of, now, verdict, part) in [
            ("A4", 1000 + 30 * DAY, Verdict::Fail, "expired on 1970-01-31"),
            ("A4", 999, Verdict::Fail, "begins on"),
            ("A4/gone", 1000, Verdict::Fail, "matches nothing"),
            ("A4/holds", 1000, Verdict::Fail, "is not needed"),
        ] {
            let (measure, told, notes) = waived(&[waiver(of)], now);
            assert_eq!(measure.verdict, verdict);
            assert_eq!(told[0].applies, (1000..1000 + 30 * DAY).contains(&now));
            assert!(notes.len() == 1 && notes[0].contains(part), "{notes:?}");
        }
        assert!(waived(&[waiver("N2")], 1000).2.is_empty(), "N2 was not in this run");
    }

    #[test]
    fn nobody_waives_for_ever_or_for_nobody() {
        let new = |of, reason, owner, days| Waiver::new(of, reason, owner, 0, days * DAY);
        assert!(new("A4", "r", "o", 90).is_ok());
        for (made, part) in [
            (new("A4", "r", "o", 91), "91 days"),
            (new("A4", "r", "o", 0), "not after"),
            (new("A4", " ", "o", 1), "reason is empty"),
            (new("A4", "r", "", 1), "owner is empty"),
            (new("A44", "r", "o", 1), "is no measure"),
            (new("A4/", "r", "o", 1), "is no measure"),
            (new("", "r", "o", 1), "is no measure"),
        ] {
            let error = made.unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
