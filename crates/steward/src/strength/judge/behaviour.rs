//! What was done to us at the door.

use super::{Report, listed};
use crate::strength::facts::{Facts, Login, Path, SystemUser, WrongPassword};
use crate::strength::wire::Asked;

pub(super) fn password_required(facts: &Facts, report: &mut Report) {
    let mut asked = 0_usize;
    for door in &facts.doors {
        if let Err(reason) = &door.offers_tls {
            report.unseen(
                format!("{} does not answer: {reason}.", door.address),
                "Check that it is up and reachable.",
            );
            continue;
        }
        let open: Vec<String> = (door.accesses.iter().filter(|access| access.asked == Asked::Nothing))
            .map(|access| entry(&access.role, access.database.as_deref(), access.tls))
            .collect();
        if !open.is_empty() {
            report.wrong(
                format!("At {} nobody is asked for a password: {}.", door.address, listed(&open)),
                "Replace `trust` in pg_hba.conf (or auth_type of the pooler) by scram-sha-256, reload, and try again.",
            );
        }
        let unclear: Vec<String> = (door.accesses.iter())
            .filter(|access| matches!(access.asked, Asked::Unclear(_) | Asked::Other(_)))
            .map(|access| entry(&access.role, access.database.as_deref(), access.tls))
            .collect();
        if !unclear.is_empty() {
            let why = door.accesses.iter().find_map(|access| match &access.asked {
                Asked::Unclear(reason) => Some(reason.clone()),
                Asked::Other(number) => Some(format!("authentication request {number}")),
                _ => None,
            });
            report.unseen(
                format!(
                    "At {} no usable answer came for {} ({}).",
                    door.address,
                    listed(&unclear),
                    why.unwrap_or_default()
                ),
                "Try again; a server that is busy or starting says nothing about its roles.",
            );
        }
        if door.left_out > 0 {
            report.unseen(
                format!("At {} {} pairs of role and database were not tried.", door.address, door.left_out),
                "Take LOGIN from roles and CONNECT from databases that nobody needs.",
            );
        }
        asked += door.accesses.len();
    }
    if facts.system_user == SystemUser::Nobody {
        report.wrong(
            format!(
                "PostgreSQL says that the session of {} was not authenticated (SYSTEM_USER is NULL).",
                facts.role
            ),
            "Replace `trust` in pg_hba.conf by scram-sha-256 and reload.",
        );
    }
    if let Err(reason) = &facts.server {
        report.unseen(
            format!("Which other roles can log in is not known ({reason})."),
            "Give the administrator's credential, or let the role read pg_roles and pg_database.",
        );
    }
    let kinds = facts.doors.iter().map(|door| door.address.to_string()).collect::<Vec<_>>().join(" and ");
    report
        .fine(format!("A password is required at {kinds}: {asked} start-ups of every role that can log in."));
}

pub(super) fn wrong_password_refused(facts: &Facts, report: &mut Report) {
    let accepted: Vec<String> = (facts.tries.iter())
        .filter(|attempt| attempt.outcome == WrongPassword::Accepted)
        .map(|attempt| attempt.role.clone())
        .collect();
    if !accepted.is_empty() {
        report.wrong(
            format!("A wrong password lets in {}.", listed(&accepted)),
            "Replace `trust` in pg_hba.conf (or auth_type of the pooler) by scram-sha-256, and reload.",
        );
    }
    match &facts.control {
        Login::Works => {}
        Login::Refused(reason) => report.unseen(
            format!("The password of {} is refused itself ({reason}), so the refusal of a wrong one means nothing.", facts.role),
            "Check the credential that is configured.",
        ),
        Login::Unclear(reason) => report.unseen(
            format!("{} could not log in ({reason}), so the refusal of a wrong password means nothing.", facts.role),
            "Check that the database is up and the credential is right.",
        ),
    }
    let unclear: Vec<_> = (facts.tries.iter())
        .filter_map(|attempt| match &attempt.outcome {
            WrongPassword::Unclear(reason) => Some(format!("{} ({reason})", attempt.role)),
            _ => None,
        })
        .collect();
    if !unclear.is_empty() {
        report.unseen(format!("No clear answer to a wrong password of {}.", listed(&unclear)), "Try again.");
    }
    if facts.tries.is_empty() {
        report.unseen("No wrong password was tried.".to_owned(), "Try again.");
    }
    report.fine(format!(
        "A wrong password is refused for {} role(s), and the right one of {} is not.",
        facts.tries.len(),
        facts.role
    ));
}

pub(super) fn scram_only(facts: &Facts, report: &mut Report) {
    let mut scram = 0_usize;
    for door in &facts.doors {
        for (asked, what) in [(Asked::ClearText, "in clear text"), (Asked::Md5, "by MD5")] {
            let weak: Vec<String> = (door.accesses.iter().filter(|access| access.asked == asked))
                .map(|access| entry(&access.role, access.database.as_deref(), access.tls))
                .collect();
            if !weak.is_empty() {
                report.wrong(
                    format!("At {} the password is asked for {what}: {}.", door.address, listed(&weak)),
                    "Set password_encryption = 'scram-sha-256', set the password anew, write scram-sha-256 into \
                     pg_hba.conf (or auth_type of the pooler), and reload.",
                );
            }
        }
        scram += door.accesses.iter().filter(|access| matches!(access.asked, Asked::Sasl(_))).count();
    }
    if let SystemUser::Is(user) = &facts.system_user
        && !user.starts_with("scram-sha-256:")
    {
        report.wrong(
            format!(
                "PostgreSQL authenticated the session of {} otherwise than by SCRAM ({user}).",
                facts.role
            ),
            "Write scram-sha-256 into pg_hba.conf and reload.",
        );
    }
    let own_is_seen = facts.doors.first().is_some_and(|door| {
        door.accesses.iter().any(|access| access.role == facts.role && matches!(access.asked, Asked::Sasl(_)))
    });
    if report.findings.is_empty() && !own_is_seen {
        report.unseen(
            format!("{} was never asked for SCRAM.", facts.role),
            "See what is said of the password above.",
        );
    }
    report.fine(format!("The password is proven by SCRAM-SHA-256 ({scram} start-ups)."));
}

pub(super) fn protected_path(facts: &Facts, report: &mut Report) {
    let channel = &facts.channel;
    const ENCRYPT: &str =
        "Add sslmode=require to the URL, and turn ssl on at the server; or use the private network.";
    match (channel.tls, channel.path) {
        (Some(true), path) => {
            if channel.tls_is_optional && path != Path::Private {
                report.likely(
                    "The connection is encrypted, and somebody on the way could talk it out of that."
                        .to_owned(),
                    "Add sslmode=require to the URL.",
                );
            }
            report.fine("The connection to the database is encrypted.".to_owned());
        }
        (_, Path::Private) => report.fine("The database is reached by a private address.".to_owned()),
        (Some(false), Path::Public) => {
            report
                .wrong("The database is reached by a public address without encryption.".to_owned(), ENCRYPT);
        }
        (None, _) | (_, Path::Unknown) => {
            report.unseen(
                "Whether the way to the database is encrypted or private is not known.".to_owned(),
                ENCRYPT,
            );
        }
    }
}

/// `app in orders (TLS)`.
fn entry(role: &str, database: Option<&str>, tls: bool) -> String {
    let way = if tls { "over TLS" } else { "without TLS" };
    match database {
        Some(database) => format!("{role} in {database} {way}"),
        None => format!("{role} as a replica {way}"),
    }
}
