//! Asks the journal and the server for everything that can be said without a secret.

use secrecy::ExposeSecret as _;

use super::execute::{self, waiting_for};
use super::next_step::{Login, Patience, Step, next_step};
use super::observe::{self, attempt, clock, count};
use super::{AdministratorStatus, Fault, Hands, Live, Provenance, State, Status, administrator, schedule};
use crate::connect::logout;
use crate::journal::Entry;
use crate::ledger::{self, Kind};
use crate::{Credential, verifier};

/// Reads the journal and asks the server.
pub(crate) async fn status(hands: &Hands<'_>) -> Result<Status, Fault> {
    let database = hands.database;
    let entry = hands.journal.load(&database.name).await?;
    let credential = match &entry {
        Some(entry) => hands.at_configured(&entry.current.credential)?,
        None => hands.configured()?,
    };
    let seen = server(hands, entry.as_ref(), &credential).await;
    let now = seen.now.unwrap_or_else(|| (hands.clock)());
    let generation = entry.as_ref().map_or(seen.generation, Entry::generation);
    // A password that somebody else set since is of unknown age.
    let set_at = match (seen.provenance, &entry) {
        (Provenance::Changed | Provenance::Foreign, _) => None,
        (Provenance::Ours, None) => seen.set_at,
        (Provenance::Ours | Provenance::Unknown, Some(entry)) => entry.current.set_at,
        (Provenance::Unknown, None) => None,
    };
    let waiting_for = match &entry {
        Some(entry) if entry.state == State::Promoted => waits(hands, entry).await?,
        _ => None,
    };
    let endpoint =
        format!("{}@{}:{}/{}", credential.username, credential.host, credential.port, credential.database);
    let maximum = database.maximum_password_age;
    Ok(Status {
        name: database.name.clone(),
        endpoint,
        role: credential.username,
        generation,
        adopted: seen.adopted,
        provenance: seen.provenance,
        age: schedule::age(set_at, maximum, &database.name, generation, now),
        state: entry.as_ref().map_or(State::Stable, |entry| entry.state),
        waiting_for,
        live: seen.live,
        administrator: administrator_status(hands, now).await?,
        last: entry.as_ref().and_then(|entry| entry.report.clone()),
        last_fault: entry.and_then(|entry| entry.fault),
    })
}

/// What the server said.
struct Seen {
    adopted: Option<bool>,
    provenance: Provenance,
    generation: i64,
    set_at: Option<i64>,
    now: Option<i64>,
    live: Live,
}

async fn server(hands: &Hands<'_>, entry: Option<&Entry>, credential: &Credential) -> Seen {
    let (outcome, session, said) = attempt(credential).await;
    let mut seen = Seen {
        adopted: None,
        provenance: Provenance::Unknown,
        generation: 0,
        set_at: None,
        now: None,
        live: Live {
            logs_in: match outcome {
                Login::Works => Some(true),
                Login::Refused => Some(false),
                Login::Unknown => None,
            },
            reason: (outcome != Login::Works).then_some(said),
            sessions: None,
            previous_sessions: None,
        },
    };
    let mut session = session;
    if session.is_none() && outcome == Login::Refused {
        // Somebody changed it. Who else may look says what the server holds instead.
        for other in hands.administrators().await.unwrap_or_default() {
            session = attempt(&other).await.1;
            if session.is_some() {
                break;
            }
        }
        if entry.is_some_and(|entry| entry.current.verifier.is_some()) {
            seen.provenance = Provenance::Changed;
        }
    }
    let Some(mut session) = session else { return seen };
    seen.now = clock(&mut session).await.ok();
    match ledger::slots(&mut session).await {
        Ok(slots) => {
            seen.adopted = Some(slots.iter().any(|slot| slot.kind == Kind::Slot));
            let live = ledger::credentials(&mut session).await.ok();
            let live = live.and_then(|all| all.into_iter().find(|one| one.role == credential.username));
            let slot = slots.into_iter().find(|slot| slot.role == credential.username);
            let made = entry.and_then(|entry| entry.current.verifier.as_ref());
            let made = made.map(|text| verifier::fingerprint(text.expose_secret()));
            let written = slot.as_ref().and_then(|slot| slot.fingerprint.clone());
            let generation = slot.as_ref().map_or(0, |slot| slot.generation);
            seen.generation = generation;
            seen.set_at = slot.and_then(|slot| slot.set_at);
            seen.provenance = match (live.and_then(|live| live.fingerprint), made, written) {
                (Some(live), Some(made), Some(written)) if live == made && live == written => {
                    Provenance::Ours
                }
                (Some(_), Some(_), _) => Provenance::Changed,
                (Some(live), None, Some(written)) if live == written => Provenance::Ours,
                (Some(_), None, Some(_)) => Provenance::Changed,
                (Some(_), None, None) => Provenance::Foreign,
                (None, _, _) => seen.provenance,
            };
            seen.live.sessions = count(&mut session, &credential.username).await;
            if let Some(previous) = entry.and_then(|entry| entry.previous.as_ref()) {
                seen.live.previous_sessions = count(&mut session, &previous.credential.username).await;
            }
        }
        Err(error) if observe::is_missing(&error) => {
            seen.adopted = Some(false);
            seen.provenance = Provenance::Foreign;
        }
        Err(error) => seen.live.reason = Some(error.to_string()),
    }
    logout(session).await;
    seen
}

/// What a promoted rotation waits for, in words.
async fn waits(hands: &Hands<'_>, entry: &Entry) -> Result<Option<String>, Fault> {
    let look = observe::look(hands, entry, false).await?;
    let patience = Patience { grace: hands.database.grace, quiet: hands.database.quiet };
    let step = next_step(&execute::written(entry, &look), &look.observed, &patience, look.now);
    execute::close(look).await;
    Ok(match step {
        Step::Wait { what, .. } => Some(waiting_for(what, entry)),
        _ => None,
    })
}

async fn administrator_status(hands: &Hands<'_>, now: i64) -> Result<Option<AdministratorStatus>, Fault> {
    let Some(configured) = administrator::configured(hands)? else { return Ok(None) };
    let name = administrator::entry_name(&hands.database.name);
    let entry = hands.journal.load(&name).await?;
    let entry = entry.filter(|entry| entry.current.credential.username == configured.username);
    let generation = entry.as_ref().map_or(0, Entry::generation);
    let set_at = entry.as_ref().and_then(|entry| entry.current.set_at);
    Ok(Some(AdministratorStatus {
        role: configured.username,
        generation,
        age: schedule::age(set_at, hands.database.maximum_password_age, &name, generation, now),
        state: entry.as_ref().map_or(State::Stable, |entry| entry.state),
        last: entry.and_then(|entry| entry.report),
    }))
}
