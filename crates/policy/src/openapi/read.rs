//! From text to document, and back to the place of an error.

use super::document::Document;

/// Line, column and what is wrong.
type Position = (Option<u64>, Option<u64>, String);

pub(super) fn read(text: &str, file: &str) -> Result<Document, Position> {
    let as_json = || {
        serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line() as u64, error.column() as u64);
            let whole = error.to_string();
            // serde_json puts the place at the end of its sentence; ours stands in front.
            let problem = whole.split(" at line ").next().unwrap_or(&whole).to_owned();
            (Some(line).filter(|line| *line > 0), Some(column).filter(|_| line > 0), problem)
        })
    };
    let is_yaml_name = file.ends_with(".yaml") || file.ends_with(".yml");
    if text.trim_start().starts_with('{') {
        // YAML may begin with a brace as well; JSON says better what is wrong with JSON.
        return as_json().or_else(|error| if is_yaml_name { as_yaml(text) } else { Err(error) });
    }
    as_yaml(text)
}

fn as_yaml(text: &str) -> Result<Document, Position> {
    // Large public documents have some hundred thousand nodes; the defaults are made for configuration files.
    let mut options = serde_saphyr::Options::default();
    if let Some(budget) = options.budget.as_mut() {
        budget.max_nodes = 5_000_000;
        budget.max_events = 20_000_000;
        budget.max_depth = 128;
    }
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let place = error.location();
        let problem = error.without_snippet().to_string();
        let problem = problem.lines().next().unwrap_or_default().to_owned();
        (place.map(|place| place.line()), place.map(|place| place.column()), problem)
    })
}

pub(super) fn line_at(bytes: &[u8], end: usize) -> u64 {
    1 + bytes.iter().take(end).filter(|byte| **byte == b'\n').count() as u64
}

/// Where the key of a path, and of a method below it, stands: good enough to lead an eye there.
pub(super) fn locate(text: &str, path: &str, method: Option<&str>) -> (Option<u64>, Option<u64>) {
    let method = method.map(str::to_ascii_lowercase);
    let mut found = None;
    for (number, line) in (1..).zip(text.lines()) {
        let trimmed = line.trim_start();
        let column = (line.chars().count() - trimmed.chars().count() + 1) as u64;
        let is_key = |key: &str| {
            let bare = trimmed.trim_start_matches(['"', '\'']);
            bare.strip_prefix(key)
                .is_some_and(|rest| rest.trim_start_matches(['"', '\'']).trim_start().starts_with(':'))
        };
        match (&found, &method) {
            (None, _) if is_key(path) => {
                found = Some((number, column));
                if method.is_none() {
                    break;
                }
            }
            (Some(_), Some(method)) if is_key(method) => {
                found = Some((number, column));
                break;
            }
            _ => {}
        }
    }
    (found.map(|(line, _)| line), found.map(|(_, column)| column))
}
