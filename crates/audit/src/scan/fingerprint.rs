//! A secret's name that does not give it away: the same secret has the same fingerprint everywhere, and who has the
//! fingerprint must try every guess at the price of ten thousand hashes.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2;

const ROUNDS: NonZeroU32 = NonZeroU32::new(10_000).unwrap();
const SALT: &[u8] = b"portcullis scan, fingerprint of a secret, 1";

/// 32 hexadecimal digits.
pub(crate) fn of(secret: &[u8]) -> String {
    let mut digest = [0; 16];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, SALT, secret, &mut digest);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_fingerprint_never_changes() {
        // Baselines hold it: another one would open them all again.
        assert_eq!(super::of(b"a secret"), "e6c895f809801bdeecd7a34b84e8bfdb");
    }
}
