//! Problem details (RFC 9457): the body of every answer that the gateway itself gives.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Response, StatusCode};

use crate::body::AnswerBody;

/// Why the gateway answers instead of the backend. `code` is stable and counted; `detail` is for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The status, the same in the answer's head and in its body (RFC 9457 section 3.1.2).
    pub(crate) status: StatusCode,
    /// A stable word for programs and for the counters.
    pub(crate) code: &'static str,
    /// What to do about it. Never holds a secret nor text of the request.
    pub(crate) detail: String,
    /// The value of `WWW-Authenticate` (RFC 6750 section 3), where there is one.
    pub(crate) challenge: Option<String>,
    /// Seconds for `Retry-After`, where waiting helps.
    pub(crate) retry_after: Option<u32>,
}

impl Problem {
    /// A problem without a challenge.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), challenge: None, retry_after: None }
    }

    /// The same with a `WWW-Authenticate` value.
    pub(crate) fn challenging(mut self, challenge: impl Into<String>) -> Self {
        self.challenge = Some(challenge.into());
        self
    }

    /// The same with a `Retry-After` in seconds.
    pub(crate) fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// 400: the request contradicts itself or can be read in two ways.
    pub(crate) fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// The answer: `application/problem+json`, never stored by a cache.
    pub(crate) fn answer(&self, request_id: &HeaderValue) -> Response<AnswerBody> {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let body = serde_json::json!({
            "type": "about:blank",
            "title": title,
            "status": self.status.as_u16(),
            "detail": self.detail,
            "code": self.code,
            "request_id": request_id.to_str().unwrap_or_default(),
        });
        let mut answer = Response::new(AnswerBody::full(Bytes::from(body.to_string())));
        *answer.status_mut() = self.status;
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = &self.challenge
            && let Ok(value) = HeaderValue::from_str(challenge)
        {
            headers.insert(WWW_AUTHENTICATE, value);
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9457_3_1_2_the_status_member_equals_the_status() {
        let problem = Problem::new(StatusCode::UNAUTHORIZED, "invalid_token", "the token has expired")
            .challenging("Bearer error=\"invalid_token\"")
            .retry_after(3);
        let answer = problem.answer(&HeaderValue::from_static("abc"));
        assert_eq!(answer.status(), 401);
        assert_eq!(answer.headers()[WWW_AUTHENTICATE], "Bearer error=\"invalid_token\"");
        assert_eq!(answer.headers()[RETRY_AFTER], "3");
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/problem+json");
        let AnswerBody::Full(Some(bytes)) = answer.into_body() else { panic!("not a whole body") };
        let body: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(body["status"], 401);
        assert_eq!(body["title"], "Unauthorized");
        assert_eq!(body["code"], "invalid_token");
        assert_eq!(body["request_id"], "abc");
    }
}
