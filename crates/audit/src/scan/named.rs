//! What a name says of the value behind it, and values that stand in every manual: samples and placeholders.

use super::rules::Context;
use super::shape;

/// Values that a stranger would try first, or that a manual shows. They protect nothing, so they are no secret; that
/// nothing real is protected by them is another measure's business.
const SAMPLES: &[&str] = &[
    "password",
    "passwd",
    "passw0rd",
    "password1",
    "password123",
    "pass",
    "pwd",
    "secret",
    "changeme",
    "change-me",
    "change_me",
    "changeit",
    "postgres",
    "postgresql",
    "root",
    "admin",
    "administrator",
    "test",
    "testing",
    "tester",
    "guest",
    "example",
    "sample",
    "foo",
    "foobar",
    "foobarbaz",
    "bar",
    "mysql",
    "mongo",
    "mongodb",
    "redis",
    "rabbitmq",
    "token",
    "key",
    "user",
    "username",
    "yourpassword",
    "mypassword",
    "mysecret",
    "mysecretpassword",
    "hunter2",
    "letmein",
    "supersecret",
    "s3cr3t",
    "development",
    "default",
    "qwerty",
    "12345678",
    "123456789",
    "secret123",
    "pass1234",
    "dummy",
    "none",
    "null",
    "undefined",
    "true",
    "false",
    "redacted",
    "scram-sha-256",
    "masked",
    "hidden",
    "sekrit",
    "notasecret",
    "not-a-secret",
];
/// In a value, in any case: somebody is told to put his own here.
const PLACEHOLDERS: &[&str] = &[
    "example",
    "xxxx",
    "your_",
    "your-",
    "yourkey",
    "yourtoken",
    "yoursecret",
    "placeholder",
    "dummy",
    "changeme",
    "change_me",
    "change-me",
    "redacted",
    "<",
    "${",
    "{{",
    "$(",
    "%(",
    "***",
    "...",
    "…",
    "replace_me",
    "replace-me",
    "replaceme",
    "insert_",
    "todo",
    "fake",
    "not_a_real",
    "notareal",
    "invalid",
    "sample",
    "-here",
    "_here",
    "foobar",
    "lorem",
];
/// Values of the vendors' own manuals and of the RFCs, by what they contain.
const PUBLISHED: &[&str] = &[
    "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c", // jwt.io's, whatever its payload
    "eyJzdWIiOiIxMjM0NTY3ODkwIi",                  // jwt.io's, whatever its key
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAs", // RFC 7515 and 7519
    "4eC39HqLyjWDarjtT1zdp7dc",                    // Stripe's manual
];
/// Words of a name that say: not the secret itself.
const HARMLESS: &[&str] = &[
    "hash",
    "hashed",
    "digest",
    "sha",
    "sha1",
    "sha256",
    "sha512",
    "md5",
    "checksum",
    "integrity",
    "fingerprint",
    "public",
    "pub",
    "file",
    "path",
    "dir",
    "folder",
    "url",
    "uri",
    "endpoint",
    "host",
    "name",
    "names",
    "id",
    "ids",
    "kid",
    "header",
    "type",
    "field",
    "column",
    "label",
    "placeholder",
    "length",
    "size",
    "count",
    "limit",
    "ttl",
    "lifetime",
    "expires",
    "expiry",
    "expiration",
    "age",
    "prefix",
    "suffix",
    "env",
    "ref",
    "regex",
    "pattern",
    "format",
    "policy",
    "rule",
    "version",
    "uuid",
    "guid",
    "example",
    "sample",
    "test",
    "dummy",
    "fake",
    "mock",
    "cache",
    "primary",
    "foreign",
    "sort",
    "partition",
    "idempotency",
    "request",
    "trace",
    "span",
    "correlation",
    "csrf",
    "anon",
    "publishable",
    "site",
    "i18n",
    "translation",
    "message",
    "title",
    "event",
    "map",
    "validator",
    "verifier",
    "challenge",
    "etag",
    "commit",
    "revision",
    "tag",
    "image",
    "arn",
    "resource",
    "object",
    "row",
    "index",
    "nonce",
];
/// Words of a name that promise a password that people chose.
const CHOSEN: &[&str] = &["password", "passwd", "pwd", "passphrase", "pass"];

