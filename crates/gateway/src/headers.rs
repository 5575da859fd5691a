//! Which headers go through, in either direction. What the gateway vouches for cannot come from the client, in no
//! spelling that a backend might read as the same name.

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, HeaderMap, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, VARY,
};

/// The token's subject.
pub const AUTH_SUBJECT: HeaderName = HeaderName::from_static("x-auth-subject");
/// The client that the token was issued to.
pub const AUTH_CLIENT: HeaderName = HeaderName::from_static("x-auth-client");
/// The token's scopes, space-separated.
pub const AUTH_SCOPES: HeaderName = HeaderName::from_static("x-auth-scopes");
/// The request's number.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(crate) const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub(crate) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(crate) const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The longest name that is compared; ours are all shorter.
const LONGEST: usize = 64;

/// The name in lower case with `_` as `-`: CGI, WSGI and PHP cannot tell the two apart.
fn folded<'a>(name: &'a str, room: &'a mut [u8; LONGEST]) -> &'a str {
    if !name.contains('_') {
        return name;
    }
    let end = name.len().min(LONGEST);
    for (to, from) in room.iter_mut().zip(name.bytes()) {
        *to = if from == b'_' { b'-' } else { from };
    }
    room.get(..end).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or(name)
}

/// Headers of one connection only (RFC 9110 section 7.6.1).
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
    )
}

/// What only the gateway may say, and what would let a backend act on another path, method or host than the one that
/// was judged.
fn is_ours_to_say(folded: &str) -> bool {
    match folded.strip_prefix("x-") {
        Some(rest) => {
            rest.starts_with("forwarded-")
                || matches!(
                    rest,
                    "auth-subject"
                        | "auth-client"
                        | "auth-scopes"
                        | "request-id"
                        | "real-ip"
                        | "original-url"
                        | "original-uri"
                        | "original-host"
                        | "rewrite-url"
                        | "http-method-override"
                        | "http-method"
                        | "method-override"
                )
        }
        // `Proxy` becomes HTTP_PROXY in a CGI's environment (httpoxy).
        None => matches!(folded, "forwarded" | "proxy"),
    }
}

/// What [`clean_request`] must know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestRules<'a> {
    pub(crate) key_header: Option<&'a HeaderName>,
    pub(crate) forward_token: bool,
}

/// Removes from the client's headers what must not reach the backend. Ours are set afterwards, so that nothing named in
/// `Connection` can take them away again.
pub(crate) fn clean_request(headers: &mut HeaderMap, rules: RequestRules<'_>) {
    let wants_trailers = headers.contains_key(TE) && accepts_trailers(headers);
    remove_named_in_connection(headers);
    let mut room = [0; LONGEST];
    let mut unwanted: Vec<HeaderName> = Vec::new();
    for name in headers.keys() {
        let text = name.as_str();
        // Most headers begin with a letter that none of the unwanted ones has.
        let drop = match text.as_bytes().first() {
            Some(b'x' | b'c' | b'k' | b'p' | b't' | b'u' | b'h' | b'f' | b'e') => {
                let folded = folded(text, &mut room);
                is_hop_by_hop(folded) || is_ours_to_say(folded) || folded == "expect"
            }
            Some(b'a') => text == "authorization" && !rules.forward_token,
            _ => false,
        };
        if drop || rules.key_header.is_some_and(|key| same_name(text, key.as_str())) {
            unwanted.push(name.clone());
        }
    }
    for name in unwanted {
        headers.remove(name);
    }
    if wants_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
    join_cookies(headers);
}

/// The same rules for the fields behind a body: a backend that merges trailers into headers must not be fooled either.
pub(crate) fn clean_trailers(trailers: &mut HeaderMap) {
    let mut room = [0; LONGEST];
    let unwanted: Vec<HeaderName> = trailers
        .keys()
        .filter(|name| {
            let folded = folded(name.as_str(), &mut room);
            is_hop_by_hop(folded)
                || is_ours_to_say(folded)
                || matches!(folded, "authorization" | "host" | "content-length" | "cookie" | "expect")
        })
        .cloned()
        .collect();
    for name in unwanted {
        trailers.remove(name);
    }
}

