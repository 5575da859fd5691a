//! Passwords: what is accepted, how it is hashed, how a stored hash is judged.
//!
//! NIST SP 800-63B-4 section 3.1.1 (length in code points, no composition rules, NFC, a blocklist, the whole password
//! verified) and OWASP's Password Storage Cheat Sheet (Argon2id and its floor of parameters).

mod memory;
mod parameters;
mod phc;

use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroize;

use crate::blocklist::{self, Predictable};
use crate::user::Email;

pub use memory::Memory;
pub use parameters::{Parameters, ParametersError};
pub use phc::{HashError, SALT_LENGTH, Verification, dummy_phc, hash, needs_rehash, verify};

/// What a new password must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Shortest password, in Unicode code points after NFC. 15 where it is the only factor.
    pub minimum_length: usize,
    /// Longest password, in bytes of UTF-8 as it arrives. Longer ones are refused, never cut.
    pub maximum_bytes: usize,
    /// How new passwords are hashed, and below which old hashes are renewed.
    pub argon2: Parameters,
}

impl Default for Policy {
    fn default() -> Self {
        Self { minimum_length: 15, maximum_bytes: 1024, argon2: Parameters::default() }
    }
}

/// Why a new password is refused. The texts are for the person who chose it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasswordRejection {
    /// Fewer code points than the policy wants.
    #[error("the password has {found} characters; use at least {minimum}")]
    TooShort {
        /// Code points that are wanted.
        minimum: usize,
        /// Code points that there are.
        found: usize,
    },
    /// More bytes than the policy takes.
    #[error("the password is longer than {maximum_bytes} bytes")]
    TooLong {
        /// Bytes that are taken.
        maximum_bytes: usize,
    },
    /// One of the passwords that are tried first, or made of few of them.
    #[error("the password is a common one, or made of a few common words; choose another")]
    Common,
    /// Mostly the user's address or the service's name.
    #[error("the password is mostly your e-mail address or the name of this service; choose another")]
    Context,
    /// A short piece said again and again.
    #[error("the password repeats itself; choose another")]
    Repeated,
    /// Keys beside each other, or letters and digits in order.
    #[error("the password follows the keyboard or the alphabet; choose another")]
    Sequence,
}

impl From<Predictable> for PasswordRejection {
    fn from(reason: Predictable) -> Self {
        match reason {
            Predictable::Common => Self::Common,
            Predictable::Context => Self::Context,
            Predictable::Repeated => Self::Repeated,
            Predictable::Sequence => Self::Sequence,
        }
    }
}

/// Unicode Normalization Form C: the same password typed on another keyboard is the same bytes.
/// Nothing is trimmed, folded or cut.
#[must_use]
pub fn normalise(password: &str) -> SecretString {
    // Reserved up front, so that no half-written copy is left behind by growing.
    let mut normal = String::with_capacity(password.len() * 3);
    normal.extend(password.nfc());
    let secret = SecretString::from(normal.as_str());
    normal.zeroize();
    secret
}

/// Normalises a password that was presented at login.
///
/// # Errors
/// Only [`PasswordRejection::TooLong`]: a password chosen under an older policy still logs in.
pub fn presented(policy: &Policy, password: &str) -> Result<SecretString, PasswordRejection> {
    if password.len() > policy.maximum_bytes {
        return Err(PasswordRejection::TooLong { maximum_bytes: policy.maximum_bytes });
    }
    Ok(normalise(password))
}

/// Judges a new password: at sign-up, change, reset, and when an administrator sets one.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_new(
    policy: &Policy,
    password: &str,
    email: &Email,
    service_name: &str,
) -> Result<(), PasswordRejection> {
    let normal = presented(policy, password)?;
    let found = normal.expose_secret().chars().count();
    if found < policy.minimum_length {
        return Err(PasswordRejection::TooShort { minimum: policy.minimum_length, found });
    }
    let context = blocklist::Context::new(email, service_name);
    match blocklist::judge(normal.expose_secret(), &context) {
        Some(reason) => Err(reason.into()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn email() -> Email {
        Email::parse("alice.wonder@example.com").unwrap()
    }

    #[test]
    fn composed_and_decomposed_text_is_one_password() {
        assert_eq!(normalise("Cafe\u{301}").expose_secret(), normalise("Caf\u{e9}").expose_secret());
        // NFC, not NFKC: full-width letters stay what was typed.
        assert_ne!(normalise("\u{ff21}").expose_secret(), normalise("A").expose_secret());
    }

    #[test]
    fn new_passwords_are_judged_by_length_in_code_points() {
        let policy = Policy::default();
        let judge = |password: &str| check_new(&policy, password, &email(), "Portcullis");
        assert_eq!(judge("vq8#Lm2!xT9$wz"), Err(PasswordRejection::TooShort { minimum: 15, found: 14 }));
        assert_eq!(judge("vq8#Lm2!xT9$wz4"), Ok(()));
        // 15 code points, more bytes; and 14 code points once composed.
        assert_eq!(judge("žluťoučký kůň!?"), Ok(()));
        assert_eq!(
            judge("vq8#Lm2!xT9$we\u{301}"),
            Err(PasswordRejection::TooShort { minimum: 15, found: 14 })
        );
        assert_eq!(judge(&"vq8#".repeat(300)), Err(PasswordRejection::TooLong { maximum_bytes: 1024 }));
        assert_eq!(judge("all lower case words are quite fine here"), Ok(()));
    }

    #[test]
    fn new_passwords_are_judged_by_what_is_tried_first() {
        let policy = Policy::default();
        for (password, rejection) in [
            ("passwordpassword", PasswordRejection::Repeated),
            ("Password1234567!", PasswordRejection::Common),
            ("qwertyuiopasdfghjkl", PasswordRejection::Sequence),
            ("aaaaaaaaaaaaaaaaaaaa", PasswordRejection::Repeated),
            ("alice.wonder2026!", PasswordRejection::Context),
            ("Portcullis-Portcullis", PasswordRejection::Repeated),
            ("portcullis2026!", PasswordRejection::Context),
            ("correct horse battery staple", PasswordRejection::Common),
        ] {
            assert_eq!(check_new(&policy, password, &email(), "Portcullis"), Err(rejection), "{password}");
        }
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(text in "\\PC{0,60}") {
            let once = normalise(&text);
            let twice = normalise(once.expose_secret());
            prop_assert_eq!(twice.expose_secret(), once.expose_secret());
        }

        #[test]
        fn judging_never_panics(text in "\\PC{0,120}") {
            let _ = check_new(&Policy::default(), &text, &email(), "Portcullis");
        }
    }
}
