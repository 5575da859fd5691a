//! `portcullis database …`, `probe`, `backup` and `restore`: credentials, reach and copies of databases.

use super::Where;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What every verb ends with.
const EXIT: &str =
    "Exit: 0 all is well, 1 it failed or something was found, 2 usage or configuration, 70 a fault of ours.";

/// `portcullis database`
#[derive(Subcommand, Debug)]
#[command(after_help = EXIT)]
pub enum Database {
    /// How old each password is, when the next change comes, how the last one went, and who can reach the database
    #[command(
        after_help = concat!("Examples:\n  portcullis database status\n  portcullis database status backend --json\n\n", "Exit: 0 it was shown, \
                              2 usage or configuration, 70 a fault of ours. What is wrong is shown; `check` says it by its exit code.")
    )]
    Status(One),
    /// Look for weak passwords and roles, lax rules, public addresses, overdue and unfinished changes
    #[command(
        after_help = "Examples:\n  portcullis database check\n  portcullis database check backend --json\n\nExit: 0 nothing was found, 1 \
                      something was found, or could not be told where it must be, 2 usage or configuration, 70 a fault of ours."
    )]
    Check(One),
    /// Change a password without an outage: both are good until everybody uses the new one
    #[command(
        after_help = "Examples:\n  portcullis database rotate                 every database whose change is due\n  portcullis database \
                      rotate backend         where it is due\n  portcullis database rotate backend --now   whether it is due or \
                      not\n  portcullis database rotate store --now     Portcullis's own; a SQLCipher store with the server \
                      stopped\n\nA change that was cut off is finished first, or taken back. Run it again as often as you like.\n\nExit: 0 \
                      changed, or nothing was due, 1 it failed or waits for somebody, 2 usage or configuration, 70 a fault of ours."
    )]
    Rotate {
        /// The database [default: all that are due]
        name: Option<String>,
        /// Also where it is not due
        #[arg(long, requires = "name")]
        now: bool,
        /// Which installation
        #[command(flatten)]
        place: Where,
    },
    /// Prepare a database for rotation: two login roles under one owner role; nothing is lost, and today's role goes on
    #[command(
        after_help = "Examples:\n  portcullis database adopt backend --dry-run\n  portcullis database adopt backend --audit-role \
                      portcullis_audit\n\nIt wants the administrator's credential ([[database]] administrator_file). `unadopt` takes it \
                      back.\n\nExit: 0 done, or shown, 1 it failed, 2 usage or configuration, 70 a fault of ours."
    )]
    Adopt {
        /// The database; may be left out where there is one
        name: Option<String>,
        /// Show every statement, change nothing
        #[arg(long)]
        dry_run: bool,
        /// Who else may read the facts of the ledger: the role of `[audit] database`
        #[arg(long, value_name = "ROLE")]
        audit_role: Option<String>,
        /// Which installation
        #[command(flatten)]
        place: Where,
    },
    /// Give everything back to the role that there was before, with a new password
    #[command(
        after_help = "Examples:\n  portcullis database unadopt backend --dry-run\n  portcullis database unadopt backend\n\nExit: 0 done, or \
                      shown, 1 it failed, 2 usage or configuration, 70 a fault of ours."
    )]
    Unadopt {
        /// The database; may be left out where there is one
        name: Option<String>,
        /// Show every statement, change nothing
        #[arg(long)]
        dry_run: bool,
        /// Which installation
        #[command(flatten)]
        place: Where,
    },
}

/// One database, or all.
#[derive(Args, Debug)]
pub struct One {
    /// The database [default: all]
    pub name: Option<String>,
    /// Which installation
    #[command(flatten)]
    pub place: Where,
}

/// `portcullis probe`
#[derive(Args, Debug)]
pub struct Probe {
    /// A database's address as a stranger would try it
    #[arg(required = true, value_name = "HOST:PORT")]
    pub endpoints: Vec<String>,
    /// An address that is open to the world, your gateway's: it shows that this machine's network works
    #[arg(long, value_name = "URL")]
    pub control: String,
    /// A name that resolves inside only: it shows that this machine is outside [default: the first endpoint's that ends
    /// in .railway.internal, else postgres.railway.internal]
    #[arg(long, value_name = "NAME")]
    pub internal_name: Option<String>,
    /// Print JSON, for `[audit] outside`
    #[arg(long)]
    pub json: bool,
}

/// `portcullis backup`
#[derive(Args, Debug)]
pub struct Backup {
    /// The copy, an encrypted file; an existing one is not replaced
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The copy's key, made with mode 0600 where it is missing [default: the key of a SQLCipher store]
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Which installation
    #[command(flatten)]
    pub place: Where,
}

/// `portcullis restore`
#[derive(Args, Debug)]
pub struct Restore {
    /// The copy
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The copy's key [default: the key of a SQLCipher store]
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Drop what the store holds now
    #[arg(long)]
    pub replace: bool,
    /// Which installation
    #[command(flatten)]
    pub place: Where,
}
