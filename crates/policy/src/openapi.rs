//! OpenAPI 3.0, 3.1, 3.2 and Swagger 2.0, as far as they say who may call what.
//!
//! Read are `paths`, `servers` (`basePath`), `security`, `securitySchemes` (`securityDefinitions`), `operationId` and
//! the examples of path parameters. Schemas are not looked at, so a document that is wrong there serves as well.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use crate::openapi_text::{Entries, Loose, Paths, Text};
use crate::pattern::{Pattern, PatternError};
use crate::rule::{Method, Rule, RuleSource};
use crate::scope::Scope;
use crate::security::{Scheme, ScopeUse, Security, note_use, requirement};
use crate::server::{Server, base_path, base_paths};

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

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    openapi: Option<Text>,
    swagger: Option<Text>,
    base_path: Option<Text>,
    servers: Option<Vec<Server>>,
    security: Option<Vec<Security>>,
    paths: Option<Paths<Option<PathItem>>>,
    components: Option<Components>,
    security_definitions: Option<Entries<Scheme>>,
    parameters: Option<Entries<Loose>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Components {
    security_schemes: Option<Entries<Scheme>>,
    parameters: Option<Entries<Loose>>,
    path_items: Option<Entries<PathItem>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct PathItem {
    #[serde(rename = "$ref")]
    reference: Option<String>,
    get: Option<Operation>,
    put: Option<Operation>,
    post: Option<Operation>,
    delete: Option<Operation>,
    options: Option<Operation>,
    head: Option<Operation>,
    patch: Option<Operation>,
    trace: Option<Operation>,
    /// OpenAPI 3.2
    query: Option<Operation>,
    #[serde(rename = "additionalOperations")]
    additional: Option<Entries<Operation>>,
    servers: Option<Vec<Server>>,
    parameters: Option<Vec<Loose>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Operation {
    operation_id: Option<Text>,
    security: Option<Vec<Security>>,
    servers: Option<Vec<Server>>,
    parameters: Option<Vec<Loose>>,
}

impl PathItem {
    fn operations(&self) -> impl Iterator<Item = (&str, &Operation)> {
        let fixed = [
            ("GET", &self.get),
            ("PUT", &self.put),
            ("POST", &self.post),
            ("DELETE", &self.delete),
            ("OPTIONS", &self.options),
            ("HEAD", &self.head),
            ("PATCH", &self.patch),
            ("TRACE", &self.trace),
            ("QUERY", &self.query),
        ];
        let fixed = fixed.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?)));
        fixed.chain(self.additional.iter().flat_map(Entries::iter))
    }

    /// A referenced item with what stands beside the reference put over it (OpenAPI 3.1 allows both).
    fn over(&self, referenced: &Self) -> Self {
        let (own, other) = (self.clone(), referenced.clone());
        Self {
            reference: other.reference,
            get: own.get.or(other.get),
            put: own.put.or(other.put),
            post: own.post.or(other.post),
            delete: own.delete.or(other.delete),
            options: own.options.or(other.options),
            head: own.head.or(other.head),
            patch: own.patch.or(other.patch),
            trace: own.trace.or(other.trace),
            query: own.query.or(other.query),
            additional: own.additional.or(other.additional),
            servers: own.servers.or(other.servers),
            parameters: own.parameters.or(other.parameters),
        }
    }
}

