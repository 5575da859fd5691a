//! What keeps a rotation from going on, each with its remedy. No password and no verifier is ever part of a message.

/// Why the steward could not do, or could not prove, what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// No database of that name.
    #[error("no database named {0:?}: the configuration's [[database]] entries have the names")]
    Unknown(String),
    /// `adopt` has not been here.
    #[error("database {0:?} is not adopted: `portcullis database adopt {0}` makes its two roles")]
    NotAdopted(String),
    /// The configured URL, file or secret is no credential.
    #[error("database {name:?}: {reason}")]
    Configuration {
        /// The database.
        name: String,
        /// What is wrong with it, and the remedy.
        reason: String,
    },
    /// The server cannot be reached: nothing was changed, and nothing is proven.
    #[error("database {name:?} cannot be reached: {reason}; nothing was changed, try again")]
    Unreachable {
        /// The database.
        name: String,
        /// What the network or the server said.
        reason: String,
    },
    /// Every credential in the journal and the configuration is refused.
    #[error(
        "database {name:?} refuses every credential that is known ({tried}): set a password for the role by the \
         platform's console, write it to the configured file, and start again"
    )]
    LockedOut {
        /// The database.
        name: String,
        /// Which were tried, by role.
        tried: String,
    },
    /// The password in use is not the one the journal knows: somebody changed it behind our back.
    #[error(
        "database {name:?}: the password of {role} is not the one that was set here: somebody else changed it; nothing \
         is retired until `portcullis database rotate {name} --now` has made a new one"
    )]
    Diverged {
        /// The database.
        name: String,
        /// The role.
        role: String,
    },
    /// The slot that should get a new password has sessions: somebody uses it.
    #[error(
        "database {name:?}: {sessions} sessions use {role}, whose password was to be set: end them first"
    )]
    SlotInUse {
        /// The database.
        name: String,
        /// The role.
        role: String,
        /// How many.
        sessions: i64,
    },
    /// The new role cannot do what the old one could, or a wrong password was let in: it is not promoted.
    #[error("database {name:?}: {role} failed its test: {reason}; the old credential stays in use")]
    TestFailed {
        /// The database.
        name: String,
        /// The role.
        role: String,
        /// What failed, and the remedy.
        reason: String,
    },
    /// The new secret did not reach its place. It is tried again; both credentials work.
    #[error(
        "database {name:?}: the new credential could not be delivered: {reason}; the old one still works"
    )]
    Delivery {
        /// The database.
        name: String,
        /// What the place said.
        reason: String,
    },
    /// A proof before the end of a rotation failed.
    #[error("database {name:?}: not proven: {reason}")]
    NotProven {
        /// The database.
        name: String,
        /// What was seen instead.
        reason: String,
    },
    /// The server said no.
    #[error("database {name:?}: {doing}: {reason}")]
    Database {
        /// The database.
        name: String,
        /// What was being done.
        doing: &'static str,
        /// SQLSTATE and the server's message.
        reason: String,
    },
    /// Another steward was faster. Read the journal again and go on.
    #[error(
        "another steward is changing the password of database {0:?}: ask `portcullis database status {0}`"
    )]
    Overtaken(String),
    /// Waited as long as the command may; the rotation goes on at the next look.
    #[error("database {name:?}: still waiting for {what}; the rotation goes on by itself")]
    StillWaiting {
        /// The database.
        name: String,
        /// What has not happened yet.
        what: String,
    },
    /// What the journal holds cannot be read.
    #[error("the journal of database {name:?} cannot be read: {reason}")]
    Journal {
        /// The database.
        name: String,
        /// Why.
        reason: String,
    },
    /// The operating system gave no randomness.
    #[error("the operating system gives no randomness")]
    NoRandomness,
    /// A file could not be read or written.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What the operating system said.
        reason: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Fault),
}
