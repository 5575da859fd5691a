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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (seconds, expected) in [
            (0.0, Some(0)),
            (0.9, Some(0)),
            (1.0, Some(1)),
            (253_402_300_799.0, Some(253_402_300_799)),
            (253_402_300_800.0, None),
            (-0.1, None),
            (f64::NAN, None),
            (f64::INFINITY, None),
            (f64::NEG_INFINITY, None),
        ] {
            assert_eq!(NumericDate::new(seconds).map(NumericDate::seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn every_claim_goes_to_its_place() {
        let text =
            br#"{"iss":"i","sub":"s","aud":["a","b"],"exp":3.5,"nbf":1,"iat":2,"jti":"j","client_id":"c",
            "azp":"z","gty":"g","scope":"x y","sid":"d","cnf":{"jkt":"t"},"other":[1]}"#;
        let claims = Claims::parse(text).unwrap();
        let own = |text: &str| Some(text.to_owned());
        let expected = Claims {
            iss: own("i"),
            sub: own("s"),
            aud: vec!["a".to_owned(), "b".to_owned()],
            exp: NumericDate::new(3.5),
            nbf: NumericDate::new(1.0),
            iat: NumericDate::new(2.0),
            jti: own("j"),
            client_id: own("c"),
            azp: own("z"),
            gty: own("g"),
            scope: own("x y"),
            sid: own("d"),
            cnf: true,
            rest: Map::from_iter([("other".to_owned(), serde_json::json!([1]))]),
        };
        assert_eq!(claims, expected);
        assert_eq!(Claims::parse(b"{}").unwrap(), Claims::default());
        assert_eq!(Claims::parse(br#"{"aud":"a"}"#).unwrap().aud, ["a"]);
    }
}
