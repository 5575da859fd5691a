//! Moduli that no honest generator makes.
//!
//! ROCA (CVE-2017-15361): the affected chips made primes `k·M + (65537^a mod M)` with `M` a product of the first
//! primes. The product of two such primes is again a power of 65537 modulo each of those primes, which a random
//! modulus is with a chance of less than 2^-100 over the primes below. The test needs no factoring.

/// The odd primes that divide the `M` of every affected length, from 512 bits up.
const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103,
    107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// The fixed base of the affected generator.
const BASE: u32 = 65_537;

/// Whether the modulus (big endian) has the fingerprint of ROCA.
pub(crate) fn has_roca_fingerprint(modulus: &[u8]) -> bool {
    PRIMES.iter().all(|&prime| is_power_of_base(residue(modulus, prime), prime))
}

/// Whether a prime of three digits divides the modulus: whoever made it did not look.
pub(crate) fn has_small_factor(modulus: &[u8]) -> bool {
    PRIMES.iter().any(|&prime| residue(modulus, prime) == 0)
}

fn residue(number: &[u8], modulus: u32) -> u32 {
    number.iter().fold(0, |rest, &byte| (rest * 256 + u32::from(byte)) % modulus)
}

fn is_power_of_base(number: u32, prime: u32) -> bool {
    let mut power = 1;
    // The powers repeat after at most `prime - 1` steps.
    (0..prime).any(|_| {
        let found = power == number;
        power = power * (BASE % prime) % prime;
        found
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number that is `65537^exponent` modulo every prime of the list, made by the Chinese remainder theorem
    /// with plain byte arithmetic, so that the test needs no vulnerable key of anybody's.
    fn power_of_base(exponent: u32) -> Vec<u8> {
        let mut number = vec![1_u8];
        for _ in 0..exponent {
            let mut product = Vec::new();
            let mut carry = 0_u32;
            for &byte in number.iter().rev() {
                carry += u32::from(byte) * BASE;
                product.insert(0, (carry & 0xff) as u8);
                carry >>= 8;
            }
            while carry > 0 {
                product.insert(0, (carry & 0xff) as u8);
                carry >>= 8;
            }
            number = product;
        }
        number
    }

    #[test]
    fn powers_of_the_base_have_the_fingerprint() {
        for exponent in [1, 2, 17, 120] {
            let number = power_of_base(exponent);
            assert!(has_roca_fingerprint(&number), "65537^{exponent}");
            let mut other = number.clone();
            *other.last_mut().unwrap() ^= 0x06;
            assert!(!has_roca_fingerprint(&other), "65537^{exponent}, changed");
        }
    }

    #[test]
    fn residues() {
        assert_eq!(residue(&[], 7), 0);
        assert_eq!(residue(&[0x01, 0x00], 7), 256 % 7);
        assert_eq!(residue(&[0xff; 8], 167), (u64::MAX % 167) as u32);
        assert!(has_small_factor(&[167]));
        assert!(!has_small_factor(&[173]));
    }
}
