//! The claims of a JWT (RFC 7519 section 4) as this house uses them.

use serde_json::{Map, Value};

use crate::json;
use crate::judgement::ClaimError;

/// Midnight after the last day of the year 9999: a date beyond it is a mistake or an attack.
const END_OF_DATES: f64 = 253_402_300_800.0;

/// Seconds since 1970-01-01T00:00:00Z, maybe with a fraction (RFC 7519 section 2). Never negative, never beyond
/// the year 9999.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct NumericDate(f64);

impl NumericDate {
    /// A date of that many seconds; `None` outside the years 1970 to 9999.
    pub fn new(seconds: f64) -> Option<Self> {
        // NaN is in no range.
        (0.0..END_OF_DATES).contains(&seconds).then_some(Self(seconds))
    }

    /// Whole seconds, the fraction dropped: a token is never held valid longer for having one.
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked when a date is made")]
    pub fn seconds(self) -> i64 {
        self.0 as i64
    }

    /// Seconds with the fraction.
    pub fn as_f64(self) -> f64 {
        self.0
    }
}

/// What a token says. Each registered claim has its type; all others are in `rest`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Claims {
    /// Who issued it.
    pub iss: Option<String>,
    /// Whom it speaks of.
    pub sub: Option<String>,
    /// Whom it is for; a single string is a list of one, and a missing claim an empty one.
    pub aud: Vec<String>,
    /// The moment from which it is void.
    pub exp: Option<NumericDate>,
    /// The moment before which it is void.
    pub nbf: Option<NumericDate>,
    /// When it was issued.
    pub iat: Option<NumericDate>,
    /// Its own name.
    pub jti: Option<String>,
    /// The client that asked for it (RFC 8693 section 4.3, RFC 9068 section 2.2).
    pub client_id: Option<String>,
    /// The same in tokens of Auth0.
    pub azp: Option<String>,
    /// The grant, in tokens of Auth0: `client-credentials`, say.
    pub gty: Option<String>,
    /// Scopes, separated by spaces.
    pub scope: Option<String>,
    /// The session (OpenID Connect Front-Channel Logout 1.0, section 3).
    pub sid: Option<String>,
    /// Whether it is bound to a key (RFC 7800, RFC 8705, RFC 9449).
    pub cnf: bool,
    /// Everything else, in no order.
    pub rest: Map<String, Value>,
}

impl Claims {
    /// Reads a payload, in one pass: types, doubled members and nesting.
    ///
    /// # Errors
    /// [`ClaimError::Malformed`] and [`ClaimError::WrongType`].
    pub fn parse(json: &[u8]) -> Result<Self, ClaimError> {
        let mut claims = Self::default();
        json::members(json, |name, value| claims.take(name, value))?;
        Ok(claims)
    }

    fn take(&mut self, name: &str, value: Value) -> Result<(), ClaimError> {
        match name {
            "iss" => self.iss = Some(text("iss", value)?),
            "sub" => self.sub = Some(text("sub", value)?),
            "aud" => self.aud = audience(value)?,
            "exp" => self.exp = Some(date("exp", &value)?),
            "nbf" => self.nbf = Some(date("nbf", &value)?),
            "iat" => self.iat = Some(date("iat", &value)?),
            "jti" => self.jti = Some(text("jti", value)?),
            "client_id" => self.client_id = Some(text("client_id", value)?),
            "azp" => self.azp = Some(text("azp", value)?),
            "gty" => self.gty = Some(text("gty", value)?),
            "scope" => self.scope = Some(text("scope", value)?),
            "sid" => self.sid = Some(text("sid", value)?),
            "cnf" => self.cnf = true,
            _ => {
                self.rest.insert(name.to_owned(), value);
            }
        }
        Ok(())
    }
}

fn text(claim: &'static str, value: Value) -> Result<String, ClaimError> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(ClaimError::WrongType(claim)),
    }
}

fn date(claim: &'static str, value: &Value) -> Result<NumericDate, ClaimError> {
    value.as_f64().and_then(NumericDate::new).ok_or(ClaimError::WrongType(claim))
}

fn audience(value: Value) -> Result<Vec<String>, ClaimError> {
    match value {
        Value::String(one) => Ok(vec![one]),
        Value::Array(list) => list.into_iter().map(|one| text("aud", one)).collect(),
        _ => Err(ClaimError::WrongType("aud")),
    }
}
