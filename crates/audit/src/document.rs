//! The team's document: which of its check-box lines stand for which measures, by what the team said, else by their
//! words; and the same text again with its boxes set by evidence.
//!
//! A line may stand for several measures, and several lines for one. A nested line that says "replaced by" takes its
//! parent's place: the parent is superseded and is ticked with it. Nothing of the text is ours but the character
//! between the brackets and one line of evidence below a line that is measured.

mod blocks;
mod judge;
mod mapping;
mod proposal;
mod render;
mod replace;
mod words;

use std::path::{Path, PathBuf};

use crate::measures::MeasureId;

pub use judge::{Judged, Standing};
pub use mapping::Mapping;
pub use proposal::{Confidence, Guess, Proposal};
pub(crate) use render::printed;
pub use replace::replace;
pub(crate) use words::duration;

/// What begins a line of evidence that an earlier run wrote into the document.
pub(crate) const EVIDENCE: &str = "- Evidence: ";

/// A Markdown document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its lines with their ends, without evidence of earlier runs.
    raw: Vec<String>,
    lines: Vec<Line>,
    /// What the configuration maps and the document no longer has.
    gone: Vec<String>,
}

/// A check-box line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its line number in the document, from 1 (evidence of earlier runs not counted).
    pub number: usize,
    /// How many lines it is written over.
    pub height: usize,
    /// Columns before its marker.
    pub indent: usize,
    /// Where the character between the brackets stands, in bytes.
    mark: usize,
    /// Bytes of its marker and the space behind it: how far what belongs to it is moved in.
    width: usize,
    /// Whether somebody ticked it.
    pub ticked: bool,
    /// Its text, word for word, without marker, box and our comment.
    pub text: String,
    /// The measures that it stands for, and those of the line that it replaces.
    pub measures: Vec<MeasureId>,
    /// The measures that it stands for itself.
    pub own: Vec<MeasureId>,
    /// How that is known.
    pub mapping: Mapping,
    /// Which line (of [`Document::lines`]) replaced it.
    pub replaced_by: Option<usize>,
    /// The environments that it speaks of, where there are several.
    pub environments: Vec<&'static str>,
    /// What an earlier run wrote below it.
    evidence: Option<String>,
}

impl Line {
    /// By what `[audit.lines]` names it: its text, one space between words.
    #[must_use]
    pub fn key(&self) -> String {
        mapping::key(&self.text)
    }
}

/// The document cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// No file, or no UTF-8.
    #[error("the document {path} cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no line that a measure could stand for.
    #[error(
        "the document {path} has no check boxes: a line that can be ticked begins with \"- [ ] \"{remedy}"
    )]
    NoCheckBoxes {
        /// The file.
        path: PathBuf,
        /// What can be done, where it has a list.
        remedy: String,
    },
}

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    /// The file cannot be read, is no UTF-8, or has no check boxes.
    pub fn read(path: &Path) -> Result<Self, DocumentError> {
        let source = std::fs::read_to_string(path)
            .map_err(|source| DocumentError::Unreadable { path: path.to_owned(), source })?;
        let document = Self::parse(&source);
        if document.lines.is_empty() {
            let items = blocks::items(&source);
            let remedy = match items {
                0 => String::new(),
                _ => format!(
                    "; its {items} list items get boxes by: portcullis audit init {} --boxes",
                    path.display()
                ),
            };
            return Err(DocumentError::NoCheckBoxes { path: path.to_owned(), remedy });
        }
        Ok(document)
    }

    /// Reads a document's text. Evidence that an earlier run wrote into it is left out.
    #[must_use]
    pub fn parse(source: &str) -> Self {
        let (raw, mut lines) = blocks::read(source);
        for line in &mut lines {
            mapping::by_comment_or_words(line);
            line.environments = words::environments(&line.text);
        }
        let mut document = Self { raw, lines, gone: Vec::new() };
        document.supersede();
        document
    }

    /// The text with a box for every list item, `- [ ] `; those that have one keep it.
    #[must_use]
    pub fn with_boxes(source: &str) -> String {
        blocks::with_boxes(source)
    }

    /// Its check-box lines.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// What the configuration maps to measures and the document no longer has.
    #[must_use]
    pub fn gone(&self) -> &[String] {
        &self.gone
    }

    /// The line that stands for a measure itself.
    #[must_use]
    pub fn line_of(&self, id: MeasureId) -> Option<&Line> {
        self.lines.iter().find(|line| line.own.contains(&id))
    }

    /// The number that the document promises for a measure, in seconds; none where it says X or nothing.
    #[must_use]
    pub fn promised(&self, id: MeasureId) -> Option<i64> {
        self.lines
            .iter()
            .filter(|line| line.own.contains(&id))
            .find_map(|line| words::promised(&line.text, id))
    }

    /// What a reader of a report should know about the document.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let unmeasured: Vec<String> = self
            .lines
            .iter()
            .filter(|line| !self.is_measured(line))
            .map(|line| format!("{:?}", shortened(&line.text)))
            .collect();
        if !unmeasured.is_empty() {
            notes.push(format!("not measured, as no measure stands for it: {}", unmeasured.join(", ")));
        }
        for line in &self.lines {
            if let Mapping::Changed { was } = &line.mapping {
                let was = if was.is_empty() { "nothing".into() } else { mapping::joined(was) };
                let text = shortened(&line.text);
                notes.push(format!(
                    "the document's line {text:?} changed since it was mapped to {was}: portcullis audit init"
                ));
            }
        }
        notes.extend(self.gone.iter().map(|text| {
            format!("[audit.lines] maps a line that the document does not have: {:?}", shortened(text))
        }));
        notes
    }

    /// Whether the box of a line is ours.
    fn is_measured(&self, line: &Line) -> bool {
        // A box that nothing stood for stays theirs, whatever its line says now.
        matches!(&line.mapping, Mapping::Changed { was } if !was.is_empty())
            || !line.measures.is_empty()
            || line.replaced_by.and_then(|at| self.lines.get(at)).is_some_and(|by| self.is_measured(by))
    }

    /// A nested line that says so replaces its parent, and stands for the parent's measures too.
    fn supersede(&mut self) {
        let lines = &mut self.lines;
        for line in lines.iter_mut() {
            line.measures = line.own.clone();
            line.replaced_by = None;
        }
        for at in 0..lines.len() {
            if !words::replaces(&lines[at].text) {
                continue;
            }
            let indent = lines[at].indent;
            let Some(parent) = (0..at).rev().find(|other| lines[*other].indent < indent) else { continue };
            // Who says that a line stands for nothing says so of its successor, too.
            if lines[parent].own.is_empty() && lines[parent].mapping != Mapping::Words {
                continue;
            }
            lines[parent].replaced_by = Some(at);
            let inherited = lines[parent].own.clone();
            for id in inherited {
                if !lines[at].measures.contains(&id) {
                    lines[at].measures.push(id);
                }
            }
            lines[at].measures.sort_unstable();
        }
    }
}

/// A line's text for a message: its first sixty characters.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
