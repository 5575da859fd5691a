//! `portcullis verify`.

use clap::Args;
use std::path::PathBuf;

/// `portcullis verify`
#[derive(Args, Debug)]
pub struct Verify {
    /// Reports as `audit --format json` printed them, or as [audit] state keeps them
    #[arg(required = true, value_name = "REPORT")]
    pub reports: Vec<PathBuf>,
    /// The key that must have signed them: a file that `portcullis audit key` wrote, or its thumbprint
    #[arg(long, value_name = "FILE|THUMBPRINT")]
    pub key: Option<String>,
    /// A folder with the reports before them: [audit] state, or its folder reports
    #[arg(long, value_name = "DIR")]
    pub chain: Option<PathBuf>,
    /// The text that they must repeat
    #[arg(long, value_name = "NONCE")]
    pub challenge: Option<String>,
    /// A document with boxes: each that is ticked must be ticked by these reports
    #[arg(long, value_name = "FILE")]
    pub document: Option<PathBuf>,
    /// Print JSON for programs
    #[arg(long)]
    pub json: bool,
}
