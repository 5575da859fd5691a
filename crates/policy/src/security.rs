//! What the `security` of an operation demands: alternatives are OR, the members of one are AND.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::openapi::text::{Entries, Text};
use crate::rule::{Alternative, CallerKind, Requirement, Rule};
use crate::scope::{Scope, ScopeSet};

/// A Security Requirement Object: one alternative.
pub(crate) type Security = Entries<Option<Vec<Text>>>;

/// A Security Scheme Object of OpenAPI 3 or Swagger 2.0.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Scheme {
    #[serde(default, rename = "$ref")]
    pub(crate) reference: Option<String>,
    #[serde(default, rename = "type")]
    kind: Text,
    #[serde(default)]
    scheme: Text,
    #[serde(default)]
    flows: Option<Flows>,
    /// Swagger 2.0 has one flow a scheme.
    #[serde(default)]
    flow: Option<Text>,
    #[serde(default)]
    scopes: Option<Entries<Text>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Flows {
    implicit: Option<Flow>,
    password: Option<Flow>,
    client_credentials: Option<Flow>,
    authorization_code: Option<Flow>,
    device_authorization: Option<Flow>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Flow {
    #[serde(default)]
    scopes: Option<Entries<Text>>,
}

/// What a scheme can grant.
enum Grant<'a> {
    /// Tokens of such callers; `declared` are the only scopes there are, where the scheme lists them.
    Token { caller: CallerKind, declared: Option<Vec<(&'a str, &'a str)>> },
    /// Nothing that the gateway could check.
    Nothing(&'static str),
}

impl Scheme {
    fn grant(&self) -> Grant<'_> {
        match self.kind.as_str() {
            "oauth2" => match self.oauth2_caller() {
                Some(caller) => Grant::Token { caller, declared: Some(self.declared()) },
                None => Grant::Nothing("an oauth2 scheme without a flow"),
            },
            "openIdConnect" => Grant::Token { caller: CallerKind::User, declared: None },
            "http" if self.scheme.as_str().eq_ignore_ascii_case("bearer") => {
                Grant::Token { caller: CallerKind::User, declared: None }
            }
            "apiKey" => Grant::Nothing("an API key"),
            "basic" => Grant::Nothing("a password in every request"),
            "http" => Grant::Nothing("an HTTP scheme that is not bearer"),
            "mutualTLS" => Grant::Nothing("a client certificate"),
            _ => Grant::Nothing("a scheme of unknown type"),
        }
    }

    /// Only clientCredentials is client, only others is user, both is any.
    fn oauth2_caller(&self) -> Option<CallerKind> {
        if let Some(flow) = &self.flow {
            return match flow.as_str() {
                "application" => Some(CallerKind::Client),
                "implicit" | "password" | "accessCode" => Some(CallerKind::User),
                _ => None,
            };
        }
        let flows = self.flows.as_ref()?;
        let others =
            [&flows.implicit, &flows.password, &flows.authorization_code, &flows.device_authorization];
        match (flows.client_credentials.is_some(), others.iter().any(|flow| flow.is_some())) {
            (true, true) => Some(CallerKind::Any),
            (true, false) => Some(CallerKind::Client),
            (false, true) => Some(CallerKind::User),
            (false, false) => None,
        }
    }

    /// The scopes of all flows with their descriptions.
    pub(crate) fn declared(&self) -> Vec<(&str, &str)> {
        let of_flows = self.flows.iter().flat_map(|flows| {
            [
                &flows.implicit,
                &flows.password,
                &flows.client_credentials,
                &flows.authorization_code,
                &flows.device_authorization,
            ]
        });
        let of_flows = of_flows.flatten().filter_map(|flow| flow.scopes.as_ref());
        of_flows
            .chain(self.scopes.as_ref())
            .flat_map(Entries::iter)
            .map(|(name, text)| (name, text.as_str()))
            .collect()
    }
}

