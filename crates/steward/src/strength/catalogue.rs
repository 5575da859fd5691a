//! What the server tells about itself. Each question is one text and one answer of JSON by the simple protocol, so that
//! it passes a pooler in transaction mode, too.

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sqlx::{PgConnection, Row as _};
use zeroize::Zeroizing;

use super::facts::{Kind, Role, Rule, Server, Stored};
use super::guesses;
use crate::ledger::LedgerError;
use crate::{ledger, sql, verifier};

/// Roles that reach out of the database: programs, files and other sessions of the server.
///
/// `MEMBER` counts a membership whatever its options are: from PostgreSQL 16 on one without SET and INHERIT may still
/// carry the ADMIN OPTION, by which a role gives itself the rest.
const ROLES: &str = "
select json_build_object('version', current_setting('server_version_num')::int, 'roles', coalesce(json_agg(
    json_build_object(
        'name', r.rolname, 'superuser', r.rolsuper, 'create_role', r.rolcreaterole, 'create_database', r.rolcreatedb,
        'replication', r.rolreplication, 'bypass_row_security', r.rolbypassrls,
        'expired', coalesce(r.rolvaliduntil < clock_timestamp(), false),
        'reaches', (select coalesce(json_agg(g.rolname order by g.rolname), '[]') from pg_roles g
                     where g.oid <> r.oid and not r.rolsuper and pg_has_role(r.oid, g.oid, 'MEMBER')
                       and (g.rolsuper or g.rolcreaterole or g.rolcreatedb or g.rolreplication or g.rolbypassrls
                            or g.rolname in ('pg_execute_server_program', 'pg_write_server_files',
                                             'pg_read_server_files', 'pg_signal_backend'))),
        'databases', (select coalesce(json_agg(d.datname order by d.datname), '[]') from pg_database d
                       where d.datallowconn and has_database_privilege(r.oid, d.oid, 'CONNECT'))
    ) order by r.rolname), '[]'))::text
  from pg_catalog.pg_roles r where r.rolcanlogin";

const VERIFIERS: &str = "
select coalesce(json_agg(json_build_object('role', rolname, 'verifier', rolpassword) order by rolname), '[]')::text
  from pg_catalog.pg_authid where rolcanlogin";

const FACTS: &str = "
select coalesce(json_agg(json_build_object('role', role_name, 'kind', kind, 'iterations', iterations,
                                           'fingerprint', fingerprint) order by role_name), '[]')::text
  from portcullis.credentials() where can_login";

const RULES: &str = "
select coalesce(json_agg(json_build_object('line', line_number, 'kind', type, 'address', address,
                                           'method', auth_method, 'error', error) order by line_number), '[]')::text
  from pg_catalog.pg_hba_file_rules";

/// The same by the ledger's function.
const RULES_BY_THE_LEDGER: &str = "
select coalesce(json_agg(json_build_object('line', line_number, 'kind', type, 'address', address,
                                           'method', auth_method, 'error', error) order by line_number), '[]')::text
  from portcullis.access_rules()";

const LEDGER: &str = "
select coalesce(json_agg(json_build_object('role', role_name, 'generation', generation, 'fingerprint', fingerprint)),
                '[]')::text
  from portcullis.rotation";

/// From PostgreSQL 16 on.
const SYSTEM_USER: &str = "select json_build_array(system_user)::text";

#[derive(Deserialize)]
struct Verifier {
    role: String,
    verifier: Option<SecretString>,
}

/// A row of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Entry {
    pub(super) role: String,
    pub(super) generation: i64,
    pub(super) fingerprint: String,
}

pub(super) async fn server(session: &mut PgConnection) -> Result<Server, String> {
    ask(session, ROLES).await
}

pub(super) async fn rules(session: &mut PgConnection) -> Result<Vec<Rule>, String> {
    match ask(session, RULES).await {
        Ok(rules) => Ok(rules),
        Err(reason) => of_the_ledger(session, RULES_BY_THE_LEDGER).await.map_err(|_| reason),
    }
}

pub(super) async fn ledger(session: &mut PgConnection) -> Result<Vec<Entry>, String> {
    of_the_ledger(session, LEDGER).await
}

pub(super) async fn system_user(session: &mut PgConnection) -> Result<Option<String>, String> {
    let answer: Vec<Option<String>> = ask(session, SYSTEM_USER).await?;
    answer.into_iter().next().ok_or_else(|| "no answer".to_owned())
}

/// From the table itself where it may be read: then guesses can be tried on it. Else by the ledger's function.
pub(super) async fn stored(session: &mut PgConnection, roles: &[Role]) -> Result<Vec<Stored>, String> {
    let verifiers: Vec<Verifier> = match ask(session, VERIFIERS).await {
        Ok(verifiers) => verifiers,
        Err(reason) => return of_the_ledger(session, FACTS).await.map_err(|_| reason),
    };
    let roles = roles.to_vec();
    // Thousands of rounds a guess: not on the thread that answers requests.
    let read = tokio::task::spawn_blocking(move || {
        let databases = |name: &str| {
            let role = roles.iter().find(|role| role.name == name);
            role.map(|role| role.databases.as_slice()).unwrap_or_default()
        };
        verifiers.into_iter().map(|row| facts_of(&row, databases(&row.role))).collect()
    });
    read.await.map_err(|error| error.to_string())
}

fn facts_of(row: &Verifier, databases: &[String]) -> Stored {
    let text = row.verifier.as_ref().map(|text| text.expose_secret());
    let kind = match text {
        None => Some(Kind::None),
        Some(text) if text.starts_with("SCRAM-SHA-256$") => Some(Kind::Scram),
        Some(text) if text.starts_with("md5") => Some(Kind::Md5),
        Some(_) => None,
    };
    let iterations =
        text.and_then(|text| text.strip_prefix("SCRAM-SHA-256$")?.split_once(':')?.0.parse().ok());
    Stored {
        role: row.role.clone(),
        kind,
        iterations,
        fingerprint: text.map(verifier::fingerprint),
        guessed: text.and_then(|text| guesses::guessed(text, &row.role, databases)),
    }
}

/// A question to the ledger: what somebody else laid out under its name is not read, since this may be an administrator's
/// session.
async fn of_the_ledger<T: DeserializeOwned>(
    session: &mut PgConnection,
    text: &'static str,
) -> Result<T, String> {
    let others = ledger::others(session).await.map_err(|error| error.to_string())?;
    match others.into_iter().next() {
        Some(other) => Err(LedgerError::Foreign(other).to_string()),
        None => ask(session, text).await,
    }
}

async fn ask<T: DeserializeOwned>(session: &mut PgConnection, text: &'static str) -> Result<T, String> {
    let row = sqlx::raw_sql(text).fetch_one(session).await.map_err(|error| sql::reason(&error))?;
    let answer: String = row.try_get(0).map_err(|error| sql::reason(&error))?;
    let answer = Zeroizing::new(answer);
    // The parser's message could repeat what it read.
    serde_json::from_str(&answer).map_err(|_| "the server's answer has another form than expected".to_owned())
}
