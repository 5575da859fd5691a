//! What stands in JSON: documents, arrays and composite values of a database, and JSON that is a text within JSON, as logs and
//! outboxes keep it. A copy of a password there is as good as the column that it came from (CWE-312, CWE-916).

use serde_json::{Map, Value};

use super::{Shape, names_a_password, shape};

/// How many times JSON may be a text within JSON; what is deeper is a text.
const DEEPEST: usize = 8;
/// Members that hold the hash where the member or column around them is a password's.
const HASHES: [&str; 5] = ["hash", "value", "digest", "encoded", "verifier"];

/// One text of a password, or one that is a hash by its look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Leaf {
    /// A hash of a known format; its salt is not counted, since a copy of a hash has its salt.
    Hash(Shape),
    /// A bare digest, and whether a member for a salt stands beside it.
    Bare { salted: bool },
    /// A password in clear, or in a form that can be turned back.
    Clear,
}

/// What a value looks like inside; none where it is no JSON.
pub(super) fn leaves(value: &[u8], named: bool) -> Option<Vec<Leaf>> {
    let mut found = Vec::new();
    within(value, named, 0, &mut found).then_some(found)
}

/// Whether it is JSON, and what was in it.
fn within(text: &[u8], named: bool, depth: usize, found: &mut Vec<Leaf>) -> bool {
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    if depth >= DEEPEST || !matches!(first, Some(b'{' | b'[' | b'"')) {
        return false;
    }
    let Ok(json) = serde_json::from_slice::<Value>(text) else { return false };
    walk(&json, named, false, depth, found);
    true
}

fn walk(json: &Value, named: bool, salted: bool, depth: usize, found: &mut Vec<Leaf>) {
    match json {
        Value::Object(members) => {
            let salted = has_a_salt(members);
            for (name, value) in members {
                let hash = named && HASHES.iter().any(|known| name.eq_ignore_ascii_case(known));
                walk(value, names_a_password(name) || hash, salted, depth, found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| walk(value, named, salted, depth, found)),
        Value::String(text) if !within(text.as_bytes(), named, depth + 1, found) => {
            match shape(text.as_bytes()) {
                shape @ (Shape::Strong { .. } | Shape::Weak { .. }) => found.push(Leaf::Hash(shape)),
                Shape::Bare(_) if named => found.push(Leaf::Bare { salted }),
                Shape::Other if named && !text.is_empty() => found.push(Leaf::Clear),
                Shape::Bare(_) | Shape::Other => {}
            }
        }
        _ => {}
    }
}

fn has_a_salt(members: &Map<String, Value>) -> bool {
    members.keys().any(|name| name.to_lowercase().contains("salt") && !names_a_password(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRONG: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$aGFzaA"; // portcullis:allow a hash of this test
    const MD5: &str = "5f4dcc3b5aa765d61d8327deb882cf99";

    fn seen(json: &Value) -> Vec<Leaf> {
        leaves(json.to_string().as_bytes(), false).unwrap()
    }

    #[test]
    fn a_password_is_found_at_any_depth() {
        use serde_json::json;
        assert_eq!(seen(&json!({"user": {"password": "hunter2"}})), [Leaf::Clear]);
        assert_eq!(seen(&json!([{"user": {"password_hash": MD5}}])), [Leaf::Bare { salted: false }]);
        assert_eq!(seen(&json!({"password": MD5, "salt": "x"})), [Leaf::Bare { salted: true }]);
        assert_eq!(seen(&json!({"passwords": [MD5]})), [Leaf::Bare { salted: false }]);
        assert_eq!(
            seen(&json!({"password": {"hash": MD5, "algorithm": "md5"}})),
            [Leaf::Bare { salted: false }]
        );
        let text = json!({"after": json!({"passwd": MD5}).to_string()}).to_string();
        assert_eq!(seen(&json!({"body": text})), [Leaf::Bare { salted: false }]);
        assert!(matches!(&seen(&json!({"x": "$1$abcdefgh$hash"}))[..], [Leaf::Hash(Shape::Weak { .. })]));
        assert!(matches!(&seen(&json!({"password": STRONG}))[..], [Leaf::Hash(Shape::Strong { .. })]));
    }

    #[test]
    fn what_is_no_passwords_is_left_alone() {
        use serde_json::json;
        assert!(
            seen(&json!({"etag": MD5, "password_changed_at": "2026", "password": null, "pass": 3}))
                .is_empty()
        );
        assert_eq!(leaves(b"{not JSON", true), None);
        assert_eq!(leaves(b"hunter2", true), None);
        // A column's own name is that of its only text, and of each member of its list.
        assert_eq!(leaves(format!("\"{MD5}\"").as_bytes(), true), Some(vec![Leaf::Bare { salted: false }]));
        assert_eq!(leaves(br#" ["hunter2"]"#, true), Some(vec![Leaf::Clear]));
    }

    #[test]
    fn texts_within_texts_end_somewhere() {
        let mut text = serde_json::json!({"password": "hunter2"}).to_string();
        for _ in 0..DEEPEST {
            text = serde_json::json!([text]).to_string();
        }
        assert_eq!(leaves(text.as_bytes(), false), Some(Vec::new()));
    }
}
