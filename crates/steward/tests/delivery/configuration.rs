//! The table `secret = { … }`.

use std::path::Path;

use steward::delivery::{Place, VariableValue};

use crate::{place, written};

const IDS: &str = r#"project = "p-1", environment = "e-1", service = "s-1""#;

#[test]
fn each_of_the_four_is_read() {
    assert_eq!(place(r#"{ file = "data/db.json" }"#).to_string(), "the file /etc/portcullis/data/db.json");
    let Place::Command(command) = place(r#"{ command = ["bin/put", "x"], timeout = "5s" }"#) else {
        panic!()
    };
    assert_eq!(command.words, ["/etc/portcullis/bin/put", "x"]);
    assert_eq!(command.timeout.as_secs(), 5);
    let Place::Railway(railway) = place(&format!(
        r#"{{ railway = {{ token = "env:T", {IDS}, redeploy = ["s-1", "s-2"], administrator = {{ service = "s-9", variable = "POSTGRES_PASSWORD" }} }} }}"#
    )) else {
        panic!()
    };
    assert_eq!((railway.variable.as_str(), railway.redeploy.len()), ("DATABASE_URL", 2));
    assert_eq!(railway.api, "https://backboard.railway.com/graphql/v2");
    assert_eq!(railway.administrator.unwrap().value, VariableValue::Password);
    let Place::Kubernetes(kubernetes) = place(r#"{ kubernetes = { secret = "backend-db" } }"#) else {
        panic!()
    };
    assert_eq!((kubernetes.key.as_str(), kubernetes.namespace), ("credential.json", None));
    assert_eq!(kubernetes.api, "https://kubernetes.default.svc");
    assert_eq!(kubernetes.token_file, Path::new("/var/run/secrets/kubernetes.io/serviceaccount/token"));
}

#[test]
fn the_token_is_named_for_whoever_resolves_it() {
    let by_reference = written(&format!(r#"{{ railway = {{ token = "env:T", {IDS} }} }}"#));
    assert_eq!(by_reference.token(), (None, Some(&"env:T".to_owned())));
    let by_file = written(&format!(r#"{{ railway = {{ token_file = "token", {IDS} }} }}"#));
    assert_eq!(by_file.token(), (Some(Path::new("token")), None));
    assert_eq!(written(r#"{ file = "x" }"#).token(), (None, None));
    let missing = by_file.place(Path::new("/"), None).unwrap_err().to_string();
    assert!(missing.contains("token_file"), "{missing}");
    // Nothing repeats what stands where a secret may stand.
    let printed = format!("{:?}", place(&format!(r#"{{ railway = {{ token = "x", {IDS} }} }}"#)));
    assert!(!printed.contains("railway-token"), "{printed}");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for (table, word) in [
        ("{}", "exactly one"),
        (r#"{ file = "a", command = ["b"] }"#, "exactly one"),
        (r#"{ file = "a", timeout = "5s" }"#, "timeout"),
        (r#"{ file = "/" }"#, "file"),
        ("{ command = [] }", "program"),
        (r#"{ command = [""] }"#, "program"),
        (r#"{ command = ["a"], timeout = "0s" }"#, "no time"),
        (r#"{ railway = { token = "t", project = "p/../x", environment = "e", service = "s" } }"#, "id"),
        (r#"{ railway = { token = "t", project = "p", environment = "", service = "s" } }"#, "id"),
        (
            r#"{ railway = { token = "t", project = "p", environment = "e", service = "s", variable = "A-B" } }"#,
            "variable",
        ),
        (
            r#"{ railway = { token = "t", project = "p", environment = "e", service = "s", api = "http://api.example/" } }"#,
            "https",
        ),
        (
            r#"{ railway = { token = "t", project = "p", environment = "e", service = "s", administrator = { variable = "DATABASE_URL" } } }"#,
            "administrator",
        ),
        (r#"{ kubernetes = { secret = "../../nodes" } }"#, "no name"),
        (r#"{ kubernetes = { secret = "Upper" } }"#, "no name"),
        (r#"{ kubernetes = { secret = "s", namespace = "a/b" } }"#, "no name"),
        (r#"{ kubernetes = { secret = "s", key = "../x" } }"#, "no key"),
        (r#"{ kubernetes = { secret = "s", url_key = "credential.json" } }"#, "the same"),
        (r#"{ kubernetes = { secret = "s", api = "http://10.0.0.1" } }"#, "https"),
        (r#"{ kubernetes = { secret = "s", api = "http://localhost.evil.example" } }"#, "https"),
    ] {
        let error = written(table).place(Path::new("/etc"), Some("t".into())).unwrap_err().to_string();
        assert!(error.contains(word), "{table}: {error}");
    }
}

#[test]
fn a_key_nobody_knows_is_refused() {
    for table in [
        r#"{ fiel = "a" }"#,
        r#"{ kubernetes = { secret = "s", kee = "x" } }"#,
        r#"{ railway = { token = "t", project = "p", environment = "e", service = "s", skip = true } }"#,
        r#"{ command = ["a"], timeout = "soon" }"#,
    ] {
        assert!(toml::from_str::<toml::Table>(&format!("secret = {table}")).is_ok(), "{table}");
        assert!(
            toml::from_str::<std::collections::BTreeMap<String, crate::Written>>(&format!(
                "secret = {table}"
            ))
            .is_err(),
            "{table}"
        );
    }
}
