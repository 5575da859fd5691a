//! The signature algorithms of this house (RFC 7518 section 3.1, RFC 8037 section 3.1).

use std::fmt;

/// A signature algorithm. The list is closed: what is not here cannot be asked for, `none` and HMAC least of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256, MGF1 with SHA-256, salt of 32 bytes.
    Ps256,
    /// RSASSA-PSS with SHA-384, MGF1 with SHA-384, salt of 48 bytes.
    Ps384,
    /// RSASSA-PSS with SHA-512, MGF1 with SHA-512, salt of 64 bytes.
    Ps512,
    /// ECDSA on P-256 with SHA-256; `r || s`, 64 bytes.
    Es256,
    /// ECDSA on P-384 with SHA-384; `r || s`, 96 bytes.
    Es384,
    /// ECDSA on P-521 with SHA-512; `r || s`, 132 bytes.
    Es512,
    /// Ed25519. Written `EdDSA` (RFC 8037); `Ed25519` (RFC 9864) is read too. Ed448 is not known.
    EdDsa,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
    ];

    /// Reads an `alg` value. Case matters (RFC 7515 section 4.1.1): `rs256` is nobody's algorithm.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "ES512" => Self::Es512,
            "EdDSA" | "Ed25519" => Self::EdDsa,
            _ => return None,
        })
    }

    /// Its registered name, as `alg` wants it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Whether a key labelled with `self` may verify a token that says `token`.
    ///
    /// One key, one algorithm (RFC 8725 section 3.1), with one exception: RSASSA-PSS with a *longer* hash than
    /// the label's. RFC 7520 section 4.2 signs PS384 and Wycheproof (346, 350) labels that key PS256 and calls
    /// the token valid. Only the key's owner can make such a signature and nothing gets weaker; a shorter hash,
    /// or the other padding, is refused (Wycheproof 331 to 340).
    pub(crate) fn permits(self, token: Self) -> bool {
        self == token
            || matches!((self, token), (Self::Ps256, Self::Ps384 | Self::Ps512) | (Self::Ps384, Self::Ps512))
    }

    /// Whether the key is an RSA key.
    pub(crate) const fn is_rsa(self) -> bool {
        self.is_pss() || matches!(self, Self::Rs256 | Self::Rs384 | Self::Rs512)
    }

    /// Whether the padding is PSS.
    pub(crate) const fn is_pss(self) -> bool {
        matches!(self, Self::Ps256 | Self::Ps384 | Self::Ps512)
    }

    /// Length of a signature in bytes where the algorithm alone says it; RSA's is that of the modulus.
    pub(crate) const fn signature_length(self) -> Option<usize> {
        match self {
            Self::Es256 | Self::EdDsa => Some(64),
            Self::Es384 => Some(96),
            Self::Es512 => Some(132),
            _ => None,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_out_and_come_back() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::parse(algorithm.as_str()), Some(algorithm));
            assert_eq!(algorithm.to_string(), algorithm.as_str());
        }
    }

    #[test]
    fn what_is_not_listed_is_not_known() {
        let names = [
            "", "none", "None", "NONE", "nOnE", "HS256", "HS384", "HS512", "rs256", "RS256 ", "RS1",
            "ES256K", "Ed448", "RSA-OAEP", "dir", "ES521",
        ];
        for name in names {
            assert_eq!(Algorithm::parse(name), None, "{name:?}");
        }
    }

    #[test]
    fn a_label_permits_itself_and_the_longer_hash_of_pss_alone() {
        let mut beyond = Vec::new();
        for label in Algorithm::ALL {
            for token in Algorithm::ALL {
                if label != token && label.permits(token) {
                    beyond.push((label.as_str(), token.as_str()));
                }
            }
            assert!(label.permits(label));
        }
        assert_eq!(beyond, [("PS256", "PS384"), ("PS256", "PS512"), ("PS384", "PS512")]);
    }
}
