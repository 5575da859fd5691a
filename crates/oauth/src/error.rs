//! The errors that OAuth endpoints answer with (RFC 6749 section 5.2, RFC 6750 section 3.1).

use serde_json::{Value, json};

/// A registered error code. The name in the answer is [`as_str`](Self::as_str).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The request is malformed, repeats a parameter, or uses two ways to authenticate.
    InvalidRequest,
    /// Client authentication failed, for whatever reason.
    InvalidClient,
    /// The code, token or password is wrong, spent, expired or somebody else's.
    InvalidGrant,
    /// The client may not use this grant, or not for this API.
    UnauthorizedClient,
    /// Nobody may use this grant here.
    UnsupportedGrantType,
    /// A scope is unknown, malformed or more than was granted.
    InvalidScope,
    /// The audience names no API (RFC 8707 section 2).
    InvalidTarget,
    /// The bearer token is expired, revoked or no token of ours (RFC 6750 section 3.1).
    InvalidToken,
    /// The bearer token lacks a scope (RFC 6750 section 3.1).
    InsufficientScope,
    /// Too many attempts. Not registered: the name that Auth0's SDKs know.
    TooManyAttempts,
    /// The server cannot answer now (RFC 6749 section 4.1.2.1).
    TemporarilyUnavailable,
    /// Our fault (RFC 6749 section 4.1.2.1).
    ServerError,
}

impl ErrorCode {
    /// The value of `error`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::TooManyAttempts => "too_many_attempts",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::ServerError => "server_error",
        }
    }

    /// The HTTP status that goes with it.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidRequest
            | Self::InvalidGrant
            | Self::UnauthorizedClient
            | Self::UnsupportedGrantType
            | Self::InvalidScope
            | Self::InvalidTarget => 400,
            Self::InvalidClient | Self::InvalidToken => 401,
            Self::InsufficientScope => 403,
            Self::TooManyAttempts => 429,
            Self::TemporarilyUnavailable => 503,
            Self::ServerError => 500,
        }
    }
}

/// An error answer. The description is for developers: ASCII, and never a secret or what was sent as one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {description}", code.as_str())]
pub struct OAuthError {
    code: ErrorCode,
    description: String,
    challenge: Option<&'static str>,
}

impl OAuthError {
    /// Makes an error. Characters that RFC 6749 section 5.2 keeps out of `error_description` become `?`, or `'` for a quote.
    #[must_use]
    pub fn new(code: ErrorCode, description: impl AsRef<str>) -> Self {
        let plain = |c: char| match c {
            '"' | '\\' => '\'',
            ' '..='~' => c,
            _ => '?',
        };
        Self { code, description: description.as_ref().chars().map(plain).collect(), challenge: None }
    }

    /// `invalid_request` with a description.
    #[must_use]
    pub fn invalid_request(description: impl AsRef<str>) -> Self {
        Self::new(ErrorCode::InvalidRequest, description)
    }

    /// Failed client authentication: one answer for an unknown client, a wrong secret and a disabled client.
    ///
    /// The challenge is sent only when the client tried Basic (RFC 6749 section 5.2); openid-client loses the
    /// error code when it sees one after another method.
    #[must_use]
    pub fn invalid_client(tried_basic: bool) -> Self {
        let challenge = tried_basic.then_some("Basic realm=\"token\", charset=\"UTF-8\"");
        Self { challenge, ..Self::new(ErrorCode::InvalidClient, "client authentication failed") }
    }

    /// The code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// The text for developers.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.code.status()
    }

    /// The value of `WWW-Authenticate`, where there must be one.
    #[must_use]
    pub const fn www_authenticate(&self) -> Option<&'static str> {
        self.challenge
    }

    /// The JSON body: `error` and `error_description`.
    #[must_use]
    pub fn body(&self) -> Value {
        json!({ "error": self.code.as_str(), "error_description": self.description })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_body_has_the_two_members() {
        let error = OAuthError::invalid_request("grant_type is missing");
        assert_eq!(
            error.body(),
            json!({"error": "invalid_request", "error_description": "grant_type is missing"})
        );
        assert_eq!(error.status(), 400);
        assert_eq!(error.www_authenticate(), None);
    }

    #[test]
    fn the_challenge_stands_only_where_basic_was_tried() {
        assert!(
            OAuthError::invalid_client(true)
                .www_authenticate()
                .is_some_and(|value| value.starts_with("Basic "))
        );
        assert_eq!(OAuthError::invalid_client(false).www_authenticate(), None);
        assert_eq!(OAuthError::invalid_client(true).body(), OAuthError::invalid_client(false).body());
    }

    proptest! {
        #[test]
        fn descriptions_keep_to_the_character_set(text in "\\PC{0,60}|[\\x00-\\x7f]{0,20}") {
            let error = OAuthError::invalid_request(&text);
            prop_assert!(error.description().bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)));
        }
    }
}
