//! What can go wrong below a request. Never contains a secret, a key or a bound value.

use std::path::PathBuf;

/// A failure of the store: ours, not the caller's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The SQLCipher file exists, and this key does not decrypt it.
    #[error(
        "the key does not fit the store {path}: use the key file that was made with it",
        path = path.display()
    )]
    KeyDoesNotFit {
        /// The database file.
        path: PathBuf,
    },
    /// The file is a plain SQLite database, or the linked library cannot encrypt.
    #[error(
        "the store {path} is not encrypted: import it into a new store, a plain file is never used",
        path = path.display()
    )]
    NotEncrypted {
        /// The database file.
        path: PathBuf,
    },
    /// The file is cut short or its pages do not authenticate.
    #[error("the store {path} is damaged: restore it from a backup", path = path.display())]
    Damaged {
        /// The database file.
        path: PathBuf,
    },
    /// The key is not 32 bytes long.
    #[error("a SQLCipher key has 32 bytes, this one has {length}: make a new key file or name the right one")]
    KeyLength {
        /// Bytes found.
        length: usize,
    },
    /// The schema is newer than this program.
    #[error("the store was migrated by a newer version ({migration}): start that version")]
    Newer {
        /// The migration that this program does not know.
        migration: String,
    },
    /// PostgreSQL refused the role or its password (SQLSTATE class 28).
    #[error("the database refused the role or its password: check the store's url and password")]
    CredentialsRefused,
    /// No room left: the disk or the page limit. Nothing of the transaction was written.
    #[error("the store is full: free disk space or raise its limit; nothing was written")]
    Full,
    /// The database cannot be reached or is busy; trying again later may help.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The request contradicts what is stored: a name that is taken, or a reference to nothing.
    #[error("{0}")]
    Conflict(String),
    /// A stored value cannot be read back as what it should be.
    #[error("the store holds a value that cannot be read: {0}")]
    Unreadable(String),
    /// Anything else the database says.
    #[error("the store failed: {0}")]
    Database(#[source] sea_orm::DbErr),
}
