//! Finds secrets in bytes: keywords first, in one pass; around each the pattern of its rules; then what the pattern
//! cannot say. The bytes come in pieces that overlap, so that no file is too large for the memory. Pure.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex::bytes::Regex;

use super::live::Live;
use super::rules::{self, Context, Rule};
use super::{named, shape};

/// How much is looked at in one go.
pub(crate) const PIECE: usize = 2 << 20;
/// How much of one piece the next one repeats: the longest match, and the longest line that counts.
const OVERLAP: usize = 24 << 10;
/// How far before its keyword a match may begin.
const BACK: usize = 280;
/// Hits by rules in one text, at most: a text made of nothing else would take hours. What it has more of is not looked at.
pub(crate) const MOST: usize = 10_000;
/// The pragma that lets the secrets of its own line be.
const PRAGMA: &str = "portcullis:allow";
/// How much of a line is looked at for the pragma, each side.
const LINE: usize = 2000;

/// What was found in one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    /// By which rule; none: it is a live secret.
    pub(crate) rule: Option<&'static str>,
    /// Of a live secret its name, else what the rule finds.
    pub(crate) what: String,
    /// From 1.
    pub(crate) line: usize,
    /// Never printed: its fingerprint is.
    pub(crate) secret: Vec<u8>,
    /// The pragma's reason; empty where it gives none, and then it does not count.
    pub(crate) allowed: Option<String>,
}

struct Prefilter {
    keywords: AhoCorasick,
    /// By the keyword's number, the rules that want it.
    wanted_by: Vec<Vec<usize>>,
    rules: Vec<&'static Rule>,
    /// Of each rule its pattern, once it was wanted.
    patterns: Vec<OnceLock<Option<Regex>>>,
}

/// None: the keywords or a pattern could not be made, and nothing can be said.
fn prefilter() -> Option<&'static Prefilter> {
    static PREFILTER: OnceLock<Option<Prefilter>> = OnceLock::new();
    PREFILTER
        .get_or_init(|| {
            let rules: Vec<&'static Rule> = rules::all().collect();
            let mut by_keyword: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
            for (at, rule) in rules.iter().enumerate() {
                for keyword in rule.keywords {
                    by_keyword.entry(keyword).or_default().push(at);
                }
            }
            let keywords = AhoCorasick::builder()
                .ascii_case_insensitive(true)
                .kind(Some(AhoCorasickKind::DFA))
                .build(by_keyword.keys())
                .ok()?;
            let patterns = rules.iter().map(|_| OnceLock::new()).collect();
            Some(Prefilter { keywords, wanted_by: by_keyword.into_values().collect(), rules, patterns })
        })
        .as_ref()
}

/// Whether the rules can be used at all.
pub(crate) fn rules_work() -> bool {
    prefilter().is_some()
}

/// Looks at one text, piece by piece.
pub(crate) struct Detector<'a> {
    live: Option<&'a Live>,
    /// What has not been looked at, or is looked at again.
    held: Vec<u8>,
    /// Line of the first byte held, from 1.
    line: usize,
    /// Up to here, in `held`, everything was reported.
    done: usize,
    hits: Vec<Hit>,
    /// Of these the ones by rules.
    by_rules: usize,
}

impl<'a> Detector<'a> {
    pub(crate) fn new(live: Option<&'a Live>) -> Self {
        Self { live, held: Vec::new(), line: 1, done: 0, hits: Vec::new(), by_rules: 0 }
    }