/// A sample or a placeholder.
pub(crate) fn is_sample(secret: &[u8]) -> bool {
    let lower = secret.to_ascii_lowercase();
    SAMPLES.iter().any(|sample| lower == sample.as_bytes())
        || PLACEHOLDERS.iter().any(|word| shape::contains(&lower, word.as_bytes()))
        || PUBLISHED.iter().any(|known| shape::contains(secret, known.as_bytes()))
        || shape::monotonous(secret)
        || matches!(lower.first(), Some(b'$' | b'%' | b'{' | b'@'))
}

/// A secret of its own form is no placeholder only for holding a short word by chance.
pub(crate) fn is_published(secret: &[u8]) -> bool {
    let lower = secret.to_ascii_lowercase();
    PUBLISHED.iter().any(|known| shape::contains(secret, known.as_bytes()))
        || [
            "example",
            "xxxxxx",
            "placeholder",
            "changeme",
            "redacted",
            "your_",
            "your-",
            "0123456789",
            "1234567890",
            "abcdefghij",
        ]
        .iter()
        .any(|word| shape::contains(&lower, word.as_bytes()))
        || shape::monotonous(tail(secret))
}

/// What follows the prefix.
fn tail(secret: &[u8]) -> &[u8] {
    &secret[secret.len().min(8)..]
}

/// The password of a URL: no sample, not the user's name, no variable.
pub(crate) fn url_password(context: &Context<'_>) -> bool {
    let secret = context.secret;
    let before = &context.matched[..context.matched.len().min(160)];
    let user = before
        .windows(3)
        .position(|window| window == b"://")
        .map(|at| &before[at + 3..])
        .and_then(|rest| rest.split(|byte| *byte == b':').next())
        .unwrap_or_default();
    let host = context.beside.to_ascii_lowercase();
    let near = [&b"localhost"[..], b"127.0.0.1", b"[::1]", b"example.", b"host"]
        .iter()
        .any(|known| host.starts_with(known))
        || shape::contains(&host, b".example")
        || shape::contains(&host, b"example.com");
    // `letmein` at a real host is somebody's password; at localhost it is a manual's.
    let plain = secret.iter().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_'));
    !is_sample(secret)
        && secret != user
        && !secret.iter().any(|byte| matches!(byte, b'{' | b'}' | b'$' | b'*' | b'(' | b')' | b'|' | b','))
        && !(near && (plain || secret.len() < 6))
        && !secret.iter().all(u8::is_ascii_digit)
        && !host.starts_with(b"$")
        && !host.starts_with(b"{")
}

/// Whether a value behind a telling name is a secret.
pub(crate) fn is_secret(context: &Context<'_>) -> bool {
    let value = context.secret;
    let words = words(context.beside);
    let says = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    if says(HARMLESS) || is_sample(value) || shape::is_uuid(value) || is_code(context) {
        return false;
    }
    // `secret-client-address:…` is where somebody is, not what he knows.
    if words.last().is_some_and(|word| matches!(word.as_str(), "address" | "addresses")) {
        return false;
    }
    // `key` alone is a map's key; something must say which key.
    if words.last().is_some_and(|word| word == "key" || word == "keys") && words.len() < 2 {
        return false;
    }
    if shape::looks_random(value) {
        return true;
    }
    let quoted = quoted(context);
    let assigned = assigned_in_environment(context);
    // `password = …`, not `password_encryption = …`.
    words.last().is_some_and(|word| CHOSEN.contains(&word.as_str()))
        && (quoted || assigned)
        && (8..64).contains(&value.len())
        && value.iter().any(u8::is_ascii_digit)
        && value.iter().any(u8::is_ascii_alphabetic)
        && shape::kinds(value) >= 3
}

