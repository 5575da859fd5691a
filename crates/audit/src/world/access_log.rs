//! Routes that were really called: the access log of the backend or of a proxy before it, in JSON lines or in the common or
//! combined format of Apache and nginx. Method, path and status are read; a query is cut off before anything else happens.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use serde_json::Value;

/// How much of a log is read, from its end, in bytes.
const READ: u64 = 64 * 1024 * 1024;
/// What is longer is no line of a log, in bytes.
const LONGEST: u64 = 64 * 1024;
/// How JSON logs call them: nginx's and Caddy's usual names, Traefik's, OpenTelemetry's, Google's.
const METHODS: [&str; 7] = [
    "method",
    "request_method",
    "RequestMethod",
    "requestMethod",
    "http_method",
    "http.method",
    "http.request.method",
];
const PATHS: [&str; 12] = [
    "path",
    "uri",
    "url",
    "request_uri",
    "RequestPath",
    "requestUrl",
    "request_path",
    "http_path",
    "http.target",
    "url.path",
    "target",
    "originalUrl",
];
const STATUSES: [&str; 7] = [
    "status",
    "status_code",
    "statusCode",
    "DownstreamStatus",
    "response_code",
    "http.status_code",
    "http.response.status_code",
];
/// Members that hold the request or the answer in parts.
const PARTS: [&str; 6] = ["request", "req", "response", "res", "httpRequest", "http"];

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) method: String,
    /// Without query and fragment.
    pub(crate) path: String,
    pub(crate) status: u16,
}

/// What was read of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Log {
    pub(crate) entries: Vec<Entry>,
    /// Lines that are no request in a format that is known.
    pub(crate) bad: usize,
    /// Those of them that may well be a request that was served.
    pub(crate) unread: usize,
    /// Whether older lines were left out.
    pub(crate) cut: bool,
}

/// Reads the last 64 MiB.
///
/// # Errors
/// The system's own words.
pub(crate) fn read(path: &Path) -> Result<Log, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    // Before it is opened: to open a pipe would wait for whoever writes to it.
    let metadata = path.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(format!("{} is no file", path.display()));
    }
    let mut file = File::open(path).map_err(failed)?;
    let mut log = Log { cut: metadata.len() > READ, ..Log::default() };
    if log.cut {
        file.seek(SeekFrom::Start(metadata.len() - READ)).map_err(failed)?;
    }
    let mut file = BufReader::new(file.take(READ));
    let mut line = Vec::new();
    // Where the beginning is left out, the first line is half a line.
    let mut half = log.cut;
    loop {
        line.clear();
        let count = file.by_ref().take(LONGEST).read_until(b'\n', &mut line).map_err(failed)?;
        if count == 0 {
            return Ok(log);
        }
        let whole = line.last() == Some(&b'\n') || (count as u64) < LONGEST;
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        if !half && !text.is_empty() {
            match entry(text).filter(|_| whole) {
                Some(entry) => log.entries.push(entry),
                None => {
                    log.bad += 1;
                    // Without its end, the last line is one that is still being written.
                    let ended = line.last() == Some(&b'\n') || !whole;
                    log.unread += usize::from(ended && may_be_served(text));
                }
            }
        }
        // The rest of a line that is too long is part of it.
        half = !whole;
    }
}

/// Whether an answer shows that there is a route: what was refused, not found or failed does not. 101 opens a WebSocket.
pub(crate) fn is_served(status: u16) -> bool {
    status == 101 || (200..400).contains(&status)
}

/// Whether a line that could not be read may hide a route: JSON, unless it says that nothing was served, and whatever has the
/// status of a served request behind a quoted part, where the common format has it.
fn may_be_served(line: &str) -> bool {
    if line.starts_with('{') {
        let status = serde_json::from_str(line).ok().and_then(|line: Value| status(&parts(&line)));
        return status.is_none_or(is_served);
    }
    line.match_indices("\" ").any(|(at, _)| {
        let word = line[at + 2..].split_ascii_whitespace().next().unwrap_or_default();
        word.len() == 3 && word.parse().is_ok_and(is_served)
    })
}

fn entry(line: &str) -> Option<Entry> {
    if line.starts_with('{') { json(&serde_json::from_str(line).ok()?) } else { common(line) }
}

