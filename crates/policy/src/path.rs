//! The path of a request, decoded once, or the reason why it could be read in two ways.
//!
//! What is matched is what is forwarded: the gateway matches [`NormalPath::segments`] and forwards
//! [`NormalPath::target`], which decodes to just these segments. A path that some backend might read differently
//! (RFC 3986 sections 5.2.4 and 6.2.2, WHATWG URL's treatment of backslashes, Tomcat's path parameters, IIS's best-fit
//! mapping) is refused instead of being repaired.

use unicode_normalization::UnicodeNormalization;

/// A path that every reader reads alike, and the query behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NormalPath {
    /// Canonical path and, from `path_end` on, the query with its question mark.
    target: String,
    path_end: usize,
    /// The decoded path where it differs from the canonical spelling. Its slashes are separators, as encoded ones are
    /// refused.
    decoded: Option<String>,
}

/// Why a request target is refused with 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Ambiguous {
    /// It does not begin with a slash (also `*` and the absolute form).
    #[error("the path does not begin with a slash")]
    NotAbsolute,
    /// `//`, or a slash at the end of anything but `/`.
    #[error("the path has an empty segment (two slashes, or one at its end)")]
    EmptySegment,
    /// `.` or `..`, in any spelling; also more dots, and dots with spaces.
    #[error("the path has a dot segment")]
    DotSegment,
    /// A slash that is not a separator: `%2F`.
    #[error("the path has an encoded slash")]
    EncodedSlash,
    /// `\` or `%5C`.
    #[error("the path has a backslash")]
    Backslash,
    /// A control character, encoded or not; also line and paragraph separators.
    #[error("the path has a control character")]
    Control,
    /// A percent sign that is not followed by two hexadecimal digits.
    #[error("the path has a percent sign that encodes nothing")]
    BadEscape,
    /// What decodes to another percent encoding, `%252e` or `%25u002e`.
    #[error("the path is encoded twice")]
    DoubleEncoding,
    /// Bytes that are not UTF-8; overlong encodings such as `%C0%AE` among them.
    #[error("the path is not UTF-8, or overlong")]
    NotUtf8,
    /// A semicolon: `;jsessionid=…`, `..;`.
    #[error("the path has a parameter in a segment (a semicolon)")]
    Parameter,
    /// A character that compatibility folding turns into ASCII: full-width letters, dots and slashes, ligatures.
    #[error("the path has a character that some readers fold to ASCII")]
    Lookalike,
    /// `#`, or a raw space: no request target contains them.
    #[error("the request target has a character that belongs in none")]
    Character,
}

/// Decodes the path of a request target once and checks that nobody can read it otherwise.
///
/// `raw_path_and_query` is the origin form (RFC 9112 section 3.2.1). Applied to its own [`NormalPath::target`] it
/// changes nothing.
///
/// # Errors
/// The first reason found why the target is ambiguous: the answer is 400.
pub fn normalise(raw_path_and_query: &str) -> Result<NormalPath, Ambiguous> {
    let (path, query) = match raw_path_and_query.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (raw_path_and_query, None),
    };
    if !path.starts_with('/') {
        return Err(Ambiguous::NotAbsolute);
    }
    let (mut target, decoded) =
        if path.bytes().all(|b| plain(b) || b == b'/') { (path.to_owned(), None) } else { decode(path)? };
    check_segments(decoded.as_deref().unwrap_or(&target))?;
    let path_end = target.len();
    if let Some(query) = query {
        target.push('?');
        push_query(&mut target, query)?;
    }
    let decoded = decoded.filter(|decoded| *decoded != target[..path_end]);
    Ok(NormalPath { target, path_end, decoded })
}