/// Removes from the backend's headers what is for one connection, what we say ourselves, and its own CORS headers.
pub(crate) fn clean_response(headers: &mut HeaderMap) {
    remove_named_in_connection(headers);
    let mut unwanted: Vec<HeaderName> = Vec::new();
    for name in headers.keys() {
        let text = name.as_str();
        if match text.as_bytes().first() {
            Some(b'a') => text.starts_with("access-control-"),
            Some(b'x') => text == "x-request-id",
            Some(b'c' | b'k' | b'p' | b't' | b'u' | b'h') => is_hop_by_hop(text),
            _ => false,
        } {
            unwanted.push(name.clone());
        }
    }
    for name in unwanted {
        headers.remove(name);
    }
}

/// Removes from an answer made in this process what is for one connection.
pub(crate) fn clean_hop_by_hop(headers: &mut HeaderMap) {
    remove_named_in_connection(headers);
    let unwanted: Vec<HeaderName> =
        headers.keys().filter(|name| is_hop_by_hop(name.as_str())).cloned().collect();
    for name in unwanted {
        headers.remove(name);
    }
}

/// `Vary: Origin` on every answer, so that no cache gives one origin's answer to another.
pub(crate) fn vary_by_origin(headers: &mut HeaderMap) {
    let says_so = headers.get_all(VARY).iter().any(|value| {
        value
            .as_bytes()
            .split(|byte| *byte == b',')
            .any(|part| part.trim_ascii().eq_ignore_ascii_case(b"origin"))
    });
    if !says_so {
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
}

/// Marks a body of unknown length as chunked, since hyper would leave it away with GET.
pub(crate) fn frame_unknown_length(headers: &mut HeaderMap) {
    headers.remove(CONTENT_LENGTH);
    headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
}

/// `websocket`, when the client asks for just that (RFC 6455 section 4.1). No other protocol is let through: one that
/// carries requests of its own, as h2c does, would carry them past every rule.
pub(crate) fn wants_websocket(headers: &HeaderMap) -> bool {
    let mut protocols = headers.get_all(http::header::UPGRADE).iter();
    let websocket = protocols.next().is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    websocket
        && protocols.next().is_none()
        && tokens(headers, &CONNECTION).any(|t| t.eq_ignore_ascii_case("upgrade"))
}

fn accepts_trailers(headers: &HeaderMap) -> bool {
    tokens(headers, &TE).any(|token| token.eq_ignore_ascii_case("trailers"))
}

fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
}

