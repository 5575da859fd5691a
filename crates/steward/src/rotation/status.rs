//! What can be said of a database's credentials: for `portcullis database status`, for metrics and for the audit.

use serde::{Deserialize, Serialize};

/// Where a rotation stands. The name says what is true and durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// One credential; nothing under way. After a rotation: the old one is proven dead.
    Stable,
    /// The next credential is in the journal; the database has not been touched.
    Prepared,
    /// The database knows the next credential.
    Set,
    /// It logs in, reads, writes, owns, and a wrong password is refused.
    Tested,
    /// It is the current one, and is delivered; both work.
    Promoted,
    /// Nobody uses the old one any more.
    Adopted,
}

impl State {
    /// The word of the journal.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Prepared => "prepared",
            Self::Set => "set",
            Self::Tested => "tested",
            Self::Promoted => "promoted",
            Self::Adopted => "adopted",
        }
    }

    /// The state of this word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Stable, Self::Prepared, Self::Set, Self::Tested, Self::Promoted, Self::Adopted]
            .into_iter()
            .find(|state| state.word() == word)
    }
}

/// Who made the password in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provenance {
    /// The steward: 256 random bits, and the live verifier is the one in the journal.
    Ours,
    /// Somebody else, before the first rotation.
    Foreign,
    /// The steward made one, and the server holds another: changed behind our back.
    Changed,
    /// The live verifier could not be read, so nobody can say.
    Unknown,
}

/// How old the password is against what is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// Young.
    Fine,
    /// Over 80 % of the allowed age.
    Warning,
    /// At or over the allowed age, or of unknown age.
    Alarm,
}

/// The age of a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Age {
    /// When it was set, Unix seconds by the database's clock; none: not known.
    pub set_at: Option<i64>,
    /// Seconds since.
    pub seconds: Option<i64>,
    /// When the next change is due, Unix seconds; none: now.
    pub due_at: Option<i64>,
    /// How urgent that is.
    pub urgency: Urgency,
}

/// What the server itself says of the role in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// Whether the current credential logs in; none: could not tell.
    pub logs_in: Option<bool>,
    /// Why nobody can tell, or what was refused.
    pub reason: Option<String>,
    /// Sessions of the role in use.
    pub sessions: Option<i64>,
    /// Sessions of the previous role.
    pub previous_sessions: Option<i64>,
}

/// One step of a rotation and when it was durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepTaken {
    /// `prepared`, `set`, `tested`, `promoted`, `delivered`, `adopted`, `retired`.
    pub step: String,
    /// Unix seconds by the database's clock.
    pub at: i64,
    /// Milliseconds of work for this step, waiting not counted; none where another process did it.
    pub milliseconds: Option<u64>,
}

/// One thing that was tried, and how it came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// What was tried, in a sentence.
    pub what: String,
    /// What the server answered.
    pub seen: String,
}

/// What a finished rotation left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The generation that it made.
    pub generation: i64,
    /// The role in use before.
    pub from: String,
    /// The role in use since.
    pub to: String,
    /// Unix seconds.
    pub started_at: i64,
    /// Unix seconds.
    pub finished_at: i64,
    /// In order.
    pub steps: Vec<StepTaken>,
    /// The most sessions of the old role that were seen after promotion, all gone by themselves.
    pub sessions_drained: i64,
    /// Sessions of the old role that had to be ended.
    pub sessions_terminated: i64,
    /// Requests that failed because of it, where somebody counted (Portcullis's own store).
    pub failed_requests: Option<u64>,
    /// What was shown before the old credential was given up for dead.
    pub proofs: Vec<Proof>,
}

/// Everything about one database's credentials, without a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The database.
    pub name: String,
    /// `role@host:port/database` in use.
    pub endpoint: String,
    /// The role in use.
    pub role: String,
    /// Its generation; 0 before the first rotation.
    pub generation: i64,
    /// Whether `adopt` has been here; none: could not tell.
    pub adopted: Option<bool>,
    /// Who made the password.
    pub provenance: Provenance,
    /// How old it is.
    pub age: Age,
    /// Where a rotation stands.
    pub state: State,
    /// What it waits for, if it waits.
    pub waiting_for: Option<String>,
    /// What the server says.
    pub live: Live,
    /// The role that the platform made, where an administrator is configured.
    pub administrator: Option<AdministratorStatus>,
    /// The last finished rotation.
    pub last: Option<Report>,
    /// The last fault of a rotation that has not ended since.
    pub last_fault: Option<String>,
}

/// About the role that the platform made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdministratorStatus {
    /// The role.
    pub role: String,
    /// Its generation; 0: its password is still the platform's.
    pub generation: i64,
    /// How old its password is.
    pub age: Age,
    /// Where its change stands.
    pub state: State,
    /// The last finished change.
    pub last: Option<Report>,
}

/// What a caller is told while a rotation runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// The role whose password changes.
    pub role: String,
    /// Where it stands now.
    pub state: State,
    /// Steps done so far, of [`Progress::STEPS`].
    pub done: u32,
    /// For people: what has just been done, or what is waited for.
    pub text: String,
}

impl Progress {
    /// How many steps a rotation has.
    pub const STEPS: u32 = 7;
}

/// How `rotate` ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Rotated {
    /// The password is young enough, and nobody asked for a change now.
    NotDue {
        /// When it will be, Unix seconds.
        due_at: i64,
    },
    /// A rotation ran to its end.
    Finished {
        /// What it left; none where the administrator's alone was due.
        report: Option<Box<Report>>,
        /// What the administrator's change left, where there was one.
        administrator: Option<Box<Report>>,
    },
}

/// What one look at one database did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Ticked {
    /// Nothing was to be done until then (Unix seconds; none: not adopted yet).
    Rest {
        /// When the next change is due.
        due_at: Option<i64>,
    },
    /// A rotation is under way and waits.
    Waiting {
        /// For what.
        what: String,
        /// Whether it has waited too long.
        alarm: bool,
    },
    /// A rotation ended.
    Finished {
        /// What it left.
        report: Box<Report>,
    },
}
