//! `portcullis database adopt` and `unadopt`: from one role to two that take turns, and back.

use super::{Context, one};
use crate::clock;
use crate::command_line::Where;
use crate::commands::{CommandError, Environment, print, print_json};
use crate::wiring::databases::{Kind, Managed, STORE};
use ::steward::Credential;
use ::steward::adopt::{self, Back, Options, Plan};
use ::steward::delivery::{self, Place};
use ::steward::rotation::Database;
use secrecy::ExposeSecret as _;
use serde_json::json;

/// Prepares a database; with `dry_run` it only says how.
pub async fn adopt(
    name: Option<&str>,
    dry_run: bool,
    audit_role: Option<String>,
    place: &Where,
    environment: &Environment,
) -> Result<(), CommandError> {
    let context = Context::open(place, environment).await?;
    let managed = one(&context.databases, name)?;
    let database = postgres(managed)?;
    let administrator = administrator(&context, managed, database).await?;
    let today = today(&context, managed, database).await?;
    let plan = adopt::plan(&administrator, &today, &Options { auditor: audit_role }).await.map_err(failed)?;
    if dry_run || !plan.refusals.is_empty() {
        shown(place, &managed.name, &plan, dry_run)?;
    }
    if !plan.refusals.is_empty() {
        return Err(CommandError::failed(format!(
            "database {} cannot be adopted before what stands in the way is gone; nothing was changed",
            managed.name
        )));
    }
    if dry_run {
        return Ok(());
    }
    let was_done = plan.is_done();
    let names = adopt::apply(&administrator, &plan).await.map_err(failed)?;
    // What is served from this database goes on; a step that another version would find undone is an error.
    let left = adopt::plan(&administrator, &today, &Options::default()).await.map_err(failed)?;
    context.store.close().await;
    if !left.steps.is_empty() {
        return Err(CommandError::failed(format!(
            "database {}: something new was made meanwhile; run `portcullis database adopt {}` again",
            managed.name, managed.name
        )));
    }
    if place.json {
        return print_json(&json!({
            "name": managed.name, "adopted": true, "changed": !was_done, "owner": names.owner,
            "slots": [names.slot_a, names.slot_b], "role": names.legacy, "notes": plan.notes,
        }));
    }
    let done = if was_done { "is adopted already" } else { "is adopted" };
    print(&format!(
        "{}: {done}: {} owns everything, {} and {} log in by turns, {} goes on until the first change\n{}next: portcullis \
         database rotate {} --now\n",
        managed.name,
        names.owner,
        names.slot_a,
        names.slot_b,
        names.legacy,
        notes(&plan),
        managed.name
    ));
    Ok(())
}

/// Gives everything back; with `dry_run` it only says how.
pub async fn unadopt(
    name: Option<&str>,
    dry_run: bool,
    place: &Where,
    environment: &Environment,
) -> Result<(), CommandError> {
    let context = Context::open(place, environment).await?;
    let managed = one(&context.databases, name)?;
    let database = postgres(managed)?;
    let administrator = administrator(&context, managed, database).await?;
    let today = today(&context, managed, database).await?;
    if dry_run {
        let plan = adopt::undo_plan(&administrator, &today).await.map_err(failed)?;
        return shown(place, &managed.name, &plan, true);
    }
    let target = database.secret.clone().ok_or_else(|| {
        CommandError::usage(format!(
            "database.{}.secret is missing: the role gets a new password, and somebody must get it",
            managed.name
        ))
    })?;
    let fresh = |message| CommandError { message, code: 70 };
    let back = Back {
        password: ::steward::verifier::password(clock::fresh().map_err(fresh)?),
        salt: clock::fresh().map_err(fresh)?,
    };
    let own = (managed.name == STORE).then(|| context.store.clone());
    let credential =
        adopt::undo(&administrator, &today, &back, |credential| deliver(target, credential, own))
            .await
            .map_err(failed)?;
    context.store.forget_rotations(&managed.name).await?;
    context.store.close().await;
    if place.json {
        return print_json(&json!({
            "name": managed.name, "adopted": false, "role": credential.username,
            "generation": credential.generation,
        }));
    }
    print(&format!(
        "{}: {} owns everything again and logs in with a new password, which was delivered\n",
        managed.name, credential.username
    ));
    Ok(())
}

