//! A3: the database requires a strong password (OWASP ASVS 5 13.2.2, CIS PostgreSQL). "Requires" is a behaviour: a
//! wrong one is tried beside the right one. For SQLCipher the file itself must be ciphertext.

mod catalogue;
mod file;
mod logins;
mod rules;
mod strength;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::Connection as _;
use sqlx::postgres::PgConnectOptions;

use crate::config::{Config, Location};
use crate::database::credentials::Credentials;
use crate::database::postgres;
use crate::database::targets::{Target, targets};
use crate::evidence::Evidence;
use crate::measures::claimed::{Claimed, claimed};
use crate::probe::endpoint::percent_decoded;
use crate::report::Claim;
use crate::world::World;
use strength::Given;

/// What it can claim.
pub(crate) const CLAIMS: &[Claimed] = &[
    claimed("a_wrong_password_is_refused", "the databases refuse a wrong password", &["V13.2.1"], &[287]),
    claimed(
        "wrong_password_is_refused",
        "every role that can log in is refused with a wrong password",
        &["V13.2.1"],
        &[287, 306],
    ),
    claimed(
        "no_password_is_its_roles_name",
        "no role's password is its own name",
        &["V13.2.3"],
        &[521, 1392],
    ),
    claimed(
        "every_login_wants_scram",
        "every pair of role and database is asked for SCRAM, never for less",
        &["V13.2.1", "V11.4.1"],
        &[287, 522],
    ),
    claimed(
        "every_password_is_strong",
        "every role's password is made at random, or long, varied and free of names",
        &["V13.2.3"],
        &[521],
    ),
    claimed(
        "passwords_are_stored_as_scram",
        "every stored password is a SCRAM verifier of 4096 rounds or more",
        &["V11.4.1"],
        &[916, 328],
    ),
    claimed(
        "rules_let_in_nobody_without_a_secret",
        "no rule that can be reached lets in a remote address without a secret",
        &["V13.2.1"],
        &[306],
    ),
    claimed(
        "role_is_not_powerful",
        "the application's role has no power beyond its own data",
        &["V13.2.2"],
        &[250, 269],
    ),
    claimed("file_is_ciphertext", "the database's file is ciphertext", &[], &[311]),
    claimed("without_a_key_is_refused", "the database's file does not open without a key", &[], &[311]),
    claimed("with_a_wrong_key_is_refused", "the database's file does not open with a wrong key", &[], &[311]),
    claimed(
        "file_is_its_owners_alone",
        "nobody but its owner can read the database's file",
        &["V13.2.2"],
        &[732],
    ),
    claimed("key_is_strong", "the database's key is 256 bits or more", &["V11.2.3"], &[326]),
];

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    let mut claims = Vec::new();
    let config = &world.config;
    let files = config
        .store
        .iter()
        .map(|location| ("store", location))
        .chain(config.databases.iter().map(|database| (database.name.as_str(), &database.location)));
    for (name, location) in files {
        if let Location::SqlCipher { path, key } = location {
            claims.extend(file::claims(name, path, key.expose_secret()).await);
        }
    }
    for target in targets(config) {
        claims.extend(server(&target, config).await);
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

async fn server(target: &Target<'_>, config: &Config) -> Vec<Claim> {
    let id = target.claim("wrong_password_is_refused");
    let options = match target.options() {
        Ok(options) => options,
        Err(why) => {
            return vec![Claim::not_proven(&id, vec![Evidence::configuration(why)], "correct the URL")];
        }
    };
    let mut connection = match target.connect().await {
        Ok(connection) => connection,
        Err(why) => {
            let remedy = "give the auditor the right password, as the control";
            return vec![Claim::not_proven(&id, vec![Evidence::database(why)], remedy)];
        }
    };
    let control = format!("{} logged in with the right password", options.get_username());
    let credentials = Credentials::read(&mut connection).await;
    let mut claims = Vec::new();
    match logins::roles(&mut connection).await {
        Err(error) => {
            let why = postgres::reason(&error);
            claims.push(Claim::not_proven(&id, vec![Evidence::catalogue(why)], "let the role read pg_roles"));
        }
        Ok(roles) => {
            let tried = logins::try_wrong_passwords(&options, &roles).await;
            claims.push(logins::wrong(&id, &tried, &control));
            claims.push(logins::own_names(&target.claim("no_password_is_its_roles_name"), &tried, &control));
            claims.push(logins::methods(target.name, &mut connection, &options, &roles).await);
            let names = [options.get_database().unwrap_or_default(), options.get_host()];
            let given = given(config, &options);
            let id = target.claim("every_password_is_strong");
            claims.push(strength::claim(&id, &roles, &credentials, &given, &names));
        }
    }
    claims.push(catalogue::verifiers(&target.claim("passwords_are_stored_as_scram"), &credentials));
    let read = rules::read(&mut connection).await;
    claims.push(rules::claim(&target.claim("rules_let_in_nobody_without_a_secret"), &read));
    claims.push(catalogue::privileges(&target.claim("role_is_not_powerful"), &mut connection).await);
    let _closed = connection.close().await;
    claims
}

/// The passwords of this server's roles that the configuration has.
fn given(config: &Config, server: &PgConnectOptions) -> Given {
    let mut given = Given::new();
    let audit = match &config.database {
        Some(Location::Postgres { url, password }) => Some((url.as_str(), password.as_ref())),
        _ => None,
    };
    let all = targets(config).into_iter().map(|target| (target.url, target.password)).chain(audit);
    for (url, password) in all {
        let Ok(options) = postgres::options(url, password) else { continue };
        if (options.get_host(), options.get_port()) != (server.get_host(), server.get_port()) {
            continue;
        }
        let in_url = || {
            let url = url::Url::parse(url).ok()?;
            url.password().map(|text| SecretString::from(percent_decoded(text)))
        };
        if let Some(password) = password.cloned().or_else(in_url) {
            given.insert(options.get_username().to_owned(), password);
        }
    }
    given
}
