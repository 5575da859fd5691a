//! What this crate adds to the bare operations of aws-lc-rs, in one run on one machine: a full check of a token
//! (parts, header, key, signature, claims, judgement) beside `verify_sig` alone, and a full signature beside
//! `RsaKeyPair::sign`. Prints microseconds, the difference and the ratio; asserts nothing.

#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
};
use jose::{
    Algorithm, Claims, Compact, Expectations, KeySet, PrivateKey, TypRule, judge, sign, verify_claims,
};
use serde_json::json;

const NOW: i64 = 1_800_000_000;

fn main() {
    println!("{:<34} {:>9} {:>9} {:>9} {:>7}", "", "bare µs", "ours µs", "added µs", "ratio");
    for (name, size) in [("RS256 2048", KeySize::Rsa2048), ("RS256 3072", KeySize::Rsa3072)] {
        let pair = RsaKeyPair::generate(size).unwrap();
        let key =
            PrivateKey::from_pkcs8(Algorithm::Rs256, "2026-11", pair.as_der().unwrap().as_ref()).unwrap();
        let public = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref()).unwrap();
        verifying(name, &key, &public);
        let (random, claims) = (SystemRandom::new(), claims());
        let message = [b'a'; 500];
        let bare = || {
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(&RSA_PKCS1_SHA256, &random, &message, &mut signature).unwrap();
            black_box(signature);
        };
        let ours = || drop(black_box(key.sign(&message).unwrap()));
        report(&format!("{name} PrivateKey::sign"), 3, bare, ours);
        report(&format!("{name} sign, a whole token"), 3, bare, || {
            drop(black_box(sign(&key, "at+jwt", &claims)))
        });
    }
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
    let key = PrivateKey::from_pkcs8(Algorithm::Es256, "2026-11", pkcs8.as_ref()).unwrap();
    let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref()).unwrap();
    verifying("ES256", &key, &public);
}

fn claims() -> serde_json::Value {
    json!({
        "iss": "https://auth.example.com/", "aud": "https://api.example.com", "sub": "usr_9bLJ3cIhqEwVbY2mXlKu0g",
        "client_id": "cli_9bLJ3cIhqEwVbY2mXlKu0g", "iat": NOW, "exp": NOW + 900, "jti": "6Yv0Jm2sX1qkq0zvTgW6dA",
        "scope": "read:pets write:pets read:current_user update:current_user", "sid": "ses_9bLJ3cIhqEwVbY2mXlKu0g",
    })
}

fn verifying(name: &str, key: &PrivateKey, public: &ParsedPublicKey) {
    let keys = KeySet::new(vec![key.public()]).unwrap();
    let token = sign(key, "at+jwt", &claims()).unwrap();
    let parts = Compact::parse(&token).unwrap();
    let bare = || public.verify_sig(black_box(parts.signing_input().as_bytes()), parts.signature()).unwrap();
    let expected = Expectations {
        issuer: "https://auth.example.com/",
        audience: "https://api.example.com",
        typ: TypRule::Rfc9068,
        maximum_lifetime: 900,
        now: NOW,
    };
    let ours = || {
        let token = verify_claims(black_box(&token), &keys).unwrap();
        judge(&token.claims, &token.header, &expected).unwrap();
        black_box(token);
    };
    report(&format!("{name} verify_claims and judge"), 40, bare, ours);
    // The same without the cryptography: beside taking the token apart, reading its claims too.
    let apart = || drop(black_box(Compact::parse(black_box(&token)).unwrap()));
    let reading = || {
        let compact = Compact::parse(black_box(&token)).unwrap();
        let claims = Claims::parse(compact.payload()).unwrap();
        judge(&claims, compact.header(), &expected).unwrap();
        black_box(claims);
    };
    report(&format!("{name} parts, parts and claims"), 200, apart, reading);
}

/// The quickest of many short alternating batches: what the work costs when nobody else uses the core.
fn report(name: &str, batch: u32, bare: impl Fn(), ours: impl Fn()) {
    let mut least = [Duration::MAX; 2];
    for _ in 0..200 {
        least[0] = least[0].min(time(batch, &bare));
        least[1] = least[1].min(time(batch, &ours));
    }
    let [bare, ours] = least.map(|time| time.as_secs_f64() * 1e6 / f64::from(batch));
    println!("{name:<34} {bare:>9.2} {ours:>9.2} {:>9.2} {:>7.3}", ours - bare, ours / bare);
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn time(batch: u32, work: &impl Fn()) -> Duration {
    let start = Instant::now();
    for _ in 0..batch {
        work();
    }
    start.elapsed()
}
