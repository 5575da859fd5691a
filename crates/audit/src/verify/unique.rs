//! JSON in which no object has a name twice (RFC 8259 section 4).

use std::collections::BTreeSet;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// Whether every name stands once, at every depth.
pub(super) fn check(json: &[u8]) -> Result<(), String> {
    serde_json::from_slice::<Unique>(json).map(|Unique| ()).map_err(|error| error.to_string())
}

/// Any value, looked through and not kept.
struct Unique;

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Looking)
    }
}

struct Looking;

impl<'de> Visitor<'de> for Looking {
    type Value = Unique;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_str<E>(self, _: &str) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_unit<E>(self) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Unique, A::Error> {
        while items.next_element::<Unique>()?.is_some() {}
        Ok(Unique)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Unique, A::Error> {
        let mut names = BTreeSet::new();
        while let Some(name) = members.next_key::<String>()? {
            members.next_value::<Unique>()?;
            if let Some(twice) = names.replace(name) {
                return Err(A::Error::custom(format!("the member {twice:?} stands twice in one object")));
            }
        }
        Ok(Unique)
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_name_twice_is_found_at_every_depth_and_in_every_spelling() {
        for good in ["{}", "[1, -2, 1.5, \"a\", null, true, {\"a\": {\"a\": 1}}]"] {
            check(good.as_bytes()).unwrap();
        }
        for bad in ["{\"a\":1,\"a\":1}", "[{\"b\":{\"a\":1,\"\\u0061\":2}}]", "{} {}", "{\"a\":1", ""] {
            assert!(check(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
