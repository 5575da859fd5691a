//! Path patterns: `/users/{id}`, `/files/{path...}`, `/v1/{name}:cancel`.

use std::fmt;

use crate::path::{Ambiguous, check_characters, check_segment, normalise};

/// A path pattern, read once. Two patterns are equal in shape when they differ in nothing but the names of their
/// parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    pub(crate) segments: Vec<Segment>,
}

/// One segment of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    /// These very characters, decoded.
    Literal(String),
    /// A segment of literal pieces with parameters between them, as OpenAPI allows: `report.{format}`.
    Mixed(Mixed),
    /// `{x}`: one segment.
    Parameter,
    /// `{x...}`: one segment and all that follow.
    Rest,
}

/// The literal pieces around the parameters of a segment: `{a}-{b}` is `["", "-", ""]`. At least two pieces, and at
/// least one of them is not empty. A parameter stands for one character at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mixed {
    pub(crate) pieces: Vec<String>,
}

/// What is wrong with a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Requests for such a path are refused before any rule is asked, so the rule could never hold.
    #[error("path {path:?} can never match: {reason}, and such requests are answered 400")]
    NeverMatches {
        /// The pattern as written.
        path: String,
        /// Why a request for it is refused.
        reason: Ambiguous,
    },
    /// A query or fragment is no part of a path.
    #[error("path {path:?} contains {character:?}: a query or fragment is no part of a path")]
    NotAPath {
        /// The pattern as written.
        path: String,
        /// `?` or `#`.
        character: char,
    },
    /// Braces without a partner or inside each other, or without a name.
    #[error("path {path:?} has a brace without partner or name in segment {segment:?}")]
    Braces {
        /// The pattern as written.
        path: String,
        /// The segment.
        segment: String,
    },
    /// Two parameters with nothing between them.
    #[error("path {path:?} has two parameters without anything between them in segment {segment:?}")]
    Adjacent {
        /// The pattern as written.
        path: String,
        /// The segment.
        segment: String,
    },
    /// `{x...}` somewhere but at the end, or with something beside it.
    #[error("path {path:?}: {{x...}} must be the whole last segment")]
    RestNotLast {
        /// The pattern as written.
        path: String,
    },
}

impl Pattern {
    /// Reads a pattern. Literals may be percent-encoded and are decoded once, as the path of a request is.
    ///
    /// # Errors
    /// When no request could ever match it, or its braces are wrong.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let path = || text.to_owned();
        if let Some(character) = text.chars().find(|c| matches!(c, '?' | '#')) {
            return Err(PatternError::NotAPath { path: path(), character });
        }
        let Some(rest) = text.strip_prefix('/') else {
            return Err(PatternError::NeverMatches { path: path(), reason: Ambiguous::NotAbsolute });
        };
        let mut segments = Vec::new();
        for raw in rest.split('/').filter(|_| !rest.is_empty()) {
            if matches!(segments.last(), Some(Segment::Rest)) {
                return Err(PatternError::RestNotLast { path: path() });
            }
            segments.push(segment(text, raw)?);
        }
        Ok(Self { text: text.to_owned(), segments })
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a path with these decoded segments matches.
    pub fn matches<'a>(&self, mut path: impl Iterator<Item = &'a str>) -> bool {
        for segment in &self.segments {
            match (segment, path.next()) {
                (_, None) => return false,
                (Segment::Rest, Some(_)) => return true,
                (segment, Some(text)) if segment.matches(text) => {}
                _ => return false,
            }
        }
        path.next().is_none()
    }

    /// Whether both match the same paths: the names of parameters do not count.
    #[must_use]
    pub fn same_shape(&self, other: &Self) -> bool {
        self.segments == other.segments
    }

    /// How literal it is; of two patterns that match one path the greater wins. In this order: more literal segments,
    /// more partly literal segments, more literal characters in these, no `{x...}`, more parameters. A pattern that
    /// matches only a part of what another matches is always the greater.
    pub(crate) fn rank(&self) -> Rank {
        let mut rank = Rank { without_rest: true, ..Rank::default() };
        for segment in &self.segments {
            match segment {
                Segment::Literal(_) => rank.literals += 1,
                Segment::Mixed(mixed) => {
                    rank.mixed += 1;
                    rank.characters += mixed.pieces.iter().map(String::len).sum::<usize>();
                }
                Segment::Parameter => rank.parameters += 1,
                Segment::Rest => rank.without_rest = false,
            }
        }
        rank
    }

    /// A pattern for the paths that both match, where there are any. For partly literal segments it may name more
    /// than that, never less.
    pub(crate) fn meet(&self, other: &Self) -> Option<Self> {
        let mut segments = Vec::new();
        let (mut mine, mut theirs) = (self.segments.iter().peekable(), other.segments.iter().peekable());
        loop {
            match (mine.peek(), theirs.peek()) {
                (None, None) => break,
                (Some(Segment::Rest), Some(_)) => {
                    segments.extend(theirs.cloned());
                    break;
                }
                (Some(_), Some(Segment::Rest)) => {
                    segments.extend(mine.cloned());
                    break;
                }
                (Some(a), Some(b)) => segments.push(a.meet(b)?),
                (None, Some(_)) | (Some(_), None) => return None,
            }
            mine.next();
            theirs.next();
        }
        let text = segments.iter().enumerate().fold(String::new(), |mut text, (index, segment)| {
            text.push('/');
            segment.write(&mut text, index + 1);
            text
        });
        Some(Self { text: if text.is_empty() { "/".into() } else { text }, segments })
    }
}

