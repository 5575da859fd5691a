//! JSON as tokens and keys want it: member names must differ (RFC 7515 section 4, RFC 7519 section 4) and
//! nesting is bounded, both found in the one pass that reads the text. The error never quotes the text, which
//! may be somebody's claims.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Objects and arrays within each other, the outermost counted. An honest token needs four or five.
pub const MAXIMUM_NESTING: usize = 16;

/// From this many members on, names are looked up in a set: an unsigned header of thousands of names must not
/// cost their square.
const FEW: usize = 24;

/// Why a text was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON in UTF-8, or something behind it.
    #[error("not valid JSON")]
    Syntax,
    /// The outermost value is no object.
    #[error("not a JSON object")]
    NotAnObject,
    /// A member name occurs twice in one object, at whatever depth.
    #[error("a member name occurs twice in one object")]
    DoubledMember,
    /// Nesting over [`MAXIMUM_NESTING`].
    #[error("nested deeper than {MAXIMUM_NESTING}")]
    TooDeep,
}

/// Reads an object and gives each member to `take`, in the text's order.
pub(crate) fn members<E: From<JsonError>>(
    text: &[u8],
    take: impl FnMut(&str, Value) -> Result<(), E>,
) -> Result<(), E> {
    let fault = Cell::new(None);
    let mut refusal = None;
    let mut reader = serde_json::Deserializer::from_slice(text);
    let visitor = Members { fault: &fault, refusal: &mut refusal, take };
    let read = reader.deserialize_any(visitor).and_then(|()| reader.end());
    match (read, refusal) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(refusal)) => Err(refusal),
        (Err(_), None) => Err(fault.take().unwrap_or(JsonError::Syntax).into()),
    }
}

/// Reads a whole object as a value, under the same rules.
pub(crate) fn object(text: &[u8]) -> Result<Map<String, Value>, JsonError> {
    let mut object = Map::new();
    members(text, |name, value| {
        object.insert(name.to_owned(), value);
        Ok::<(), JsonError>(())
    })?;
    Ok(object)
}

/// The outermost object.
struct Members<'a, E, F> {
    fault: &'a Cell<Option<JsonError>>,
    refusal: &'a mut Option<E>,
    take: F,
}

impl<'de, E, F: FnMut(&str, Value) -> Result<(), E>> Visitor<'de> for Members<'_, E, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut names = Names::default();
        while let Some(name) = map.next_key_seed(Name)? {
            let value = map.next_value_seed(Strict { depth: 1, fault: self.fault })?;
            if names.contains(&name) {
                return Err(refuse(self.fault, JsonError::DoubledMember));
            }
            if let Err(refusal) = (self.take)(&name, value) {
                *self.refusal = Some(refusal);
                return Err(A::Error::custom("refused"));
            }
            names.insert(name);
        }
        Ok(())
    }

    fn visit_bool<X: serde::de::Error>(self, _: bool) -> Result<(), X> {
        Err(refuse(self.fault, JsonError::NotAnObject))
    }
    fn visit_i64<X: serde::de::Error>(self, _: i64) -> Result<(), X> {
        Err(refuse(self.fault, JsonError::NotAnObject))
    }
    fn visit_u64<X: serde::de::Error>(self, _: u64) -> Result<(), X> {
        Err(refuse(self.fault, JsonError::NotAnObject))
    }
    fn visit_f64<X: serde::de::Error>(self, _: f64) -> Result<(), X> {
        Err(refuse(self.fault, JsonError::NotAnObject))
    }
    fn visit_str<X: serde::de::Error>(self, _: &str) -> Result<(), X> {
        Err(refuse(self.fault, JsonError::NotAnObject))
    }
    fn visit_unit<X: serde::de::Error>(self) -> Result<(), X> {
        Err(refuse(self.fault, JsonError::NotAnObject))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(refuse(self.fault, JsonError::NotAnObject))
    }
}

fn refuse<X: serde::de::Error>(fault: &Cell<Option<JsonError>>, why: JsonError) -> X {
    fault.set(Some(why));
    X::custom(why)
}

/// The names seen in one object.
#[derive(Default)]
struct Names<'t> {
    few: Vec<Cow<'t, str>>,
    many: HashSet<Cow<'t, str>>,
}

impl<'t> Names<'t> {
    fn contains(&self, name: &str) -> bool {
        self.few.iter().any(|seen| seen == name) || (!self.many.is_empty() && self.many.contains(name))
    }

    fn insert(&mut self, name: Cow<'t, str>) {
        if self.few.len() < FEW {
            if self.few.capacity() == 0 {
                self.few.reserve_exact(FEW);
            }
            self.few.push(name);
        } else {
            self.many.insert(name);
        }
    }
}

/// A member name: borrowed from the text unless it holds escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_borrowed_str<X>(self, name: &'de str) -> Result<Cow<'de, str>, X> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<X>(self, name: &str) -> Result<Cow<'de, str>, X> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

