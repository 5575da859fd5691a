//! `portcullis.toml`, overlaid by the environment.
//!
//! The file is parsed by itself first, so that a mistake in it is shown with file, line and caret; then the
//! variables `PORTCULLIS_SECTION__KEY` are laid over it, each checked by itself, so that a mistake in one
//! names the variable.

pub mod raw;
pub mod secret;
pub mod value;
pub mod waiver;

use ::audit::terminal::printable;
use secret::{LaxMode, Secrets};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

pub use raw::Environment;

/// What is wrong with the configuration; the text names the place and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(
        "cannot read {path}: {error}; name another with --config FILE, or start without one: portcullis dev"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file does not parse, or has a key that does not exist.
    #[error("{path}: {message}")]
    File {
        /// The file.
        path: PathBuf,
        /// Line, column, caret and reason, from the parser.
        message: String,
    },
    /// A variable of the environment does not fit.
    #[error("environment variable {variable}: {message}")]
    Variable {
        /// Its name.
        variable: String,
        /// What is wrong.
        message: String,
    },
    /// A value is impossible, or a needed one is missing.
    #[error("{0}")]
    Invalid(String),
}

/// Variables that begin like configuration and are none.
const NOT_CONFIGURATION: [&str; 2] = ["PORTCULLIS_LOG", "PORTCULLIS_CONFIG"];

/// Where a configuration comes from.
pub struct Source<'a> {
    /// The file; its absence is an error where it was named.
    pub file: Option<&'a Path>,
    /// What holds where the file is silent (`dev`).
    pub defaults: toml::Table,
    /// The folder that paths of the defaults and the environment are relative to.
    pub folder: &'a Path,
    /// The process environment.
    pub environment: &'a BTreeMap<String, String>,
}

/// The configuration, read whole, secrets still where they are kept.
pub struct Configuration {
    /// The keys.
    pub file: raw::File,
    /// The file, where there is one.
    pub path: Option<PathBuf>,
    /// What relative paths are relative to.
    pub folder: PathBuf,
    /// The environment that counts: the configured one, or production where the platform disagrees.
    pub environment: Environment,
    /// What was noticed and is no reason to stop.
    warnings: Mutex<Vec<String>>,
    variables: BTreeMap<String, String>,
}

impl Configuration {
    /// Reads file, defaults and environment.
    pub fn load(source: &Source<'_>) -> Result<Self, ConfigError> {
        let mut table = source.defaults.clone();
        let mut folder = source.folder.to_owned();
        if let Some(path) = source.file {
            let text = std::fs::read_to_string(path)
                .map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?;
            let in_file = |error: toml::de::Error| ConfigError::File {
                path: path.to_owned(),
                message: shown(&text, &error),
            };
            toml::from_str::<raw::File>(&text).map_err(in_file)?;
            merge(&mut table, toml::from_str::<toml::Table>(&text).map_err(in_file)?);
            if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                folder = parent.to_owned();
            } else {
                folder = PathBuf::from(".");
            }
        }
        let table = overlay(table, source.environment)?;
        let file: raw::File = table.try_into().map_err(|error: toml::de::Error| {
            ConfigError::Invalid(format!("the configuration does not fit together: {error}"))
        })?;
        let mut warnings = Vec::new();
        let environment = effective_environment(file.environment, source.environment, &mut warnings);
        Ok(Configuration {
            file,
            path: source.file.map(Path::to_owned),
            folder,
            environment,
            warnings: Mutex::new(warnings),
            variables: source.environment.clone(),
        })
    }

    /// What was noticed so far and is no reason to stop.
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The process environment, as it was given.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// A path of the configuration, from the folder that it is relative to.
    pub fn path(&self, written: &Path) -> PathBuf {
        if written.is_absolute() { written.to_owned() } else { self.folder.join(written) }
    }

    /// The reader of this configuration's secrets.
    pub fn secrets(&self) -> Secrets<'_> {
        Secrets {
            environment: &self.variables,
            lax_mode: match self.environment {
                Environment::Development => LaxMode::Warn,
                Environment::Staging | Environment::Production => LaxMode::Refuse,
            },
            noticed: &self.warnings,
        }
    }
}

/// The parser's words with line and caret; where a secret stands in the line, without the line.
fn shown(text: &str, error: &toml::de::Error) -> String {
    if error.message() != secret::NOT_HERE {
        return in_its_words(error);
    }
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    match key_before(before) {
        Some(key) => format!("line {line}: {key}: {}", error.message()),
        None => format!("line {line}: {}", error.message()),
    }
}

/// The parser's words with line and caret. A key that it names may hold line breaks, which would read as lines of ours.
pub fn in_its_words(error: &toml::de::Error) -> String {
    error.to_string().replace(error.message(), &printable(error.message()))
}

