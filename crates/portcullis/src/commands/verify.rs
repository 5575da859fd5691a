//! `portcullis verify`: whether reports may be believed, from their files alone.

use super::{CommandError, complain, print};
use crate::command_line::Verify;
use ::audit::Document;
use ::audit::signing::Pin;
use ::audit::verify::{Asked, Chain, Verification, verify};
use std::path::Path;
use std::process::ExitCode;

/// Verifies; the exit code is the verification's, 2 for what cannot be read.
pub fn run(arguments: &Verify) -> ExitCode {
    match verified(arguments) {
        Ok(verification) => {
            print(&if arguments.json { verification.json() } else { verification.text() });
            ExitCode::from(verification.exit)
        }
        Err(error) => {
            complain(&error.message);
            ExitCode::from(2)
        }
    }
}

fn verified(arguments: &Verify) -> Result<Verification, CommandError> {
    let mut files = Vec::new();
    for path in &arguments.reports {
        files.push((path.display().to_string(), std::fs::read(path).map_err(|error| refused(path, &error))?));
    }
    let chain = match &arguments.chain {
        Some(folder) => Some(Chain::read(folder).map_err(|error| refused(folder, &error))?),
        None => None,
    };
    let document = arguments.document.as_deref().map(Document::read).transpose();
    let asked = Asked {
        key: arguments.key.as_deref().map(pin).transpose()?,
        challenge: arguments.challenge.clone(),
        document: document.map_err(|error| CommandError::usage(error.to_string()))?,
        now: crate::clock::now(),
    };
    Ok(verify(&files, chain.as_ref(), &asked))
}

/// A thumbprint or a key is taken as it stands: a file of that name, which whoever sent the reports may have put there, would
/// be trusted in its place. Anything else is a file's name.
fn pin(written: &str) -> Result<Pin, CommandError> {
    let parsed = Pin::parse(written);
    let path = Path::new(written);
    let parsed = if parsed.is_err() && path.is_file() {
        Pin::parse(&std::fs::read_to_string(path).map_err(|error| refused(path, &error))?)
    } else {
        parsed
    };
    parsed.map_err(|error| CommandError::usage(format!("--key {written}: {error}")))
}

fn refused(path: &Path, error: &std::io::Error) -> CommandError {
    CommandError::usage(format!("{}: {error}", path.display()))
}
