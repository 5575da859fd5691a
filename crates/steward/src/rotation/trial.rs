//! The trial of a new role before anybody gets it: it logs in, a wrong password does not, it may do all that the old one
//! may, and what it makes belongs to the owner role.

use secrecy::ExposeSecret as _;
use sqlx::{Connection as _, PgConnection, Row as _};

use super::next_step::Login;
use super::observe::attempt;
use super::{Hands, Proof};
use crate::connect::logout;
use crate::{Credential, sql, verifier};

/// What the old role may do and this session's role may not; `$1` is the old role. Of a superuser, who may do everything,
/// only what it owns counts.
const LOST: &str = "
with old as (select oid, rolname, rolsuper from pg_roles where rolname = $1),
     spaces as (select oid, nspname, nspowner from pg_namespace
                 where nspname !~ '^pg_' and nspname not in ('information_schema', 'portcullis'))
select what from (
    select format('%s on the table %s', p, c.oid::regclass) as what
      from old, spaces n join pg_class c on c.relnamespace = n.oid and c.relkind in ('r', 'p', 'v', 'm', 'f'),
           unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p
     where (not rolsuper or c.relowner = old.oid)
       and has_table_privilege(old.oid, c.oid, p) and not has_table_privilege(c.oid, p)
    union all
    select format('%s on the sequence %s', p, c.oid::regclass)
      from old, spaces n join pg_class c on c.relnamespace = n.oid and c.relkind = 'S',
           unnest(array['USAGE', 'SELECT', 'UPDATE']) p
     where (not rolsuper or c.relowner = old.oid)
       and has_sequence_privilege(old.oid, c.oid, p) and not has_sequence_privilege(c.oid, p)
    union all
    select format('EXECUTE on the function %s', f.oid::regprocedure)
      from old, spaces n join pg_proc f on f.pronamespace = n.oid
     where (not rolsuper or f.proowner = old.oid)
       and has_function_privilege(old.oid, f.oid, 'EXECUTE') and not has_function_privilege(f.oid, 'EXECUTE')
    union all
    select format('%s on the schema %I', p, n.nspname)
      from old, spaces n, unnest(array['USAGE', 'CREATE']) p
     where (not rolsuper or n.nspowner = old.oid)
       and has_schema_privilege(old.oid, n.oid, p) and not has_schema_privilege(n.oid, p)
    union all
    select format('%s on the database %I', p, d.datname)
      from old, pg_database d, unnest(array['CONNECT', 'CREATE', 'TEMPORARY']) p
     where d.datname = current_database() and not rolsuper
       and has_database_privilege(old.oid, d.oid, p) and not has_database_privilege(d.oid, p)
) lost order by what limit 6";

/// Everything at once. `Err` is the reason, with its remedy.
pub(crate) async fn trial(
    hands: &Hands<'_>,
    old_role: &str,
    owner: &str,
    new: &Credential,
) -> Result<Vec<Proof>, String> {
    let (_, session, said) = attempt(new).await;
    let Some(mut session) = session else { return Err(format!("it does not log in: {said}")) };
    let outcome = inside(&mut session, old_role, owner, new).await;
    logout(session).await;
    let mut proofs = outcome?;

    let mut fresh = [0; 32];
    (hands.fresh)(&mut fresh).map_err(|fault| fault.to_string())?;
    let wrong = Credential { password: verifier::password(fresh), ..new.clone() };
    match attempt(&wrong).await {
        (Login::Refused, _, said) => proofs.push(proof("a login with a wrong password", said)),
        (Login::Works, session, _) => {
            if let Some(session) = session {
                logout(session).await;
            }
            return Err("a wrong password logs in: a line of pg_hba.conf says `trust` for it; make it \
                        `scram-sha-256` and reload"
                .to_owned());
        }
        (Login::Unknown, _, said) => {
            return Err(format!("whether a wrong password is refused: could not tell: {said}"));
        }
    }
    Ok(proofs)
}

