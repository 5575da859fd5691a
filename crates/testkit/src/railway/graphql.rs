//! As much of GraphQL as the stub needs to refuse what Railway would refuse: one operation with variables, checked
//! against a schema.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// A field: its arguments and its type.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) arguments: &'static [(&'static str, &'static str)],
    pub(super) kind: &'static str,
}

/// An object or input type and its fields.
pub(super) type Schema = &'static [(&'static str, &'static [Field])];

/// A field as it was asked for.
#[derive(Debug)]
pub(super) struct Selection {
    alias: String,
    pub(super) name: String,
    /// The arguments with the variables' values in their places.
    pub(super) arguments: Map<String, Value>,
    fields: Vec<Selection>,
}

/// An operation that fits the schema.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) fields: Vec<Selection>,
}

impl Selection {
    /// What was asked for of a value, under the names that were asked for.
    pub(super) fn put(&self, value: &Value, into: &mut Map<String, Value>) {
        into.insert(self.alias.clone(), self.project(value));
    }

    fn project(&self, value: &Value) -> Value {
        match value {
            Value::Array(items) => items.iter().map(|item| self.project(item)).collect(),
            Value::Object(object) if !self.fields.is_empty() => {
                let mut out = Map::new();
                for field in &self.fields {
                    field.put(object.get(&field.name).unwrap_or(&Value::Null), &mut out);
                }
                Value::Object(out)
            }
            other => other.clone(),
        }
    }
}

/// Reads and checks an operation.
pub(super) fn operation(
    text: &str,
    variables: &Map<String, Value>,
    schema: Schema,
) -> Result<Operation, String> {
    let mut reader = Reader {
        tokens: tokens(text)?,
        at: 0,
        schema,
        variables,
        declared: BTreeMap::new(),
        used: BTreeSet::new(),
    };
    let root = match reader.peek() {
        "{" => "Query",
        "query" => "Query",
        "mutation" => "Mutation",
        other => return Err(format!("{other:?} begins no operation")),
    };
    if reader.peek() != "{" {
        reader.at += 1;
        if !["(", "{"].contains(&reader.peek()) {
            reader.name()?;
        }
        if reader.take("(") {
            while !reader.take(")") {
                reader.declaration()?;
            }
        }
    }
    let fields = reader.selections(root)?;
    if reader.at != reader.tokens.len() {
        return Err("more than one operation, or a fragment".to_owned());
    }
    if let Some(unused) = reader.declared.keys().find(|name| !reader.used.contains(*name)) {
        return Err(format!("variable ${unused} is not used"));
    }
    if let Some(unknown) = variables.keys().find(|name| !reader.declared.contains_key(*name)) {
        return Err(format!("variable ${unknown} is not declared"));
    }
    Ok(Operation { fields })
}

struct Reader<'a> {
    tokens: Vec<String>,
    at: usize,
    schema: Schema,
    variables: &'a Map<String, Value>,
    declared: BTreeMap<String, String>,
    used: BTreeSet<String>,
}

