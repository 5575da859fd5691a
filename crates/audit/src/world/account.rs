//! Another throw-away user, for what would spoil the first: its password is guessed at, its sessions are ended, and it is
//! deleted by the token of its first login, which no throttle stops.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::config::Mode;
use crate::world::http::{Answer, Credential, Probe};
use crate::world::tokens::session_url;
use crate::world::{World, random_hex};

/// Why there is no throw-away user where users live at a foreign issuer.
pub(crate) const ELSEWHERE: &str = "users live at a foreign issuer";

/// A user of the auditor's own.
pub(crate) struct Account {
    pub(crate) email: String,
    pub(crate) password: SecretString,
    pub(crate) session: Session,
}

/// What a login gave.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) access: SecretString,
    pub(crate) refresh: Option<SecretString>,
}

/// Why no account can be had here, before anything is sent.
pub(crate) fn forbidden(world: &World) -> Option<String> {
    if world.config.mode == Mode::Delegated {
        return Some(ELSEWHERE.into());
    }
    if !world.config.exercise {
        return Some("the auditor may not sign up a user of its own ([audit] exercise)".into());
    }
    world.config.session.is_none().then(|| "the session API is not served here".into())
}

impl Account {
    /// Signed up and logged in.
    pub(crate) async fn open(world: &World) -> Result<Self, String> {
        let password = SecretString::from(format!("Zq{}", random_hex::<20>()));
        Self::open_with(world, password, &[]).await
    }

    /// The same with a password of a test's choice, and with more members in the request.
    pub(crate) async fn open_with(
        world: &World,
        password: SecretString,
        more: &[(&str, Value)],
    ) -> Result<Self, String> {
        let email = format!("audit-{}@example.com", random_hex::<10>());
        let answer = sign_up(world, &email, &password, more).await?;
        if answer.status != 201 {
            return Err(format!("signing up got {}", answer.status));
        }
        let session = log_in(world, &email, &password).await?;
        Ok(Self { email, password, session })
    }

    /// Deletes it; what could not be deleted is said.
    pub(crate) async fn close(self, world: &World) -> Option<String> {
        let mut status = me(world, "DELETE", &self.session.access).await;
        if status == Some(401)
            && let Ok(session) = log_in(world, &self.email, &self.password).await
        {
            status = me(world, "DELETE", &session.access).await;
        }
        let done = status.is_some_and(|status| (200..300).contains(&status));
        (!done).then(|| format!("the throw-away user {} could not be deleted", self.email))
    }
}

pub(crate) async fn sign_up(
    world: &World,
    email: &str,
    password: &SecretString,
    more: &[(&str, Value)],
) -> Result<Answer, String> {
    if let Some(why) = forbidden(world) {
        return Err(why);
    }
    let mut body = json!({"email": email, "password": password.expose_secret()});
    for (name, value) in more {
        body[*name] = value.clone();
    }
    world.tokens.session(&world.config, &world.http, "POST", "", &body).await
}

pub(crate) async fn log_in(world: &World, email: &str, password: &SecretString) -> Result<Session, String> {
    let answer =
        world.tokens.log_in(&world.config, &world.http, email, password.expose_secret(), None).await?;
    session_of(&answer)
}

/// The tokens of an answer.
pub(crate) fn session_of(answer: &Answer) -> Result<Session, String> {
    let body = answer.json().unwrap_or_default();
    let text =
        |name: &str| body.get(name).and_then(Value::as_str).map(|text| SecretString::from(text.to_owned()));
    match text("access_token").filter(|_| answer.status == 200) {
        Some(access) => Ok(Session { access, refresh: text("refresh_token") }),
        None => Err(format!("logging in got {}", answer.status)),
    }
}

/// `/users/me` with a token of the throw-away user: a status, if there was an answer.
pub(crate) async fn me(world: &World, method: &str, token: &SecretString) -> Option<u16> {
    profile(world, method, token, None).await.map(|answer| answer.status)
}

/// The same with the whole answer, and perhaps a body.
pub(crate) async fn profile(
    world: &World,
    method: &str,
    token: &SecretString,
    body: Option<&Value>,
) -> Option<Answer> {
    let credential = Credential::bearer(token, "the throw-away user's token");
    let mut probe = Probe::new(method, session_url(&world.config, "/me")?).with(Some(credential));
    if let Some(body) = body {
        probe = probe.json(body);
    }
    world.http.send(probe).await.ok()
}
