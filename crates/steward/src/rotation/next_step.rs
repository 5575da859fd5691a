//! The one decision of a rotation: what the journal says and what was seen in, the next step out. Pure and complete.
//!
//! ```text
//!  STABLE ──prepare──> PREPARED ──set──> SET ──test──> TESTED ──promote──> PROMOTED ──adopted──> ADOPTED ──retire──> STABLE
//!    ^                     │              │               │                    ^                     │
//!    └──────discard────────┴──────────────┴───────────────┘                    └── somebody is back ─┘
//! ```
//!
//! What must hold at every arrow, crashes and races included:
//! I1 some credential in the journal logs in. I2 the password of a role in use is never changed. I3 a retry sets the very
//! same verifier. I4 generations only grow. I5 nothing is retired before it is seen that nobody uses it.

use super::State;

/// How a login with a credential came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// It logs in.
    Works,
    /// The server refuses it.
    Refused,
    /// Nobody can say: no answer, or another error.
    Unknown,
}

/// What the database's own ledger says of the newer credential: the pending one, after promotion the current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ledger {
    /// Nothing yet: it stands where it stood when the rotation was prepared.
    Before,
    /// It is the newest, with our fingerprint.
    Ours,
    /// Something else is newer, or has its generation.
    Moved,
    /// It could not be read.
    Unknown,
}

/// What the journal says, as far as the decision needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Where the rotation stands.
    pub state: State,
    /// When the new credential was delivered.
    pub delivered_at: Option<i64>,
    /// Since when no session of the old role has been seen.
    pub quiet_since: Option<i64>,
    /// Whether a session of the new role has ever been seen.
    pub seen: bool,
    /// Whether the old credential is the platform's own role, which is never retired: its password changes last.
    pub previous_is_administrator: bool,
}

/// What was seen just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Whether a change is due or asked for.
    pub wanted: bool,
    /// The best login of anyone who may call the ledger's functions for this step.
    pub operator: Login,
    /// The credential in use.
    pub current: Login,
    /// The next one.
    pub pending: Login,
    /// The database's own ledger.
    pub ledger: Ledger,
    /// Sessions of the newer role; none: could not be counted.
    pub newer_sessions: Option<i64>,
    /// Sessions of the role before; none: could not be counted.
    pub previous_sessions: Option<i64>,
    /// Nodes alive lately that do not use the new credential; none: could not be read.
    pub nodes_behind: Option<u32>,
}

/// How long is waited, seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For an application without any session.
    pub grace: i64,
    /// Without a session of the old role.
    pub quiet: i64,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Nodes of Portcullis to take the new credential.
    Nodes(u32),
    /// Sessions of the old role to end.
    Sessions(i64),
    /// The quiet time to pass.
    Quiet,
    /// A first session of the new role, or the grace to pass.
    FirstSession,
}

/// Why nothing can be done that is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// No credential that is known logs in.
    LockedOut,
    /// Something could not be seen; it may be better at the next look.
    CouldNotTell,
    /// The slot that should get a password has sessions.
    SlotInUse(i64),
    /// The new credential, in use by now, is refused: somebody changed it.
    Diverged,
    /// The ledger speaks of a rotation that this journal does not know.
    LedgerMoved,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Rest,
    /// Make the next credential and write it down.
    Prepare,
    /// Give the slot the written verifier, again if need be.
    Set,
    /// The database has it: write that down.
    RecordSet,
    /// Drop the pending credential: the database has gone another way, and nobody got it.
    Discard,
    /// Log in as the new role and try everything.
    Test,
    /// Write it down as the current one.
    Promote,
    /// Put it where its users read it.
    Deliver,
    /// Write down that a session of the new role was seen.
    NoteSeen,
    /// Write down that no session of the old role is left, from now on.
    NoteQuiet,
    /// Write down that there are sessions of the old role again.
    NoteNoise,
    /// Look again later.
    Wait {
        /// What for.
        what: Waiting,
        /// Whether it has lasted twice the grace.
        alarm: bool,
    },
    /// Write down that nobody uses the old one.
    RecordAdopted,
    /// Somebody uses the old one again: back to waiting.
    Unadopt,
    /// End the old one, and prove that it is dead.
    Retire,
    /// Change the administrator's password, which ends the old one, and prove that it is dead.
    RetireByAdministrator,
    /// Say what is wrong and leave everything as it is.
    Halt(Halt),
}

