//! Whether a token whose signature is proven is good here and now (RFC 7519 section 4.1, RFC 9068 section 4,
//! RFC 8725 sections 3.8 to 3.12).

use crate::claims::{Claims, NumericDate};
use crate::compact::Header;
use crate::json::JsonError;

/// Seconds by which two clocks may differ.
pub const LEEWAY: i64 = 30;

/// Claims that ID tokens have and access tokens do not (OpenID Connect Core sections 2, 3.1.3.6, 3.3.2.11; FAPI),
/// and the one that makes a logout token or a security event.
const NOT_OF_ACCESS_TOKENS: [&str; 5] = ["nonce", "at_hash", "c_hash", "s_hash", "events"];

/// Which kinds of token an issuer makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypRule {
    /// `typ` is `at+jwt` or `application/at+jwt`, in any case (RFC 9068 section 4).
    Rfc9068,
    /// `typ` is `JWT`, or as above (Auth0 makes both). Its ID tokens have the same `typ` and are told by their claims.
    Auth0,
}

/// What is expected of a token.
#[derive(Debug, Clone, Copy)]
pub struct Expectations<'a> {
    /// `iss`, byte for byte.
    pub issuer: &'a str,
    /// What `aud` must contain, byte for byte.
    pub audience: &'a str,
    /// What `typ` may be.
    pub typ: TypRule,
    /// Seconds that a token may live, from `iat` to `exp`; without `iat`, from now.
    pub maximum_lifetime: i64,
    /// Unix seconds.
    pub now: i64,
}

