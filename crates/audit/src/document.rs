//! The team's document: which of its lines stand for which measures, by their words.

use std::path::{Path, PathBuf};

/// A Markdown document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    source: String,
}

/// The document cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the document {path} cannot be read: {source}")]
pub struct DocumentError {
    path: PathBuf,
    source: std::io::Error,
}

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    /// The file cannot be read or is no UTF-8.
    pub fn read(path: &Path) -> Result<Self, DocumentError> {
        std::fs::read_to_string(path)
            .map(|source| Self::parse(&source))
            .map_err(|source| DocumentError { path: path.to_owned(), source })
    }

    /// Reads a document's text.
    #[must_use]
    pub fn parse(source: &str) -> Self {
        Self { source: source.to_owned() }
    }
}
