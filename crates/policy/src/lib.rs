//! The one decision at the gateway: path, rule, caller, scopes, origin, permit.
//!
//! Everything here is pure: no clock, no file, no network. The gateway, the `check` and `explain` commands and
//! every other asker get the same answer because they ask the same functions, in this order:
//!
//! 1. [`normalise`] the request target, or refuse it as [`Ambiguous`];
//! 2. [`Table::lookup`] the rule of the endpoint;
//! 3. [`Origins::judge`] the `Origin` header, and [`preflight`] what a browser asks beforehand;
//! 4. [`Caller::from_token`] says who is calling, from a token that was verified elsewhere;
//! 5. [`authorize`] gives a [`Permit`], or a [`Denial`] that knows its status and its `WWW-Authenticate` text.
//!
//! What comes before a decision is read here too, so that the gateway and the issuer cannot read it differently:
//! [`bearer_token`], the form of an API key ([`api_key`]) and the [`client_address`] behind proxies.

pub mod api_key;
mod bearer;
mod caller;
mod client_address;
mod conflict;
mod cors;
mod explain;
mod openapi;
mod own_form;
mod path;
mod pattern;
mod permit;
mod route;
mod rule;
mod scope;
mod security;
mod server;
mod table;
mod tree;

pub use bearer::bearer_token;
pub use caller::{CLIENT_SUBJECT_SUFFIX, Caller, CallerKindSeen, TokenFacts};
pub use client_address::{client_address, is_trusted_proxy};
pub use cors::{
    EXPOSED_HEADERS, OriginError, OriginVerdict, Origins, PREFLIGHT_MAX_AGE, Preflight, is_safe_method,
    preflight,
};
pub use explain::{Explanation, Question, Step, explain};
pub use openapi::{OpenApi, OpenApiError, Unreachable};
pub use own_form::is_own_form;
pub use path::{Ambiguous, NormalPath, normalise};
pub use pattern::{Pattern, PatternError};
pub use permit::{Denial, Permit, authorize, authorize_origin};
pub use route::{RouteConfig, RouteProblem};
pub use rule::{Alternative, CallerKind, Method, MethodError, Requirement, Rule, RuleSource};
pub use scope::{Scope, ScopeError, ScopeSet};
pub use security::ScopeUse;
pub use table::{Lookup, Table, TableError};