/// See [`Pattern::rank`]; the order of the fields is the order of importance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    literals: usize,
    mixed: usize,
    characters: usize,
    without_rest: bool,
    parameters: usize,
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Segment {
    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Literal(literal) => literal == text,
            Self::Mixed(mixed) => mixed.matches(text),
            Self::Parameter | Self::Rest => true,
        }
    }

    fn meet(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Literal(a), b) | (b, Self::Literal(a)) => b.matches(a).then(|| Self::Literal(a.clone())),
            (Self::Mixed(a), Self::Mixed(b)) => a.meet(b).map(Self::Mixed),
            (Self::Mixed(a), _) | (_, Self::Mixed(a)) => Some(Self::Mixed(a.clone())),
            _ => Some(Self::Parameter),
        }
    }

    fn write(&self, text: &mut String, index: usize) {
        match self {
            Self::Literal(literal) => text.push_str(literal),
            Self::Mixed(mixed) => {
                for (at, piece) in mixed.pieces.iter().enumerate() {
                    if at > 0 {
                        text.push_str(&format!("{{p{index}_{at}}}"));
                    }
                    text.push_str(piece);
                }
            }
            Self::Parameter => text.push_str(&format!("{{p{index}}}")),
            Self::Rest => text.push_str(&format!("{{p{index}...}}")),
        }
    }
}

impl Mixed {
    /// Whether the text is the pieces in their order with at least one character in each gap.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let [first, middle @ .., last] = self.pieces.as_slice() else { return false };
        let Some(rest) = text.strip_prefix(first.as_str()).and_then(|rest| rest.strip_suffix(last.as_str()))
        else {
            return false;
        };
        // Leftmost is enough: what an earlier find leaves over can only be more.
        let mut rest = rest;
        for piece in middle {
            let Some(start) = rest.chars().next().map(char::len_utf8) else { return false };
            let Some(found) = rest[start..].find(piece.as_str()) else { return false };
            rest = &rest[start + found + piece.len()..];
        }
        !rest.is_empty()
    }

    /// As [`Self::matches`] in the eyes of a backend that ignores case. Allocates, and is asked only where a segment of
    /// a path meets a partly literal one that it does not match.
    pub(crate) fn matches_ignoring_case(&self, text: &str) -> bool {
        let lower = Self { pieces: self.pieces.iter().map(|piece| piece.to_ascii_lowercase()).collect() };
        lower.matches(&text.to_ascii_lowercase())
    }

    fn first(&self) -> &str {
        self.pieces.first().map_or("", String::as_str)
    }

    fn last(&self) -> &str {
        self.pieces.last().map_or("", String::as_str)
    }

    /// A segment that both match, unless their beginnings or ends exclude each other.
    fn meet(&self, other: &Self) -> Option<Self> {
        let longer = |a: &str, b: &str| if a.len() >= b.len() { a.to_owned() } else { b.to_owned() };
        let starts = self.first().starts_with(other.first()) || other.first().starts_with(self.first());
        let ends = self.last().ends_with(other.last()) || other.last().ends_with(self.last());
        if self == other {
            return Some(self.clone());
        }
        (starts && ends).then(|| Self {
            pieces: vec![longer(self.first(), other.first()), longer(self.last(), other.last())],
        })
    }
}

/// One segment of a pattern.
fn segment(path: &str, raw: &str) -> Result<Segment, PatternError> {
    let braces = || PatternError::Braces { path: path.to_owned(), segment: raw.to_owned() };
    let mut pieces = Vec::new();
    let mut rest = raw;
    let mut tail = false;
    while let Some(open) = rest.find('{') {
        let (piece, behind) = (&rest[..open], &rest[open + 1..]);
        let close = behind.find('}').ok_or_else(braces)?;
        let name = &behind[..close];
        if piece.contains('}') || name.contains('{') {
            return Err(braces());
        }
        if piece.is_empty() && !pieces.is_empty() {
            return Err(PatternError::Adjacent { path: path.to_owned(), segment: raw.to_owned() });
        }
        let plain = name.strip_suffix("...").unwrap_or(name);
        tail |= plain.len() < name.len();
        if plain.is_empty() || plain.contains("...") {
            return Err(braces());
        }
        pieces.push(literal(path, piece)?);
        rest = &behind[close + 1..];
    }
    if rest.contains('}') {
        return Err(braces());
    }
    let last = literal(path, rest)?;
    let never = |reason| PatternError::NeverMatches { path: path.to_owned(), reason };
    if pieces.is_empty() {
        check_segment(&last).map_err(never)?;
        return Ok(Segment::Literal(last));
    }
    pieces.push(last);
    let bare = pieces.len() == 2 && pieces.iter().all(String::is_empty);
    match (bare, tail) {
        (true, true) => Ok(Segment::Rest),
        (true, false) => Ok(Segment::Parameter),
        (false, true) => Err(PatternError::RestNotLast { path: path.to_owned() }),
        (false, false) => Ok(Segment::Mixed(Mixed { pieces })),
    }
}

