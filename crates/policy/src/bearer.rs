//! The value of an `Authorization` header: RFC 6750 section 2.1, and nothing besides. The gateway and the issuer's own
//! endpoints read it here.

/// The token of an `Authorization` value: `Bearer` in any case, one space, a token. None for anything else: that header
/// is malformed. How long a token may be is the asker's business.
///
/// Padding (`=`) may stand anywhere but at the beginning: where it should not, the token is bad rather than the header.
#[must_use]
pub fn bearer_token(value: &[u8]) -> Option<&str> {
    let (scheme, token) = value.split_at_checked(7)?;
    let begins = token.first().is_some_and(|byte| *byte != b'=');
    if !begins || !scheme.eq_ignore_ascii_case(b"bearer ") || !token.iter().all(|byte| in_token(*byte)) {
        return None;
    }
    std::str::from_utf8(token).ok()
}

/// The characters of `b64token` (RFC 6750 section 2.1).
fn in_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc6750_2_1_bearer_one_space_one_token() {
        for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
            for token in ["a.b.c", "abc.def-_~+/=", "YQ==", "a=.b=.c"] {
                let value = format!("{scheme} {token}");
                assert_eq!(bearer_token(value.as_bytes()), Some(token), "{value}");
            }
        }
        let malformed: &[&[u8]] = &[
            b"",
            b"Bearer",
            b"Bearer ",
            b"Bearer  abc",
            b"Bearer\tabc",
            b"Bearer abc def",
            b"Bearer abc ",
            b"Bearer abc\t",
            b"Bearer abc,def",
            b"Bearer \"abc\"",
            b"Bearer abc\xc3\xa9",
            b"Bearer abc\xff",
            b"Bearer =",
            b"Bearer =abc",
            b"Bearerabc",
            b"Bearer:abc",
            b" Bearer abc",
            b"Basic YTpi",
            b"DPoP abc",
            b"Token abc",
            b"abc.def.ghi",
        ];
        for value in malformed {
            assert_eq!(bearer_token(value), None, "{:?}", String::from_utf8_lossy(value));
        }
    }
}