impl NormalPath {
    /// The segments between the slashes, decoded. `/` has none.
    pub fn segments(&self) -> impl Iterator<Item = &str> + '_ {
        let rest = &self.decoded()[1..];
        rest.split('/').filter(move |_| !rest.is_empty())
    }

    /// The decoded path: a slash before each segment, `/` alone for none.
    #[must_use]
    pub fn decoded(&self) -> &str {
        self.decoded.as_deref().unwrap_or_else(|| self.forward())
    }

    /// The canonical path to forward, without the query.
    #[must_use]
    pub fn forward(&self) -> &str {
        &self.target[..self.path_end]
    }

    /// The query behind the first question mark; never decoded.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.target.get(self.path_end + 1..)
    }

    /// The request target to forward: path, and the query with its question mark where there was one.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }
}

impl std::fmt::Display for NormalPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.forward())
    }
}

/// RFC 3986 unreserved: the encoded and the raw spelling mean the same.
fn unreserved(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~')
}

/// What stands in a segment as it is: `pchar` of RFC 3986 section 3.3, without the semicolon.
fn plain(b: u8) -> bool {
    unreserved(b)
        || matches!(b, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@')
}

/// The canonical spelling and the decoded path. A reserved character keeps the spelling it came in, since RFC 3986
/// section 2.2 lets a backend tell `+` from `%2B`; both are matched as the same character.
fn decode(path: &str) -> Result<(String, Option<String>), Ambiguous> {
    let bytes = path.as_bytes();
    let mut canonical = String::with_capacity(bytes.len() + 8);
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&b) = bytes.get(at) {
        if b == b'%' {
            let byte = escape(bytes, at).ok_or(Ambiguous::BadEscape)?;
            if byte == b'/' {
                return Err(Ambiguous::EncodedSlash);
            }
            decoded.push(byte);
            if unreserved(byte) {
                canonical.push(char::from(byte))
            } else {
                push_escaped(&mut canonical, byte)
            }
            at += 3;
        } else {
            match b {
                b'#' | b' ' => return Err(Ambiguous::Character),
                _ if b == b'/' || plain(b) => canonical.push(char::from(b)),
                _ => push_escaped(&mut canonical, b),
            }
            decoded.push(b);
            at += 1;
        }
    }
    let decoded = String::from_utf8(decoded).map_err(|_| Ambiguous::NotUtf8)?;
    check_characters(&decoded)?;
    Ok((canonical, Some(decoded)))
}

/// The byte that `%XX` at this place stands for.
fn escape(bytes: &[u8], at: usize) -> Option<u8> {
    let high = char::from(*bytes.get(at + 1)?).to_digit(16)?;
    let low = char::from(*bytes.get(at + 2)?).to_digit(16)?;
    u8::try_from(high * 16 + low).ok()
}

fn push_escaped(text: &mut String, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    text.push('%');
    text.push(char::from(HEX[usize::from(byte >> 4)]));
    text.push(char::from(HEX[usize::from(byte & 15)]));
}

/// What no decoded path may contain, whatever the segment.
pub(crate) fn check_characters(decoded: &str) -> Result<(), Ambiguous> {
    for c in decoded.chars() {
        match c {
            '\\' => return Err(Ambiguous::Backslash),
            ';' => return Err(Ambiguous::Parameter),
            // U+FFFD is what is left when somebody before us decoded bytes that were no text.
            '\u{fffd}' => return Err(Ambiguous::NotUtf8),
            '\u{2028}' | '\u{2029}' => return Err(Ambiguous::Control),
            c if c.is_control() => return Err(Ambiguous::Control),
            c if c.is_ascii() => {}
            c if folds_to_ascii(c) => return Err(Ambiguous::Lookalike),
            _ => {}
        }
    }
    let bytes = decoded.as_bytes();
    for (at, _) in bytes.iter().enumerate().filter(|(_, b)| **b == b'%') {
        if escape(bytes, at).is_some() || matches!(bytes.get(at + 1), Some(b'u' | b'U')) {
            return Err(Ambiguous::DoubleEncoding);
        }
    }
    Ok(())
}

