//! Every endpoint that must be judged: OpenAPI's operations, the configured routes, the session API.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Access, Caller, Config};
use crate::world::openapi;

/// Where an endpoint was learnt of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    OpenApi,
    Route,
    /// `POST /users/session` and its neighbours: part of the program that is audited.
    SessionApi,
}

/// One method on one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) method: String,
    /// `/orders/{id}`.
    pub(crate) template: String,
    /// `/orders/7`.
    pub(crate) path: String,
    /// The origin that serves it.
    pub(crate) base: String,
    pub(crate) access: Access,
    pub(crate) source: Source,
}

impl Endpoint {
    /// `GET /orders/{id}`.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.template)
    }

    pub(crate) fn url(&self) -> String {
        format!("{}{}", self.base, self.path)
    }

    /// Whether it may be called with a good token: reading changes nothing (RFC 9110 section 9.2.1).
    pub(crate) fn is_safe(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD")
    }

    pub(crate) fn is_public(&self) -> bool {
        matches!(self.access, Access::Public { .. })
    }

    pub(crate) fn caller(&self) -> Option<Caller> {
        match &self.access {
            Access::Scopes { caller, .. } => Some(*caller),
            _ => None,
        }
    }

    /// Every scope that it speaks of.
    pub(crate) fn scopes(&self) -> BTreeSet<String> {
        match &self.access {
            Access::Scopes { alternatives, .. } => alternatives.iter().flatten().cloned().collect(),
            _ => BTreeSet::new(),
        }
    }

    /// Whether these scopes suffice.
    pub(crate) fn satisfied_by(&self, scopes: &BTreeSet<String>) -> bool {
        match &self.access {
            Access::Scopes { alternatives, .. } => {
                alternatives.iter().any(|all| all.iter().all(|scope| scopes.contains(scope)))
            }
            Access::Public { .. } => true,
            Access::Denied => false,
        }
    }
}

/// The endpoints, and what could not be read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inventory {
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) fault: Option<String>,
}

pub(crate) fn take(config: &Config) -> Inventory {
    let mut inventory = Inventory::default();
    let target = config.target.trim_end_matches('/').to_owned();
    let mut examples: BTreeMap<String, String> = BTreeMap::new();
    match config.openapi.as_deref().map(openapi::read) {
        Some(Ok(operations)) => {
            for operation in operations {
                let mut values = operation.examples;
                for (name, value) in &values {
                    examples.entry(name.clone()).or_insert_with(|| value.clone());
                }
                values.extend(config.examples.clone());
                inventory.endpoints.push(Endpoint {
                    path: fill(&operation.path, &values),
                    method: operation.method,
                    template: operation.path,
                    base: target.clone(),
                    access: operation.access,
                    source: Source::OpenApi,
                });
            }
        }
        Some(Err(fault)) => inventory.fault = Some(format!("the OpenAPI document cannot be read: {fault}")),
        None => {}
    }
    examples.extend(config.examples.clone());
    for route in &config.routes {
        inventory
            .endpoints
            .retain(|other| !(other.method == route.method && shape(&other.template) == shape(&route.path)));
        inventory.endpoints.push(Endpoint {
            path: fill(&route.path, &examples),
            method: route.method.clone(),
            template: route.path.clone(),
            base: target.clone(),
            access: route.access.clone(),
            source: Source::Route,
        });
    }
    inventory.endpoints.extend(session_api(config, &target));
    inventory
}

