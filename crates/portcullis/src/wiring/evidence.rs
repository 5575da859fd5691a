//! What happens to a report once it is made: it names its predecessor, is signed, and is kept in `[audit] state`.

use crate::commands::CommandError;
use crate::config::Configuration;
use audit::Report;
use audit::signing::SigningKey;
use audit::state::{self, State};
use secrecy::ExposeSecret as _;
use std::path::PathBuf;

/// A report's file: its exact bytes, and where they are kept.
pub struct Evidence {
    /// The bytes. Whoever prints or sends the report as JSON uses them as they are.
    pub bytes: String,
    /// In `[audit] state`; none where it is kept nowhere.
    pub file: Option<PathBuf>,
}

/// `[audit] state`.
pub fn state(configuration: &Configuration) -> Option<State> {
    let section = configuration.file.audit.as_ref()?;
    section.state.as_ref().map(|folder| State::at(&configuration.path(folder)))
}

/// The key that signs reports: `[audit] signing_key_file`, else the one that the state makes for itself; none where
/// neither is configured.
pub fn key(configuration: &Configuration) -> Result<Option<SigningKey>, CommandError> {
    let section = configuration.file.audit.clone().unwrap_or_default();
    let file = section.signing_key_file.as_ref().map(|file| configuration.path(file));
    let named =
        configuration.secrets().bytes("audit.signing_key", file.as_deref(), section.signing_key.as_ref())?;
    match named {
        Some(bytes) => SigningKey::parse(bytes.expose_secret())
            .map(Some)
            .map_err(|error| CommandError::usage(format!("audit.signing_key: {error}"))),
        None => state(configuration)
            .map(|state| state.key())
            .transpose()
            .map_err(|error| CommandError::usage(format!("audit.state: {error}"))),
    }
}

/// The thumbprint of that key where there is one already: who only reads makes none.
pub fn own(configuration: &Configuration) -> Option<String> {
    let section = configuration.file.audit.as_ref()?;
    let is_named = section.signing_key_file.is_some() || section.signing_key.is_some();
    let is_there = is_named || state(configuration).is_some_and(|state| state.key_file().exists());
    let key = is_there.then(|| key(configuration).ok().flatten()).flatten()?;
    Some(key.public().thumbprint())
}

/// Signs a report and keeps it. One that cannot be kept is signed and printed all the same, and says so.
pub fn finish(configuration: &Configuration, report: &mut Report, key: Option<&SigningKey>) -> Evidence {
    let Some(key) = key else {
        report.run.notes.push(
            "this report is not signed: neither [audit] state nor [audit] signing_key_file is configured"
                .into(),
        );
        return Evidence { bytes: state::finish(report, None), file: None };
    };
    let Some(state) = state(configuration) else {
        return Evidence { bytes: state::finish(report, Some(key)), file: None };
    };
    match state.keep(report, key) {
        Ok(kept) => {
            // Too late for what was signed: it stands in what is shown.
            let why =
                kept.unpruned.map(|why| format!("older reports than are to be kept are still there: {why}"));
            report.run.notes.extend(why);
            Evidence { bytes: kept.bytes, file: Some(kept.file) }
        }
        Err(error) => {
            report.run.notes.push(format!("this report is kept nowhere: {error}"));
            Evidence { bytes: state::finish(report, Some(key)), file: None }
        }
    }
}