/// Characters that best-fit or compatibility mapping turns into ASCII: U+FF41 into `a`, U+2024 into a dot, U+212A into
/// `K`; besides slashes and backslashes that Unicode keeps apart and old code pages do not.
fn folds_to_ascii(c: char) -> bool {
    matches!(c, '\u{2044}' | '\u{2215}' | '\u{29f8}' | '\u{2216}' | '\u{29f5}' | '\u{29f9}')
        || std::iter::once(c).nfkc().any(|folded| folded.is_ascii())
}

/// No empty segment and no dot segment. `/` alone is well.
fn check_segments(decoded: &str) -> Result<(), Ambiguous> {
    if decoded == "/" {
        return Ok(());
    }
    decoded[1..].split('/').try_for_each(check_segment)
}

/// One decoded segment. Three dots and more, and dots with white space, are dot segments to some file systems.
pub(crate) fn check_segment(segment: &str) -> Result<(), Ambiguous> {
    if segment.is_empty() {
        Err(Ambiguous::EmptySegment)
    } else if segment.contains('.') && segment.chars().all(|c| c == '.' || c.is_whitespace()) {
        Err(Ambiguous::DotSegment)
    } else {
        Ok(())
    }
}

/// The query is the backend's; it is only made fit for a request line.
fn push_query(target: &mut String, query: &str) -> Result<(), Ambiguous> {
    for b in query.bytes() {
        match b {
            b'#' | b' ' => return Err(Ambiguous::Character),
            b if b.is_ascii_control() => return Err(Ambiguous::Control),
            b if b.is_ascii() => target.push(char::from(b)),
            b => push_escaped(target, b),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn forward(raw: &str) -> String {
        normalise(raw).unwrap().target().to_owned()
    }

    #[test]
    fn plain_paths_stay_as_they_are() {
        for path in [
            "/",
            "/a",
            "/a/b.json",
            "/.well-known/x",
            "/v1/things:batch",
            "/a/~b/(c)/x=1,2",
            "/...a",
            "/a?b=c;d&e=%2e%2e/",
        ] {
            assert_eq!(forward(path), path);
        }
    }

    #[test]
    fn a_path_is_decoded_once() {
        let path = normalise("/caf%c3%a9/a%20b/%61%2B+").unwrap();
        assert_eq!(path.segments().collect::<Vec<_>>(), ["café", "a b", "a++"]);
        assert_eq!(path.forward(), "/caf%C3%A9/a%20b/a%2B+");
        assert_eq!(forward("/café"), "/caf%C3%A9");
        assert_eq!(forward("/100%25"), "/100%25");
        assert_eq!(normalise("/100%25").unwrap().decoded(), "/100%");
        assert_eq!(normalise("/").unwrap().segments().count(), 0);
        assert_eq!(normalise("/?").unwrap().query(), Some(""));
        assert_eq!(normalise("/").unwrap().query(), None);
        assert_eq!(forward("/a%3Fb?c=d?e"), "/a%3Fb?c=d?e");
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        use Ambiguous::*;
        let cases = [
            ("", NotAbsolute),
            ("*", NotAbsolute),
            ("a", NotAbsolute),
            ("?a=/", NotAbsolute),
            ("http://h/a", NotAbsolute),
            ("//", EmptySegment),
            ("//a", EmptySegment),
            ("/a//b", EmptySegment),
            ("/a/", EmptySegment),
            ("/a/?b", EmptySegment),
            ("/.", DotSegment),
            ("/a/..", DotSegment),
            ("/a/../b", DotSegment),
            ("/a/%2e%2e/b", DotSegment),
            ("/a/.%2E/b", DotSegment),
            ("/a/%2e/b", DotSegment),
            ("/a/.../b", DotSegment),
            ("/a/..%20/b", DotSegment),
            ("/a%2fb", EncodedSlash),
            ("/..%2Fb", EncodedSlash),
            ("/a\\b", Backslash),
            ("/a%5cb", Backslash),
            ("/..%5c..%5cb", Backslash),
            ("/a%00", Control),
            ("/a%0a", Control),
            ("/a\tb", Control),
            ("/a%7f", Control),
            ("/a%c2%85", Control),
            ("/a%e2%80%a8", Control),
            ("/a%", BadEscape),
            ("/a%2", BadEscape),
            ("/a%zz", BadEscape),
            ("/a%u002e", BadEscape),
            ("/a%+1", BadEscape),
            ("/%252e%252e/a", DoubleEncoding),
            ("/a%252fb", DoubleEncoding),
            ("/a%25%32%66b", DoubleEncoding),
            ("/a%25252fb", DoubleEncoding),
            ("/a%25u002eb", DoubleEncoding),
            ("/%c0%ae%c0%ae/a", NotUtf8),
            ("/a%c0%afb", NotUtf8),
            ("/a%e0%80%afb", NotUtf8),
            ("/a%ff", NotUtf8),
            ("/a%ed%a0%80", NotUtf8),
            ("/a%ef%bf%bd", NotUtf8),
            ("/a;b=c", Parameter),
            ("/a/..;/b", Parameter),
            ("/a/..%3b/b", Parameter),
            ("/a;", Parameter),
            ("/%ef%bd%81dmin", Lookalike),
            ("/\u{ff41}dmin", Lookalike),
            ("/\u{ff0e}\u{ff0e}/a", Lookalike),
            ("/a\u{ff0f}b", Lookalike),
            ("/a\u{2215}b", Lookalike),
            ("/a\u{2044}b", Lookalike),
            ("/a\u{ff3c}b", Lookalike),
            ("/\u{2025}/a", Lookalike),
            ("/a\u{37e}b", Lookalike),
            ("/\u{212a}ey", Lookalike),
            ("/\u{17f}ecret", Lookalike),
            ("/a\u{a0}b", Lookalike),
            ("/a#b", Character),
            ("/a b", Character),
            ("/a?b#c", Character),
            ("/a?b\u{0}", Control),
        ];
        for (raw, reason) in cases {
            assert_eq!(normalise(raw), Err(reason), "{raw:?}");
        }
    }

    #[test]
    fn other_scripts_pass() {
        for path in ["/straße", "/日本語", "/Ærø", "/Привет", "/שלום", "/é", "/e\u{301}", "/😀"]
        {
            assert!(normalise(path).is_ok(), "{path}");
        }
    }

    proptest! {
        #[test]
        fn it_never_panics_and_is_idempotent(raw in "(/|%|2|e|f|5|c|\\.|;|\\\\|a|é|\\?|#|.){0,24}") {
            if let Ok(path) = normalise(&raw) {
                prop_assert_eq!(normalise(path.target()), Ok(path));
            }
        }

        #[test]
        fn it_is_idempotent_on_paths(raw in "(/[a-z+%]{1,3}|/%[2-7][0-9a-f]|/%c3%[89ab][0-9a-f]|%[2-7][0-9A-F]){1,6}(\\?[a-z]*)?") {
            if let Ok(path) = normalise(&raw) {
                let again = normalise(path.target()).unwrap();
                prop_assert_eq!(again.segments().collect::<Vec<_>>(), path.segments().collect::<Vec<_>>());
                prop_assert_eq!(again, path);
            }
        }

        /// Whatever passes has segments that no reader takes for something else.
        #[test]
        fn what_passes_is_clean(raw in "/(%[0-9a-f]{2}|[ -~]){0,12}") {
            if let Ok(path) = normalise(&raw) {
                for segment in path.segments() {
                    prop_assert!(!segment.is_empty() && segment != "." && segment != "..");
                    prop_assert!(!segment.contains(['/', '\\', ';', '\0']));
                }
                prop_assert!(path.target().bytes().all(|b| b.is_ascii_graphic()));
            }
        }
    }
}
