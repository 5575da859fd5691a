//! Every state with everything that can be seen, row by row; the model world stands in `tests/rotation/model.rs`.

use super::Login::{Refused, Unknown, Works};
use super::State::{Adopted, Prepared, Promoted, Set, Stable, Tested};
use super::*;

const NOW: i64 = 1_800_000_000;
const PATIENCE: Patience = Patience { grace: 600, quiet: 5 };

/// A rotation that goes well, as it looks in this state.
fn well(state: State) -> (Written, Observed) {
    let promoted = matches!(state, Promoted | Adopted);
    (
        Written {
            state,
            delivered_at: promoted.then_some(NOW - 60),
            quiet_since: promoted.then_some(NOW - 10),
            seen: promoted,
            previous_is_administrator: false,
        },
        Observed {
            wanted: true,
            operator: Works,
            current: Works,
            pending: if matches!(state, Set | Tested) { Works } else { Unknown },
            ledger: match state {
                Stable => Ledger::Unknown,
                Prepared => Ledger::Before,
                _ => Ledger::Ours,
            },
            newer_sessions: Some(i64::from(promoted)),
            previous_sessions: Some(0),
            nodes_behind: Some(0),
        },
    )
}

fn step(state: State, change: impl Fn(&mut Written, &mut Observed)) -> Step {
    let (mut written, mut observed) = well(state);
    change(&mut written, &mut observed);
    next_step(&written, &observed, &PATIENCE, NOW)
}

#[test]
fn a_rotation_that_goes_well_takes_each_step_once() {
    for (state, expected) in [
        (Stable, Step::Prepare),
        (Prepared, Step::Set),
        (Set, Step::Test),
        (Tested, Step::Promote),
        (Promoted, Step::RecordAdopted),
        (Adopted, Step::Retire),
    ] {
        assert_eq!(step(state, |_, _| {}), expected, "{state:?}");
    }
    assert_eq!(step(Stable, |_, seen| seen.wanted = false), Step::Rest);
    assert_eq!(step(Promoted, |written, _| written.delivered_at = None), Step::Deliver);
    assert_eq!(
        step(Adopted, |written, _| written.previous_is_administrator = true),
        Step::RetireByAdministrator
    );
}

#[test]
fn a_crash_before_the_journal_knew_goes_forward() {
    assert_eq!(step(Prepared, |_, seen| seen.ledger = Ledger::Ours), Step::RecordSet);
    // Restored from before, or changed behind our back: nobody has it, so the same verifier is set again.
    for state in [Set, Tested] {
        assert_eq!(
            step(state, |_, seen| {
                seen.ledger = Ledger::Before;
                seen.pending = Refused;
            }),
            Step::Set
        );
        assert_eq!(step(state, |_, seen| seen.pending = Refused), Step::Set);
    }
    for state in [Promoted, Adopted] {
        let back = |_: &mut Written, seen: &mut Observed| {
            (seen.current, seen.ledger, seen.newer_sessions) = (Refused, Ledger::Before, Some(0));
        };
        assert_eq!(step(state, back), Step::Set, "the database went back to before the change");
    }
}

#[test]
fn a_slot_in_use_is_left_alone() {
    for state in [Prepared, Set, Tested] {
        let used = |_: &mut Written, seen: &mut Observed| {
            (seen.pending, seen.newer_sessions) = (Refused, Some(2));
        };
        assert_eq!(step(state, used), Step::Halt(Halt::SlotInUse(2)), "{state:?}");
        let uncounted = |_: &mut Written, seen: &mut Observed| {
            (seen.pending, seen.newer_sessions) = (Refused, None);
        };
        assert_eq!(step(state, uncounted), Step::Halt(Halt::CouldNotTell), "{state:?}");
    }
}

#[test]
fn another_rotation_in_the_ledger_ends_ours_before_promotion_and_stops_it_after() {
    for state in [Prepared, Set, Tested] {
        assert_eq!(step(state, |_, seen| seen.ledger = Ledger::Moved), Step::Discard, "{state:?}");
    }
    for state in [Promoted, Adopted] {
        let moved = step(state, |_, seen| seen.ledger = Ledger::Moved);
        assert_eq!(moved, Step::Halt(Halt::LedgerMoved), "{state:?}");
        let changed = step(state, |_, seen| seen.current = Refused);
        assert_eq!(changed, Step::Halt(Halt::Diverged), "{state:?}: the old one is all that may still work");
    }
}

