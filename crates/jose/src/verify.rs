//! The check, and the one type that proves it was made (RFC 7515 section 5.2).

use std::fmt;
use std::ops::Deref;

use crate::claims::Claims;
use crate::compact::{Compact, CompactError, Header};
use crate::judgement::ClaimError;
use crate::key_set::KeySet;

/// Something whose signature was proven. Only this module can make one.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// The thing itself; what is done with it from now on is its holder's business.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// A proven token whose payload may be anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// Its header.
    pub header: Header,
    /// Its payload.
    pub bytes: Vec<u8>,
}

/// A proven JWT.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// Its header.
    pub header: Header,
    /// Its claims, not judged yet: see [`crate::judge`].
    pub claims: Claims,
}

/// Why a token is not good. The text is for logs; it shows of the token its `kid` alone, cut and escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// No token at all.
    #[error(transparent)]
    Malformed(#[from] CompactError),
    /// The set has no such key; a fresher set may.
    #[error("no key {} is known", Shown(.kid.as_deref()))]
    UnknownKey {
        /// What the token asked for.
        kid: Option<String>,
    },
    /// The token names no key, and several would fit.
    #[error("the token names no key and several would fit")]
    AmbiguousKey,
    /// The key that the token names is for another algorithm.
    #[error("the token's algorithm is not that of its key")]
    AlgorithmMismatch,
    /// The signature is not that key's.
    #[error("the signature does not fit")]
    BadSignature,
    /// The signature is good, the claims are not.
    #[error(transparent)]
    Claims(#[from] ClaimError),
}

/// Characters of a `kid` that a log shows.
const SHOWN: usize = 64;

struct Shown<'a>(Option<&'a str>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("of that algorithm"),
            Some(kid) => {
                let shown: String = kid.chars().take(SHOWN).collect();
                let more = if shown.len() < kid.len() { "…" } else { "" };
                write!(f, "{shown:?}{more}")
            }
        }
    }
}

/// Proves the signature of a token.
///
/// # Errors
/// [`VerifyError`], the first that applies; never its `Claims`.
pub fn verify(token: &str, keys: &KeySet) -> Result<Verified<Payload>, VerifyError> {
    let compact = Compact::parse(token)?;
    check(&compact, keys)?;
    let (header, bytes) = compact.into_parts();
    Ok(Verified(Payload { header, bytes }))
}

/// Proves the signature of a JWT, then reads its claims.
///
/// # Errors
/// [`VerifyError`], the first that applies; of its `Claims` only what parsing can find.
pub fn verify_claims(token: &str, keys: &KeySet) -> Result<Verified<Token>, VerifyError> {
    let compact = Compact::parse(token)?;
    check(&compact, keys)?;
    let claims = Claims::parse(compact.payload())?;
    Ok(Verified(Token { header: compact.into_header(), claims }))
}

fn check(compact: &Compact<'_>, keys: &KeySet) -> Result<(), VerifyError> {
    let header = compact.header();
    let key = keys.select(header.kid.as_deref(), header.alg)?;
    if key.verify_as(header.alg, compact.signing_input().as_bytes(), compact.signature()) {
        Ok(())
    } else {
        Err(VerifyError::BadSignature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_shows_a_kid_cut_and_escaped() {
        let text = |kid: Option<&str>| VerifyError::UnknownKey { kid: kid.map(str::to_owned) }.to_string();
        assert_eq!(text(None), "no key of that algorithm is known");
        assert_eq!(text(Some("2026-11")), "no key \"2026-11\" is known");
        assert_eq!(text(Some("a\r\nb\u{1b}[31m")), r#"no key "a\r\nb\u{1b}[31m" is known"#);
        assert_eq!(text(Some(&"k".repeat(65))), format!("no key {:?}… is known", "k".repeat(64)));
    }
}
