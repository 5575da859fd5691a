//! The accounts of the planted backend: sign-up, login, sessions and resets by mail, each with the defence that a row lacks.
//! Passwords are kept as they are, in memory: what is tried here is how they are asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::Defect;
use super::backend::{Reply, Shared, USER, answered, reply};
use crate::world::random_hex;

/// Wrong passwords of one account, after which it is throttled.
const WRONG: u32 = 10;
/// The least that a password must have (NIST SP 800-63B).
const SHORTEST: usize = 15;
/// What is long enough, and common.
const COMMON: [&str; 4] = ["password12345678", "1234567890123456", "qwertyuiopasdfgh", "aaaaaaaaaaaaaaaa"];

/// Who has an account, and what came of it.
pub(super) struct Accounts(Mutex<State>);

struct State {
    /// Password by address.
    users: BTreeMap<String, String>,
    /// Address by session; a session that is over is not here.
    sessions: BTreeMap<String, String>,
    /// Refresh tokens that did their work.
    used: BTreeSet<String>,
    /// Wrong passwords by address.
    wrong: BTreeMap<String, u32>,
    /// Address by the token of a link that is still good.
    resets: BTreeMap<String, String>,
    mails: Vec<Value>,
}

impl Accounts {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State {
            users: BTreeMap::from([(USER.0.to_owned(), USER.1.to_owned())]),
            sessions: BTreeMap::new(),
            used: BTreeSet::new(),
            wrong: BTreeMap::new(),
            resets: BTreeMap::new(),
            mails: Vec::new(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a session goes on.
    pub(super) fn goes_on(&self, session: &str) -> bool {
        self.state().sessions.contains_key(session)
    }

    pub(super) fn end(&self, session: &str) {
        self.state().sessions.remove(session);
    }

    pub(super) fn delete(&self, email: &str) {
        let mut state = self.state();
        state.users.remove(email);
        state.sessions.retain(|_, whose| whose != email);
    }

    pub(super) fn mails(&self) -> Value {
        json!(self.state().mails)
    }
}

/// A part of a request's body that is a text.
fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_default().to_owned()
}

impl Shared {
    /// The session API, once a client's token was believed.
    pub(super) fn account(&self, method: &str, path: &str, body: &[u8]) -> Reply {
        let Ok(body) = serde_json::from_slice::<Value>(body) else { return reply(400) };
        let email = text(&body, "email");
        match (method, path) {
            ("POST", "/users") => self.sign_up(&email, &text(&body, "password")),
            ("POST", "/users/session") => {
                self.log_in(&email, &text(&body, "password"), body["scope"].as_str())
            }
            ("POST", "/users/session/refresh") => self.refresh(&text(&body, "refresh_token")),
            ("POST", "/users/password-reset") => self.ask_reset(&email),
            _ => self.reset(&text(&body, "token"), &text(&body, "password")),
        }
    }

    fn sign_up(&self, email: &str, password: &str) -> Reply {
        let poor = password.chars().count() < SHORTEST || COMMON.contains(&password) || password == email;
        if email.is_empty() || (poor && !self.lacks(Defect::AnyNewPassword)) {
            return reply(400);
        }
        let mut state = self.accounts.state();
        state.users.entry(email.to_owned()).or_insert_with(|| password.to_owned());
        reply(201)
    }

    fn log_in(&self, email: &str, password: &str, scope: Option<&str>) -> Reply {
        let session = random_hex::<8>();
        {
            let mut state = self.accounts.state();
            let wrong = state.wrong.get(email).copied().unwrap_or_default();
            if wrong >= WRONG && !self.lacks(Defect::EndlessGuesses) {
                return reply(429);
            }
            if state.users.get(email).is_none_or(|right| right != password) {
                *state.wrong.entry(email.to_owned()).or_default() += 1;
                return reply(401);
            }
            state.sessions.insert(session.clone(), email.to_owned());
        }
        self.session(email, &session, scope)
    }

    /// Tokens of a session: the next refresh token carries its name.
    fn session(&self, email: &str, session: &str, scope: Option<&str>) -> Reply {
        let (token, scope) = self.users_token(email, session, scope);
        let refresh = format!("{session}.{}", random_hex::<8>());
        answered(
            &json!({"access_token": token, "token_type": "Bearer", "scope": scope, "refresh_token": refresh}),
        )
    }

    fn refresh(&self, token: &str) -> Reply {
        let session = token.split('.').next().unwrap_or_default();
        let email = {
            let mut state = self.accounts.state();
            if !state.used.insert(token.to_owned()) {
                state.sessions.remove(session);
            }
            state.sessions.get(session).cloned()
        };
        email.map_or_else(|| reply(401), |email| self.session(&email, session, None))
    }

    fn ask_reset(&self, email: &str) -> Reply {
        let mut state = self.accounts.state();
        if !state.users.contains_key(email) {
            return reply(if self.lacks(Defect::ToldWhoIsThere) { 404 } else { 202 });
        }
        let token = random_hex::<16>();
        state.resets.retain(|_, whose| whose != email);
        state.resets.insert(token.clone(), email.to_owned());
        let text = format!("Hello,\n{}/reset?token={token}\n", self.url);
        state.mails.push(json!({"to": [email], "subject": "Reset", "text": text}));
        reply(202)
    }

    fn reset(&self, token: &str, password: &str) -> Reply {
        let mut state = self.accounts.state();
        let Some(email) = state.resets.get(token).cloned() else { return reply(400) };
        if !self.lacks(Defect::EndlessLink) {
            state.resets.remove(token);
        }
        state.users.insert(email.clone(), password.to_owned());
        state.sessions.retain(|_, whose| *whose != email);
        reply(204)
    }
}
