//! The role that the platform made. It has one name, so the very password in use is what changes: alone, last, written
//! down first, and proven by both logins before its file is replaced.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::administrator_elsewhere::tell_other_ledgers;
use super::administrator_step::{Seen, Step, next_step};
use super::deeds::{fresh_credential, taken};
use super::fault_point::reach;
use super::next_step::Login;
use super::observe::{attempt, clock};
use super::retirement::attempt_refused;
use super::{Fault, Hands, Progress, Proof, Report, State, schedule};
use crate::Credential;
use crate::connect::logout;
use crate::delivery::{self, Place};
use crate::journal::{Course, Entry, Held};
use crate::ledger::{self, Kind};

/// The name of its entry in the journal, beside the database's.
pub(crate) fn entry_name(database: &str) -> String {
    format!("{database}/administrator")
}

/// The configured credential, where there is one. The file is read again each time: another process, or the change for
/// another database of the same server, may have replaced it.
pub(crate) fn configured(hands: &Hands<'_>) -> Result<Option<Credential>, Fault> {
    let Some(url) = &hands.database.administrator else { return Ok(None) };
    let file = hands.database.administrator_file.as_ref();
    let written = file.and_then(|file| std::fs::read_to_string(file).ok()).map(SecretString::from);
    let url = written.as_ref().unwrap_or(url);
    Credential::from_url(url.expose_secret().trim(), None).map(Some).map_err(|error| Fault::Configuration {
        name: hands.database.name.clone(),
        reason: format!("the administrator's file: {error}"),
    })
}

/// The entry, where the journal has one that still holds.
pub(crate) async fn known(hands: &Hands<'_>) -> Result<Option<Entry>, Fault> {
    match hands.journal.load(&entry_name(&hands.database.name)).await? {
        None => Ok(None),
        Some(_) => entry(hands).await,
    }
}

/// Whether the password was changed elsewhere, by the entry of another database of this server or by a person: then the
/// journal's is refused and the configured one logs in.
async fn was_changed_elsewhere(
    hands: &Hands<'_>,
    entry: &Entry,
    configured: &Credential,
) -> Result<bool, Fault> {
    let known = &entry.current.credential;
    if entry.state != State::Stable
        || known.password.expose_secret() == configured.password.expose_secret()
        || !matches!(attempted(hands, known).await?, Login::Refused)
    {
        return Ok(false);
    }
    Ok(matches!(attempted(hands, configured).await?, Login::Works))
}

async fn attempted(hands: &Hands<'_>, credential: &Credential) -> Result<Login, Fault> {
    let (outcome, session, _) = attempt(&hands.at_configured(credential)?).await;
    if let Some(session) = session {
        logout(session).await;
    }
    Ok(outcome)
}

/// The entry; its first one is made from the configured URL, which must log in.
async fn entry(hands: &Hands<'_>) -> Result<Option<Entry>, Fault> {
    let name = entry_name(&hands.database.name);
    loop {
        // First the file: a newer one beside an older entry would look like a change by somebody else.
        let Some(configured) = configured(hands)? else { return Ok(None) };
        let stored = hands.journal.load(&name).await?;
        let outcome = entry_of(hands, &name, stored.as_ref(), &configured).await;
        if let Ok(None) = outcome {
            continue;
        }
        // A refusal says nothing where another steward has changed the password since the look at the journal.
        let stale = outcome.is_err()
            && match &stored {
                Some(read) => hands.journal.has_moved_on(read).await.unwrap_or(false),
                None => hands.journal.load(&name).await.is_ok_and(|entry| entry.is_some()),
            };
        if !stale {
            return outcome;
        }
    }
}

