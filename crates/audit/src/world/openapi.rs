//! The auditor's own reader of OpenAPI 2.0, 3.0 and 3.1: paths, servers, security, and example values of path
//! parameters. It shares nothing with the gateway's, so a mistake there shows here as a difference.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::config::{Access, Caller};

/// An operation of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    /// Upper case.
    pub(crate) method: String,
    /// With the server's path before it.
    pub(crate) path: String,
    pub(crate) access: Access,
    /// Example values of path parameters.
    pub(crate) examples: BTreeMap<String, String>,
}

/// Reads the operations of a document.
pub(crate) fn read(path: &Path) -> Result<Vec<Operation>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    parse(&text).map_err(|error| format!("{}: {error}", path.display()))
}

type Security = Vec<BTreeMap<String, Vec<String>>>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    #[serde(default)]
    servers: Vec<Server>,
    #[serde(default)]
    base_path: String,
    #[serde(default)]
    paths: BTreeMap<String, PathItem>,
    security: Option<Security>,
    #[serde(default)]
    components: Components,
    #[serde(default)]
    security_definitions: BTreeMap<String, Scheme>,
    #[serde(default)]
    parameters: BTreeMap<String, Parameter>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Components {
    security_schemes: BTreeMap<String, Scheme>,
    parameters: BTreeMap<String, Parameter>,
}

#[derive(Deserialize)]
struct Server {
    #[serde(default)]
    url: String,
    #[serde(default)]
    variables: BTreeMap<String, Variable>,
}

#[derive(Deserialize)]
struct Variable {
    #[serde(default)]
    default: Value,
}

#[derive(Deserialize)]
struct PathItem {
    servers: Option<Vec<Server>>,
    #[serde(default)]
    parameters: Vec<Parameter>,
    get: Option<Operation_>,
    put: Option<Operation_>,
    post: Option<Operation_>,
    delete: Option<Operation_>,
    options: Option<Operation_>,
    head: Option<Operation_>,
    patch: Option<Operation_>,
    trace: Option<Operation_>,
}

#[derive(Deserialize)]
#[serde(rename = "Operation")]
struct Operation_ {
    servers: Option<Vec<Server>>,
    #[serde(default)]
    parameters: Vec<Parameter>,
    security: Option<Security>,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
struct Parameter {
    #[serde(rename = "$ref")]
    reference: Option<String>,
    name: String,
    r#in: String,
    example: Value,
    examples: BTreeMap<String, Example>,
    schema: Schema,
    // 2.0 puts the schema's members here.
    default: Value,
    r#enum: Vec<Value>,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
struct Example {
    value: Value,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
struct Schema {
    example: Value,
    examples: Value,
    default: Value,
    r#enum: Vec<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Scheme {
    r#type: String,
    scheme: String,
    flow: String,
    flows: BTreeMap<String, serde::de::IgnoredAny>,
}

impl Scheme {
    /// Whose tokens it stands for; none grants nothing (an API key, Basic, mutual TLS).
    fn caller(&self) -> Option<Caller> {
        match self.r#type.as_str() {
            "oauth2" => {
                let flows: Vec<&str> =
                    self.flows.keys().map(String::as_str).chain([self.flow.as_str()]).collect();
                let client = flows.iter().any(|flow| matches!(*flow, "clientCredentials" | "application"));
                let user = flows.iter().any(|flow| {
                    matches!(
                        *flow,
                        "authorizationCode" | "implicit" | "password" | "accessCode" | "deviceAuthorization"
                    )
                });
                match (client, user) {
                    (true, true) => Some(Caller::Any),
                    (true, false) => Some(Caller::Client),
                    _ => Some(Caller::User),
                }
            }
            "openIdConnect" => Some(Caller::User),
            "http" if self.scheme.eq_ignore_ascii_case("bearer") => Some(Caller::User),
            _ => None,
        }
    }
}

fn parse(text: &str) -> Result<Vec<Operation>, String> {
    let document: Document = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| error.to_string())?
    } else {
        serde_saphyr::from_str(text).map_err(|error| error.to_string())?
    };
    let mut operations = Vec::new();
    for (path, item) in &document.paths {
        for (method, operation) in item.operations() {
            let servers = operation.servers.as_ref().or(item.servers.as_ref()).unwrap_or(&document.servers);
            let prefix = servers.first().map_or_else(|| document.base_path.clone(), Server::path);
            let security = operation.security.as_ref().or(document.security.as_ref());
            let examples = item
                .parameters
                .iter()
                .chain(&operation.parameters)
                .filter_map(|parameter| document.resolve(parameter))
                .filter(|parameter| parameter.r#in == "path")
                .filter_map(|parameter| Some((parameter.name.clone(), parameter.value()?)))
                .collect();
            operations.push(Operation {
                method: method.to_owned(),
                path: format!("{}{path}", prefix.trim_end_matches('/')),
                access: document.access(security),
                examples,
            });
        }
    }
    Ok(operations)
}

impl Document {
    fn resolve(&self, parameter: &Parameter) -> Option<Parameter> {
        let Some(reference) = &parameter.reference else { return Some(parameter.clone()) };
        let name = reference.rsplit('/').next()?;
        self.components.parameters.get(name).or_else(|| self.parameters.get(name)).cloned()
    }

