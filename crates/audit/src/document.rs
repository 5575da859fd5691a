//! The team's document: which of its check-box lines stand for which measures, by their words.
//!
//! A line may stand for several measures, and several lines for one. A nested line that says "replaced by" takes its
//! parent's place: the parent is superseded and is ticked with it.

mod words;

use std::path::{Path, PathBuf};

use crate::measures::MeasureId;

pub(crate) use words::duration;

/// What begins a line of evidence that an earlier run wrote into the document.
pub(crate) const EVIDENCE: &str = "- Evidence: ";

/// A Markdown document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    pub(crate) raw: Vec<String>,
    lines: Vec<Line>,
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
    pub(crate) mark: usize,
    /// Whether somebody ticked it.
    pub ticked: bool,
    /// Its text, word for word, without marker and box.
    pub text: String,
    /// The measures that its words speak of, and those of the line that it replaces.
    pub measures: Vec<MeasureId>,
    /// The measures that its own words speak of.
    pub own: Vec<MeasureId>,
    /// Which line (of [`Document::lines`]) replaced it.
    pub replaced_by: Option<usize>,
    /// The environments that it speaks of, where there are several.
    pub environments: Vec<&'static str>,
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
    #[error("the document {0} has no check boxes: a line that can be ticked begins with \"- [ ] \"")]
    NoCheckBoxes(PathBuf),
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
            return Err(DocumentError::NoCheckBoxes(path.to_owned()));
        }
        Ok(document)
    }

    /// Reads a document's text. Evidence that an earlier run wrote into it is left out.
    #[must_use]
    pub fn parse(source: &str) -> Self {
        let raw: Vec<String> =
            source.lines().filter(|line| !is_evidence(line)).map(ToOwned::to_owned).collect();
        let mut lines: Vec<Line> = Vec::new();
        let mut fenced = false;
        let mut open = false;
        for (at, text) in raw.iter().enumerate() {
            let trimmed = text.trim_start();
            if trimmed.starts_with("```") || trimmed.starts_with("~~~") {
                fenced = !fenced;
            }
            if fenced {
                open = false;
            } else if let Some(line) = check_box(text, at + 1) {
                lines.push(line);
                open = true;
            } else if trimmed.is_empty() || trimmed.starts_with('#') || is_item(trimmed) {
                open = false;
            } else if let Some(line) = lines.last_mut().filter(|_| open) {
                line.text.push(' ');
                line.text.push_str(trimmed.trim_end());
                line.height += 1;
            }
        }
        for line in &mut lines {
            line.own = words::measures(&line.text);
            line.measures = line.own.clone();
            line.environments = words::environments(&line.text);
        }
        supersede(&mut lines);
        Self { raw, lines }
    }

    /// Its check-box lines.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The line that speaks of a measure in its own words.
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
}

/// `- Evidence: A9 pass …`: of our own making, and no line of the team's.
fn is_evidence(line: &str) -> bool {
    let Some(rest) = line.trim_start().strip_prefix(EVIDENCE) else { return false };
    let first = rest.split(' ').next().unwrap_or_default();
    MeasureId::parse(first).is_some() || rest.starts_with("no measure ")
}

/// The bytes of a list marker with the space behind it; none where the line is no list item.
fn marker(trimmed: &str) -> Option<usize> {
    let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
    let sign = match (digits, trimmed.as_bytes().get(digits)?) {
        (0, b'-' | b'*' | b'+') | (1..=9, b'.' | b')') => digits + 1,
        _ => return None,
    };
    let spaces = trimmed[sign..].bytes().take_while(|byte| *byte == b' ').count();
    (spaces > 0).then_some(sign + spaces)
}

fn is_item(trimmed: &str) -> bool {
    marker(trimmed).is_some()
}

fn check_box(text: &str, number: usize) -> Option<Line> {
    let trimmed = text.trim_start();
    let before = text.len() - trimmed.len();
    let indent = text[..before].chars().map(|c| if c == '\t' { 4 } else { 1 }).sum();
    let width = marker(trimmed)?;
    let rest = trimmed.get(width..)?.strip_prefix('[')?;
    let ticked = match rest.chars().next()? {
        ' ' => false,
        'x' | 'X' => true,
        _ => return None,
    };
    let words = rest[1..].strip_prefix("] ")?;
    Some(Line {
        number,
        height: 1,
        indent,
        mark: before + width + 1,
        ticked,
        text: words.trim().to_owned(),
        measures: Vec::new(),
        own: Vec::new(),
        replaced_by: None,
        environments: Vec::new(),
    })
}

/// A nested line that says so replaces its parent, and stands for the parent's measures too.
fn supersede(lines: &mut [Line]) {
    for at in 0..lines.len() {
        if !words::replaces(&lines[at].text) {
            continue;
        }
        let indent = lines[at].indent;
        let Some(parent) = (0..at).rev().find(|other| lines[*other].indent < indent) else { continue };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_check_box_is_none() {
        for text in ["- [y] no", "-[x] no", "[x] no", "- [x]no", "```\n- [x] CORS\n```", "- CORS"] {
            assert!(Document::parse(text).lines().is_empty(), "{text}");
        }
        for text in ["* [X] CORS", "1. [ ] CORS", "\t+  [x]   CORS"] {
            assert_eq!(Document::parse(text).lines().len(), 1, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_document_panics(text in "[-*x\\[\\] a-z0-9\n\t.`#é]{0,200}") {
            let document = Document::parse(&text);
            for line in document.lines() {
                proptest::prop_assert!(document.raw[line.number - 1].is_char_boundary(line.mark));
            }
        }
    }
}
