//! Looking: who can log in, what the ledger says, who is connected. Nothing is changed here.

use secrecy::ExposeSecret as _;
use sqlx::PgConnection;

use super::next_step::{Ledger, Login, Observed};
use super::{Fault, Hands, State};
use crate::connect::{APPLICATION_NAME, LoginFault, login, logout};
use crate::journal::{Entry, Held};
use crate::ledger::{self, Kind, LedgerError, Slot};
use crate::{Credential, verifier};

/// A node that gave no sign of life for so long, seconds, is not waited for.
const LATELY: i64 = 300;

/// What was seen, and the session through which it was.
pub(crate) struct Look {
    pub(crate) observed: Observed,
    /// A session that may call the ledger's functions for the next step.
    pub(crate) operator: Option<PgConnection>,
    /// The database's clock, Unix seconds; ours where there is no session.
    pub(crate) now: i64,
    /// The roles of the ledger.
    pub(crate) slots: Vec<Slot>,
    /// Its newest generation.
    pub(crate) newest: i64,
    /// Who was tried, and what the server said.
    pub(crate) tried: Vec<String>,
}

impl Look {
    pub(crate) fn owner(&self) -> Option<&str> {
        self.slots.iter().find(|slot| slot.kind == Kind::Owner).map(|slot| slot.role.as_str())
    }

    /// The slot that gets the next password: the one that is not in use and has waited longest.
    pub(crate) fn next_slot(&self, in_use: &str) -> Option<&Slot> {
        self.slots
            .iter()
            .filter(|slot| slot.kind == Kind::Slot && slot.role != in_use)
            .min_by_key(|slot| (slot.generation, slot.role.as_str()))
    }

    pub(crate) fn kind(&self, role: &str) -> Option<Kind> {
        self.slots.iter().find(|slot| slot.role == role).map(|slot| slot.kind)
    }
}

/// One login, and what it says of the credential.
pub(crate) async fn attempt(credential: &Credential) -> (Login, Option<PgConnection>, String) {
    match login(credential).await {
        Ok(session) => (Login::Works, Some(session), "logs in".to_owned()),
        Err(fault @ LoginFault::Refused { .. }) => (Login::Refused, None, fault.to_string()),
        Err(fault @ LoginFault::Unknown(_)) => (Login::Unknown, None, fault.to_string()),
    }
}

/// Looks at everything that the next step depends on.
pub(crate) async fn look(hands: &Hands<'_>, entry: &Entry, wanted: bool) -> Result<Look, Fault> {
    let mut look = Look {
        observed: Observed {
            wanted,
            operator: Login::Refused,
            current: Login::Unknown,
            pending: Login::Unknown,
            ledger: Ledger::Unknown,
            newer_sessions: None,
            previous_sessions: None,
            nodes_behind: nodes_behind(hands, entry).await?,
        },
        operator: None,
        now: (hands.clock)(),
        slots: Vec::new(),
        newest: 0,
        tried: Vec::new(),
    };
    let candidates = candidates(hands, entry).await?;
    for (place, credential) in candidates.iter().enumerate() {
        let (outcome, session, said) = attempt(credential).await;
        look.tried.push(format!("{}: {said}", credential.username));
        if place == 0 {
            look.observed.current = outcome;
        }
        look.observed.operator = better(look.observed.operator, outcome);
        if session.is_some() {
            look.operator = session;
            break;
        }
    }
    let newer = newer(entry);
    if let Some(operator) = &mut look.operator {
        look.now =
            clock(operator).await.map_err(|error| hands.database_fault("reading the clock", &error))?;
        look.slots = ledger::slots(operator)
            .await
            .map_err(|error| hands.ledger_fault("reading the ledger", &error))?;
        look.newest = look
            .slots
            .iter()
            .filter(|slot| slot.kind != Kind::Administrator)
            .map(|slot| slot.generation)
            .max()
            .ok_or_else(|| Fault::NotAdopted(hands.database.name.clone()))?;
        if let Some(newer) = newer {
            look.observed.ledger = ledger_of(newer, entry, &look.slots, look.newest);
            look.observed.newer_sessions = count(operator, &newer.credential.username).await;
        } else if look.newest > entry.generation() {
            look.observed.ledger = Ledger::Moved;
        }
        if let Some(previous) = &entry.previous {
            look.observed.previous_sessions = count(operator, &previous.credential.username).await;
        }
    }
    if let (State::Set | State::Tested, Some(pending)) = (entry.state, &entry.pending) {
        let (outcome, session, said) = attempt(&hands.at_configured(&pending.credential)?).await;
        look.tried.push(format!("{}: {said}", pending.credential.username));
        look.observed.pending = outcome;
        if let Some(session) = session {
            logout(session).await;
        }
    }
    Ok(look)
}

