//! One session of one role: bounded in time, and none of its statements in our log.

use std::str::FromStr as _;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, PgConnection};

use crate::{Credential, sql};

/// How long a login may take, name, TLS and all.
const LOGIN: Duration = Duration::from_secs(10);
/// How the steward's own sessions are called, so that they are not taken for somebody's.
pub const APPLICATION_NAME: &str = "portcullis steward";
/// How long one statement, or the wait for a lock, may take at the server.
const LIMITS: &str = "SET statement_timeout = '15s'; SET lock_timeout = '5s'; \
                      SET idle_in_transaction_session_timeout = '30s'";

/// A role that may change roles looks for names in the server's own schema alone. The owner of a database, which may be the
/// application, sets the search path of every session in it (ALTER DATABASE … SET), and what it puts before `pg_catalog`
/// would run with this role's rights (CVE-2018-1058). Qualified to the operator, since it runs under that very path. An
/// application's own role keeps its path.
const PATH: &str = "SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false) \
                    FROM pg_catalog.pg_roles \
                    WHERE (rolsuper OR rolcreaterole) AND rolname OPERATOR(pg_catalog.=) session_user";

/// Why there is no session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginFault {
    /// The server answered, and refuses this role, this password or this address (SQLSTATE class 28). Certain.
    #[error("refused: {code} {message}")]
    Refused {
        /// `28P01` or `28000`.
        code: String,
        /// The server's words; never the password.
        message: String,
    },
    /// Anything else: nobody can say whether the credential is good.
    #[error("{0}")]
    Unknown(String),
}

/// Logs in.
///
/// # Errors
/// [`LoginFault`] tells a refusal from an outage.
pub async fn login(credential: &Credential) -> Result<PgConnection, LoginFault> {
    let options = PgConnectOptions::from_str(&credential.url())
        // The parser's message may repeat the URL's parameters, where somebody may have put a password.
        .map_err(|_| LoginFault::Unknown("the URL's parameters cannot be read".to_owned()))?
        .password(credential.password.expose_secret())
        .application_name(APPLICATION_NAME)
        .disable_statement_logging();
    let session = async {
        let mut session = PgConnection::connect_with(&options).await?;
        session.execute(LIMITS).await?;
        match session.execute(PATH).await {
            // Where roles are kept secret, only an ordinary role may not look.
            Err(error) if sql::code(&error).as_deref() == Some("42501") => {}
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        Ok(session)
    };
    match tokio::time::timeout(LOGIN, session).await {
        Ok(outcome) => outcome.map_err(|error| fault(&error)),
        Err(_) => Err(LoginFault::Unknown(format!("no answer in {} seconds", LOGIN.as_secs()))),
    }
}

/// Ends a session and waits until the server has been told.
pub async fn logout(session: PgConnection) {
    // A session that is broken is over, too.
    let _ = tokio::time::timeout(Duration::from_secs(2), session.close()).await;
}

fn fault(error: &sqlx::Error) -> LoginFault {
    match error.as_database_error() {
        Some(inner) => {
            let code = inner.code().unwrap_or_default().into_owned();
            if code.starts_with("28") {
                LoginFault::Refused { code, message: inner.message().to_owned() }
            } else {
                LoginFault::Unknown(format!("{code} {}", inner.message()))
            }
        }
        None => LoginFault::Unknown(error.to_string()),
    }
}