/// References that lead on to references: more than this is a circle.
const MAXIMUM_REFERENCES: usize = 16;

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
                document.add(&mut read, path, &item, method, operation).map_err(|problem| {
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

impl Document {
    fn check_version(&self) -> Result<(), String> {
        let (name, version) = match (&self.openapi, &self.swagger) {
            (Some(version), _) => ("openapi", version.as_str()),
            (None, Some(version)) => ("swagger", version.as_str()),
            (None, None) => return Err("neither openapi nor swagger says which version this is".into()),
        };
        let known = match name {
            "openapi" => ["3.0", "3.1", "3.2"].iter().any(|known| {
                version
                    .strip_prefix(known)
                    .is_some_and(|patch| patch.is_empty() || patch.starts_with(['.', '-']))
            }),
            _ => matches!(version, "2.0" | "2"),
        };
        if known {
            Ok(())
        } else {
            Err(format!("{name} {version:?} is not a version that is understood (2.0, 3.0, 3.1, 3.2)"))
        }
    }

    fn schemes(&self) -> impl Iterator<Item = (&str, &Scheme)> {
        let components = self.components.as_ref().and_then(|components| components.security_schemes.as_ref());
        components.into_iter().chain(&self.security_definitions).flat_map(Entries::iter)
    }

    fn scheme(&self, name: &str) -> Result<Scheme, String> {
        let mut name = name.to_owned();
        for _ in 0..MAXIMUM_REFERENCES {
            let found = self.schemes().find(|(known, _)| *known == name).map(|(_, scheme)| scheme);
            let scheme = found.ok_or_else(|| format!("there is no security scheme {name:?}"))?;
            let Some(reference) = &scheme.reference else { return Ok(scheme.clone()) };
            name = local(reference, "#/components/securitySchemes/")?;
        }
        Err(format!("security scheme {name:?} refers to itself"))
    }

    fn resolve(&self, mut item: PathItem) -> Result<PathItem, String> {
        for _ in 0..MAXIMUM_REFERENCES {
            let Some(reference) = item.reference.take() else { return Ok(item) };
            let missing = || format!("$ref {reference:?} leads nowhere");
            let referenced = if reference.starts_with("#/paths/") {
                let path = local(&reference, "#/paths/")?;
                let paths = self.paths.iter().flat_map(|paths| &paths.0);
                paths.into_iter().find(|(known, _)| *known == path).and_then(|(_, item)| item.as_ref())
            } else {
                let name = local(&reference, "#/components/pathItems/")?;
                let items = self.components.as_ref().and_then(|components| components.path_items.as_ref());
                items.and_then(|items| items.find(&name))
            };
            item = item.over(referenced.ok_or_else(missing)?);
        }
        Err("its $ref leads in a circle".into())
    }

    /// Adds the rules of one operation.
    fn add(
        &self,
        read: &mut OpenApi,
        path: &str,
        item: &PathItem,
        method: &str,
        operation: &Operation,
    ) -> Result<(), String> {
        let method = Method::parse(method).map_err(|error| error.to_string())?;
        let security = operation.security.as_deref().or(self.security.as_deref());
        let (requirement, meant_for) = requirement(security, |name| self.scheme(name))?;
        let examples = self.examples(item, operation);
        let operation_id = operation.operation_id.as_ref().map(|id| id.0.clone()).filter(|id| !id.is_empty());
        for base in self.bases(item, operation)? {
            let whole = if path == "/" && !base.is_empty() { base } else { format!("{base}{path}") };
            let pattern = match Pattern::parse(&whole) {
                Ok(pattern) => pattern,
                Err(error @ (PatternError::NeverMatches { .. } | PatternError::NotAPath { .. })) => {
                    let unreachable =
                        Unreachable { operation: format!("{method} {path}"), why: error.to_string() };
                    if !read.unreachable.contains(&unreachable) {
                        read.unreachable.push(unreachable);
                    }
                    continue;
                }
                Err(error) => return Err(error.to_string()),
            };
            read.rules.push(Rule {
                method: method.clone(),
                pattern,
                requirement: requirement.clone(),
                source: RuleSource::OpenApi {
                    file: read.file.clone(),
                    operation_id: operation_id.clone(),
                    operation: format!("{method} {path}"),
                },
                examples: examples.clone(),
                meant_for,
            });
        }
        Ok(())
    }

    /// The paths of the nearest `servers`: the operation's, else the path's, else the document's.
    fn bases(&self, item: &PathItem, operation: &Operation) -> Result<Vec<String>, String> {
        if let (Some(base), None) = (&self.base_path, &self.openapi) {
            return Ok(vec![base_path(base.as_str())?]);
        }
        let nearest = [&operation.servers, &item.servers, &self.servers];
        match nearest.into_iter().flatten().find(|servers| !servers.is_empty()) {
            Some(servers) => base_paths(servers),
            None => Ok(vec![String::new()]),
        }
    }

    /// Path parameters with an example; those of the operation go before those of the path.
    fn examples(&self, item: &PathItem, operation: &Operation) -> BTreeMap<String, String> {
        let mut examples = BTreeMap::new();
        for parameter in item.parameters.iter().chain(&operation.parameters).flatten() {
            let referenced =
                parameter.member("$ref").and_then(Loose::text).and_then(|text| self.parameter(text));
            let parameter = referenced.unwrap_or(parameter);
            let name = parameter.member("name").and_then(Loose::text);
            let in_path = parameter.member("in").and_then(Loose::text) == Some("path");
            if let (true, Some(name), Some(example)) = (in_path, name, example(parameter)) {
                examples.insert(name.to_owned(), example.to_owned());
            }
        }
        examples
    }

    fn parameter(&self, reference: &str) -> Option<&Loose> {
        if let Ok(name) = local(reference, "#/components/parameters/") {
            return self.components.as_ref()?.parameters.as_ref()?.find(&name);
        }
        self.parameters.as_ref()?.find(&local(reference, "#/parameters/").ok()?)
    }
}

/// `example`, the first of `examples`, or what the schema has instead. Swagger 2.0 has the schema's members beside.
fn example(parameter: &Loose) -> Option<&str> {
    let direct = parameter.member("example").or_else(|| parameter.member("x-example")).and_then(Loose::text);
    let named = || parameter.member("examples")?.first()?.member("value")?.text();
    direct
        .or_else(named)
        .or_else(|| schema_example(parameter.member("schema")?))
        .or_else(|| schema_example(parameter))
}

fn schema_example(schema: &Loose) -> Option<&str> {
    let direct = schema.member("example").and_then(Loose::text);
    let listed = || schema.member("examples")?.first()?.text();
    let default = || schema.member("default")?.text();
    let value = || schema.member("enum")?.first()?.text();
    direct.or_else(listed).or_else(default).or_else(value)
}

/// The name that a reference into this document ends in (RFC 6901 and percent encoding undone).
fn local(reference: &str, prefix: &str) -> Result<String, String> {
    let Some(name) = reference.strip_prefix(prefix) else {
        return Err(if reference.starts_with('#') {
            format!("$ref {reference:?} does not begin with {prefix}")
        } else {
            format!("$ref {reference:?} leads to another file: bundle the document into one")
        });
    };
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let digit = |at: usize| behind.get(at).and_then(|b| char::from(*b).to_digit(16));
        match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.extend(u8::try_from(high * 16 + low));
                rest = &behind[2..];
            }
            _ => {
                bytes.push(byte);
                rest = behind;
            }
        }
    }
    Ok(String::from_utf8_lossy(&bytes).replace("~1", "/").replace("~0", "~"))
}

type Position = (Option<u64>, Option<u64>, String);

fn read(text: &str, file: &str) -> Result<Document, Position> {
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

fn line_at(bytes: &[u8], end: usize) -> u64 {
    1 + bytes.iter().take(end).filter(|byte| **byte == b'\n').count() as u64
}

/// Where the key of a path, and of a method below it, stands: good enough to lead an eye there.
fn locate(text: &str, path: &str, method: Option<&str>) -> (Option<u64>, Option<u64>) {
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
