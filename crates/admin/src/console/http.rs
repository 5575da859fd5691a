//! The paths of the console.
//!
//! | | |
//! |---|---|
//! | `GET /console` | the board; 401 and how to get in for strangers |
//! | `GET /console/link?token=…` | one button; changes nothing, for previews open links |
//! | `POST /console/link` | spends the link, begins a session |
//! | `POST /console/session` | the same by e-mail address and password, for users with the scope |
//! | `POST /console/logout` | ends the session |

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{get, post};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HeaderName, LOCATION, ORIGIN,
    REFERRER_POLICY, RETRY_AFTER, SET_COOKIE, STRICT_TRANSPORT_SECURITY, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use store::{Fault, Store};

use super::doors::{Doors, Setting, SignIn};
use super::entry::{self, Visitor};
use super::pages;

/// A form is no longer than this, in bytes.
const FORM: usize = 16 * 1024;

struct Inner {
    setting: Setting,
    store: Store,
    doors: Doors,
}

/// The console. Cheap to clone.
#[derive(Clone)]
pub struct Console(Arc<Inner>);

impl std::fmt::Debug for Console {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Console").field("setting", &self.0.setting).finish_non_exhaustive()
    }
}

/// Why a page is not shown as asked; faults are logged where they are made.
enum Trouble {
    /// Ours.
    Fault,
    /// The form is none of ours.
    Form(StatusCode, &'static str),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        tracing::error!(%fault, "the console cannot read the store");
        Self::Fault
    }
}

impl Console {
    /// A console.
    #[must_use]
    pub fn new(setting: Setting, store: Store, doors: Doors) -> Self {
        Self(Arc::new(Inner { setting, store, doors }))
    }

    /// Its paths, to be served on the issuer's origin.
    pub fn router(&self) -> Router {
        let over_tls = self.0.setting.over_tls();
        Router::new()
            .route("/console", get(board))
            .route("/console/link", get(show_link).post(spend_link))
            .route("/console/session", post(sign_in))
            .route("/console/logout", post(log_out))
            .layer(map_response(move |mut answer: Response| async move {
                harden(answer.headers_mut(), over_tls);
                answer
            }))
            .with_state(self.clone())
    }

    fn now(&self) -> i64 {
        (self.0.doors.now)()
    }

    fn fresh(&self) -> Result<[u8; 32], Trouble> {
        (self.0.doors.fresh)().ok_or_else(|| {
            tracing::error!("no random bytes: the console lets nobody in");
            Trouble::Fault
        })
    }

    fn say(&self, status: StatusCode, title: &str, text: &str) -> Response {
        page(status, &pages::message(title, text, &self.0.setting.path("")))
    }

    fn trouble(&self, trouble: &Trouble) -> Response {
        match trouble {
            Trouble::Fault => self.say(
                StatusCode::SERVICE_UNAVAILABLE,
                "This cannot be shown now",
                "The server failed; its log says why. Try again a little later.",
            ),
            Trouble::Form(status, why) => self.say(*status, "This did not work", why),
        }
    }

    /// 401, with the form where people have passwords here, and how to get a link.
    fn stranger(&self, status: StatusCode, problem: Option<&str>) -> Response {
        let setting = &self.0.setting;
        let form = self.0.doors.people.is_some().then(|| setting.path("/session"));
        let mut answer =
            page(status, &pages::stranger(&setting.service, form.as_deref(), problem, &setting.audience()));
        if status == StatusCode::UNAUTHORIZED {
            let challenge = format!("Cookie realm=\"console\", cookie-name={}", setting.cookie());
            if let Ok(challenge) = HeaderValue::from_str(&challenge) {
                answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            }
        }
        answer
    }

    /// To the board, with the session's cookie.
    fn enter(&self, cookie: &SecretString) -> Response {
        let setting = &self.0.setting;
        let value = setting.set_cookie(cookie.expose_secret(), accounts::console::SESSION_LIFETIME);
        let location = HeaderValue::from_str(&setting.path(""));
        let (Some(value), Ok(location)) = (value, location) else { return self.trouble(&Trouble::Fault) };
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = StatusCode::SEE_OTHER;
        answer.headers_mut().insert(SET_COOKIE, value);
        answer.headers_mut().insert(LOCATION, location);
        answer
    }

