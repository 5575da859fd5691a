//! The drive: look, decide, do, write down. Each step is done and then written down, so that a crash in between is a step that is done again.

use std::time::Duration;

use super::deeds::{deliver, prepare, promote, set, taken, test};
use super::fault_point::reach;
use super::next_step::{Halt, Login, Patience, Step, Waiting, Written, next_step};
use super::observe::{Look, look};
use super::retirement::{retire, retire_by_administrator};
use super::{Fault, Hands, State, Ticked, schedule};
use crate::connect::logout;
use crate::journal::{Entry, Held};
use crate::ledger::Kind;

/// How often a waiting rotation looks again.
const AGAIN: Duration = Duration::from_millis(500);
/// A step that is asked for so often in a row does not do what it should.
const STUBBORN: u32 = 4;

/// What a driver is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Change the password even if it is young.
    Now,
    /// Change it if it is due.
    IfDue,
    /// Only finish what has begun.
    Nothing,
}

/// Goes on until there is nothing to do, or nothing without waiting unless `patient`.
pub(crate) async fn drive(hands: &Hands<'_>, wanted: Wanted, patient: bool) -> Result<Ticked, Fault> {
    let outcome = go_on(hands, wanted, patient).await;
    if let Err(fault) = &outcome {
        note(hands, &fault.to_string()).await;
    }
    outcome
}

async fn go_on(hands: &Hands<'_>, wanted: Wanted, patient: bool) -> Result<Ticked, Fault> {
    if hands.database.secret.is_none() {
        return Err(Fault::Configuration {
            name: hands.database.name.clone(),
            reason: "nobody would get the new password: say where it goes, secret = { file = … }".to_owned(),
        });
    }
    let mut last: Option<(Step, u32)> = None;
    let mut begun: Option<(State, i64)> = None;
    loop {
        let entry = hands.entry().await?;
        let (first, generation) = *begun.get_or_insert((entry.state, entry.generation()));
        let was_promoted = matches!(first, State::Promoted | State::Adopted);
        if entry.state == State::Stable && (was_promoted || entry.generation() > generation) {
            // This one took part in it, or somebody else was faster: there is one rotation, not two.
            let report = entry.report.ok_or_else(|| Fault::Overtaken(hands.database.name.clone()))?;
            return Ok(Ticked::Finished { report: Box::new(report) });
        }
        let due = schedule::age(
            entry.current.set_at,
            hands.database.maximum_password_age,
            &hands.database.name,
            entry.generation(),
            (hands.clock)(),
        );
        let due_now = match wanted {
            Wanted::Now => true,
            Wanted::IfDue => schedule::is_due(&due, (hands.clock)()),
            Wanted::Nothing => false,
        };
        if entry.state == State::Stable && !due_now {
            return Ok(Ticked::Rest { due_at: due.due_at });
        }
        let mut look = look(hands, &entry, due_now).await?;
        // Our own clock may be ahead: the database's says how old its password is.
        look.observed.wanted = due_now && (wanted == Wanted::Now || schedule::is_due(&due, look.now));
        let patience = Patience { grace: hands.database.grace, quiet: hands.database.quiet };
        let step = next_step(&written(&entry, &look), &look.observed, &patience, look.now);
        let times = match last {
            Some((before, times)) if before == step => times + 1,
            _ => 1,
        };
        last = Some((step, times));
        if times > STUBBORN && !matches!(step, Step::Wait { .. } | Step::Rest) {
            return Err(Fault::NotProven {
                name: hands.database.name.clone(),
                reason: format!("{step:?} was done {STUBBORN} times and is still to be done"),
            });
        }
        match step {
            Step::Rest => {
                close(look).await;
                return Ok(Ticked::Rest { due_at: due.due_at });
            }
            Step::Wait { what, alarm } => {
                let text = waiting_for(what, &entry);
                note_drained(hands, &entry, &look).await?;
                hands.say(&entry, format!("waiting for {text}"));
                close(look).await;
                if !patient {
                    return Ok(Ticked::Waiting { what: text, alarm });
                }
                tokio::time::sleep(AGAIN).await;
            }
            Step::Halt(halt) => {
                let fault = halted(hands, &entry, halt, &look);
                close(look).await;
                if !hands.journal.has_moved_on(&entry).await.unwrap_or(false) {
                    return Err(fault);
                }
                // Somebody else's progress is not our stubbornness.
                last = None;
            }
            step => {
                let read = entry.clone();
                let outcome = act(hands, entry, look, step).await;
                let moved_on = outcome.is_err() && hands.journal.has_moved_on(&read).await.unwrap_or(false);
                match outcome {
                    Err(_) if moved_on => last = None,
                    outcome => outcome?,
                }
            }
        }
    }
}

