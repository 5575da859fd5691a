//! What the steps do on the way to a new credential that is delivered. Each can be done again.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::PgConnection;

use super::observe::Look;
use super::{Fault, Fresh, Hands, State, StepTaken, schedule, trial};
use crate::delivery::Place;
use crate::journal::{Course, Entry, Held};
use crate::ledger::{self, LedgerError};
use crate::{Credential, delivery, verifier};

/// Notes a step that was done. `begun`: since when it was worked at, where that says something.
pub(super) fn taken(entry: &mut Entry, step: &str, at: i64, begun: Option<tokio::time::Instant>) {
    let milliseconds = begun.map(|begun| u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
    entry.course.steps.retain(|taken| taken.step != step);
    entry.course.steps.push(StepTaken { step: step.to_owned(), at, milliseconds });
}

/// The next credential, made here: password, salt, verifier. Nothing but the journal has it yet.
pub(crate) fn fresh_credential(
    fresh: &Fresh,
    like: &Credential,
    role: &str,
    generation: i64,
) -> Result<Held, Fault> {
    let (mut bits, mut salt) = ([0; 32], [0; 16]);
    fresh(&mut bits)?;
    fresh(&mut salt)?;
    let password = verifier::password(bits);
    let verifier = SecretString::from(verifier::verifier(&password, salt));
    let credential = Credential { username: role.to_owned(), password, generation, ..like.clone() };
    Ok(Held { credential, verifier: Some(verifier), set_at: None })
}

pub(super) fn prepare(hands: &Hands<'_>, next: &mut Entry, look: &Look) -> Result<(), Fault> {
    let slot = look
        .next_slot(&next.current.credential.username)
        .ok_or_else(|| Fault::NotAdopted(hands.database.name.clone()))?;
    let generation = next.generation().max(look.newest) + 1;
    let like = hands.at_configured(&next.current.credential)?;
    next.pending = Some(fresh_credential(hands.fresh, &like, &slot.role, generation)?);
    next.state = State::Prepared;
    next.course = Course { expects: look.newest, ..Default::default() };
    taken(next, "prepared", look.now, None);
    Ok(())
}

/// The ledger's function, with the verifier that stands in the journal: the same one at every retry.
pub(super) async fn set(
    hands: &Hands<'_>,
    next: &mut Entry,
    operator: Option<&mut PgConnection>,
) -> Result<(), Fault> {
    let begun = tokio::time::Instant::now();
    let promoted = matches!(next.state, State::Promoted | State::Adopted);
    let expects = next.course.expects;
    let held = if promoted { Some(&mut next.current) } else { next.pending.as_mut() };
    let (Some(held), Some(operator)) = (held, operator) else {
        return Err(Fault::Overtaken(hands.database.name.clone()));
    };
    let Some(verifier) = &held.verifier else { return Err(Fault::Overtaken(hands.database.name.clone())) };
    if !verifier::is_verifier(verifier.expose_secret()) {
        return Err(Fault::Journal {
            name: hands.database.name.clone(),
            reason: "what should be a verifier is none: it is not sent".to_owned(),
        });
    }
    let valid = schedule::validity(hands.database.maximum_password_age, hands.database.dead_man_switch)
        .and_then(|seconds| u64::try_from(seconds).ok())
        .map(Duration::from_secs);
    let (role, generation) = (held.credential.username.clone(), held.credential.generation);
    let set_at = ledger::rotate(operator, &role, verifier, expects, generation, valid).await;
    let set_at = set_at.map_err(|error| match error {
        LedgerError::Moved => Fault::Overtaken(hands.database.name.clone()),
        error => hands.ledger_fault("setting the new password", &error),
    })?;
    held.set_at = Some(set_at);
    if !promoted {
        next.state = State::Set;
        taken(next, "set", set_at, Some(begun));
    }
    Ok(())
}

pub(super) async fn test(
    hands: &Hands<'_>,
    next: &mut Entry,
    look: &Look,
    now: i64,
    begun: tokio::time::Instant,
) -> Result<(), Fault> {
    let name = || hands.database.name.clone();
    let (Some(pending), Some(owner)) = (&next.pending, look.owner()) else {
        return Err(Fault::NotAdopted(name()));
    };
    let credential = hands.at_configured(&pending.credential)?;
    let old = &next.current.credential.username;
    let proofs = trial::trial(hands, old, owner, &credential).await;
    let proofs = proofs.map_err(|reason| Fault::TestFailed {
        name: name(),
        role: credential.username.clone(),
        reason,
    })?;
    next.course.proofs = proofs;
    next.state = State::Tested;
    taken(next, "tested", now, Some(begun));
    Ok(())
}

pub(super) fn promote(next: &mut Entry, now: i64) {
    if let Some(pending) = next.pending.take() {
        next.previous = Some(std::mem::replace(&mut next.current, pending));
        next.state = State::Promoted;
        taken(next, "promoted", now, None);
    }
}

pub(super) async fn deliver(
    hands: &Hands<'_>,
    next: &mut Entry,
    now: i64,
    begun: tokio::time::Instant,
) -> Result<(), Fault> {
    let _alone = hands.delivering.lock().await;
    // Read again just before: a steward that hung must not put an old credential over a newer one.
    let stored = hands.journal.load(&hands.database.name).await?;
    if stored.is_none_or(|stored| stored.generation() != next.generation()) {
        return Err(Fault::Overtaken(hands.database.name.clone()));
    }
    hand_over(hands, &next.current.credential).await?;
    // And once more just after: whoever wrote last puts right what it wrote over.
    let mut given = next.generation();
    loop {
        let stored = hands.journal.load(&hands.database.name).await?;
        let Some(stored) = stored.filter(|stored| stored.generation() != given) else { break };
        hand_over(hands, &stored.current.credential).await?;
        given = stored.generation();
    }
    if given != next.generation() {
        return Err(Fault::Overtaken(hands.database.name.clone()));
    }
    next.course.delivered_at = Some(now);
    next.course.quiet_since = None;
    taken(next, "delivered", now, Some(begun));
    Ok(())
}

/// To its place, and for our own store into our own pool.
async fn hand_over(hands: &Hands<'_>, credential: &Credential) -> Result<(), Fault> {
    let credential = hands.at_configured(credential)?;
    if let Some(place) = &hands.database.secret {
        delivery::deliver(place, &credential).await.map_err(|fault| Fault::Delivery {
            name: hands.database.name.clone(),
            reason: fault.to_string(),
        })?;
    }
    if hands.database.own_store {
        hands.store.replace_credential(&credential.url(), &credential.password).await?;
    }
    Ok(())
}

/// This process's own part of it: its secret file and its pool. A place that all nodes read is whoever changes the
/// password's to write, once.
pub(crate) async fn go_over(hands: &Hands<'_>, credential: &Credential) -> Result<(), Fault> {
    match &hands.database.secret {
        Some(Place::File(_)) => hand_over(hands, credential).await,
        _ => {
            let credential = hands.at_configured(credential)?;
            Ok(hands.store.replace_credential(&credential.url(), &credential.password).await?)
        }
    }
}