/// The demand of an operation, and whom its schemes mean. The error is a sentence about the operation.
///
/// An alternative grants nothing when it is empty, when it names no scope at all, when no caller could meet all its
/// members, or when a member is something other than a token. The last holds also for a member beside a token (`apiKey`
/// AND `oauth2`): the gateway refuses a request with both, and leaving the member out would weaken what is written.
pub(crate) fn requirement(
    security: Option<&[Security]>,
    scheme: impl Fn(&str) -> Result<Scheme, String>,
) -> Result<(Requirement, Option<CallerKind>), String> {
    let Some(security) = security else {
        return Ok((Requirement::Denied { why: "the document names no security for it".into() }, None));
    };
    let mut alternatives: Vec<Alternative> = Vec::new();
    let mut nothing: Vec<String> = Vec::new();
    let mut meant_for: Option<CallerKind> = None;
    for members in security {
        let judged = alternative(members, &scheme)?;
        if let Some(caller) = judged.meant_for {
            meant_for = Some(meant_for.map_or(caller, |known| known.or(caller)));
        }
        match judged.granted {
            Ok(granted) if !alternatives.contains(&granted) => alternatives.push(granted),
            Err(why) if !nothing.contains(&why) => nothing.push(why),
            _ => {}
        }
    }
    if alternatives.is_empty() {
        let why = if nothing.is_empty() {
            "its security is empty".to_owned()
        } else {
            format!("its security grants nothing: {}", nothing.join("; "))
        };
        return Ok((Requirement::Denied { why }, meant_for));
    }
    Ok((Requirement::Scopes { alternatives }, meant_for))
}

struct Judged {
    granted: Result<Alternative, String>,
    meant_for: Option<CallerKind>,
}

fn alternative(
    members: &Security,
    scheme: impl Fn(&str) -> Result<Scheme, String>,
) -> Result<Judged, String> {
    let mut scopes = ScopeSet::new();
    let mut caller = Some(CallerKind::Any);
    let mut refused = None;
    for (name, wanted) in members.iter() {
        let scheme = scheme(name)?;
        match scheme.grant() {
            Grant::Nothing(what) => refused = refused.or(Some(format!("{name:?} is {what}"))),
            Grant::Token { caller: of_scheme, declared } => {
                caller = caller.and_then(|known| known.and(of_scheme));
                for text in wanted.iter().flatten() {
                    let scope = Scope::parse(text.as_str()).map_err(|error| error.to_string())?;
                    if declared
                        .as_ref()
                        .is_some_and(|known| known.iter().all(|(name, _)| *name != scope.as_str()))
                    {
                        return Err(format!(
                            "scope {scope} is not among those of the security scheme {name:?}"
                        ));
                    }
                    scopes.insert(scope);
                }
            }
        }
    }
    let empty = members.iter().next().is_none();
    Ok(match (refused, caller) {
        _ if empty => Judged { granted: Err("an alternative is empty".into()), meant_for: None },
        (Some(why), _) => Judged { granted: Err(why), meant_for: None },
        (None, None) => Judged {
            granted: Err("one alternative wants a user's and a client's token at once".into()),
            meant_for: None,
        },
        (None, Some(caller)) if scopes.is_empty() => {
            Judged { granted: Err("a token without any scope".into()), meant_for: Some(caller) }
        }
        (None, Some(caller)) => {
            Judged { granted: Ok(Alternative { scopes, caller }), meant_for: Some(caller) }
        }
    })
}

/// Who may use a scope somewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScopeUse {
    /// Some rule lets users in with it.
    pub users: bool,
    /// Some rule lets clients in with it.
    pub clients: bool,
    /// The document's words for it; empty where it has none.
    pub description: String,
}