/// Any value, `depth` objects and arrays around it.
#[derive(Clone, Copy)]
struct Strict<'a> {
    depth: usize,
    fault: &'a Cell<Option<JsonError>>,
}

impl<'a> Strict<'a> {
    fn within<X: serde::de::Error>(self) -> Result<Strict<'a>, X> {
        if self.depth >= MAXIMUM_NESTING {
            return Err(refuse(self.fault, JsonError::TooDeep));
        }
        Ok(Strict { depth: self.depth + 1, fault: self.fault })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<X>(self) -> Result<Value, X> {
        Ok(Value::Null)
    }

    fn visit_bool<X>(self, value: bool) -> Result<Value, X> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<X>(self, value: i64) -> Result<Value, X> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<X>(self, value: u64) -> Result<Value, X> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<X: serde::de::Error>(self, value: f64) -> Result<Value, X> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| refuse(self.fault, JsonError::Syntax))
    }

    fn visit_str<X>(self, value: &str) -> Result<Value, X> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<X>(self, value: String) -> Result<Value, X> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let within = self.within()?;
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(within)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let within = self.within()?;
        let mut object = Map::new();
        while let Some(name) = map.next_key_seed(Name)? {
            let value = map.next_value_seed(within)?;
            if object.insert(name.into_owned(), value).is_some() {
                return Err(refuse(self.fault, JsonError::DoubledMember));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize) -> String {
        let mut text = "1".to_owned();
        for level in 0..levels {
            text = if level % 2 == 0 { format!("{{\"a\":{text}}}") } else { format!("[{text}]") };
        }
        if levels % 2 == 1 { text } else { format!("{{\"a\":{text}}}") }
    }

    #[test]
    fn table() {
        use JsonError::{DoubledMember, NotAnObject, Syntax};
        let cases: [(&str, Result<usize, JsonError>); 22] = [
            ("{}", Ok(0)),
            (" { \"a\" : 1 } ", Ok(1)),
            (r#"{"a":{"x":1},"b":{"x":1}}"#, Ok(2)),
            (r#"{"a":1,"a":1}"#, Err(DoubledMember)),
            (r#"{"a":1,"\u0061":1}"#, Err(DoubledMember)),
            (r#"{"b":[{"a":1,"c":2,"a":3}]}"#, Err(DoubledMember)),
            (r#"{"a":1}x"#, Err(Syntax)),
            (r#"{"a":1}{}"#, Err(Syntax)),
            (r#"{"a":1,}"#, Err(Syntax)),
            (r#"{"a":01}"#, Err(Syntax)),
            (r#"{"a":1e999}"#, Err(Syntax)),
            (r#"{"a":NaN}"#, Err(Syntax)),
            (r#"{"a":"\ud800"}"#, Err(Syntax)),
            ("{'a':1}", Err(Syntax)),
            ("{\"a\":\"\n\"}", Err(Syntax)),
            ("", Err(Syntax)),
            ("\u{feff}{}", Err(Syntax)),
            ("[]", Err(NotAnObject)),
            ("\"x\"", Err(NotAnObject)),
            ("null", Err(NotAnObject)),
            ("-1", Err(NotAnObject)),
            ("1.5", Err(NotAnObject)),
        ];
        for (text, expected) in cases {
            assert_eq!(object(text.as_bytes()).map(|object| object.len()), expected, "{text:?}");
        }
        assert_eq!(object(b"{\"a\":\"\xff\"}"), Err(Syntax));
        assert_eq!(object(b"{\"a\":\"\xc0\xaf\"}"), Err(Syntax));
    }

    #[test]
    fn nesting_ends_at_sixteen() {
        assert!(object(nested(15).as_bytes()).is_ok());
        assert_eq!(object(nested(17).as_bytes()), Err(JsonError::TooDeep));
        let sixteen = format!("{{\"a\":{}{}}}", "[".repeat(15), "]".repeat(15));
        assert!(object(sixteen.as_bytes()).is_ok());
        let seventeen = format!("{{\"a\":{}{}}}", "[".repeat(16), "]".repeat(16));
        assert_eq!(object(seventeen.as_bytes()), Err(JsonError::TooDeep));
        assert_eq!(object(format!("{{\"a\":{}", "[".repeat(16_000)).as_bytes()), Err(JsonError::TooDeep));
    }

    #[test]
    fn many_names_are_all_told_apart() {
        let text = |last: &str| {
            let mut text = "{".to_owned();
            for i in 0..100 {
                text.push_str(&format!("\"n{i}\":0,"));
            }
            text + &format!("\"{last}\":0}}")
        };
        assert_eq!(object(text("n100").as_bytes()).map(|object| object.len()), Ok(101));
        for twice in ["n0", "n23", "n24", "n25", "n99"] {
            assert_eq!(object(text(twice).as_bytes()), Err(JsonError::DoubledMember), "{twice}");
        }
    }
}
