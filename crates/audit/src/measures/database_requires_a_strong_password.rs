//! A3: the database requires a strong password (OWASP ASVS 5 13.2.2, CIS PostgreSQL). "Requires" is a behaviour: a
//! wrong one is tried beside the right one. For SQLCipher the file itself must be ciphertext.

mod catalogue;
mod file;
mod logins;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::Connection as _;

use crate::config::Location;
use crate::database::postgres::{self, Refusal};
use crate::evidence::Evidence;
use crate::report::Claim;
use crate::world::World;

/// A password that people chose is strong from here; ours are longer.
const MINIMUM_LENGTH: usize = 20;
const MINIMUM_DISTINCT: usize = 10;

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
            Location::SqlCipher { path, key } => {
                claims.extend(file::claims(name, path, key.expose_secret()).await)
            }
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
    match logins::roles(&mut connection).await {
        Err(error) => {
            let why = postgres::reason(&error);
            claims.push(Claim::not_proven(&id, vec![Evidence::catalogue(why)], "let the role read pg_roles"));
        }
        Ok(roles) => {
            let tried = logins::try_wrong_passwords(&options, &roles).await;
            claims.push(logins::wrong(&id, &tried, &control));
            claims.push(logins::methods(name, &mut connection, &options, &roles).await);
            claims.push(
                catalogue::verifiers(&named(name, "passwords_are_stored_as_scram"), &mut connection).await,
            );
        }
    }
    claims.push(catalogue::privileges(&named(name, "role_is_not_powerful"), &mut connection).await);
    claims.push(strength(name, url, password, &options));
    let _closed = connection.close().await;
    claims
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
}
