//! Sealing at rest: AES-256-GCM under the key-encryption key, the row's name as associated data, so that sealed bytes
//! moved to another row do not open. Nonces are 96 random bits (NIST SP 800-38D section 8.2.2: below 2^32 seals a key).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use secrecy::{ExposeSecret as _, SecretSlice};

/// First byte of everything sealed, so that the form can change later.
const FORM: u8 = 1;

/// Why something cannot be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealFault {
    /// The key-encryption key has the wrong length.
    #[error("the key-encryption key has {0} bytes: 32 random bytes are needed")]
    KeyLength(usize),
    /// Sealed bytes that do not open: altered, moved to another row, or of another key.
    #[error("sealed {0} does not open under the key-encryption key")]
    Broken(&'static str),
}

/// The key-encryption key, ready for use.
pub struct Seal(LessSafeKey);

impl std::fmt::Debug for Seal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Seal(…)")
    }
}

impl Seal {
    /// Takes the 32 bytes of the key-encryption key.
    ///
    /// # Errors
    /// [`SealFault::KeyLength`] for a key of another length.
    pub fn new(key: &SecretSlice<u8>) -> Result<Self, SealFault> {
        let bytes = key.expose_secret();
        let key = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| SealFault::KeyLength(bytes.len()))?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Form, nonce, ciphertext, tag. `name` says which row this is and must be the same when it is opened; `nonce` is 12
    /// random bytes, never used before.
    ///
    /// # Errors
    /// [`SealFault::Broken`] for more than AES-GCM takes at once, 64 GiB.
    pub fn close(&self, name: &str, plain: &[u8], nonce: [u8; 12]) -> Result<Vec<u8>, SealFault> {
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
        sealed.push(FORM);
        sealed.extend_from_slice(&nonce);
        let mut body = plain.to_vec();
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(name.as_bytes()),
                &mut body,
            )
            .map_err(|_| SealFault::Broken("data"))?;
        sealed.extend_from_slice(&body);
        Ok(sealed)
    }

    /// The plain bytes, wiped when dropped; `what` names them in the fault.
    ///
    /// # Errors
    /// [`SealFault::Broken`] for what is altered, of another row, or sealed under another key.
    pub fn open(
        &self,
        what: &'static str,
        name: &str,
        sealed: &[u8],
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, SealFault> {
        let (form, rest) = sealed.split_first().ok_or(SealFault::Broken(what))?;
        let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>().ok_or(SealFault::Broken(what))?;
        if *form != FORM {
            return Err(SealFault::Broken(what));
        }
        let mut plain = zeroize::Zeroizing::new(body.to_vec());
        let length = self
            .0
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(name.as_bytes()), &mut plain)
            .map_err(|_| SealFault::Broken(what))?
            .len();
        plain.truncate(length);
        Ok(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(byte: u8) -> Seal {
        Seal::new(&SecretSlice::from(vec![byte; 32])).unwrap()
    }

    #[test]
    fn opens_what_it_closed_and_hides_it() {
        let sealed = seal(1).close("outbox:a", b"a reset link", [7; 12]).unwrap();
        assert!(!sealed.windows(5).any(|w| w == b"reset"));
        assert_eq!(&seal(1).open("mail", "outbox:a", &sealed).unwrap()[..], b"a reset link");
    }

    #[test]
    fn another_key_another_row_or_a_changed_byte_does_not_open() {
        let sealed = seal(1).close("outbox:a", b"text", [7; 12]).unwrap();
        assert!(matches!(seal(2).open("mail", "outbox:a", &sealed), Err(SealFault::Broken("mail"))));
        assert!(seal(1).open("mail", "outbox:b", &sealed).is_err());
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(seal(1).open("mail", "outbox:a", &changed).is_err(), "byte {index}");
        }
        for length in 0..sealed.len() {
            assert!(seal(1).open("mail", "outbox:a", &sealed[..length]).is_err(), "length {length}");
        }
    }

    #[test]
    fn a_key_of_another_length_is_refused_with_its_length() {
        let refused = Seal::new(&SecretSlice::from(vec![1; 31]));
        assert!(matches!(refused, Err(SealFault::KeyLength(31))));
    }
}