    /// The next bytes of the text.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
        while self.held.len() >= PIECE + OVERLAP {
            self.look(PIECE + OVERLAP, PIECE);
            let keep_from = PIECE - OVERLAP;
            self.line += newlines(&self.held[..keep_from]);
            self.held.drain(..keep_from);
            self.done = OVERLAP;
        }
    }

    /// The text is over.
    pub(crate) fn finish(mut self) -> Vec<Hit> {
        let end = self.held.len();
        self.look(end, end);
        self.hits
    }

    /// Looks at the first `upto` bytes held, and reports what begins before `border` and was not reported.
    fn look(&mut self, upto: usize, border: usize) {
        let text = &self.held[..upto];
        let mut found: Vec<(usize, Range<usize>, Option<&'static Rule>, String)> = Vec::new();
        if let Some(live) = self.live {
            found.extend(live.find(text).map(|(range, name)| (range.start, range, None, name.to_owned())));
        }
        let by_rules = by_rules(text, MOST.saturating_sub(self.by_rules)).into_iter();
        found.extend(by_rules.map(|(at, range, rule)| (at, range, Some(rule), rule.what.to_owned())));
        found.retain(|(at, ..)| *at >= self.done && (*at < border || border == upto));
        found.sort_by_key(|(at, ..)| *at);
        let (mut line, mut counted) = (self.line, 0);
        for (at, range, rule, what) in found {
            line += newlines(&text[counted..at]);
            counted = at;
            self.by_rules += usize::from(rule.is_some());
            self.hits.push(Hit {
                rule: rule.map(|rule| rule.id),
                what,
                line,
                secret: if rule.is_some_and(has_header) {
                    without_breaks(&text[range.clone()])
                } else {
                    text[range.clone()].to_vec()
                },
                allowed: pragma(text, at),
            });
        }
    }
}

/// All of one text that is in memory.
pub(crate) fn find(text: &[u8], live: Option<&Live>) -> Vec<Hit> {
    let mut detector = Detector::new(live);
    detector.push(text);
    detector.finish()
}

fn newlines(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'\n').count()
}

/// A key in PEM begins with its header: there is room for a pragma.
fn has_header(rule: &Rule) -> bool {
    rule.id == "private-key"
}

/// A key in PEM has the same fingerprint with line breaks, with `\n` in a JSON string, and in one line.
fn without_breaks(key: &[u8]) -> Vec<u8> {
    let mut bare = Vec::new();
    let mut bytes = key.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte == b'\\' {
            bytes.next();
        } else if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+') {
            bare.push(byte);
        }
    }
    bare
}

