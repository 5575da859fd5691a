//! A new password and its SCRAM-SHA-256 verifier (RFC 5802, RFC 7677), made on our side: the verifier is all that the
//! server, its log and its statistics ever see.
//!
//! The form is PostgreSQL's `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`. A text of any other form would be taken
//! as a clear password and would log in, so [`is_verifier`] is asked before anything is sent, as the function in the
//! database asks again.

use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::{Zeroize as _, Zeroizing};

/// Rounds of PBKDF2. More than PostgreSQL's 4096 would slow every new connection down, and a password of 256 random bits
/// gains nothing by it.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).unwrap();

/// A password of 256 bits: 43 characters of base64url, which no URL, shell or SASLprep (RFC 4013) changes.
#[must_use]
pub fn password(mut fresh: [u8; 32]) -> SecretString {
    let password = SecretString::from(URL_SAFE_NO_PAD.encode(fresh));
    fresh.zeroize();
    password
}

/// What the server stores of a password in ASCII, under this salt. The same password under another salt is another
/// verifier, which breaks whoever passes SCRAM keys through: a verifier is made once and kept.
#[must_use]
pub fn verifier(password: &SecretString, salt: [u8; 16]) -> String {
    let mut salted = Zeroizing::new([0; digest::SHA256_OUTPUT_LEN]);
    let secret = password.expose_secret().as_bytes();
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ITERATIONS, &salt, secret, &mut *salted);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &*salted);
    let client_key = hmac::sign(&key, b"Client Key");
    let stored_key = digest::digest(&digest::SHA256, client_key.as_ref());
    let server_key = hmac::sign(&key, b"Server Key");
    format!(
        "SCRAM-SHA-256${ITERATIONS}:{}${}:{}",
        STANDARD.encode(salt),
        STANDARD.encode(stored_key),
        STANDARD.encode(server_key)
    )
}

/// Whether this is a verifier and nothing else, by the pattern that the database's own function asks:
/// `^SCRAM-SHA-256\$[0-9]{4,7}:[A-Za-z0-9+/]{22}==\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=$`.
#[must_use]
pub fn is_verifier(text: &str) -> bool {
    let parts = || {
        let (iterations, rest) = text.strip_prefix("SCRAM-SHA-256$")?.split_once(':')?;
        let (salt, rest) = rest.split_once('$')?;
        let (stored, server) = rest.split_once(':')?;
        let number = (4..=7).contains(&iterations.len()) && iterations.bytes().all(|b| b.is_ascii_digit());
        let base64 = |text: &str, length: usize, padding: &str| {
            text.strip_suffix(padding).is_some_and(|text| {
                text.len() == length
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))
            })
        };
        Some(number && base64(salt, 22, "==") && base64(stored, 43, "=") && base64(server, 43, "="))
    };
    parts().unwrap_or(false)
}

/// The hex SHA-256 of a stored verifier: what the ledger keeps and `portcullis.credentials()` tells.
#[must_use]
pub fn fingerprint(verifier: &str) -> String {
    use std::fmt::Write as _;
    digest::digest(&digest::SHA256, verifier.as_bytes()).as_ref().iter().fold(
        String::new(),
        |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The example of RFC 7677 section 3: user `user`, password `pencil`, 4096 rounds; the keys are those whose proofs and
    /// signatures stand there, as PostgreSQL 15 stores them for that salt.
    #[test]
    fn the_keys_are_those_of_rfc_7677() {
        let salt: [u8; 16] = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap().try_into().unwrap();
        let made = verifier(&SecretString::from("pencil"), salt);
        let server_key = STANDARD.decode(made.rsplit(':').next().unwrap()).unwrap();
        // ServerSignature = HMAC(ServerKey, AuthMessage)
        let message = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                       s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &server_key), message.as_bytes());
        assert_eq!(STANDARD.encode(signature), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        assert!(is_verifier(&made), "{made}");
    }

    #[test]
    fn what_is_no_verifier_is_known() {
        let good = verifier(&SecretString::from("x"), [0; 16]);
        let longer = good.clone() + "=";
        let with_line = good.clone() + "\n";
        let other = good.replace("SCRAM-SHA-256", "SCRAM-SHA-1");
        let few = good.replace("$4096:", "$409:");
        let quote = good.replacen('A', "'", 1);
        for bad in ["", "hunter2", "md5", "SCRAM-SHA-256$4096:", &longer, &with_line, &other, &few, &quote] {
            assert!(!is_verifier(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_password_and_salt_makes_a_verifier(fresh: [u8; 32], salt: [u8; 16]) {
            let password = password(fresh);
            prop_assert_eq!(password.expose_secret().len(), 43);
            let made = verifier(&password, salt);
            prop_assert!(is_verifier(&made));
            prop_assert!(!made.contains(password.expose_secret()));
            prop_assert_eq!(fingerprint(&made).len(), 64);
            for cut in 0..made.len() {
                prop_assert!(!is_verifier(&made[..cut]));
            }
        }
    }
}