async fn deliver(target: Place, credential: Credential, own: Option<store::Store>) -> Result<(), String> {
    delivery::deliver(&target, &credential).await.map_err(|fault| fault.to_string())?;
    let Some(store) = own else { return Ok(()) };
    // Before the roles that this process logs in with are gone.
    store.replace_credential(&credential.url(), &credential.password).await.map_err(|fault| fault.to_string())
}

fn postgres(managed: &Managed) -> Result<&Database, CommandError> {
    match &managed.kind {
        Kind::Postgres { database, .. } if managed.configured => Ok(database),
        Kind::Postgres { .. } => Err(CommandError::usage(
            "database.store is missing: add [[database]] with name = \"store\", an administrator, and store.secret_file",
        )),
        Kind::SqlCipher { .. } => Err(CommandError::usage(
            "the store is a SQLCipher file: it has a key and no roles; `portcullis database rotate store` changes the key",
        )),
    }
}

/// The administrator's credential: once its password was changed the journal's, since a variable stays as it was.
async fn administrator(
    context: &Context,
    managed: &Managed,
    database: &Database,
) -> Result<Credential, CommandError> {
    if let Some(steward) = context.steward.as_ref().filter(|_| database.administrator.is_some())
        && let Some(credential) = steward.administrator(&managed.name).await.map_err(super::failed)?
    {
        return Ok(credential);
    }
    let url = database.administrator.as_ref().ok_or_else(|| {
        CommandError::usage(format!(
            "database.{0}.administrator_file is missing: adoption makes roles, which only the role that the platform made \
             may do; write its URL, password and all, into a file (mode 0600), or name a variable, \
             administrator = \"env:NAME\"",
            database.name
        ))
    })?;
    Credential::from_url(url.expose_secret(), None)
        .map_err(|error| CommandError::usage(format!("database.{}.administrator: {error}", database.name)))
}

/// The credential in use: the journal's, else the configured one.
async fn today(
    context: &Context,
    managed: &Managed,
    database: &Database,
) -> Result<Credential, CommandError> {
    if let Some(steward) = &context.steward
        && let Some(credential) = steward.credential(&managed.name).await.map_err(super::failed)?
    {
        return Ok(credential);
    }
    Credential::from_url(&database.url, database.password.as_ref()).map_err(|error| {
        CommandError::usage(format!(
            "database.{0}: {error}; database.{0}.password_file names today's password",
            managed.name
        ))
    })
}

fn failed(fault: adopt::Fault) -> CommandError {
    CommandError::failed(fault.to_string())
}

fn shown(place: &Where, name: &str, plan: &Plan, dry_run: bool) -> Result<(), CommandError> {
    if place.json {
        let steps: Vec<_> = plan
            .steps
            .iter()
            .map(|step| {
                let statements: Vec<_> = step
                    .statements
                    .iter()
                    .map(|statement| json!({ "sentence": statement.sentence, "sql": statement.sql }))
                    .collect();
                json!({ "database": step.database, "statements": statements })
            })
            .collect();
        let refusals: Vec<_> = plan
            .refusals
            .iter()
            .map(|refusal| json!({ "what": refusal.what, "remedy": refusal.remedy }))
            .collect();
        return print_json(&json!({
            "name": name, "dry_run": dry_run, "steps": steps, "refusals": refusals, "notes": plan.notes,
        }));
    }
    let mut text = String::new();
    for step in &plan.steps {
        text.push_str(&format!("-- one transaction in database {}\n", step.database));
        for statement in &step.statements {
            text.push_str(&format!("-- {}\n{};\n", statement.sentence, statement.sql.trim_end_matches(';')));
        }
    }
    if plan.is_done() {
        text.push_str(&format!("{name}: nothing is to be done\n"));
    }
    for refusal in &plan.refusals {
        text.push_str(&format!("in the way: {refusal}\n"));
    }
    text.push_str(&notes(plan));
    if dry_run {
        text.push_str("nothing was changed\n");
    }
    print(&text);
    Ok(())
}

fn notes(plan: &Plan) -> String {
    plan.notes.iter().map(|note| format!("note: {note}\n")).collect()
}