/// `host ident user [date] "GET /path HTTP/1.1" 200 512`, and what the combined format has behind it.
fn common(line: &str) -> Option<Entry> {
    let (_, rest) = line.split_once('"')?;
    let (request, rest) = rest.split_once("\" ")?;
    let status = rest.split_ascii_whitespace().next()?;
    made(request, status.parse().ok()?)
}

/// `GET /path HTTP/1.1`.
fn made(request: &str, status: u16) -> Option<Entry> {
    let mut words = request.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    if !version.starts_with("HTTP/") || words.next().is_some() {
        return None;
    }
    entry_of(method, target, status)
}

/// The line itself, and its members that hold the request or the answer.
fn parts(line: &Value) -> Vec<&Value> {
    std::iter::once(line).chain(PARTS.iter().filter_map(|name| line.get(name))).collect()
}

fn find<'a>(parts: &[&'a Value], names: &[&str]) -> Option<&'a Value> {
    parts
        .iter()
        .find_map(|part| names.iter().find_map(|name| part.get(name).filter(|value| !value.is_object())))
}

fn status(parts: &[&Value]) -> Option<u16> {
    let status = find(parts, &STATUSES)?;
    let status = status.as_u64().or_else(|| status.as_str()?.parse().ok())?;
    u16::try_from(status).ok()
}

fn json(line: &Value) -> Option<Entry> {
    let parts = parts(line);
    let status = status(&parts)?;
    // Loggers have a `target` of their own, which is no path.
    let path = parts.iter().find_map(|part| {
        let values = PATHS.iter().filter_map(|name| part.get(name)?.as_str());
        values.into_iter().find(|value| value.starts_with('/') || value.contains("://") || *value == "*")
    });
    match (find(&parts, &METHODS).and_then(Value::as_str), path) {
        (Some(method), Some(target)) => entry_of(method, target, status),
        // nginx's own `$request`.
        _ => made(line.get("request")?.as_str()?, status),
    }
}

fn entry_of(method: &str, target: &str, status: u16) -> Option<Entry> {
    let method = method.to_ascii_uppercase();
    if method.is_empty() || method.len() > 20 || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let target = target.split(['?', '#']).next().unwrap_or_default();
    // An absolute target names its host before the path (RFC 9112 section 3.2.2).
    let path = match target.split_once("://") {
        Some((scheme, rest)) if scheme.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            rest.find('/').map_or("/", |at| &rest[at..])
        }
        _ => target,
    };
    // OPTIONS alone may ask about the server as a whole (RFC 9112 section 3.2.4).
    let whole = method == "OPTIONS" && path == "*";
    let known = (path.starts_with('/') || whole) && (100..600).contains(&status);
    known.then(|| Entry { method, path: path.to_owned(), status })
}

