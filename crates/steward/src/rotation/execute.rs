//! The hands: each step is done and then written down, so that a crash in between is a step that is done again.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::PgConnection;
use store::Store;

use super::fault_point::reach;
use super::next_step::{Halt, Patience, Step, Waiting, Written, next_step};
use super::observe::{self, Look, attempt, count, look};
use super::{
    Clock, Database, Fault, Fresh, Progress, Proof, Report, State, StepTaken, Ticked, administrator,
    schedule, trial,
};
use crate::connect::logout;
use crate::journal::{Entry, Held, Journal};
use crate::ledger::{self, Kind, LedgerError};
use crate::{Credential, delivery, sql, verifier};

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

/// All that steps need.
pub(crate) struct Hands<'a> {
    pub(crate) database: &'a Database,
    pub(crate) journal: &'a Journal,
    pub(crate) store: &'a Store,
    pub(crate) clock: &'a Clock,
    pub(crate) fresh: &'a Fresh,
    pub(crate) progress: &'a (dyn Fn(&Progress) + Send + Sync),
    /// Of one process only one hand delivers at a time.
    pub(crate) delivering: &'a tokio::sync::Mutex<()>,
}

impl Hands<'_> {
    /// The configured URL and password.
    pub(crate) fn configured(&self) -> Result<Credential, Fault> {
        Credential::from_url(&self.database.url, self.database.password.as_ref()).map_err(|error| {
            Fault::Configuration { name: self.database.name.clone(), reason: error.to_string() }
        })
    }

    /// A journal's credential at the place that the configuration names today: databases move.
    pub(crate) fn at_configured(&self, credential: &Credential) -> Result<Credential, Fault> {
        let none = SecretString::from(String::new());
        let today = Credential::from_url(&self.database.url, Some(&none)).map_err(|error| {
            Fault::Configuration { name: self.database.name.clone(), reason: error.to_string() }
        })?;
        Ok(Credential {
            username: credential.username.clone(),
            password: credential.password.clone(),
            generation: credential.generation,
            ..today
        })
    }

    /// The administrator's credentials at this database: the journal's, then the configured one.
    pub(crate) async fn administrators(&self) -> Result<Vec<Credential>, Fault> {
        let mut all = Vec::new();
        if let Some(entry) = self.journal.load(&administrator::entry_name(&self.database.name)).await? {
            for held in [Some(&entry.current), entry.pending.as_ref()].into_iter().flatten() {
                all.push(self.at_configured(&held.credential)?);
            }
        }
        if let Some(configured) = administrator::configured(self)? {
            all.push(self.at_configured(&configured)?);
        }
        Ok(all)
    }

    pub(crate) fn database_fault(&self, doing: &'static str, error: &sqlx::Error) -> Fault {
        let name = self.database.name.clone();
        match error.as_database_error() {
            Some(inner) => {
                let code = inner.code().unwrap_or_default();
                Fault::Database { name, doing, reason: format!("{code} {}", inner.message()) }
            }
            None => Fault::Unreachable { name, reason: sql::reason(error) },
        }
    }

    pub(crate) fn ledger_fault(&self, doing: &'static str, error: &LedgerError) -> Fault {
        let name = self.database.name.clone();
        if observe::is_missing(error) {
            Fault::NotAdopted(name)
        } else {
            Fault::Database { name, doing, reason: error.to_string() }
        }
    }

    fn say(&self, entry: &Entry, text: impl Into<String>) {
        let role = entry.pending.as_ref().unwrap_or(&entry.current).credential.username.clone();
        let done = u32::try_from(entry.course.steps.len()).unwrap_or(Progress::STEPS).min(Progress::STEPS);
        (self.progress)(&Progress { role, state: entry.state, done, text: text.into() });
    }

    /// The journal's entry; its first one is made from the configured credential, which must log in.
    pub(crate) async fn entry(&self) -> Result<Entry, Fault> {
        if let Some(entry) = self.journal.load(&self.database.name).await? {
            return Ok(entry);
        }
        let name = self.database.name.clone();
        let mut credential = self.configured()?;
        let (outcome, session, said) = attempt(&credential).await;
        let Some(mut session) = session else {
            return Err(match outcome {
                super::next_step::Login::Refused => {
                    Fault::LockedOut { name, tried: format!("{}: {said}", credential.username) }
                }
                _ => Fault::Unreachable { name, reason: said },
            });
        };
        let slots = ledger::slots(&mut session).await;
        logout(session).await;
        let slots = slots.map_err(|error| self.ledger_fault("reading the ledger", &error))?;
        if !slots.iter().any(|slot| slot.kind == Kind::Slot) {
            return Err(Fault::NotAdopted(name));
        }
        let slot = slots.iter().find(|slot| slot.role == credential.username);
        credential.generation = slot.map_or(0, |slot| slot.generation);
        let set_at = slot.and_then(|slot| slot.set_at);
        self.journal.begin(&name, &Held { credential, verifier: None, set_at }, (self.clock)()).await
    }
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
                return Err(fault);
            }
            step => act(hands, entry, look, step).await?,
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