/// Notes the scopes of a rule with who may use them there.
pub(crate) fn note_use(scopes: &mut BTreeMap<Scope, ScopeUse>, rule: &Rule) {
    if let Requirement::Scopes { alternatives } = &rule.requirement {
        for alternative in alternatives {
            for scope in alternative.scopes.iter() {
                let noted = scopes.entry(scope.clone()).or_default();
                noted.users |= alternative.caller.users();
                noted.clients |= alternative.caller.clients();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(security: &str) -> Result<(Requirement, Option<CallerKind>), String> {
        let schemes: Entries<Scheme> = serde_json::from_str(
            r#"{
            "user": {"type": "oauth2", "flows": {"authorizationCode": {"scopes": {"a": "A", "b": ""}}}},
            "client": {"type": "oauth2", "flows": {"clientCredentials": {"scopes": {"m": ""}}}},
            "both": {"type": "oauth2", "flows": {"clientCredentials": {"scopes": {"m": ""}}, "implicit": {"scopes": {"a": ""}}}},
            "none": {"type": "oauth2", "flows": {}},
            "application": {"type": "oauth2", "flow": "application", "scopes": {"m": ""}},
            "accessCode": {"type": "oauth2", "flow": "accessCode", "scopes": {"a": ""}},
            "oidc": {"type": "openIdConnect"},
            "bearer": {"type": "http", "scheme": "Bearer"},
            "basic": {"type": "http", "scheme": "basic"},
            "basic2": {"type": "basic"},
            "tls": {"type": "mutualTLS"},
            "key": {"type": "apiKey"}
        }"#,
        )
        .unwrap();
        let security: Option<Vec<Security>> = serde_json::from_str(security).unwrap();
        requirement(security.as_deref(), |name| {
            schemes.find(name).cloned().ok_or_else(|| format!("no scheme {name}"))
        })
    }

    fn shown(security: &str) -> String {
        judge(security).unwrap().0.to_string()
    }

    #[test]
    fn alternatives_are_or_and_members_are_and() {
        assert_eq!(shown(r#"[{"user": ["a", "b"]}]"#), "scopes a b (user)");
        assert_eq!(shown(r#"[{"user": ["a"]}, {"client": ["m"]}]"#), "scopes a (user) or m (client)");
        assert_eq!(shown(r#"[{"user": ["a"], "oidc": ["o"]}]"#), "scopes a o (user)");
        assert_eq!(shown(r#"[{"both": ["m"], "client": ["m"]}]"#), "scopes m (client)");
        assert_eq!(shown(r#"[{"user": ["a"]}, {"user": ["a"]}]"#), "scopes a (user)");
    }

    #[test]
    fn the_caller_comes_from_the_flows() {
        for (scheme, scope, caller) in [
            ("user", "a", "user"),
            ("client", "m", "client"),
            ("both", "m", "any"),
            ("application", "m", "client"),
            ("accessCode", "a", "user"),
            ("oidc", "x", "user"),
            ("bearer", "x", "user"),
        ] {
            assert_eq!(
                shown(&format!(r#"[{{"{scheme}": ["{scope}"]}}]"#)),
                format!("scopes {scope} ({caller})")
            );
        }
    }

    #[test]
    fn what_grants_nothing() {
        for security in [
            "null",
            "[]",
            "[{}]",
            r#"[{"key": []}]"#,
            r#"[{"key": ["a"]}]"#,
            r#"[{"basic": []}]"#,
            r#"[{"basic2": []}]"#,
            r#"[{"tls": []}]"#,
            r#"[{"none": []}]"#,
            r#"[{"user": []}]"#,
            r#"[{"user": null}]"#,
            r#"[{"bearer": []}]"#,
            r#"[{"user": ["a"], "key": []}]"#,
            r#"[{"tls": [], "client": ["m"]}]"#,
            r#"[{"user": ["a"], "client": ["m"]}]"#,
        ] {
            assert!(matches!(judge(security).unwrap().0, Requirement::Denied { .. }), "{security}");
        }
        assert_eq!(shown(r#"[{}, {"key": []}, {"user": ["a"]}]"#), "scopes a (user)");
    }

    #[test]
    fn whom_the_document_means_without_a_scope() {
        assert_eq!(judge(r#"[{"bearer": []}]"#).unwrap().1, Some(CallerKind::User));
        assert_eq!(judge(r#"[{"client": []}, {"user": ["a"]}]"#).unwrap().1, Some(CallerKind::Any));
        assert_eq!(judge(r#"[{"key": []}]"#).unwrap().1, None);
    }

    #[test]
    fn an_unknown_scope_or_scheme_is_an_error() {
        assert!(judge(r#"[{"user": ["c"]}]"#).unwrap_err().contains("scope c "));
        assert!(judge(r#"[{"user": ["A"]}]"#).is_err());
        assert!(judge(r#"[{"user": ["a b"]}]"#).is_err());
        assert!(judge(r#"[{"nobody": []}]"#).is_err());
    }
}
