//! When a session ends by what a database says of it: every row that names the session, in a table that has a date of an end.

use secrecy::ExposeSecret as _;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use super::{postgres, sqlcipher};
use crate::config::Location;
use crate::report::seconds_of;

/// How a column is called that says when something ends.
const ENDS: [&str; 8] =
    ["expires_at", "expires", "expires_on", "expiry", "expiration", "valid_until", "ends_at", "not_after"];
/// Unix seconds stay below this for thousands of years; what is above counts milliseconds.
const MILLISECONDS: i64 = 100_000_000_000;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// `table.column` of the date.
    pub(crate) place: String,
    /// Unix seconds; none: NULL, it never ends.
    pub(crate) at: Option<i64>,
}

/// The rows that name this session.
///
/// # Errors
/// The database's own words.
pub(crate) async fn of(location: &Location, session: &str) -> Result<Vec<End>, String> {
    match location {
        Location::SqlCipher { path, key } => {
            let mut connection = sqlcipher::open(path, Some(key.expose_secret())).await?;
            let found = in_file(&mut connection, session).await.map_err(|error| sqlcipher::reason(&error));
            let _closed = connection.close().await;
            found
        }
        Location::Postgres { url, password } => {
            let options = postgres::options(url, password.as_ref())?;
            let mut connection = postgres::connect(&options).await.map_err(|refusal| match refusal {
                postgres::Refusal::Login(code) => format!("the login was refused ({code})"),
                postgres::Refusal::Other(why) => why,
            })?;
            let found = on_a_server(&mut connection, session).await.map_err(|error| postgres::reason(&error));
            let _closed = connection.close().await;
            found
        }
    }
}

async fn in_file(connection: &mut sqlx::SqliteConnection, session: &str) -> Result<Vec<End>, sqlx::Error> {
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT t.name, c.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c \
         WHERE t.type = 'table' ORDER BY t.name, c.cid",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut found = Vec::new();
    for (table, end) in columns.iter().filter(|(_, name)| is_an_end(name)) {
        // Whichever of its other columns names the session.
        let named = columns.iter().filter(|(other, name)| other == table && !is_an_end(name));
        let named: Vec<String> = named.map(|(_, name)| format!("{} = ?1", sqlcipher::quoted(name))).collect();
        if named.is_empty() {
            continue;
        }
        let sql = format!(
            "SELECT CAST({} AS TEXT) FROM {} WHERE {}",
            sqlcipher::quoted(end),
            sqlcipher::quoted(table),
            named.join(" OR ")
        );
        for row in sqlx::query(AssertSqlSafe(sql)).bind(session).fetch_all(&mut *connection).await? {
            found.push(read(format!("{table}.{end}"), row.try_get(0)?)?);
        }
    }
    Ok(found)
}

async fn on_a_server(connection: &mut sqlx::PgConnection, session: &str) -> Result<Vec<End>, sqlx::Error> {
    let columns: Vec<(String, String, String, String)> = sqlx::query_as(
        "SELECT n.nspname::text, c.relname::text, a.attname::text, t.typcategory::text \
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
              JOIN pg_type t ON t.oid = a.atttypid \
         WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped \
           AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)' \
           AND has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, a.attnum, 'SELECT') \
         ORDER BY 1, 2, a.attnum",
    )
    .fetch_all(&mut *connection)
    .await?;
    let quoted = sqlcipher::quoted;
    let mut found = Vec::new();
    for (schema, table, end, kind) in columns.iter().filter(|(.., name, _)| is_an_end(name)) {
        let same = |other: &(String, String, String, String)| other.0 == *schema && other.1 == *table;
        // Texts, and a UUID, which is of the user's category.
        let named = columns.iter().filter(|other| same(other) && matches!(other.3.as_str(), "S" | "U"));
        let named: Vec<String> = named.map(|other| format!("{}::text = $1", quoted(&other.2))).collect();
        if named.is_empty() {
            continue;
        }
        let date = match kind.as_str() {
            "D" => format!("floor(extract(epoch FROM {}))::bigint::text", quoted(end)),
            _ => format!("{}::text", quoted(end)),
        };
        let sql =
            format!("SELECT {date} FROM {}.{} WHERE {}", quoted(schema), quoted(table), named.join(" OR "));
        for row in sqlx::query(AssertSqlSafe(sql)).bind(session).fetch_all(&mut *connection).await? {
            found.push(read(format!("{table}.{end}"), row.try_get(0)?)?);
        }
    }
    Ok(found)
}

