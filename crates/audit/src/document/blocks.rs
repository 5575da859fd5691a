//! Markdown, as far as a checklist needs it: which lines are check boxes, what belongs to each, and what is code, HTML
//! or evidence of an earlier run. Lines keep their ends, so that what is put together again is the same text.

use super::{EVIDENCE, Line, Mapping, render};
use crate::measures::MeasureId;

/// The lines of a text with their ends, without our evidence, and the check boxes among them.
pub(super) fn read(source: &str) -> (Vec<String>, Vec<Line>) {
    let mut raw: Vec<String> = Vec::new();
    let mut lines: Vec<Line> = Vec::new();
    let mut surroundings = Surroundings::default();
    let mut open = false;
    for full in source.split_inclusive('\n') {
        let text = without_end(full);
        let trimmed = text.trim_start();
        if trimmed.trim_end() == render::APART && surroundings.is_text() {
            // What a run printed after the document; the empty line before it is ours, too.
            if raw.last().is_some_and(|line| without_end(line).is_empty()) {
                raw.pop();
            }
            break;
        }
        let below = lines.last_mut().filter(|line| raw.len() == line.number - 1 + line.height);
        if let (Some(line), Some(evidence)) = (below, evidence(text))
            && line.evidence.is_none()
            && surroundings.is_text()
        {
            line.evidence = Some(evidence.to_owned());
            open = false;
            if !full.ends_with('\n') {
                // It was put behind a document without an end of its last line.
                unend(&mut raw);
            }
            continue;
        }
        raw.push(full.to_owned());
        if !surroundings.take(text) {
            open = false;
        } else if let Some(line) = check_box(text, raw.len()) {
            lines.push(line);
            open = true;
        } else if trimmed.is_empty() || trimmed.starts_with('#') || is_item(trimmed) || is_rule(trimmed) {
            open = false;
        } else if let Some(line) = lines.last_mut().filter(|_| open) {
            line.text.push(' ');
            line.text.push_str(trimmed.trim_end());
            line.height += 1;
        }
    }
    (raw, lines)
}

/// How many items its lists have.
pub(super) fn items(source: &str) -> usize {
    let mut surroundings = Surroundings::default();
    source
        .split_inclusive('\n')
        .filter(|line| surroundings.take(without_end(line)) && is_item(line.trim_start()))
        .count()
}

/// A box for every list item that has none.
pub(super) fn with_boxes(source: &str) -> String {
    let mut surroundings = Surroundings::default();
    let mut text = String::new();
    for full in source.split_inclusive('\n') {
        let before = full.len() - full.trim_start().len();
        let is_text = surroundings.take(without_end(full));
        let width = marker(full.trim_start()).filter(|_| is_text);
        match width.map(|width| full.split_at(before + width)) {
            Some((marker, words))
                if !words.trim().is_empty() && check_box(without_end(full), 1).is_none() =>
            {
                text.push_str(marker);
                text.push_str("[ ] ");
                text.push_str(words);
            }
            _ => text.push_str(full),
        }
    }
    text
}

/// A line without `\n` or `\r\n`.
pub(super) fn without_end(line: &str) -> &str {
    let line = line.strip_suffix('\n').unwrap_or(line);
    line.strip_suffix('\r').unwrap_or(line)
}

/// The end that stands, or would stand, behind the line at `at`.
pub(super) fn end(raw: &[String], at: usize) -> &'static str {
    let like = |line: Option<&String>| line.is_some_and(|line| line.ends_with("\r\n"));
    let complete = raw.get(at).is_some_and(|line| line.ends_with('\n'));
    let crlf = if complete { like(raw.get(at)) } else { like(at.checked_sub(1).and_then(|at| raw.get(at))) };
    if crlf { "\r\n" } else { "\n" }
}

/// Takes away the end that [`render`] put behind the last line.
fn unend(raw: &mut [String]) {
    let like_before =
        raw.len().checked_sub(2).and_then(|at| raw.get(at)).is_some_and(|line| line.ends_with("\r\n"));
    if let Some(last) = raw.last_mut()
        && last.ends_with('\n')
    {
        last.pop();
        if like_before && last.ends_with('\r') {
            last.pop();
        }
    }
}

/// `- Evidence: A9 pass …`: of our own making, and no line of the team's.
fn evidence(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix(EVIDENCE)?;
    let first = rest.split(' ').next().unwrap_or_default();
    let ours = MeasureId::parse(first).is_some()
        || ["no measure ", "replaced by ", render::CHANGED].iter().any(|words| rest.starts_with(words));
    ours.then_some(rest)
}

/// Fenced code and HTML: nothing in them is a list.
#[derive(Default)]
enum Surroundings {
    #[default]
    Text,
    /// Until this character comes as often again.
    Fence(char, usize),
    /// Until these characters.
    Html(&'static str),
}

impl Surroundings {
    fn is_text(&self) -> bool {
        matches!(self, Self::Text)
    }

