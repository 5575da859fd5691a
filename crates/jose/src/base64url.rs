//! base64url without padding (RFC 7515 section 2), strict: one text for one byte string, so that a signature
//! cannot be spelt twice. Padding, `+`, `/`, white space and non-zero trailing bits are refused.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Decodes onto the end of `out`; `None` when `text` is not the one spelling of some bytes.
pub(crate) fn decode_into(text: &str, out: &mut Vec<u8>) -> Option<()> {
    URL_SAFE_NO_PAD.decode_vec(text, out).ok()
}

/// Decodes into a vector of its own.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Encodes onto the end of `out`.
pub(crate) fn encode_into(bytes: &[u8], out: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, out);
}

/// Encodes into a text of its own.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_for_each_byte_string() {
        assert_eq!(decode("").as_deref(), Some(&b""[..]));
        assert_eq!(decode("YQ").as_deref(), Some(&b"a"[..]));
        assert_eq!(decode("_-8").as_deref(), Some(&[0xff, 0xef][..]));
        for bad in ["YQ==", "YQ=", "YR", "Y", "/+8", "Y Q", "YQ\n", " YQ", "YQ\0", "Ä", "YWJ="] {
            assert_eq!(decode(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn encoding_comes_back() {
        for length in 0..70_u8 {
            let bytes: Vec<u8> = (0..length).map(|i| i.wrapping_mul(37)).collect();
            assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }
    }
}
