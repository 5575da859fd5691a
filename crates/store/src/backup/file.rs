//! The file of a backup: opened, believed only when every page and every row agrees with its list of contents.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use secrecy::SecretSlice;
use sqlx::{Connection, SqliteConnection};

use super::{Contents, entry};
use crate::lock::beside;
use crate::sqlcipher::PLAIN;
use crate::tables::{self, Side};
use crate::{Fault, sqlcipher};

/// `application_id` of a backup: "port" in ASCII.
pub(super) const APPLICATION: i64 = 0x706f_7274;

/// What a backup holds, after every page and every row has been looked at.
///
/// # Errors
/// [`Fault::Backup`] for what is no backup under this key, or damaged.
pub async fn contents(file: &Path, key: &SecretSlice<u8>) -> Result<Vec<Contents>, Fault> {
    let mut backup = open(file, key).await?;
    let contents = verify(&mut backup, file).await?;
    backup.close().await?;
    Ok(contents)
}

pub(super) async fn open(file: &Path, key: &SecretSlice<u8>) -> Result<SqliteConnection, Fault> {
    let mut head = [0; PLAIN.len()];
    match File::open(file).and_then(|mut file| file.read_exact(&mut head)) {
        Ok(()) if &head == PLAIN => return Err(refused(file, "it is not encrypted, so no backup of ours")),
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            return Err(refused(file, "it is cut short, or no backup"));
        }
        Err(error) => return Err(io(file, &error)),
    }
    let mut backup = sqlcipher::single(file, key, true).await.map_err(|fault| match fault {
        Fault::KeyDoesNotFit { .. } => {
            refused(file, "this key does not open it: name the key that it was made with")
        }
        fault => read_fault(file, fault),
    })?;
    let application: i64 = sqlx::query_scalar("PRAGMA application_id")
        .fetch_one(&mut backup)
        .await
        .map_err(|error| read_fault(file, error.into()))?;
    if application != APPLICATION {
        let _ = backup.close().await;
        return Err(refused(file, "the key fits, but it is no backup"));
    }
    Ok(backup)
}

/// Every page, and every row against the list of contents.
pub(super) async fn verify(backup: &mut SqliteConnection, file: &Path) -> Result<Vec<Contents>, Fault> {
    let (listed, found) = look(backup, file).await.map_err(|fault| read_fault(file, fault))?;
    let matches = |entry: &Contents| {
        listed.iter().any(|(name, rows, digest)| {
            (name, u64::try_from(*rows), digest) == (&entry.table, Ok(entry.rows), &entry.digest)
        })
    };
    if listed.len() == found.len() && found.iter().all(matches) {
        Ok(found)
    } else {
        Err(refused(file, DAMAGED))
    }
}

async fn look(
    backup: &mut SqliteConnection,
    file: &Path,
) -> Result<(Vec<(String, i64, String)>, Vec<Contents>), Fault> {
    sqlcipher::check_integrity(backup, file).await?;
    let listed =
        sqlx::query_as("SELECT name, rows, digest FROM backup_contents").fetch_all(&mut *backup).await?;
    let mut found = Vec::new();
    for table in tables::of(backup).await? {
        let sum = Side::SqlCipher(&mut *backup).sum(&table).await?;
        found.push(entry(&table, sum));
    }
    Ok((listed, found))
}

const DAMAGED: &str = "it is damaged: use another backup";

/// A file that does not read as what it should be is damaged, whatever the database calls it.
fn read_fault(file: &Path, fault: Fault) -> Fault {
    match fault {
        Fault::Damaged { .. } | Fault::Database(_) | Fault::Unreadable(_) => refused(file, DAMAGED),
        fault => fault,
    }
}

pub(super) fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let _ = std::fs::remove_file(beside(path, suffix));
    }
}

pub(super) fn refused(file: &Path, reason: &'static str) -> Fault {
    Fault::Backup { path: PathBuf::from(file), reason: reason.to_owned() }
}

pub(super) fn io(path: &Path, error: &std::io::Error) -> Fault {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Fault::Full,
        _ => Fault::Backup { path: path.to_owned(), reason: error.to_string() },
    }
}
