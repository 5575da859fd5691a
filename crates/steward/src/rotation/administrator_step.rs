//! The one decision of the administrator's change: what is written down and which logins work in, the next step out. Pure
//! and complete.

use super::State;
use super::next_step::Login;

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Rest,
    Prepare,
    Set,
    RecordSet,
    Promote,
    Deliver,
    Finish,
    /// Both passwords log in: the server asks for none.
    NotRequired,
    LockedOut,
    CouldNotTell,
}

/// What was seen: the credential in use, and the other one: the next before promotion, the old one after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) current: Login,
    pub(crate) other: Login,
}

/// The decision, pure and complete.
pub(crate) fn next_step(state: State, wanted: bool, delivered: bool, seen: Seen) -> Step {
    use Login::{Refused, Unknown, Works};
    match (state, seen.current, seen.other) {
        (State::Stable, _, _) if !wanted => Step::Rest,
        (State::Stable, Works, _) => Step::Prepare,
        (State::Stable, Refused, _) => Step::LockedOut,
        (_, Unknown, _) | (_, _, Unknown) => Step::CouldNotTell,
        // One password of a role replaces the other: that both log in says that none is asked for.
        (_, Works, Works) => Step::NotRequired,
        (_, Refused, Refused) => Step::LockedOut,
        (State::Prepared, Refused, Works) => Step::RecordSet,
        (State::Set | State::Tested, Refused, Works) => Step::Promote,
        (State::Prepared | State::Set | State::Tested, Works, Refused) => Step::Set,
        (State::Promoted | State::Adopted, Works, Refused) if delivered => Step::Finish,
        (State::Promoted | State::Adopted, Works, Refused) => Step::Deliver,
        // The database went back to before: the old one is written down as such, and is not given up for dead.
        (State::Promoted | State::Adopted, Refused, Works) => Step::LockedOut,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGINS: [Login; 3] = [Login::Works, Login::Refused, Login::Unknown];
    const STATES: [State; 6] =
        [State::Stable, State::Prepared, State::Set, State::Tested, State::Promoted, State::Adopted];

    #[test]
    fn every_state_and_sight_has_a_safe_step() {
        for (state, wanted, delivered) in STATES.into_iter().flat_map(|state| {
            [(false, false), (false, true), (true, false), (true, true)].map(|(a, b)| (state, a, b))
        }) {
            for (current, other) in LOGINS.into_iter().flat_map(|one| LOGINS.map(|two| (one, two))) {
                let step = next_step(state, wanted, delivered, Seen { current, other });
                let case = format!("{state:?} {wanted} {delivered} {current:?} {other:?}: {step:?}");
                match step {
                    Step::Rest => assert!(state == State::Stable && !wanted, "{case}"),
                    Step::Prepare => assert!(state == State::Stable && current == Login::Works, "{case}"),
                    // Only through the password in use, and only while the next one is not set.
                    Step::Set => assert!(current == Login::Works && other == Login::Refused, "{case}"),
                    Step::RecordSet | Step::Promote => {
                        assert!(current == Login::Refused && other == Login::Works, "{case}");
                    }
                    // The file is replaced by what certainly logs in, and the old one is certainly dead.
                    Step::Deliver | Step::Finish => {
                        assert!(current == Login::Works && other == Login::Refused, "{case}");
                        assert_eq!(step == Step::Finish, delivered, "{case}");
                    }
                    Step::NotRequired => assert!(current == Login::Works && other == Login::Works, "{case}"),
                    Step::LockedOut => assert_eq!(current, Login::Refused, "{case}"),
                    Step::CouldNotTell => {
                        assert!(current == Login::Unknown || other == Login::Unknown, "{case}");
                    }
                }
            }
        }
    }
}
