//! What PostgreSQL's catalogue says of passwords and of the role.

use sqlx::{PgConnection, Row as _};

use crate::database::postgres;
use crate::evidence::Evidence;
use crate::report::Claim;
use crate::verdict::Verdict;

/// How passwords are stored: their first characters only; a verifier never leaves the server.
pub(super) async fn verifiers(id: &str, connection: &mut PgConnection) -> Claim {
    let steward = "SELECT role_name::text, kind::text, iterations::bigint FROM portcullis.credentials() WHERE can_login";
    let catalogue = "SELECT rolname::text, CASE WHEN rolpassword IS NULL THEN 'none' \
                     WHEN rolpassword LIKE 'SCRAM-SHA-256$%' THEN 'scram' ELSE 'md5' END, \
                     substring(rolpassword FROM '^SCRAM-SHA-256[$]([0-9]+):')::bigint FROM pg_authid WHERE rolcanlogin";
    for sql in [steward, catalogue] {
        let Ok(rows) = sqlx::query(sql).fetch_all(&mut *connection).await else { continue };
        let stored: Vec<Stored> = rows
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)))
            .map(|row: Result<_, sqlx::Error>| row.map_err(|error| postgres::reason(&error)))
            .collect();
        return all_are_scram(id, &stored);
    }
    // The server asks for SCRAM, and an MD5 verifier could not answer it: seen by `every_login_wants_scram`.
    let evidence = Evidence::catalogue("stored passwords are not readable here, as it should be");
    Claim::pass(id, vec![evidence]).but(Verdict::NotApplicable)
}

/// A role, the kind of its verifier and its iterations; or why the row could not be read.
type Stored = Result<(String, String, Option<i64>), String>;

fn all_are_scram(id: &str, stored: &[Stored]) -> Claim {
    let (mut offences, mut gaps) = (Vec::new(), Vec::new());
    for row in stored {
        let (role, kind, iterations) = match row {
            Ok(row) => row,
            Err(why) => {
                gaps.push(Evidence::catalogue(format!("a role's verifier cannot be read: {why}")));
                continue;
            }
        };
        let iterations = iterations.unwrap_or(0);
        match kind.as_str() {
            "scram" if iterations >= 4096 => {}
            "scram" => {
                offences.push(Evidence::catalogue(format!("{role}: SCRAM with {iterations} iterations")))
            }
            // A role without a password cannot log in by password; that it is let in otherwise is seen above.
            "none" => {}
            other => offences.push(Evidence::catalogue(format!("{role}: {other}"))),
        }
    }
    if !offences.is_empty() {
        return Claim::fail(id, offences, "set password_encryption = scram-sha-256 and the passwords anew");
    }
    if !gaps.is_empty() {
        return Claim::not_proven(id, gaps, "name roles in UTF-8, or audit over a database that has it");
    }
    let what = format!("{} login roles, none but SCRAM with 4096 iterations or more", stored.len());
    Claim::pass(id, vec![Evidence::catalogue(what)])
}

/// The role of the application has no power over the server.
pub(super) async fn privileges(id: &str, connection: &mut PgConnection) -> Claim {
    let sql = "SELECT rolname::text, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, \
               EXISTS (SELECT FROM pg_roles p WHERE p.rolname IN ('pg_execute_server_program', \
               'pg_write_server_files', 'pg_read_server_files') AND pg_has_role(r.oid, p.oid, 'MEMBER')) \
               FROM pg_roles r WHERE rolname = session_user";
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
        "programs or files of the server",
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

    #[test]
    fn a_verifier_that_cannot_be_read_is_not_proven() {
        let row = |kind: &str, iterations| Ok(("app".to_owned(), kind.to_owned(), iterations));
        let verdict = |stored: &[Stored]| all_are_scram("x", stored).verdict;
        assert_eq!(verdict(&[row("scram", Some(4096)), row("none", None)]), Verdict::Pass);
        assert_eq!(verdict(&[row("scram", Some(4096)), Err("no UTF-8".into())]), Verdict::NotProven);
        assert_eq!(verdict(&[row("md5", None), Err("no UTF-8".into())]), Verdict::Fail);
        assert_eq!(verdict(&[row("scram", Some(1))]), Verdict::Fail);
        assert_eq!(verdict(&[row("scram", None)]), Verdict::Fail);
    }
}
