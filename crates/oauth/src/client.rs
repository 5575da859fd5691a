//! Clients: what is registered about them, and how they prove who they are (RFC 6749 sections 2.1, 2.3).

use policy::ScopeSet;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::error::OAuthError;
use crate::one_time_secret::Digest;

/// Characters of a client identifier.
pub const CLIENT_ID_LENGTH: usize = 32;
/// What follows a client's identifier in the `sub` of its own tokens. No user's identifier can end so.
pub const CLIENT_SUBJECT_SUFFIX: &str = "@clients";

/// What kind of program a client is, by Auth0's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientType {
    /// A program in a browser: keeps no secret.
    Spa,
    /// A program on a phone or desktop: keeps no secret.
    Native,
    /// A web application with a server: keeps a secret, acts for users.
    RegularWeb,
    /// A machine: keeps a secret, acts for itself.
    NonInteractive,
}

impl ClientType {
    /// Reads the name that commands and files use.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Spa, Self::Native, Self::RegularWeb, Self::NonInteractive]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }

    /// The name that commands and files use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Spa => "spa",
            Self::Native => "native",
            Self::RegularWeb => "regular_web",
            Self::NonInteractive => "non_interactive",
        }
    }

    /// Whether its users hold its code: such a client has no secret (RFC 6749 section 2.1).
    #[must_use]
    pub const fn is_public(self) -> bool {
        matches!(self, Self::Spa | Self::Native)
    }

    /// The authentication method when none is chosen.
    #[must_use]
    pub const fn default_auth_method(self) -> AuthMethod {
        if self.is_public() { AuthMethod::None } else { AuthMethod::ClientSecretPost }
    }

    /// The grants when none is chosen.
    #[must_use]
    pub const fn default_grants(self) -> &'static [GrantType] {
        match self {
            Self::NonInteractive => &[GrantType::ClientCredentials],
            Self::Spa | Self::Native | Self::RegularWeb => {
                &[GrantType::AuthorizationCode, GrantType::RefreshToken]
            }
        }
    }
}

/// How a client authenticates at the token endpoint (RFC 7591 section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// Not at all: a public client.
    None,
    /// `client_id` and `client_secret` in the body.
    ClientSecretPost,
    /// HTTP Basic, both parts form-encoded first.
    ClientSecretBasic,
}

impl AuthMethod {
    /// Reads the registered name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::None, Self::ClientSecretPost, Self::ClientSecretBasic]
            .into_iter()
            .find(|method| method.as_str() == text)
    }

    /// The registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientSecretPost => "client_secret_post",
            Self::ClientSecretBasic => "client_secret_basic",
        }
    }
}

/// A grant that a client may be registered for. Which of them the token endpoint serves today is
/// [`GrantType::SERVED`]; the others can be declared ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// RFC 6749 section 4.1.
    AuthorizationCode,
    /// RFC 6749 section 4.4.
    ClientCredentials,
    /// RFC 6749 section 6.
    RefreshToken,
}

impl GrantType {
    /// The grants that the token endpoint answers, in the order of the metadata.
    pub const SERVED: &'static [Self] = &[Self::ClientCredentials];

    /// Reads the registered name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::AuthorizationCode, Self::ClientCredentials, Self::RefreshToken]
            .into_iter()
            .find(|grant| grant.as_str() == text)
    }

    /// The registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::ClientCredentials => "client_credentials",
            Self::RefreshToken => "refresh_token",
        }
    }
}

/// What a client may ask for itself at one API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiGrant {
    /// The API's identifier: the `aud` of the tokens.
    pub audience: String,
    /// The scopes, all of which it gets when it asks for none.
    pub scopes: ScopeSet,
}

/// A registered client, as it was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its identifier.
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// What kind of program it is.
    pub kind: ClientType,
    /// SHA-256 of its secret; `None` for a public client.
    pub secret_digest: Option<Digest>,
    /// How it was registered to authenticate.
    pub auth_method: AuthMethod,
    /// The grants that it may use.
    pub grants: Vec<GrantType>,
    /// What it may ask for itself, by API.
    pub api_grants: Vec<ApiGrant>,
    /// Switched off: it authenticates no more.
    pub disabled: bool,
}

impl Client {
    /// The `sub` of the tokens that it gets for itself.
    #[must_use]
    pub fn subject(&self) -> String {
        format!("{}{CLIENT_SUBJECT_SUFFIX}", self.id)
    }
}

/// Makes a client identifier of fresh random bytes: 32 characters of base62, as Auth0's look.
#[must_use]
pub fn new_client_id(fresh: [u8; CLIENT_ID_LENGTH]) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    // The remainder prefers the first eight characters by 5 against 4; an identifier is public, and over 180 bits of it remain.
    fresh
        .iter()
        .filter_map(|byte| ALPHABET.get(usize::from(*byte) % ALPHABET.len()))
        .map(|byte| char::from(*byte))
        .collect()
}

/// What a request showed of its client.
#[derive(Debug, Clone)]
pub struct Presented {
    /// The identifier, from the body or from Basic.
    pub client_id: String,
    /// The secret, where one was shown.
    pub secret: Option<SecretString>,
    /// Where it was shown.
    pub method: AuthMethod,
}

impl Presented {
    /// Whether the answer to a failure carries a challenge.
    #[must_use]
    pub fn tried_basic(&self) -> bool {
        self.method == AuthMethod::ClientSecretBasic
    }
}