/// The contract's table of the session API.
fn session_api(config: &Config, target: &str) -> Vec<Endpoint> {
    let Some(session) = config.session.as_ref().filter(|_| config.mode == crate::config::Mode::Own) else {
        return Vec::new();
    };
    let base = if session.on_gateway { target } else { config.issuer.trim_end_matches('/') };
    let open = match &session.public {
        Some(reason) => Access::Public { reason: reason.clone() },
        None => Access::Scopes { alternatives: vec![vec!["session".into()]], caller: Caller::Client },
    };
    let user = |scopes: &[&str]| Access::Scopes {
        alternatives: vec![scopes.iter().map(|scope| (*scope).to_owned()).collect()],
        caller: Caller::User,
    };
    let prefix = session.prefix.trim_end_matches('/');
    [
        ("POST", "", open.clone()),
        ("POST", "/session", open.clone()),
        ("POST", "/session/refresh", open.clone()),
        // No scope: it ends the session of the very token that it is called with.
        ("DELETE", "/session", user(&[])),
        ("POST", "/password-reset", open.clone()),
        ("PUT", "/password-reset", open),
        ("GET", "/me", user(&["read:current_user"])),
        ("PATCH", "/me", user(&["update:current_user"])),
        ("DELETE", "/me", user(&["delete:current_user"])),
    ]
    .into_iter()
    .map(|(method, path, access)| Endpoint {
        method: method.into(),
        template: format!("{prefix}{path}"),
        path: format!("{prefix}{path}"),
        base: base.to_owned(),
        access,
        source: Source::SessionApi,
    })
    .collect()
}

/// Whether a path is one of a template's: `{x}` is one segment, `{x...}` the rest.
pub(crate) fn matches(template: &str, path: &str) -> bool {
    let (mut template, mut path) = (template.split('/'), path.split('/'));
    loop {
        match (template.next(), path.next()) {
            (None, None) => return true,
            (Some(part), Some(_)) if part.starts_with('{') && part.ends_with("...}") => return true,
            (Some(part), Some(segment)) if part == segment => {}
            (Some(part), Some(segment)) if part.starts_with('{') && !segment.is_empty() => {}
            _ => return false,
        }
    }
}

/// A template with its parameters' names removed: two of one shape match the same paths.
fn shape(template: &str) -> String {
    template
        .split('/')
        .map(|segment| match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(name) if name.ends_with("...") => "{...}",
            Some(_) => "{}",
            None => segment,
        })
        .collect::<Vec<_>>()
        .join("/")
}

/// Replaces each `{name}`; `1` stands for a value that nobody gave, which is enough to be refused.
fn fill(template: &str, values: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let (name, tail) = after.split_once('}').unwrap_or((after, ""));
        let value = values.get(name.trim_end_matches("...")).map_or("1", String::as_str);
        out.extend(value.bytes().map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b'@' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        }));
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Route, Session};

    #[test]
    fn templates_are_filled_and_compared() {
        let values = BTreeMap::from([("id".into(), "7".into()), ("name".into(), "a b".into())]);
        assert_eq!(fill("/orders/{id}/{name}/{other}", &values), "/orders/7/a%20b/1");
        assert_eq!(fill("/files/{id...}", &values), "/files/7");
        assert_eq!(shape("/a/{x}/{y...}"), shape("/a/{z}/{w...}"));
        assert_ne!(shape("/a/{x}"), shape("/a/x"));
        assert!(matches("/orders/{id}", "/orders/8") && matches("/files/{rest...}", "/files/a/b"));
        assert!(!matches("/orders/{id}", "/orders/8/lines") && !matches("/orders/{id}", "/orders/"));
    }

    #[test]
    fn a_route_takes_an_operations_place_and_the_session_api_is_there() {
        let mut config = Config::new("http://t/", "http://i/", "a", std::sync::Arc::new(|| 0));
        config.openapi = None;
        config.routes = vec![
            Route { method: "GET".into(), path: "/a/{x}".into(), access: Access::Denied },
            Route {
                method: "GET".into(),
                path: "/a/{y}".into(),
                access: Access::Public { reason: "r".into() },
            },
        ];
        config.session = Some(Session { prefix: "/users".into(), on_gateway: false, public: None });
        let inventory = take(&config);
        assert!(inventory.endpoints[0].is_public());
        assert_eq!(inventory.endpoints.len(), 10);
        assert_eq!(inventory.endpoints[1].url(), "http://i/users");
        assert_eq!(inventory.endpoints[1].scopes(), BTreeSet::from(["session".to_owned()]));
    }
}