fn taken(entry: &mut Entry, step: &str, at: i64, begun: Option<tokio::time::Instant>) {
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

fn prepare(hands: &Hands<'_>, next: &mut Entry, look: &Look) -> Result<(), Fault> {
    let slot = look
        .next_slot(&next.current.credential.username)
        .ok_or_else(|| Fault::NotAdopted(hands.database.name.clone()))?;
    let generation = next.generation().max(look.newest) + 1;
    let like = hands.at_configured(&next.current.credential)?;
    next.pending = Some(fresh_credential(hands.fresh, &like, &slot.role, generation)?);
    next.state = State::Prepared;
    next.course = crate::journal::Course { expects: look.newest, ..Default::default() };
    taken(next, "prepared", look.now, None);
    Ok(())
}

/// The ledger's function, with the verifier that stands in the journal: the same one at every retry.
async fn set(hands: &Hands<'_>, next: &mut Entry, operator: Option<&mut PgConnection>) -> Result<(), Fault> {
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

async fn test(
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

fn promote(next: &mut Entry, now: i64) {
    if let Some(pending) = next.pending.take() {
        next.previous = Some(std::mem::replace(&mut next.current, pending));
        next.state = State::Promoted;
        taken(next, "promoted", now, None);
    }
}

async fn deliver(
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
    next.course.delivered_at = Some(now);
    next.course.quiet_since = None;
    taken(next, "delivered", now, Some(begun));
    Ok(())
}

/// To its place, and for our own store into our own pool.
pub(crate) async fn hand_over(hands: &Hands<'_>, credential: &Credential) -> Result<(), Fault> {
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

async fn retire(
    hands: &Hands<'_>,
    next: &mut Entry,
    operator: Option<&mut PgConnection>,
    now: i64,
    begun: tokio::time::Instant,
) -> Result<(), Fault> {
    let (Some(previous), Some(operator)) = (next.previous.clone(), operator) else {
        return Err(Fault::Overtaken(hands.database.name.clone()));
    };
    if !holds_current(hands, next).await? {
        return Ok(());
    }
    let role = previous.credential.username.clone();
    let ended = ledger::retire(operator, &role, previous.credential.generation).await;
    let ended = ended.map_err(|error| hands.ledger_fault("retiring the old role", &error))?;
    next.course.terminated += i64::from(ended);
    let left = count(operator, &role).await;
    finish(hands, next, &previous, left, now, begun).await
}

/// Where today's role is the platform's own, its next password is what ends the old one.
async fn retire_by_administrator(
    hands: &Hands<'_>,
    next: &mut Entry,
    now: i64,
    begun: tokio::time::Instant,
) -> Result<(), Fault> {
    let Some(previous) = next.previous.clone() else {
        return Err(Fault::Overtaken(hands.database.name.clone()));
    };
    if !holds_current(hands, next).await? {
        return Ok(());
    }
    let old = hands.at_configured(&previous.credential)?;
    if attempt_refused(hands, &old).await?.is_none() {
        administrator::rotate(hands, true).await?;
    }
    let (_, session, said) = attempt(&hands.at_configured(&next.current.credential)?).await;
    let Some(mut session) = session else {
        return Err(Fault::NotProven { name: hands.database.name.clone(), reason: said });
    };
    let left = count(&mut session, &previous.credential.username).await;
    logout(session).await;
    finish(hands, next, &previous, left, now, begun).await
}

/// Before the old one ends, the place must hold the current one: a slow colleague may have written an older one since.
/// False: it did not, and is delivered and waited for again.
async fn holds_current(hands: &Hands<'_>, next: &mut Entry) -> Result<bool, Fault> {
    let Some(place) = &hands.database.secret else { return Ok(true) };
    let there = delivery::read_back(place)
        .await
        .map_err(|fault| Fault::Delivery { name: hands.database.name.clone(), reason: fault.to_string() })?;
    let holds = there.is_none_or(|there| trial::same_password(&there, &next.current.credential));
    if !holds {
        next.state = State::Promoted;
        next.course.delivered_at = None;
        next.course.quiet_since = None;
    }
    Ok(holds)
}

/// The proof at the end, and the report. What could not be shown is a fault: nothing is silently fine.
async fn finish(
    hands: &Hands<'_>,
    next: &mut Entry,
    previous: &Held,
    left: Option<i64>,
    now: i64,
    begun: tokio::time::Instant,
) -> Result<(), Fault> {
    let not_proven = |reason: String| Fault::NotProven { name: hands.database.name.clone(), reason };
    let role = &previous.credential.username;
    let said = attempt_refused(hands, &hands.at_configured(&previous.credential)?).await?;
    let said =
        said.ok_or_else(|| not_proven(format!("the old password of {role} still logs in: see pg_hba.conf")))?;
    next.course.proofs.push(Proof { what: format!("a login with the old password of {role}"), seen: said });
    match left {
        Some(0) => {
            next.course.proofs.push(Proof { what: format!("sessions of {role}"), seen: "none".to_owned() })
        }
        Some(left) => return Err(not_proven(format!("{left} sessions of {role} are left"))),
        None => return Err(not_proven(format!("the sessions of {role} could not be counted"))),
    }
    let current = hands.at_configured(&next.current.credential)?;
    let (_, session, said) = attempt(&current).await;
    let Some(session) = session else {
        return Err(not_proven(format!(
            "the new credential of {} does not log in: {said}",
            current.username
        )));
    };
    logout(session).await;
    let what = format!("a login with the new password of {}", current.username);
    next.course.proofs.push(Proof { what, seen: "logs in".to_owned() });

    taken(next, "retired", now, Some(begun));
    next.state = State::Stable;
    let course = &next.course;
    next.report = Some(Report {
        generation: current.generation,
        from: role.clone(),
        to: current.username,
        started_at: course.steps.first().map_or(now, |step| step.at),
        finished_at: now,
        steps: course.steps.clone(),
        sessions_drained: course.drained,
        sessions_terminated: course.terminated,
        failed_requests: None,
        proofs: course.proofs.clone(),
    });
    Ok(())
}

/// The refusal's words; none where the credential still logs in; a fault where nobody can say.
pub(crate) async fn attempt_refused(
    hands: &Hands<'_>,
    credential: &Credential,
) -> Result<Option<String>, Fault> {
    use super::next_step::Login;
    match attempt(credential).await {
        (Login::Refused, _, said) => Ok(Some(said)),
        (Login::Works, session, _) => {
            if let Some(session) = session {
                logout(session).await;
            }
            Ok(None)
        }
        (Login::Unknown, _, said) => Err(Fault::NotProven {
            name: hands.database.name.clone(),
            reason: format!("whether the old password of {} is refused: {said}", credential.username),
        }),
    }
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
                && look.observed.operator == super::next_step::Login::Works =>
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
                     database"
                .to_owned(),
        },
    }
}
