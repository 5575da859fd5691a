//! A4: the database's password is rotated every X: of every role that can log in, the platform's own included. No
//! catalogue of PostgreSQL knows how old a password is, so the steward keeps a ledger in the database itself; a row of it
//! counts only where its fingerprint is that of the verifier which the server uses now (OWASP ASVS 5 13.3.4). The time is
//! the server's own.

mod judge;

use sqlx::Connection as _;

use crate::config::Config;
use crate::database::credentials::Credentials;
use crate::database::targets::{Target, targets};
use crate::document::duration;
use crate::evidence::Evidence;
use crate::measures::MeasureId;
use crate::measures::claimed::{Claimed, claimed};
use crate::report::Claim;
use crate::world::World;

/// What stands for the measure where there is nothing to look at.
const YOUNG: &str = "every_password_is_younger_than_x";

/// `90 d, maximum_password_age of backend`, for each database.
pub(crate) fn value(config: &Config) -> Option<String> {
    let mut values: Vec<String> = Vec::new();
    for target in targets(config) {
        if let Some(age) = &target.stewardship.maximum_password_age {
            values.push(format!("{}, {} of {}", duration(age.seconds), age.source, target.name));
        }
    }
    (!values.is_empty()).then(|| values.join("; "))
}

/// What it can claim.
pub(crate) const CLAIMS: &[Claimed] = &[
    claimed(
        "x_agrees_with_the_document",
        "the document promises no shorter a time than the configuration",
        &[],
        &[],
    ),
    claimed(
        "every_password_is_younger_than_x",
        "every role that can log in has a password younger than X",
        &["V13.3.4", "V13.2.1"],
        &[262, 263],
    ),
    claimed(
        "the_ledger_speaks_of_the_passwords_in_use",
        "the passwords in use are those that the ledger speaks of",
        &["V13.3.4"],
        &[],
    ),
    claimed("no_password_came_back", "no password was ever used twice", &["V13.3.4"], &[262]),
    claimed(
        "replaced_credentials_are_dead",
        "credentials that were replaced log in no more and have no session",
        &["V13.3.4"],
        &[613, 262],
    ),
    claimed(
        "the_server_ends_old_passwords",
        "the server itself refuses a password that is too old",
        &["V13.3.4"],
        &[262],
    ),
    claimed(
        "the_steward_saw_the_previous_password_refused",
        "the steward's journal does not say that the previous password still works",
        &[],
        &[],
    ),
];

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    let targets = targets(&world.config);
    if targets.is_empty() {
        let evidence = Evidence::configuration("no PostgreSQL database is configured");
        return vec![Claim::not_proven(
            YOUNG,
            vec![evidence],
            "name the backend's database as a [[database]]",
        )];
    }
    let mut seen = Vec::new();
    for target in &targets {
        seen.push((target, observe(target).await));
    }
    // A role belongs to a whole server, a ledger to one database of it: what one ledger says counts for all of them.
    let ledgers: Vec<_> = seen
        .iter()
        .filter_map(|(target, seen)| {
            Some((server(target)?, seen.as_ref().ok()?.rotations.as_ref().ok()?.clone()))
        })
        .collect();
    let mut claims = Vec::new();
    for (target, seen) in &mut seen {
        match seen {
            Ok(credentials) => {
                if let Ok(rotations) = &mut credentials.rotations {
                    let own = server(target);
                    for (_, others) in ledgers.iter().filter(|(other, _)| Some(other) == own.as_ref()) {
                        rotations.extend(
                            others
                                .iter()
                                .filter(|other| !rotations.contains(other))
                                .cloned()
                                .collect::<Vec<_>>(),
                        );
                    }
                }
                claims.extend(judge::claims(target, credentials));
            }
            Err(why) => {
                let evidence = Evidence::database(why.clone());
                let remedy = "let the auditor log in with the credentials that the application uses";
                claims.push(Claim::not_proven(&target.claim(YOUNG), vec![evidence], remedy));
            }
        }
        claims.push(agreement(target, &world.config));
        for claim in &mut claims {
            claim.remedy = claim.remedy.replace("NAME", target.name);
        }
    }
    claims
}

async fn observe(target: &Target<'_>) -> Result<Credentials, String> {
    let mut connection = target.connect().await?;
    let credentials = Credentials::read(&mut connection).await;
    let _closed = connection.close().await;
    Ok(credentials)
}

/// Host and port; none for a URL that is none.
fn server(target: &Target<'_>) -> Option<(String, u16)> {
    target.options().ok().map(|options| (options.get_host().to_owned(), options.get_port()))
}

/// The document's number against the configuration's. A shorter age keeps a longer promise. A month has 30 or 30.44 days,
/// depending on who counts: a fiftieth more contradicts nothing.
fn agreement(target: &Target<'_>, config: &Config) -> Claim {
    let id = target.claim("x_agrees_with_the_document");
    let promised = config.document.as_ref().and_then(|document| document.promised(MeasureId::A4));
    let Some(promised) = promised else {
        let evidence = Evidence::configuration("the document gives no number");
        return Claim::pass(&id, vec![evidence]).but(crate::verdict::Verdict::NotApplicable);
    };
    let Some(age) = &target.stewardship.maximum_password_age else {
        let what = format!("the document says {}, no age is configured", duration(promised));
        return Claim::not_proven(&id, vec![Evidence::configuration(what)], "set maximum_password_age");
    };
    let what =
        format!("the document says {}, {} is {}", duration(promised), age.source, duration(age.seconds));
    let evidence = vec![Evidence::configuration(what)];
    if age.seconds <= promised.saturating_add(promised / 50) {
        Claim::pass(&id, evidence)
    } else {
        Claim::fail(&id, evidence, format!("change the document or {}", age.source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Lifetime, Stewardship};
    use crate::verdict::Verdict;

    #[test]
    fn a_number_in_the_document_binds_the_configuration() {
        let agree = |sentence: &str, days: i64| {
            let mut config = Config::new("http://t", "http://i/", "a", std::sync::Arc::new(|| 0));
            config.document = Some(crate::Document::parse(&format!("- [ ] {sentence}")));
            let stewardship = Stewardship {
                maximum_password_age: Some(Lifetime {
                    seconds: days * 86_400,
                    source: "maximum_password_age".into(),
                }),
                ..Stewardship::default()
            };
            let target = Target { name: "backend", url: "", password: None, stewardship: &stewardship };
            agreement(&target, &config).verdict
        };
        assert_eq!(agree("The password is rotated every 3 months.", 90), Verdict::Pass);
        assert_eq!(
            agree("The password is rotated every 3 months.", 91),
            Verdict::Pass,
            "as humantime counts"
        );
        assert_eq!(
            agree("The password is rotated every 3 months.", 30),
            Verdict::Pass,
            "sooner keeps the promise"
        );
        assert_eq!(agree("The password is rotated every 3 months.", 120), Verdict::Fail);
        assert_eq!(agree("The password is rotated every X months.", 120), Verdict::NotApplicable);
    }
}
