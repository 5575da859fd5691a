//! What PostgreSQL does when somebody logs in: with a wrong password, and before any password.

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, Row as _};

use super::named;
use crate::database::postgres::{self, Refusal};
use crate::database::wire::{self, Asked, Over};
use crate::evidence::Evidence;
use crate::report::Claim;
use crate::world::random_hex;

/// How many pairs of a role and a database are tried.
const PAIRS: usize = 500;
/// SQLSTATE 28P01 invalid_password, 28000 invalid_authorization_specification.
const REFUSED: [&str; 2] = ["28P01", "28000"];
/// SQLSTATE 42501: no CONNECT on the database, which is looked at after the password.
const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// Every role that can log in.
pub(super) async fn roles(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    let rows = sqlx::query("SELECT rolname::text FROM pg_roles WHERE rolcanlogin ORDER BY 1")
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// What a login with a wrong password came to.
pub(super) enum Tried {
    Refused(String),
    /// Any password is taken.
    LetIn,
    /// Its own name was taken, another password refused.
    OwnName,
    Unclear(String),
}

/// Logs in as each role with a password that must not be its own: its name. One try a role and run: enough to see, too
/// few to lock anybody out. Only where the name is taken a second one tells a poor password from none.
pub(super) async fn try_wrong_passwords(
    options: &PgConnectOptions,
    roles: &[String],
) -> Vec<(String, Tried)> {
    let mut tried = Vec::new();
    for role in roles {
        let outcome = match try_password(options, role, role).await {
            Tried::LetIn => match try_password(options, role, &format!("wrong-{}", random_hex::<16>())).await
            {
                Tried::Refused(_) => Tried::OwnName,
                other => other,
            },
            other => other,
        };
        tried.push((role.clone(), outcome));
    }
    tried
}

async fn try_password(options: &PgConnectOptions, role: &str, password: &str) -> Tried {
    let attempt = options.clone().username(role).password(password).disable_statement_logging();
    match postgres::connect(&attempt).await {
        Ok(connection) => {
            let _closed = connection.close().await;
            Tried::LetIn
        }
        Err(Refusal::Login(code)) if REFUSED.contains(&code.as_str()) => Tried::Refused(code),
        // The password was taken: what is refused is the database, which is asked for afterwards.
        Err(Refusal::Login(code)) if code == INSUFFICIENT_PRIVILEGE => Tried::LetIn,
        Err(Refusal::Login(code)) => Tried::Unclear(format!("SQLSTATE {code}")),
        Err(Refusal::Other(why)) => Tried::Unclear(why),
    }
}

/// Every role was refused with a wrong password.
pub(super) fn wrong(id: &str, tried: &[(String, Tried)], control: &str) -> Claim {
    let mut offences = Vec::new();
    let mut gaps = Vec::new();
    let mut refused = Vec::new();
    for (role, outcome) in tried {
        match outcome {
            Tried::LetIn => {
                offences.push(Evidence::database(format!("{role} logged in with a wrong password")))
            }
            Tried::Unclear(why) => gaps.push(Evidence::database(format!("{role}: {why}"))),
            Tried::Refused(code) => refused.push(format!("{role} ({code})")),
            Tried::OwnName => refused.push(role.clone()),
        }
    }
    if !offences.is_empty() {
        return Claim::fail(id, offences, "set scram-sha-256 in pg_hba.conf instead of trust, and reload");
    }
    if !gaps.is_empty() || refused.is_empty() {
        return Claim::not_proven(id, gaps, "let the auditor reach the server");
    }
    let what = format!("a wrong password was refused to {}", refused.join(", "));
    Claim::pass(id, vec![Evidence::database(what).beside(control)])
}

/// No role's password is its own name, the first that anybody tries.
pub(super) fn own_names(id: &str, tried: &[(String, Tried)], control: &str) -> Claim {
    let of = |wanted: fn(&Tried) -> bool| -> Vec<&str> {
        tried.iter().filter(|(_, tried)| wanted(tried)).map(|(role, _)| role.as_str()).collect()
    };
    let taken = of(|tried| matches!(tried, Tried::OwnName));
    if !taken.is_empty() {
        let what = format!("the password is the role's own name: {}", taken.join(", "));
        return Claim::fail(
            id,
            vec![Evidence::database(what)],
            "set a random password of 20 characters or more",
        );
    }
    let untold = of(|tried| matches!(tried, Tried::LetIn | Tried::Unclear(_)));
    if !untold.is_empty() || tried.is_empty() {
        let what = format!("it could not be told for {}", untold.join(", "));
        return Claim::not_proven(
            id,
            vec![Evidence::database(what)],
            "let the auditor reach the server, and have it ask for passwords",
        );
    }
    let what = format!("its own name was refused to each of {} roles", tried.len());
    Claim::pass(id, vec![Evidence::database(what).beside(control)])
}

/// What the server asks of each role for each database that it may enter: the first bytes of its protocol.
pub(super) async fn methods(
    name: &str,
    connection: &mut PgConnection,
    options: &PgConnectOptions,
    roles: &[String],
) -> Claim {
    let id = named(name, "every_login_wants_scram");
    // One more than is tried, so that it is seen when there are more.
    let sql = "SELECT d.datname::text, r.rolname::text FROM pg_database d, pg_roles r WHERE d.datallowconn \
               AND r.rolcanlogin AND has_database_privilege(r.oid, d.oid, 'CONNECT') ORDER BY 1, 2 LIMIT $1";
    let wanted = i64::try_from(PAIRS + 1).unwrap_or(i64::MAX);
    let rows = match sqlx::query(sql).bind(wanted).fetch_all(connection).await {
        Ok(rows) => rows,
        Err(error) => {
            let why = postgres::reason(&error);
            return Claim::not_proven(&id, vec![Evidence::catalogue(why)], "let the role read pg_database");
        }
    };
    // An IPv6 address stands in brackets in a URL alone.
    let host = &crate::names::bare(options.get_host());
    let port = options.get_port();
    let ways: &[Over] = match wire::offers_tls(host, port).await {
        Some(false) => &[Over::Plain],
        Some(true) | None => &[Over::Plain, Over::Tls],
    };
    let mut pairs = Vec::new();
    for row in rows.iter().take(PAIRS) {
        match (row.try_get::<String, _>(0), row.try_get::<String, _>(1)) {
            (Ok(database), Ok(role)) => {
                for over in ways {
                    let asked = wire::asked(*over, host, port, &role, &database).await;
                    pairs.push(Ok((role.clone(), format!("{database} {}", over.words()), asked)));
                }
            }
            (Err(error), _) | (_, Err(error)) => pairs.push(Err(postgres::reason(&error))),
        }
    }
    asked_of_all(&id, &pairs, rows.len() > PAIRS, roles.len())
}

/// A role, a database and what is asked of the one for the other; or why the catalogue's row could not be read.
type Pair = Result<(String, String, Asked), String>;

/// Every pair is asked for SCRAM. `more`: there are pairs that were not tried.
fn asked_of_all(id: &str, pairs: &[Pair], more: bool, roles: usize) -> Claim {
    let (mut offences, mut gaps, mut scram) = (Vec::new(), Vec::new(), 0);
    for pair in pairs {
        let (role, database, asked) = match pair {
            Ok(pair) => pair,
            Err(why) => {
                gaps.push(Evidence::catalogue(format!("a role and a database cannot be read: {why}")));
                continue;
            }
        };
        match asked {
            Asked::Trust => {
                offences.push(Evidence::database(format!("{role} is asked for nothing at {database}")))
            }
            Asked::Weak(what) => {
                offences.push(Evidence::database(format!("{role} is asked for {what} at {database}")))
            }
            Asked::Scram => scram += 1,
            // Not let in at all this way; if it is none of the two ways, no SCRAM is seen either.
            Asked::Refused => {}
            Asked::Unknown(why) => gaps.push(Evidence::database(format!("{role} at {database}: {why}"))),
        }
    }
    if !offences.is_empty() {
        return Claim::fail(
            id,
            offences,
            "set scram-sha-256 in pg_hba.conf for every database and role, and reload",
        );
    }
    if more {
        let what =
            format!("there are more than {PAIRS} pairs of a role and a database; the rest was not tried");
        gaps.push(Evidence::catalogue(what));
    }
    if !gaps.is_empty() || scram == 0 {
        let remedy = "let the auditor reach the server from here, and take CONNECT from roles that need none";
        return Claim::not_proven(id, gaps, remedy);
    }
    let what = format!(
        "SCRAM is asked {scram} times: each role for each database that it may enter ({roles} roles)"
    );
    Claim::pass(id, vec![Evidence::database(what)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;

    #[test]
    fn a_wrong_password_is_refused_or_let_in_or_nothing_was_learnt() {
        let tried = |outcome| wrong("x", &[("app".to_owned(), outcome)], "c").verdict;
        assert_eq!(tried(Tried::Refused("28P01".into())), Verdict::Pass);
        assert_eq!(tried(Tried::LetIn), Verdict::Fail);
        assert_eq!(tried(Tried::Unclear("timeout".into())), Verdict::NotProven);
        assert_eq!(tried(Tried::OwnName), Verdict::Pass, "poor, but asked for");
        let named = |outcome| own_names("x", &[("app".to_owned(), outcome)], "c").verdict;
        assert_eq!(named(Tried::Refused("28P01".into())), Verdict::Pass);
        assert_eq!(named(Tried::OwnName), Verdict::Fail);
        assert_eq!(named(Tried::LetIn), Verdict::NotProven);
        assert_eq!(own_names("x", &[], "c").verdict, Verdict::NotProven);
    }

    #[test]
    fn what_was_not_asked_is_not_proven() {
        let pair = |asked| Ok(("app".to_owned(), "orders".to_owned(), asked));
        let verdict = |pairs: &[Pair], more| asked_of_all("x", pairs, more, 1).verdict;
        assert_eq!(verdict(&[pair(Asked::Scram)], false), Verdict::Pass);
        assert_eq!(verdict(&[pair(Asked::Scram)], true), Verdict::NotProven, "the 501st");
        assert_eq!(verdict(&[pair(Asked::Scram), Err("no UTF-8".into())], false), Verdict::NotProven);
        assert_eq!(
            verdict(&[pair(Asked::Scram), pair(Asked::Unknown("?".into()))], false),
            Verdict::NotProven
        );
        assert_eq!(verdict(&[pair(Asked::Refused)], false), Verdict::NotProven, "SCRAM was seen nowhere");
        assert_eq!(verdict(&[pair(Asked::Trust), Err("no UTF-8".into())], true), Verdict::Fail);
        assert_eq!(verdict(&[pair(Asked::Weak("MD5"))], false), Verdict::Fail);
    }
}