/// RFC 9110 section 7.6.1: what `Connection` names is for this connection alone.
fn remove_named_in_connection(headers: &mut HeaderMap) {
    if !headers.contains_key(CONNECTION) {
        return;
    }
    let named: Vec<HeaderName> = tokens(headers, &CONNECTION)
        .filter(|token| !token.eq_ignore_ascii_case("close") && !token.eq_ignore_ascii_case("keep-alive"))
        .filter_map(|token| token.parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
}

/// RFC 9113 section 8.2.3: HTTP/2 may split cookies; HTTP/1.1 has one line.
fn join_cookies(headers: &mut HeaderMap) {
    let mut lines = headers.get_all(COOKIE).iter();
    if lines.next().is_none() || lines.next().is_none() {
        return;
    }
    let mut joined = Vec::new();
    for line in headers.get_all(COOKIE) {
        if !joined.is_empty() {
            joined.extend_from_slice(b"; ");
        }
        joined.extend_from_slice(line.as_bytes());
    }
    if let Ok(value) = HeaderValue::from_bytes(&joined) {
        headers.insert(COOKIE, value);
    }
}

fn same_name(name: &str, key: &str) -> bool {
    name.len() == key.len()
        && name
            .bytes()
            .zip(key.bytes())
            .all(|(a, b)| a == b || (matches!(a, b'_' | b'-') && matches!(b, b'_' | b'-')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        map
    }

    fn names(map: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = map.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    fn cleaned(lines: &[(&str, &str)], forward_token: bool) -> HeaderMap {
        let mut map = map(lines);
        let key = HeaderName::from_static("api-key");
        clean_request(&mut map, RequestRules { key_header: Some(&key), forward_token });
        map
    }

    #[test]
    fn forged_headers_go_in_every_spelling() {
        let map = cleaned(
            &[
                ("X-Auth-Subject", "root"),
                ("X_Auth_Subject", "root"),
                ("x-auth_client", "root"),
                ("X-AUTH_SCOPES", "all"),
                ("X-Request-Id", "1"),
                ("x_request_id", "1"),
                ("X-Forwarded-For", "1.2.3.4"),
                ("X_Forwarded_Host", "evil"),
                ("X-Forwarded-Prefix", "/a"),
                ("X-Forwarded-Uri", "/a"),
                ("Forwarded", "for=1.2.3.4"),
                ("X-Real-IP", "1.2.3.4"),
                ("X-Original-URL", "/admin"),
                ("X-Rewrite-URL", "/admin"),
                ("X_HTTP_Method_Override", "DELETE"),
                ("X-Method-Override", "DELETE"),
                ("Proxy", "http://evil"),
                ("API-Key", "k"),
                ("API_Key", "k"),
                ("Authorization", "Bearer t"),
                ("X-Auth-Token", "the backend's own"),
                ("X-Custom", "kept"),
                ("Accept", "*/*"),
            ],
            false,
        );
        assert_eq!(names(&map), ["accept", "x-auth-token", "x-custom"]);
        assert_eq!(names(&cleaned(&[("Authorization", "Bearer t")], true)), ["authorization"]);
    }

    #[test]
    fn rfc9110_7_6_1_hop_by_hop() {
        let map = cleaned(
            &[
                ("Connection", "close, X-Secret, keep-alive"),
                ("Connection", "X-Other"),
                ("X-Secret", "1"),
                ("X-Other", "1"),
                ("Keep-Alive", "1"),
                ("Proxy-Connection", "1"),
                ("Proxy-Authorization", "Basic x"),
                ("TE", "gzip"),
                ("Transfer-Encoding", "chunked"),
                ("Upgrade", "h2c"),
                ("HTTP2-Settings", "x"),
                ("Expect", "100-continue"),
                ("Trailer", "X-Sum"),
            ],
            false,
        );
        assert_eq!(names(&map), ["trailer"]);
        let map = cleaned(&[("TE", "gzip, trailers"), ("Connection", "TE")], false);
        assert_eq!(
            (&map[TE], &map[CONNECTION]),
            (&HeaderValue::from_static("trailers"), &HeaderValue::from_static("te"))
        );
    }

    #[test]
    fn backend_cors_goes_and_vary_comes_once() {
        let mut headers = map(&[
            ("Access-Control-Allow-Origin", "*"),
            ("Access-Control-Allow-Credentials", "true"),
            ("Access-Control-Anything", "x"),
            ("X-Request-Id", "theirs"),
            ("Connection", "X-Hop"),
            ("X-Hop", "1"),
            ("Content-Type", "text/plain"),
            ("Vary", "Accept"),
        ]);
        clean_response(&mut headers);
        assert_eq!(names(&headers), ["content-type", "vary"]);
        vary_by_origin(&mut headers);
        vary_by_origin(&mut headers);
        assert_eq!(headers.get_all(VARY).iter().count(), 2);
        let mut headers = map(&[("Vary", "Accept, origin")]);
        vary_by_origin(&mut headers);
        assert_eq!(headers.get_all(VARY).iter().count(), 1);
    }

    #[test]
    fn trailers_cannot_vouch_for_anybody() {
        let mut trailers =
            map(&[("X-Auth-Subject", "root"), ("x_auth_scopes", "all"), ("Host", "h"), ("X-Sum", "1")]);
        clean_trailers(&mut trailers);
        assert_eq!(names(&trailers), ["x-sum"]);
    }

    #[test]
    fn only_websocket_is_upgraded_to() {
        assert!(wants_websocket(&map(&[("Connection", "keep-alive, Upgrade"), ("Upgrade", "WebSocket")])));
        for other in [
            map(&[("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c")]),
            map(&[("Connection", "Upgrade"), ("Upgrade", "websocket, h2c")]),
            map(&[("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Upgrade", "h2c")]),
            map(&[("Upgrade", "websocket")]),
            map(&[("Connection", "Upgrade")]),
        ] {
            assert!(!wants_websocket(&other), "{other:?}");
        }
    }

    #[test]
    fn rfc9113_8_2_3_cookies_are_joined() {
        let map = cleaned(&[("Cookie", "a=1"), ("Cookie", "b=2")], false);
        assert_eq!(map[COOKIE], "a=1; b=2");
        assert_eq!(map.get_all(COOKIE).iter().count(), 1);
    }
}
