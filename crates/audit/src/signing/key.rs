//! The key that signs evidence: Ed25519, named by its thumbprint (RFC 7638).

use aws_lc_rs::encoding::{AsBigEndian as _, Curve25519SeedBin};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::SecretSlice;
use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Serialize};

/// Before the 32 bytes of a private key in PKCS#8 (RFC 8410 section 7).
const PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// A key that cannot be used. Nothing of a private one is repeated.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The private key's file.
    #[error(
        "it is no Ed25519 private key: a PKCS#8 file in PEM or DER, as `openssl genpkey -algorithm ed25519` makes it, or a \
         seed of 32 bytes or 64 hexadecimal digits"
    )]
    NoPrivateKey,
    /// The public key's file.
    #[error("it is no Ed25519 public key as `portcullis audit key` prints it, and no thumbprint")]
    NoPublicKey,
}

/// Signs reports, and nothing else.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl SigningKey {
    /// From a key file's bytes.
    ///
    /// # Errors
    /// They are no Ed25519 private key.
    pub fn parse(file: &[u8]) -> Result<Self, KeyError> {
        if let Ok(pem) = PrivatePkcs8KeyDer::from_pem_slice(file) {
            return Self::from_pkcs8(pem.secret_pkcs8_der());
        }
        if let Ok(seed) = <&[u8; 32]>::try_from(file) {
            return Self::from_seed(seed);
        }
        let text = file.trim_ascii();
        if text.len() == 64 && text.iter().all(u8::is_ascii_hexdigit) {
            let mut seed = Zeroizing::new([0; 32]);
            for (byte, pair) in seed.iter_mut().zip(text.chunks_exact(2)) {
                let digits = std::str::from_utf8(pair).map_err(|_| KeyError::NoPrivateKey)?;
                *byte = u8::from_str_radix(digits, 16).map_err(|_| KeyError::NoPrivateKey)?;
            }
            return Self::from_seed(&seed);
        }
        Self::from_pkcs8(file)
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        // OpenSSL leaves the public half out, which is then computed.
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(|_| KeyError::NoPrivateKey)?;
        Self::of(pair)
    }

    /// From the 32 secret bytes.
    ///
    /// # Errors
    /// Never, for 32 bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, KeyError> {
        Self::of(Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::NoPrivateKey)?)
    }

    fn of(pair: Ed25519KeyPair) -> Result<Self, KeyError> {
        let public = pair.public_key().as_ref().try_into().map_err(|_| KeyError::NoPrivateKey)?;
        Ok(Self { pair, public: PublicKey(public) })
    }

    /// The file of a new key with these secret bytes: PKCS#8 in PEM, which OpenSSL reads too.
    #[must_use]
    pub(crate) fn file(seed: &[u8; 32]) -> Zeroizing<String> {
        let mut der = Zeroizing::new(PKCS8.to_vec());
        der.extend_from_slice(seed);
        let text = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(&*der));
        Zeroizing::new(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", *text))
    }

    /// The secret bytes: in base64 they stand in every PEM of the key.
    #[must_use]
    pub fn seed(&self) -> Option<SecretSlice<u8>> {
        let seed: Curve25519SeedBin<'_> = self.pair.seed().ok()?.as_be_bytes().ok()?;
        Some(seed.as_ref().to_vec().into())
    }

    /// Its public half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

/// What a verifier holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

/// As a JWK (RFC 8037 section 2). A `d` beside the rest would be the private key, and is refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PublicJwk {
    crv: String,
    kty: String,
    x: String,
}

impl PublicKey {
    pub(super) fn of(jwk: &PublicJwk) -> Result<Self, KeyError> {
        if jwk.kty != "OKP" || jwk.crv != "Ed25519" {
            return Err(KeyError::NoPublicKey);
        }
        let bytes = URL_SAFE_NO_PAD.decode(&jwk.x).map_err(|_| KeyError::NoPublicKey)?;
        Ok(Self(bytes.try_into().map_err(|_| KeyError::NoPublicKey)?))
    }

    pub(super) fn jwk(&self) -> PublicJwk {
        PublicJwk { crv: "Ed25519".into(), kty: "OKP".into(), x: URL_SAFE_NO_PAD.encode(self.0) }
    }

    /// The JWK on one line.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string(&self.jwk()).unwrap_or_default()
    }

    /// Its name: the SHA-256 of the required members in their order (RFC 7638 section 3, RFC 8037 section 2).
    #[must_use]
    pub fn thumbprint(&self) -> String {
        // The fields of the JWK are just these, and stand in the order of the alphabet.
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, self.json().as_bytes());
        URL_SAFE_NO_PAD.encode(digest)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).is_ok()
    }
}

/// The key that somebody trusts: whole, or by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin(String);

impl Pin {
    /// A thumbprint, or what `portcullis audit key` printed.
    ///
    /// # Errors
    /// Neither.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        if text.starts_with('{') {
            let jwk: PublicJwk = serde_json::from_str(text).map_err(|_| KeyError::NoPublicKey)?;
            return Ok(Self(PublicKey::of(&jwk)?.thumbprint()));
        }
        let digest = URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyError::NoPublicKey)?;
        if digest.len() == 32 { Ok(Self(text.to_owned())) } else { Err(KeyError::NoPublicKey) }
    }

    /// Whether it is this key.
    #[must_use]
    pub fn is(&self, key: &PublicKey) -> bool {
        self.0 == key.thumbprint()
    }

    /// The thumbprint.
    #[must_use]
    pub fn thumbprint(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 8037 appendix A.
    const SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn seed() -> [u8; 32] {
        URL_SAFE_NO_PAD.decode(SEED).unwrap().try_into().unwrap()
    }

    #[test]
    fn rfc8037_appendix_a_3_the_thumbprint() {
        let key = SigningKey::from_seed(&seed()).unwrap();
        assert_eq!(key.public().jwk().x, X);
        assert_eq!(key.public().thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn rfc8037_appendix_a_4_and_a_5_the_signature() {
        let key = SigningKey::from_seed(&seed()).unwrap();
        let signed = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature =
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        assert_eq!(URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes())), signature);
        assert!(key.public().verifies(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()));
    }

    #[test]
    fn every_form_of_a_private_key_is_the_same_key() {
        let hex: String = seed().iter().map(|byte| format!("{byte:02x}")).collect();
        let der: Vec<u8> = PKCS8.into_iter().chain(seed()).collect();
        for form in [
            SigningKey::file(&seed()).as_bytes(),
            &der,
            &seed(),
            hex.as_bytes(),
            format!("{hex}\n").as_bytes(),
        ] {
            assert_eq!(SigningKey::parse(form).unwrap().public().jwk().x, X);
        }
        for bad in [
            &b""[..],
            b"short",
            &[b'g'; 64],
            b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n",
        ] {
            assert_eq!(SigningKey::parse(bad).err(), Some(KeyError::NoPrivateKey));
        }
    }

    #[test]
    fn a_pin_is_a_key_or_its_name() {
        let key = SigningKey::from_seed(&seed()).unwrap();
        for text in [key.public().json(), format!("{}\n", key.public().json()), key.public().thumbprint()] {
            assert!(Pin::parse(&text).unwrap().is(key.public()), "{text}");
        }
        let private = key.public().json().replace('{', &format!("{{\"d\":\"{SEED}\","));
        for text in [&private, "", "AAAA", "{}", "not base64!"] {
            assert_eq!(Pin::parse(text), Err(KeyError::NoPublicKey), "{text}");
        }
    }
}