fn is_an_end(name: &str) -> bool {
    ENDS.iter().any(|end| name.eq_ignore_ascii_case(end) || name.to_lowercase().ends_with(&format!("_{end}")))
}

/// A date as it was written: seconds, milliseconds, RFC 3339, or SQLite's own form, which is UTC. None at all is no end; what is
/// none of these is a fault: it may well be one.
fn read(place: String, text: Option<String>) -> Result<End, sqlx::Error> {
    let Some(text) = text else { return Ok(End { place, at: None }) };
    match number(&text).or_else(|| seconds_of(&written_out(&text))) {
        Some(at) => Ok(End { place, at: Some(at) }),
        None => Err(sqlx::Error::Decode(format!("{place} is a date in a form that is not known").into())),
    }
}

fn number(text: &str) -> Option<i64> {
    let whole = text.split_once('.').filter(|(_, part)| part.bytes().all(|byte| byte.is_ascii_digit()));
    let number: i64 = whole.map_or(text, |(whole, _)| whole).parse().ok()?;
    Some(if number >= MILLISECONDS { number / 1000 } else { number })
}

/// `2027-01-15 08:00:00.123+00:00` as `2027-01-15T08:00:00Z`.
fn written_out(text: &str) -> String {
    let text = text.replacen(' ', "T", 1);
    let local =
        ["Z", "z", "+00:00", "+0000", "+00", "T+00:00"].iter().find_map(|zone| text.strip_suffix(zone));
    let local = local.unwrap_or(&text);
    let whole = local.split_once('.').filter(|(_, part)| part.bytes().all(|byte| byte.is_ascii_digit()));
    format!("{}Z", whole.map_or(local, |(whole, _)| whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_they_are_written() {
        let read = |text: Option<&str>| read("t.c".into(), text.map(ToOwned::to_owned));
        let at = |text: Option<&str>| read(text).unwrap().at;
        assert_eq!(at(Some("1800000000")), Some(1_800_000_000));
        assert_eq!(at(Some("1800000000123")), Some(1_800_000_000));
        assert_eq!(at(Some("2027-01-15T08:00:00Z")), Some(1_800_000_000));
        for form in [
            "1800000000.5",
            "2027-01-15 08:00:00",
            "2027-01-15 08:00:00.25",
            "2027-01-15T08:00:00.123Z",
            "2027-01-15T08:00:00+00:00",
        ] {
            assert_eq!(at(Some(form)), Some(1_800_000_000), "{form}");
        }
        for form in ["soon", "2027-01-15T08:00:00+05:00", ""] {
            assert!(read(Some(form)).is_err(), "{form}: what is not known is not never");
        }
        assert_eq!(at(None), None);
        assert!(is_an_end("expires_at") && is_an_end("absolute_expires_at") && is_an_end("Expiry"));
        assert!(!is_an_end("created_at") && !is_an_end("ended_at"));
    }

    #[tokio::test]
    async fn a_session_is_found_on_postgresql_by_text_and_by_uuid() {
        use sqlx::{ConnectOptions as _, Connection as _};
        const ID: &str = "6ad15cd2-8a9e-4c0e-9b6f-0d6a3f7c5f11";
        let database = testkit::postgres::Postgres::shared().fresh_database();
        let mut connection =
            postgres::options(&database.url_with_password(), None).unwrap().connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!(
            "CREATE TABLE sessions (id uuid, expires_at timestamptz); \
             INSERT INTO sessions VALUES ('{ID}', to_timestamp(1800000000.5)); \
             CREATE TABLE refresh_tokens (digest bytea, session_id text, expires_at bigint); \
             INSERT INTO refresh_tokens VALUES ('x', '{ID}', NULL), ('y', 'another', 1); \
             CREATE TABLE \"odd \"\"name\" (\"Session\" text, valid_until timestamp); \
             CREATE TABLE dates (expires_at date)"
        )))
        .execute(&mut connection)
        .await
        .unwrap();
        connection.close().await.unwrap();
        let location =
            Location::Postgres { url: database.url(), password: Some(database.password.clone().into()) };
        let mut found = of(&location, ID).await.unwrap();
        found.sort_by(|one, other| one.place.cmp(&other.place));
        let end = |place: &str, at| End { place: place.into(), at };
        assert_eq!(
            found,
            [end("refresh_tokens.expires_at", None), end("sessions.expires_at", Some(1_800_000_000))]
        );
        assert_eq!(of(&location, "nobody's").await, Ok(Vec::new()));
    }
}