/// A literal piece, decoded as the path of a request is.
fn literal(path: &str, piece: &str) -> Result<String, PatternError> {
    let never = |reason| PatternError::NeverMatches { path: path.to_owned(), reason };
    if piece.is_empty() {
        return Ok(String::new());
    }
    // The letter keeps a piece such as `.` from being taken for a dot segment; whole segments are checked above.
    let decoded =
        normalise(&format!("/x{}", piece.replace(' ', "%20"))).map_err(never)?.decoded()[2..].to_owned();
    check_characters(&decoded).map_err(never)?;
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    fn matches(text: &str, path: &str) -> bool {
        pattern(text).matches(normalise(path).unwrap().segments())
    }

    #[test]
    fn what_matches() {
        let cases = [
            ("/", "/", true),
            ("/", "/a", false),
            ("/a", "/", false),
            ("/a", "/a", true),
            ("/a", "/A", false),
            ("/a", "/%61", true),
            ("/caf%C3%A9", "/café", true),
            ("/a b", "/a%20b", true),
            ("/{x}", "/a", true),
            ("/{x}", "/", false),
            ("/{x}", "/a/b", false),
            ("/a/{x...}", "/a", false),
            ("/a/{x...}", "/a/b", true),
            ("/a/{x...}", "/a/b/c", true),
            ("/r.{f}", "/r.json", true),
            ("/r.{f}", "/r.", false),
            ("/{n}:cancel", "/x:cancel", true),
            ("/{n}:cancel", "/:cancel", false),
            ("/{a}-{b}", "/1-2", true),
            ("/{a}-{b}", "/-2", false),
            ("/{a}-{b}", "/1-", false),
            ("/{a}-{b}", "/é-é", true),
            ("/{a}-{b}-{c}", "/1-2", false),
            ("/{a}-{b}-{c}", "/1-2-3", true),
            ("/ab{x}ba", "/aba", false),
        ];
        for (text, path, expected) in cases {
            assert_eq!(matches(text, path), expected, "{text} {path}");
        }
    }

    #[test]
    fn what_is_no_pattern() {
        for text in [
            "",
            "a",
            "/a/",
            "//a",
            "/a//b",
            "/..",
            "/a/./b",
            "/a%2Fb",
            "/a\\b",
            "/a;b",
            "/%",
            "/a?b",
            "/a#b",
            "/{",
            "/}",
            "/{}",
            "/a{b",
            "/{a}}",
            "/{{a}}",
            "/{a}{b}",
            "/{a...}/b",
            "/x{a...}",
            "/{...}",
            "/{a....}/b",
            "/\u{ff41}",
        ] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_more_literal_is_greater() {
        for (greater, less) in [
            ("/a/b", "/a/{x}"),
            ("/a/{x}", "/{x}/{y}"),
            ("/a/r.{f}", "/a/{x}"),
            ("/a/r.{f}.gz", "/a/r.{f}"),
            ("/a/{x}", "/a/{x...}"),
            ("/a/{x}/{y...}", "/a/{x...}"),
            ("/{a}/b/c", "/x/{b}/{c}"),
        ] {
            assert!(pattern(greater).rank() > pattern(less).rank(), "{greater} {less}");
        }
        assert_eq!(pattern("/a/{x}/c").rank(), pattern("/a/b/{y}").rank());
    }

    #[test]
    fn what_two_patterns_have_in_common() {
        let meet = |a: &str, b: &str| pattern(a).meet(&pattern(b)).map(|p| p.as_str().to_owned());
        assert_eq!(meet("/a/{x}/c", "/a/b/{y}").as_deref(), Some("/a/b/c"));
        assert_eq!(meet("/a/{x}", "/b/{x}"), None);
        assert_eq!(meet("/a/{x...}", "/a/b/{y}").as_deref(), Some("/a/b/{p3}"));
        assert_eq!(meet("/a", "/a/{x...}"), None);
        assert_eq!(meet("/r.{f}", "/{n}.gz").as_deref(), Some("/r.{p1_1}.gz"));
        assert_eq!(meet("/r.{f}", "/s.{f}"), None);
        assert_eq!(meet("/", "/").as_deref(), Some("/"));
    }
}