/// A path as it may be shown: segments that stand in a known template, and a first one of up to 24 letters, `-`, `_` and `.`, or
/// that is a version such as `v2`. Any other may be a number, a name or a token of somebody's, and is `…`.
pub(crate) fn shown(path: &str, words: &BTreeSet<&str>) -> String {
    let is_word = |segment: &str| {
        let version = segment.strip_prefix('v').is_some_and(|rest| !rest.is_empty() && rest.len() < 3);
        let letters = segment.bytes().all(|byte| byte.is_ascii_alphabetic() || b"-_.".contains(&byte));
        segment.len() <= 24
            && (letters || version && segment.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    };
    let segments: Vec<&str> = path
        .split('/')
        .take(9)
        .enumerate()
        .map(|(at, part)| if words.contains(part) || at < 2 && is_word(part) { part } else { "…" })
        .collect();
    segments.join("/")
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn is(line: &str) -> Option<(String, String, u16)> {
        entry(line).map(|entry| (entry.method, entry.path, entry.status))
    }

    #[test]
    fn the_usual_formats_are_read_and_queries_are_cut_off() {
        let wanted = Some(("GET".to_owned(), "/orders/7".to_owned(), 200));
        for line in [
            r#"203.0.113.7 - ada [29/Nov/2026:11:00:00 +0000] "GET /orders/7?token=secret HTTP/1.1" 200 512"#,
            r#"203.0.113.7 - - [29/Nov/2026:11:00:00 +0000] "GET /orders/7 HTTP/2.0" 200 512 "https://a/?b" "x \"y\" z""#,
            r#"{"method": "get", "path": "/orders/7?token=secret", "status": 200}"#,
            r#"{"request": "GET /orders/7?x HTTP/1.1", "status": "200"}"#,
            r#"{"request": {"method": "GET", "uri": "/orders/7#x"}, "status": 200}"#,
            r#"{"httpRequest": {"requestMethod": "GET", "requestUrl": "https://a.example/orders/7?x", "status": 200}}"#,
            r#"{"RequestMethod": "GET", "RequestPath": "/orders/7", "DownstreamStatus": 200}"#,
            r#"{"req": {"method": "GET", "url": "/orders/7"}, "res": {"statusCode": 200}}"#,
            r#"{"target": "tower_http", "request": {"method": "GET", "uri": "/orders/7"}, "status": 200}"#,
        ] {
            assert_eq!(is(line), wanted, "{line}");
        }
        for line in [
            "listening on port 3000",
            r#"{"message": "listening"}"#,
            r#"{"method": "GET", "path": "orders", "status": 200}"#,
            r#"{"method": "GET", "path": "/orders", "status": 99}"#,
            r#"203.0.113.7 - - [x] "\x16\x03\x01" 400 0"#,
            r#"{"method": "GET""#,
        ] {
            assert_eq!(is(line), None, "{line}");
        }
    }

    #[test]
    fn what_may_hide_a_route_is_counted_apart() {
        let of = |text: &str| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            let log = read(file.path()).unwrap();
            (log.entries.len(), log.bad, log.unread)
        };
        for (line, wanted) in [
            ("listening on port 3000", (0, 1, 0)),
            (r#"{"message": "listening"}"#, (0, 1, 1)),
            (r#"{"verb": "GET", "route": "/debug", "code": 200}"#, (0, 1, 1)),
            (r#"{"method": "GET", "path": "debug", "status": 200}"#, (0, 1, 1)),
            (r#"{"method": "GET", "path": "debug", "status": 404}"#, (0, 1, 0)),
            (r#"{"method": "GET""#, (0, 1, 1)),
            (r#"203.0.113.7 - - [x] "GET /debug" 200 5"#, (0, 1, 1)),
            (r#"203.0.113.7 - - [x] "GET /a\" b HTTP/1.1" 200 5"#, (0, 1, 1)),
            (r#"203.0.113.7 - - [x] "\x16\x03\x01" 400 0"#, (0, 1, 0)),
            (r#"::1 - - [x] "OPTIONS * HTTP/1.0" 200 126"#, (1, 0, 0)),
        ] {
            assert_eq!(of(&format!("{line}\n")), wanted, "{line}");
        }
        assert_eq!(of(r#"{"method": "GET""#), (0, 1, 0), "it is still being written");
        assert_eq!(of(&format!("{{{}\n", "x".repeat(70_000))), (0, 1, 1), "it is too long");
    }

    #[test]
    fn a_pipe_that_nobody_writes_to_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let (send, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || send.send(read(&pipe)));
        let told = told.recv_timeout(std::time::Duration::from_secs(20)).expect("it waits for a writer");
        assert!(told.unwrap_err().ends_with("is no file"));
    }

    #[test]
    fn what_is_shown_of_a_path_is_words() {
        let words = ["", "orders", "lines", "{id}"].into();
        for (path, safe) in [
            ("/v1/orders/7/lines", "/v1/orders/…/lines"),
            ("/users/ada@example.com", "/users/…"),
            ("/users/ada-lovelace", "/users/…"),
            ("/reset/qWeRtYuIoPaSdFgH", "/reset/…"),
            ("/3q2-7wAbCdEf", "/…"),
            ("/averyveryveryverylongtokenindeed", "/…"),
            ("/a/b%20c", "/a/…"),
        ] {
            assert_eq!(shown(path, &words), safe);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_line_panics(line: String, path: String) {
            let _entry = entry(&line);
            let _entry = entry(&format!("{{{line}"));
            let _shown = shown(&path, &BTreeSet::new());
        }
    }
}
