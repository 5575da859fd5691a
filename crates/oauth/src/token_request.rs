//! Reading a request to the token endpoint: form or JSON, with or without Basic (RFC 6749 sections 2.3.1, 3.2, appendix B).

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{SecretString, zeroize::Zeroizing};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;

use crate::client::{AuthMethod, GrantType, Presented};
use crate::error::{ErrorCode, OAuthError};

/// A request that is well formed, for a grant that the endpoint serves. The client is not authenticated yet.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    /// The grant that is asked for: one of [`GrantType::SERVED`].
    pub grant: GrantType,
    /// What was shown of the client.
    pub client: Presented,
    /// The API that is meant.
    pub audience: Option<String>,
    /// The scopes that are asked for, as sent.
    pub scope: Option<String>,
}

impl TokenRequest {
    /// Reads the body and the `Authorization` header (there must be at most one; the caller refuses a second).
    ///
    /// A parameter without a value is as good as absent (RFC 6749 section 3.2); so is a JSON null, which Auth0's Python SDK sends.
    /// Unknown parameters are ignored, repeated ones never are.
    ///
    /// # Errors
    /// `invalid_request`, `invalid_client` or `unsupported_grant_type`.
    pub fn parse(content_type: &str, body: &[u8], authorization: Option<&str>) -> Result<Self, OAuthError> {
        let mut parameters = Parameters::parse(content_type, body)?;
        let client = parameters.client(authorization)?;
        let grant = parameters
            .take("grant_type")?
            .ok_or_else(|| OAuthError::invalid_request("grant_type is missing"))?;
        let grant =
            GrantType::parse(&grant).filter(|grant| GrantType::SERVED.contains(grant)).ok_or_else(|| {
                OAuthError::new(ErrorCode::UnsupportedGrantType, "this grant_type is not supported")
            })?;
        Ok(Self { grant, client, audience: parameters.take("audience")?, scope: parameters.take("scope")? })
    }
}

/// The parameters of a body, each once. Values are wiped: one of them may be a secret.
struct Parameters(BTreeMap<String, Parameter>);

enum Parameter {
    Text(Zeroizing<String>),
    /// JSON that is no string. An error where the parameter means something, ignored elsewhere.
    Other,
}

impl Parameters {
    fn parse(content_type: &str, body: &[u8]) -> Result<Self, OAuthError> {
        let media_type = content_type.split(';').next().unwrap_or("").trim();
        if media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            Self::from_form(body)
        } else if media_type.eq_ignore_ascii_case("application/json") {
            Self::from_json(body)
        } else {
            Err(OAuthError::invalid_request(
                "the body must be application/x-www-form-urlencoded or application/json",
            ))
        }
    }

    fn from_form(body: &[u8]) -> Result<Self, OAuthError> {
        let mut parameters = BTreeMap::new();
        for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let (name, value) = pair.split_at(at);
            let value = value.strip_prefix(b"=").unwrap_or(value);
            let malformed = || {
                OAuthError::invalid_request("the form has a broken percent-encoding, invalid UTF-8 or a NUL")
            };
            let name = form_decode(name).ok_or_else(malformed)?;
            let value = form_decode(value).ok_or_else(malformed)?;
            if parameters.insert(name.to_string(), Parameter::Text(value)).is_some() {
                return Err(repeated(&name));
            }
        }
        Ok(Self(parameters))
    }

    fn from_json(body: &[u8]) -> Result<Self, OAuthError> {
        let Members { members, repeated: twice } = serde_json::from_slice(body)
            .map_err(|_| OAuthError::invalid_request("the body is not a JSON object"))?;
        if let Some(name) = twice {
            return Err(repeated(&name));
        }
        Ok(Self(members))
    }

    /// Takes a parameter that the endpoint knows; `None` when it is absent, empty or null.
    fn take(&mut self, name: &str) -> Result<Option<String>, OAuthError> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(Parameter::Text(text)) if text.is_empty() => Ok(None),
            Some(Parameter::Text(text)) => Ok(Some(text.to_string())),
            Some(Parameter::Other) => Err(OAuthError::invalid_request(format!("{name} must be a string"))),
        }
    }

    /// Finds out how the client authenticates: by one method (RFC 6749 section 2.3).
    fn client(&mut self, authorization: Option<&str>) -> Result<Presented, OAuthError> {
        let client_id = self.take("client_id")?;
        let secret = self.take("client_secret")?.map(SecretString::from);
        let assertion = self.take("client_assertion")?.or(self.take("client_assertion_type")?).is_some();
        let methods =
            usize::from(authorization.is_some()) + usize::from(secret.is_some()) + usize::from(assertion);
        if methods > 1 {
            return Err(OAuthError::invalid_request("the client authenticates in two ways at once; use one"));
        }
        if assertion {
            return Err(OAuthError::invalid_client(false));
        }
        if let Some(authorization) = authorization {
            let presented = basic(authorization)?;
            if client_id.is_some_and(|client_id| client_id != presented.client_id) {
                return Err(OAuthError::invalid_request(
                    "client_id in the body is not the one in Authorization",
                ));
            }
            return Ok(presented);
        }
        let method = if secret.is_some() { AuthMethod::ClientSecretPost } else { AuthMethod::None };
        let client_id = client_id.ok_or_else(|| OAuthError::invalid_client(false))?;
        Ok(Presented { client_id, secret, method })
    }
}

