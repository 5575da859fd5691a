//! Everything in one encrypted file, from either engine, and back into either.
//!
//! A backup is a SQLCipher file with the same schema and a table `backup_contents`: each table's rows and their digest,
//! as they were read in one snapshot. Writing reads the file back before it gets its name; restoring sums the file before
//! and the store after, in the transaction that filled it. What is sealed in the store stays sealed: the key-encryption
//! key is not in the backup, and is needed beside it.

mod file;
mod restore;
mod write;

pub use file::contents;
pub use restore::restore;
pub use write::write;

use crate::tables::{Sum, Table};

/// How far a backup or its restoring has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// What is being copied.
    pub table: &'a str,
    /// Its number, from 1.
    pub number: usize,
    /// How many tables there are.
    pub tables: usize,
    /// Rows of it so far.
    pub rows: u64,
}

/// One table of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The table's name.
    pub table: String,
    /// How many rows.
    pub rows: u64,
    /// The sum of the rows' SHA-256, in hexadecimal digits: the same on both engines.
    pub digest: String,
}

/// A copy may take longer than a request.
const WITHOUT_TIMEOUTS: &str =
    "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";

fn entry(table: &Table, sum: Sum) -> Contents {
    Contents { table: table.name.clone(), rows: sum.rows, digest: sum.digest() }
}