impl Reader<'_> {
    fn peek(&self) -> &str {
        self.tokens.get(self.at).map_or("", String::as_str)
    }

    fn next(&mut self) -> String {
        self.at += 1;
        self.tokens.get(self.at - 1).cloned().unwrap_or_default()
    }

    fn take(&mut self, token: &str) -> bool {
        let there = self.peek() == token;
        self.at += usize::from(there);
        there
    }

    fn want(&mut self, token: &str) -> Result<(), String> {
        if self.take(token) { Ok(()) } else { Err(format!("{token:?} is wanted before {:?}", self.peek())) }
    }

    fn name(&mut self) -> Result<String, String> {
        let name = self.next();
        let is_name = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        if is_name { Ok(name) } else { Err(format!("{name:?} is no name")) }
    }

    fn declaration(&mut self) -> Result<(), String> {
        self.want("$")?;
        let name = self.name()?;
        self.want(":")?;
        let mut kind = String::new();
        while !self.peek().is_empty() && !["$", ")", "="].contains(&self.peek()) {
            kind.push_str(&self.next());
        }
        if self.peek() == "=" {
            return Err("defaults are not known to this stub".to_owned());
        }
        let value = self.variables.get(&name).unwrap_or(&Value::Null);
        self.fits(value, &kind).map_err(|reason| format!("variable ${name}: {reason}"))?;
        self.declared.insert(name, kind);
        Ok(())
    }

    fn fields_of(&self, kind: &str) -> Option<&'static [Field]> {
        self.schema.iter().find(|(name, _)| *name == kind).map(|(_, fields)| *fields)
    }

    fn selections(&mut self, parent: &str) -> Result<Vec<Selection>, String> {
        let known = self.fields_of(parent).ok_or_else(|| format!("{parent} has no fields"))?;
        self.want("{")?;
        let mut selections = Vec::new();
        while !self.take("}") {
            let alias = self.name()?;
            let name = if self.take(":") { self.name()? } else { alias.clone() };
            let field = known.iter().find(|field| field.name == name);
            let field =
                field.ok_or_else(|| format!("Cannot query field \"{name}\" on type \"{parent}\"."))?;
            let mut arguments = Map::new();
            if self.take("(") {
                while !self.take(")") {
                    let argument = self.name()?;
                    self.want(":")?;
                    let kind = field.arguments.iter().find(|(known, _)| *known == argument);
                    let (_, kind) =
                        kind.ok_or_else(|| format!("Unknown argument \"{argument}\" on \"{name}\"."))?;
                    let value = self.value(kind)?;
                    self.fits(&value, kind).map_err(|reason| format!("{name}({argument}): {reason}"))?;
                    if arguments.insert(argument.clone(), value).is_some() {
                        return Err(format!("{argument} is there twice"));
                    }
                }
            }
            let missing = field
                .arguments
                .iter()
                .find(|(known, kind)| kind.ends_with('!') && !arguments.contains_key(*known));
            if let Some((missing, kind)) = missing {
                return Err(format!("{name} wants {missing}: {kind}"));
            }
            let inner = field.kind.trim_matches(['[', ']', '!']);
            let fields = match (self.peek() == "{", self.fields_of(inner).is_some()) {
                (true, true) => self.selections(inner)?,
                (false, false) => Vec::new(),
                (true, false) => return Err(format!("{name} is a scalar")),
                (false, true) => return Err(format!("{name} wants a selection of its fields")),
            };
            selections.push(Selection { alias, name, arguments, fields });
        }
        if selections.is_empty() { Err("an empty selection".to_owned()) } else { Ok(selections) }
    }

    /// A literal, or a variable's value.
    fn value(&mut self, kind: &str) -> Result<Value, String> {
        let token = self.next();
        match token.as_str() {
            "$" => {
                let name = self.name()?;
                let declared = self.declared.get(&name).ok_or_else(|| format!("${name} is not declared"))?;
                if declared != kind && declared.strip_suffix('!') != Some(kind) {
                    return Err(format!("${name} of type {declared} is used where {kind} is expected"));
                }
                self.used.insert(name.clone());
                Ok(self.variables.get(&name).cloned().unwrap_or(Value::Null))
            }
            "{" => {
                let mut object = Map::new();
                let known = self
                    .fields_of(kind.trim_end_matches('!'))
                    .ok_or_else(|| format!("{kind} is no object"))?;
                while !self.take("}") {
                    let key = self.name()?;
                    self.want(":")?;
                    let field = known.iter().find(|field| field.name == key);
                    let inner = field.ok_or_else(|| format!("{kind} has no {key}"))?.kind;
                    let value = self.value(inner)?;
                    object.insert(key, value);
                }
                Ok(Value::Object(object))
            }
            literal => serde_json::from_str(literal)
                .map_err(|_| format!("{literal:?} is no value that this stub knows")),
        }
    }

    fn fits(&self, value: &Value, kind: &str) -> Result<(), String> {
        let (plain, required) = kind.strip_suffix('!').map_or((kind, false), |plain| (plain, true));
        let fits = match (plain, value) {
            (_, Value::Null) => !required,
            ("String", Value::String(_)) | ("Boolean", Value::Bool(_)) => true,
            ("Int", Value::Number(number)) => number.is_i64(),
            (plain, Value::Object(object)) => {
                let known = self.fields_of(plain).ok_or_else(|| format!("{plain} is not known"))?;
                if let Some(key) = object.keys().find(|key| !known.iter().any(|field| field.name == **key)) {
                    return Err(format!("Field \"{key}\" is not defined by type \"{plain}\"."));
                }
                for field in known {
                    let inner = object.get(field.name).unwrap_or(&Value::Null);
                    self.fits(inner, field.kind).map_err(|reason| format!("{}: {reason}", field.name))?;
                }
                true
            }
            _ => false,
        };
        if fits { Ok(()) } else { Err(format!("a value of type {kind} is wanted")) }
    }
}

