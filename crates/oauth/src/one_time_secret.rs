//! Secrets of high entropy that are shown once and stored as a digest: client secrets, refresh tokens.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};

/// SHA-256 of a secret: what is stored. A slow hash would add nothing to 256 random bits.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Hashes what was presented.
    #[must_use]
    pub fn of(secret: &str) -> Self {
        let mut out = [0; 32];
        out.copy_from_slice(digest(&SHA256, secret.as_bytes()).as_ref());
        Self(out)
    }

    /// Takes a digest that was stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl TryFrom<&[u8]> for Digest {
    type Error = std::array::TryFromSliceError;
    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        Ok(Self(bytes.try_into()?))
    }
}

/// Takes the same time wherever the two differ.
impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for Digest {}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

/// A secret on its way to its owner. The plain text leaves once, with [`reveal`](Self::reveal); the digest stays.
pub struct OneTimeSecret {
    plain: SecretString,
    digest: Digest,
}

impl OneTimeSecret {
    /// Makes a secret of 32 fresh random bytes: 43 characters of base64url.
    #[must_use]
    pub fn new(fresh: [u8; 32]) -> Self {
        let plain = SecretString::from(URL_SAFE_NO_PAD.encode(fresh));
        let digest = Digest::of(plain.expose_secret());
        Self { plain, digest }
    }

    /// What is stored.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Gives the plain text away.
    #[must_use]
    pub fn reveal(self) -> SecretString {
        self.plain
    }
}

impl fmt::Debug for OneTimeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneTimeSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_what_was_revealed_is_what_was_stored() {
        let secret = OneTimeSecret::new([9; 32]);
        let stored = secret.digest();
        let plain = secret.reveal();
        assert_eq!(plain.expose_secret().len(), 43);
        assert_eq!(Digest::of(plain.expose_secret()), stored);
        assert_ne!(Digest::of("something else"), stored);
    }

    #[test]
    fn debug_shows_nothing() {
        let secret = OneTimeSecret::new([9; 32]);
        assert_eq!(format!("{secret:?} {:?}", secret.digest()), "OneTimeSecret(…) Digest(…)");
    }

    #[test]
    fn digests_of_another_length_are_refused() {
        assert!(Digest::try_from(&[0_u8; 31][..]).is_err());
        assert!(Digest::try_from(&[0_u8; 32][..]).is_ok());
    }
}
