//! The frontend's origin: who may send, who may read, and what a browser asks beforehand.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderName, HeaderValue, ORIGIN, UPGRADE,
};
use http::{Method, Request, Response, StatusCode};
use policy::{Denial, NormalPath, OriginVerdict, Origins, PREFLIGHT_MAX_AGE, Preflight, Table};

use crate::body::AnswerBody;
use crate::headers;

/// The `Origin` of a request, judged.
#[derive(Debug)]
pub(crate) struct Origin<'o> {
    origins: &'o Origins,
    verdict: OriginVerdict<'o>,
    value: Option<HeaderValue>,
}

impl<'o> Origin<'o> {
    pub(crate) fn of(headers: &HeaderMap, origins: &'o Origins) -> Self {
        let mut values = headers.get_all(ORIGIN).iter();
        let Some(value) = values.next() else {
            return Self { origins, verdict: OriginVerdict::None, value: None };
        };
        let text = value.to_str().unwrap_or_default();
        let verdict = match values.next() {
            None => origins.judge(&[text]),
            Some(_) => origins.judge(&[text, ""]),
        };
        Self { origins, verdict, value: Some(value.clone()) }
    }

    /// The frontend's own, as it was sent.
    pub(crate) fn frontend(&self) -> Option<HeaderValue> {
        match self.verdict {
            OriginVerdict::Frontend(_) => self.value.clone(),
            _ => None,
        }
    }

    /// Refuses what a foreign page must not send. A WebSocket begins with a safe method, and the browser shows its
    /// answers to whatever page asked: it counts as unsafe.
    pub(crate) fn authorize<B>(&self, request: &Request<B>) -> Result<(), Denial> {
        if self.verdict == OriginVerdict::Foreign
            && request.headers().contains_key(UPGRADE)
            && headers::wants_websocket(request.headers())
        {
            return Err(Denial::ForeignOrigin);
        }
        policy::authorize_origin(request.method().as_str(), &self.verdict)
    }

    /// Answers a preflight, or says why not.
    pub(crate) fn preflight<B>(
        &self,
        request: &Request<B>,
        table: &Table,
        path: &NormalPath,
    ) -> Result<Response<AnswerBody>, &'static str> {
        let OriginVerdict::Frontend(origin) = self.verdict else {
            return Err("the origin is not the frontend's");
        };
        let mut methods = request.headers().get_all(ACCESS_CONTROL_REQUEST_METHOD).iter();
        let (method, another) = (methods.next().and_then(|value| value.to_str().ok()), methods.next());
        let (Some(method), None) = (method, another) else {
            return Err("the preflight asks for no one method");
        };
        let asked = joined(request.headers(), &ACCESS_CONTROL_REQUEST_HEADERS);
        match policy::preflight(table, self.origins, &[origin], path, method, Some(&asked)) {
            Preflight::Refused { why } => Err(why),
            Preflight::Allowed { allow_methods, allow_headers, .. } => {
                let mut answer = Response::new(AnswerBody::empty());
                *answer.status_mut() = StatusCode::NO_CONTENT;
                let headers = answer.headers_mut();
                headers.insert(ACCESS_CONTROL_ALLOW_METHODS, text(&allow_methods)?);
                headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, text(&allow_headers)?);
                headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(PREFLIGHT_MAX_AGE));
                Ok(answer)
            }
        }
    }
}

/// An OPTIONS that a browser sends before the request itself (Fetch standard). Any other OPTIONS is a route like all.
pub(crate) fn is_preflight<B>(request: &Request<B>) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(ORIGIN)
        && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Lets the frontend's script read the answer. Identity's answers come with their own.
pub(crate) fn share(headers: &mut HeaderMap, frontend: &HeaderValue) {
    if headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        return;
    }
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, frontend.clone());
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(policy::EXPOSED_HEADERS));
}

fn joined(headers: &HeaderMap, name: &HeaderName) -> String {
    let lines: Vec<&str> = headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("*")).collect();
    lines.join(",")
}

fn text(value: &str) -> Result<HeaderValue, &'static str> {
    HeaderValue::from_str(value).map_err(|_| "the answer cannot be written")
}