pub(crate) fn written(entry: &Entry, look: &Look) -> Written {
    let kind = entry.previous.as_ref().and_then(|held| look.kind(&held.credential.username));
    Written {
        state: entry.state,
        delivered_at: entry.course.delivered_at,
        quiet_since: entry.course.quiet_since,
        seen: entry.course.seen_at.is_some(),
        previous_is_administrator: kind == Some(Kind::Administrator),
    }
}

pub(crate) async fn close(look: Look) {
    if let Some(operator) = look.operator {
        logout(operator).await;
    }
}

/// Does one step and writes it down. Somebody else's write in between is no fault: the next look sees where things stand.
async fn act(hands: &Hands<'_>, entry: Entry, mut look: Look, step: Step) -> Result<(), Fault> {
    let now = look.now;
    let mut next = entry.clone();
    next.fault = None;
    let begun = tokio::time::Instant::now();
    let mut operator = look.operator.take();
    let outcome = match step {
        Step::Prepare => prepare(hands, &mut next, &look),
        Step::Set => set(hands, &mut next, operator.as_mut()).await,
        Step::RecordSet => {
            let slot = look.slots.iter().find(|slot| Some(&slot.role) == role(next.pending.as_ref()));
            let set_at = slot.and_then(|slot| slot.set_at).or(Some(now));
            if let Some(pending) = &mut next.pending {
                pending.set_at = set_at;
            }
            next.state = State::Set;
            taken(&mut next, "set", now, None);
            Ok(())
        }
        Step::Discard => {
            next.pending = None;
            next.state = State::Stable;
            next.course = crate::journal::Course::default();
            Ok(())
        }
        Step::Test => test(hands, &mut next, &look, now, begun).await,
        Step::Promote => {
            promote(&mut next, now);
            Ok(())
        }
        Step::Deliver => deliver(hands, &mut next, now, begun).await,
        Step::NoteSeen => {
            next.course.seen_at = Some(now);
            Ok(())
        }
        Step::NoteQuiet => {
            next.course.quiet_since = Some(now);
            Ok(())
        }
        Step::NoteNoise => {
            next.course.quiet_since = None;
            Ok(())
        }
        Step::RecordAdopted => {
            next.state = State::Adopted;
            taken(&mut next, "adopted", now, None);
            Ok(())
        }
        Step::Unadopt => {
            next.state = State::Promoted;
            next.course.quiet_since = None;
            Ok(())
        }
        Step::Retire => retire(hands, &mut next, operator.as_mut(), now, begun).await,
        Step::RetireByAdministrator => {
            // Its own sessions must not stand in the way.
            if let Some(operator) = operator.take() {
                logout(operator).await;
            }
            retire_by_administrator(hands, &mut next, now, begun).await
        }
        Step::Rest | Step::Wait { .. } | Step::Halt(_) => Ok(()),
    };
    if let Some(operator) = operator {
        logout(operator).await;
    }
    match outcome {
        Err(Fault::Overtaken(_)) => return Ok(()),
        outcome => outcome?,
    }
    let before = match step {
        Step::Prepare => Some("prepare"),
        Step::Set => Some("set-unrecorded"),
        Step::Test => Some("tested-unrecorded"),
        Step::Deliver => Some("delivered-unrecorded"),
        Step::Retire | Step::RetireByAdministrator => Some("retired-unrecorded"),
        _ => None,
    };
    let after = match step {
        Step::Prepare => Some("prepared"),
        Step::Set | Step::RecordSet => Some("set"),
        Step::Test => Some("tested"),
        Step::Promote => Some("promoted"),
        Step::Deliver => Some("delivered"),
        Step::RecordAdopted => Some("adopted"),
        Step::Retire | Step::RetireByAdministrator => Some("retired"),
        _ => None,
    };
    before.into_iter().for_each(reach);
    let Some(stored) = hands.journal.advance(&next, now).await? else { return Ok(()) };
    after.into_iter().for_each(reach);
    let text = stored.course.steps.last().map_or("looked", |step| step.step.as_str()).to_owned();
    hands.say(&stored, text);
    Ok(())
}

