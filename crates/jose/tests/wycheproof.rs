//! Project Wycheproof's vectors for JWS and JWK (Apache-2.0). They are not in this repository: the folder comes
//! from `WYCHEPROOF_DIR`, else `../shared/vectors` beside the workspace. Our own vectors of every class are in
//! `refusals.rs` and always run.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use jose::{Algorithm, KeyPolicy, KeySet, verify};
use serde_json::{Value, json};

#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    refused: usize,
    accepted: usize,
    /// Valid, of an algorithm that is not known here (HMAC), so refused all the same.
    unknown_algorithm: usize,
    wrongly_accepted: Vec<u64>,
    wrongly_refused: Vec<(u64, String)>,
}

impl Count {
    fn say(&self, what: &str) {
        let Self { refused, accepted, unknown_algorithm, .. } = self;
        say(&format!(
            "wycheproof {what}: {refused} invalid refused, {accepted} valid accepted, \
             {unknown_algorithm} valid of an unknown algorithm (HMAC) refused"
        ));
    }
}

/// Straight to standard error: what `eprintln!` says in a passing test is swallowed.
fn say(text: &str) {
    let mut out = std::io::stderr();
    out.write_all(format!("{text}\n").as_bytes()).unwrap();
}

#[test]
fn signatures() {
    let Some(vectors) = read("json_web_signature_test.json") else { return };
    let count = run(&vectors, |key| json!({ "keys": [key] }));
    count.say("signatures");
    let expected = Count { refused: 355, accepted: 36, unknown_algorithm: 10, ..Count::default() };
    assert_eq!(count, expected);
}

#[test]
fn keys() {
    let Some(vectors) = read("json_web_key_test.json") else { return };
    let count = run(&vectors, Value::clone);
    count.say("keys");
    let expected = Count { refused: 21, accepted: 1, unknown_algorithm: 4, ..Count::default() };
    assert_eq!(count, expected);
}

/// A bad key set must be refused for itself, not because some token of it happens not to verify.
#[test]
fn bad_asymmetric_key_sets_do_not_parse() {
    let Some(vectors) = read("json_web_key_test.json") else { return };
    let mut refused = Vec::new();
    for group in vectors["testGroups"].as_array().unwrap() {
        let Some(keys) = group.get("public") else { continue };
        if group["tests"].as_array().unwrap().iter().all(|test| test["result"] == "invalid") {
            let parsed = KeySet::parse(keys.to_string().as_bytes(), &KeyPolicy::FOREIGN);
            assert!(parsed.is_err(), "{}", group["comment"]);
            refused.push(group["comment"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(refused.len(), 10, "{refused:?}");
}

fn run(vectors: &Value, set: impl Fn(&Value) -> Value) -> Count {
    let mut count = Count::default();
    for group in vectors["testGroups"].as_array().unwrap() {
        let keys = set(group.get("public").unwrap_or(&group["private"]));
        let keys = KeySet::parse(keys.to_string().as_bytes(), &KeyPolicy::FOREIGN);
        for test in group["tests"].as_array().unwrap() {
            let id = test["tcId"].as_u64().unwrap();
            // The one case of JSON serialisation is an object in the file; as text it is what would be sent.
            let token = test["jws"].as_str().map_or_else(|| test["jws"].to_string(), str::to_owned);
            let outcome = keys
                .as_ref()
                .map_err(ToString::to_string)
                .and_then(|keys| verify(&token, keys).map_err(|error| error.to_string()));
            match (test["result"].as_str().unwrap(), outcome) {
                ("invalid", Err(_)) => count.refused += 1,
                ("invalid", Ok(_)) => count.wrongly_accepted.push(id),
                ("valid", Ok(_)) => count.accepted += 1,
                ("valid", Err(_)) if !is_known(group) => count.unknown_algorithm += 1,
                ("valid", Err(error)) => count.wrongly_refused.push((id, error)),
                (result, _) => panic!("case {id} has the result {result:?}"),
            }
        }
    }
    count
}

/// Whether the group's key is of an algorithm of ours; `ES521` is Wycheproof's spelling of ES512.
fn is_known(group: &Value) -> bool {
    let key = group.get("public").unwrap_or(&group["private"]);
    let key = key.get("keys").map_or(key, |keys| &keys[0]);
    key["kty"] != "oct" || key["alg"].as_str().is_some_and(|alg| Algorithm::parse(alg).is_some())
}

fn read(name: &str) -> Option<Value> {
    let Some(path) = folder().map(|folder| folder.join(name)) else {
        say(&format!(
            "\n{0}\nNOT RUN: Wycheproof's {name} is not here.\n\
             Set WYCHEPROOF_DIR to a folder that holds it (github.com/C2SP/wycheproof, testvectors).\n{0}",
            "=".repeat(90)
        ));
        return None;
    };
    let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Some(serde_json::from_slice(&text).unwrap())
}

#[expect(clippy::disallowed_methods, reason = "a test is told by the environment where vectors are")]
fn folder() -> Option<PathBuf> {
    if let Ok(folder) = std::env::var("WYCHEPROOF_DIR") {
        return Some(folder.into());
    }
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    beside.is_dir().then_some(beside)
}
