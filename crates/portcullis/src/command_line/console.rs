//! The words of `portcullis console`.

use super::Where;
use clap::Subcommand;

/// `portcullis console`
#[derive(Subcommand, Debug)]
pub enum Console {
    /// Print a link that opens the board of measures once, within 10 minutes
    #[command(after_help = "Example:\n  portcullis console link")]
    Link(Where),
}