/// The credential that the rotation is about: the next one, or after promotion the current one.
fn newer(entry: &Entry) -> Option<&Held> {
    match entry.state {
        State::Stable => None,
        State::Prepared | State::Set | State::Tested => entry.pending.as_ref(),
        State::Promoted | State::Adopted => Some(&entry.current),
    }
}

fn ledger_of(newer: &Held, entry: &Entry, slots: &[Slot], newest: i64) -> Ledger {
    let generation = newer.credential.generation;
    let fingerprint = newer.verifier.as_ref().map(|text| verifier::fingerprint(text.expose_secret()));
    let ours = slots.iter().any(|slot| {
        slot.role == newer.credential.username
            && slot.generation == generation
            && fingerprint.is_some()
            && slot.fingerprint == fingerprint
    });
    if ours && newest == generation {
        Ledger::Ours
    } else if newest == entry.course.expects {
        Ledger::Before
    } else {
        Ledger::Moved
    }
}

/// Who may call the ledger, the credential in use first. Nobody calls it for the role as which it has logged in.
async fn candidates(hands: &Hands<'_>, entry: &Entry) -> Result<Vec<Credential>, Fault> {
    let mut all = vec![hands.at_configured(&entry.current.credential)?];
    if let (State::Promoted | State::Adopted, Some(previous)) = (entry.state, &entry.previous) {
        // Of use alone where the database went back to before the change.
        all.push(hands.at_configured(&previous.credential)?);
    } else if let Ok(configured) = hands.configured() {
        all.push(configured);
    }
    all.extend(hands.administrators().await?);
    let mut seen = std::collections::HashSet::new();
    all.retain(|credential| {
        seen.insert((credential.username.clone(), credential.password.expose_secret().to_owned()))
    });
    Ok(all)
}

async fn nodes_behind(hands: &Hands<'_>, entry: &Entry) -> Result<Option<u32>, Fault> {
    if !hands.database.own_store {
        return Ok(Some(0));
    }
    let since = (hands.clock)().saturating_sub(LATELY);
    let nodes = hands.store.nodes_since(&hands.database.name, since).await?;
    let behind = nodes.iter().filter(|node| node.generation < entry.generation()).count();
    Ok(u32::try_from(behind).ok())
}

/// Sessions of a role, the steward's own excluded; none where they cannot be counted. By columns that every role may read
/// of every session: most others are NULL without `pg_read_all_stats`, and a filter on them would count 0 and lie.
/// Background workers that run under a superuser's name have no database.
pub(crate) async fn count(operator: &mut PgConnection, role: &str) -> Option<i64> {
    const TEXT: &str = "select count(*) from pg_stat_activity where usename = $1 and pid <> pg_backend_pid() \
         and datid is not null and application_name is distinct from $2";
    sqlx::query_scalar(TEXT).bind(role).bind(APPLICATION_NAME).fetch_one(operator).await.ok()
}

/// The database's clock, Unix seconds.
pub(crate) async fn clock(session: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select floor(extract(epoch from clock_timestamp()))::bigint").fetch_one(session).await
}

fn better(one: Login, other: Login) -> Login {
    match (one, other) {
        (Login::Works, _) | (_, Login::Works) => Login::Works,
        (Login::Unknown, _) | (_, Login::Unknown) => Login::Unknown,
        (Login::Refused, Login::Refused) => Login::Refused,
    }
}

/// Whether this says that there is no ledger at all.
pub(crate) fn is_missing(error: &LedgerError) -> bool {
    matches!(error, LedgerError::Missing)
}
