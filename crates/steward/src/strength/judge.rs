//! What the facts mean where the database serves. Pure: the same facts and the same environment give the same findings,
//! one for each thing that is wrong or could not be seen, and one for each claim that holds.

mod behaviour;
mod catalogue;

use crate::Environment;

use super::facts::Facts;
use super::finding::{Certainty, Claim, Finding, Severity};

/// As many names as a sentence bears.
const NAMES_IN_A_SENTENCE: usize = 6;

/// Looks at the facts for one claim.
type Look = fn(&Facts, &mut Report);

/// Every claim, in the order in which people read them.
const CLAIMS: [(Claim, Look); 8] = [
    (Claim::PasswordRequired, behaviour::password_required),
    (Claim::WrongPasswordRefused, behaviour::wrong_password_refused),
    (Claim::ScramOnly, behaviour::scram_only),
    (Claim::StoredAsScram, catalogue::stored_as_scram),
    (Claim::LeastPrivilege, catalogue::least_privilege),
    (Claim::StrongPassword, catalogue::strong_password),
    (Claim::ProtectedPath, behaviour::protected_path),
    (Claim::Rules, catalogue::rules),
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

fn listed(names: &[String]) -> String {
    let shown = names.iter().take(NAMES_IN_A_SENTENCE).cloned().collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(NAMES_IN_A_SENTENCE) {
        Some(rest) if rest > 0 => format!("{shown} and {rest} more"),
        _ => shown,
    }
}

#[cfg(test)]
mod tests;