/// `DATABASE_PASSWORD=…` at a line's start.
fn assigned_in_environment(context: &Context<'_>) -> bool {
    let name = context.beside;
    !name.is_empty()
        && name.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
        && context.matched.get(name.len()) == Some(&b'=')
}

fn quoted(context: &Context<'_>) -> bool {
    let end = context.matched.len().saturating_sub(context.secret.len());
    let before = context.matched.get(..end).unwrap_or_default();
    // A quoted value's quote is the match's last byte.
    matches!(context.matched.last(), Some(b'"' | b'\'' | b'`'))
        || matches!(before.last(), Some(b'"' | b'\'' | b'`'))
}

/// An expression, a path, an address, a selector: what stands right of an equals sign in programs.
fn is_code(context: &Context<'_>) -> bool {
    let value = context.secret;
    let starts = |prefix: &[u8]| value.starts_with(prefix);
    if shape::contains(value, b"://")
        || starts(b"/")
        || starts(b"./")
        || starts(b"../")
        || starts(b"~/")
        || starts(b"#")
        || starts(b"--")
    {
        return true;
    }
    if [
        &b"$argon2"[..],
        b"$2a$",
        b"$2b$",
        b"$2y$",
        b"$5$",
        b"$6$",
        b"$scrypt$",
        b"sha256-",
        b"sha384-",
        b"sha512-",
        b"sha256:",
        b"SCRAM-SHA-256$",
        b"pbkdf2",
        b"ssh-rsa",
        b"ssh-ed25519",
        b"data:",
    ]
    .iter()
    .any(|prefix| starts(prefix))
    {
        return true;
    }
    if quoted(context) {
        return false;
    }
    // Unquoted: a call, a member, a generic type, a scope, a format.
    shape::contains(value, b"::")
        || shape::contains(value, b"->")
        || shape::contains(value, b"&&")
        || value.iter().any(|byte| matches!(byte, b'|' | b'?' | b'*' | b'&' | b'$'))
        || (value.contains(&b'.') && value.split(|byte| *byte == b'.').all(is_identifier))
        || (is_identifier(value) && shape::wordiness(value) > 0.5)
}

fn is_identifier(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// `clientSecretFile`, `CLIENT_SECRET_FILE` and `client-secret.file` are the same three words.
fn words(name: &[u8]) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut lower_before = false;
    for byte in name {
        let letter = char::from(*byte);
        if !byte.is_ascii_alphanumeric() || (byte.is_ascii_uppercase() && lower_before) {
            words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
        }
        if byte.is_ascii_alphanumeric() {
            word.push(letter.to_ascii_lowercase());
        }
        lower_before = byte.is_ascii_lowercase() || byte.is_ascii_digit();
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words() {
        for name in ["clientSecretFile", "CLIENT_SECRET_FILE", "client-secret.file"] {
            assert_eq!(words(name.as_bytes()), ["client", "secret", "file"], "{name}");
        }
        assert_eq!(words(b"apiKey"), ["api", "key"]);
    }

    #[test]
    fn an_address_is_no_secret_and_the_secret_beside_it_is_one() {
        use super::super::live::Live;
        use super::super::{Baseline, in_text};
        let live = Live::new(&[]).unwrap();
        let value = ["0b6acc9a41f27", "e83d5b9c0a7f46e21d8"].concat();
        let found = |text: String| in_text(text.as_bytes(), &live, &Baseline::default(), 0).len();
        assert_eq!(found(format!("{{\"bucket\":\"secret-client-address:{value}\"}}")), 0);
        assert_eq!(found(format!("{{\"client-secret\":\"{value}\"}}")), 1);
    }

    #[test]
    fn samples_and_placeholders_are_no_secrets() {
        for sample in [
            "changeme",
            "PASSWORD",
            "<your token>",
            "${SECRET}",
            "AKIAIOSFODNN7EXAMPLE",
            "your_api_key_here",
            "xxxxxxxxxxxx",
        ] {
            assert!(is_sample(sample.as_bytes()), "{sample}");
        }
        assert!(!is_sample(b"Vb3xkQ9pLm2"));
    }
}
