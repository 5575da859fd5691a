//! The one table: every path of this room, its methods, how its errors look and which pages may call it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::any;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, CONTENT_LENGTH,
    ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use policy::OriginVerdict;

use crate::respond::{Answer, Form, Problem, Refusal, empty, harden, method_not_allowed, not_found};
use crate::{Fault, Identity, Mode, discovery, jwks, pages, password_reset, session, token, users};

type Handling = Pin<Box<dyn Future<Output = Answer> + Send>>;
type Handler = fn(Identity, Request) -> Handling;

/// Which pages' scripts may read the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Readers {
    /// None.
    Nobody,
    /// Any: it is public (RFC 8414 section 3).
    Anybody,
    /// The frontend's; and no page of another origin may send what changes something.
    Frontend,
}

/// One path.
struct Endpoint {
    path: String,
    form: Form,
    readers: Readers,
    methods: Vec<(Method, Handler)>,
}

/// Makes a handler of an async function.
macro_rules! handler {
    ($function:path) => {
        |identity, request| Box::pin($function(identity, request))
    };
}

/// Paths that exist whether users live here or not.
fn protocol_endpoints() -> Vec<Endpoint> {
    let public = |path: &str, handler: Handler| Endpoint {
        path: path.to_owned(),
        form: Form::Problem,
        readers: Readers::Anybody,
        methods: vec![(Method::GET, handler)],
    };
    vec![
        Endpoint {
            path: "/oauth/token".to_owned(),
            form: Form::OAuth,
            readers: Readers::Nobody,
            methods: vec![(Method::POST, handler!(token::token))],
        },
        public("/.well-known/jwks.json", handler!(jwks::jwks)),
        public("/.well-known/openid-configuration", handler!(discovery::metadata)),
        public("/.well-known/oauth-authorization-server", handler!(discovery::metadata)),
    ]
}

/// The session API.
fn session_endpoints(prefix: &str) -> Vec<Endpoint> {
    let at = |path: &str, methods: Vec<(Method, Handler)>| Endpoint {
        path: format!("{prefix}{path}"),
        form: Form::Problem,
        readers: Readers::Frontend,
        methods,
    };
    vec![
        at("", vec![(Method::POST, handler!(users::sign_up))]),
        at(
            "/session",
            vec![(Method::POST, handler!(session::log_in)), (Method::DELETE, handler!(session::log_out))],
        ),
        at("/session/refresh", vec![(Method::POST, handler!(session::refresh))]),
        at(
            "/password-reset",
            vec![
                (Method::POST, handler!(password_reset::request)),
                (Method::PUT, handler!(password_reset::redeem)),
            ],
        ),
        at(
            "/me",
            vec![
                (Method::GET, handler!(users::read)),
                (Method::PATCH, handler!(users::change)),
                (Method::DELETE, handler!(users::delete)),
            ],
        ),
    ]
}

/// Pages.
fn page_endpoints() -> Vec<Endpoint> {
    vec![Endpoint {
        path: "/reset".to_owned(),
        form: Form::Page,
        readers: Readers::Nobody,
        methods: vec![
            (Method::GET, handler!(pages::reset::show)),
            (Method::POST, handler!(pages::reset::submit)),
        ],
    }]
}

/// An origin that is nobody's frontend.
struct Stranger;

impl Identity {
    /// Everything on the issuer's origin. Serve it with `into_make_service_with_connect_info::<SocketAddr>()`: throttling counts by
    /// the peer's address.
    pub fn router(&self) -> axum::Router {
        let mut endpoints = protocol_endpoints();
        if self.inner.config.mode == Mode::Own {
            endpoints.extend(session_endpoints(&self.inner.config.session.prefix));
            endpoints.extend(page_endpoints());
        }
        self.serve(endpoints)
    }

    /// The session API alone, to be served on the gateway's origin as well. In delegated mode it knows no path and answers 404.
    pub fn session_router(&self) -> axum::Router {
        let endpoints = match self.inner.config.mode {
            Mode::Own => session_endpoints(&self.inner.config.session.prefix),
            Mode::Delegated => Vec::new(),
        };
        self.serve(endpoints)
    }

    /// Paths and methods of the session API, so that `check` can name a clash with the backend's own.
    #[must_use]
    pub fn session_paths(&self) -> Vec<(String, Vec<String>)> {
        session_endpoints(&self.inner.config.session.prefix)
            .into_iter()
            .map(|endpoint| {
                (endpoint.path, endpoint.methods.iter().map(|(method, _)| method.to_string()).collect())
            })
            .collect()
    }

    fn serve(&self, endpoints: Vec<Endpoint>) -> axum::Router {
        let mut router = axum::Router::new();
        for endpoint in endpoints {
            let endpoint = Arc::new(endpoint);
            let identity = self.clone();
            let path = endpoint.path.clone();
            router = router.route(
                &path,
                any(move |request: Request| {
                    let (identity, endpoint) = (identity.clone(), Arc::clone(&endpoint));
                    async move { identity.dispatch(&endpoint, request).await }
                }),
            );
        }
        let identity = self.clone();
        router.fallback(move |_: Request| {
            let identity = identity.clone();
            async move { identity.finish(Err(not_found().into()), Form::Problem) }
        })
    }

