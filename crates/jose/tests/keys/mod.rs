//! One key of each algorithm, made when the first test asks, and a pen that signs whatever it is told.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::OnceLock;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
    EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jose::{Algorithm, KeySet, PrivateKey};

/// The key of an algorithm; its `kid` is the algorithm's name.
pub fn key(algorithm: Algorithm) -> &'static PrivateKey {
    static KEYS: [OnceLock<PrivateKey>; Algorithm::ALL.len()] =
        [const { OnceLock::new() }; Algorithm::ALL.len()];
    let index = Algorithm::ALL.iter().position(|&other| other == algorithm).unwrap();
    KEYS[index]
        .get_or_init(|| PrivateKey::from_pkcs8(algorithm, algorithm.as_str(), &pkcs8(algorithm)).unwrap())
}

/// A set that holds that one key.
pub fn only(algorithm: Algorithm) -> KeySet {
    KeySet::new(vec![key(algorithm).public()]).unwrap()
}

/// A token with any text as its header and any bytes as its payload, truly signed with the key of `algorithm`.
pub fn forge(algorithm: Algorithm, header: &str, payload: &[u8]) -> String {
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = key(algorithm).sign(input.as_bytes()).unwrap();
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn pkcs8(algorithm: Algorithm) -> Vec<u8> {
    static RSA: OnceLock<Vec<u8>> = OnceLock::new();
    let random = SystemRandom::new();
    let curve = match algorithm {
        Algorithm::Es256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
        Algorithm::Es384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
        Algorithm::Es512 => &ECDSA_P521_SHA512_FIXED_SIGNING,
        Algorithm::EdDsa => return Ed25519KeyPair::generate_pkcs8(&random).unwrap().as_ref().to_vec(),
        _ => {
            let make = || RsaKeyPair::generate(KeySize::Rsa2048).unwrap().as_der().unwrap().as_ref().to_vec();
            return RSA.get_or_init(make).clone();
        }
    };
    EcdsaKeyPair::generate_pkcs8(curve, &random).unwrap().as_ref().to_vec()
}
