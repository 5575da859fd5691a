//! The members of a document that are read, and what they refer to.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::text::{Entries, Loose, Paths, Text};
use crate::security::{Scheme, Security};
use crate::server::{Server, base_path, base_paths};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    openapi: Option<Text>,
    swagger: Option<Text>,
    base_path: Option<Text>,
    servers: Option<Vec<Server>>,
    pub(super) security: Option<Vec<Security>>,
    pub(super) paths: Option<Paths<Option<PathItem>>>,
    components: Option<Components>,
    security_definitions: Option<Entries<Scheme>>,
    parameters: Option<Entries<Loose>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Components {
    security_schemes: Option<Entries<Scheme>>,
    parameters: Option<Entries<Loose>>,
    path_items: Option<Entries<PathItem>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct PathItem {
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
pub(super) struct Operation {
    pub(super) operation_id: Option<Text>,
    pub(super) security: Option<Vec<Security>>,
    servers: Option<Vec<Server>>,
    parameters: Option<Vec<Loose>>,
}

impl PathItem {
    pub(super) fn operations(&self) -> impl Iterator<Item = (&str, &Operation)> {
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

impl Document {
    pub(super) fn check_version(&self) -> Result<(), String> {
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

    pub(super) fn schemes(&self) -> impl Iterator<Item = (&str, &Scheme)> {
        let components = self.components.as_ref().and_then(|components| components.security_schemes.as_ref());
        components.into_iter().chain(&self.security_definitions).flat_map(Entries::iter)
    }

    pub(super) fn scheme(&self, name: &str) -> Result<Scheme, String> {
        let mut name = name.to_owned();
        for _ in 0..MAXIMUM_REFERENCES {
            let found = self.schemes().find(|(known, _)| *known == name).map(|(_, scheme)| scheme);
            let scheme = found.ok_or_else(|| format!("there is no security scheme {name:?}"))?;
            let Some(reference) = &scheme.reference else { return Ok(scheme.clone()) };
            name = local(reference, "#/components/securitySchemes/")?;
        }
        Err(format!("security scheme {name:?} refers to itself"))
    }

    pub(super) fn resolve(&self, mut item: PathItem) -> Result<PathItem, String> {
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

    /// The paths of the nearest `servers`: the operation's, else the path's, else the document's.
    pub(super) fn bases(&self, item: &PathItem, operation: &Operation) -> Result<Vec<String>, String> {
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
    pub(super) fn examples(&self, item: &PathItem, operation: &Operation) -> BTreeMap<String, String> {
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

    pub(super) fn parameter(&self, reference: &str) -> Option<&Loose> {
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