#[test]
fn a_journal_from_before_the_last_change_begins_nothing() {
    let older = |_: &mut Written, seen: &mut Observed| (seen.current, seen.ledger) = (Refused, Ledger::Moved);
    assert_eq!(step(Stable, older), Step::Halt(Halt::LedgerMoved));
    // A change that a lost journal began, and a password changed by hand, are both mended by the next change.
    assert_eq!(step(Stable, |_, seen| seen.ledger = Ledger::Moved), Step::Prepare);
    assert_eq!(step(Stable, |_, seen| seen.current = Refused), Step::Prepare);
}

#[test]
fn nobody_who_logs_in_means_locked_out_and_an_outage_means_later() {
    for state in [Stable, Prepared] {
        assert_eq!(step(state, |_, seen| seen.operator = Refused), Step::Halt(Halt::LockedOut), "{state:?}");
        assert_eq!(
            step(state, |_, seen| seen.operator = Unknown),
            Step::Halt(Halt::CouldNotTell),
            "{state:?}"
        );
    }
    for state in [Set, Tested] {
        assert_eq!(step(state, |_, seen| seen.pending = Unknown), Step::Halt(Halt::CouldNotTell));
    }
    for state in [Promoted, Adopted] {
        assert_eq!(step(state, |_, seen| seen.current = Unknown), Step::Halt(Halt::CouldNotTell));
        assert_eq!(step(state, |_, seen| seen.previous_sessions = None), Step::Halt(Halt::CouldNotTell));
        assert_eq!(step(state, |_, seen| seen.nodes_behind = None), Step::Halt(Halt::CouldNotTell));
    }
}

#[test]
fn adoption_is_waited_for_to_the_second() {
    let wait = |what, alarm| Step::Wait { what, alarm };
    let sessions = |since, delivered: i64| {
        step(Promoted, move |written, seen| {
            (written.quiet_since, written.delivered_at) = (since, Some(NOW - delivered));
            seen.previous_sessions = Some(3);
        })
    };
    assert_eq!(sessions(None, 1_200), wait(Waiting::Sessions(3), false));
    assert_eq!(sessions(None, 1_201), wait(Waiting::Sessions(3), true), "twice the grace is an alarm");
    assert_eq!(sessions(Some(NOW - 10), 1), Step::NoteNoise);
    assert_eq!(step(Promoted, |_, seen| seen.nodes_behind = Some(1)), wait(Waiting::Nodes(1), false));
    assert_eq!(step(Promoted, |written, _| written.quiet_since = None), Step::NoteQuiet);
    assert_eq!(step(Promoted, |written, _| written.quiet_since = Some(NOW - 4)), wait(Waiting::Quiet, false));
    assert_eq!(step(Promoted, |written, _| written.quiet_since = Some(NOW - 5)), Step::RecordAdopted);
    assert_eq!(
        step(Promoted, |written, _| written.quiet_since = Some(NOW + 60)),
        Step::NoteQuiet,
        "a clock set back"
    );
    assert_eq!(step(Promoted, |written, _| written.seen = false), Step::NoteSeen);
    let silent = |delivered: i64| {
        step(Promoted, move |written, seen| {
            (written.seen, written.delivered_at) = (false, Some(NOW - delivered));
            seen.newer_sessions = Some(0);
        })
    };
    assert_eq!(silent(599), wait(Waiting::FirstSession, false));
    assert_eq!(silent(600), Step::RecordAdopted);
}

#[test]
fn after_a_long_downtime_adoption_must_still_be_true() {
    assert_eq!(step(Adopted, |_, seen| seen.previous_sessions = Some(1)), Step::Unadopt);
    assert_eq!(step(Adopted, |_, seen| seen.nodes_behind = Some(1)), Step::Unadopt);
    assert_eq!(step(Adopted, |_, seen| seen.current = Refused), Step::Halt(Halt::Diverged));
}