    /// Whether the next line is text; one that opens or closes something is not.
    fn take(&mut self, line: &str) -> bool {
        let trimmed = line.trim_start();
        match *self {
            Self::Fence(character, length) => {
                let run = trimmed.chars().take_while(|c| *c == character).count();
                if run >= length && trimmed.trim_end().chars().all(|c| c == character) {
                    *self = Self::Text;
                }
                false
            }
            Self::Html(end) => {
                if line.to_ascii_lowercase().contains(end) {
                    *self = Self::Text;
                }
                false
            }
            Self::Text => {
                let mut content = trimmed;
                while let Some(width) = marker(content) {
                    content = content[width..].trim_start();
                }
                for character in ['`', '~'] {
                    let run = content.chars().take_while(|c| *c == character).count();
                    // Characters of one byte each.
                    if run >= 3 && (character == '~' || !content[run..].contains('`')) {
                        *self = Self::Fence(character, run);
                        return false;
                    }
                }
                let lower = trimmed.to_ascii_lowercase();
                let html = [
                    ("<!--", "-->"),
                    ("<pre", "</pre>"),
                    ("<script", "</script>"),
                    ("<style", "</style>"),
                    ("<textarea", "</textarea>"),
                ];
                let opened = html.into_iter().find(|(begin, _)| lower.starts_with(begin));
                let Some((begin, end)) = opened else { return true };
                if !lower[begin.len()..].contains(end) {
                    *self = Self::Html(end);
                }
                false
            }
        }
    }
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
    marker(trimmed).is_some() && !is_rule(trimmed)
}

/// `---`, `* * *`, `===`: a rule, or what underlines a heading.
fn is_rule(trimmed: &str) -> bool {
    let mut signs = trimmed.chars().filter(|c| !c.is_whitespace());
    let Some(first) = signs.next().filter(|c| "-*_=".contains(*c)) else { return false };
    signs.clone().count() >= 2 && signs.all(|c| c == first)
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
    let sign = trimmed[..width].trim_end().len();
    Some(Line {
        number,
        height: 1,
        indent,
        mark: before + width + 1,
        // More than four spaces behind the marker are code, and the text begins after one.
        width: if width - sign > 4 { sign + 1 } else { width },
        ticked,
        text: words.trim().to_owned(),
        measures: Vec::new(),
        own: Vec::new(),
        mapping: Mapping::Words,
        replaced_by: None,
        environments: Vec::new(),
        evidence: None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::Document;

    fn boxes(text: &str) -> usize {
        Document::parse(text).lines().len()
    }

    #[test]
    fn what_is_no_check_box_is_none() {
        for text in [
            "- [y] no",
            "-[x] no",
            "[x] no",
            "- [x]no",
            "- CORS",
            "```\n- [x] CORS\n```",
            "````\n```\n- [x] CORS\n````",
            "~~~\n```\n- [x] CORS\n~~~",
            "- ```\n  - [x] CORS\n  ```",
            "<!--\n- [x] CORS\n-->",
            "<pre>\n- [x] CORS\n</pre>",
        ] {
            assert_eq!(boxes(text), 0, "{text}");
        }
        for text in [
            "* [X] CORS",
            "1. [ ] CORS",
            "12) [ ] CORS",
            "\t+  [x]   CORS",
            "`<!--`\n- [ ] CORS",
            "<!-- a -->\n- [ ] CORS",
            "```\n```\n- [ ] CORS",
        ] {
            assert_eq!(boxes(text), 1, "{text}");
        }
    }

    #[test]
    fn what_belongs_to_a_line_ends_where_something_else_begins() {
        for (text, height) in [
            ("- [ ] a\n  b\n", 2),
            ("- [ ] a\nlazy\n", 2),
            ("- [ ] a\n\nb\n", 1),
            ("- [ ] a\n# b\n", 1),
            ("- [ ] a\n---\n", 1),
            ("- [ ] a\n```\nb\n```\n", 1),
            ("- [ ] a\n  - b\n", 1),
        ] {
            assert_eq!(Document::parse(text).lines()[0].height, height, "{text}");
        }
    }

    #[test]
    fn every_item_gets_a_box_once() {
        let text = "# Ours\n\n* CORS\n  1. Scopes\r\n- [x] Hashes\n```\n- code\n```\n-\n";
        let boxed = "# Ours\n\n* [ ] CORS\n  1. [ ] Scopes\r\n- [x] Hashes\n```\n- code\n```\n-\n";
        assert_eq!(Document::with_boxes(text), boxed);
        assert_eq!(Document::with_boxes(boxed), boxed);
        assert_eq!(super::items(text), 3);
    }
}
