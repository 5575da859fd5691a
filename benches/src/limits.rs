//! What a core can give at best: the same library, the same parameters, nothing around it.

use std::hint::black_box;
use std::time::{Duration, Instant};

use argon2::{Argon2, Block, Params, Version};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};

/// RS256 signatures a second over something as long as a token's header and claims.
pub fn signing(bits: u16, span: Duration) -> Result<f64, String> {
    let size = match bits {
        2048 => KeySize::Rsa2048,
        3072 => KeySize::Rsa3072,
        4096 => KeySize::Rsa4096,
        _ => return Err(format!("{bits} bits: 2048, 3072 or 4096")),
    };
    let key: RsaKeyPair = KeyPair::generate(size).map_err(|_| "no key could be made")?;
    let message = [b'a'; 480];
    let mut signature = vec![0; key.public_modulus_len()];
    let random = SystemRandom::new();
    rate(span, || {
        key.sign(&RSA_PKCS1_SHA256, &random, black_box(&message), &mut signature)
            .map_err(|_| "signing failed")?;
        black_box(&signature);
        Ok(())
    })
}

/// Argon2id hashes a second, all in one arena.
pub fn hashing(memory: u32, iterations: u32, parallelism: u32, span: Duration) -> Result<f64, String> {
    let parameters =
        Params::new(memory, iterations, parallelism, Some(32)).map_err(|error| error.to_string())?;
    let mut arena = vec![Block::new(); parameters.block_count()];
    let argon2 = Argon2::new(argon2::Algorithm::Argon2id, Version::V0x13, parameters);
    let mut output = [0; 32];
    rate(span, || {
        argon2
            .hash_password_into_with_memory(
                black_box(b"a password of some length"),
                &[7; 16],
                &mut output,
                &mut arena,
            )
            .map_err(|error| error.to_string())?;
        black_box(&output);
        Ok(())
    })
}

/// Repetitions a second, after one that warms up.
#[expect(clippy::disallowed_methods, reason = "this measures time")]
fn rate(span: Duration, mut once: impl FnMut() -> Result<(), String>) -> Result<f64, String> {
    once()?;
    let begun = Instant::now();
    let mut count = 0_u32;
    while begun.elapsed() < span {
        once()?;
        count += 1;
    }
    Ok(f64::from(count) / begun.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_rate() {
        assert!(signing(2048, Duration::from_millis(20)).unwrap() > 0.0);
        assert!(hashing(64, 1, 1, Duration::from_millis(20)).unwrap() > 0.0);
    }

    #[test]
    fn what_no_library_offers_is_refused() {
        assert!(signing(1024, Duration::ZERO).is_err());
        assert!(hashing(1, 1, 1, Duration::ZERO).is_err());
    }
}
