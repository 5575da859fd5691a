//! The credentials of a request: one `Authorization` header, or one API key while keys are being replaced.

use http::header::{AUTHORIZATION, HeaderMap, HeaderName};
use policy::Denial;

/// What the client presents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presented<'a> {
    /// Nothing.
    Nothing,
    /// A bearer token, not yet looked at.
    Token(&'a str),
    /// The value of the legacy key header.
    ApiKey(&'a str),
}

/// Reads the credentials of a request. `key_header` is the legacy header while API keys are being replaced.
///
/// # Errors
/// 400 for two credentials of whatever kind, and for an `Authorization` that is not `Bearer`, one space and a token;
/// 401 for a token that is too long to be looked at.
pub(crate) fn presented<'a>(
    headers: &'a HeaderMap,
    key_header: Option<&HeaderName>,
) -> Result<Presented<'a>, Denial> {
    let mut authorizations = headers.get_all(AUTHORIZATION).iter();
    let authorization = authorizations.next();
    if authorizations.next().is_some() {
        return Err(malformed("two Authorization headers: send one"));
    }
    let mut keys = key_header.into_iter().flat_map(|name| headers.get_all(name));
    let key = keys.next();
    if keys.next().is_some() {
        return Err(malformed("two API keys: send one"));
    }
    match (authorization, key) {
        (Some(_), Some(_)) => {
            Err(malformed("both an Authorization header and an API key: send the token alone"))
        }
        (Some(value), None) => token(value.as_bytes()).map(Presented::Token),
        // What is not text is no key of ours; an empty one neither. Both are unknown, hence 401 further on.
        (None, Some(value)) => Ok(Presented::ApiKey(value.to_str().unwrap_or_default())),
        (None, None) => Ok(Presented::Nothing),
    }
}

/// The token of an `Authorization` value.
fn token(value: &[u8]) -> Result<&str, Denial> {
    const MALFORMED: &str = "the Authorization header must be \"Bearer\", one space and the token";
    let token = policy::bearer_token(value).ok_or_else(|| malformed(MALFORMED))?;
    if token.len() > jose::MAXIMUM_TOKEN {
        return Err(Denial::InvalidToken { reason: "it is longer than 16 kB".to_owned() });
    }
    Ok(token)
}

fn malformed(reason: &str) -> Denial {
    Denial::Malformed { reason: reason.to_owned(), credentials: true }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn read(lines: &[(&'static str, &[u8])]) -> Result<String, (u16, &'static str)> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
        }
        match presented(&headers, Some(&HeaderName::from_static("api-key"))) {
            Ok(Presented::Nothing) => Ok("nothing".into()),
            Ok(Presented::Token(token)) => Ok(format!("token {token}")),
            Ok(Presented::ApiKey(key)) => Ok(format!("key {key}")),
            Err(denial) => Err((denial.status(), denial.error().unwrap_or_default())),
        }
    }

    #[test]
    fn rfc6750_2_1_bearer_one_space_one_token() {
        for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
            let value = format!("{scheme} abc.def-_~+/=");
            assert_eq!(read(&[("authorization", value.as_bytes())]), Ok("token abc.def-_~+/=".into()));
        }
        for malformed in
            [b"Bearer".as_slice(), b"Bearer ", b"Bearer  abc", b"Bearer abc\xc3\xa9", b"Basic YTpi"]
        {
            assert_eq!(
                read(&[("authorization", malformed)]),
                Err((400, "invalid_request")),
                "{:?}",
                String::from_utf8_lossy(malformed)
            );
        }
    }

    #[test]
    fn two_credentials_are_400() {
        let good: &[u8] = b"Bearer abc";
        assert_eq!(read(&[("authorization", good), ("authorization", good)]), Err((400, "invalid_request")));
        assert_eq!(read(&[("authorization", good), ("api-key", b"k")]), Err((400, "invalid_request")));
        assert_eq!(read(&[("api-key", b"k"), ("api-key", b"k")]), Err((400, "invalid_request")));
        assert_eq!(read(&[("api-key", b"k")]), Ok("key k".into()));
        assert_eq!(read(&[]), Ok("nothing".into()));
    }

    #[test]
    fn over_16_kb_is_401() {
        let fits = [b"Bearer ".as_slice(), &vec![b'a'; 16 * 1024]].concat();
        assert!(read(&[("authorization", &fits)]).is_ok());
        let over = [b"Bearer ".as_slice(), &vec![b'a'; 16 * 1024 + 1]].concat();
        assert_eq!(read(&[("authorization", &over)]), Err((401, "invalid_token")));
    }
}
