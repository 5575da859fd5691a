//! A3: the database requires a strong password (OWASP ASVS 5 13.2.2, CIS PostgreSQL). "Requires" is a behaviour: a
//! wrong one is tried beside the right one. For SQLCipher the file itself must be ciphertext.

use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, Row as _};

use crate::config::Location;
use crate::database::postgres::{self, Asked, Refusal};
use crate::database::sqlcipher;
use crate::evidence::Evidence;
use crate::report::Claim;
use crate::world::{World, random_hex};

/// The first bytes of an SQLite file that is not encrypted.
const PLAIN: &[u8] = b"SQLite format 3\0";
/// A password that people chose is strong from here; ours are longer.
const MINIMUM_LENGTH: usize = 20;
const MINIMUM_DISTINCT: usize = 10;
/// SQLSTATE 28P01 invalid_password, 28000 invalid_authorization_specification.
const REFUSED: [&str; 2] = ["28P01", "28000"];

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    let mut claims = Vec::new();
    let config = &world.config;
    let all = config
        .store
        .iter()
        .map(|location| ("store", location))
        .chain(config.databases.iter().map(|database| (database.name.as_str(), &database.location)));
    for (name, location) in all {
        match location {
            Location::SqlCipher { path, key } => claims.extend(file(name, path, key.expose_secret()).await),
            Location::Postgres { url, password } => claims.extend(server(name, url, password.as_ref()).await),
        }
    }
    if claims.is_empty() {
        let evidence = Evidence::configuration("no database is configured");
        claims.push(Claim::not_proven(
            "a_wrong_password_is_refused",
            vec![evidence],
            "set [store] or a [[database]]",
        ));
    }
    claims
}

fn named(name: &str, claim: &str) -> String {
    format!("{name}_{claim}")
}

// --- SQLCipher

async fn file(name: &str, path: &Path, key: &[u8]) -> Vec<Claim> {
    let header = first_bytes(path);
    let right = sqlcipher::open(path, Some(key)).await;
    let control = match right {
        Ok(connection) => {
            let _closed = connection.close().await;
            Ok("the right key opens it".to_owned())
        }
        Err(why) => Err(format!("the right key does not open it: {why}")),
    };
    // The right key with every bit turned.
    let wrong: Vec<u8> = key.iter().map(|byte| !byte).collect();
    let mut claims = vec![ciphertext(&named(name, "file_is_ciphertext"), path, header.as_ref())];
    for (claim, key) in
        [("without_a_key_is_refused", None), ("with_a_wrong_key_is_refused", Some(wrong.as_slice()))]
    {
        let opened = sqlcipher::open(path, key).await;
        let refused = match opened {
            Ok(connection) => {
                let _closed = connection.close().await;
                None
            }
            Err(why) => Some(why),
        };
        claims.push(opens(&named(name, claim), refused, &control));
    }
    claims.push(mode(&named(name, "file_is_its_owners_alone"), path));
    let id = named(name, "key_is_strong");
    let evidence = Evidence::file(format!("the key is {} bits, used raw", key.len() * 8));
    claims.push(if key.len() >= 32 {
        Claim::pass(&id, vec![evidence])
    } else {
        Claim::fail(&id, vec![evidence], "use a raw key of 32 random bytes")
    });
    claims
}

