//! Until when a report counts. Evidence that is older ticks no box, on no page and no badge: all of them ask here.

use crate::report::{Report, seconds_of};

/// `[audit] valid_for` where nobody set it, and how long a report counts that has no end of its own: a week, in seconds.
pub const VALID_FOR: i64 = 7 * 86_400;
/// Clocks of two machines differ by no more than this.
pub(crate) const SKEW: i64 = 300;

impl Report {
    /// Unix seconds from which on it ticks nothing. An end that cannot be read is over.
    #[must_use]
    pub fn valid_until(&self) -> i64 {
        match &self.run.valid_until {
            Some(written) => seconds_of(written).unwrap_or(self.run.started_at),
            None => self.run.started_at.saturating_add(VALID_FOR),
        }
    }

    /// Whether it ticks nothing at `now`: it is too old, or from a time that has not come.
    #[must_use]
    pub fn is_stale(&self, now: i64) -> bool {
        now >= self.valid_until() || self.run.started_at > now.saturating_add(SKEW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::rfc3339;

    #[test]
    fn evidence_ends_with_its_own_date_or_after_a_week() {
        let mut report = Report::default();
        report.run.started_at = 1000;
        for (until, now, stale) in [
            (None, 1000, false),
            (None, 1000 + VALID_FOR - 1, false),
            (None, 1000 + VALID_FOR, true),
            (None, 1000 - SKEW, false),
            (None, 1000 - SKEW - 1, true),
            (Some(rfc3339(1060)), 1059, false),
            (Some(rfc3339(1060)), 1060, true),
            (Some("for ever".into()), 1000, true),
        ] {
            report.run.valid_until = until.clone();
            assert_eq!(report.is_stale(now), stale, "{until:?} at {now}");
        }
    }
}
