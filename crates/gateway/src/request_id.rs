//! `X-Request-Id`: 128 random bits, always ours; what the client sends under that name is replaced.

use bytes::Bytes;
use http::HeaderValue;

/// 16 random bytes as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId([u8; 32]);

const HEX: &[u8; 16] = b"0123456789abcdef";

impl RequestId {
    /// From fresh random bytes.
    #[must_use]
    pub fn new(fresh: [u8; 16]) -> Self {
        let mut text = [0; 32];
        for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(fresh) {
            *pair = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
        }
        Self(text)
    }

    /// From its text; none when it is not one of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 32] = text.as_bytes().try_into().ok()?;
        bytes.iter().all(|byte| HEX.contains(byte)).then_some(Self(bytes))
    }

    /// The 32 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// As a header's value; clones of it share the memory.
    #[must_use]
    pub fn header_value(&self) -> HeaderValue {
        HeaderValue::from_maybe_shared(Bytes::copy_from_slice(&self.0))
            .unwrap_or_else(|_| HeaderValue::from_static("unknown"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_bytes_are_thirty_two_digits() {
        let id = RequestId::new([0x01, 0xaf, 0, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10]);
        assert_eq!(id.as_str(), "01af00ff000000000000000000000010");
        assert_eq!(RequestId::parse(id.as_str()), Some(id));
        assert_eq!(id.header_value(), id.as_str());
        for bad in ["", "01AF00ff000000000000000000000010", "x1af00ff000000000000000000000010", "01af"] {
            assert_eq!(RequestId::parse(bad), None);
        }
    }
}
