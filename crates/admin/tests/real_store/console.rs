//! `/console` over its router: who gets in, by what, for how long, and what every answer carries.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};

use accounts::console::{LINK_LIFETIME, SESSION_IDLE, SESSION_LIFETIME};
use admin::console::board::{Cell, Environment, Line, Mark};
use admin::console::{Board, Boards, Console, Doors, People, Setting, SignIn, entry};
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use secrecy::{ExposeSecret as _, SecretString};
use store::{Api, ApiScope, NewUser, UserChange};
use tower::ServiceExt as _;

use crate::world::{NOW, World};

const ISSUER: &str = "https://id.example/";
const AUDIENCE: &str = "https://id.example/api/v2/";
const COOKIE: &str = "__Host-portcullis_console";

struct Filled;

#[async_trait::async_trait]
impl Boards for Filled {
    async fn board(&self) -> Result<Board, String> {
        let cell = Cell { mark: Mark::Ticked, evidence: "seen <b>live</b>".to_owned(), ..Cell::default() };
        Ok(Board {
            environments: vec![Environment { name: "production".to_owned(), ..Environment::default() }],
            lines: vec![Line { text: "A line & its box".to_owned(), cells: vec![cell], depth: 0 }],
            ..Board::default()
        })
    }
}

struct Broken;

#[async_trait::async_trait]
impl Boards for Broken {
    async fn board(&self) -> Result<Board, String> {
        Err("a report is damaged: secret detail".to_owned())
    }
}

/// Knows one password, for every address that is a user's id.
struct Issuer;

#[async_trait::async_trait]
impl People for Issuer {
    async fn sign_in(&self, _: &Parts, email: &str, password: &SecretString) -> Result<SignIn, String> {
        match (email, password.expose_secret()) {
            ("busy@example.com", _) => Ok(SignIn::TooMany(77)),
            ("broken@example.com", _) => Err("hashing stands still".to_owned()),
            (id, "right") => Ok(SignIn::User(id.to_owned())),
            _ => Ok(SignIn::Nobody),
        }
    }
}

struct Stage {
    world: World,
    console: Console,
    clock: Arc<AtomicI64>,
}

impl Stage {
    async fn with(boards: Arc<dyn Boards>, people: Option<Arc<dyn People>>) -> Self {
        let world = World::new().await;
        let clock = Arc::new(AtomicI64::new(NOW));
        let (read, drawn) = (Arc::clone(&clock), AtomicU8::new(100));
        let doors = Doors {
            boards,
            people,
            now: Box::new(move || read.load(Ordering::SeqCst)),
            fresh: Box::new(move || Some([drawn.fetch_add(1, Ordering::SeqCst); 32])),
        };
        let setting = Setting { issuer: ISSUER.parse().unwrap(), service: "Example".to_owned() };
        let console = Console::new(setting, world.store.clone(), doors);
        Self { world, console, clock }
    }

    async fn new() -> Self {
        Self::with(Arc::new(Filled), Some(Arc::new(Issuer))).await
    }

    fn set_clock(&self, after: i64) {
        self.clock.store(NOW + after, Ordering::SeqCst);
    }

    async fn link(&mut self) -> String {
        let fresh = self.world.draw();
        let token = entry::new_link(&self.world.store, NOW, fresh).await.unwrap();
        token.expose_secret().to_owned()
    }

    async fn send(&self, request: Request<Body>) -> Seen {
        let answer = self.console.router().oneshot(request).await.unwrap();
        Seen::of(answer).await
    }

