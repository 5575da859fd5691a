//! Reading request bodies: a bound, one content type, JSON that is what the endpoint expects.

use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::respond::Problem;

/// The largest body that this room reads, in bytes.
pub(crate) const MAXIMUM: usize = 64 * 1024;

/// How deep arrays and objects may lie in one another: no endpoint takes more than two levels, and what is ignored is
/// bounded as well.
const DEEPEST: usize = 16;

/// The whole body, or 413 as soon as it is known to be too large.
pub(crate) async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    let too_large = || {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "the body may have 65536 bytes at most")
    };
    let announced =
        headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAXIMUM as u64) {
        return Err(too_large());
    }
    match Limited::new(body, MAXIMUM).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => Err(too_large()),
        Err(_) => Err(Problem::bad_request("body_broken", "the body ended before it was whole")),
    }
}

/// Reads JSON. Only `application/json` is taken, which no HTML form can send; unknown members are ignored, a member that
/// comes twice or has the wrong type is refused. Nothing of the body is repeated in the problem.
pub(crate) fn json<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Problem> {
    if !is_json(headers) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_json",
            "send the body as Content-Type: application/json",
        ));
    }
    let text = std::str::from_utf8(body).map_err(|_| {
        Problem::bad_request("not_utf8", "the body is not UTF-8, as JSON must be (RFC 8259 section 8.1)")
    })?;
    // serde reads a structure from an array as well; no endpoint means that.
    if !text.trim_ascii_start().starts_with('{') {
        return Err(Problem::bad_request("malformed_json", "the body must be a JSON object"));
    }
    if is_too_deep(text) {
        return Err(Problem::bad_request(
            "malformed_json",
            "arrays and objects may lie in one another 16 levels deep at most",
        ));
    }
    serde_json::from_str(text).map_err(|error| {
        let what = match error.classify() {
            serde_json::error::Category::Data => "a member has the wrong type or comes twice",
            _ => "this is not JSON",
        };
        Problem::bad_request(
            "malformed_json",
            format!("{what}, at line {} column {}", error.line(), error.column()),
        )
    })
}

/// Brackets within strings count for nothing; what is no JSON is judged by whoever reads it next.
fn is_too_deep(text: &str) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            return true;
        }
    }
    false
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let Ok(value) = value.to_str() else { return false };
    let mut parts = value.split(';').map(str::trim);
    if !parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json")) {
        return false;
    }
    parts.filter(|part| !part.is_empty()).all(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        !name.eq_ignore_ascii_case("charset") || value.trim_matches('"').eq_ignore_ascii_case("utf-8")
    })
}

/// A member that must not be printed.
#[derive(Debug)]
pub(crate) struct Secret(pub(crate) SecretString);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(SecretString::from(text)))
    }
}

/// A member that the endpoint cannot do without.
pub(crate) fn required<T>(member: Option<T>, name: &'static str) -> Result<T, Problem> {
    member.ok_or_else(|| Problem::bad_request("missing_member", format!("the member `{name}` is missing")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Login {
        #[expect(dead_code, reason = "only whether it parses is asked")]
        email: Option<String>,
        #[expect(dead_code, reason = "only whether it parses is asked")]
        password: Option<Secret>,
    }

    fn status(content_type: Option<&str>, body: &[u8]) -> u16 {
        let mut headers = HeaderMap::new();
        if let Some(value) = content_type {
            headers.insert(CONTENT_TYPE, value.parse().unwrap());
        }
        json::<Login>(&headers, body).map_or_else(|problem| problem.status().as_u16(), |_| 200)
    }

    #[test]
    fn what_is_ignored_is_not_endless_either() {
        let nested = |levels: usize, inside: &str| {
            format!("{{\"x\":{}{inside}{}}}", "[".repeat(levels), "]".repeat(levels))
        };
        for (body, expected) in [
            (nested(DEEPEST - 1, "1"), 200),
            (nested(DEEPEST, "1"), 400),
            (nested(20_000, "1"), 400),
            (nested(1, &format!("\"{}\"", "[".repeat(100))), 200),
            (nested(1, &format!("\"\\\"{}\"", "{".repeat(100))), 200),
        ] {
            assert_eq!(status(Some("application/json"), body.as_bytes()), expected, "{:.60}", body);
        }
    }

    #[test]
    fn only_json_of_the_right_shape_is_taken() {
        let good = br#"{"email":"a@b.c","password":"x","unknown":[1]}"#;
        let table: [(Option<&str>, &[u8], u16); 15] = [
            (Some("application/json"), good, 200),
            (Some("Application/JSON; charset=UTF-8"), good, 200),
            (Some("application/json; charset=\"utf-8\""), good, 200),
            (Some("application/json; charset=latin1"), good, 415),
            (Some("text/plain"), good, 415),
            (Some("application/jsonp"), good, 415),
            (Some("application/x-www-form-urlencoded"), good, 415),
            (None, good, 415),
            (Some("application/json"), b"{\"email\":\"\xff\"}", 400),
            (Some("application/json"), br#"{"email":1}"#, 400),
            (Some("application/json"), br#"{"email":"a","email":"b"}"#, 400),
            (Some("application/json"), br#"{"email":"a"} {}"#, 400),
            (Some("application/json"), br#"["a@b.c","x"]"#, 400),
            (Some("application/json"), b"{}x", 400),
            (Some("application/json"), b"", 400),
        ];
        for (content_type, body, expected) in table {
            assert_eq!(
                status(content_type, body),
                expected,
                "{content_type:?} {}",
                String::from_utf8_lossy(body)
            );
        }
    }

    #[test]
    fn a_problem_never_repeats_a_password() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, "application/json".parse().unwrap());
        let problem = json::<Login>(&headers, br#"{"email":{"password":"hunter2"}}"#).unwrap_err();
        assert!(!problem.detail().contains("hunter2"), "{}", problem.detail());
    }

    #[tokio::test]
    async fn a_body_over_the_bound_is_413_announced_or_not() {
        let large = vec![b'a'; MAXIMUM + 1];
        let mut headers = HeaderMap::new();
        assert_eq!(read(&headers, Body::from(large.clone())).await.unwrap_err().status().as_u16(), 413);
        headers.insert(CONTENT_LENGTH, (MAXIMUM + 1).into());
        assert_eq!(read(&headers, Body::empty()).await.unwrap_err().status().as_u16(), 413);
        headers.insert(CONTENT_LENGTH, MAXIMUM.into());
        assert_eq!(read(&headers, Body::from(vec![b'a'; MAXIMUM])).await.unwrap().len(), MAXIMUM);
    }
}
