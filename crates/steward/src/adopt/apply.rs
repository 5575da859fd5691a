//! Carries a plan out: one transaction a step, each with a last look that nothing is lost.

use std::time::Duration;

use super::ask::Session;
use super::{Fault, Plan, Step};
use crate::Credential;
use crate::ledger::{Kind, Names};

/// Ownership wants an exclusive lock on each table. Whoever waits for one makes the application wait behind him, so he
/// waits for a short while only, several times.
const ATTEMPTS: u32 = 5;
const LIMITS: &str = "set local lock_timeout to '3s'; set local statement_timeout to 0; \
    set local search_path to pg_catalog, pg_temp";

/// Carries out a plan, and says who is who. Carrying it out twice, or after a crash, is fine: plan again first.
///
/// # Errors
/// [`Fault::Refused`] where the plan names obstacles; otherwise what the server says. Each database is changed wholly or
/// not at all; the ledger comes last.
pub async fn apply(administrator: &Credential, plan: &Plan) -> Result<Names, Fault> {
    if !plan.refusals.is_empty() {
        return Err(Fault::Refused(plan.refusals.clone()));
    }
    let last = plan.steps.len().saturating_sub(1);
    for (number, step) in plan.steps.iter().enumerate() {
        let roles_alone = number == 0 && last > 0;
        let check = (!roles_alone && plan.names.legacy_kind == Kind::Legacy).then_some((
            &*plan.names.legacy,
            &*plan.names.owner,
            number == last,
        ));
        carry_out(administrator, step, check).await?;
    }
    Ok(plan.names.clone())
}

/// Runs one step; `check` names the roles whose dependencies are compared before the commit, and whether those of the
/// whole cluster are, too.
pub(super) async fn carry_out(
    administrator: &Credential,
    step: &Step,
    check: Option<(&str, &str, bool)>,
) -> Result<(), Fault> {
    let mut attempt = 1;
    loop {
        let mut session = Session::open(administrator, &step.database).await?;
        let outcome = transaction(&mut session, step, check).await;
        // A session that is closed rolls back what it has not committed.
        session.close().await;
        match outcome {
            Err(Fault::Busy { .. }) if attempt < ATTEMPTS => {
                tokio::time::sleep(Duration::from_secs(attempt.into())).await;
                attempt += 1;
            }
            outcome => return outcome,
        }
    }
}

async fn transaction(
    session: &mut Session,
    step: &Step,
    check: Option<(&str, &str, bool)>,
) -> Result<(), Fault> {
    session.run("A transaction begins.", &format!("begin; {LIMITS}")).await?;
    for statement in &step.statements {
        session.run(&statement.sentence, &statement.sql).await?;
    }
    if let Some((from, to, shared)) = check {
        let left = session.missing(from, to, shared).await?;
        if !left.is_empty() {
            return Err(Fault::WouldBeLost { database: step.database.clone(), left });
        }
    }
    session.run("The transaction is committed.", "commit").await
}