/// A client that is who it says it is. [`authenticate`] alone makes one.
#[derive(Debug, Clone, Copy)]
pub struct AuthenticatedClient<'a> {
    client: &'a Client,
    confidential: bool,
}

impl<'a> AuthenticatedClient<'a> {
    /// The registration.
    #[must_use]
    pub const fn client(&self) -> &'a Client {
        self.client
    }

    /// Whether it proved itself by a secret, and did not merely name itself.
    #[must_use]
    pub const fn is_confidential(&self) -> bool {
        self.confidential
    }
}

/// Judges what was presented against the registration; `None` where no client has that identifier.
///
/// A secret is taken from the body or from Basic, whichever was registered: Auth0 does so, and its SDKs differ in what they send.
/// An unknown client costs the same digest and the same comparison as a wrong secret.
///
/// # Errors
/// `invalid_client`, the same for every reason (RFC 6749 section 5.2).
pub fn authenticate<'a>(
    presented: &Presented,
    client: Option<&'a Client>,
) -> Result<AuthenticatedClient<'a>, OAuthError> {
    let refused = || OAuthError::invalid_client(presented.tried_basic());
    let shown = Digest::of(presented.secret.as_ref().map_or("", |secret| secret.expose_secret()));
    let stored = client.and_then(|client| client.secret_digest);
    // The stand-in is the digest of no text that anybody knows.
    let same = shown == stored.unwrap_or(Digest::from_bytes([0; 32]));

    let client =
        client.filter(|client| client.id == presented.client_id && !client.disabled).ok_or_else(refused)?;
    match (presented.secret.is_some(), client.auth_method) {
        (true, AuthMethod::ClientSecretPost | AuthMethod::ClientSecretBasic) if stored.is_some() && same => {
            Ok(AuthenticatedClient { client, confidential: true })
        }
        (false, AuthMethod::None) => Ok(AuthenticatedClient { client, confidential: false }),
        _ => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Client {
        Client {
            id: "abc".into(),
            name: "machine".into(),
            kind: ClientType::NonInteractive,
            secret_digest: Some(Digest::of("s3cret")),
            auth_method: AuthMethod::ClientSecretPost,
            grants: vec![GrantType::ClientCredentials],
            api_grants: Vec::new(),
            disabled: false,
        }
    }

    fn presented(secret: Option<&str>, method: AuthMethod) -> Presented {
        Presented { client_id: "abc".into(), secret: secret.map(SecretString::from), method }
    }

    #[test]
    fn a_secret_is_taken_in_either_place() {
        let client = client();
        for method in [AuthMethod::ClientSecretPost, AuthMethod::ClientSecretBasic] {
            let found = authenticate(&presented(Some("s3cret"), method), Some(&client)).unwrap();
            assert!(found.is_confidential());
        }
    }

    #[test]
    fn every_failure_is_the_same_answer() {
        let known = client();
        let disabled = Client { disabled: true, ..client() };
        let public = Client { auth_method: AuthMethod::None, secret_digest: None, ..client() };
        let without_digest = Client { secret_digest: None, ..client() };
        let other = Client { id: "other".into(), ..client() };
        let post = AuthMethod::ClientSecretPost;
        for (what, shown, client) in [
            ("unknown", presented(Some("s3cret"), post), None),
            ("wrong", presented(Some("S3cret"), post), Some(&known)),
            ("longer", presented(Some("s3cret "), post), Some(&known)),
            ("none shown", presented(None, AuthMethod::None), Some(&known)),
            ("disabled", presented(Some("s3cret"), post), Some(&disabled)),
            ("secret for a public client", presented(Some("s3cret"), post), Some(&public)),
            ("no digest stored", presented(Some(""), post), Some(&without_digest)),
            ("another client's row", presented(Some("s3cret"), post), Some(&other)),
        ] {
            assert_eq!(authenticate(&shown, client).err(), Some(OAuthError::invalid_client(false)), "{what}");
        }
    }

    #[test]
    fn a_public_client_only_names_itself() {
        let public = Client { auth_method: AuthMethod::None, secret_digest: None, ..client() };
        let found = authenticate(&presented(None, AuthMethod::None), Some(&public)).unwrap();
        assert!(!found.is_confidential());
    }

    #[test]
    fn names_read_back() {
        for kind in [ClientType::Spa, ClientType::Native, ClientType::RegularWeb, ClientType::NonInteractive]
        {
            assert_eq!(ClientType::parse(kind.as_str()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        for method in [AuthMethod::None, AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost] {
            assert_eq!(AuthMethod::parse(method.as_str()), Some(method));
            assert_eq!(serde_json::to_value(method).unwrap(), method.as_str());
        }
        for grant in [GrantType::AuthorizationCode, GrantType::ClientCredentials, GrantType::RefreshToken] {
            assert_eq!(GrantType::parse(grant.as_str()), Some(grant));
            assert_eq!(serde_json::to_value(grant).unwrap(), grant.as_str());
        }
        assert_eq!(GrantType::parse("password"), None);
    }

    #[test]
    fn an_identifier_is_32_characters_of_base62() {
        let id = new_client_id(std::array::from_fn(|n| u8::try_from(n * 8).unwrap()));
        assert_eq!(id.len(), CLIENT_ID_LENGTH);
        assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    }
}
