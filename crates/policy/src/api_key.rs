//! The form of an API key of ours: `pcl_<environment>_<30 base62>_<6 base62 of CRC-32>`. Who makes keys and who looks
//! at them reads it here.
//!
//! The prefix lets secret scanners find a key, the checksum lets them and us tell a real one from a typing error without
//! asking the store, and a double click selects the whole. Thirty characters of base62 are 178 bits.

/// What every key of ours begins with.
pub const PREFIX: &str = "pcl_";
/// How many digits the random part has.
pub const RANDOM_DIGITS: usize = 30;
/// How many digits the checksum has: enough for any CRC-32.
pub const CHECKSUM_DIGITS: usize = 6;
/// The digits of base 62, by value.
pub const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What a presented key looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Ours, its checksum right.
    Ours,
    /// Begins like ours, but cannot be one: no store need be asked.
    Broken,
    /// Not ours: perhaps an imported one, which may have any form.
    Foreign,
}

/// Says what a presented text looks like; pure, and asks nobody.
#[must_use]
pub fn form(key: &str) -> Form {
    let Some(rest) = key.strip_prefix(PREFIX) else { return Form::Foreign };
    let mut parts = rest.split('_');
    let (Some(environment), Some(random), Some(sum), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Form::Broken;
    };
    let digits =
        |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let well_formed = !environment.is_empty()
        && environment.bytes().all(|byte| byte.is_ascii_lowercase())
        && digits(random, RANDOM_DIGITS)
        && digits(sum, CHECKSUM_DIGITS);
    let body = key.rsplit_once('_').map_or("", |(body, _)| body);
    if well_formed && checksum(body) == sum.as_bytes() { Form::Ours } else { Form::Broken }
}

/// The checksum of what stands before a key's last underscore: CRC-32 (IEEE), most significant digit first, padded with
/// zeros.
#[must_use]
pub fn checksum(body: &str) -> [u8; CHECKSUM_DIGITS] {
    let mut rest = crc32fast::hash(body.as_bytes()) as usize;
    let mut digits = [b'0'; CHECKSUM_DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[rest % 62];
        rest /= 62;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Worked out by another implementation (Python's `zlib.crc32`): keys that were handed out must stay good.
    const VECTORS: [(&str, &str); 4] = [
        ("pcl_prod_000000000000000000000000000000", "2vwiJe"),
        ("pcl_dev_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", "3VIQTg"),
        ("pcl_staging_0123456789ABCDEFGHIJabcdefghij", "0iFt5r"),
        ("pcl_prod_9KSulA8Ghct30vZz4HpdQ5c5b9cPF1", "1NtNhI"),
    ];

    #[test]
    fn fixed_vectors() {
        for (body, sum) in VECTORS {
            assert_eq!(checksum(body), sum.as_bytes(), "{body}");
            assert_eq!(form(&format!("{body}_{sum}")), Form::Ours, "{body}");
        }
        assert_eq!(checksum(""), *b"000000", "the CRC-32 of nothing is 0");
    }

    #[test]
    fn no_changed_key_is_ours() {
        for (body, sum) in VECTORS {
            let key = format!("{body}_{sum}");
            for place in PREFIX.len()..key.len() {
                let mut changed = key.clone();
                let with = if &key[place..=place] == "7" { "8" } else { "7" };
                changed.replace_range(place..=place, with);
                assert_eq!(form(&changed), Form::Broken, "{changed}");
            }
        }
    }

    #[test]
    fn others_are_broken_or_foreign() {
        let (body, sum) = VECTORS[0];
        let shouted = format!("pcl_PROD_{}", "0".repeat(RANDOM_DIGITS));
        let shouted_sum = String::from_utf8(checksum(&shouted).to_vec()).unwrap();
        for (text, verdict) in [
            ("", Form::Foreign),
            ("an-old-static-key", Form::Foreign),
            ("sk_live_abc", Form::Foreign),
            ("PCL_prod_x", Form::Foreign),
            ("pcl_", Form::Broken),
            ("pcl_prod", Form::Broken),
            ("pcl_prod_x_y", Form::Broken),
            ("pcl_prod_short_000000", Form::Broken),
            ("pcl_prod_000000000000000000000000000000_000000", Form::Broken),
            (&format!("{body}_{sum}_"), Form::Broken),
            (&format!("{body}_{sum}_x"), Form::Broken),
            (&format!("{body}_{sum}0"), Form::Broken),
            (&format!("{shouted}_{shouted_sum}"), Form::Broken),
        ] {
            assert_eq!(form(text), verdict, "{text}");
        }
    }

    proptest! {
        #[test]
        fn looking_never_panics(text in "\\PC{0,60}|pcl_\\PC{0,60}") {
            let _ = form(&text);
        }
    }
}
