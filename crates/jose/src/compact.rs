//! The compact serialisation (RFC 7515 section 7.1) and its header (section 4.1), before any key is looked at.
//!
//! The length is checked before anything is decoded, the encoding before anything is read as JSON.

use std::ops::Range;

use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::json::{self, JsonError};

/// Longest token in bytes, as text: 16 KiB.
pub const MAXIMUM_TOKEN: usize = 16 * 1024;

/// What the header says that matters. `jwk`, `jku`, `x5u`, `x5c` and `x5t` are not kept: a token does not choose
/// its own judge (RFC 8725 section 3.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The algorithm, one that is known here.
    pub alg: Algorithm,
    /// The name of the key, for a look-up and nothing else.
    pub kid: Option<String>,
    /// What kind of token this says it is.
    pub typ: Option<String>,
}

/// The three parts of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Part {
    /// The first.
    #[error("header")]
    Header,
    /// The second.
    #[error("payload")]
    Payload,
    /// The third.
    #[error("signature")]
    Signature,
}

/// Why a text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CompactError {
    /// Longer than [`MAXIMUM_TOKEN`].
    #[error("the token is longer than {MAXIMUM_TOKEN} bytes")]
    TooLong,
    /// Not `header.payload.signature`.
    #[error("the token does not have exactly three parts")]
    NotThreeParts,
    /// A part is not strict base64url: padding, foreign characters, or trailing bits that are not zero.
    #[error("the token's {0} is not base64url in its one spelling")]
    Encoding(Part),
    /// The header is not strict JSON.
    #[error("the token's header: {0}")]
    Header(#[from] JsonError),
    /// `alg`, `kid` or `typ` is no string.
    #[error("the header's `{0}` is not a string")]
    NotText(&'static str),
    /// There is no `alg`.
    #[error("the header has no `alg`")]
    NoAlgorithm,
    /// `alg` is none of ours: `none`, an HMAC, or anything else.
    #[error("the header's `alg` is not one of the known signature algorithms")]
    UnknownAlgorithm,
    /// `crit` demands an extension, and none is understood here (RFC 7515 section 4.1.11).
    #[error("the header has `crit`, and no critical extension is understood")]
    Critical,
    /// `b64` speaks of an unencoded payload (RFC 7797).
    #[error("the header has `b64`, and unencoded payloads are not taken")]
    UnencodedPayload,
    /// `zip` speaks of compression.
    #[error("the header has `zip`, and compressed tokens are not taken")]
    Compressed,
}

/// A token taken apart. Nothing of it is proven.
#[derive(Debug)]
pub struct Compact<'t> {
    header: Header,
    signing_input: &'t str,
    decoded: Vec<u8>,
    payload: Range<usize>,
}

impl<'t> Compact<'t> {
    /// Takes a token apart, strictly.
    ///
    /// # Errors
    /// [`CompactError`], the first that applies.
    pub fn parse(token: &'t str) -> Result<Self, CompactError> {
        if token.len() > MAXIMUM_TOKEN {
            return Err(CompactError::TooLong);
        }
        let (header, rest) = token.split_once('.').ok_or(CompactError::NotThreeParts)?;
        let (payload, signature) = rest.split_once('.').ok_or(CompactError::NotThreeParts)?;
        if signature.contains('.') {
            return Err(CompactError::NotThreeParts);
        }
        // One allocation for the three of them.
        let mut decoded = Vec::with_capacity(token.len() / 4 * 3 + 3);
        base64url::decode_into(header, &mut decoded).ok_or(CompactError::Encoding(Part::Header))?;
        let start = decoded.len();
        base64url::decode_into(payload, &mut decoded).ok_or(CompactError::Encoding(Part::Payload))?;
        let end = decoded.len();
        base64url::decode_into(signature, &mut decoded).ok_or(CompactError::Encoding(Part::Signature))?;
        let header = Header::parse(decoded.get(..start).unwrap_or_default())?;
        let signing_input = token.get(..token.len() - signature.len() - 1).unwrap_or_default();
        Ok(Self { header, signing_input, decoded, payload: start..end })
    }

    /// Its header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What is signed: the first two parts and the dot between them (RFC 7515 section 5.2, step 8).
    pub fn signing_input(&self) -> &'t str {
        self.signing_input
    }

    /// The payload's bytes, unproven.
    pub fn payload(&self) -> &[u8] {
        self.decoded.get(self.payload.clone()).unwrap_or_default()
    }

    /// The signature's bytes.
    pub fn signature(&self) -> &[u8] {
        self.decoded.get(self.payload.end..).unwrap_or_default()
    }

    /// Gives up the header and the payload's bytes.
    pub(crate) fn into_parts(mut self) -> (Header, Vec<u8>) {
        self.decoded.truncate(self.payload.end);
        self.decoded.drain(..self.payload.start);
        (self.header, self.decoded)
    }

    /// Gives up the header alone.
    pub(crate) fn into_header(self) -> Header {
        self.header
    }
}

impl Header {
    fn parse(json: &[u8]) -> Result<Self, CompactError> {
        let (mut alg, mut kid, mut typ) = (None, None, None);
        json::members(json, |name, value| {
            match name {
                "alg" => {
                    alg = Some(Algorithm::parse(&text(value, "alg")?).ok_or(CompactError::UnknownAlgorithm)?)
                }
                "kid" => kid = Some(text(value, "kid")?),
                "typ" => typ = Some(text(value, "typ")?),
                "crit" => return Err(CompactError::Critical),
                "b64" => return Err(CompactError::UnencodedPayload),
                "zip" => return Err(CompactError::Compressed),
                _ => {}
            }
            Ok(())
        })?;
        Ok(Self { alg: alg.ok_or(CompactError::NoAlgorithm)?, kid, typ })
    }
}

fn text(value: Value, name: &'static str) -> Result<String, CompactError> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(CompactError::NotText(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // {"alg":"ES256","kid":"k","typ":"JWT"} . {"a":1} . 0xff 0xef
    const TOKEN: &str = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsiLCJ0eXAiOiJKV1QifQ.eyJhIjoxfQ._-8"; // portcullis:allow no signature

    #[test]
    fn a_token_comes_apart() {
        let compact = Compact::parse(TOKEN).unwrap();
        let header = Header { alg: Algorithm::Es256, kid: Some("k".to_owned()), typ: Some("JWT".to_owned()) };
        assert_eq!(compact.header(), &header);
        assert_eq!(compact.signing_input(), TOKEN.strip_suffix("._-8").unwrap());
        assert_eq!(compact.payload(), b"{\"a\":1}");
        assert_eq!(compact.signature(), [0xff, 0xef]);
        assert_eq!(compact.into_parts(), (header, b"{\"a\":1}".to_vec()));
    }

    #[test]
    fn parts_may_be_empty_here_and_fail_later() {
        let header = TOKEN.split('.').next().unwrap();
        let compact = format!("{header}..");
        let compact = Compact::parse(&compact).unwrap();
        assert!(compact.payload().is_empty() && compact.signature().is_empty());
        assert_eq!(compact.signing_input(), format!("{header}."));
        assert_eq!(compact.into_parts().1, b"");
    }

    #[test]
    fn the_length_is_looked_at_before_anything_else() {
        assert_eq!(Compact::parse(&".".repeat(MAXIMUM_TOKEN + 1)).unwrap_err(), CompactError::TooLong);
        assert_eq!(Compact::parse(&".".repeat(MAXIMUM_TOKEN)).unwrap_err(), CompactError::NotThreeParts);
    }
}
