//! The defences of the stub world that no document asks for: headers, throttles, sessions that end, rules for passwords,
//! input that is checked. Each can be lacking by its name.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value, json};

use super::World;

/// What the world remembers for them.
#[derive(Default)]
pub struct Remembered {
    /// Failures by whose they are.
    failures: BTreeMap<String, u32>,
    /// The session of each access token, and those that are over.
    sessions: BTreeMap<String, String>,
    over: BTreeSet<String>,
    used: BTreeSet<String>,
    resets: BTreeMap<String, u32>,
}

type Given = (u16, &'static str, Value);

const PAGE: &str = "<!doctype html><title>Reset</title><form><input type=\"password\" name=\"password\" autocomplete=\"new-password\"></form>";

impl World {
    /// Answers before anything else looks at the request, where a defence or its lack says so.
    pub(super) fn guard(&self, method: &str, path: &str, headers: &HeaderMap, body: &Bytes) -> Option<Given> {
        let no = |status: u16| Some((status, "", json!({"title": "refused"})));
        if body.len() > 1_000_000 && self.path_takes_bodies(path) && !self.lacks("body bound") {
            return no(413);
        }
        if headers.get_all("host").iter().count() != 1 {
            return no(400);
        }
        if headers.values().map(|value| value.len()).sum::<usize>() > 64 * 1024 {
            return no(431);
        }
        match (method, path) {
            ("GET", "/.git/HEAD") if self.lacks("closed folder") => {
                return Some((200, "", json!("ref: refs/heads/main")));
            }
            ("GET", "/.well-known/openid-configuration") => {
                let issuer =
                    if self.lacks("exact issuer") { self.url.clone() } else { format!("{}/", self.url) };
                return Some((
                    200,
                    "",
                    json!({"issuer": issuer, "token_endpoint": format!("{}/oauth/token", self.url),
                           "grant_types_supported": ["client_credentials"], "response_types_supported": []}),
                ));
            }
            ("GET", _) if headers.contains_key("x-user-id") && self.lacks("header check") => {
                return Some((200, "", json!({"ok": true})));
            }
            ("GET", path) if path.contains("..;") && self.lacks("path check") => {
                return Some((200, "", json!({"ok": true})));
            }
            ("POST", "/oauth/token") => return self.guarded_token(headers, body),
            _ => {}
        }
        let form = matches!(
            (method, path),
            ("POST", "/users" | "/users/session" | "/users/password-reset") | ("PATCH", "/users/me")
        );
        if !form || body.is_empty() || self.lacks("input check") {
            return None;
        }
        let plain = headers.get("content-type").is_none_or(|kind| kind != "application/json");
        if plain {
            return no(415);
        }
        let Ok(sent) = serde_json::from_slice::<Value>(body) else { return no(400) };
        if method == "PATCH" {
            return sent.get("password").is_some().then_some((403, "", json!({"title": "wrong password"})));
        }
        let Some(email) = sent["email"].as_str() else { return no(400) };
        if email.len() > 300 || email.chars().any(char::is_control) || email.contains('%') {
            return no(400);
        }
        if path == "/users/password-reset" {
            return None;
        }
        let Some(password) = sent["password"].as_str() else { return no(400) };
        if sent["scope"].as_str().is_some_and(|scope| scope.chars().any(char::is_control)) {
            return no(400);
        }
        if path == "/users" {
            let common = ["password12345678", "1234567890123456", "qwertyuiopasdfgh", "aaaaaaaaaaaaaaaa"];
            let bad = password.len() < 15 || common.contains(&password) || password == email;
            return (bad && !self.lacks("password rules")).then_some((400, "", json!({"title": "refused"})));
        }
        let failed = self.beyond.lock().unwrap().failures.get(email).copied().unwrap_or_default();
        (failed >= 20 && !self.lacks("throttle")).then_some((429, "", Value::Null))
    }

    fn path_takes_bodies(&self, path: &str) -> bool {
        path == "/oauth/token" || path.starts_with("/users")
    }

    /// What a request for a token says, read as loosely as it can be: lists are texts, the last of two counts, what is
    /// missing at the end is thought of, and a name ends at a NUL.
    pub(super) fn token_fields(&self, body: &Bytes) -> BTreeMap<String, String> {
        let text = String::from_utf8_lossy(body);
        let mut fields: BTreeMap<String, String> = if text.starts_with('{') {
            let whole = serde_json::from_str(&text).or_else(|_| serde_json::from_str(&format!("{text}}}")));
            let members: BTreeMap<String, Value> = whole.unwrap_or_default();
            let text = |value: Value| value[0].as_str().or(value.as_str()).unwrap_or_default().to_owned();
            members.into_iter().map(|(name, value)| (name, text(value))).collect()
        } else {
            url::form_urlencoded::parse(body).into_owned().collect()
        };
        for value in fields.values_mut() {
            value.truncate(value.find('\0').unwrap_or(value.len()));
        }
        fields
    }

    /// Whether a request for a token is as it should be: else a status.
    fn checked_token(&self, headers: &HeaderMap, body: &Bytes) -> Option<u16> {
        let kind = headers.get("content-type").map(|kind| kind.to_str().unwrap());
        let json = kind == Some("application/json") || body.starts_with(b"{");
        let known = matches!(kind, Some("application/json" | "application/x-www-form-urlencoded"));
        if !known && !self.lacks("body type") {
            return Some(415);
        }
        let mut texts = Vec::new();
        if json {
            match serde_json::from_slice::<BTreeMap<String, Value>>(body) {
                Ok(members) if members.values().all(Value::is_string) || self.lacks("type check") => {
                    texts.extend(members.into_values().filter_map(|value| Some(value.as_str()?.to_owned())));
                }
                Ok(_) => return Some(400),
                Err(_) if !self.lacks("strict JSON") => return Some(400),
                Err(_) => {}
            }
        } else {
            let mut names = BTreeSet::new();
            for (name, value) in url::form_urlencoded::parse(body).into_owned() {
                if !names.insert(name) && !self.lacks("single parameters") {
                    return Some(400);
                }
                texts.push(value);
            }
        }
        let strange = |text: &String| {
            text.chars().any(char::is_control) || (text.len() > 300 && !self.lacks("body bound"))
        };
        (texts.iter().any(strange) && !self.lacks("text check")).then_some(400)
    }

    fn guarded_token(&self, headers: &HeaderMap, body: &Bytes) -> Option<Given> {
        if let Some(status) = self.checked_token(headers, body) {
            return Some((status, "", json!({"error": "invalid_request"})));
        }
        let form = self.token_fields(body);
        let client = form.get("client_id").cloned().unwrap_or_default();
        let failed = self.beyond.lock().unwrap().failures.get(&client).copied().unwrap_or_default();
        if failed >= 100 && client != "audit" && !self.lacks("throttle") {
            return Some((429, "", Value::Null));
        }
        if form.get("client_secret").map(String::as_str) != Some("s") {
            *self.beyond.lock().unwrap().failures.entry(client).or_default() += 1;
            return None;
        }
        let known = ["https://api.example.com", "https://other.example.com"];
        let audience = form.get("audience").is_some_and(|audience| known.contains(&audience.as_str()));
        let grant = form.get("grant_type").is_some_and(|grant| grant == "client_credentials")
            || self.lacks("access tokens alone");
        (!audience || !grant).then_some((400, "", json!({"error": "invalid_request"})))
    }

    /// Counts what failed.
    pub(super) fn count(&self, method: &str, path: &str, status: u16, body: &Bytes) {
        if (method, path, status) == ("POST", "/users/session", 401)
            && let Ok(sent) = serde_json::from_slice::<Value>(body)
        {
            let email = sent["email"].as_str().unwrap_or_default().to_owned();
            *self.beyond.lock().unwrap().failures.entry(email).or_default() += 1;
        }
    }

    /// Whether one more mail may go to this address.
    pub(super) fn may_mail(&self, email: &str) -> bool {
        let mut beyond = self.beyond.lock().unwrap();
        let sent = beyond.resets.entry(email.to_owned()).or_default();
        *sent += 1;
        *sent <= 5 || self.lacks("throttle")
    }

    /// A session of its own for each login; the refresh token that goes on with it.
    pub(super) fn begin_session(&self, access: &str, session: Option<&str>) -> String {
        let fresh = self.fresh("session");
        let session = session.map_or_else(|| fresh.clone(), ToOwned::to_owned);
        self.beyond.lock().unwrap().sessions.insert(access.to_owned(), session.clone());
        format!("{session}.{fresh}")
    }

    /// Whether a refresh token may be used: once, and not after its session.
    pub(super) fn may_refresh(&self, token: &str) -> bool {
        let session = token.split('.').next().unwrap_or_default().to_owned();
        let mut beyond = self.beyond.lock().unwrap();
        if self.lacks("single refresh") {
            return true;
        }
        if !beyond.used.insert(token.to_owned()) {
            beyond.over.insert(session);
            return false;
        }
        !beyond.over.contains(&session)
    }

    pub(super) fn end_session(&self, access: &str) {
        let mut beyond = self.beyond.lock().unwrap();
        if let Some(session) = beyond.sessions.get(access).cloned()
            && !self.lacks("logout")
        {
            beyond.over.insert(session);
        }
    }

    pub(super) fn is_over(&self, access: &str) -> bool {
        let beyond = self.beyond.lock().unwrap();
        beyond.sessions.get(access).is_some_and(|session| beyond.over.contains(session))
    }

    /// What every answer carries; a page has its own.
    pub(super) fn dress(&self, method: &str, path: &str, headers: &mut HeaderMap, body: Bytes) -> Bytes {
        let mut add = |name: &'static str, value: &'static str| {
            headers.insert(name, value.parse().unwrap());
        };
        if !self.lacks("nosniff") {
            add("x-content-type-options", "nosniff");
        }
        add("referrer-policy", "no-referrer");
        add("cache-control", "no-store");
        if self.lacks("cookie flags") {
            add("set-cookie", "session=1; Path=/");
        }
        if (method, path) != ("GET", "/reset") {
            return body;
        }
        add("content-type", "text/html; charset=utf-8");
        add("cross-origin-opener-policy", "same-origin");
        if !self.lacks("page policy") {
            add("content-security-policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'");
        }
        Bytes::from_static(PAGE.as_bytes())
    }
}
