//! Connections to PostgreSQL: one pool for reads and writes.

use std::str::FromStr;
use std::time::Duration;

use sea_orm::SqlxPostgresConnector;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Executor};

use crate::connections::Connections;
use crate::{Fault, Options};

/// How long a request waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(5);
/// A connection that nobody used for so long is closed.
const IDLE: Duration = Duration::from_secs(120);

pub(crate) async fn open(
    url: &str,
    password: &SecretString,
    options: &Options,
) -> Result<Connections, Fault> {
    let connect = connect_options(url, password)?;
    let pool = PgPoolOptions::new()
        .max_connections(options.connections.max(1))
        .acquire_timeout(ACQUIRE)
        .idle_timeout(Some(IDLE))
        .max_lifetime(Some(options.lifetime))
        .after_connect(|connection, _| {
            // A node that hangs must not hold rows that others wait for.
            Box::pin(async move {
                connection
                    .execute("SET statement_timeout = '15s'; SET idle_in_transaction_session_timeout = '15s'")
                    .await?;
                Ok(())
            })
        })
        .connect_with(connect)
        .await
        .map_err(Fault::from)?;
    let connection = SqlxPostgresConnector::from_sqlx_postgres_pool(pool);
    Ok(Connections::new(connection.clone(), connection))
}

fn connect_options(url: &str, password: &SecretString) -> Result<PgConnectOptions, Fault> {
    let options = PgConnectOptions::from_str(url).map_err(|_| {
        // The parser's own message may repeat the URL, and somebody may have put a password there.
        Fault::Unavailable(
            "its url cannot be read: write postgres://role@host:port/database?sslmode=…".to_owned(),
        )
    })?;
    Ok(options
        .password(password.expose_secret())
        .application_name("portcullis")
        // Statements carry no values, but there is no need for them in the log either.
        .disable_statement_logging())
}
