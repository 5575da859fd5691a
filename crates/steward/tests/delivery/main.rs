//! Delivery to real files and programs, and to strict stubs of Railway's and Kubernetes's APIs.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod commands;
mod configuration;
mod files;
mod kubernetes;
mod railway;

use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};
use steward::Credential;
use steward::delivery::{DeliveryFault, Place, WrittenPlace};

/// What a reference to a secret is in these tests: its text. The configuration's reader has a type of its own.
type Written = WrittenPlace<String>;

/// The place that `secret = TABLE` means.
fn place(table: &str) -> Place {
    written(table).place(Path::new("/etc/portcullis"), Some("railway-token".into())).unwrap()
}

fn written(table: &str) -> Written {
    #[derive(serde::Deserialize)]
    struct Database {
        secret: Written,
    }
    toml::from_str::<Database>(&format!("secret = {table}")).unwrap_or_else(|error| panic!("{error}")).secret
}

const PASSWORD: &str = "Zq3-vR8_tY5-wE2_uI9-oP6_aS4-dF7_gH1-jK0_xC3"; // portcullis:allow of these tests

fn credential(generation: i64) -> Credential {
    let url = "postgres://app_b@db.railway.internal:5432/app?sslmode=require";
    let password = SecretString::from(format!("{PASSWORD}{generation}"));
    Credential { generation, ..Credential::from_url(url, Some(&password)).unwrap() }
}

#[track_caller]
fn same(found: Option<Credential>, expected: &Credential) {
    let found = found.unwrap_or_else(|| panic!("nothing stands there"));
    assert_eq!(found.to_json().expose_secret(), expected.to_json().expose_secret());
}

/// A fault names the place and says something, and never the secret.
#[track_caller]
fn without_secret(fault: &DeliveryFault) -> String {
    let text = format!("{fault} {fault:?}");
    assert!(!text.contains(PASSWORD) && !text.contains("railway-token"), "{text}");
    assert!(!fault.reason.is_empty() && text.contains(&fault.place), "{text}");
    fault.to_string()
}