/// None where another steward has put a new entry there meanwhile.
async fn entry_of(
    hands: &Hands<'_>,
    name: &str,
    stored: Option<&Entry>,
    configured: &Credential,
) -> Result<Option<Entry>, Fault> {
    if let Some(entry) = stored
        && entry.current.credential.username == configured.username
        && !was_changed_elsewhere(hands, entry, configured).await?
    {
        return Ok(Some(entry.clone()));
    }
    let mut credential = hands.at_configured(configured)?;
    let (outcome, session, said) = attempt(&credential).await;
    let Some(mut session) = session else { return Err(no_login(hands, outcome, said)) };
    let slots = ledger::slots(&mut session).await;
    let verifiers = ledger::credentials(&mut session).await;
    logout(session).await;
    let slots = slots.map_err(|error| hands.ledger_fault("reading the ledger", &error))?;
    let verifiers = verifiers.map_err(|error| hands.ledger_fault("reading the ledger", &error))?;
    let slot = slots.iter().find(|slot| slot.role == credential.username && slot.kind == Kind::Administrator);
    credential.generation = slot.map_or(0, |slot| slot.generation);
    // The ledger's date counts where it speaks of the password that is in use.
    let live = verifiers.into_iter().find(|live| live.role == credential.username);
    let live = live.and_then(|live| live.fingerprint);
    let set_at = slot.filter(|slot| slot.fingerprint == live).and_then(|slot| slot.set_at);
    let held = Held { credential, verifier: None, set_at };
    let now = (hands.clock)();
    match stored {
        // Another administrator than before begins its own history, unless somebody has gone on: what is pending there may
        // be the only password that logs in.
        Some(read) => hands.journal.begin_anew(read, held, now).await,
        None => hands.journal.begin(name, &held, now).await.map(Some),
    }
}

fn no_login(hands: &Hands<'_>, outcome: Login, said: String) -> Fault {
    let name = hands.database.name.clone();
    match outcome {
        Login::Refused => Fault::LockedOut { name, tried: format!("the administrator: {said}") },
        _ => Fault::Unreachable { name, reason: said },
    }
}

/// Changes its password, when it is wanted or due or has begun. None where there is nothing to do, or no administrator.
pub(crate) async fn rotate(hands: &Hands<'_>, wanted: bool) -> Result<Option<Report>, Fault> {
    let (mut acted, mut rounds) = (false, 0);
    loop {
        let Some(entry) = entry(hands).await? else { return Ok(None) };
        rounds += 1;
        if acted && entry.state == State::Stable {
            return Ok(entry.report);
        }
        let age = schedule::age(
            entry.current.set_at,
            hands.database.maximum_password_age,
            entry.name(),
            entry.generation(),
            (hands.clock)(),
        );
        let wanted = wanted || schedule::is_due(&age, (hands.clock)());
        if entry.state == State::Stable && !wanted {
            return Ok(None);
        }
        if !can_be_delivered(hands) {
            return Err(Fault::Configuration {
                name: hands.database.name.clone(),
                reason: "the administrator's new password has no place to go: set administrator_file"
                    .to_owned(),
            });
        }
        if rounds > 12 {
            return Err(Fault::NotProven {
                name: hands.database.name.clone(),
                reason: "the administrator's change does not come to an end".to_owned(),
            });
        }
        acted = true;
        if let Err(fault) = step(hands, entry.clone(), wanted).await {
            if !hands.journal.has_moved_on(&entry).await.unwrap_or(false) {
                return Err(fault);
            }
            // Somebody else's progress is not our stubbornness.
            rounds = 0;
        }
    }
}

fn can_be_delivered(hands: &Hands<'_>) -> bool {
    hands.database.administrator_file.is_some()
        || matches!(&hands.database.secret, Some(Place::Railway(place)) if place.administrator.is_some())
}

