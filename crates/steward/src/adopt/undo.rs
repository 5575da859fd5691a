//! Gives an adopted database back to the role that it had before, with a new password.

use std::future::Future;

use secrecy::SecretString;

use super::ask::Session;
use super::refuse;
use super::{Fault, Plan, Step, apply, plan};
use crate::Credential;
use crate::ledger::{self, Kind, Names, ROTATOR, Server, Statement};
use crate::sql::{identifier, literal};
use crate::verifier::verifier;

/// How often sessions of the slots are ended, for logins that were under way.
const PASSES: usize = 5;

/// The former role's new password, made by the caller from fresh randomness.
#[derive(Debug)]
pub struct Back {
    /// 256 random bits.
    pub password: SecretString,
    /// The salt of its verifier.
    pub salt: [u8; 16],
}

/// What [`undo`] would do, for a person to read; changes nothing. `today` names the database and any of its roles.
///
/// # Errors
/// [`Fault::NotAdopted`], or what the server says.
pub async fn undo_plan(administrator: &Credential, today: &Credential) -> Result<Plan, Fault> {
    let (mut home, server, names) = adopted(administrator, today).await?;
    let mut steps = Vec::new();
    for database in databases(&mut home, &names).await? {
        let mut session = Session::open(administrator, &database).await?;
        let mut statements = hand_back(&mut session, &names, false).await?;
        statements.push(drop_owned(&names));
        steps.push(Step { database, statements });
        session.close().await;
    }
    let mut last = between(&names, &server, true);
    last.extend(hand_back(&mut home, &names, true).await?);
    last.extend(settings_back(&mut home, &names).await?);
    if names.legacy_kind == Kind::Legacy {
        last.push(Statement::new(
            format!(
                "{} logs in again, with a new password that is delivered before anything else happens.",
                names.legacy
            ),
            LOGIN_AGAIN.replace("$role$", &literal(&names.legacy)),
        ));
    }
    last.extend(away(&names, &server));
    last.extend(borrowed(&mut home, &server, &names).await?);
    steps.push(Step { database: today.database.clone(), statements: last });
    home.close().await;
    Ok(Plan { names, home: today.database.clone(), refusals: Vec::new(), notes: Vec::new(), steps })
}

/// Gives everything back. `deliver` gets the credential that works from then on and brings it to where the application
/// reads it; only after it has succeeded do the slots go. The former role gets a new password; the platform's own role
/// keeps its password, and its credential is delivered. Safe to repeat after any fault.
///
/// # Errors
/// [`Fault::Delivery`] where `deliver` fails: both credentials work then. Otherwise what the server says.
pub async fn undo<D, F>(
    administrator: &Credential,
    today: &Credential,
    back: &Back,
    deliver: D,
) -> Result<Credential, Fault>
where
    D: FnOnce(Credential) -> F,
    F: Future<Output = Result<(), String>>,
{
    let (mut home, server, names) = adopted(administrator, today).await?;
    let others = databases(&mut home, &names).await?;
    let borrowed = borrowed(&mut home, &server, &names).await?;
    let newest = ledger::newest_generation(&mut home.connection).await.unwrap_or(0);
    let generation = newest.max(today.generation).saturating_add(1);

    let credential = if names.legacy_kind == Kind::Legacy {
        // Running sessions of the slots act as the owner role, which now inherits from the former role: they go on.
        let flip = Step { database: today.database.clone(), statements: between(&names, &server, false) };
        apply::carry_out(administrator, &flip, None).await?;
        for database in &others {
            move_back(administrator, database, &names, false).await?;
        }
        move_back(administrator, &today.database, &names, true).await?;
        log_in_again(&mut home, &names, back).await?;
        Credential {
            username: names.legacy.clone(),
            password: back.password.clone(),
            generation,
            ..today.clone()
        }
    } else {
        Credential { database: today.database.clone(), generation, ..administrator.clone() }
    };
    deliver(credential.clone()).await.map_err(Fault::Delivery)?;

    end_sessions(&mut home, &names).await?;
    for database in &others {
        drop_in(administrator, database, &names).await?;
    }
    let mut session = Session::open(administrator, &today.database).await?;
    let mut statements = between(&names, &server, true);
    statements.extend(hand_back(&mut session, &names, true).await?);
    statements.extend(settings_back(&mut session, &names).await?);
    session.close().await;
    statements.extend(away(&names, &server));
    statements.extend(borrowed);
    apply::carry_out(administrator, &Step { database: today.database.clone(), statements }, None).await?;
    home.close().await;
    Ok(credential)
}

