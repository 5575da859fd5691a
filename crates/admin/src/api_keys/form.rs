//! The form of a key: `pcl_<environment>_<30 base62>_<6 base62 of CRC-32>`.
//!
//! The prefix lets secret scanners find a key, the checksum lets them and us tell a real one from a typing error without
//! asking the store, and a double click selects the whole. Thirty characters of base62 are 178 bits.

use secrecy::{SecretString, zeroize::Zeroize};

use super::Environment;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PREFIX: &str = "pcl_";
const RANDOM_LENGTH: usize = 30;
const CHECKSUM_LENGTH: usize = 6;

/// What a presented key looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Ours, its checksum right.
    Ours,
    /// Begins like ours, but cannot be one: no store need be asked.
    Broken,
    /// Not ours: perhaps an imported one.
    Foreign,
}

/// Makes a key of 32 fresh random bytes.
#[must_use]
pub fn new_key(environment: Environment, fresh: [u8; 32]) -> SecretString {
    let mut number = fresh;
    let random = base62(&mut number, RANDOM_LENGTH);
    number.zeroize();
    let mut body = format!("{PREFIX}{}_{random}", environment.as_str());
    let checksum = checksum(&body);
    let key = SecretString::from(format!("{body}_{checksum}"));
    body.zeroize();
    key
}

/// Says what a presented text looks like; pure, and asks nobody.
#[must_use]
pub fn form(key: &str) -> Form {
    let Some(rest) = key.strip_prefix(PREFIX) else { return Form::Foreign };
    let parts: Vec<&str> = rest.split('_').collect();
    let [environment, random, sum] = parts.as_slice() else { return Form::Broken };
    let base62 = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let well_formed = !environment.is_empty()
        && environment.bytes().all(|byte| byte.is_ascii_lowercase())
        && base62(random, RANDOM_LENGTH)
        && base62(sum, CHECKSUM_LENGTH);
    let body = key.rsplit_once('_').map_or("", |(body, _)| body);
    if well_formed && checksum(body) == *sum { Form::Ours } else { Form::Broken }
}

/// CRC-32 of everything before the last underscore.
fn checksum(body: &str) -> String {
    base62(&mut crc32fast::hash(body.as_bytes()).to_be_bytes(), CHECKSUM_LENGTH)
}

/// The last `length` digits of a big-endian number in base 62, leading zeros included: long division, digit by digit.
/// Of 256 random bits the 30 last digits are even to one part in 2^77.
fn base62(number: &mut [u8], length: usize) -> String {
    let mut digits = Vec::with_capacity(length);
    for _ in 0..length {
        let mut remainder = 0_u16;
        for byte in number.iter_mut() {
            let value = (remainder << 8) | u16::from(*byte);
            // Both fit: the remainder is below 62, so the quotient is below 256.
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            remainder = value % 62;
        }
        digits.push(ALPHABET.get(usize::from(remainder)).copied().map_or('0', char::from));
    }
    digits.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    fn key(fresh: [u8; 32]) -> String {
        new_key(Environment::Production, fresh).expose_secret().to_owned()
    }

    #[test]
    fn numbers_in_base_62() {
        for (number, text) in
            [(0_u32, "000000"), (1, "000001"), (61, "00000z"), (62, "000010"), (u32::MAX, "4gfFC3")]
        {
            assert_eq!(base62(&mut number.to_be_bytes(), 6), text);
        }
    }

    #[test]
    fn a_key_has_the_form_and_its_environment() {
        let key = key([7; 32]);
        assert_eq!(key.len(), "pcl_prod_".len() + 30 + 1 + 6);
        assert!(key.starts_with("pcl_prod_"), "{key}");
        assert_eq!(form(&key), Form::Ours);
        assert!(new_key(Environment::Development, [7; 32]).expose_secret().starts_with("pcl_dev_"));
    }

    #[test]
    fn others_are_broken_or_foreign() {
        for (text, verdict) in [
            ("", Form::Foreign),
            ("sk_live_abc", Form::Foreign),
            ("PCL_prod_x", Form::Foreign),
            ("pcl_", Form::Broken),
            ("pcl_prod_short_000000", Form::Broken),
            ("pcl_prod_000000000000000000000000000000_000000", Form::Broken),
            ("pcl_prod_000000000000000000000000000000_000000_x", Form::Broken),
        ] {
            assert_eq!(form(text), verdict, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_key_passes_and_no_changed_one_does(fresh: [u8; 32], at in 0_usize..46, with in "[0-9A-Za-z]") {
            let key = key(fresh);
            prop_assert_eq!(form(&key), Form::Ours);
            let mut changed = key.clone();
            changed.replace_range(at..=at, &with);
            if changed != key {
                prop_assert_ne!(form(&changed), Form::Ours);
            }
        }

        #[test]
        fn looking_never_panics(text in "\\PC{0,60}|pcl_\\PC{0,60}") {
            let _ = form(&text);
        }
    }
}
