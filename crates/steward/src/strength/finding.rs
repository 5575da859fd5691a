//! What is said about a database, for people and for programs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is claimed. The names are stable: a waiver and a report name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// Nobody enters without a password, over TCP, by any role and database that can be known.
    PasswordRequired,
    /// A wrong password is refused, and the right one is not.
    WrongPasswordRefused,
    /// The password is proven by SCRAM-SHA-256: neither sent in clear text nor by MD5.
    ScramOnly,
    /// Every role that can log in is stored as a SCRAM verifier of at least 4096 rounds.
    StoredAsScram,
    /// The application's role has no power beyond its data.
    LeastPrivilege,
    /// The password was made by us, or is long and unpredictable.
    StrongPassword,
    /// The way to the database is encrypted or private.
    ProtectedPath,
    /// `pg_hba.conf` holds no line that would let somebody in more easily.
    Rules,
}

/// How sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// Seen in behaviour, in the live catalogue, or computed from what we hold.
    Certain,
    /// Read in a file that the server may not have loaded, or seen from here alone.
    Likely,
    /// It could not be looked at. Never taken as fine.
    CouldNotTell,
}

/// What follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// As it should be.
    Fine,
    /// Worth knowing.
    Note,
    /// Printed at start and in `database check`.
    Warning,
    /// At start: refuses to start. While running: `/readyz` turns red and an event is recorded; nothing is ended.
    Refusal,
}

/// One statement about a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is about.
    pub claim: Claim,
    /// How sure it is.
    pub certainty: Certainty,
    /// What follows.
    pub severity: Severity,
    /// What was seen, in one sentence. No secret is in it.
    pub sentence: String,
    /// What to do; empty where all is fine.
    pub remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)?;
        if self.certainty == Certainty::CouldNotTell {
            f.write_str(" (could not tell)")?;
        }
        if !self.remedy.is_empty() {
            write!(f, "\n  remedy: {}", self.remedy)?;
        }
        Ok(())
    }
}

/// Whether one of them refuses a start.
#[must_use]
pub fn refuses(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Refusal)
}