/// What is wrong with a token's claims. Texts name the claim, never its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// The payload is not strict JSON.
    #[error("the claims: {0}")]
    Malformed(#[from] JsonError),
    /// A claim has a type or a value that it cannot have.
    #[error("the claim `{0}` has a type or value that it cannot have")]
    WrongType(&'static str),
    /// A claim is missing.
    #[error("the claim `{0}` is missing")]
    Missing(&'static str),
    /// `typ` is not that of an access token.
    #[error("the header's `typ` is not that of an access token")]
    Typ,
    /// `iss` is another.
    #[error("the token is another issuer's")]
    Issuer,
    /// `aud` does not name us.
    #[error("the token is for another audience")]
    Audience,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` has not come.
    #[error("the token is not valid yet")]
    NotYet,
    /// `iat` has not come.
    #[error("the token was issued in the future")]
    IssuedInFuture,
    /// It lives longer than is allowed.
    #[error("the token lives longer than is allowed")]
    LivesTooLong,
    /// An ID token, a logout token or the like.
    #[error("the token is an ID token or another kind, not an access token")]
    NotAnAccessToken,
    /// `cnf` binds it to a key, and it came as a bearer token.
    #[error("the token is bound to a key and cannot be used as a bearer token")]
    Bound,
}

/// Judges a token. The signature must have been proven before; [`crate::verify_claims`] does.
///
/// # Errors
/// [`ClaimError`], the first that applies.
pub fn judge(claims: &Claims, header: &Header, expected: &Expectations<'_>) -> Result<(), ClaimError> {
    if !typ_fits(header.typ.as_deref(), expected.typ) {
        return Err(ClaimError::Typ);
    }
    let issuer = claims.iss.as_deref().ok_or(ClaimError::Missing("iss"))?;
    if issuer != expected.issuer {
        return Err(ClaimError::Issuer);
    }
    if claims.aud.is_empty() {
        return Err(ClaimError::Missing("aud"));
    }
    if !claims.aud.iter().any(|audience| audience == expected.audience) {
        return Err(ClaimError::Audience);
    }
    judge_dates(claims, expected)?;
    if claims.sub.as_deref().is_none_or(str::is_empty) {
        return Err(ClaimError::Missing("sub"));
    }
    if expected.typ == TypRule::Auth0 && is_no_access_token(claims, expected.audience) {
        return Err(ClaimError::NotAnAccessToken);
    }
    if claims.cnf {
        return Err(ClaimError::Bound);
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "seconds of any real clock are exact in a double")]
fn judge_dates(claims: &Claims, expected: &Expectations<'_>) -> Result<(), ClaimError> {
    let (now, leeway) = (expected.now as f64, LEEWAY as f64);
    let exp = claims.exp.ok_or(ClaimError::Missing("exp"))?.as_f64();
    // "On or after" the date it must not be accepted (RFC 7519 section 4.1.4); the leeway moves the date.
    if now >= exp + leeway {
        return Err(ClaimError::Expired);
    }
    let lies_ahead = |date: Option<NumericDate>| date.is_some_and(|date| now + leeway < date.as_f64());
    if lies_ahead(claims.nbf) {
        return Err(ClaimError::NotYet);
    }
    if lies_ahead(claims.iat) {
        return Err(ClaimError::IssuedInFuture);
    }
    let begins = claims.iat.map_or(now, NumericDate::as_f64);
    if exp - begins > expected.maximum_lifetime as f64 {
        return Err(ClaimError::LivesTooLong);
    }
    Ok(())
}

fn typ_fits(typ: Option<&str>, rule: TypRule) -> bool {
    let Some(typ) = typ else { return false };
    let is = |name: &str| typ.eq_ignore_ascii_case(name);
    is("at+jwt") || is("application/at+jwt") || (rule == TypRule::Auth0 && is("JWT"))
}

/// An ID token's audience is its client (OpenID Connect Core section 2); an access token's is an API.
fn is_no_access_token(claims: &Claims, audience: &str) -> bool {
    let client_is_audience =
        [&claims.azp, &claims.client_id].into_iter().flatten().any(|client| client == audience);
    client_is_audience || NOT_OF_ACCESS_TOKENS.iter().any(|name| claims.rest.contains_key(*name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::Algorithm;

    const NOW: i64 = 1_800_000_000;

    fn judged(
        change: impl FnOnce(&mut Claims, &mut Header, &mut Expectations<'_>),
    ) -> Result<(), ClaimError> {
        let date = |seconds: i64| NumericDate::new(seconds as f64);
        let mut claims = Claims {
            iss: Some("i".to_owned()),
            sub: Some("s".to_owned()),
            aud: vec!["a".to_owned()],
            exp: date(NOW + 60),
            iat: date(NOW),
            ..Claims::default()
        };
        let mut header = Header { alg: Algorithm::Rs256, kid: None, typ: Some("at+jwt".to_owned()) };
        let mut expected = Expectations {
            issuer: "i",
            audience: "a",
            typ: TypRule::Rfc9068,
            maximum_lifetime: 60,
            now: NOW,
        };
        change(&mut claims, &mut header, &mut expected);
        judge(&claims, &header, &expected)
    }

    #[test]
    fn one_change_one_answer() {
        assert_eq!(judged(|_, _, _| {}), Ok(()));
        assert_eq!(judged(|_, header, _| header.typ = None), Err(ClaimError::Typ));
        assert_eq!(judged(|claims, _, _| claims.iss = None), Err(ClaimError::Missing("iss")));
        assert_eq!(judged(|_, _, expected| expected.issuer = "I"), Err(ClaimError::Issuer));
        assert_eq!(judged(|claims, _, _| claims.aud.clear()), Err(ClaimError::Missing("aud")));
        assert_eq!(judged(|_, _, expected| expected.audience = "b"), Err(ClaimError::Audience));
        assert_eq!(judged(|claims, _, _| claims.exp = None), Err(ClaimError::Missing("exp")));
        assert_eq!(judged(|_, _, expected| expected.now = NOW + 90), Err(ClaimError::Expired));
        assert_eq!(judged(|_, _, expected| expected.now = NOW - 31), Err(ClaimError::IssuedInFuture));
        assert_eq!(judged(|claims, _, _| claims.nbf = NumericDate::new(2e9)), Err(ClaimError::NotYet));
        assert_eq!(judged(|_, _, expected| expected.maximum_lifetime = 59), Err(ClaimError::LivesTooLong));
        assert_eq!(judged(|claims, _, _| claims.sub = None), Err(ClaimError::Missing("sub")));
        assert_eq!(judged(|claims, _, _| claims.cnf = true), Err(ClaimError::Bound));
    }

    #[test]
    fn clocks_at_their_ends_do_not_panic() {
        for now in [i64::MIN, -1, 0, i64::MAX] {
            for maximum_lifetime in [i64::MIN, 0, i64::MAX] {
                let verdict = judged(|claims, _, expected| {
                    claims.iat = None;
                    (expected.now, expected.maximum_lifetime) = (now, maximum_lifetime);
                });
                assert!(verdict.is_err() || maximum_lifetime == i64::MAX);
            }
        }
    }
}
