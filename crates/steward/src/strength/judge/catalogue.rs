//! What the server tells of itself, and what the password is.

use super::{Report, listed};
use crate::strength::facts::{Facts, Kind, Provenance, Role, Stored};
use crate::strength::password::Weakness;

/// Fewer rounds of PBKDF2 than PostgreSQL itself makes (RFC 7677 section 4).
const FEWEST_ITERATIONS: u32 = 4096;

pub(super) fn stored_as_scram(facts: &Facts, report: &mut Report) {
    let stored = match &facts.stored {
        Ok(stored) => stored,
        Err(reason) => {
            report.unseen(
                format!("In which form passwords are stored is not known ({reason})."),
                "Give the administrator's credential, or run `portcullis database adopt`, which leaves a function that tells.",
            );
            return;
        }
    };
    let expired = |name: &str| {
        let roles = facts.server.as_ref().map(|server| server.roles.as_slice()).unwrap_or_default();
        roles.iter().any(|role| role.name == name && role.expired)
    };
    let of = |wanted: &dyn Fn(&Stored) -> bool| -> Vec<String> {
        stored.iter().filter(|stored| wanted(stored)).map(|stored| stored.role.clone()).collect()
    };
    let md5 = of(&|stored| stored.kind == Some(Kind::Md5));
    if !md5.is_empty() {
        report.wrong(
            format!("An MD5 hash is stored for {}; it logs in as it is.", listed(&md5)),
            "Set password_encryption = 'scram-sha-256' and set the password anew, or take LOGIN away.",
        );
    }
    // A role that was retired keeps LOGIN for its next turn, and has VALID UNTIL in the past.
    let none = of(&|stored| stored.kind == Some(Kind::None) && !expired(&stored.role));
    if !none.is_empty() {
        report.wrong(
            format!("{} may log in and has no password.", listed(&none)),
            "ALTER ROLE … NOLOGIN, or set a password.",
        );
    }
    let few = of(&|stored| {
        stored.kind == Some(Kind::Scram) && stored.iterations.is_none_or(|n| n < FEWEST_ITERATIONS)
    });
    if !few.is_empty() {
        report.wrong(
            format!("The verifier of {} has fewer than {FEWEST_ITERATIONS} rounds.", listed(&few)),
            "Set scram_iterations to 4096 or more and set the password anew.",
        );
    }
    let unknown = of(&|stored| stored.kind.is_none());
    if !unknown.is_empty() {
        report.unseen(
            format!("In which form the password of {} is stored was not shown.", listed(&unknown)),
            "Give the administrator's credential.",
        );
    }
    if !stored.iter().any(|stored| stored.role == facts.role) {
        report.unseen(
            format!("Nothing is known of what is stored for {}.", facts.role),
            "Check the role's name.",
        );
    }
    report.fine(format!("{} role(s) that can log in are stored as SCRAM-SHA-256 verifiers.", stored.len()));
}

pub(super) fn least_privilege(facts: &Facts, report: &mut Report) {
    let role = match &facts.server {
        Ok(server) => server.roles.iter().find(|role| role.name == facts.role),
        Err(reason) => {
            report.unseen(
                format!("Which powers {} has is not known ({reason}).", facts.role),
                "Give the administrator's credential.",
            );
            return;
        }
    };
    let Some(role) = role else {
        report.unseen(
            format!("The server lists no role {} that can log in.", facts.role),
            "Check the role's name.",
        );
        return;
    };
    let powers = powers(role);
    if !powers.is_empty() {
        report.wrong(
            format!("The application logs in as {}, which is {}.", role.name, listed(&powers)),
            "Give the application a role of its own: `portcullis database adopt` makes two that own its data and nothing \
             else.",
        );
    }
    if !role.reaches.is_empty() {
        report.wrong(
            format!("{} belongs to {}, and has or can take its powers.", role.name, listed(&role.reaches)),
            "REVOKE the membership.",
        );
    }
    report.fine(format!("{} has no power beyond its data.", role.name));
}

fn powers(role: &Role) -> Vec<String> {
    [
        (role.superuser, "SUPERUSER"),
        (role.create_role, "CREATEROLE"),
        (role.create_database, "CREATEDB"),
        (role.replication, "REPLICATION"),
        (role.bypass_row_security, "BYPASSRLS"),
    ]
    .into_iter()
    .filter(|(has, _)| *has)
    .map(|(_, name)| name.to_owned())
    .collect()
}

pub(super) fn strong_password(facts: &Facts, report: &mut Report) {
    if let Provenance::Foreign(weaknesses) = &facts.provenance
        && !weaknesses.is_empty()
    {
        let words: Vec<String> =
            weaknesses.iter().map(|weakness: &Weakness| weakness.words().to_owned()).collect();
        report.wrong(
            format!("The password of {} {}.", facts.role, words.join(", and ")),
            "Run `portcullis database rotate`, which makes one of 256 random bits; or set a long random one.",
        );
    }
    let stored = facts.stored.as_deref().unwrap_or_default();
    for stored in stored {
        if let Some(guess) = &stored.guessed {
            report.wrong(
                format!("The password of {} is {guess}.", stored.role),
                "Set a long random password, or take LOGIN away.",
            );
        }
    }
    report.fine(match facts.provenance {
        Provenance::Ours { generation } => {
            format!(
                "The password of {} was made here of 256 random bits (generation {generation}).",
                facts.role
            )
        }
        Provenance::Foreign(_) => {
            format!("Nothing speaks against the password of {}, which somebody else made.", facts.role)
        }
    });
}

/// The file explains what was seen, and warns of what a reload or another vantage would show.
pub(super) fn rules(facts: &Facts, report: &mut Report) {
    let rules = match &facts.rules {
        Ok(rules) => rules,
        Err(reason) => {
            report.unseen(
                format!("pg_hba.conf could not be read ({reason})."),
                "Give the administrator's credential; behaviour decides, the file only explains it.",
            );
            return;
        }
    };
    for rule in rules {
        if let Some(error) = &rule.error {
            report.likely(
                format!(
                    "Line {} of pg_hba.conf cannot be read ({error}): the server keeps its old rules.",
                    rule.line
                ),
                "Mend the line and reload.",
            );
            continue;
        }
        let method = rule.method.as_deref().unwrap_or_default();
        if !matches!(method, "trust" | "password" | "md5" | "ident") {
            continue;
        }
        let kind = rule.kind.as_deref().unwrap_or_default();
        let address = rule.address.as_deref().unwrap_or("all");
        let local = kind == "local" || matches!(address, "127.0.0.1" | "::1" | "localhost");
        let sentence = format!("Line {} of pg_hba.conf ({kind} {address}) says {method}.", rule.line);
        // Programs beside the server are let in, as in the image that Docker Hub carries.
        if local {
            report
                .note(sentence, "Whoever runs programs beside the server enters by it; write scram-sha-256.");
        } else {
            report.likely(
                sentence,
                "Write scram-sha-256 (or reject) and reload. It counts for whoever comes from there.",
            );
        }
    }
    report.fine("pg_hba.conf lets nobody in from elsewhere by trust, password, md5 or ident.".to_owned());
}