/// The bare key whose value begins where `before` ends. In `{ a = "…", key = ` nothing of what precedes it is repeated.
fn key_before(before: &str) -> Option<&str> {
    let line = before.rsplit('\n').next()?.trim_end().strip_suffix('=')?;
    let key = line.rsplit([',', '{']).next()?.trim();
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (!key.is_empty() && key.chars().all(bare)).then_some(key)
}

/// Lays `over` on `base`: tables key by key, arrays of tables behind one another, all else replaced.
fn merge(base: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(toml::Value::Table(under)), toml::Value::Table(value)) => merge(under, value),
            (Some(toml::Value::Array(under)), toml::Value::Array(value))
                if under.iter().chain(&value).all(toml::Value::is_table) =>
            {
                under.extend(value);
            }
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

fn overlay(table: toml::Table, environment: &BTreeMap<String, String>) -> Result<toml::Table, ConfigError> {
    let mut table = table;
    for (variable, value) in environment {
        let Some(name) = variable.strip_prefix("PORTCULLIS_") else { continue };
        if NOT_CONFIGURATION.contains(&variable.as_str()) || name.starts_with("TEST_") {
            continue;
        }
        let path: Vec<String> = name.split("__").map(str::to_ascii_lowercase).collect();
        table = overlay_one(table, &path, value)
            .map_err(|message| ConfigError::Variable { variable: variable.clone(), message })?;
    }
    Ok(table)
}

/// One variable. Its text is a TOML value where that fits, else a string: `8192`, `["a"]` and `0.0.0.0:80`
/// are all written plainly.
fn overlay_one(table: toml::Table, path: &[String], text: &str) -> Result<toml::Table, String> {
    let as_toml = toml::from_str::<toml::Table>(&format!("v = {text}"))
        .ok()
        .filter(|parsed| parsed.len() == 1)
        .and_then(|mut parsed| parsed.remove("v"));
    let as_text = toml::Value::String(text.to_owned());
    let mut refusal = String::new();
    for value in as_toml.into_iter().chain([as_text]) {
        let mut alone = toml::Table::new();
        insert(&mut alone, path, value.clone())?;
        match alone.try_into::<raw::File>() {
            Ok(_) => {
                let mut whole = table;
                insert(&mut whole, path, value)?;
                return Ok(whole);
            }
            Err(error) => refusal = error.message().to_owned(),
        }
    }
    Err(refusal)
}

fn insert(table: &mut toml::Table, path: &[String], value: toml::Value) -> Result<(), String> {
    match path {
        [] => Err("names no key".to_owned()),
        [key] => {
            table.insert(key.clone(), value);
            Ok(())
        }
        [section, rest @ ..] => {
            match table.entry(section.clone()).or_insert_with(|| toml::Value::Table(toml::Table::new())) {
                toml::Value::Table(inner) => insert(inner, rest, value),
                _ => Err(format!(
                    "`{section}` is no section; an array of tables is one TOML value in one variable"
                )),
            }
        }
    }
}

