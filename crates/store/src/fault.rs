//! What can go wrong below a request. Never contains a secret, a key or a bound value.

use std::path::PathBuf;

use sea_orm::{DbErr, RuntimeErr};

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
    /// The file exists and holds nothing: whatever was there is gone.
    #[error(
        "the store {path} is an empty file: restore it from a backup, or remove it to begin anew",
        path = path.display()
    )]
    Empty {
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
    /// Another process has the file, or it is being given another key.
    #[error("the store {path} is in use: {reason}", path = path.display())]
    InUse {
        /// The database file.
        path: PathBuf,
        /// By whom, and what to do.
        reason: &'static str,
    },
    /// The key file cannot be read or replaced.
    #[error("the key file {path} cannot be used: {reason}", path = path.display())]
    KeyFile {
        /// The key file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// A backup cannot be written or is none.
    #[error("the backup {path} cannot be used: {reason}", path = path.display())]
    Backup {
        /// The backup's file.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// The store that a backup should fill has rows.
    #[error("the store is not empty ({table} has rows): restore into a new one, or ask for its replacement")]
    NotEmpty {
        /// The first table found with rows.
        table: String,
    },
    /// The new key is the old one.
    #[error("the new key is the one in force: make another")]
    SameKey,
    /// What was asked for does not exist on this engine.
    #[error("not on this engine: {0}")]
    OtherEngine(&'static str),
    /// No room left: the disk or the page limit. Nothing of the transaction was written.
    #[error("the store is full: free disk space or raise its limit; nothing was written")]
    Full,
    /// The transaction met others again and again; trying again later helps.
    #[error("the store is contended: try again")]
    Contended,
    /// The database cannot be reached or is busy; trying again later may help.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The request contradicts what is stored: a name that is taken, or a reference to nothing.
    #[error("{0}")]
    Conflict(String),
    /// Text with the character U+0000, which PostgreSQL cannot hold.
    #[error("text must not contain the character U+0000")]
    Unstorable,
    /// A stored value cannot be read back as what it should be.
    #[error("the store holds a value that cannot be read: {0}")]
    Unreadable(String),
    /// Anything else the database says: its message, without the row that it concerns.
    #[error("the store failed: {0}")]
    Database(String),
}

impl From<DbErr> for Fault {
    fn from(error: DbErr) -> Self {
        match error {
            DbErr::ConnectionAcquire(reason) => Self::Unavailable(reason.to_string().to_lowercase()),
            DbErr::Conn(RuntimeErr::SqlxError(inner))
            | DbErr::Exec(RuntimeErr::SqlxError(inner))
            | DbErr::Query(RuntimeErr::SqlxError(inner)) => Self::from_sqlx(&inner),
            other => Self::Database(other.to_string()),
        }
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::from_sqlx(&error)
    }
}

impl Fault {
    fn from_sqlx(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(inner) => {
                let code = inner.code().unwrap_or_default();
                Self::from_code(&code, inner.message())
            }
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error.to_string()),
            _ => Self::Database(error.to_string()),
        }
    }

    /// `SQLite`'s (extended) result codes are numbers, PostgreSQL's SQLSTATE has five characters.
    fn from_code(code: &str, message: &str) -> Self {
        if let (true, Ok(number)) = (code.len() < 5, code.parse::<u32>()) {
            return match (number & 0xff, number) {
                // SQLITE_FULL, and SQLITE_IOERR_SHMSIZE: the log's index could not grow.
                (13, _) | (_, 4874) => Self::Full,
                // SQLITE_CORRUPT, SQLITE_NOTADB: a page does not authenticate.
                (11 | 26, _) => Self::Damaged { path: PathBuf::new() },
                // SQLITE_BUSY_SNAPSHOT, SQLITE_LOCKED
                (_, 517) | (6, _) => Self::Contended,
                // SQLITE_BUSY, SQLITE_CANTOPEN
                (5 | 14, _) => Self::Unavailable(message.to_owned()),
                // SQLITE_CONSTRAINT_FOREIGNKEY
                (19, 787) => Self::Conflict("a reference leads to nothing".to_owned()),
                (19, _) => Self::Conflict(message.to_lowercase()),
                _ => Self::Database(message.to_owned()),
            };
        }
        match code {
            "53100" => Self::Full,
            "40001" | "40P01" => Self::Contended,
            "22021" => Self::Unstorable,
            "23503" => Self::Conflict("a reference leads to nothing".to_owned()),
            _ if code.starts_with("28") => Self::CredentialsRefused,
            // Connection exceptions, no database of that name, operator intervention, insufficient resources.
            _ if ["08", "3D", "57", "53"].iter().any(|class| code.starts_with(class)) => {
                Self::Unavailable(message.to_owned())
            }
            _ if code.starts_with("23") => Self::Conflict(message.to_lowercase()),
            _ => Self::Database(message.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Fault;

    #[test]
    fn codes_of_both_engines_become_faults() {
        assert!(matches!(Fault::from_code("13", "database or disk is full"), Fault::Full));
        assert!(matches!(Fault::from_code("53100", "could not extend file"), Fault::Full));
        assert!(matches!(Fault::from_code("5", "database is locked"), Fault::Unavailable(_)));
        assert!(matches!(Fault::from_code("517", "database is locked"), Fault::Contended));
        assert!(matches!(Fault::from_code("40001", "could not serialize"), Fault::Contended));
        assert!(matches!(Fault::from_code("40P01", "deadlock detected"), Fault::Contended));
        assert!(matches!(Fault::from_code("22021", "invalid byte sequence"), Fault::Unstorable));
        assert!(matches!(Fault::from_code("28P01", "password"), Fault::CredentialsRefused));
        assert!(matches!(Fault::from_code("57P03", "starting up"), Fault::Unavailable(_)));
        assert!(matches!(Fault::from_code("787", "FOREIGN KEY"), Fault::Conflict(_)));
        assert!(matches!(Fault::from_code("23503", "fk"), Fault::Conflict(_)));
        assert!(matches!(Fault::from_code("2067", "UNIQUE"), Fault::Conflict(_)));
        assert!(matches!(Fault::from_code("23505", "unique"), Fault::Conflict(_)));
        assert!(matches!(Fault::from_code("11", "malformed"), Fault::Damaged { .. }));
        assert!(matches!(Fault::from_code("1", "no such table"), Fault::Database(_)));
    }
}
