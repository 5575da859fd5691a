//! PostgreSQL: its catalogues and values by SQL.

use std::str::FromStr as _;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, Row as _};

use crate::database::shape::names_a_password;
use crate::database::{Found, Needles};

const PATIENCE: Duration = Duration::from_secs(5);

/// The connection options of a URL, with the password that stands beside it.
pub(crate) fn options(url: &str, password: Option<&SecretString>) -> Result<PgConnectOptions, String> {
    let options = PgConnectOptions::from_str(url).map_err(|_| "the URL is no postgres:// URL".to_owned())?;
    let options = options.application_name("portcullis-audit").disable_statement_logging();
    Ok(match password {
        Some(password) => options.password(password.expose_secret()),
        None => options,
    })
}

/// Why no connection came about.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The server refused the login; its SQLSTATE.
    Login(String),
    /// Anything else: nothing was learnt.
    Other(String),
}

pub(crate) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, Refusal> {
    match tokio::time::timeout(PATIENCE, options.connect()).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(sqlx::Error::Database(error))) => {
            Err(Refusal::Login(error.code().unwrap_or_default().into_owned()))
        }
        Ok(Err(error)) => Err(Refusal::Other(reason(&error))),
        Err(_) => Err(Refusal::Other("no connection within 5 s".into())),
    }
}

pub(crate) fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        other => other.to_string(),
    }
}

/// Reads every value that has a text form, and every binary one.
pub(crate) async fn scan(
    url: &str,
    password: Option<&SecretString>,
    needles: &Needles,
) -> Result<Found, String> {
    let mut connection = connect(&options(url, password)?).await.map_err(|refusal| match refusal {
        Refusal::Login(code) => format!("the login was refused ({code})"),
        Refusal::Other(why) => why,
    })?;
    let found = read(&mut connection, needles).await.map_err(|error| reason(&error));
    let _closed = connection.close().await;
    found
}

async fn read(connection: &mut PgConnection, needles: &Needles) -> Result<Found, sqlx::Error> {
    sqlx::query("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY").execute(&mut *connection).await?;
    let mut found = Found::default();
    // Numbers, dates and flags cannot hold a password; everything else can.
    let columns = sqlx::query(
        "SELECT n.nspname::text, c.relname::text, a.attname::text, a.atttypid = 'bytea'::regtype, \
                has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, a.attnum, 'SELECT'), \
                row_security_active(c.oid), t.typcategory IN ('A', 'C') OR t.typname = 'hstore' \
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
              JOIN pg_type t ON t.oid = a.atttypid \
         WHERE c.relkind IN ('r', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped \
           AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)' \
           AND t.typcategory NOT IN ('B', 'D', 'N', 'I', 'T', 'G', 'R') ORDER BY 1, 2, a.attnum",
    )
    .fetch_all(&mut *connection)
    .await?;
    for column in columns {
        let (schema, table, name): (String, String, String) =
            (column.try_get(0)?, column.try_get(1)?, column.try_get(2)?);
        let (binary, readable, row_security, parts): (bool, bool, bool, bool) =
            (column.try_get(3)?, column.try_get(4)?, column.try_get(5)?, column.try_get(6)?);
        if name.to_lowercase().contains("salt") && !names_a_password(&name) {
            found.salted_tables.insert(format!("{schema}.{table}"));
        }
        if !readable || row_security {
            let why = if readable { "row-level security hides rows" } else { "no right to read it" };
            found.unread.push(format!("{schema}.{table}.{name} ({why})"));
            continue;
        }
        let value = match (binary, parts) {
            (true, _) => quoted(&name),
            // Arrays, rows and hstore have parts, whose names and ends JSON tells.
            (false, true) => format!("convert_to(to_json({})::text, 'UTF8')", quoted(&name)),
            (false, false) => format!("convert_to({}::text, 'UTF8')", quoted(&name)),
        };
        let sql = format!(
            "SELECT {value} FROM ONLY {}.{} WHERE {} IS NOT NULL",
            quoted(&schema),
            quoted(&table),
            quoted(&name)
        );
        let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut *connection);
        loop {
            match rows.try_next().await {
                Ok(Some(row)) => {
                    found.see(needles, &format!("{schema}.{table}"), &name, row.try_get::<&[u8], _>(0)?)
                }
                Ok(None) => break,
                Err(error) => {
                    found.unread.push(format!("{schema}.{table}.{name} ({})", reason(&error)));
                    break;
                }
            }
        }
    }
    Ok(found)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
