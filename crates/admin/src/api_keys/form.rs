//! Making a key of the form that `policy::api_key` describes and the gateway looks at.

use policy::api_key::{BASE62, PREFIX, RANDOM_DIGITS, checksum};
use secrecy::{SecretString, zeroize::Zeroize};

use super::Environment;

pub use policy::api_key::{Form, form};

/// Makes a key of 32 fresh random bytes.
#[must_use]
pub fn new_key(environment: Environment, fresh: [u8; 32]) -> SecretString {
    let mut number = fresh;
    let mut random = base62(&mut number, RANDOM_DIGITS);
    number.zeroize();
    let mut body = format!("{PREFIX}{}_{random}", environment.as_str());
    random.zeroize();
    let checksum = checksum(&body).map(char::from);
    let key = SecretString::from([body.as_str(), "_", &String::from_iter(checksum)].concat());
    body.zeroize();
    key
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
        digits.push(BASE62.get(usize::from(remainder)).copied().map_or('0', char::from));
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
        assert_eq!(key, "pcl_prod_9KSulA8Ghct30vZz4HpdQ5c5b9cPF1_1NtNhI", "what policy's vectors hold"); // portcullis:allow a vector
        assert!(new_key(Environment::Development, [7; 32]).expose_secret().starts_with("pcl_dev_"));
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
    }
}
