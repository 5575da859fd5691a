//! Secrets of no vendor: keys in PEM and JWK, tokens, credentials in URLs and headers, and what stands behind a telling
//! name and looks drawn at random.

use super::Rule;
use crate::scan::{named, shape};

/// Who looks after it is known to its owner alone.
const ISSUER: &str = "where it was made";

pub(super) static RULES: &[Rule] = &[
    Rule::form(
        "private-key",
        "private key",
        &["private key"],
        r#"-----BEGIN [A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----(?:\\+[nr]|[^-\\]|-[^-]){0,250}?([A-Za-z0-9+/]{40}(?:[A-Za-z0-9+/=\\"',+]|\s){0,6000})"#,
        "nobody can: make a new pair, and replace the public key everywhere",
    )
    .reach(8192)
    .entropy(3.5),
    Rule::form(
        "jwk-private-key",
        "private key (JWK)",
        &["\"d\"", "\\\"d\\\""],
        r#"\\?"d\\?"\s{0,4}:\s{0,4}\\?"([A-Za-z0-9_\-]{40,1400})\\?""#,
        "nobody can: make a new pair, and replace the public key everywhere",
    )
    .reach(2048)
    .entropy(4.0)
    .check(|context| shape::contains(context.around, b"\"kty") || shape::contains(context.around, b"kty\\\"")),
    Rule::form(
        "jwt",
        "signed token (JWT)",
        &["eyj"],
        r"(?:^|[^A-Za-z0-9_\-.])(eyJ[A-Za-z0-9_\-]{10,2000}\.eyJ[A-Za-z0-9_\-]{10,4000}\.[A-Za-z0-9_\-]{20,2000})",
        "its issuer: end the session or the grant",
    )
    .reach(8192)
    .check(|context| shape::is_signed_token(context.secret)),
    Rule::form(
        "url-with-password",
        "password in a URL",
        &["://"],
        r#"\b[a-zA-Z][a-zA-Z0-9+.\-]{1,25}://[^\s:/@"'`<>\\?#]{0,100}:([^\s/@"'`<>\\]{3,200})@([A-Za-z0-9\[$\{][^\s/"'`<>]{0,100})"#,
        "the server that it opens",
    )
    .check(named::url_password),
    Rule::form(
        "basic-authorization",
        "Authorization: Basic",
        &["basic"],
        r#"(?i)authorization["']?\s{0,3}[:=,]\s{0,3}["'`]?basic\s+([A-Za-z0-9+/]{12,400}={0,2})"#,
        ISSUER,
    )
    .check(|context| shape::decodes_to_a_pair(context.secret)),
    Rule::form(
        "registry-login",
        "login of a container registry",
        &["\"auth\""],
        r#""auth"\s{0,3}:\s{0,3}"([A-Za-z0-9+/]{12,800}={0,2})""#,
        ISSUER,
    )
    .check(|context| shape::decodes_to_a_pair(context.secret)),
    Rule::near(
        "curl-login",
        "password on a command line",
        &["curl"],
        r#"\bcurl\b[^\n]{0,300}?\s(?:-u|--user)[\s=]{1,2}["']?[^\s:"'$]{1,80}:([^\s"'$<\{]{6,200})"#,
        ISSUER,
    )
    .check(|context| !named::is_sample(context.secret)),
    Rule::near(
        "netrc-password",
        "password in a netrc",
        &["machine"],
        r"\bmachine\s+[\w.\-]+\s+login\s+\S+\s+password\s+(\S{6,200})",
        ISSUER,
    )
    .check(|context| !named::is_sample(context.secret)),
    Rule::near(
        "bearer-token",
        "bearer token",
        &["bearer"],
        r#"(?i)\bbearer\s+([A-Za-z0-9_\-.=~+/]{20,600})"#,
        ISSUER,
    )
    .entropy(3.3)
    .check(|context| shape::looks_random(context.secret)),
    Rule::near(
        "named-secret",
        "value behind a telling name",
        &[
            "passw", "passphrase", "pwd", "secret", "token", "api_key", "apikey", "api-key", "access_key",
            "accesskey", "access-key", "private_key", "privatekey", "encryption_key", "encryptionkey",
            "encryption-key", "signing_key", "signingkey", "signing-key", "auth_key", "authkey", "master_key",
            "masterkey", "account_key", "credential", "license_key", "licensekey", "webhook_key", "deploy_key",
            "_key=", "_key =", "_key:", "salt",
        ],
        r#"(?i)(?P<n>[a-z0-9_.\-]{0,60}(?:passw(?:or)?d|passwd|passphrase|pwd|secret|token|credential|salt|key)[a-z0-9_.\-]{0,30})["'`\]\\]{0,3}(?:\s{0,2}:\s{0,2}&?(?:'static\s)?[a-z]{2,12}\s{0,2})?\s{0,4}(?:=>|:=|==|=|:|,|>|\()\s{0,4}(?:\\?"(?P<s>[^\s"\\]{8,300})\\?"|'(?P<t>[^\s'\\]{8,300})'|`(?P<u>[^\s`\\]{8,300})`|(?P<v>[^\s"'`,;(){}\[\]<>\\]{8,300}))"#,
        ISSUER,
    )
    .check(named::is_secret),
];
