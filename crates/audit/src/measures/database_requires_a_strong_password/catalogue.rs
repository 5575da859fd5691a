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
        let mut offences = Vec::new();
        for row in &rows {
            let (Ok(role), Ok(kind)) = (row.try_get::<String, _>(0), row.try_get::<String, _>(1)) else {
                continue;
            };
            let iterations = row.try_get::<Option<i64>, _>(2).ok().flatten().unwrap_or(0);
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
            return Claim::fail(
                id,
                offences,
                "set password_encryption = scram-sha-256 and the passwords anew",
            );
        }
        let what = format!("{} login roles, none but SCRAM with 4096 iterations or more", rows.len());
        return Claim::pass(id, vec![Evidence::catalogue(what)]);
    }
    // The server asks for SCRAM, and an MD5 verifier could not answer it: seen by `every_login_wants_scram`.
    let evidence = Evidence::catalogue("stored passwords are not readable here, as it should be");
    Claim::pass(id, vec![evidence]).but(Verdict::NotApplicable)
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
    let role: String = row.try_get(0).unwrap_or_default();
    let powers = [
        "SUPERUSER",
        "CREATEROLE",
        "CREATEDB",
        "REPLICATION",
        "BYPASSRLS",
        "programs or files of the server",
    ];
    let held: Vec<&str> = powers
        .iter()
        .enumerate()
        .filter(|(at, _)| row.try_get::<bool, _>(at + 1).unwrap_or(true))
        .map(|(_, power)| *power)
        .collect();
    if held.is_empty() {
        return Claim::pass(
            id,
            vec![Evidence::catalogue(format!("{role} has none of {}", powers.join(", ")))],
        );
    }
    let evidence = Evidence::catalogue(format!("{role} has {}", held.join(", ")));
    Claim::fail(id, vec![evidence], "run on a role of its own that owns only its tables")
}
