//! Who calls our own endpoints: a client with a client-credentials token, or a user with a session's token.
//!
//! `identity` is a resource server here, so the rules are those of RFC 6750 and RFC 9068: signature by a key of ours, issuer,
//! audience, times; and, since the store is at hand, whether the session still stands.

use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use jose::{Expectations, Token, TypRule};
use policy::{Caller, CallerKind, TokenFacts};

use crate::respond::{Problem, Refusal};
use crate::{Identity, SessionCaller};

/// What a client's token must hold to call the session API.
pub(crate) const SESSION_SCOPE: &str = "session";
/// `client_id` of sessions that no client asked for.
pub(crate) const NO_CLIENT: &str = "session";

/// A user, proven by a token whose session stands.
#[derive(Debug)]
pub(crate) struct UserCaller {
    pub(crate) user: store::User,
    pub(crate) session: store::Session,
}

/// The bearer token of a request; `None` without an Authorization header.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let malformed = || {
        Problem::bad_request("malformed_authorization", "send one header `Authorization: Bearer TOKEN`")
            .challenge("Bearer error=\"invalid_request\"")
    };
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(malformed());
    }
    policy::bearer_token(value.as_bytes()).map(Some).ok_or_else(malformed)
}

/// No credentials: no error code either (RFC 6750 section 3.1).
fn no_credentials() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "no_credentials", "this endpoint wants a bearer token")
        .challenge("Bearer")
}

/// Whatever is wrong with the token; the log knows more.
fn invalid_token() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "invalid_token", "the token is not valid here, or no longer")
        .challenge("Bearer error=\"invalid_token\"")
}

/// The token is good and does not reach.
fn insufficient_scope(scope: &str, detail: String) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "insufficient_scope", detail)
        .challenge(&format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\""))
}

fn caller(token: &Token) -> Caller {
    let claims = &token.claims;
    Caller::from_token(&TokenFacts {
        sub: claims.sub.as_deref(),
        client_id: claims.client_id.as_deref(),
        azp: claims.azp.as_deref(),
        gty: claims.gty.as_deref(),
        scope: claims.scope.as_deref(),
    })
}

impl Identity {
    /// A token that a key of ours has signed. Its claims are not judged yet.
    fn signed_by_us(&self, token: &str) -> Result<Token, Problem> {
        let published = self.inner.keys.load().published(self.inner.clock.now());
        jose::verify_claims(token, &published.set).map(jose::Verified::into_inner).map_err(|error| {
            tracing::info!(target: "security", event = "token_refused", reason = %error);
            invalid_token()
        })
    }

    fn judge(&self, token: &Token, audience: &str) -> Result<(), Problem> {
        let expected = Expectations {
            issuer: &self.inner.config.issuer,
            audience,
            typ: TypRule::Rfc9068,
            // Each API sets its own; what no API allows was never signed by us.
            maximum_lifetime: i64::MAX,
            now: self.inner.clock.now(),
        };
        jose::judge(&token.claims, &token.header, &expected).map_err(|error| {
            tracing::info!(target: "security", event = "token_refused", reason = %error);
            invalid_token()
        })
    }

    /// The client that calls an endpoint which knows no user yet: the `client_id` of sessions that it begins.
    ///
    /// It must show a client-credentials token with scope `session` for the session audience, unless the configuration declares these
    /// endpoints public. Then a token is not looked at.
    pub(crate) async fn session_client(&self, headers: &HeaderMap) -> Result<String, Refusal> {
        if matches!(self.inner.config.session.caller, SessionCaller::Public { .. }) {
            return Ok(NO_CLIENT.to_owned());
        }
        let token = self.signed_by_us(bearer(headers)?.ok_or_else(no_credentials)?)?;
        self.judge(&token, &self.inner.config.session.audience)?;
        let caller = caller(&token);
        if !caller.is(CallerKind::Client) {
            return Err(insufficient_scope(
                SESSION_SCOPE,
                "this endpoint wants a token of a client (grant client_credentials), not of a user"
                    .to_owned(),
            )
            .into());
        }
        if !caller.scopes.contains(SESSION_SCOPE) {
            return Err(
                insufficient_scope(SESSION_SCOPE, "the token lacks the scope `session`".to_owned()).into()
            );
        }
        let client_id = caller.client.ok_or_else(invalid_token)?;
        let client = self.client(&client_id).await?.ok_or_else(invalid_token)?;
        if client.disabled {
            return Err(invalid_token().into());
        }
        Ok(client_id)
    }

    /// The user whose session's token this is. The audience is the one that the session was made for, and the session must stand.
    ///
    /// `required` is a scope that the token must hold, or none where any token of the session will do.
    pub(crate) async fn user_caller(
        &self,
        headers: &HeaderMap,
        required: Option<&str>,
    ) -> Result<UserCaller, Refusal> {
        let token = self.signed_by_us(bearer(headers)?.ok_or_else(no_credentials)?)?;
        let caller = caller(&token);
        if !caller.is(CallerKind::User) {
            // Before it is told what is missing it must be good at all.
            self.judge(&token, &self.inner.config.session.audience)?;
            return Err(insufficient_scope(
                required.unwrap_or_default(),
                "this endpoint wants a user's token, from a login".to_owned(),
            )
            .into());
        }
        let sid = token.claims.sid.as_deref().ok_or_else(invalid_token)?;
        let session = self.inner.store.session(sid).await?.ok_or_else(invalid_token)?;
        self.judge(&token, &session.audience)?;
        let now = self.inner.clock.now();
        if session.ended_at.is_some()
            || now >= session.expires_at
            || caller.subject.as_deref() != Some(&session.user_id)
        {
            return Err(invalid_token().into());
        }
        let user = self.inner.store.user(&session.user_id).await?.ok_or_else(invalid_token)?;
        let issued_before = token.claims.iat.is_none_or(|iat| iat.seconds() < user.not_before);
        if user.blocked || issued_before {
            return Err(invalid_token().into());
        }
        if let Some(scope) = required
            && !caller.scopes.contains(scope)
        {
            return Err(insufficient_scope(scope, format!("the token lacks the scope `{scope}`")).into());
        }
        Ok(UserCaller { user, session })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<Option<String>, u16> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        bearer(&headers).map(|token| token.map(str::to_owned)).map_err(|problem| problem.status().as_u16())
    }

    #[test]
    fn rfc6750_2_1_one_header_any_case_one_space_a_token() {
        assert_eq!(read(&[]), Ok(None));
        for good in ["Bearer a.b.c", "bearer a.b.c", "BEARER a.b.c"] {
            assert_eq!(read(&[good]), Ok(Some("a.b.c".to_owned())), "{good}");
        }
        assert_eq!(read(&["Bearer YQ=="]), Ok(Some("YQ==".to_owned())));
        for bad in [
            "Bearer",
            "Bearer ",
            "Bearer  a",
            "Bearer a b",
            "Bearer a,b",
            "Basic YTpi",
            "a.b.c",
            "Bearer =",
            "Bearer a\tb",
        ] {
            assert_eq!(read(&[bad]), Err(400), "{bad}");
        }
        assert_eq!(read(&["Bearer a", "Bearer a"]), Err(400));
    }
}