/// The next step. `now` is the database's clock, Unix seconds.
#[must_use]
pub fn next_step(written: &Written, observed: &Observed, patience: &Patience, now: i64) -> Step {
    match written.state {
        State::Stable if !observed.wanted => Step::Rest,
        // A journal from before the last change: whose password is in use stands in a newer one, and is not guessed at.
        State::Stable if (observed.current, observed.ledger) == (Login::Refused, Ledger::Moved) => {
            Step::Halt(Halt::LedgerMoved)
        }
        State::Stable => if_works(observed.operator, Step::Prepare),
        State::Prepared => match observed.ledger {
            // The crash came after the database had committed and before the journal knew.
            Ledger::Ours => Step::RecordSet,
            Ledger::Before => set(observed),
            Ledger::Moved => Step::Discard,
            Ledger::Unknown => if_works(observed.operator, Step::Halt(Halt::CouldNotTell)),
        },
        State::Set | State::Tested => match (observed.ledger, observed.pending) {
            (Ledger::Ours, Login::Works) if written.state == State::Set => Step::Test,
            (Ledger::Ours, Login::Works) => Step::Promote,
            // Restored from before, or changed behind our back: nobody has it yet, so the same verifier is set again.
            (Ledger::Ours, Login::Refused) | (Ledger::Before, _) => set(observed),
            (Ledger::Moved, _) => Step::Discard,
            (Ledger::Ours, Login::Unknown) => Step::Halt(Halt::CouldNotTell),
            (Ledger::Unknown, _) => if_works(observed.operator, Step::Halt(Halt::CouldNotTell)),
        },
        State::Promoted | State::Adopted => match (observed.current, observed.ledger) {
            (Login::Unknown, _) | (Login::Works, Ledger::Unknown) => Step::Halt(Halt::CouldNotTell),
            // The database went back to before the change: it is in no one's use there, and is set again as promised.
            (Login::Refused, Ledger::Before) if observed.newer_sessions == Some(0) => {
                if_works(observed.operator, Step::Set)
            }
            // The old one is all that may still work: it is not touched.
            (Login::Refused, _) => Step::Halt(Halt::Diverged),
            (Login::Works, Ledger::Before | Ledger::Moved) => Step::Halt(Halt::LedgerMoved),
            (Login::Works, Ledger::Ours) if written.state == State::Promoted => {
                adopt(written, observed, patience, now)
            }
            (Login::Works, Ledger::Ours) => retire(written, observed),
        },
    }
}

/// Gives the slot its password, unless somebody uses it.
fn set(observed: &Observed) -> Step {
    match observed.newer_sessions {
        Some(0) => if_works(observed.operator, Step::Set),
        Some(sessions) => Step::Halt(Halt::SlotInUse(sessions)),
        None => if_works(observed.operator, Step::Halt(Halt::CouldNotTell)),
    }
}

fn if_works(operator: Login, step: Step) -> Step {
    match operator {
        Login::Works => step,
        Login::Refused => Step::Halt(Halt::LockedOut),
        Login::Unknown => Step::Halt(Halt::CouldNotTell),
    }
}

/// After promotion: deliver, then wait until it is seen that nobody uses the old one.
fn adopt(written: &Written, observed: &Observed, patience: &Patience, now: i64) -> Step {
    let Some(delivered_at) = written.delivered_at else { return Step::Deliver };
    let waited = now.saturating_sub(delivered_at);
    let wait = |what| Step::Wait { what, alarm: waited > patience.grace.saturating_mul(2) };
    match observed.nodes_behind {
        None => return Step::Halt(Halt::CouldNotTell),
        Some(0) => {}
        Some(behind) => return wait(Waiting::Nodes(behind)),
    }
    if !written.seen && observed.newer_sessions.is_some_and(|sessions| sessions > 0) {
        return Step::NoteSeen;
    }
    match (observed.previous_sessions, written.quiet_since) {
        (None, _) => Step::Halt(Halt::CouldNotTell),
        (Some(0), None) => Step::NoteQuiet,
        // A clock that was set back starts the quiet time anew.
        (Some(0), Some(since)) if since > now => Step::NoteQuiet,
        (Some(0), Some(since)) if now - since < patience.quiet => wait(Waiting::Quiet),
        (Some(0), Some(_)) if written.seen || waited >= patience.grace => Step::RecordAdopted,
        (Some(0), Some(_)) => wait(Waiting::FirstSession),
        (Some(_), Some(_)) => Step::NoteNoise,
        (Some(sessions), None) => wait(Waiting::Sessions(sessions)),
    }
}

/// After adoption: the evidence must still hold at the moment of retirement, however long ago it was written down.
fn retire(written: &Written, observed: &Observed) -> Step {
    match (observed.previous_sessions, observed.nodes_behind) {
        (None, _) | (_, None) => Step::Halt(Halt::CouldNotTell),
        (Some(0), Some(0)) if written.previous_is_administrator => Step::RetireByAdministrator,
        (Some(0), Some(0)) => Step::Retire,
        (Some(_), Some(_)) => Step::Unadopt,
    }
}

#[cfg(test)]
#[path = "next_step_tests.rs"]
mod tests;
