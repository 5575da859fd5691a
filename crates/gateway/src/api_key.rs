//! Static API keys on their way out: looked up by digest, announced as deprecated, refused after their sunset.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_lc_rs::digest;
use http::header::{HeaderMap, HeaderName, HeaderValue, LINK};
use policy::api_key::{Form, form};

use crate::config::{ApiKeysConfig, ConfigError};

/// A key that is still in use, as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyKey {
    /// Its id; never the key.
    pub id: String,
    /// The client that it belongs to.
    pub client: Option<String>,
    /// What it may do.
    pub scopes: policy::ScopeSet,
    /// Unix seconds from which on it is refused.
    pub expires_at: Option<i64>,
}

/// The keys could not be asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("API keys cannot be looked up: {0}")]
pub struct LegacyKeysUnavailable(pub String);

/// Where the keys are. The gateway has no line to a database; the binary fills this in.
#[async_trait]
pub trait LegacyKeys: Send + Sync {
    /// The key whose SHA-256 this is, unless it is revoked.
    ///
    /// # Errors
    /// When it cannot be found out: the answer is 503.
    async fn find(&self, digest: [u8; 32]) -> Result<Option<LegacyKey>, LegacyKeysUnavailable>;
}

/// One accepted use, for the record of last uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    /// The key's id.
    pub id: String,
    /// Unix seconds.
    pub at: i64,
}

/// The longest key that is looked at.
const LONGEST_KEY: usize = 512;

/// Whether a key may be looked up: a mistyped or made-up one of ours costs no look-up. Imported keys have any form.
pub(crate) fn may_be_looked_up(key: &str) -> bool {
    !key.is_empty() && key.len() <= LONGEST_KEY && form(key) != Form::Broken
}

/// What a key is looked up by: its SHA-256. A key of 178 random bits needs no slow hash.
#[must_use]
pub fn digest_of(key: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest::digest(&digest::SHA256, key.as_bytes()).as_ref());
    bytes
}

/// The rules about keys, with the headers of every answer made once.
#[derive(Debug)]
pub(crate) struct ApiKeys {
    pub(crate) header: HeaderName,
    pub(crate) sunset: Option<i64>,
    announcement: Vec<(HeaderName, HeaderValue)>,
}

impl ApiKeys {
    pub(crate) fn new(config: &ApiKeysConfig) -> Result<Self, ConfigError> {
        let header = config.header.as_str();
        if matches!(
            header,
            "authorization" | "host" | "cookie" | "connection" | "content-length" | "transfer-encoding"
        ) {
            return Err(ConfigError::KeyHeader(header.to_owned()));
        }
        if let (Some(deprecated), Some(sunset)) = (config.deprecated, config.sunset)
            && sunset < deprecated
        {
            return Err(ConfigError::SunsetBeforeDeprecation);
        }
        let mut announcement = Vec::new();
        if let Some(deprecated) = config.deprecated
            && let Ok(value) = HeaderValue::from_str(&format!("@{deprecated}"))
        {
            announcement.push((HeaderName::from_static("deprecation"), value));
        }
        if let Some(sunset) = config.sunset
            && let Ok(value) = HeaderValue::from_str(&http_date(sunset))
        {
            announcement.push((HeaderName::from_static("sunset"), value));
        }
        if let Some(link) = &config.link {
            if url::Url::parse(link).is_err() || link.contains(['<', '>', '"']) {
                return Err(ConfigError::Link);
            }
            for relation in ["deprecation", "sunset"] {
                let value = format!("<{link}>; rel=\"{relation}\"; type=\"text/html\"");
                announcement.push((LINK, HeaderValue::from_str(&value).map_err(|_| ConfigError::Link)?));
            }
        }
        Ok(Self { header: config.header.clone(), sunset: config.sunset, announcement })
    }

    /// Whether keys are over at `now`.
    pub(crate) fn are_over(&self, now: i64) -> bool {
        self.sunset.is_some_and(|sunset| now >= sunset)
    }

    /// RFC 9745 `Deprecation`, RFC 8594 `Sunset`, and where to read on.
    pub(crate) fn announce(&self, headers: &mut HeaderMap) {
        for name in ["deprecation", "sunset"] {
            headers.remove(name);
        }
        for (name, value) in &self.announcement {
            headers.append(name.clone(), value.clone());
        }
    }
}

/// An HTTP-date (RFC 9110 section 5.6.7).
fn http_date(seconds: i64) -> String {
    let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or(0).min(253_402_300_799));
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_looked_at_first() {
        let body = "pcl_prod_0123456789ABCDEFGHIJabcdefghij";
        let checksum = String::from_utf8(policy::api_key::checksum(body).to_vec()).unwrap();
        let key = format!("{body}_{checksum}");
        assert!(may_be_looked_up(&key), "{key}");
        for bad in ["", "pcl_", &format!("{body}_000000"), &format!("{key}0"), &"k".repeat(513)] {
            assert!(!may_be_looked_up(bad), "{bad}");
        }
        assert!(may_be_looked_up("an-old-static-key"), "imported keys have any form");
    }

    #[test]
    fn rfc9745_and_rfc8594_headers() {
        let config = ApiKeysConfig {
            header: HeaderName::from_static("api-key"),
            deprecated: Some(1_767_225_600),
            sunset: Some(1_798_761_599),
            link: Some("https://docs.example.com/keys".into()),
        };
        let keys = ApiKeys::new(&config).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("sunset", HeaderValue::from_static("the backend's"));
        keys.announce(&mut headers);
        assert_eq!(headers["deprecation"], "@1767225600");
        assert_eq!(headers["sunset"], "Thu, 31 Dec 2026 23:59:59 GMT");
        let links: Vec<_> = headers.get_all(LINK).iter().map(|v| v.to_str().unwrap()).collect();
        assert_eq!(
            links,
            [
                "<https://docs.example.com/keys>; rel=\"deprecation\"; type=\"text/html\"",
                "<https://docs.example.com/keys>; rel=\"sunset\"; type=\"text/html\"",
            ]
        );
        for (now, over) in [(1_798_761_598, false), (1_798_761_599, true), (1_798_761_600, true)] {
            assert_eq!(keys.are_over(now), over);
        }
        let backwards = ApiKeysConfig { sunset: Some(1), ..config.clone() };
        assert_eq!(ApiKeys::new(&backwards).unwrap_err(), ConfigError::SunsetBeforeDeprecation);
        let odd = ApiKeysConfig { header: http::header::AUTHORIZATION, ..config };
        assert!(matches!(ApiKeys::new(&odd), Err(ConfigError::KeyHeader(_))));
    }
}
