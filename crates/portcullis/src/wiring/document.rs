//! The team's document, as the configuration understands it.

use crate::commands::CommandError;
use crate::config::Configuration;
use audit::{Document, MeasureId};
use std::collections::BTreeMap;
use std::path::Path;

/// Reads a document, its lines mapped by `[audit.lines]`.
pub fn read(configuration: &Configuration, file: &Path) -> Result<Document, CommandError> {
    let document = Document::read(file).map_err(|error| CommandError::usage(error.to_string()))?;
    Ok(document.mapped(&lines(configuration)?))
}

/// `[audit.lines]`: what each line stands for, by its text.
pub fn lines(configuration: &Configuration) -> Result<BTreeMap<String, Vec<MeasureId>>, CommandError> {
    let written = configuration.file.audit.as_ref().and_then(|audit| audit.lines.as_ref());
    let mut lines = BTreeMap::new();
    for (text, ids) in written.into_iter().flatten() {
        let ids = ids.iter().map(|id| {
            MeasureId::parse(id).ok_or_else(|| {
                CommandError::usage(format!("audit.lines {text:?}: no measure is called {id:?}"))
            })
        });
        lines.insert(text.clone(), ids.collect::<Result<Vec<_>, _>>()?);
    }
    Ok(lines)
}