/// The names, from the ledger; or from the mark, where an adoption stopped before its ledger.
async fn adopted(administrator: &Credential, today: &Credential) -> Result<(Session, Server, Names), Fault> {
    let mut home = Session::open(administrator, &today.database).await?;
    let server = Server::look(&mut home.connection).await?;
    if let Some(names) = plan::names_in_ledger(&mut home.connection, &today.username).await? {
        return Ok((home, server, names));
    }
    let names = Names::of(&today.username, Kind::Legacy)?;
    let mark: Option<String> =
        sqlx::query_scalar("select shobj_description(oid, 'pg_authid') from pg_roles where rolname = $1")
            .bind(&names.owner)
            .fetch_optional(&mut home.connection)
            .await
            .map_err(|error| home.fault("A look at the owner role.", &error))?
            .flatten();
    if mark.as_deref() == Some(&*refuse::mark(&names, &today.database)) {
        Ok((home, server, names))
    } else {
        Err(Fault::NotAdopted)
    }
}

async fn databases(home: &mut Session, names: &Names) -> Result<Vec<String>, Fault> {
    home.databases(&[&names.owner, &names.slot_a, &names.slot_b]).await
}

/// Who belongs to whom while both credentials work; `last`: nobody to anybody of ours.
fn between(names: &Names, server: &Server, last: bool) -> Vec<Statement> {
    let (owner, legacy) = (identifier(&names.owner), identifier(&names.legacy));
    let mut all = Vec::new();
    if !server.superuser {
        let mut grants: Vec<String> = [&names.owner, &names.slot_a, &names.slot_b]
            .into_iter()
            .map(|role| ledger::as_member(server, role, &server.administrator))
            .collect();
        if names.legacy != server.administrator {
            grants.push(ledger::as_member(server, &names.legacy, &server.administrator));
        }
        all.push(Statement::new(
            format!("{} acts as the roles, to give back what they own.", server.administrator),
            grants.join(";\n"),
        ));
    }
    if names.legacy_kind == Kind::Legacy {
        all.push(if last {
            Statement::new(
                format!("{} does not belong to {} any more.", names.owner, names.legacy),
                format!("revoke {owner} from {legacy};\nrevoke {legacy} from {owner}"),
            )
        } else {
            let options =
                if server.memberships_have_options() { " with inherit true, set false" } else { "" };
            Statement::new(
                format!("{} belongs to {} instead of the other way round.", names.owner, names.legacy),
                format!("revoke {owner} from {legacy};\ngrant {legacy} to {owner}{options}"),
            )
        });
    }
    all
}

/// Ownership and rights of the owner role and the slots, back to the former role.
async fn hand_back(session: &mut Session, names: &Names, home: bool) -> Result<Vec<Statement>, Fault> {
    let mut all = Vec::new();
    let legacy = &names.legacy;
    let ours = [&names.owner, &names.slot_a, &names.slot_b];
    for role in ours {
        if session.owns(role, home).await? {
            all.push(Statement::new(
                format!("Everything that {role} owns in database {} belongs to {legacy}.", session.database),
                format!("reassign owned by {} to {}", identifier(role), identifier(legacy)),
            ));
        }
    }
    for role in ours {
        all.extend(session.rights(role, legacy, home, true).await?);
    }
    if names.legacy_kind == Kind::Legacy && home {
        all.extend(session.memberships(&names.owner, legacy).await?);
    }
    Ok(all)
}

async fn move_back(
    administrator: &Credential,
    database: &str,
    names: &Names,
    home: bool,
) -> Result<(), Fault> {
    let mut session = Session::open(administrator, database).await?;
    let statements = hand_back(&mut session, names, home).await?;
    session.close().await;
    apply::carry_out(administrator, &Step { database: database.to_owned(), statements }, None).await
}

/// Again what was made in between, the last look, and then the rights of our roles go.
async fn drop_in(administrator: &Credential, database: &str, names: &Names) -> Result<(), Fault> {
    move_back(administrator, database, names, false).await?;
    let step = Step { database: database.to_owned(), statements: vec![drop_owned(names)] };
    apply::carry_out(administrator, &step, None).await
}

/// Refuses to run where any of the roles still owns a thing: DROP OWNED would drop it.
fn drop_owned(names: &Names) -> Statement {
    let ours = [&names.owner, &names.slot_a, &names.slot_b];
    let list = ours.map(|name| identifier(name)).join(", ");
    let literals = ours.map(|name| literal(name)).join(", ");
    let text = include_str!("drop_owned.sql")
        .replace("$roles$", &literals)
        .replace("$legacy$", &literal(&names.legacy));
    Statement::new(
        format!(
            "The rights of {list} in this database go; whatever they own or {} lacks stops this.",
            names.legacy
        ),
        format!("{text};\ndrop owned by {list}"),
    )
}

