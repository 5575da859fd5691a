//! One file a command. Each reads its arguments, asks the rooms, and prints.

pub mod api;
pub mod app;
pub mod apply;
pub mod audit;
pub mod backup;
pub mod check;
pub mod completions;
pub mod console;
pub mod database;
pub mod dev;
pub mod explain;
pub mod init;
pub mod key;
pub mod probe;
pub mod role;
pub mod scan;
pub mod serve;
pub mod signing_keys;
pub mod token;
pub mod user;
pub mod verify;

use crate::config::ConfigError;
use std::collections::BTreeMap;

/// The process environment, read once in `main`.
pub type Environment = BTreeMap<String, String>;

/// Why a command did not do its work; the text is for the person who called it.
#[derive(Debug)]
pub struct CommandError {
    /// What is wrong, and the remedy.
    pub message: String,
    /// The exit code: 2 usage or configuration, 1 anything else, 70 a fault of ours.
    pub code: u8,
}

impl CommandError {
    /// The caller can mend it.
    pub fn usage(message: impl Into<String>) -> Self {
        CommandError { message: message.into(), code: 2 }
    }

    /// It failed.
    pub fn failed(message: impl Into<String>) -> Self {
        CommandError { message: message.into(), code: 1 }
    }
}

impl From<ConfigError> for CommandError {
    fn from(error: ConfigError) -> Self {
        CommandError::usage(error.to_string())
    }
}

impl From<crate::wiring::store::StoreError> for CommandError {
    fn from(error: crate::wiring::store::StoreError) -> Self {
        match error {
            crate::wiring::store::StoreError::Configuration(error) => error.into(),
            fault @ crate::wiring::store::StoreError::Fault(_) => CommandError::failed(fault.to_string()),
        }
    }
}

impl From<admin::Error> for CommandError {
    fn from(error: admin::Error) -> Self {
        if error.is_fault() {
            CommandError::failed(error.to_string())
        } else {
            CommandError::usage(error.to_string())
        }
    }
}

impl From<store::Fault> for CommandError {
    fn from(fault: store::Fault) -> Self {
        CommandError::failed(format!("store: {fault}"))
    }
}

/// Says on standard error what is wrong. A message may repeat what a stranger's file says: none of that moves the cursor,
/// colours what follows, or forges a line that is not marked as ours.
pub fn complain(message: &str) {
    for line in message.lines() {
        eprintln!("portcullis: {}", ::audit::terminal::printable(line));
    }
}

/// Prints to standard output; a reader that went away (`| head`) is no error.
pub fn print(text: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Prints a value as one line of JSON.
pub fn print_json(value: &impl serde::Serialize) -> Result<(), CommandError> {
    let text = serde_json::to_string(value).map_err(|error| CommandError::failed(error.to_string()))?;
    print(&format!("{text}\n"));
    Ok(())
}

/// The store of an installation, for administration: it may be the very first to open it.
pub async fn administered(
    place: &crate::command_line::Where,
    environment: &Environment,
) -> Result<(crate::wiring::installation::Installation, store::Store), CommandError> {
    let installation = crate::wiring::installation::Installation::find(place, environment)?;
    if !crate::wiring::store::has_store(&installation.configuration) {
        return Err(CommandError::usage(
            "this installation has no store: its users and applications are the foreign issuer's",
        ));
    }
    let store = crate::wiring::store::open(&installation.configuration, installation.dev.is_none()).await?;
    Ok((installation, store))
}

/// Prints a result of administration: JSON for programs, one `name: value` a line for people.
pub fn show(place: &crate::command_line::Where, value: &impl serde::Serialize) -> Result<(), CommandError> {
    if place.json {
        return print_json(value);
    }
    let value = serde_json::to_value(value).map_err(|error| CommandError::failed(error.to_string()))?;
    let serde_json::Value::Object(fields) = value else { return print_json(&value) };
    print_fields(fields);
    Ok(())
}

/// One `name: value` a line, without those that say nothing.
pub fn print_fields(fields: impl IntoIterator<Item = (String, serde_json::Value)>) {
    let rows: Vec<Vec<String>> = fields
        .into_iter()
        .filter(|(_, value)| !is_empty(value))
        .map(|(name, value)| {
            let value = plain(&name, &value);
            vec![name, value]
        })
        .collect();
    print(&columns(&rows));
}

/// Prints a list: JSON for programs, one row each with these fields for people.
pub fn show_list(
    place: &crate::command_line::Where,
    values: &impl serde::Serialize,
    fields: &[&str],
) -> Result<(), CommandError> {
    if place.json {
        return print_json(values);
    }
    let values = serde_json::to_value(values).map_err(|error| CommandError::failed(error.to_string()))?;
    let mut rows =
        vec![fields.iter().map(|field| field.to_uppercase().replace('_', " ")).collect::<Vec<_>>()];
    rows.extend(
        values
            .as_array()
            .into_iter()
            .flatten()
            .map(|value| fields.iter().map(|field| plain(field, &value[*field])).collect()),
    );
    print(&columns(&rows));
    Ok(())
}

fn is_empty(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Null => true,
        serde_json::Value::Array(items) => items.is_empty(),
        serde_json::Value::String(text) => text.is_empty(),
        _ => false,
    }
}

/// A value as a person reads it; `name` tells times from other numbers.
fn plain(name: &str, value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "-".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(items) => items
            .iter()
            .map(|item| plain("", item))
            .collect::<Vec<_>>()
            .join(if items.iter().any(serde_json::Value::is_object) { ", " } else { " " }),
        serde_json::Value::Object(fields) => {
            let values: Vec<String> = fields
                .iter()
                .filter(|(_, value)| !is_empty(value))
                .map(|(name, value)| plain(name, value))
                .collect();
            values.join(" ")
        }
        serde_json::Value::Number(number) if name.ends_with("_at") => number.as_u64().map_or_else(
            || number.to_string(),
            |at| {
                humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + std::time::Duration::from_secs(at))
                    .to_string()
            },
        ),
        other => other.to_string(),
    }
}

/// Reads a secret from a file, or from standard input where the file is `-`; one end of line is not part of it.
pub fn read_secret(path: &std::path::Path) -> Result<secrecy::SecretString, CommandError> {
    let text = if path == std::path::Path::new("-") {
        std::io::read_to_string(std::io::stdin())
            .map_err(|error| CommandError::usage(format!("standard input: {error}")))?
    } else {
        std::fs::read_to_string(path)
            .map_err(|error| CommandError::usage(format!("cannot read {}: {error}", path.display())))?
    };
    Ok(text.trim_end_matches(['\r', '\n']).into())
}

/// Rows of text in columns, for people.
pub fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count)
        .map(|column| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_line_up() {
        let rows = [
            vec!["GET".to_owned(), "/é".to_owned(), "x".to_owned()],
            vec!["DELETE".to_owned(), "/a".to_owned()],
        ];
        assert_eq!(super::columns(&rows), "GET     /é  x\nDELETE  /a\n");
    }

    #[test]
    fn values_read_well() {
        for (name, value, text) in [
            ("created_at", serde_json::json!(0), "1970-01-01T00:00:00Z"),
            ("uses", serde_json::json!(3), "3"),
            ("scopes", serde_json::json!(["a", "b"]), "a b"),
            (
                "apis",
                serde_json::json!([{ "api": "x", "scopes": ["a"] }, { "api": "y", "scopes": [] }]),
                "x a, y",
            ),
            ("last_used_at", serde_json::Value::Null, "-"),
        ] {
            assert_eq!(super::plain(name, &value), text);
        }
    }
}
