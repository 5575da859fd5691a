//! What the binary gives the console: whom it asks, and where it stands.

use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderValue;
use http::request::Parts;
use secrecy::{ExposeSecret as _, SecretString};

use super::board::Board;

/// Who puts the board together: the binary, from reports of the auditor.
#[async_trait]
pub trait Boards: Send + Sync {
    /// The board as it stands.
    ///
    /// # Errors
    /// In words, for the log.
    async fn board(&self) -> Result<Board, String>;
}

/// What came of an address and a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignIn {
    /// It is this user.
    User(String),
    /// An unknown user, a wrong password, a blocked user.
    Nobody,
    /// Too many attempts: seconds to wait.
    TooMany(i64),
}

/// Who knows people: the issuer, with its throttles.
#[async_trait]
pub trait People: Send + Sync {
    /// Checks an address and a password.
    ///
    /// # Errors
    /// In words, for the log: nobody is let in then.
    async fn sign_in(&self, request: &Parts, email: &str, password: &SecretString) -> Result<SignIn, String>;
}

/// Whom the console asks.
pub struct Doors {
    /// Puts the board together.
    pub boards: Arc<dyn Boards>,
    /// Checks passwords; none where users live elsewhere.
    pub people: Option<Arc<dyn People>>,
    /// Unix seconds.
    pub now: Box<dyn Fn() -> i64 + Send + Sync>,
    /// Random bytes; none when the system gives none, and then nobody is let in.
    pub fresh: Box<dyn Fn() -> Option<[u8; 32]> + Send + Sync>,
}

/// Where the console stands.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The issuer: its origin is the console's.
    pub issuer: url::Url,
    /// How pages call the installation.
    pub service: String,
}

impl Setting {
    /// The API whose scope `read:measures` shows the board to users: the issuer's own.
    #[must_use]
    pub fn audience(&self) -> String {
        format!("{}api/v2/", self.issuer)
    }

    /// Where the board is.
    #[must_use]
    pub fn board(&self) -> String {
        format!("{}console", self.issuer)
    }

    /// A one-time link.
    #[must_use]
    pub fn link(&self, token: &SecretString) -> String {
        format!("{}console/link?token={}", self.issuer, token.expose_secret())
    }

    pub(super) fn over_tls(&self) -> bool {
        self.issuer.scheme() == "https"
    }

    /// The path of the console behind the issuer's own.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("{}console{rest}", self.issuer.path())
    }

    /// `__Host-` binds a cookie to this very host, and wants https.
    pub(super) fn cookie(&self) -> &'static str {
        if self.over_tls() { "__Host-portcullis_console" } else { "portcullis_console" }
    }

    pub(super) fn set_cookie(&self, value: &str, seconds: i64) -> Option<HeaderValue> {
        let name = self.cookie();
        let secure = if self.over_tls() { "; Secure" } else { "" };
        let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
        let mut header = HeaderValue::from_str(&text).ok()?;
        header.set_sensitive(true);
        Some(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(issuer: &str) -> Setting {
        Setting { issuer: issuer.parse().unwrap(), service: "x".to_owned() }
    }

    #[test]
    fn the_cookie_is_bound_as_tightly_as_its_transport_allows() {
        let secure = setting("https://id.example/").set_cookie("v", 9).unwrap();
        assert_eq!(
            secure.to_str().unwrap(),
            "__Host-portcullis_console=v; Path=/; Max-Age=9; HttpOnly; SameSite=Strict; Secure"
        );
        assert!(secure.is_sensitive());
        let loopback = setting("http://localhost:4400/").set_cookie("v", 9).unwrap();
        let text = loopback.to_str().unwrap();
        assert!(text.starts_with("portcullis_console=v;") && !text.contains("Secure"), "{text}");
    }

    #[test]
    fn addresses_are_made_from_the_issuer_alone() {
        let setting = setting("https://id.example/auth/");
        assert_eq!(setting.board(), "https://id.example/auth/console");
        assert_eq!(setting.path("/link"), "/auth/console/link");
        assert_eq!(setting.audience(), "https://id.example/auth/api/v2/");
        let link = setting.link(&SecretString::from("t"));
        assert_eq!(link, "https://id.example/auth/console/link?token=t");
    }
}