/// The settings that adoption changed on the former role.
async fn settings_back(session: &mut Session, names: &Names) -> Result<Vec<Statement>, Fault> {
    if names.legacy_kind != Kind::Legacy {
        return Ok(Vec::new());
    }
    let there: bool = sqlx::query_scalar("select to_regclass('portcullis.reversal') is not null")
        .fetch_one(&mut session.connection)
        .await
        .map_err(|error| session.fault("A look at the ledger.", &error))?;
    let mut all = Vec::new();
    if there {
        let texts: Vec<String> = sqlx::query_scalar("select sql from portcullis.reversal order by sql")
            .fetch_all(&mut session.connection)
            .await
            .map_err(|error| session.fault("A look at the ledger.", &error))?;
        all.extend(texts.into_iter().map(|text| Statement::new("A search path as it was.", text)));
    }
    all.push(Statement::new(
        format!("Sessions of {} act as themselves.", names.legacy),
        format!("alter role {} reset role", identifier(&names.legacy)),
    ));
    Ok(all)
}

/// The verifier comes from a setting of the transaction, which was set by a bound parameter: no text holds it.
const LOGIN_AGAIN: &str = "do $portcullis$ begin
    execute format('alter role %I login password %L valid until ''infinity''', $role$, current_setting('portcullis.verifier'));
end $portcullis$";

async fn log_in_again(home: &mut Session, names: &Names, back: &Back) -> Result<(), Fault> {
    let settings = settings_back(home, names).await?;
    home.run("A transaction begins.", "begin").await?;
    let outcome = async {
        sqlx::query("select set_config('portcullis.verifier', $1, true)")
            .bind(verifier(&back.password, back.salt))
            .execute(&mut home.connection)
            .await
            .map_err(|error| home.fault("The verifier is handed over.", &error))?;
        let text = LOGIN_AGAIN.replace("$role$", &literal(&names.legacy));
        home.run(&format!("{} logs in again.", names.legacy), &text).await?;
        for statement in settings {
            home.run(&statement.sentence, &statement.sql).await?;
        }
        home.run("The transaction is committed.", "commit").await
    }
    .await;
    if outcome.is_err() {
        // The session may be broken; then it is rolled back anyway.
        let _ = home.run("The transaction is rolled back.", "rollback").await;
    }
    outcome
}

async fn end_sessions(home: &mut Session, names: &Names) -> Result<(), Fault> {
    let slots = [names.slot_a.clone(), names.slot_b.clone()];
    for slot in &slots {
        home.run(
            "The slots log in no more.",
            &format!("alter role {} nologin password null", identifier(slot)),
        )
        .await?;
    }
    for _ in 0..PASSES {
        const TEXT: &str = "select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity \
            where usename = any ($1) and pid <> pg_backend_pid()";
        let ended: i64 = sqlx::query_scalar(TEXT)
            .bind(&slots[..])
            .fetch_one(&mut home.connection)
            .await
            .map_err(|error| home.fault("Sessions of the slots end.", &error))?;
        if ended == 0 {
            return Ok(());
        }
    }
    Err(Fault::Busy { database: home.database.clone(), reason: "sessions of the slots do not end".into() })
}

/// Takes back the membership in the former role that an administrator without superuser's rights needs meanwhile.
async fn borrowed(home: &mut Session, server: &Server, names: &Names) -> Result<Option<Statement>, Fault> {
    let own = server.superuser || names.legacy == server.administrator;
    if own || plan::may_act_as(home, &names.legacy).await? {
        return Ok(None);
    }
    let (legacy, administrator) = (identifier(&names.legacy), identifier(&server.administrator));
    Ok(Some(Statement::new(
        format!("{} does not act as {} any more.", server.administrator, names.legacy),
        format!("revoke {legacy} from {administrator}{}", ledger::own_grant(server)),
    )))
}

/// The ledger and the roles.
fn away(names: &Names, server: &Server) -> Vec<Statement> {
    let legacy = identifier(&names.legacy);
    let ours = [&names.owner, &names.slot_a, &names.slot_b].map(|name| identifier(name)).join(", ");
    let mut all =
        vec![Statement::new("The schema portcullis goes.", "drop schema if exists portcullis cascade")];
    all.push(drop_owned(names));
    if names.legacy_kind == Kind::Legacy && server.rotator_exists {
        all.push(Statement::new(
            format!("{ROTATOR} may not change {} any more.", names.legacy),
            format!("revoke {legacy} from {ROTATOR}"),
        ));
    }
    all.push(Statement::new(format!("The roles {ours} go."), format!("drop role {ours}")));
    if server.rotator_exists {
        all.push(Statement::new(
            format!("{ROTATOR} goes, where no other database needs it."),
            include_str!("drop_rotator.sql").replace("$rotator$", &literal(ROTATOR)),
        ));
    }
    all
}