async fn inside(
    session: &mut PgConnection,
    old_role: &str,
    owner: &str,
    new: &Credential,
) -> Result<Vec<Proof>, String> {
    let failed = |error: sqlx::Error| sql::reason(&error);
    let mut proofs = Vec::new();
    let row = sqlx::query(
        "select session_user::text, current_user::text, current_setting('server_version_num')::integer, \
                current_setting('transaction_read_only')",
    )
    .fetch_one(&mut *session)
    .await
    .map_err(failed)?;
    let (who, acts_as, version): (String, String, i32) = (row.get(0), row.get(1), row.get(2));
    if row.get::<String, _>(3) == "on" {
        return Err("the server takes no writes now: a standby, or default_transaction_read_only".to_owned());
    }
    if who != new.username {
        return Err(format!("the session is {who}'s: a pooler or a map stands between"));
    }
    if acts_as != owner {
        return Err(format!("it acts as {acts_as} and not as {owner}: ALTER ROLE {who} SET role = {owner}"));
    }
    proofs.push(proof("a login with the new password", format!("session of {who}, acting as {acts_as}")));
    // PostgreSQL 16 says by which method; before that, the wrong password is the evidence.
    if version >= 160_000 {
        let method: Option<String> =
            sqlx::query_scalar("select system_user").fetch_one(&mut *session).await.map_err(failed)?;
        if method.as_deref() != Some(&format!("scram-sha-256:{who}")) {
            return Err(format!("it was let in as {method:?} and not by scram-sha-256: see pg_hba.conf"));
        }
        proofs.push(proof("SYSTEM_USER", method.unwrap_or_default()));
    }

    let lost: Vec<String> =
        sqlx::query_scalar(LOST).bind(old_role).fetch_all(&mut *session).await.map_err(failed)?;
    if !lost.is_empty() {
        return Err(format!("{old_role} may, and it may not: {}; grant that to {owner}", lost.join(", ")));
    }
    proofs.push(proof("rights beside those of the old role", format!("none of {old_role}'s is missing")));
    proofs.push(read_and_write(session, owner, new.generation).await?);
    Ok(proofs)
}

/// A table that exists for the length of one transaction, which is rolled back.
async fn read_and_write(session: &mut PgConnection, owner: &str, generation: i64) -> Result<Proof, String> {
    let failed = |error: sqlx::Error| format!("read and write: {}", sql::reason(&error));
    let mut transaction = session.begin().await.map_err(failed)?;
    let schema: Option<String> =
        sqlx::query_scalar("select current_schema() where has_schema_privilege(current_schema(), 'CREATE')")
            .fetch_optional(&mut *transaction)
            .await
            .map_err(failed)?
            .flatten();
    // An application without the right to make tables gets a temporary one.
    let place = schema.as_ref().map_or_else(|| "pg_temp".to_owned(), |schema| sql::identifier(schema));
    let table = format!("{place}.portcullis_trial_{generation}");
    for statement in [
        format!("create table {table} (word text)"),
        format!("insert into {table} values ('one'), ('two')"),
        format!("update {table} set word = 'three' where word = 'two'"),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut *transaction).await.map_err(failed)?;
    }
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "select count(*), (select pg_get_userbyid(relowner)::text from pg_class where oid = '{table}'::regclass) \
         from {table} where word in ('one', 'three')"
    )))
    .fetch_one(&mut *transaction)
    .await
    .map_err(failed)?;
    let (rows, made_by): (i64, Option<String>) = (row.get(0), row.get(1));
    transaction.rollback().await.map_err(failed)?;
    if rows != 2 {
        return Err(format!("read and write: 2 rows were written and {rows} read"));
    }
    if made_by.as_deref() != Some(owner) {
        return Err(format!("what it makes belongs to {made_by:?} and not to {owner}"));
    }
    Ok(proof("a table made, written, read and rolled back", format!("in {place}, owned by {owner}")))
}

fn proof(what: &str, seen: impl Into<String>) -> Proof {
    Proof { what: what.to_owned(), seen: seen.into() }
}

/// Whether two credentials have the same password; nothing is said of it.
pub(crate) fn same_password(one: &Credential, other: &Credential) -> bool {
    one.username == other.username && one.password.expose_secret() == other.password.expose_secret()
}
