//! What PostgreSQL's catalogue says of passwords and of the role.

use sqlx::{PgConnection, Row as _};

use crate::database::credentials::{Credentials, Stored};
use crate::database::postgres;
use crate::evidence::Evidence;
use crate::report::Claim;

/// How passwords are stored: facts about them; a verifier never leaves the server.
pub(super) fn verifiers(id: &str, credentials: &Credentials) -> Claim {
    match &credentials.stored {
        Ok(stored) => all_are_scram(id, stored, credentials.now.as_ref().ok().copied()),
        Err(why) => {
            let what = format!("stored passwords cannot be looked at: {why}");
            let remedy =
                "portcullis database adopt leaves portcullis.credentials(), which tells their kind alone";
            Claim::not_proven(id, vec![Evidence::catalogue(what)], remedy)
        }
    }
}

fn all_are_scram(id: &str, stored: &[Result<Stored, String>], now: Option<i64>) -> Claim {
    let (mut offences, mut gaps, mut logins) = (Vec::new(), Vec::new(), 0);
    for row in stored {
        let row = match row {
            Ok(row) if row.can_login => row,
            Ok(_) => continue,
            Err(why) => {
                gaps.push(Evidence::catalogue(format!("a role's verifier cannot be read: {why}")));
                continue;
            }
        };
        logins += 1;
        let role = &row.role;
        let iterations = row.iterations.unwrap_or(0);
        match row.kind.as_deref() {
            Some("scram") if iterations >= 4096 => {}
            Some("scram") => {
                offences.push(Evidence::catalogue(format!("{role}: SCRAM with {iterations} iterations")));
            }
            // Past its end: on its way out, and no password would be taken any more.
            Some("none") if row.valid_until.zip(now).is_some_and(|(end, now)| end <= now) => {}
            Some("none") => offences.push(Evidence::catalogue(format!(
                "{role} may log in and has no password: whatever lets it in asks for none"
            ))),
            Some(other) => offences.push(Evidence::catalogue(format!("{role}: {other}"))),
            None => gaps.push(Evidence::catalogue(format!("{role}: what is stored cannot be told here"))),
        }
    }
    if !offences.is_empty() {
        let remedy = "set password_encryption = scram-sha-256 and the passwords anew; take LOGIN from roles without one";
        return Claim::fail(id, offences, remedy);
    }
    if !gaps.is_empty() || logins == 0 {
        let remedy = "adopt the database by a role that may read pg_authid, and name roles in UTF-8";
        return Claim::not_proven(id, gaps, remedy);
    }
    let what = format!("{logins} login roles, each SCRAM with 4096 iterations or more");
    Claim::pass(id, vec![Evidence::catalogue(what)])
}

/// The role of the application has no power over the server.
pub(super) async fn privileges(id: &str, connection: &mut PgConnection) -> Claim {
    // What it can become counts as what it is.
    let sql = "SELECT r.rolname::text, bool_or(p.rolsuper), bool_or(p.rolcreaterole), bool_or(p.rolcreatedb), \
               bool_or(p.rolreplication), bool_or(p.rolbypassrls), bool_or(p.rolname IN \
               ('pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files', 'pg_signal_backend')) \
               FROM pg_roles r JOIN pg_roles p ON pg_has_role(r.oid, p.oid, 'MEMBER') \
               WHERE r.rolname = session_user GROUP BY r.rolname";
    let row = match sqlx::query(sql).fetch_one(connection).await {
        Ok(row) => row,
        Err(error) => {
            return Claim::not_proven(
                id,
                vec![Evidence::catalogue(postgres::reason(&error))],
                "let the role read pg_roles",
            );
        }
    };
    let powers = [
        "SUPERUSER",
        "CREATEROLE",
        "CREATEDB",
        "REPLICATION",
        "BYPASSRLS",
        "programs, files or sessions of the server",
    ];
    let read = || {
        let held = (1..=powers.len()).map(|at| row.try_get(at)).collect::<Result<Vec<bool>, _>>()?;
        Ok::<(String, Vec<bool>), sqlx::Error>((row.try_get(0)?, held))
    };
    let (role, held) = match read() {
        Ok(read) => read,
        Err(error) => {
            let why = format!("the role's row cannot be read: {}", postgres::reason(&error));
            return Claim::not_proven(id, vec![Evidence::catalogue(why)], "let the role read pg_roles");
        }
    };
    let held: Vec<&str> =
        powers.iter().zip(held).filter(|(_, held)| *held).map(|(power, _)| *power).collect();
    if held.is_empty() {
        return Claim::pass(
            id,
            vec![Evidence::catalogue(format!("{role} has none of {}", powers.join(", ")))],
        );
    }
    let evidence = Evidence::catalogue(format!("{role} has {}", held.join(", ")));
    Claim::fail(id, vec![evidence], "run on a role of its own that owns only its tables")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;

    #[test]
    fn a_verifier_that_cannot_be_read_is_not_proven() {
        let row = |kind: Option<&str>, iterations, valid_until| {
            Ok(Stored {
                role: "app".into(),
                can_login: true,
                kind: kind.map(Into::into),
                iterations,
                fingerprint: None,
                valid_until,
            })
        };
        let scram = || row(Some("scram"), Some(4096), None);
        let verdict = |stored: &[Result<Stored, String>]| all_are_scram("x", stored, Some(1000)).verdict;
        assert_eq!(verdict(&[scram()]), Verdict::Pass);
        assert_eq!(verdict(&[scram(), row(Some("none"), None, Some(999))]), Verdict::Pass, "past its end");
        assert_eq!(verdict(&[scram(), row(Some("none"), None, None)]), Verdict::Fail);
        assert_eq!(verdict(&[scram(), row(Some("none"), None, Some(1001))]), Verdict::Fail);
        assert_eq!(verdict(&[scram(), Err("no UTF-8".into())]), Verdict::NotProven);
        assert_eq!(verdict(&[scram(), row(None, None, None)]), Verdict::NotProven);
        assert_eq!(verdict(&[]), Verdict::NotProven);
        assert_eq!(verdict(&[row(Some("md5"), None, None), Err("no UTF-8".into())]), Verdict::Fail);
        assert_eq!(verdict(&[row(Some("scram"), Some(1), None)]), Verdict::Fail);
        assert_eq!(verdict(&[row(Some("scram"), None, None)]), Verdict::Fail);
    }
}