    /// The form of a POST, when it is our own page's.
    async fn form(&self, request: Request) -> Result<(Parts, Vec<u8>), Trouble> {
        let (parts, body) = request.into_parts();
        let own = self.0.setting.issuer.origin().ascii_serialization();
        let fetch_site = HeaderName::from_static("sec-fetch-site");
        if !policy::is_own_form(&texts(&parts.headers, &ORIGIN), &texts(&parts.headers, &fetch_site), &own) {
            return Err(Trouble::Form(StatusCode::FORBIDDEN, "This form was sent from another site."));
        }
        let kind = texts(&parts.headers, &CONTENT_TYPE);
        let essence = kind.first().and_then(|value| value.split(';').next()).unwrap_or_default();
        if kind.len() != 1 || !essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Trouble::Form(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Send the form of the page."));
        }
        let body = axum::body::to_bytes(body, FORM)
            .await
            .map_err(|_| Trouble::Form(StatusCode::PAYLOAD_TOO_LARGE, "The form is too long."))?;
        Ok((parts, body.to_vec()))
    }

    async fn visitor(&self, headers: &HeaderMap) -> Result<Option<Visitor>, Trouble> {
        let setting = &self.0.setting;
        let Some(cookie) = cookie(headers, setting.cookie()) else { return Ok(None) };
        Ok(entry::visitor(&self.0.store, &cookie, &setting.audience(), self.now()).await?)
    }
}

/// `GET /console`.
async fn board(State(console): State<Console>, request: Request) -> Response {
    match console.visitor(request.headers()).await {
        Err(trouble) => console.trouble(&trouble),
        Ok(None) => console.stranger(StatusCode::UNAUTHORIZED, None),
        Ok(Some(_)) => match console.0.doors.boards.board().await {
            Ok(board) => {
                let setting = &console.0.setting;
                page(StatusCode::OK, &pages::board(&setting.service, &board, &setting.path("/logout")))
            }
            Err(error) => {
                tracing::error!(error, "the board cannot be put together");
                console.trouble(&Trouble::Fault)
            }
        },
    }
}

/// `GET /console/link?token=…`.
async fn show_link(State(console): State<Console>, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let token = one_value(query.as_bytes(), "token").unwrap_or_default();
    match entry::link_is_alive(&console.0.store, &token, console.now()).await {
        Err(fault) => console.trouble(&fault.into()),
        Ok(false) => dead_link(&console),
        Ok(true) => {
            let setting = &console.0.setting;
            page(StatusCode::OK, &pages::link(&setting.service, &setting.path("/link"), &token))
        }
    }
}

fn dead_link(console: &Console) -> Response {
    console.say(
        StatusCode::BAD_REQUEST,
        "This link no longer works",
        "It was used already, or is older than 10 minutes. Print another: portcullis console link",
    )
}

/// `POST /console/link`.
async fn spend_link(State(console): State<Console>, request: Request) -> Response {
    let spent = async {
        let (_, body) = console.form(request).await?;
        let token = one_value(&body, "token").unwrap_or_default();
        Ok::<_, Trouble>(entry::spend_link(&console.0.store, &token, console.now(), console.fresh()?).await?)
    };
    match spent.await {
        Err(trouble) => console.trouble(&trouble),
        Ok(None) => {
            tracing::info!(target: "security", event = "console_link_refused");
            dead_link(&console)
        }
        Ok(Some(cookie)) => {
            tracing::info!(target: "security", event = "console_link_used");
            console.enter(&cookie)
        }
    }
}

/// `POST /console/session`.
async fn sign_in(State(console): State<Console>, request: Request) -> Response {
    match signed_in(&console, request).await {
        Ok(answer) => answer,
        Err(trouble) => console.trouble(&trouble),
    }
}

