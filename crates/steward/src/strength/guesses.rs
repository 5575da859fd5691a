//! Whether a stored verifier opens to what somebody would try first. It is computed here, so no login is tried and nobody
//! is locked out.

use std::num::NonZeroU32;

use aws_lc_rs::{constant_time, digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// What is tried on every role besides its own names.
const COMMON: [&str; 14] = [
    "postgres",
    "postgresql",
    "password",
    "passw0rd",
    "admin",
    "administrator",
    "root",
    "secret",
    "changeme",
    "test",
    "dev",
    "database",
    "12345678",
    "example",
];
/// More rounds would take longer than the answer is worth.
const MOST_ROUNDS: u32 = 50_000;

/// Says in words which guess opens the verifier: `its own name`.
pub(super) fn guessed(verifier: &str, role: &str, databases: &[String]) -> Option<String> {
    let stored = Stored::read(verifier)?;
    let own = [role.to_owned(), role.to_lowercase(), role.to_uppercase()];
    let with_digits = ["1", "123", "1234"].map(|digits| format!("{role}{digits}"));
    let twice = [format!("{role}{role}"), format!("{role}_{role}"), role.chars().rev().collect()];
    let groups: [(&str, Vec<&str>); 4] = [
        ("its own name", own.iter().map(String::as_str).collect()),
        ("its own name, slightly changed", with_digits.iter().chain(&twice).map(String::as_str).collect()),
        ("a database's name", databases.iter().map(String::as_str).collect()),
        ("a word that everybody tries", COMMON.to_vec()),
    ];
    let opened = groups.into_iter().find(|(_, words)| words.iter().any(|word| stored.opens_to(word)));
    opened.map(|(what, _)| what.to_owned())
}

/// `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`.
struct Stored {
    rounds: NonZeroU32,
    salt: Vec<u8>,
    key: Vec<u8>,
}

impl Stored {
    fn read(verifier: &str) -> Option<Self> {
        let (rounds, rest) = verifier.strip_prefix("SCRAM-SHA-256$")?.split_once(':')?;
        let (salt, keys) = rest.split_once('$')?;
        let (key, _) = keys.split_once(':')?;
        let rounds: u32 = rounds.parse().ok().filter(|rounds| *rounds <= MOST_ROUNDS)?;
        let (salt, key) = (STANDARD.decode(salt).ok()?, STANDARD.decode(key).ok()?);
        Some(Self { rounds: NonZeroU32::new(rounds)?, salt, key })
    }

    /// RFC 5802 section 3: StoredKey = H(HMAC(Hi(password, salt, i), "Client Key")).
    fn opens_to(&self, password: &str) -> bool {
        let mut salted = Zeroizing::new([0; digest::SHA256_OUTPUT_LEN]);
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            self.rounds,
            &self.salt,
            password.as_bytes(),
            &mut *salted,
        );
        let client_key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &*salted), b"Client Key");
        let key = digest::digest(&digest::SHA256, client_key.as_ref());
        constant_time::verify_slices_are_equal(key.as_ref(), &self.key).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::guessed;
    use crate::verifier::verifier;
    use secrecy::SecretString;

    #[test]
    fn names_and_common_words_are_guessed_and_others_are_not() {
        let of = |password: &str| {
            guessed(&verifier(&SecretString::from(password), [7; 16]), "App", &["orders".to_owned()])
        };
        assert_eq!(of("app").as_deref(), Some("its own name"));
        assert_eq!(of("App123").as_deref(), Some("its own name, slightly changed"));
        assert_eq!(of("orders").as_deref(), Some("a database's name"));
        assert_eq!(of("changeme").as_deref(), Some("a word that everybody tries"));
        assert_eq!(of("Vn4rB2aXk9Qe7LwZ0tHs3mYd"), None);
        assert_eq!(guessed("md5abc", "App", &[]), None);
    }
}
