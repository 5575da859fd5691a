//! How answers look: problem details (RFC 9457) for the session API, OAuth's JSON for OAuth endpoints, pages for browsers.
//!
//! A [`Refusal`] is the caller's, a [`Fault`] is ours. Faults are logged here, once, with an id that the answer names.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::Response;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER,
    STRICT_TRANSPORT_SECURITY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use oauth::error::OAuthError;

use crate::{Fault, pages};

/// What a handler gives.
pub(crate) type Answer = Result<Response, Refusal>;

/// In which form an endpoint's errors are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `application/problem+json`.
    Problem,
    /// `{"error", "error_description"}` (RFC 6749 section 5.2).
    OAuth,
    /// HTML.
    Page,
}

/// Why a request is not answered as asked.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// In the words of the session API.
    Problem(Box<Problem>),
    /// In OAuth's words, with the seconds to wait where that is the matter.
    OAuth(Box<OAuthError>, Option<i64>),
    /// Our fault.
    Fault(Box<Fault>),
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl From<OAuthError> for Refusal {
    fn from(error: OAuthError) -> Self {
        Self::OAuth(Box::new(error), None)
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(Box::new(fault))
    }
}

impl From<store::Fault> for Refusal {
    fn from(fault: store::Fault) -> Self {
        Self::Fault(Box::new(fault.into()))
    }
}

/// A problem that the caller can do something about.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// `code` is for programs and stays; `detail` is for people.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, detail: detail.into(), headers: Vec::new() }
    }

    /// 400.
    pub(crate) fn bad_request(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 429 with the seconds to wait.
    pub(crate) fn too_many(seconds: i64) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_attempts",
            "too many attempts: wait as long as Retry-After says",
        )
        .with(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// Adds a header to the answer.
    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Adds `WWW-Authenticate`.
    pub(crate) fn challenge(self, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(value) => self.with(WWW_AUTHENTICATE, value),
            Err(_) => self.with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
        }
    }

    /// The status.
    #[cfg(test)]
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// The text for people.
    #[cfg(test)]
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }
}

impl Refusal {
    /// Writes the refusal. `fault_id` is asked only when there is a fault to log.
    pub(crate) fn into_response(self, form: Form, fault_id: impl FnOnce() -> String) -> Response {
        match self {
            Self::Problem(problem) => problem_response(*problem, form),
            Self::OAuth(error, wait) => oauth_response(&error, wait),
            Self::Fault(fault) => fault_response(&fault, form, &fault_id()),
        }
    }
}

fn problem_response(problem: Problem, form: Form) -> Response {
    let mut answer = match form {
        Form::Problem => problem_json(problem.status, problem.code, &problem.detail, None),
        Form::OAuth => oauth_json(problem.status, "invalid_request", &problem.detail),
        Form::Page => pages::message(problem.status, "This did not work", &problem.detail),
    };
    for (name, value) in problem.headers {
        answer.headers_mut().insert(name, value);
    }
    answer
}

fn oauth_response(error: &OAuthError, wait: Option<i64>) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut answer = json(status, "application/json", &error.body());
    if let Some(challenge) = error.www_authenticate() {
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    if let Some(seconds) = wait {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

fn fault_response(fault: &Fault, form: Form, id: &str) -> Response {
    let (status, wait) = match fault {
        Fault::Busy => (StatusCode::SERVICE_UNAVAILABLE, Some(1)),
        Fault::Store(
            store::Fault::Full | store::Fault::Unavailable(_) | store::Fault::CredentialsRefused,
        ) => (StatusCode::SERVICE_UNAVAILABLE, Some(5)),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, None),
    };
    if matches!(fault, Fault::Busy) {
        tracing::warn!(fault_id = id, "{fault}");
    } else {
        tracing::error!(fault_id = id, "{fault}");
    }
    let detail = if status == StatusCode::SERVICE_UNAVAILABLE {
        "the server cannot do this now: try again a little later"
    } else {
        "the server failed: its log has the reason under this id"
    };
    let mut answer = match form {
        Form::Problem => problem_json(status, "server_fault", detail, Some(id)),
        Form::OAuth => {
            let code = if wait.is_some() { "temporarily_unavailable" } else { "server_error" };
            oauth_json(status, code, &format!("{detail} ({id})"))
        }
        Form::Page => pages::message(status, "This did not work", &format!("{detail} ({id})")),
    };
    if let Some(seconds) = wait {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

/// RFC 9457. `type` is `about:blank`, so `title` is the status in words (section 4.2.1); `code` is ours.
fn problem_json(status: StatusCode, code: &str, detail: &str, id: Option<&str>) -> Response {
    let mut body = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "code": code,
        "detail": detail,
    });
    if let Some(id) = id {
        body["instance"] = serde_json::Value::String(format!("urn:fault:{id}"));
    }
    json(status, "application/problem+json", &body)
}

fn oauth_json(status: StatusCode, code: &str, description: &str) -> Response {
    json(status, "application/json", &serde_json::json!({ "error": code, "error_description": description }))
}

/// A JSON body with its type.
pub(crate) fn json(status: StatusCode, content_type: &'static str, body: &serde_json::Value) -> Response {
    let mut answer = Response::new(Body::from(body.to_string()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// 200 with a JSON body.
pub(crate) fn ok(body: &serde_json::Value) -> Response {
    json(StatusCode::OK, "application/json", body)
}

/// A status without a body.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status;
    answer
}

/// 405 that names what is allowed (RFC 9110 section 15.5.6).
pub(crate) fn method_not_allowed(allow: &str) -> Problem {
    let problem = Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this endpoint knows other methods: see Allow",
    );
    match HeaderValue::from_str(allow) {
        Ok(value) => problem.with(ALLOW, value),
        Err(_) => problem,
    }
}

/// 404.
pub(crate) fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing here")
}

/// What every answer carries, unless the handler has said it more exactly.
pub(crate) fn harden(headers: &mut HeaderMap, over_tls: bool) {
    let mut default = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    default(CACHE_CONTROL, "no-store");
    default(X_CONTENT_TYPE_OPTIONS, "nosniff");
    default(REFERRER_POLICY, "no-referrer");
    default(X_FRAME_OPTIONS, "DENY");
    default(CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    if over_tls {
        default(STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains");
    }
}
