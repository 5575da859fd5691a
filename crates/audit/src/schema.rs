//! What was written as JSON with a number of its schema, read again.

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// An earlier report cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// No report, or not of our making.
    #[error("not a report of portcullis audit: {0}")]
    NotAReport(#[from] serde_json::Error),
    /// Of a later version.
    #[error("the report has schema {found}, and this version reads {reads}")]
    Schema {
        /// The report's.
        found: u32,
        /// This version's.
        reads: u32,
    },
}

#[derive(Deserialize)]
struct Head {
    schema: u32,
}

/// Whether it is JSON with a number of a schema at all.
pub(crate) fn is_ours(json: &[u8]) -> Result<(), ReportError> {
    let _head: Head = serde_json::from_slice(json)?;
    Ok(())
}

/// Looks at the number first: of another schema nothing else is understood.
pub(crate) fn read<T: DeserializeOwned>(json: &[u8], schema: u32) -> Result<T, ReportError> {
    let head: Head = serde_json::from_slice(json)?;
    if head.schema != schema {
        return Err(ReportError::Schema { found: head.schema, reads: schema });
    }
    Ok(serde_json::from_slice(json)?)
}