    /// Alternatives of `security` are OR, members AND; what names no scope of a token grants nothing.
    fn access(&self, security: Option<&Security>) -> Access {
        let mut alternatives = Vec::new();
        let mut callers = BTreeSet::new();
        for requirement in security.into_iter().flatten() {
            let mut scopes = BTreeSet::new();
            let mut caller = None;
            let mut grants = true;
            for (name, wanted) in requirement {
                let scheme = self
                    .components
                    .security_schemes
                    .get(name)
                    .or_else(|| self.security_definitions.get(name));
                match scheme.and_then(Scheme::caller) {
                    Some(kind) => {
                        scopes.extend(wanted.iter().cloned());
                        // Two schemes of one alternative: the narrower kind binds.
                        caller = Some(caller.map_or(kind, |other: Caller| other.min(kind)));
                    }
                    None => grants = false,
                }
            }
            if let (true, false, Some(caller)) = (grants, scopes.is_empty(), caller) {
                alternatives.push(scopes.into_iter().collect());
                callers.insert(caller);
            }
        }
        let caller = match callers.len() {
            0 => return Access::Denied,
            1 => callers.into_iter().next().unwrap_or(Caller::Any),
            _ => Caller::Any,
        };
        Access::Scopes { alternatives, caller }
    }
}

impl PathItem {
    fn operations(&self) -> impl Iterator<Item = (&'static str, &Operation_)> {
        [
            ("GET", &self.get),
            ("PUT", &self.put),
            ("POST", &self.post),
            ("DELETE", &self.delete),
            ("OPTIONS", &self.options),
            ("HEAD", &self.head),
            ("PATCH", &self.patch),
            ("TRACE", &self.trace),
        ]
        .into_iter()
        .filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
    }
}

impl Server {
    /// The path of the server's URL, variables replaced by their defaults.
    fn path(&self) -> String {
        let mut url = self.url.clone();
        for (name, variable) in &self.variables {
            url = url.replace(&format!("{{{name}}}"), &scalar(&variable.default).unwrap_or_default());
        }
        match url.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or_else(String::new, |slash| rest[slash..].to_owned()),
            None => format!("/{}", url.trim_start_matches('/')),
        }
    }
}

impl Parameter {
    fn value(&self) -> Option<String> {
        scalar(&self.example)
            .or_else(|| self.examples.values().find_map(|example| scalar(&example.value)))
            .or_else(|| scalar(&self.schema.example))
            .or_else(|| self.schema.examples.as_array().and_then(|all| all.iter().find_map(scalar)))
            .or_else(|| scalar(&self.schema.default))
            .or_else(|| self.schema.r#enum.iter().find_map(scalar))
            .or_else(|| scalar(&self.default))
            .or_else(|| self.r#enum.iter().find_map(scalar))
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = "
openapi: 3.1.0
servers: [{url: 'https://api.example.com/v1'}]
security: [{users: ['read:orders']}]
paths:
  /orders/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: integer, example: 7}}]
    get: {responses: {200: {description: fine}}}
    delete: {security: [{users: ['delete:orders']}, {machines: ['delete:orders']}]}
    put: {security: [{key: []}]}
    patch: {security: []}
  /reports:
    post: {security: [{machines: ['run:reports']}]}
components:
  securitySchemes:
    users: {type: oauth2, flows: {authorizationCode: {scopes: {}}}}
    machines: {type: oauth2, flows: {clientCredentials: {tokenUrl: x}}}
    key: {type: apiKey, in: header, name: API-Key}
";

    #[test]
    fn operations_with_their_scopes_and_callers() {
        let operations = parse(YAML).unwrap();
        let find = |method: &str, path: &str| {
            operations
                .iter()
                .find(|o| o.method == method && o.path == path)
                .unwrap_or_else(|| panic!("{path}"))
        };
        let scopes = |scopes: &[&str], caller| Access::Scopes {
            alternatives: scopes.iter().map(|scope| vec![(*scope).to_owned()]).collect(),
            caller,
        };
        assert_eq!(find("GET", "/v1/orders/{id}").access, scopes(&["read:orders"], Caller::User));
        assert_eq!(find("GET", "/v1/orders/{id}").examples["id"], "7");
        assert_eq!(
            find("DELETE", "/v1/orders/{id}").access,
            scopes(&["delete:orders", "delete:orders"], Caller::Any)
        );
        assert_eq!(find("PUT", "/v1/orders/{id}").access, Access::Denied);
        assert_eq!(find("PATCH", "/v1/orders/{id}").access, Access::Denied);
        assert_eq!(find("POST", "/v1/reports").access, scopes(&["run:reports"], Caller::Client));
    }

    #[test]
    fn swagger_two_has_a_base_path_and_definitions() {
        let operations = parse(
            r#"{"swagger": "2.0", "basePath": "/v2", "paths": {"/pet/{petId}": {"get": {
                "security": [{"petstore_auth": ["read:pets"]}],
                "parameters": [{"name": "petId", "in": "path", "type": "integer", "default": 3}]}}},
              "securityDefinitions": {"petstore_auth": {"type": "oauth2", "flow": "implicit"}}}"#,
        )
        .unwrap();
        assert_eq!(operations[0].path, "/v2/pet/{petId}");
        assert_eq!(operations[0].examples["petId"], "3");
        assert!(matches!(operations[0].access, Access::Scopes { caller: Caller::User, .. }));
    }

    #[test]
    fn what_does_not_parse_says_where() {
        assert!(parse("{\"paths\": 1}").is_err());
    }
}
