//! `portcullis audit init`: what the lines of the team's document stand for.

use super::Where;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What `audit` does instead of an audit.
#[derive(Subcommand, Debug, Clone)]
pub enum AuditCommand {
    /// Propose which line of a checklist is which measure, and keep it
    #[command(
        after_help = "Examples:\n  portcullis audit init docs/security.md\n  portcullis audit init docs/security.md --comments --yes\n  portcullis \
                      audit init docs/security.md --json\n\nWithout a terminal to ask at, --yes keeps the proposal as it is. Lines that \
                      stand for nothing stay as they are."
    )]
    Init(AuditInit),
    /// Print the public key that signs reports, for `portcullis verify --key`
    #[command(
        after_help = "Example:\n  portcullis audit key > evidence-key.json\n  portcullis verify report.json --key evidence-key.json\n\nThe key \
                      is [audit] signing_key_file, or made in [audit] state. It signs reports and nothing else."
    )]
    Key(Where),
}

/// `portcullis audit init`
#[derive(Args, Debug, Clone)]
pub struct AuditInit {
    /// A Markdown checklist
    #[arg(value_name = "FILE")]
    pub document: PathBuf,
    /// Keep it in the document, as a comment in each line, instead of in the configuration
    #[arg(long)]
    pub comments: bool,
    /// Give every list item a box first
    #[arg(long)]
    pub boxes: bool,
    /// Ask nothing, keep the proposal
    #[arg(long)]
    pub yes: bool,
    /// Which installation
    #[command(flatten)]
    pub place: Where,
}
