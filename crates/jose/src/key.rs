//! A public key, parsed once and then used for every token (RFC 7517; strength by RFC 7518, NIST SP 800-57).

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
    RsaPublicKeyComponents,
};
use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::jwk::{Jwk, Material};
use crate::rsa_weakness;

/// How strong a key must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPolicy {
    /// Least length of an RSA modulus in bits. Whatever stands here, nothing under 2048 or over 8192 is taken.
    pub minimum_rsa_bits: usize,
}

impl KeyPolicy {
    /// For keys of our own: 128 bits of security (NIST SP 800-57 part 1, table 2; ASVS 5 11.2.3).
    pub const OWN: Self = Self { minimum_rsa_bits: 3072 };
    /// For the keys of foreign issuers: RFC 7518 section 3.3.
    pub const FOREIGN: Self = Self { minimum_rsa_bits: 2048 };
}

/// Least and greatest modulus under any policy, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Why a key is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The value is no JSON object.
    #[error("the key is not a JSON object")]
    NotAnObject,
    /// A member that the key needs is missing.
    #[error("the key has no `{0}`")]
    Missing(&'static str),
    /// A member is of the wrong type, not strict base64url, of the wrong length, or says a thing twice.
    #[error("the key's `{0}` is malformed")]
    Malformed(&'static str),
    /// A private member stands in what should be a public key.
    #[error("the key shows the private member `{0}`: its owner must replace it")]
    Private(&'static str),
    /// `kty` is `oct`: who can verify with it can also sign.
    #[error("the key is symmetric, and no symmetric key is ever used here")]
    Symmetric,
    /// A `kty` that is not known here.
    #[error("the key's type is not known (RSA, EC and OKP are)")]
    UnknownType,
    /// A curve that is not known here.
    #[error("the key's curve is not known (P-256, P-384, P-521 and Ed25519 are)")]
    UnknownCurve,
    /// An `alg` that is not known here.
    #[error("the key's `alg` is not one of the known signature algorithms")]
    UnknownAlgorithm,
    /// `use` or `key_ops` speak of something else than verifying signatures.
    #[error("the key is not for verifying signatures (`use`, `key_ops`)")]
    NotForVerifying,
    /// `kty`, `crv` and `alg` contradict each other.
    #[error("the key's `alg` does not fit its type or curve")]
    AlgorithmMismatch,
    /// The modulus is too short.
    #[error("the RSA key has {bits} bits, at least {minimum} are needed")]
    RsaTooSmall {
        /// Length of the modulus.
        bits: usize,
        /// Length that is needed.
        minimum: usize,
    },
    /// The modulus is so long that verifying would be a burden.
    #[error("the RSA key has {0} bits, more than 8192")]
    RsaTooLarge(usize),
    /// The public exponent is even, one, or over 33 bits.
    #[error("the RSA key's exponent is even, one, or longer than 33 bits")]
    RsaExponent,
    /// The modulus is even or has a small factor.
    #[error("the RSA key's modulus has a small factor")]
    RsaModulus,
    /// The modulus has the fingerprint of CVE-2017-15361.
    #[error("the RSA key has the fingerprint of ROCA (CVE-2017-15361)")]
    Roca,
    /// The point is not on its curve, or one of the few that make forging easy.
    #[error("the key's point is not on its curve, or of small order")]
    Point,
}

impl KeyError {
    /// Whether the key is simply not ours to use. RFC 7517 section 5 wants such keys of a set ignored;
    /// everything else here is a key that should not exist.
    pub fn is_not_ours(&self) -> bool {
        matches!(
            self,
            Self::UnknownType | Self::UnknownCurve | Self::UnknownAlgorithm | Self::NotForVerifying
        )
    }
}

/// A public key that may verify signatures of one algorithm.
#[derive(Clone)]
pub struct PublicKey {
    kid: Option<String>,
    algorithm: Algorithm,
    material: Material,
    signature_length: usize,
    parsed: ParsedPublicKey,
    /// RSASSA-PSS alone: the longer hashes that the label permits (see [`Algorithm::permits`]).
    longer: Vec<(Algorithm, ParsedPublicKey)>,
}

impl PublicKey {
    /// Reads a JWK, checks that its members agree and that it is strong enough, and parses it.
    ///
    /// # Errors
    /// [`KeyError`]; a private or symmetric key is refused.
    pub fn from_jwk(jwk: &Value, policy: &KeyPolicy) -> Result<Self, KeyError> {
        let Jwk { kid, algorithm, material } = Jwk::read(jwk)?;
        Self::new(kid, algorithm, material, policy)
    }

    pub(crate) fn new(
        kid: Option<String>,
        algorithm: Algorithm,
        material: Material,
        policy: &KeyPolicy,
    ) -> Result<Self, KeyError> {
        if !material.agrees_with(algorithm) {
            return Err(KeyError::AlgorithmMismatch);
        }
        if let Material::Rsa { n, e } = &material {
            check_rsa(n, e, policy)?;
        }
        let parsed = parse(&material, algorithm)?;
        let longer = Algorithm::ALL
            .into_iter()
            .filter(|&other| other != algorithm && algorithm.permits(other))
            .map(|other| Ok((other, parse(&material, other)?)))
            .collect::<Result<_, KeyError>>()?;
        let signature_length = match &material {
            Material::Rsa { n, .. } => n.len(),
            _ => algorithm.signature_length().ok_or(KeyError::AlgorithmMismatch)?,
        };
        Ok(Self { kid, algorithm, material, signature_length, parsed, longer })
    }

    /// Its name, where it has one.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether `signature` is this key's for `message`, by its own algorithm.
    ///
    /// The length is ours to check (RFC 7518 sections 3.3 to 3.5); that aws-lc checks it too is its own business.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        signature.len() == self.signature_length && self.parsed.verify_sig(message, signature).is_ok()
    }

    /// The same for the algorithm that a token names; `false` where the key does not permit it.
    pub(crate) fn verify_as(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        if algorithm == self.algorithm {
            return self.verify(message, signature);
        }
        let parsed = self.longer.iter().find(|(other, _)| *other == algorithm);
        parsed.is_some_and(|(_, parsed)| {
            signature.len() == self.signature_length && parsed.verify_sig(message, signature).is_ok()
        })
    }

    /// Length of a signature in bytes.
    pub(crate) fn signature_length(&self) -> usize {
        self.signature_length
    }

    /// As it is published: public members alone, with `use`, `alg` and `kid`.
    pub fn to_jwk(&self) -> Value {
        self.material.to_jwk(self.kid(), self.algorithm)
    }

    /// RFC 7638, SHA-256, base64url.
    pub fn thumbprint(&self) -> String {
        self.material.thumbprint()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

fn check_rsa(n: &[u8], e: &[u8], policy: &KeyPolicy) -> Result<(), KeyError> {
    let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
    let minimum = policy.minimum_rsa_bits.max(*RSA_BITS.start());
    if bits < minimum {
        return Err(KeyError::RsaTooSmall { bits, minimum });
    }
    if bits > *RSA_BITS.end() {
        return Err(KeyError::RsaTooLarge(bits));
    }
    let exponent = e.iter().fold(0_u64, |value, &byte| (value << 8) | u64::from(byte));
    if e.len() > 5 || exponent < 3 || exponent % 2 == 0 || exponent >> 33 != 0 {
        return Err(KeyError::RsaExponent);
    }
    if n.last().is_none_or(|last| last % 2 == 0) || rsa_weakness::has_small_factor(n) {
        return Err(KeyError::RsaModulus);
    }
    if rsa_weakness::has_roca_fingerprint(n) {
        return Err(KeyError::Roca);
    }
    Ok(())
}

fn parse(material: &Material, algorithm: Algorithm) -> Result<ParsedPublicKey, KeyError> {
    match material {
        Material::Rsa { n, e } => {
            let parameters: &'static RsaParameters = match algorithm {
                Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
                Algorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
                Algorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
                Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
                Algorithm::Ps384 => &RSA_PSS_2048_8192_SHA384,
                Algorithm::Ps512 => &RSA_PSS_2048_8192_SHA512,
                _ => return Err(KeyError::AlgorithmMismatch),
            };
            RsaPublicKeyComponents { n, e }
                .to_parsed_public_key(parameters)
                .map_err(|_| KeyError::Malformed("n"))
        }
        Material::Ec { curve, x, y } => {
            let mut point = Vec::with_capacity(1 + 2 * curve.coordinate());
            point.push(0x04);
            point.extend_from_slice(x);
            point.extend_from_slice(y);
            match algorithm {
                Algorithm::Es256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point),
                Algorithm::Es384 => ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point),
                Algorithm::Es512 => ParsedPublicKey::new(&ECDSA_P521_SHA512_FIXED, point),
                _ => return Err(KeyError::AlgorithmMismatch),
            }
            .map_err(|_| KeyError::Point)
        }
        Material::Ed25519 { x } => {
            if is_of_small_order(x) {
                return Err(KeyError::Point);
            }
            ParsedPublicKey::new(&ED25519, x).map_err(|_| KeyError::Point)
        }
    }
}

/// The y coordinates (little endian) of Ed25519's points of order 1, 2, 4 and 8, and the two that are written
/// unreduced. A signature that one such key accepts can be made by anybody.
const SMALL_ORDER: [[u8; 32]; 7] = [
    y(0x00, 0x00, 0x00),
    y(0x01, 0x00, 0x00),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
        0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    y(0xec, 0xff, 0x7f),
    y(0xed, 0xff, 0x7f),
    y(0xee, 0xff, 0x7f),
];

const fn y(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut bytes = [middle; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}

fn is_of_small_order(point: &[u8]) -> bool {
    let Ok(mut point) = <[u8; 32]>::try_from(point) else { return true };
    // The top bit is the sign of x.
    point[31] &= 0x7f;
    SMALL_ORDER.contains(&point)
}
