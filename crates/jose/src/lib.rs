//! JWS, JWK and JWT in the compact form: strict, closed over known algorithms, keys parsed once.
//!
//! | document | section | where |
//! |---|---|---|
//! | RFC 7515 JWS | 2, 3.1, 4.1, 5.2, 7.1, 10.12 | [`compact`], [`verify()`], [`sign()`] |
//! | RFC 7517 JWK | 4, 5 | [`PublicKey`], [`KeySet`] |
//! | RFC 7518 JWA | 3.3, 3.4, 3.5, 6.2, 6.3 | [`Algorithm`], [`PublicKey`], [`PrivateKey`] |
//! | RFC 7519 JWT | 4.1, 7.2 | [`Claims`], [`judge`] |
//! | RFC 7638 thumbprint | 3 | [`thumbprint`] |
//! | RFC 8037 Ed25519 | 2, 3.1 | [`Algorithm::EdDsa`] |
//! | RFC 8725 best practices | 3 | all of it; `tests/rfc8725.rs` goes through it |
//! | RFC 9068 access tokens | 2.1, 2.2, 4 | [`judge`] with [`TypRule::Rfc9068`] |
//!
//! A token goes `bounds → encoding → header → key → signature → claims → judgement`, and every step may only
//! refuse. What a [`Verified`] holds has passed all up to the signature; the only code that can make one stands
//! beside that check.
//!
//! Nothing here reads a clock, a file or the network: `now` is an argument, in Unix seconds. The one exception
//! in the court is inside aws-lc-rs, which draws its own randomness when it signs (PSS salts, ECDSA nonces).
//!
//! Not here on purpose: `none`, HMAC (a verifier's key that can also sign has no place in a gateway), JWE,
//! JSON serialisation, unencoded payloads (`b64`), compression (`zip`) and every `crit` extension.

pub mod algorithm;
mod base64url;
pub mod claims;
pub mod compact;
mod json;
pub mod judgement;
mod jwk;
pub mod key;
pub mod key_set;
mod rsa_weakness;
pub mod sign;
pub mod verify;

pub use algorithm::Algorithm;
pub use claims::{Claims, NumericDate};
pub use compact::{Compact, CompactError, Header, MAXIMUM_TOKEN, Part};
pub use json::{JsonError, MAXIMUM_NESTING};
pub use judgement::{ClaimError, Expectations, LEEWAY, TypRule, judge};
pub use jwk::thumbprint;
pub use key::{KeyError, KeyPolicy, PublicKey};
pub use key_set::{KeySet, KeySetError, MAXIMUM_KEYS, SetAside};
pub use sign::{PrivateKey, SignError, sign};
pub use verify::{Payload, Token, Verified, VerifyError, verify, verify_claims};