    async fn get(&self, path: &str, cookie: Option<&str>) -> Seen {
        let mut request = Request::get(path);
        if let Some(cookie) = cookie {
            request = request.header("cookie", format!("{COOKIE}={cookie}"));
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, form: &str, cookie: Option<&str>) -> Seen {
        let mut request = form_request(path).header("origin", "https://id.example");
        if let Some(cookie) = cookie {
            request = request.header("cookie", format!("{COOKIE}={cookie}"));
        }
        self.send(request.body(Body::from(form.to_owned())).unwrap()).await
    }

    /// A session by a link.
    async fn enter(&mut self) -> String {
        let token = self.link().await;
        let answer = self.post("/console/link", &format!("token={token}"), None).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        answer.cookie()
    }

    /// A user whose role grants these scopes at the issuer's own API.
    async fn administrator(&self, id: &str, scope: &str) {
        let store = &self.world.store;
        let api = Api {
            identifier: AUDIENCE.to_owned(),
            name: "Portcullis".to_owned(),
            scopes: vec![ApiScope { value: scope.to_owned(), description: String::new() }],
            signing_alg: "RS256".to_owned(),
            token_lifetime: None,
        };
        store.upsert_api(&api, NOW).await.unwrap();
        let permission = (AUDIENCE.to_owned(), scope.to_owned());
        store.upsert_role("looker", "", false, &[permission], NOW).await.unwrap();
        let user = NewUser {
            id: id.to_owned(),
            email: format!("{id}@example.com"),
            email_canonical: format!("{id}@example.com"),
            email_verified: true,
            password_hash: Some("hash".to_owned()),
            created_at: NOW - 100,
        };
        store.insert_user(&user, &["looker".to_owned()]).await.unwrap();
    }
}

fn form_request(path: &str) -> axum::http::request::Builder {
    Request::post(path).header("content-type", "application/x-www-form-urlencoded")
}

struct Seen {
    status: u16,
    headers: axum::http::HeaderMap,
    text: String,
}

impl Seen {
    async fn of(answer: Response) -> Self {
        let (parts, body) = answer.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        // What every answer carries, whatever it is.
        let said = |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("strict-transport-security", "max-age=31536000; includeSubDomains"),
        ] {
            assert_eq!(said(name).as_deref(), Some(value), "{name}");
        }
        let policy = said("content-security-policy").unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe") && !policy.contains("script"), "{policy}");
        assert_eq!(said("access-control-allow-origin"), None);
        Self { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn cookie(&self) -> String {
        let value = self.header("set-cookie");
        for part in ["Path=/", "HttpOnly", "SameSite=Strict", "Secure", "Max-Age="] {
            assert!(value.contains(part), "{value}");
        }
        assert!(!value.contains("Domain"), "{value}");
        let value = value.strip_prefix(COOKIE).unwrap().strip_prefix('=').unwrap();
        value.split(';').next().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_stranger_is_told_how_to_get_in_and_sees_nothing() {
    let stage = Stage::new().await;
    for cookie in [None, Some("short"), Some("a".repeat(43).as_str())] {
        let answer = stage.get("/console", cookie).await;
        assert_eq!(answer.status, 401);
        assert!(answer.header("www-authenticate").starts_with("Cookie realm=\"console\""));
        assert!(answer.text.contains("portcullis console link") && answer.text.contains(AUDIENCE));
        assert!(answer.text.contains("name=\"username\"") && !answer.text.contains("A line"));
        assert_eq!(answer.header("set-cookie"), "");
    }
    let elsewhere = Stage::with(Arc::new(Filled), None).await;
    let answer = elsewhere.get("/console", None).await;
    assert_eq!(answer.status, 401);
    assert!(!answer.text.contains("password"), "no form where users live elsewhere: {}", answer.text);
    let answer = elsewhere.post("/console/session", "username=a&password=right", None).await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn a_link_opens_the_board_once_and_a_preview_does_not_burn_it() {
    let mut stage = Stage::new().await;
    let token = stage.link().await;
    let path = format!("/console/link?token={token}");
    for _ in 0..3 {
        let answer = stage.get(&path, None).await;
        assert_eq!((answer.status, answer.header("set-cookie")), (200, ""));
        assert!(answer.text.contains(&token) && answer.text.contains("method=\"post\""));
    }
    let form = format!("token={token}");
    let answer = stage.post("/console/link", &form, None).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/console"));
    let cookie = answer.cookie();
    let board = stage.get("/console", Some(&cookie)).await;
    assert_eq!(board.status, 200);
    assert!(
        board.text.contains("A line &#38; its box") && board.text.contains("seen &#60;b&#62;live"),
        "{}",
        board.text
    );

    let again = stage.post("/console/link", &form, None).await;
    assert_eq!((again.status, again.header("set-cookie")), (400, ""));
    assert_eq!(stage.get(&path, None).await.status, 400);
}

#[tokio::test]
async fn a_link_that_is_wrong_or_over_opens_nothing() {
    let mut stage = Stage::new().await;
    let token = stage.link().await;
    let wrong = "b".repeat(43);
    for query in
        ["", "?token=", "?token=short", &format!("?token={wrong}"), &format!("?token={token}&token={token}")]
    {
        let answer = stage.get(&format!("/console/link{query}"), None).await;
        assert_eq!(answer.status, 400, "{query}");
        let answer = stage.post("/console/link", query.trim_start_matches('?'), None).await;
        assert_eq!((answer.status, answer.header("set-cookie")), (400, ""), "{query}");
    }
    stage.set_clock(LINK_LIFETIME);
    assert_eq!(stage.get(&format!("/console/link?token={token}"), None).await.status, 400);
    assert_eq!(stage.post("/console/link", &format!("token={token}"), None).await.status, 400);
    stage.set_clock(LINK_LIFETIME - 1);
    assert_eq!(stage.post("/console/link", &format!("token={token}"), None).await.status, 303);
}

#[tokio::test]
async fn forms_of_other_sites_are_refused() {
    let mut stage = Stage::new().await;
    let token = stage.link().await;
    let cookie = stage.enter().await;
    for (name, value) in [
        ("origin", "https://evil.test"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", "none"),
    ] {
        for (path, form) in [
            ("/console/link", format!("token={token}")),
            ("/console/session", "username=ada&password=right".to_owned()),
            ("/console/logout", String::new()),
        ] {
            let request =
                form_request(path).header(name, value).header("cookie", format!("{COOKIE}={cookie}"));
            let answer = stage.send(request.body(Body::from(form)).unwrap()).await;
            assert_eq!((answer.status, answer.header("set-cookie")), (403, ""), "{path} {name}: {value}");
        }
    }
    assert_eq!(stage.get("/console", Some(&cookie)).await.status, 200, "nobody was logged out");
    assert_eq!(
        stage.post("/console/link", &format!("token={token}"), None).await.status,
        303,
        "nor a link spent"
    );
    // A browser's own form under no-referrer.
    let request =
        form_request("/console/logout").header("origin", "null").header("sec-fetch-site", "same-origin");
    assert_eq!(stage.send(request.body(Body::empty()).unwrap()).await.status, 200);
}

#[tokio::test]
async fn bodies_that_are_no_form_are_refused() {
    let stage = Stage::new().await;
    let json = Request::post("/console/link").header("content-type", "application/json");
    assert_eq!(stage.send(json.body(Body::from("{}")).unwrap()).await.status, 415);
    let bare = Request::post("/console/session");
    assert_eq!(stage.send(bare.body(Body::empty()).unwrap()).await.status, 415);
    assert_eq!(stage.post("/console/link", &"x".repeat(16 * 1024 + 1), None).await.status, 413);
    for form in ["", "username=ada", "password=right", "username=ada&username=bob&password=right"] {
        assert_eq!(stage.post("/console/session", form, None).await.status, 400, "{form}");
    }
}

#[tokio::test]
async fn other_methods_are_refused_by_name() {
    let stage = Stage::new().await;
    for (method, path, allowed) in [
        ("POST", "/console", "GET,HEAD"),
        ("DELETE", "/console/link", "GET,HEAD,POST"),
        ("GET", "/console/session", "POST"),
        ("GET", "/console/logout", "POST"),
    ] {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let answer = stage.send(request).await;
        assert_eq!((answer.status, answer.header("allow")), (405, allowed), "{method} {path}");
    }
    let head = Request::head("/console").body(Body::empty()).unwrap();
    let answer = stage.send(head).await;
    assert_eq!((answer.status, answer.text.as_str()), (401, ""));
}

#[tokio::test]
async fn a_session_ends_when_idle_at_its_end_and_by_logout() {
    let mut stage = Stage::new().await;
    let (idle, busy, left) = (stage.enter().await, stage.enter().await, stage.enter().await);
    let mut after = 0;
    while after + SESSION_IDLE < SESSION_LIFETIME {
        after += SESSION_IDLE;
        stage.set_clock(after);
        assert_eq!(stage.get("/console", Some(&busy)).await.status, 200, "{after}");
    }
    assert_eq!(stage.get("/console", Some(&idle)).await.status, 401, "idle");
    stage.set_clock(SESSION_LIFETIME);
    assert_eq!(stage.get("/console", Some(&busy)).await.status, 401, "over");

    stage.set_clock(1);
    let answer = stage.post("/console/logout", "", Some(&left)).await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("set-cookie").starts_with("__Host-portcullis_console=; Path=/; Max-Age=0;"));
    assert_eq!(stage.get("/console", Some(&left)).await.status, 401);
    assert_eq!(stage.post("/console/logout", "", Some(&left)).await.status, 200, "twice is once");
    assert_eq!(stage.post("/console/logout", "", None).await.status, 200);
}

#[tokio::test]
async fn an_administrator_signs_in_and_the_role_is_asked_at_each_click() {
    let stage = Stage::new().await;
    stage.administrator("usr_ada", "read:measures").await;
    for (form, status) in [
        ("username=usr_ada&password=wrong", StatusCode::UNAUTHORIZED),
        ("username=usr_nobody&password=right", StatusCode::FORBIDDEN),
        ("username=busy@example.com&password=right", StatusCode::TOO_MANY_REQUESTS),
        ("username=broken@example.com&password=right", StatusCode::SERVICE_UNAVAILABLE),
    ] {
        let answer = stage.post("/console/session", form, None).await;
        assert_eq!((answer.status, answer.header("set-cookie")), (status.as_u16(), ""), "{form}");
        assert_eq!(answer.header("retry-after"), if answer.status == 429 { "77" } else { "" });
        assert!(!answer.text.contains("hashing stands still"));
    }
    let enter = || async {
        let answer = stage.post("/console/session", "username=usr_ada&password=right", None).await;
        assert_eq!((answer.status, answer.header("location")), (303, "/console"));
        answer.cookie()
    };
    let store = &stage.world.store;
    let cookie = enter().await;
    assert_eq!(stage.get("/console", Some(&cookie)).await.status, 200);
    store.upsert_role("looker", "", false, &[], NOW).await.unwrap();
    assert_eq!(stage.get("/console", Some(&cookie)).await.status, 401, "the role lost the scope");
    let permission = (AUDIENCE.to_owned(), "read:measures".to_owned());
    store.upsert_role("looker", "", false, &[permission], NOW).await.unwrap();
    assert_eq!(stage.get("/console", Some(&cookie)).await.status, 200, "and has it again");

    store.change_password("usr_ada", "another hash", NOW).await.unwrap();
    assert_eq!(stage.get("/console", Some(&cookie)).await.status, 401, "a new password ends it");
    stage.set_clock(1);
    let cookie = enter().await;
    let blocked = UserChange { blocked: Some(true), ..UserChange::default() };
    store.update_user("usr_ada", &blocked, NOW + 1).await.unwrap();
    assert_eq!(stage.get("/console", Some(&cookie)).await.status, 401, "blocked");
}

#[tokio::test]
async fn another_scope_or_another_api_shows_nothing() {
    let stage = Stage::new().await;
    stage.administrator("usr_ada", "read:orders").await;
    let answer = stage.post("/console/session", "username=usr_ada&password=right", None).await;
    assert_eq!((answer.status, answer.header("set-cookie")), (403, ""));
    assert!(answer.text.contains("read:measures"));
}

#[tokio::test]
async fn what_fails_is_logged_and_not_shown() {
    let mut stage = Stage::with(Arc::new(Broken), Some(Arc::new(Issuer))).await;
    let cookie = stage.enter().await;
    let answer = stage.get("/console", Some(&cookie)).await;
    assert_eq!(answer.status, 503);
    assert!(!answer.text.contains("secret detail"), "{}", answer.text);
    // Without a store nobody is let in.
    stage.world.store.close().await;
    for answer in [
        stage.get("/console", Some(&cookie)).await,
        stage.get(&format!("/console/link?token={}", "a".repeat(43)), None).await,
        stage.post("/console/link", &format!("token={}", "a".repeat(43)), None).await,
    ] {
        assert_eq!(answer.status, 503, "{}", answer.text);
    }
}
