//! The end of an old credential, and the proof that it has ended.

use sqlx::PgConnection;

use super::deeds::taken;
use super::next_step::Login;
use super::observe::{attempt, count};
use super::{Fault, Hands, Proof, Report, State, administrator, trial};
use crate::connect::logout;
use crate::journal::{Entry, Held};
use crate::{Credential, delivery, ledger};

/// By the ledger's function, called by the new role.
pub(super) async fn retire(
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
pub(super) async fn retire_by_administrator(
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