    async fn dispatch(&self, endpoint: &Endpoint, request: Request) -> Response {
        let method = request.method().clone();
        let origins: Vec<String> = request
            .headers()
            .get_all(ORIGIN)
            .iter()
            .map(|value| value.to_str().unwrap_or_default().to_owned())
            .collect();
        let mut answer = self.finish(self.handle(endpoint, &method, &origins, request).await, endpoint.form);
        self.allow_reading(endpoint, &origins, answer.headers_mut());
        if method == Method::HEAD {
            *answer.body_mut() = Body::empty();
            answer.headers_mut().remove(CONTENT_LENGTH);
        }
        answer
    }

    async fn handle(
        &self,
        endpoint: &Endpoint,
        method: &Method,
        origins: &[String],
        request: Request,
    ) -> Answer {
        let allow = allowed(endpoint);
        if method == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            return Ok(self.preflight(endpoint, origins, request.headers()));
        }
        let wanted = if method == Method::HEAD { &Method::GET } else { method };
        let (_, handler) = endpoint
            .methods
            .iter()
            .find(|(known, _)| known == wanted)
            .ok_or_else(|| method_not_allowed(&allow))?;
        if endpoint.readers == Readers::Frontend
            && !policy::is_safe_method(method.as_str())
            && self.frontend(origins).is_err()
        {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "foreign_origin",
                "pages of this origin may not call this endpoint",
            )
            .into());
        }
        if policy::is_safe_method(method.as_str()) {
            return handler(self.clone(), request).await;
        }
        // Detached from the connection: who hangs up between the decision and the commit, or between a commit and what must
        // follow it, changes nothing.
        match tokio::spawn(handler(self.clone(), request)).await {
            Ok(answer) => answer,
            Err(_) => Err(Fault::TaskLost.into()),
        }
    }

    /// The origin, where it is a frontend's; an error where it is a stranger's.
    fn frontend(&self, origins: &[String]) -> Result<Option<String>, Stranger> {
        let values: Vec<&str> = origins.iter().map(String::as_str).collect();
        match self.inner.frontend_origins.load().judge(&values) {
            OriginVerdict::None => Ok(None),
            OriginVerdict::Frontend(origin) => Ok(Some(origin.to_owned())),
            OriginVerdict::Foreign => Err(Stranger),
        }
    }

    /// 204 with what is allowed, or 403 without any such header (Fetch standard, CORS-preflight fetch).
    fn preflight(&self, endpoint: &Endpoint, origins: &[String], headers: &HeaderMap) -> Response {
        let requested = headers.get(ACCESS_CONTROL_REQUEST_METHOD).and_then(|value| value.to_str().ok());
        let listed = endpoint.methods.iter().any(|(method, _)| Some(method.as_str()) == requested);
        let reads = match endpoint.readers {
            Readers::Nobody => false,
            Readers::Anybody => true,
            Readers::Frontend => matches!(self.frontend(origins), Ok(Some(_))),
        };
        if !reads || !listed {
            return empty(StatusCode::FORBIDDEN);
        }
        let mut answer = empty(StatusCode::NO_CONTENT);
        let headers = answer.headers_mut();
        if let Ok(methods) = HeaderValue::from_str(&allowed(endpoint)) {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        }
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization, content-type"));
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(policy::PREFLIGHT_MAX_AGE));
        answer
    }

    /// CORS headers, on errors too, or a browser hides them from the frontend.
    fn allow_reading(&self, endpoint: &Endpoint, origins: &[String], headers: &mut HeaderMap) {
        match endpoint.readers {
            Readers::Nobody => {}
            Readers::Anybody => {
                headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            }
            Readers::Frontend => {
                headers.append(VARY, HeaderValue::from_static("Origin"));
                if let Ok(Some(origin)) = self.frontend(origins)
                    && let Ok(origin) = HeaderValue::from_str(&origin)
                {
                    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
                    headers.insert(
                        ACCESS_CONTROL_EXPOSE_HEADERS,
                        HeaderValue::from_static(policy::EXPOSED_HEADERS),
                    );
                }
            }
        }
    }

    fn finish(&self, answer: Answer, form: Form) -> Response {
        let mut answer = match answer {
            Ok(answer) => answer,
            Err(refusal) => {
                let refusal: Refusal = refusal;
                refusal
                    .into_response(form, || self.inner.fresh.id("").unwrap_or_else(|_| "unknown".to_owned()))
            }
        };
        harden(answer.headers_mut(), self.inner.over_tls);
        answer
    }
}

/// The methods of an endpoint as `Allow` names them.
fn allowed(endpoint: &Endpoint) -> String {
    let mut names: Vec<&str> = endpoint.methods.iter().map(|(method, _)| method.as_str()).collect();
    if names.contains(&"GET") {
        names.push("HEAD");
    }
    names.join(", ")
}

/// A header that this room reads by name, once; `None` when absent, repeated or not text.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}