async fn step(hands: &Hands<'_>, entry: Entry, wanted: bool) -> Result<(), Fault> {
    let current = hands.at_configured(&entry.current.credential)?;
    let (current_login, mut session, said) = attempt(&current).await;
    let other = if matches!(entry.state, State::Promoted | State::Adopted) {
        &entry.previous
    } else {
        &entry.pending
    };
    let (other_login, other_session, other_said) = match other {
        Some(held) => attempt(&hands.at_configured(&held.credential)?).await,
        None => (Login::Refused, None, "there is none".to_owned()),
    };
    let mut now = (hands.clock)();
    let mut other_session = other_session;
    if let Some(session) = session.as_mut().or(other_session.as_mut()) {
        now = clock(session).await.map_err(|error| hands.database_fault("reading the clock", &error))?;
    }
    let seen = Seen { current: current_login, other: other_login };
    let step = next_step(entry.state, wanted, entry.course.delivered_at.is_some(), seen);
    let mut next = entry.clone();
    next.fault = None;
    let begun = tokio::time::Instant::now();
    let name = hands.database.name.clone();
    let (mut before, mut after) = (None, None);
    let outcome = match step {
        Step::Rest => Ok(()),
        Step::Prepare => {
            after = Some("administrator-prepared");
            prepare(hands, &mut next, session.as_mut(), now).await
        }
        Step::Set => {
            (before, after) = (Some("administrator-set-unrecorded"), Some("administrator-set"));
            set(hands, &mut next, session.as_mut(), begun).await
        }
        Step::RecordSet => {
            after = Some("administrator-set");
            if let Some(pending) = &mut next.pending {
                pending.set_at = pending.set_at.or(Some(now));
            }
            next.state = State::Set;
            taken(&mut next, "set", now, None);
            Ok(())
        }
        Step::Promote => {
            after = Some("administrator-promoted");
            if let Some(pending) = next.pending.take() {
                next.previous = Some(std::mem::replace(&mut next.current, pending));
            }
            next.state = State::Promoted;
            taken(&mut next, "promoted", now, None);
            Ok(())
        }
        Step::Deliver => {
            before = Some("administrator-delivered-unrecorded");
            deliver(hands, &mut next, now, begun).await
        }
        Step::Finish => {
            after = Some("administrator-retired");
            finish(hands, &mut next, now).await
        }
        Step::NotRequired => {
            // Another steward may have set the new one between the two looks; then the first is refused by now.
            let (again, session, _) = attempt(&current).await;
            if let Some(session) = session {
                logout(session).await;
            }
            if again == Login::Refused {
                Ok(())
            } else {
                let reason =
                    format!("{} logs in with both passwords: pg_hba.conf asks for none", current.username);
                Err(Fault::NotProven { name, reason })
            }
        }
        Step::LockedOut => {
            let tried = format!("{}: {said}; with the other password: {other_said}", current.username);
            Err(Fault::LockedOut { name, tried })
        }
        Step::CouldNotTell => Err(Fault::Unreachable { name, reason: format!("{said}; {other_said}") }),
    };
    for session in [session, other_session].into_iter().flatten() {
        logout(session).await;
    }
    outcome?;
    before.into_iter().for_each(reach);
    if hands.journal.advance(&next, now).await?.is_some() {
        after.into_iter().for_each(reach);
        let text = next.course.steps.last().map_or("looked", |step| step.step.as_str());
        let done = u32::try_from(next.course.steps.len()).unwrap_or(Progress::STEPS);
        (hands.progress)(&Progress {
            role: current.username,
            state: next.state,
            done,
            text: format!("administrator: {text}"),
        });
    }
    Ok(())
}

async fn prepare(
    hands: &Hands<'_>,
    next: &mut Entry,
    session: Option<&mut sqlx::PgConnection>,
    now: i64,
) -> Result<(), Fault> {
    let Some(session) = session else { return Err(Fault::Overtaken(hands.database.name.clone())) };
    let slots = ledger::slots(session).await;
    let slots = slots.map_err(|error| hands.ledger_fault("reading the ledger", &error))?;
    let role = next.current.credential.username.clone();
    let expects = slots.iter().find(|slot| slot.role == role).map_or(0, |slot| slot.generation);
    let like = hands.at_configured(&next.current.credential)?;
    let generation = next.generation().max(expects) + 1;
    next.pending = Some(fresh_credential(hands.fresh, &like, &role, generation)?);
    next.state = State::Prepared;
    next.course = Course { expects, ..Course::default() };
    taken(next, "prepared", now, None);
    Ok(())
}

