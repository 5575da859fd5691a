//! The claims of an access token (RFC 9068 section 2.2). Signing them is `jose`'s.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use policy::ScopeSet;
use serde_json::{Map, Value};

use crate::client::CLIENT_SUBJECT_SUFFIX;

/// The `typ` of the header (RFC 9068 section 2.1).
pub const TYP: &str = "at+jwt";
/// The value of `gty` in a client's own token, as Auth0 spells it.
pub const GTY_CLIENT_CREDENTIALS: &str = "client-credentials";

/// Whom the token speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// The client itself; `sub` is its identifier with `@clients` (RFC 9068 section 5: it cannot be taken for a user's).
    Client,
    /// A user, by `sub`, in a session, by `sid`.
    User {
        /// The user's identifier.
        id: &'a str,
        /// The session that the token ends with.
        session: Option<&'a str>,
    },
}

/// What an access token says.
#[derive(Debug, Clone, Copy)]
pub struct AccessToken<'a> {
    /// `iss`, byte for byte as in the metadata.
    pub issuer: &'a str,
    /// `aud`: the API's identifier.
    pub audience: &'a str,
    /// `client_id`: the client that asked.
    pub client_id: &'a str,
    /// `sub` and what goes with it.
    pub subject: Subject<'a>,
    /// `scope`; the claim is left out when there is none.
    pub scope: &'a ScopeSet,
    /// Seconds from `iat` to `exp`.
    pub lifetime: i64,
}

impl AccessToken<'_> {
    /// The claims, with `iat` from `now` and `jti` from 16 fresh random bytes.
    #[must_use]
    pub fn claims(&self, now: i64, fresh: [u8; 16]) -> Value {
        let mut claims = Map::new();
        let mut say = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        say("iss", self.issuer.into());
        say("aud", self.audience.into());
        say("client_id", self.client_id.into());
        say("iat", now.into());
        say("exp", now.saturating_add(self.lifetime).into());
        say("jti", URL_SAFE_NO_PAD.encode(fresh).into());
        if !self.scope.is_empty() {
            say("scope", self.scope.to_string().into());
        }
        match self.subject {
            Subject::Client => {
                say("sub", format!("{}{CLIENT_SUBJECT_SUFFIX}", self.client_id).into());
                say("gty", GTY_CLIENT_CREDENTIALS.into());
            }
            Subject::User { id, session } => {
                say("sub", id.into());
                if let Some(session) = session {
                    say("sid", session.into());
                }
            }
        }
        Value::Object(claims)
    }
}
