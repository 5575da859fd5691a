//! A managed database's credential, and its JSON: what an application reads to log in.

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

/// Why something is no credential. No text of the input is repeated: it may hold the password.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CredentialError {
    /// The URL does not parse, or lacks a part.
    #[error("the database URL has no {0}: write postgres://role@host:port/database?sslmode=…")]
    Url(&'static str),
    /// The JSON does not parse, or lacks a member.
    #[error("no credentials JSON: it wants username, password, host, port, database, url and generation")]
    Json,
}

/// How one role logs in to one database.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The role.
    pub username: String,
    /// Its password; 256 random bits where the steward made it.
    pub password: SecretString,
    /// A name or an address; IPv6 without brackets.
    pub host: String,
    /// 5432 unless said.
    pub port: u16,
    /// The database that the role enters.
    pub database: String,
    /// The URL's query (`sslmode=require`), kept as it was written; empty where there is none.
    pub parameters: String,
    /// Grows with each rotation; 0 before the first.
    pub generation: i64,
}

/// The contract's members. `url` carries the password: it is what applications take as `DATABASE_URL`.
#[derive(Serialize, Deserialize)]
struct Written {
    username: String,
    password: String,
    host: String,
    port: u16,
    database: String,
    url: String,
    generation: i64,
}

impl Credential {
    /// From a URL; a password in it gives way to `password` where that is given.
    ///
    /// # Errors
    /// [`CredentialError::Url`] names the part that is missing.
    pub fn from_url(url: &str, password: Option<&SecretString>) -> Result<Self, CredentialError> {
        let parsed = Url::parse(url).map_err(|_| CredentialError::Url("readable form"))?;
        if !matches!(parsed.scheme(), "postgres" | "postgresql") {
            return Err(CredentialError::Url("scheme postgres"));
        }
        let username = decoded(parsed.username()).filter(|name| !name.is_empty());
        let written = parsed.password().and_then(decoded).map(SecretString::from);
        let host = parsed.host_str().map(|host| host.trim_matches(['[', ']']).to_owned());
        let database = decoded(parsed.path().trim_start_matches('/')).filter(|name| !name.is_empty());
        Ok(Self {
            username: username.ok_or(CredentialError::Url("role"))?,
            password: password.cloned().or(written).ok_or(CredentialError::Url("password"))?,
            host: host.filter(|host| !host.is_empty()).ok_or(CredentialError::Url("host"))?,
            port: parsed.port().unwrap_or(5432),
            database: database.ok_or(CredentialError::Url("database"))?,
            parameters: parsed.query().unwrap_or_default().to_owned(),
            generation: 0,
        })
    }

    /// From the contract's JSON. The parts count, `url` adds its parameters alone.
    ///
    /// # Errors
    /// [`CredentialError::Json`].
    pub fn from_json(text: &str) -> Result<Self, CredentialError> {
        let written: Written = serde_json::from_str(text).map_err(|_| CredentialError::Json)?;
        let parameters = Url::parse(&written.url).map_err(|_| CredentialError::Json)?;
        Ok(Self {
            username: written.username,
            password: SecretString::from(written.password),
            host: written.host,
            port: written.port,
            database: written.database,
            parameters: parameters.query().unwrap_or_default().to_owned(),
            generation: written.generation,
        })
    }

    /// The contract's JSON.
    #[must_use]
    pub fn to_json(&self) -> SecretString {
        let written = Written {
            username: self.username.clone(),
            password: self.password.expose_secret().to_owned(),
            host: self.host.clone(),
            port: self.port,
            database: self.database.clone(),
            url: self.url_with_password().expose_secret().to_owned(),
            generation: self.generation,
        };
        // Strings and numbers always serialise.
        SecretString::from(serde_json::to_string_pretty(&written).unwrap_or_default() + "\n")
    }

    /// `postgres://role:password@host:port/database?…`, for an application.
    #[must_use]
    pub fn url_with_password(&self) -> SecretString {
        SecretString::from(self.written_url(Some(&self.password)))
    }

    /// The same without the password, for messages and for [`store::Location`].
    #[must_use]
    pub fn url(&self) -> String {
        self.written_url(None)
    }

    fn written_url(&self, password: Option<&SecretString>) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let password =
            password.map(|password| format!(":{}", encoded(password.expose_secret()))).unwrap_or_default();
        let query = if self.parameters.is_empty() { String::new() } else { format!("?{}", self.parameters) };
        format!(
            "postgres://{}{password}@{host}:{}/{}{query}",
            encoded(&self.username),
            self.port,
            encoded(&self.database)
        )
    }
}

/// Percent-decoded; none where the bytes are no text.
fn decoded(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Percent-encoded but for unreserved characters (RFC 3986 section 2.3).
fn encoded(part: &str) -> String {
    use std::fmt::Write as _;
    part.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_url_without_a_part_is_refused_by_its_name() {
        for (url, part) in [
            ("postgres://app:p@h/", "database"),
            // A name of dots cannot stand in a URL.
            ("postgres://app:p@h/.", "database"),
            ("postgres://app:p@h/%2E%2E", "database"),
            ("postgres://:p@h/d", "role"),
            ("postgres://app@h/d", "password"),
            ("mysql://app:p@h/d", "scheme postgres"),
            ("h:5432", "scheme postgres"),
        ] {
            assert_eq!(Credential::from_url(url, None).unwrap_err(), CredentialError::Url(part), "{url}");
        }
    }

    #[test]
    fn nothing_prints_the_password() {
        let credential = Credential::from_url("postgres://app:hunter2secret@h/d", None).unwrap(); // portcullis:allow made up
        assert!(!format!("{credential:?} {}", credential.url()).contains("hunter2"));
    }

    proptest! {
        #[test]
        fn json_and_url_give_back_what_went_in(name in "[ -~é€]{1,20}", password in "[ -~é€]{1,40}", generation in 0_i64..9) {
            // In a URL a segment of dots is a step and no name, however it is encoded (WHATWG URL, "double-dot segment").
            prop_assume!(name != "." && name != "..");
            let first = Credential {
                username: name.clone(), password: SecretString::from(password.clone()), host: "::1".into(), port: 6000,
                database: name.clone(), parameters: "sslmode=require".into(), generation,
            };
            let second = Credential::from_json(first.to_json().expose_secret()).unwrap();
            let third = Credential::from_url(first.url_with_password().expose_secret(), None).unwrap();
            for other in [&second, &third] {
                prop_assert_eq!(&other.username, &name);
                prop_assert_eq!(other.password.expose_secret(), &password);
                prop_assert_eq!(&other.host, "::1");
                prop_assert_eq!(&other.database, &name);
                prop_assert_eq!(&other.parameters, "sslmode=require");
            }
            prop_assert_eq!(second.generation, generation);
        }
    }
}
