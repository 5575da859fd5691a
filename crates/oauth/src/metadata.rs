//! The issuer's metadata (RFC 8414 section 2, OpenID Connect Discovery 1.0 section 3): only what works.

use policy::ScopeSet;
use serde_json::{Map, Value, json};

use crate::client::{AuthMethod, GrantType};

/// Where the token endpoint is, after the issuer's final `/`.
pub const TOKEN_ENDPOINT: &str = "oauth/token";
/// Where the key set is, after the issuer's final `/`.
pub const JWKS: &str = ".well-known/jwks.json";

/// Why a text cannot be our issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// Not https, and not http on this machine.
    #[error("the issuer must begin with https:// (http:// only for localhost, 127.0.0.1 and [::1])")]
    Scheme,
    /// No host, a user, or a character that has no place there.
    #[error("the issuer must be a plain URL: a host, perhaps a port and a path")]
    Shape,
    /// A query or fragment (RFC 8414 section 2).
    #[error("the issuer must have no query and no fragment")]
    Query,
    /// No `/` at the end. Adding it later would be another issuer.
    #[error("the issuer must end in /")]
    FinalSlash,
}

/// Checks the text that becomes `iss`. It is compared byte for byte ever after, so nothing is corrected.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_issuer(issuer: &str) -> Result<(), IssuerError> {
    let (secure, rest) = match (issuer.strip_prefix("https://"), issuer.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return Err(IssuerError::Scheme),
    };
    if rest.contains(['?', '#']) {
        return Err(IssuerError::Query);
    }
    if !rest.ends_with('/') {
        return Err(IssuerError::FinalSlash);
    }
    let authority = rest.split('/').next().unwrap_or("");
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/:[]".contains(&byte);
    if host.is_empty() || !rest.bytes().all(plain) || rest.contains("//") {
        return Err(IssuerError::Shape);
    }
    if !secure && !["localhost", "127.0.0.1", "[::1]"].contains(&host) {
        return Err(IssuerError::Scheme);
    }
    Ok(())
}

/// What the document says besides what never changes.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The issuer, from configuration; ends in `/`. Never from a Host header.
    pub issuer: &'a str,
    /// Every scope of every API.
    pub scopes: &'a ScopeSet,
    /// The algorithms of the keys that sign now.
    pub signing_algorithms: &'a [&'a str],
}

/// The document, the same for `/.well-known/oauth-authorization-server` and `/.well-known/openid-configuration`.
///
/// `response_types_supported` is left out, although RFC 8414 wants it: there is no authorization endpoint yet, so the honest list
/// is empty, and section 3.2 says that a member without elements must be omitted. It comes with `/authorize`.
#[must_use]
pub fn document(facts: &Facts<'_>) -> Value {
    let mut members = Map::new();
    members.insert("issuer".into(), json!(facts.issuer));
    members.insert("token_endpoint".into(), json!(endpoint(facts.issuer, TOKEN_ENDPOINT)));
    members.insert("jwks_uri".into(), json!(endpoint(facts.issuer, JWKS)));
    let mut list = |name: &str, values: Vec<String>| {
        if !values.is_empty() {
            members.insert(name.into(), json!(values));
        }
    };
    let grants = GrantType::SERVED.iter().map(|grant| grant.as_str().to_owned()).collect();
    list("grant_types_supported", grants);
    // `none` would be a lie: the one grant that is served wants a secret.
    let methods = [AuthMethod::ClientSecretPost, AuthMethod::ClientSecretBasic];
    list(
        "token_endpoint_auth_methods_supported",
        methods.iter().map(|method| method.as_str().to_owned()).collect(),
    );
    // Auth0's verifiers restrict access tokens to these algorithms too, ID tokens or not.
    let algorithms = facts.signing_algorithms.iter().map(|algorithm| (*algorithm).to_owned()).collect();
    list("id_token_signing_alg_values_supported", algorithms);
    list("subject_types_supported", vec!["public".to_owned()]);
    list("scopes_supported", facts.scopes.to_vec());
    Value::Object(members)
}

/// An endpoint's URL.
#[must_use]
pub fn endpoint(issuer: &str, path: &str) -> String {
    format!("{issuer}{path}")
}

/// Where RFC 8414 section 3.1 puts the document of an issuer: the well-known part between host and path.
#[must_use]
pub fn oauth_path(issuer: &str) -> String {
    let after_scheme = issuer.split_once("://").map_or("", |(_, rest)| rest);
    let path = after_scheme.split_once('/').map_or("", |(_, path)| path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let slash = if path.is_empty() { "" } else { "/" };
    format!("/.well-known/oauth-authorization-server{slash}{path}")
}

/// Where OpenID Connect Discovery section 4 puts it: after the path.
#[must_use]
pub fn openid_path(issuer: &str) -> String {
    let after_scheme = issuer.split_once("://").map_or("", |(_, rest)| rest);
    let path = after_scheme.split_once('/').map_or("", |(_, path)| path);
    format!("/{path}.well-known/openid-configuration")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers() {
        for (issuer, verdict) in [
            ("https://auth.example.com/", Ok(())),
            ("https://auth.example.com:8443/tenant/", Ok(())),
            ("http://localhost:4400/", Ok(())),
            ("http://127.0.0.1/", Ok(())),
            ("http://[::1]:4400/", Ok(())),
            ("http://auth.example.com/", Err(IssuerError::Scheme)),
            ("http://localhost.evil.test/", Err(IssuerError::Scheme)),
            ("ftp://auth.example.com/", Err(IssuerError::Scheme)),
            ("auth.example.com/", Err(IssuerError::Scheme)),
            ("https://auth.example.com", Err(IssuerError::FinalSlash)),
            ("https://auth.example.com/?a=/", Err(IssuerError::Query)),
            ("https://auth.example.com/#/", Err(IssuerError::Query)),
            ("https://user@auth.example.com/", Err(IssuerError::Shape)),
            ("https:///", Err(IssuerError::Shape)),
            ("https://a b/", Err(IssuerError::Shape)),
            ("https://auth.example.com//", Err(IssuerError::Shape)),
        ] {
            assert_eq!(check_issuer(issuer), verdict, "{issuer}");
        }
    }
}
