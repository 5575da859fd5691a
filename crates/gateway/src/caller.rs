//! Who was found behind a token or a key, with what the backend is told about it.

use http::HeaderValue;
use jose::Token;
use policy::{Caller, TokenFacts};

use crate::api_key::LegacyKey;
use crate::revocations::RevocableFacts;

/// A caller, and all that is worked out once for it.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) caller: Caller,
    pub(crate) subject: Option<HeaderValue>,
    pub(crate) client: Option<HeaderValue>,
    pub(crate) scopes: HeaderValue,
    /// Unix seconds from which on this must be found out afresh.
    pub(crate) forget_at: i64,
    /// Which of the issuers vouched.
    pub(crate) issuer: usize,
    session: Option<String>,
    issued_at: Option<i64>,
}

impl Known {
    /// From a token that was verified and judged.
    ///
    /// # Errors
    /// When a name in it cannot stand in a header exactly as it is: a backend that read it differently would take one
    /// caller for another.
    pub(crate) fn from_token(token: &Token, issuer: usize) -> Result<Self, &'static str> {
        let claims = &token.claims;
        let caller = Caller::from_token(&TokenFacts {
            sub: claims.sub.as_deref(),
            client_id: claims.client_id.as_deref(),
            azp: claims.azp.as_deref(),
            gty: claims.gty.as_deref(),
            scope: claims.scope.as_deref(),
        });
        Ok(Self {
            subject: caller.subject.as_deref().map(exact).transpose()?,
            client: caller.client.as_deref().map(exact).transpose()?,
            scopes: scopes(&caller)?,
            forget_at: claims.exp.map_or(i64::MIN, |exp| exp.seconds()),
            issuer,
            session: claims.sid.clone(),
            issued_at: claims.iat.map(|iat| iat.seconds()),
            caller,
        })
    }

    /// From an API key.
    pub(crate) fn from_key(key: LegacyKey) -> Result<Self, &'static str> {
        let caller = Caller::from_api_key(key.client, key.scopes);
        Ok(Self {
            subject: None,
            client: caller.client.as_deref().map(exact).transpose()?,
            scopes: scopes(&caller)?,
            forget_at: i64::MIN,
            issuer: usize::MAX,
            session: None,
            issued_at: None,
            caller,
        })
    }

    pub(crate) fn revocable(&self) -> RevocableFacts<'_> {
        RevocableFacts {
            session: self.session.as_deref(),
            subject: self.caller.subject.as_deref(),
            client: self.caller.client.as_deref(),
            issued_at: self.issued_at,
        }
    }

    #[cfg(test)]
    pub(crate) fn for_test(subject: &str, forget_at: i64) -> Self {
        let caller = Caller::from_token(&TokenFacts { sub: Some(subject), ..TokenFacts::default() });
        Self {
            subject: exact(subject).ok(),
            client: None,
            scopes: HeaderValue::from_static(""),
            forget_at,
            issuer: 0,
            session: None,
            issued_at: None,
            caller,
        }
    }
}

/// Printable ASCII without spaces at the ends: everything else is read differently by somebody.
fn exact(text: &str) -> Result<HeaderValue, &'static str> {
    const WHY: &str = "a name in the token cannot stand in a header";
    let printable = text.bytes().all(|byte| matches!(byte, 0x20..=0x7e));
    if !printable || text.starts_with(' ') || text.ends_with(' ') {
        return Err(WHY);
    }
    HeaderValue::from_str(text).map_err(|_| WHY)
}

fn scopes(caller: &Caller) -> Result<HeaderValue, &'static str> {
    exact(&caller.scopes.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_exactly_or_not_at_all() {
        for good in ["usr_1", "auth0|5f7c", "a b", "c@clients", ""] {
            assert_eq!(exact(good).unwrap(), good);
        }
        for bad in [" admin", "admin ", "admin\n", "a\tb", "ad\u{131}min", "a\r\nX-Auth-Scopes: all", "\u{0}"]
        {
            assert!(exact(bad).is_err(), "{bad:?}");
        }
    }
}