/// Reads `Basic` credentials: both parts are form-encoded before base64 (RFC 6749 section 2.3.1).
fn basic(authorization: &str) -> Result<Presented, OAuthError> {
    let (scheme, credentials) = authorization.split_once(' ').unwrap_or((authorization, ""));
    if !scheme.eq_ignore_ascii_case("Basic") {
        return Err(OAuthError::invalid_request("Authorization must be Basic at the token endpoint"));
    }
    let refused = || OAuthError::invalid_client(true);
    let decoded = Zeroizing::new(STANDARD.decode(credentials.trim()).map_err(|_| refused())?);
    let at = decoded.iter().position(|byte| *byte == b':').ok_or_else(refused)?;
    let (client_id, secret) = decoded.split_at(at);
    let client_id = form_decode(client_id).filter(|text| !text.is_empty()).ok_or_else(refused)?;
    let secret = form_decode(secret.get(1..).unwrap_or_default()).ok_or_else(refused)?;
    Ok(Presented {
        client_id: client_id.to_string(),
        secret: Some(SecretString::from(secret.as_str())),
        method: AuthMethod::ClientSecretBasic,
    })
}

/// Decodes `application/x-www-form-urlencoded` strictly: `None` for a `%` without two hexadecimal digits, for what
/// is no UTF-8, and for a NUL. (The `form_urlencoded` crate mends all of these, which a credential must not be.)
fn form_decode(encoded: &[u8]) -> Option<Zeroizing<String>> {
    let mut decoded = Zeroizing::new(Vec::with_capacity(encoded.len()));
    let mut rest = encoded.iter().copied();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (hexadecimal(rest.next()?)?, hexadecimal(rest.next()?)?);
                high << 4 | low
            }
            other => other,
        });
    }
    let text = std::str::from_utf8(&decoded).ok()?;
    (!text.contains('\0')).then(|| Zeroizing::new(text.to_owned()))
}

fn hexadecimal(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn repeated(name: &str) -> OAuthError {
    // A name is no secret, but may be anything: only a plain one is repeated in the answer.
    let plain = name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let name = if plain { name } else { "a parameter" };
    OAuthError::invalid_request(format!("{name} is given more than once"))
}

/// A JSON object whose repeated members are noticed; `serde_json` alone would keep the last.
struct Members {
    members: BTreeMap<String, Parameter>,
    repeated: Option<String>,
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut found = Members { members: BTreeMap::new(), repeated: None };
                let mut seen = std::collections::BTreeSet::new();
                while let Some(name) = map.next_key::<String>()? {
                    let value = match map.next_value::<Value>()? {
                        Value::String(text) if text.contains('\0') => return Err(A::Error::custom("a NUL")),
                        Value::String(text) => Some(Parameter::Text(Zeroizing::new(text))),
                        Value::Null => None,
                        _ => Some(Parameter::Other),
                    };
                    if !seen.insert(name.clone()) {
                        found.repeated = Some(name);
                    } else if let Some(value) = value {
                        found.members.insert(name, value);
                    }
                }
                Ok(found)
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_decoding_is_strict() {
        for (encoded, decoded) in [
            (&b"a+b%20c"[..], Some("a b c")),
            (b"%C3%A9", Some("\u{e9}")),
            (b"%2d%2D", Some("--")),
            (b"", Some("")),
            (b"%", None),
            (b"%4", None),
            (b"%zz", None),
            (b"%ff", None),
            (b"\xff", None),
            (b"a%00b", None),
        ] {
            assert_eq!(form_decode(encoded).map(|text| text.to_string()).as_deref(), decoded, "{encoded:?}");
        }
    }

    #[test]
    fn a_repeated_name_is_only_told_when_it_is_plain() {
        assert_eq!(repeated("scope").description(), "scope is given more than once");
        assert_eq!(repeated("<script>").description(), "a parameter is given more than once");
    }
}