/// Names, numbers, strings and single signs; commas and blanks are nothing.
fn tokens(text: &str) -> Result<Vec<String>, String> {
    let mut tokens = Vec::new();
    let mut characters = text.chars().peekable();
    while let Some(first) = characters.next() {
        let mut token = String::from(first);
        match first {
            ',' => continue,
            blank if blank.is_whitespace() => continue,
            '"' => loop {
                let next = characters.next().ok_or("a string without an end")?;
                token.push(next);
                match next {
                    '\\' => token.extend(characters.next()),
                    '"' => break,
                    _ => {}
                }
            },
            '{' | '}' | '(' | ')' | ':' | '$' | '!' | '[' | ']' | '=' => {}
            word if word.is_ascii_alphanumeric() || "_-".contains(word) => {
                while let Some(next) = characters.next_if(|next| next.is_ascii_alphanumeric() || *next == '_')
                {
                    token.push(next);
                }
            }
            other => return Err(format!("{other:?} is not known to this stub")),
        }
        tokens.push(token);
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::schema::SCHEMA;
    use super::*;

    fn asked(text: &str, variables: Value) -> Result<Operation, String> {
        operation(text, variables.as_object().expect("an object"), SCHEMA)
    }

    #[test]
    fn what_fits_the_schema_is_read_with_its_variables() {
        let text = "mutation Set($in: VariableUpsertInput!) { done: variableUpsert(input: $in) }";
        let input =
            json!({ "projectId": "p", "environmentId": "e", "name": "N", "value": "v", "skipDeploys": true });
        let operation = asked(text, json!({ "in": input })).expect("it fits");
        assert_eq!(operation.fields[0].arguments["input"]["value"], "v");
        let text = r#"{ tcpProxies(environmentId: "e", serviceId: "s") { port: proxyPort, domain } }"#;
        let operation = asked(text, json!({})).expect("it fits");
        let mut out = Map::new();
        operation.fields[0].put(&json!([{ "proxyPort": 1, "domain": "d", "id": "i" }]), &mut out);
        assert_eq!(Value::Object(out), json!({ "tcpProxies": [{ "port": 1, "domain": "d" }] }));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let service = json!({ "s": "x" });
        for (text, variables) in [
            ("query { nothing }", json!({})),
            ("{ projectToken }", json!({})),
            ("{ projectToken { secret } }", json!({})),
            ("{ projectToken { id { deeper } } }", json!({})),
            ("{ projectToken { } }", json!({})),
            ("mutation { projectToken { id } }", json!({})),
            ("subscription { projectToken { id } }", json!({})),
            ("{ projectToken { id } } { projectToken { id } }", json!({})),
            ("query($s: String!) { tcpProxies(environmentId: $s) { id } }", service.clone()),
            ("query($s: String) { tcpProxies(environmentId: $s, serviceId: $s) { id } }", service.clone()),
            ("query($s: Int!) { tcpProxies(environmentId: $s, serviceId: $s) { id } }", service.clone()),
            ("query($s: String!) { projectToken { id } }", service.clone()),
            ("{ projectToken { id } }", service.clone()),
            (
                "query($s: String!) { tcpProxies(environmentId: $s, serviceId: $s, all: true) { id } }",
                service.clone(),
            ),
            ("query($s: String!) { tcpProxies(environmentId: $s, serviceId: $other) { id } }", service),
            ("query($s: String!) { tcpProxies(environmentId: $s, serviceId: $s) { id } }", json!({})),
            (
                "mutation($in: VariableUpsertInput!) { variableUpsert(input: $in) }",
                json!({ "in": { "projectId": "p", "environmentId": "e", "name": "N" } }),
            ),
            (
                "mutation($in: VariableUpsertInput!) { variableUpsert(input: $in) }",
                json!({ "in": { "projectId": "p", "environmentId": "e", "name": "N", "value": "v", "skipDeploy": true } }),
            ),
            (
                "mutation($in: VariableUpsertInput!) { variableUpsert(input: $in) }",
                json!({ "in": { "projectId": "p", "environmentId": "e", "name": "N", "value": 1 } }),
            ),
        ] {
            assert!(asked(text, variables.clone()).is_err(), "{text} {variables}");
        }
    }
}