async fn signed_in(console: &Console, request: Request) -> Result<Response, Trouble> {
    let Some(people) = &console.0.doors.people else {
        return Err(Trouble::Form(StatusCode::NOT_FOUND, "Users of this installation live elsewhere."));
    };
    let (parts, body) = console.form(request).await?;
    let (Some(email), Some(password)) = (one_value(&body, "username"), one_value(&body, "password")) else {
        return Err(Trouble::Form(StatusCode::BAD_REQUEST, "The form came without address or password."));
    };
    let password = SecretString::from(password);
    // Before the check: a password that changes while it is checked ends what begins here.
    let now = console.now();
    let checked = people.sign_in(&parts, &email, &password).await.map_err(|error| {
        tracing::error!(error, "nobody can sign in to the console");
        Trouble::Fault
    })?;
    let user = match checked {
        SignIn::User(user) => user,
        SignIn::Nobody => {
            return Ok(
                console.stranger(StatusCode::UNAUTHORIZED, Some("The address or the password is wrong."))
            );
        }
        SignIn::TooMany(seconds) => {
            let mut answer = console
                .stranger(StatusCode::TOO_MANY_REQUESTS, Some("Too many attempts: wait a few minutes."));
            answer.headers_mut().insert(RETRY_AFTER, seconds.into());
            return Ok(answer);
        }
    };
    let audience = console.0.setting.audience();
    let cookie = entry::begin(&console.0.store, &user, &audience, now, console.fresh()?).await?;
    Ok(match cookie {
        Some(cookie) => {
            tracing::info!(target: "security", event = "console_session", user);
            console.enter(&cookie)
        }
        None => {
            tracing::info!(target: "security", event = "console_session_refused", user);
            console.stranger(
                StatusCode::FORBIDDEN,
                Some("No role of this account grants the scope read:measures at the API below."),
            )
        }
    })
}

/// `POST /console/logout`.
async fn log_out(State(console): State<Console>, request: Request) -> Response {
    let left = async {
        let (parts, _) = console.form(request).await?;
        if let Some(cookie) = cookie(&parts.headers, console.0.setting.cookie()) {
            entry::leave(&console.0.store, &cookie).await?;
        }
        Ok::<_, Trouble>(())
    };
    if let Err(trouble) = left.await {
        return console.trouble(&trouble);
    }
    let mut answer =
        console.say(StatusCode::OK, "You are logged out", "This browser no longer sees the board.");
    if let Some(gone) = console.0.setting.set_cookie("", 0) {
        answer.headers_mut().insert(SET_COOKIE, gone);
    }
    answer
}

/// An HTML answer, its styles allowed by their hashes.
fn page(status: StatusCode, page: &pages::Page) -> Response {
    let mut answer = Response::new(Body::from(page.text.clone()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    if let Ok(policy) = HeaderValue::from_str(&page.policy) {
        answer.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    answer
}

/// What every answer carries, 405 and redirects included.
fn harden(headers: &mut HeaderMap, over_tls: bool) {
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (X_FRAME_OPTIONS, "DENY"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if over_tls {
        let year = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.entry(STRICT_TRANSPORT_SECURITY).or_insert(year);
    }
}

fn texts<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Vec<&'h str> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default()).collect()
}

/// The cookie's value. Two of one name are nobody's: a neighbour on another path or host may have planted one.
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = texts(headers, &COOKIE);
    let pairs = lines.iter().flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    let mut values = pairs.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned());
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value),
        _ => None,
    }
}

/// The only value of a name in form encoding; `None` when absent, repeated, or not UTF-8.
fn one_value(encoded: &[u8], name: &str) -> Option<String> {
    let mut values =
        url::form_urlencoded::parse(encoded).filter(|(key, _)| key == name).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value.into_owned()).filter(|value| !value.contains('\u{fffd}')),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_cookies_of_one_name_are_nobodys() {
        let table: [(&[&str], Option<&str>); 6] = [
            (&["a=1; portcullis_console=v; b=2"], Some("v")),
            (&["portcullis_console=v", "a=1"], Some("v")),
            (&["portcullis_console=v; portcullis_console=w"], None),
            (&["portcullis_console=v", "portcullis_console=v"], None),
            (&["xportcullis_console=v"], None),
            (&[], None),
        ];
        for (lines, expected) in table {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(COOKIE, line.parse().unwrap());
            }
            assert_eq!(cookie(&headers, "portcullis_console").as_deref(), expected, "{lines:?}");
        }
    }
}