/// The whole product of what can be written and seen, over a million rows: whatever the step, its precondition was seen.
#[test]
fn no_step_without_its_precondition() {
    const LOGINS: [Login; 3] = [Works, Refused, Unknown];
    const COUNTS: [Option<i64>; 3] = [None, Some(0), Some(2)];
    let mut rows = 0_u32;
    let mut each = |written: &Written, seen: &Observed| {
        rows += 1;
        let step = next_step(written, seen, &PATIENCE, NOW);
        let before = matches!(written.state, Prepared | Set | Tested);
        let after = matches!(written.state, Promoted | Adopted);
        let sound = match step {
            Step::Rest => written.state == Stable && !seen.wanted,
            Step::Prepare => {
                written.state == Stable
                    && seen.wanted
                    && seen.operator == Works
                    && (seen.current, seen.ledger) != (Refused, Ledger::Moved)
            }
            // I2: a password is set where certainly nobody uses it, and never in place of one that works.
            Step::Set => {
                (before || after)
                    && seen.operator == Works
                    && seen.newer_sessions == Some(0)
                    && (before || seen.current == Refused && seen.ledger == Ledger::Before)
                    && (written.state == Prepared
                        || after
                        || seen.ledger == Ledger::Before
                        || seen.pending == Refused)
            }
            Step::RecordSet => written.state == Prepared && seen.ledger == Ledger::Ours,
            // I1: what is dropped has been promised to nobody.
            Step::Discard => before && seen.ledger == Ledger::Moved,
            Step::Test => written.state == Set && seen.pending == Works,
            Step::Promote => written.state == Tested && seen.pending == Works && seen.ledger == Ledger::Ours,
            Step::Deliver => {
                written.state == Promoted && seen.current == Works && written.delivered_at.is_none()
            }
            Step::NoteSeen | Step::NoteQuiet | Step::NoteNoise | Step::Wait { .. } => {
                written.state == Promoted && seen.current == Works
            }
            // I5: adopted means delivered, seen or waited for, and quiet.
            Step::RecordAdopted => {
                let delivered =
                    written.delivered_at.is_some_and(|at| written.seen || NOW - at >= PATIENCE.grace);
                let quiet = written.quiet_since.is_some_and(|since| NOW - since >= PATIENCE.quiet);
                written.state == Promoted
                    && delivered
                    && quiet
                    && seen.previous_sessions == Some(0)
                    && seen.nodes_behind == Some(0)
                    && seen.current == Works
            }
            Step::Unadopt => written.state == Adopted && seen.current == Works,
            Step::Retire | Step::RetireByAdministrator => {
                written.state == Adopted
                    && seen.current == Works
                    && seen.ledger == Ledger::Ours
                    && seen.previous_sessions == Some(0)
                    && seen.nodes_behind == Some(0)
                    && written.previous_is_administrator == (step == Step::RetireByAdministrator)
            }
            Step::Halt(Halt::LockedOut) => seen.operator == Refused,
            Step::Halt(Halt::SlotInUse(sessions)) => before && sessions > 0,
            Step::Halt(Halt::Diverged) => after && seen.current == Refused,
            Step::Halt(Halt::LedgerMoved) => {
                after && seen.current == Works
                    || written.state == Stable && seen.current == Refused && seen.ledger == Ledger::Moved
            }
            Step::Halt(Halt::CouldNotTell) => {
                [seen.operator, seen.current, seen.pending].contains(&Unknown)
                    || seen.ledger == Ledger::Unknown
                    || seen.newer_sessions.is_none()
                    || seen.previous_sessions.is_none()
                    || seen.nodes_behind.is_none()
            }
        };
        assert!(sound, "{written:?} {seen:?} gives {step:?}");
    };
    for state in [Stable, Prepared, Set, Tested, Promoted, Adopted] {
        for (delivered_at, quiet_since) in [None, Some(NOW - 1), Some(NOW - 601), Some(NOW + 60)]
            .into_iter()
            .flat_map(|one| [None, Some(NOW - 4), Some(NOW - 5), Some(NOW + 60)].map(|two| (one, two)))
        {
            for (seen, previous_is_administrator, wanted) in (0..8).map(|n| (n & 1 > 0, n & 2 > 0, n & 4 > 0))
            {
                let written = Written { state, delivered_at, quiet_since, seen, previous_is_administrator };
                for (operator, current) in LOGINS.into_iter().flat_map(|one| LOGINS.map(|two| (one, two))) {
                    for (pending, ledger) in LOGINS.into_iter().flat_map(|one| {
                        [Ledger::Before, Ledger::Ours, Ledger::Moved, Ledger::Unknown].map(|two| (one, two))
                    }) {
                        for (newer_sessions, previous_sessions) in
                            COUNTS.into_iter().flat_map(|one| COUNTS.map(|two| (one, two)))
                        {
                            for nodes_behind in [None, Some(0), Some(1)] {
                                each(
                                    &written,
                                    &Observed {
                                        wanted,
                                        operator,
                                        current,
                                        pending,
                                        ledger,
                                        newer_sessions,
                                        previous_sessions,
                                        nodes_behind,
                                    },
                                );
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(rows > 1_000_000, "{rows} rows");
}
