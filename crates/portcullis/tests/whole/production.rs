//! `environment = "production"`: what development only warns of refuses to start, and says what to do.

use std::os::unix::fs::PermissionsExt as _;

use crate::served::{AUDIENCE, Laid};

const PRODUCTION: (&str, &str) = ("environment = \"development\"", "environment = \"production\"");

/// A configuration that starts in production.
async fn sound() -> Laid {
    let laid = Laid::out("").await;
    laid.edit(PRODUCTION.0, PRODUCTION.1);
    laid.run(&["api", "create", "--identifier", AUDIENCE, "--scope", "read:notes"]).await.expect(0);
    laid
}

/// It does not start, `check` says the same, and both name the thing and the remedy.
async fn is_refused(laid: &Laid, what: &str, says: &[&str]) {
    for command in ["serve", "check"] {
        let output = laid.run(&[command]).await;
        let said = format!("{}{}", output.stdout, output.stderr);
        assert_eq!(output.code, Some(2), "{command} with {what}: {said}");
        for part in says {
            assert!(said.contains(part), "{command} with {what} does not say `{part}`: {said}");
        }
    }
}

#[tokio::test]
async fn what_development_warns_of_refuses_to_start() {
    let laid = sound().await;
    let text = std::fs::read_to_string(laid.file()).unwrap();
    let far = format!("issuer = \"{}\"", laid.issuer);
    for (what, edit, says) in [
        (
            "an issuer over http",
            (far.as_str(), "issuer = \"http://auth.example.com/\""),
            &["identity.issuer", "http://auth.example.com/", "https"][..],
        ),
        (
            "a scope that no API knows",
            ("scopes = [\"read:notes\"]", "scopes = [\"read:secrets\"]"),
            &["GET /notes", "read:secrets", "portcullis api update", "--add-scope read:secrets"],
        ),
        (
            "an operation without a rule",
            ("audience = ", "openapi = \"openapi.yaml\"\naudience = "),
            &["GET /forgotten", "[[gateway.route]]"],
        ),
        (
            "tokens that live for longer than a day",
            ("[identity.session]", "access_token_lifetime = \"25h\"\n[identity.session]"),
            &["access_token_lifetime", "24"],
        ),
        (
            "a short shortest password",
            ("[identity.session]", "passwords = { minimum_length = 14 }\n[identity.session]"),
            &["identity.passwords.minimum_length", "15"],
        ),
        (
            "a secret in the configuration",
            ("key_encryption_key_file = \"kek\"", "key_encryption_key = \"c0ffee-c0ffee\""),
            &["portcullis.toml", "line ", "env:NAME"],
        ),
    ] {
        std::fs::write(laid.path("openapi.yaml"), FORGOTTEN).unwrap();
        std::fs::write(laid.file(), &text).unwrap();
        laid.edit(edit.0, edit.1);
        is_refused(&laid, what, says).await;
    }
    std::fs::write(laid.file(), &text).unwrap();
    laid.start().await.stop().await;
}

/// An operation that its author gave no `security`.
const FORGOTTEN: &str = r#"
openapi: 3.0.3
info: { title: Notes, version: "1" }
paths:
  /forgotten:
    get:
      responses: { "200": { description: nobody thought of it } }
"#;

#[tokio::test]
async fn a_key_that_others_may_read_refuses_to_start() {
    let laid = sound().await;
    let kek = laid.path("kek");
    for mode in [0o644, 0o640, 0o604] {
        std::fs::set_permissions(&kek, std::fs::Permissions::from_mode(mode)).unwrap();
        let output = laid.run(&["serve"]).await.expect(2);
        for part in ["kek", &format!("{mode:04o}"), "chmod 600"] {
            assert!(output.stderr.contains(part), "{part}: {}", output.stderr);
        }
    }
    std::fs::set_permissions(&kek, std::fs::Permissions::from_mode(0o600)).unwrap();
    laid.start().await.stop().await;
}

#[tokio::test]
async fn nothing_said_means_production() {
    let laid = sound().await;
    laid.edit(PRODUCTION.1, "");
    laid.edit("scopes = [\"read:notes\"]", "scopes = [\"read:secrets\"]");
    is_refused(&laid, "no environment", &["read:secrets"]).await;
}
