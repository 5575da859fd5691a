//! Lists live as JSON in a text column: both engines have text, and no query looks inside.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Fault;

pub(crate) fn encode<T: Serialize>(list: &[T]) -> Result<String, Fault> {
    serde_json::to_string(list).map_err(|error| Fault::Unreadable(error.to_string()))
}

/// `column` names the place in an error; the value is not repeated.
pub(crate) fn decode<T: DeserializeOwned>(text: &str, column: &str) -> Result<Vec<T>, Fault> {
    serde_json::from_str(text).map_err(|_| Fault::Unreadable(format!("{column} is no list")))
}
