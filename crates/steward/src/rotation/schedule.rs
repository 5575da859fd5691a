//! When a password is due. Pure: ages are measured by the database's clock, and every node comes to the same moment.

use super::{Age, Urgency};

/// A password that nobody replaced within its age plus this much of it ends by itself, where the dead man's switch asks
/// for it: a quarter of the age, at least an hour (what the ledger takes), at most a week.
const DEAD_MAN: (i64, i64, i64) = (4, 3_600, 7 * 86_400);
/// The longest validity that the ledger takes.
const LONGEST: i64 = 400 * 86_400;

/// When the password that was set at `set_at` is to be replaced: between 70 and 80 % of the allowed age, so that a
/// warning at 80 % says that a change which was due has not happened. The place in between is drawn from name and
/// generation: databases do not all change at once, and all nodes agree. None: the age is not known, so it is due now.
#[must_use]
pub fn due_at(set_at: Option<i64>, maximum_age: i64, name: &str, generation: i64) -> Option<i64> {
    let tenth = (maximum_age / 10).max(1);
    let jitter = i64::from(spread(name, generation)) * tenth / i64::from(u32::MAX);
    set_at.map(|set_at| set_at.saturating_add(maximum_age.saturating_mul(7) / 10).saturating_add(jitter))
}

/// How old the password is at `now`.
#[must_use]
pub fn age(set_at: Option<i64>, maximum_age: i64, name: &str, generation: i64, now: i64) -> Age {
    let seconds = set_at.map(|set_at| now.saturating_sub(set_at).max(0));
    let urgency = match seconds {
        Some(seconds) if seconds >= maximum_age => Urgency::Alarm,
        Some(seconds) if seconds.saturating_mul(5) >= maximum_age.saturating_mul(4) => Urgency::Warning,
        Some(_) => Urgency::Fine,
        // What nobody knows is not fine.
        None => Urgency::Alarm,
    };
    Age { set_at, seconds, due_at: due_at(set_at, maximum_age, name, generation), urgency }
}

/// Whether it is to be replaced now.
#[must_use]
pub fn is_due(age: &Age, now: i64) -> bool {
    age.due_at.is_none_or(|due| due <= now)
}

/// How long a new password is valid in the database itself, seconds; none without the dead man's switch.
#[must_use]
pub fn validity(maximum_age: i64, dead_man_switch: bool) -> Option<i64> {
    let (part, least, most) = DEAD_MAN;
    let grace = (maximum_age / part).clamp(least, most);
    dead_man_switch.then(|| maximum_age.saturating_add(grace).clamp(least, LONGEST))
}

/// FNV-1a: spreads names evenly, and is no secret.
fn spread(name: &str, generation: i64) -> u32 {
    name.bytes()
        .chain(generation.to_le_bytes())
        .fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: i64 = 86_400;
    const SET: i64 = 1_800_000_000;

    #[test]
    fn warning_at_80_percent_and_alarm_at_the_end_to_the_second() {
        let urgency = |seconds: i64| age(Some(SET), 90 * DAY, "backend", 3, SET + seconds).urgency;
        assert_eq!(urgency(0), Urgency::Fine);
        assert_eq!(urgency(72 * DAY - 1), Urgency::Fine);
        assert_eq!(urgency(72 * DAY), Urgency::Warning);
        assert_eq!(urgency(90 * DAY - 1), Urgency::Warning);
        assert_eq!(urgency(90 * DAY), Urgency::Alarm);
    }

    #[test]
    fn an_unknown_age_is_due_now_and_an_alarm() {
        let age = age(None, 90 * DAY, "backend", 0, SET);
        assert!(is_due(&age, SET));
        assert_eq!((age.urgency, age.seconds, age.due_at), (Urgency::Alarm, None, None));
    }

    #[test]
    fn it_is_due_on_the_second() {
        let due = due_at(Some(SET), 60, "backend", 1).unwrap();
        let at = |now| is_due(&age(Some(SET), 60, "backend", 1, now), now);
        assert!(!at(due - 1));
        assert!(at(due));
    }

    #[test]
    fn databases_and_generations_do_not_change_at_once() {
        let names = (0..50).map(|number| due_at(Some(SET), 90 * DAY, &format!("db{number}"), 1));
        let generations = (0..50).map(|number| due_at(Some(SET), 90 * DAY, "db", number));
        let moments: std::collections::BTreeSet<_> = names.chain(generations).collect();
        assert!(moments.len() > 90, "{}", moments.len());
        let (first, last) = (moments.first().unwrap().unwrap(), moments.last().unwrap().unwrap());
        assert!(last - first > 6 * DAY, "spread over {} s", last - first);
    }

    #[test]
    fn without_the_switch_a_password_does_not_end() {
        assert_eq!(validity(90 * DAY, false), None);
        assert_eq!(validity(90 * DAY, true), Some(97 * DAY));
        assert_eq!(validity(60, true), Some(3_660));
        assert_eq!(validity(1_000 * DAY, true), Some(400 * DAY));
    }

    proptest! {
        #[test]
        fn due_before_the_warning_and_never_before_it_was_set(age_limit in 10_i64..400 * DAY, name in "[a-z]{1,12}", generation in 0_i64..1_000) {
            let due = due_at(Some(SET), age_limit, &name, generation).unwrap();
            prop_assert!(due > SET);
            prop_assert!(due - SET <= age_limit * 4 / 5 + 1);
            prop_assert!(due - SET >= age_limit * 7 / 10);
            let valid = validity(age_limit, true).unwrap();
            prop_assert!(valid >= age_limit.min(LONGEST) && (3_600..=LONGEST).contains(&valid));
        }
    }
}
