//! OpenAPI 3.0, 3.1, 3.2 and Swagger 2.0, as far as they say who may call what.
//!
//! Read are `paths`, `servers` (`basePath`), `security`, `securitySchemes` (`securityDefinitions`), `operationId` and
//! the examples of path parameters. Schemas are not looked at, so a document that is wrong there serves as well.

use std::collections::BTreeMap;
use std::fmt;

use crate::pattern::{Pattern, PatternError};
use crate::rule::{Method, Rule, RuleSource};
use crate::scope::Scope;
use crate::security::{ScopeUse, note_use, requirement};

mod document;
mod read;
pub(crate) mod text;

use document::{Document, Operation, PathItem};
use read::{line_at, locate, read};

/// A document that was read and found consistent.
#[derive(Debug, Clone)]
pub struct OpenApi {
    file: String,
    rules: Vec<Rule>,
    unreachable: Vec<Unreachable>,
    scopes: BTreeMap<Scope, ScopeUse>,
}

/// An operation that no request reaches, as the gateway answers 400 to its path before any rule is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreachable {
    /// Method and path as the document has them.
    pub operation: String,
    /// Why, in words.
    pub why: String,
}

/// What is wrong with a document, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenApiError {
    /// The file's name as it was given.
    pub file: String,
    /// From 1, where known.
    pub line: Option<u64>,
    /// From 1, where known.
    pub column: Option<u64>,
    /// In words; names the operation where it is one's fault.
    pub problem: String,
}

impl fmt::Display for OpenApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
            if let Some(column) = self.column {
                write!(f, ":{column}")?;
            }
        }
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for OpenApiError {}

impl OpenApi {
    /// Reads a document, JSON when it begins with a brace, else YAML.
    ///
    /// # Errors
    /// When it cannot be read, is of another version, names an unknown security scheme or scope, or refers to another
    /// file: with line and column where they can be had.
    pub fn parse(bytes: &[u8], file: &str) -> Result<Self, OpenApiError> {
        let error = |line, column, problem| OpenApiError { file: file.to_owned(), line, column, problem };
        let text = std::str::from_utf8(bytes)
            .map_err(|e| error(Some(line_at(bytes, e.valid_up_to())), None, "not UTF-8".to_owned()))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let document = read(text, file).map_err(|(line, column, problem)| error(line, column, problem))?;
        document.check_version().map_err(|problem| error(None, None, problem))?;
        let mut read = Self {
            file: file.to_owned(),
            rules: Vec::new(),
            unreachable: Vec::new(),
            scopes: BTreeMap::new(),
        };
        for (path, item) in document.paths.iter().flat_map(|paths| &paths.0) {
            let item = item.clone().unwrap_or_default();
            let at_path = |problem| {
                let (line, column) = locate(text, path, None);
                error(line, column, format!("{path}: {problem}"))
            };
            let item = document.resolve(item).map_err(at_path)?;
            for (method, operation) in item.operations() {
                read.add(&document, path, &item, method, operation).map_err(|problem| {
                    let (line, column) = locate(text, path, Some(method));
                    let id = operation
                        .operation_id
                        .as_ref()
                        .map(|id| format!(" ({})", id.as_str()))
                        .unwrap_or_default();
                    error(line, column, format!("{method} {path}{id}: {problem}"))
                })?;
            }
        }
        for (_, scheme) in document.schemes() {
            for (name, description) in scheme.declared() {
                if let Ok(scope) = Scope::parse(name) {
                    let noted = read.scopes.entry(scope).or_default();
                    if noted.description.is_empty() {
                        description.clone_into(&mut noted.description);
                    }
                }
            }
        }
        let mut scopes = std::mem::take(&mut read.scopes);
        read.rules.iter().for_each(|rule| note_use(&mut scopes, rule));
        read.scopes = scopes;
        Ok(read)
    }

    /// The name under which the document was read.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// One rule for each operation and path of `servers`, in the order of the document.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Operations whose path no request reaches, for `check` to name.
    #[must_use]
    pub fn unreachable(&self) -> &[Unreachable] {
        &self.unreachable
    }

    /// Every scope that the document declares or uses, and who may use it by the document's own rules.
    #[must_use]
    pub fn scopes(&self) -> &BTreeMap<Scope, ScopeUse> {
        &self.scopes
    }

    /// The examples of path parameters of each endpoint (`GET /v2/pets/{id}`) that has some.
    #[must_use]
    pub fn path_examples(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        let with_examples = self.rules.iter().filter(|rule| !rule.examples.is_empty());
        with_examples.map(|rule| (rule.endpoint(), rule.examples.clone())).collect()
    }
}

impl OpenApi {
    /// Adds the rules of one operation.
    fn add(
        &mut self,
        document: &Document,
        path: &str,
        item: &PathItem,
        method: &str,
        operation: &Operation,
    ) -> Result<(), String> {
        let method = Method::parse(method).map_err(|error| error.to_string())?;
        let security = operation.security.as_deref().or(document.security.as_deref());
        let (requirement, meant_for) = requirement(security, |name| document.scheme(name))?;
        let examples = document.examples(item, operation);
        let operation_id = operation.operation_id.as_ref().map(|id| id.0.clone()).filter(|id| !id.is_empty());
        for base in document.bases(item, operation)? {
            let whole = if path == "/" && !base.is_empty() { base } else { format!("{base}{path}") };
            let pattern = match Pattern::parse(&whole) {
                Ok(pattern) => pattern,
                Err(error @ (PatternError::NeverMatches { .. } | PatternError::NotAPath { .. })) => {
                    let unreachable =
                        Unreachable { operation: format!("{method} {path}"), why: error.to_string() };
                    if !self.unreachable.contains(&unreachable) {
                        self.unreachable.push(unreachable);
                    }
                    continue;
                }
                Err(error) => return Err(error.to_string()),
            };
            self.rules.push(Rule {
                method: method.clone(),
                pattern,
                requirement: requirement.clone(),
                source: RuleSource::OpenApi {
                    file: self.file.clone(),
                    operation_id: operation_id.clone(),
                    operation: format!("{method} {path}"),
                },
                examples: examples.clone(),
                meant_for,
            });
        }
        Ok(())
    }
}