fn first_bytes(path: &Path) -> Result<[u8; 16], String> {
    use std::io::Read as _;
    let mut bytes = [0; 16];
    std::fs::File::open(path)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn ciphertext(id: &str, path: &Path, header: Result<&[u8; 16], &String>) -> Claim {
    match header {
        Err(why) => {
            let evidence = Evidence::file(format!("{} cannot be read: {why}", path.display()));
            Claim::not_proven(id, vec![evidence], "run the audit where the store's file is")
        }
        Ok(bytes) if bytes.as_slice() == PLAIN => {
            let evidence = Evidence::file(format!("{} begins with \"SQLite format 3\"", path.display()));
            Claim::fail(id, vec![evidence], "encrypt it: it is no SQLCipher file")
        }
        Ok(_) => Claim::pass(
            id,
            vec![Evidence::file(format!("the first 16 bytes of {} are no SQLite header", path.display()))],
        ),
    }
}

fn opens(id: &str, refused: Option<String>, control: &Result<String, String>) -> Claim {
    match (refused, control) {
        (None, _) => {
            let evidence = Evidence::file("it opened");
            Claim::fail(id, vec![evidence], "check that the library is SQLCipher and the file encrypted")
        }
        (Some(why), Ok(control)) => {
            Claim::pass(id, vec![Evidence::file(format!("refused: {why}")).beside(control.clone())])
        }
        (Some(_), Err(why)) => Claim::not_proven(
            id,
            vec![Evidence::file(why.clone())],
            "give the auditor the right key, as the control",
        ),
    }
}

fn mode(id: &str, path: &Path) -> Claim {
    use std::os::unix::fs::PermissionsExt as _;
    match std::fs::metadata(path).map(|metadata| metadata.permissions().mode() & 0o777) {
        Err(error) => {
            Claim::not_proven(id, vec![Evidence::file(error.to_string())], "run the audit where the file is")
        }
        Ok(mode) => {
            let evidence = vec![Evidence::file(format!("{} has mode {mode:04o}", path.display()))];
            if mode & 0o077 == 0 { Claim::pass(id, evidence) } else { Claim::fail(id, evidence, "chmod 600") }
        }
    }
}

// --- PostgreSQL

async fn server(name: &str, url: &str, password: Option<&SecretString>) -> Vec<Claim> {
    let id = named(name, "wrong_password_is_refused");
    let options = match postgres::options(url, password) {
        Ok(options) => options,
        Err(why) => {
            return vec![Claim::not_proven(&id, vec![Evidence::configuration(why)], "correct the URL")];
        }
    };
    let mut connection = match postgres::connect(&options).await {
        Ok(connection) => connection,
        Err(refusal) => {
            let why = match refusal {
                Refusal::Login(code) => format!("the right password was refused ({code})"),
                Refusal::Other(why) => why,
            };
            return vec![Claim::not_proven(
                &id,
                vec![Evidence::database(why)],
                "give the auditor the right password, as the control",
            )];
        }
    };
    let control = format!("{} logged in with the right password", options.get_username());
    let mut claims = Vec::new();
    match roles(&mut connection).await {
        Err(error) => {
            let why = postgres::reason(&error);
            claims.push(Claim::not_proven(&id, vec![Evidence::catalogue(why)], "let the role read pg_roles"));
        }
        Ok(roles) => {
            let mut tried = Vec::new();
            for role in &roles {
                let wrong = format!("wrong-{}", random_hex::<16>());
                let attempt = options.clone().username(role).password(&wrong).disable_statement_logging();
                // One try a role and run: enough to see, too few to lock anybody out.
                let outcome = match postgres::connect(&attempt).await {
                    Ok(connection) => {
                        let _closed = connection.close().await;
                        Tried::LetIn
                    }
                    Err(Refusal::Login(code)) if REFUSED.contains(&code.as_str()) => Tried::Refused(code),
                    Err(Refusal::Login(code)) => Tried::Unclear(format!("SQLSTATE {code}")),
                    Err(Refusal::Other(why)) => Tried::Unclear(why),
                };
                tried.push((role.clone(), outcome));
            }
            claims.push(wrong(&id, &tried, &control));
            claims.push(methods(name, &mut connection, &options, &roles).await);
            claims.push(verifiers(&named(name, "passwords_are_stored_as_scram"), &mut connection).await);
        }
    }
    claims.push(privileges(&named(name, "role_is_not_powerful"), &mut connection).await);
    claims.push(strength(name, url, password, &options));
    let _closed = connection.close().await;
    claims
}

async fn roles(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    let rows = sqlx::query("SELECT rolname::text FROM pg_roles WHERE rolcanlogin ORDER BY 1")
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// What a login with a wrong password came to.
enum Tried {
    Refused(String),
    LetIn,
    Unclear(String),
}

fn wrong(id: &str, tried: &[(String, Tried)], control: &str) -> Claim {
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

/// What the server asks of each role for each database that it may enter: the first bytes of its protocol.
async fn methods(
    name: &str,
    connection: &mut PgConnection,
    options: &sqlx::postgres::PgConnectOptions,
    roles: &[String],
) -> Claim {
    let id = named(name, "every_login_wants_scram");
    let sql = "SELECT d.datname::text, r.rolname::text FROM pg_database d, pg_roles r WHERE d.datallowconn \
               AND r.rolcanlogin AND has_database_privilege(r.oid, d.oid, 'CONNECT') ORDER BY 1, 2 LIMIT 500";
    let pairs = match sqlx::query(sql).fetch_all(connection).await {
        Ok(rows) => rows,
        Err(error) => {
            let why = postgres::reason(&error);
            return Claim::not_proven(&id, vec![Evidence::catalogue(why)], "let the role read pg_database");
        }
    };
    let (mut offences, mut gaps, mut scram) = (Vec::new(), Vec::new(), 0);
    for pair in pairs {
        let (Ok(database), Ok(role)) = (pair.try_get::<String, _>(0), pair.try_get::<String, _>(1)) else {
            continue;
        };
        match postgres::asked(options.get_host(), options.get_port(), &role, &database).await {
            Asked::Trust => {
                offences.push(Evidence::database(format!("{role} is asked for nothing at {database}")))
            }
            Asked::Weak(what) => {
                offences.push(Evidence::database(format!("{role} is asked for {what} at {database}")))
            }
            Asked::Scram => scram += 1,
            // Without TLS it is not let in at all; the wrong password above was tried with TLS.
            Asked::Refused => {}
            Asked::Unknown(why) => gaps.push(Evidence::database(format!("{role} at {database}: {why}"))),
        }
    }
    if !offences.is_empty() {
        return Claim::fail(
            &id,
            offences,
            "set scram-sha-256 in pg_hba.conf for every database and role, and reload",
        );
    }
    if !gaps.is_empty() || scram == 0 {
        return Claim::not_proven(&id, gaps, "let the auditor reach the server from here");
    }
    let what = format!("SCRAM is asked of {scram} pairs of a role and a database ({} roles)", roles.len());
    Claim::pass(&id, vec![Evidence::database(what)])
}

/// How passwords are stored: their first characters only; a verifier never leaves the server.
async fn verifiers(id: &str, connection: &mut PgConnection) -> Claim {
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
    Claim::pass(id, vec![evidence]).but(crate::verdict::Verdict::NotApplicable)
}

async fn privileges(id: &str, connection: &mut PgConnection) -> Claim {
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

fn strength(
    name: &str,
    url: &str,
    password: Option<&SecretString>,
    options: &sqlx::postgres::PgConnectOptions,
) -> Claim {
    let id = named(name, "password_is_strong");
    let in_url = url::Url::parse(url)
        .ok()
        .and_then(|url| url.password().map(|text| SecretString::from(text.to_owned())));
    let Some(password) = password.cloned().or(in_url) else {
        let evidence = Evidence::configuration("the password is not known here");
        return Claim::not_proven(&id, vec![evidence], "give the auditor the password's file");
    };
    let names = [options.get_username(), options.get_database().unwrap_or_default(), options.get_host()];
    judge_strength(&id, password.expose_secret(), &names)
}

fn judge_strength(id: &str, password: &str, names: &[&str]) -> Claim {
    let length = password.chars().count();
    let distinct = password.chars().collect::<std::collections::BTreeSet<_>>().len();
    let lower = password.to_lowercase();
    let named = names.iter().any(|name| name.len() >= 3 && lower.contains(&name.to_lowercase()));
    // A bound, not a proof: a person can still choose a poor one of this length.
    let evidence = vec![Evidence::configuration(format!(
        "{length} characters, {distinct} different ones{}",
        if named { ", and it contains the name of its role, database or host" } else { "" }
    ))];
    if length < MINIMUM_LENGTH || distinct < MINIMUM_DISTINCT || named {
        Claim::fail(id, evidence, "set a random password of 20 characters or more")
    } else {
        Claim::pass(id, evidence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;

    #[test]
    fn strength_is_length_variety_and_no_name() {
        let verdict = |password: &str| judge_strength("x", password, &["app", "orders", "db"]).verdict;
        assert_eq!(verdict("hQ7vN2kXw9ZpT4mYc8RbLd3J"), Verdict::Pass);
        assert_eq!(verdict("hQ7vN2kXw9Zp"), Verdict::Fail);
        assert_eq!(verdict("aaaaaaaaaaaaaaaaaaaaaaaa"), Verdict::Fail);
        assert_eq!(verdict("orders-hQ7vN2kXw9ZpT4mYc8"), Verdict::Fail);
    }

    #[test]
    fn a_refusal_needs_its_control() {
        let control = Ok("the right key opens it".to_owned());
        assert_eq!(opens("x", Some("no".into()), &control).verdict, Verdict::Pass);
        assert_eq!(opens("x", None, &control).verdict, Verdict::Fail);
        assert_eq!(opens("x", Some("no".into()), &Err("no key".into())).verdict, Verdict::NotProven);
        let tried = |outcome| wrong("x", &[("app".to_owned(), outcome)], "c").verdict;
        assert_eq!(tried(Tried::Refused("28P01".into())), Verdict::Pass);
        assert_eq!(tried(Tried::LetIn), Verdict::Fail);
        assert_eq!(tried(Tried::Unclear("timeout".into())), Verdict::NotProven);
    }
}