fn role(held: Option<&Held>) -> Option<&String> {
    held.map(|held| &held.credential.username)
}

/// Remembers the most sessions that were seen on the old role.
async fn note_drained(hands: &Hands<'_>, entry: &Entry, look: &Look) -> Result<(), Fault> {
    if let Some(sessions) = look.observed.previous_sessions
        && sessions > entry.course.drained
        && entry.course.delivered_at.is_some()
    {
        let mut next = entry.clone();
        next.course.drained = sessions;
        hands.journal.advance(&next, look.now).await?;
    }
    Ok(())
}

/// Keeps the last fault in the journal, for `status`. Best effort: the fault itself is what counts.
async fn note(hands: &Hands<'_>, fault: &str) {
    if let Ok(Some(mut entry)) = hands.journal.load(&hands.database.name).await
        && entry.fault.as_deref() != Some(fault)
    {
        entry.fault = Some(fault.to_owned());
        let _ = hands.journal.advance(&entry, (hands.clock)()).await;
    }
}

/// In words, for people.
pub(crate) fn waiting_for(what: Waiting, entry: &Entry) -> String {
    let old = entry.previous.as_ref().map_or("the old role", |held| held.credential.username.as_str());
    match what {
        Waiting::Nodes(nodes) => format!("{nodes} nodes to take the new credential"),
        Waiting::Sessions(sessions) => format!("{sessions} sessions of {old} to end"),
        Waiting::Quiet => format!("{old} to stay without a session for a moment"),
        Waiting::FirstSession => {
            format!("a first session of {}, or the grace to pass", entry.current.credential.username)
        }
    }
}

fn halted(hands: &Hands<'_>, entry: &Entry, halt: Halt, look: &Look) -> Fault {
    let name = hands.database.name.clone();
    let newer = entry.pending.as_ref().unwrap_or(&entry.current).credential.username.clone();
    match halt {
        Halt::LockedOut => Fault::LockedOut { name, tried: look.tried.join("; ") },
        // The server answers, and the new role alone does not get in: the right to connect is missing, say.
        Halt::CouldNotTell
            if matches!(entry.state, State::Set | State::Tested)
                && look.observed.operator == Login::Works =>
        {
            let reason = look.tried.last().cloned().unwrap_or_default();
            Fault::TestFailed { name, role: newer, reason }
        }
        Halt::CouldNotTell => Fault::Unreachable { name, reason: look.tried.join("; ") },
        Halt::SlotInUse(sessions) => Fault::SlotInUse { name, role: newer, sessions },
        Halt::Diverged => Fault::Diverged { name, role: entry.current.credential.username.clone() },
        Halt::LedgerMoved => Fault::NotProven {
            name,
            reason: "the database's ledger has a rotation that this journal does not know: two stores look after one \
                     database, or this one was brought back from a copy older than that rotation. What was delivered \
                     last goes on working; `portcullis database unadopt` and `adopt` begin anew"
                .to_owned(),
        },
    }
}