/// The configured environment, unless the platform says otherwise: then production, the strictest.
fn effective_environment(
    configured: Option<Environment>,
    variables: &BTreeMap<String, String>,
    warnings: &mut Vec<String>,
) -> Environment {
    let configured = configured.unwrap_or(Environment::Production);
    let Some(platform) = variables.get("RAILWAY_ENVIRONMENT_NAME") else { return configured };
    let named = match platform.to_ascii_lowercase().as_str() {
        "dev" | "development" => Some(Environment::Development),
        "stage" | "staging" => Some(Environment::Staging),
        "prod" | "production" => Some(Environment::Production),
        _ => None,
    };
    match named {
        Some(named) if named == configured => configured,
        _ => {
            warnings.push(format!(
                "environment = \"{configured}\", but the platform says `{platform}` (RAILWAY_ENVIRONMENT_NAME): \
                 treated as production until they agree"
            ));
            Environment::Production
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, variables: &[(&str, &str)]) -> Result<Configuration, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("portcullis.toml");
        std::fs::write(&path, text).unwrap();
        let environment = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Configuration::load(&Source {
            file: Some(&path),
            defaults: toml::Table::new(),
            folder: folder.path(),
            environment: &environment,
        })
    }

    #[test]
    fn an_unknown_key_is_shown_with_file_line_and_caret() {
        let error = load("[gateway]\naudience = \"a\"\nopen_api = \"x\"\n", &[]).err().unwrap().to_string();
        for part in ["portcullis.toml", "line 3", "open_api", "^"] {
            assert!(error.contains(part), "{part} is missing from {error}");
        }
    }

    #[test]
    fn a_key_with_line_breaks_forges_no_line() {
        let error = load("\"a\\nportcullis: all is well\" = 1\n", &[]).err().unwrap().to_string();
        assert!(error.contains("all is well"), "{error}");
        assert!(!error.lines().any(|line| line.starts_with("portcullis: all")), "{error}");
    }

    #[test]
    fn a_literal_secret_is_refused_by_its_key_and_not_repeated() {
        for (text, place) in [
            ("[store]\nkey = \"c0ffee\"\n", "line 2: key: "),
            ("[audit]\n  client_secret=\"c0ffee\"\n", "line 2: client_secret: "),
            ("store = { url = \"c0ffee,\", key = \"c0ffee\" }\n", "line 1: key: "),
            ("audit.railway.token = \"c0ffee\"\n", "line 1: audit.railway.token: "),
            ("[store]\n\"key\" = \"c0ffee\"\n", "line 2: a secret does not stand"),
        ] {
            let error = load(text, &[]).err().unwrap().to_string();
            assert!(error.contains(place) && error.contains("env:NAME"), "{error}");
            assert!(!error.contains("c0ffee"), "{error}");
        }
    }

    #[test]
    fn every_key_of_the_documented_file_is_known() {
        load(include_str!("../../tests/data/every-key.toml"), &[]).unwrap();
    }

    #[test]
    fn the_environment_lies_over_the_file() {
        let read = load(
            "[gateway]\naudience = \"https://file\"\n",
            &[
                ("PORTCULLIS_GATEWAY__AUDIENCE", "https://environment"),
                ("PORTCULLIS_GATEWAY__LISTEN", "0.0.0.0:8081"),
                ("PORTCULLIS_GATEWAY__REMEMBERED_TOKENS", "12"),
                ("PORTCULLIS_GATEWAY__FRONTEND_ORIGINS", r#"["https://app.example.com"]"#),
                ("PORTCULLIS_GATEWAY__ROUTE", r#"[{ match = "GET /health", public = "probe" }]"#),
                ("PORTCULLIS_ENVIRONMENT", "staging"),
            ],
        )
        .unwrap();
        let gateway = read.file.gateway.unwrap();
        assert_eq!(gateway.audience.unwrap(), "https://environment");
        assert_eq!(gateway.listen.unwrap().port(), 8081);
        assert_eq!(gateway.remembered_tokens, Some(12));
        assert_eq!(gateway.frontend_origins.unwrap(), ["https://app.example.com"]);
        assert_eq!(gateway.route.unwrap().len(), 1);
        assert_eq!(read.environment, Environment::Staging);
    }

    #[test]
    fn a_text_that_looks_like_a_number_stays_text_where_text_is_wanted() {
        let read = load("", &[("PORTCULLIS_GATEWAY__AUDIENCE", "12345")]).unwrap();
        assert_eq!(read.file.gateway.unwrap().audience.unwrap(), "12345");
    }

    #[test]
    fn a_wrong_variable_is_named() {
        for (variable, value) in [
            ("PORTCULLIS_GATEWAY__AUDIENC", "x"),
            ("PORTCULLIS_ENVIROMENT", "production"),
            ("PORTCULLIS_GATEWAY__REMEMBERED_TOKENS", "many"),
            ("PORTCULLIS_ENVIRONMENT__DEEPER", "x"),
        ] {
            let error = load("", &[(variable, value)]).err().unwrap().to_string();
            assert!(error.contains(variable), "{error}");
        }
    }

    #[test]
    fn a_platform_that_disagrees_means_production() {
        let agreed = load("environment = \"staging\"", &[("RAILWAY_ENVIRONMENT_NAME", "staging")]).unwrap();
        assert_eq!((agreed.environment, agreed.warnings().len()), (Environment::Staging, 0));
        let torn =
            load("environment = \"development\"", &[("RAILWAY_ENVIRONMENT_NAME", "production")]).unwrap();
        assert_eq!((torn.environment, torn.warnings().len()), (Environment::Production, 1));
        let unknown =
            load("environment = \"development\"", &[("RAILWAY_ENVIRONMENT_NAME", "pr-12")]).unwrap();
        assert_eq!(unknown.environment, Environment::Production);
        assert_eq!(load("", &[]).unwrap().environment, Environment::Production);
    }

    #[test]
    fn defaults_give_way_key_by_key_and_routes_add_up() {
        let mut base =
            toml::from_str::<toml::Table>("a = 1\n[g]\nx = 1\ny = 2\n[[g.route]]\nm = 1\n").unwrap();
        merge(&mut base, toml::from_str("[g]\ny = 3\n[[g.route]]\nm = 2\n").unwrap());
        let merged = toml::from_str::<toml::Table>(
            "a = 1\n[g]\nx = 1\ny = 3\n[[g.route]]\nm = 1\n[[g.route]]\nm = 2\n",
        );
        assert_eq!(base, merged.unwrap());
    }
}
