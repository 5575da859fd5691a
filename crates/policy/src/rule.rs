//! A rule: which requests it is for, and what it demands of them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::pattern::Pattern;
use crate::scope::ScopeSet;

/// A request method (RFC 9110 section 9.1): case-sensitive, and written in capitals here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Method(String);

/// What is not a method.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MethodError {
    /// Methods are case-sensitive: `get` would never match.
    #[error("method {0:?} is not in capitals")]
    NotCapitals(String),
    /// Not a token of RFC 9110 section 5.6.2.
    #[error("{0:?} is not a method")]
    NotAToken(String),
    /// A tunnel has no path to decide on.
    #[error("CONNECT has no path and cannot have a rule")]
    Connect,
}

impl Method {
    /// Reads a method.
    ///
    /// # Errors
    /// When it is no token in capitals, or CONNECT.
    pub fn parse(text: &str) -> Result<Self, MethodError> {
        if text.is_empty() || !text.bytes().all(is_token_byte) {
            Err(MethodError::NotAToken(text.to_owned()))
        } else if text.bytes().any(|b| b.is_ascii_lowercase()) {
            Err(MethodError::NotCapitals(text.to_owned()))
        } else if text == "CONNECT" {
            Err(MethodError::Connect)
        } else {
            Ok(Self(text.to_owned()))
        }
    }

    /// The method as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `tchar` of RFC 9110 section 5.6.2.
pub(crate) fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose token an endpoint wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallerKind {
    /// A user's, from a login.
    User,
    /// A client's, by client credentials.
    Client,
    /// Either.
    Any,
}

impl CallerKind {
    /// In the words of the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Client => "client",
            Self::Any => "any",
        }
    }

    /// Whether users are meant.
    #[must_use]
    pub fn users(self) -> bool {
        self != Self::Client
    }

    /// Whether clients are meant.
    #[must_use]
    pub fn clients(self) -> bool {
        self != Self::User
    }

    /// Those whom both mean, or nobody.
    #[must_use]
    pub fn and(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Any, kind) | (kind, Self::Any) => Some(kind),
            (a, b) => (a == b).then_some(a),
        }
    }

    /// Those whom either means.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if self == other { self } else { Self::Any }
    }
}

impl fmt::Display for CallerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One way to be let in: all of these scopes, in a token of such a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alternative {
    /// All of these are needed; never empty.
    pub scopes: ScopeSet,
    /// Whose token it must be.
    pub caller: CallerKind,
}

impl fmt::Display for Alternative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.scopes, self.caller)
    }
}

/// What a rule demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requirement {
    /// Everybody may, without a token.
    Public {
        /// Why; never empty.
        reason: String,
    },
    /// One of these alternatives; never empty.
    Scopes {
        /// In the order of the document.
        alternatives: Vec<Alternative>,
    },
    /// Nobody may, until a route says otherwise.
    Denied {
        /// Why, in words.
        why: String,
    },
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public { reason } => write!(f, "public: {reason}"),
            Self::Scopes { alternatives } => {
                for (index, alternative) in alternatives.iter().enumerate() {
                    write!(f, "{}{alternative}", if index == 0 { "scopes " } else { " or " })?;
                }
                Ok(())
            }
            Self::Denied { why } => write!(f, "denied: {why}"),
        }
    }
}

/// Where a rule stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleSource {
    /// An operation of the OpenAPI document.
    OpenApi {
        /// The document's file name.
        file: String,
        /// `operationId`, where there is one.
        operation_id: Option<String>,
        /// Method and path as the document has them, without the path of `servers`.
        operation: String,
    },
    /// A `[[gateway.route]]` of the configuration.
    Route {
        /// Its place, from 0.
        index: usize,
    },
}

impl fmt::Display for RuleSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenApi { file, operation_id: Some(id), .. } => write!(f, "{file}, operation {id}"),
            Self::OpenApi { file, operation_id: None, operation } => write!(f, "{file}, {operation}"),
            Self::Route { index } => write!(f, "gateway.route {}", index + 1),
        }
    }
}

/// One endpoint with its demand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The method; a rule for GET also holds for HEAD.
    pub method: Method,
    /// The path, with that of `servers`.
    pub pattern: Pattern,
    /// What is demanded.
    pub requirement: Requirement,
    /// Where it stands.
    pub source: RuleSource,
    /// An example for each path parameter that the document gives one for.
    pub examples: BTreeMap<String, String>,
    /// Whom the document means, even where it names no scope: a route that replaces this rule inherits it.
    pub(crate) meant_for: Option<CallerKind>,
}

impl Rule {
    /// `GET /pets/{id}`
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("{} {}", self.method, self.pattern)
    }

    /// The kinds of caller that some alternative lets in; `None` for public and denied rules.
    #[must_use]
    pub fn caller(&self) -> Option<CallerKind> {
        match &self.requirement {
            Requirement::Scopes { alternatives } => {
                alternatives.iter().map(|a| a.caller).reduce(CallerKind::or)
            }
            _ => None,
        }
    }

    /// A path that the rule matches, percent-encoded, from the document's examples and then `more`; `None` when some
    /// parameter has no example.
    #[must_use]
    pub fn example_path(&self, more: &BTreeMap<String, String>) -> Option<String> {
        let text = self.pattern.as_str();
        let mut path = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            let (name, after) = behind.split_once('}')?;
            let name = name.trim_end_matches("...");
            let value = self.examples.get(name).or_else(|| more.get(name))?;
            path.push_str(before);
            for byte in value.bytes() {
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    path.push(char::from(byte));
                } else {
                    path.push_str(&format!("%{byte:02X}"));
                }
            }
            rest = after;
        }
        path.push_str(rest);
        let normal = crate::path::normalise(&path).ok()?;
        self.pattern.matches(normal.segments()).then(|| normal.forward().to_owned())
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {} [{}]", self.method, self.pattern, self.requirement, self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9110_9_1_methods_are_case_sensitive_tokens() {
        for good in ["GET", "M-SEARCH", "QUERY", "X1"] {
            assert_eq!(Method::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "get", "Get", "G ET", "GET/", "CONNECT", "GÉT"] {
            assert!(Method::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn callers_combine() {
        use CallerKind::{Any, Client, User};
        assert_eq!(User.and(Any), Some(User));
        assert_eq!(Any.and(Client), Some(Client));
        assert_eq!(User.and(Client), None);
        assert_eq!(User.or(Client), Any);
        assert_eq!(User.or(User), User);
    }

    #[test]
    fn an_example_fills_the_parameters() {
        let mut rule = Rule {
            method: Method::parse("GET").unwrap(),
            pattern: Pattern::parse("/pets/{id}/{rest...}").unwrap(),
            requirement: Requirement::Denied { why: "x".into() },
            source: RuleSource::Route { index: 0 },
            examples: [("id".to_owned(), "a b".to_owned())].into(),
            meant_for: None,
        };
        assert_eq!(rule.example_path(&BTreeMap::new()), None);
        let more = [("rest".to_owned(), "7".to_owned()), ("id".to_owned(), "no".to_owned())].into();
        assert_eq!(rule.example_path(&more).as_deref(), Some("/pets/a%20b/7"));
        rule.examples.insert("id".into(), "a/b".into());
        assert_eq!(rule.example_path(&more), None, "an encoded slash would be refused");
    }
}