/// By the ledger's function, which gets the verifier as a bound parameter and writes the history in the same transaction.
async fn set(
    hands: &Hands<'_>,
    next: &mut Entry,
    session: Option<&mut sqlx::PgConnection>,
    begun: tokio::time::Instant,
) -> Result<(), Fault> {
    let name = || hands.database.name.clone();
    let expects = next.course.expects;
    let (Some(pending), Some(session)) = (&mut next.pending, session) else {
        return Err(Fault::Overtaken(name()));
    };
    let Some(verifier) = &pending.verifier else { return Err(Fault::Overtaken(name())) };
    let valid = validity(hands);
    let (role, generation) = (pending.credential.username.clone(), pending.credential.generation);
    let set_at = ledger::rotate_administrator(session, &role, verifier, expects, generation, valid).await;
    let set_at =
        set_at.map_err(|error| hands.ledger_fault("setting the administrator's password", &error))?;
    pending.set_at = Some(set_at);
    next.state = State::Set;
    taken(next, "set", set_at, Some(begun));
    Ok(())
}

/// To its places, as long as nobody has gone on meanwhile. Whoever wrote last puts right what it wrote over.
async fn deliver(
    hands: &Hands<'_>,
    next: &mut Entry,
    now: i64,
    begun: tokio::time::Instant,
) -> Result<(), Fault> {
    let overtaken = || Fault::Overtaken(hands.database.name.clone());
    let name = entry_name(&hands.database.name);
    let stored = hands.journal.load(&name).await?;
    if stored.is_none_or(|stored| stored.generation() != next.generation()) {
        return Err(overtaken());
    }
    hand_over(hands, &next.current.credential).await?;
    let mut given = next.generation();
    loop {
        let stored = hands.journal.load(&name).await?;
        let Some(stored) = stored.filter(|stored| stored.generation() != given) else { break };
        hand_over(hands, &stored.current.credential).await?;
        given = stored.generation();
    }
    if given != next.generation() {
        return Err(overtaken());
    }
    tell_other_ledgers(hands, next).await;
    next.course.delivered_at = Some(now);
    taken(next, "delivered", now, Some(begun));
    Ok(())
}

/// Its file, whole or not at all, and the platform's variable where there is one.
async fn hand_over(hands: &Hands<'_>, current: &Credential) -> Result<(), Fault> {
    let failed = |fault: delivery::DeliveryFault| Fault::Delivery {
        name: hands.database.name.clone(),
        reason: format!("the administrator's password: {fault}"),
    };
    let Some(written) = configured(hands)? else { return Err(Fault::Overtaken(hands.database.name.clone())) };
    let credential =
        Credential { password: current.password.clone(), generation: current.generation, ..written };
    if let Some(path) = &hands.database.administrator_file {
        let text = SecretString::from(format!("{}\n", credential.url_with_password().expose_secret()));
        let path = path.clone();
        let written = tokio::task::spawn_blocking(move || delivery::write_secret_file(&path, &text)).await;
        written.map_err(|_| Fault::Overtaken(hands.database.name.clone()))?.map_err(failed)?;
    }
    if let Some(place) = &hands.database.secret {
        delivery::deliver_administrator(place, &credential).await.map_err(failed)?;
    }
    Ok(())
}

pub(super) fn validity(hands: &Hands<'_>) -> Option<Duration> {
    schedule::validity(hands.database.maximum_password_age, hands.database.dead_man_switch)
        .and_then(|seconds| u64::try_from(seconds).ok())
        .map(Duration::from_secs)
}

async fn finish(hands: &Hands<'_>, next: &mut Entry, now: i64) -> Result<(), Fault> {
    let role = next.current.credential.username.clone();
    if let Some(previous) = &next.previous {
        let said = attempt_refused(hands, &hands.at_configured(&previous.credential)?).await?;
        let seen = said.ok_or_else(|| Fault::NotProven {
            name: hands.database.name.clone(),
            reason: format!("the old password of {role} still logs in"),
        })?;
        next.course.proofs.push(Proof { what: format!("a login with the old password of {role}"), seen });
    }
    next.course
        .proofs
        .push(Proof { what: format!("a login with the new password of {role}"), seen: "logs in".to_owned() });
    taken(next, "retired", now, None);
    next.state = State::Stable;
    next.report = Some(Report {
        generation: next.generation(),
        from: role.clone(),
        to: role,
        started_at: next.course.steps.first().map_or(now, |step| step.at),
        finished_at: now,
        steps: next.course.steps.clone(),
        sessions_drained: 0,
        sessions_terminated: 0,
        failed_requests: None,
        proofs: next.course.proofs.clone(),
    });
    Ok(())
}
