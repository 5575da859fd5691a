//! What the facts mean where the database serves. Pure: the same facts and the same environment give the same findings,
//! one for each thing that is wrong or could not be seen, and one for each claim that holds.

use crate::Environment;

use super::facts::{Facts, Kind, Login, Path, Provenance, Role, Stored, SystemUser, WrongPassword};
use super::finding::{Certainty, Claim, Finding, Severity};
use super::password::Weakness;
use super::wire::Asked;

/// Fewer rounds of PBKDF2 than PostgreSQL itself makes (RFC 7677 section 4).
const FEWEST_ITERATIONS: u32 = 4096;
/// As many names as a sentence bears.
const NAMES_IN_A_SENTENCE: usize = 6;

/// Looks at the facts for one claim.
type Look = fn(&Facts, &mut Report);

/// Every claim, in the order in which people read them.
const CLAIMS: [(Claim, Look); 8] = [
    (Claim::PasswordRequired, password_required),
    (Claim::WrongPasswordRefused, wrong_password_refused),
    (Claim::ScramOnly, scram_only),
    (Claim::StoredAsScram, stored_as_scram),
    (Claim::LeastPrivilege, least_privilege),
    (Claim::StrongPassword, strong_password),
    (Claim::ProtectedPath, protected_path),
    (Claim::Rules, rules),
];

/// Judges.
#[must_use]
pub fn judge(facts: &Facts, environment: Environment) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (claim, look) in CLAIMS {
        let mut report = Report { claim, environment, findings: Vec::new() };
        look(facts, &mut report);
        findings.append(&mut report.findings);
    }
    findings
}

struct Report {
    claim: Claim,
    environment: Environment,
    findings: Vec<Finding>,
}

impl Report {
    /// Known for certain: refuses where real data may be.
    fn wrong(&mut self, sentence: String, remedy: &str) {
        let severity = match self.environment {
            Environment::Development => Severity::Warning,
            Environment::Staging | Environment::Production => Severity::Refusal,
        };
        self.add(Certainty::Certain, severity, sentence, remedy);
    }

    /// Read somewhere, but not seen to be so.
    fn likely(&mut self, sentence: String, remedy: &str) {
        self.add(Certainty::Likely, Severity::Warning, sentence, remedy);
    }

    /// Not seen. A warning even in production: a start is refused on certain facts alone.
    fn unseen(&mut self, sentence: String, remedy: &str) {
        let severity = match self.environment {
            Environment::Development => Severity::Note,
            Environment::Staging | Environment::Production => Severity::Warning,
        };
        self.add(Certainty::CouldNotTell, severity, sentence, remedy);
    }

    fn note(&mut self, sentence: String, remedy: &str) {
        self.add(Certainty::Certain, Severity::Note, sentence, remedy);
    }

    /// Says so where nothing else was said.
    fn fine(&mut self, sentence: String) {
        if self.findings.iter().all(|finding| finding.severity == Severity::Note) && !self.has_gap() {
            self.add(Certainty::Certain, Severity::Fine, sentence, "");
        }
    }

    fn has_gap(&self) -> bool {
        self.findings.iter().any(|finding| finding.certainty == Certainty::CouldNotTell)
    }

    fn add(&mut self, certainty: Certainty, severity: Severity, sentence: String, remedy: &str) {
        let remedy = remedy.to_owned();
        self.findings.push(Finding { claim: self.claim, certainty, severity, sentence, remedy });
    }
}

fn password_required(facts: &Facts, report: &mut Report) {
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

fn wrong_password_refused(facts: &Facts, report: &mut Report) {
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

fn scram_only(facts: &Facts, report: &mut Report) {
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

fn stored_as_scram(facts: &Facts, report: &mut Report) {
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

fn least_privilege(facts: &Facts, report: &mut Report) {
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

fn strong_password(facts: &Facts, report: &mut Report) {
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

fn protected_path(facts: &Facts, report: &mut Report) {
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

/// The file explains what was seen, and warns of what a reload or another vantage would show.
fn rules(facts: &Facts, report: &mut Report) {
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

/// `app in orders (TLS)`.
fn entry(role: &str, database: Option<&str>, tls: bool) -> String {
    let way = if tls { "over TLS" } else { "without TLS" };
    match database {
        Some(database) => format!("{role} in {database} {way}"),
        None => format!("{role} as a replica {way}"),
    }
}

fn listed(names: &[String]) -> String {
    let shown = names.iter().take(NAMES_IN_A_SENTENCE).cloned().collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(NAMES_IN_A_SENTENCE) {
        Some(rest) if rest > 0 => format!("{shown} and {rest} more"),
        _ => shown,
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