/// Where each begins, for people; the secret; its rule. Not more than `most`.
fn by_rules(text: &[u8], most: usize) -> Vec<(usize, Range<usize>, &'static Rule)> {
    let Some(prefilter) = prefilter() else { return Vec::new() };
    let mut windows: BTreeMap<usize, Vec<Range<usize>>> = BTreeMap::new();
    for keyword in prefilter.keywords.find_overlapping_iter(text) {
        for &at in &prefilter.wanted_by[keyword.pattern().as_usize()] {
            let from = keyword.start().saturating_sub(BACK);
            let to = (keyword.end() + prefilter.rules[at].reach).min(text.len());
            let windows = windows.entry(at).or_default();
            match windows.last_mut() {
                Some(last) if last.end >= from => last.end = last.end.max(to),
                _ => windows.push(from..to),
            }
        }
    }
    let mut found: Vec<(usize, Range<usize>, &'static Rule)> = Vec::new();
    // In the table's order, forms of their own first: what overlaps with a better one is left out.
    let mut order: Vec<usize> = windows.keys().copied().collect();
    order.sort_by_key(|at| (!prefilter.rules[*at].own_form, *at));
    for at in order {
        let rule = prefilter.rules[at];
        let Some(regex) = prefilter.patterns[at].get_or_init(|| rule.compile()) else { continue };
        for window in &windows[&at] {
            let left = most.saturating_sub(found.len());
            if left == 0 {
                return found;
            }
            for (at, range) in by_rule(text, window, rule, regex, left) {
                if !found.iter().any(|(_, other, _)| other.start < range.end && range.start < other.end) {
                    found.push((at, range, rule));
                }
            }
        }
    }
    found
}

fn by_rule(
    text: &[u8],
    window: &Range<usize>,
    rule: &Rule,
    regex: &Regex,
    most: usize,
) -> Vec<(usize, Range<usize>)> {
    let mut found = Vec::new();
    let hay = &text[..window.end];
    let mut from = window.start;
    while let Some(captures) = regex.captures_at(hay, from)
        && found.len() < most
    {
        let Some(whole) = captures.get(0) else { break };
        let secret = ["s", "t", "u", "v"]
            .iter()
            .find_map(|name| captures.name(name))
            .or_else(|| captures.get(1))
            .unwrap_or(whole);
        let beside = captures.name("n").or_else(|| captures.get(2));
        // One match's end may be the next one's beginning.
        from = secret.end().max(whole.start() + 1);
        let bytes = secret.as_bytes();
        let context = Context {
            secret: bytes,
            beside: beside.map(|group| group.as_bytes()).unwrap_or_default(),
            matched: whole.as_bytes(),
            around: &text[whole.start().saturating_sub(600)..(whole.end() + 600).min(text.len())],
        };
        let known = if rule.own_form { named::is_published(bytes) } else { named::is_sample(bytes) };
        // What stands beside a value in a program's binary says nothing about it.
        let binary = !rule.own_form && context.around.contains(&0);
        if !known
            && !binary
            && (rule.entropy == 0.0 || shape::entropy(bytes) >= rule.entropy)
            && rule.check.is_none_or(|check| check(&context))
        {
            let at = if has_header(rule) { whole.start() } else { secret.start() };
            found.push((at, secret.range()));
        }
    }
    found
}

/// The reason behind the pragma on the line that has this byte.
fn pragma(text: &[u8], at: usize) -> Option<String> {
    // No further than counts: a text in one line has many hits.
    let (first, last) = (at.saturating_sub(LINE), text.len().min(at + LINE));
    let newline = |byte: &u8| *byte == b'\n';
    let start = text[first..at].iter().rposition(newline).map_or(first, |line| first + line + 1);
    let end = text[at..last].iter().position(newline).map_or(last, |length| at + length);
    let line = String::from_utf8_lossy(&text[start..end]);
    let (_, reason) = line.split_once(PRAGMA)?;
    let reason = reason.trim().trim_end_matches("-->").trim_end_matches("*/").trim();
    Some(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made here, so that this file itself holds nothing that looks like a key.
    fn github() -> String {
        ["ghp", "_", "R7kq2ZmX9vLwT4bNcY8sJ1dHfG6pQ3eUaWzK"].concat()
    }

    fn rules(text: &str) -> Vec<&'static str> {
        find(text.as_bytes(), None).into_iter().filter_map(|hit| hit.rule).collect()
    }

    #[test]
    fn a_hit_has_its_line_and_the_pragmas_reason() {
        let token = github();
        let text = format!(
            "one\ntwo = \"{token}\"\nthree = \"{token}\" # portcullis:allow it is dead\n{token} // portcullis:allow\n"
        );
        let hits = find(text.as_bytes(), None);
        let seen: Vec<_> = hits.iter().map(|hit| (hit.line, hit.rule, hit.allowed.as_deref())).collect();
        let rule = Some("github-token");
        assert_eq!(seen, [(2, rule, None), (3, rule, Some("it is dead")), (4, rule, Some(""))]);
        assert!(hits.iter().all(|hit| hit.secret == token.as_bytes()));
    }

    #[test]
    fn a_pragma_counts_in_its_own_line_and_near() {
        let wide = |before: usize, after: usize| {
            let text = format!("{PRAGMA} no\n{}x{}{PRAGMA} yes", "-".repeat(before), "-".repeat(after));
            let at = text.find('x').unwrap_or_default();
            pragma(text.as_bytes(), at)
        };
        assert_eq!(wide(1, 1).as_deref(), Some("yes"));
        assert_eq!(wide(LINE * 2, 1).as_deref(), Some("yes"));
        assert_eq!(wide(1, LINE * 2), None);
        assert_eq!(pragma(b"x", 0), None);
    }

    #[test]
    fn names_and_values() {
        let random = ["kJ8v2Lq9XzT4mNp7", "Rb1Yw6Ds"].concat();
        let hex = ["9f86d081884c7d65", "9a2feaa0c55ad015"].concat();
        for line in [
            format!("CLIENT_SECRET={random}"),
            format!("client_secret: {random}"),
            format!("const apiKey: string = '{random}';"),
            format!("pub const SIGNING_KEY: &str = \"{random}\";"),
            format!("{{\"access_token\": \"{random}\"}}"),
            format!("define('AUTH_SALT', '{hex}');"),
            format!("client.setApiKey(\"{hex}\")"),
            format!("<password>{random}</password>"),
            "DB_PASSWORD=Vb3x!kQ9pL".to_owned(), // portcullis:allow made up for this table
            "password: \"Wint3r!sComing\"".to_owned(), // portcullis:allow made up for this table
        ] {
            assert_eq!(rules(&line), ["named-secret"], "{line}");
        }
        for line in [
            format!("CLIENT_SECRET_FILE={random}"),
            format!("password_hash = \"{hex}\""),
            format!("\"integrity\": \"sha512-{random}{random}\""),
            "token = request.headers.get('x')".to_owned(),
            "let token = self.tokens.access_token_of(user);".to_owned(),
            "password: ${DB_PASSWORD}".to_owned(),
            "secret: \"my-database-secret-name\"".to_owned(),
            "api_key = \"your_api_key_here\"".to_owned(),
            "client_secret = \"0123456789abcdef0123456789abcdef\"".to_owned(),
            "token_id: 6f1d2c8e-3b4a-4c5d-9e7f-0a1b2c3d4e5f".to_owned(),
            format!("key: {hex}"),
        ] {
            assert_eq!(rules(&line), Vec::<&str>::new(), "{line}");
        }
    }

    #[test]
    fn passwords_in_urls() {
        let found = "postgres://app:Vb3xkQ9p@db.internal/app"; // portcullis:allow made up for this test
        assert_eq!(rules(found), ["url-with-password"]);
        for no in [
            "postgres://user:password@localhost/app",
            "postgres://app:$PASSWORD@db/app",
            "https://example.com:8080/a@b",
            "postgres://{user}:{password}@{host}/x",
            "redis://localhost:6379",
            "postgres://app:app@db/app",
        ] {
            assert_eq!(rules(no), Vec::<&str>::new(), "{no}");
        }
    }

    #[test]
    fn a_private_key_has_one_fingerprint_in_any_layout_and_a_header_alone_is_none() {
        let lines: Vec<String> = (0..6_u8)
            .map(|line| {
                (0..64_u8)
                    .map(|at| char::from(b'A' + (at.wrapping_mul(7) ^ line.wrapping_mul(5)) % 26))
                    .collect()
            })
            .collect();
        let (begin, end) = (
            ["-----BEGIN RSA PRIV", "ATE KEY-----"].concat(),
            ["-----END RSA PRIV", "ATE KEY-----"].concat(),
        );
        let layouts = [
            format!("{begin}\n{}\n{end}\n", lines.join("\n")),
            format!("{{\"key\": \"{begin}\\n{}\\n{end}\\n\"}}", lines.join("\\n")),
            format!("    {begin}\r\n    {}\r\n    {end}", lines.join("\r\n    ")),
        ];
        for layout in &layouts {
            let hits = find(layout.as_bytes(), None);
            assert_eq!(hits.len(), 1, "{layout}");
            assert_eq!(hits[0].secret, lines.concat().into_bytes(), "{layout}");
        }
        assert_eq!(rules(&format!("looks for {begin} in files")), Vec::<&str>::new());
        let excused = format!("\n{begin} # portcullis:allow a test's\n{}\n{end}", lines.join("\n"));
        let hits = find(excused.as_bytes(), None);
        assert_eq!((hits[0].line, hits[0].allowed.as_deref()), (2, Some("a test's")));
        assert_eq!(hits[0].secret, lines.concat().into_bytes());
    }

    #[test]
    fn what_lies_over_the_border_of_two_pieces_is_found_once_with_its_line() {
        let token = github();
        for shift in [0, 1, 20, 39, OVERLAP - 3, OVERLAP + 7] {
            let mut text = vec![b'\n'; PIECE - shift];
            text.extend(format!(" {token}\n").bytes());
            text.extend(vec![b'.'; PIECE]);
            let mut detector = Detector::new(None);
            for part in text.chunks(100_003) {
                detector.push(part);
            }
            let lines: Vec<_> = detector.finish().iter().map(|hit| hit.line).collect();
            assert_eq!(lines, [PIECE - shift + 1], "{shift}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_do_no_harm() {
        let mut text: Vec<u8> = (0..=255).cycle().take(5000).collect();
        text.extend(github().bytes());
        text.push(0xff);
        assert_eq!(find(&text, None).len(), 1);
    }
}
