//! What X14 sends that must be refused. Each attempt at the token endpoint is a whole request of the auditor's own client with
//! one defect, so that nothing but the defect can refuse it; a token for it is the failure, and is thrown away. A login that is
//! tried is the auditor's own user's, where it has one.

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::{Looked, Tried};
use crate::config::{Caller, ClientCredentials};
use crate::world::World;
use crate::world::http::{Credential, Probe};
use crate::world::tokens::session_url;

const FORM: &str = "application/x-www-form-urlencoded";
const LARGE: usize = 4_000_000;
const LONG: usize = 200_000;

/// A request for a token that is answered with one.
pub(super) struct Whole {
    url: String,
    fields: Vec<(&'static str, String)>,
    credential: Option<Credential>,
}

impl Whole {
    /// The request of the auditor's client in the way that it is registered for; or why there is none.
    pub(super) async fn of(world: &World) -> Result<Self, String> {
        let client =
            world.config.client.as_ref().ok_or("no client of the auditor's own ([audit] client_id)")?;
        // A throttle would refuse everything: the token that the run has is asked for first.
        let token = world.full(Caller::Client).await?;
        let scope = token.scopes.first().cloned();
        let mut why = String::new();
        for whole in [Self::post(world, client, scope.clone()), Self::basic(world, client, scope)] {
            match whole.still(world).await {
                Ok(()) => return Ok(whole),
                Err(status) => why = status,
            }
        }
        Err(why)
    }

    fn post(world: &World, client: &ClientCredentials, scope: Option<String>) -> Self {
        let mut whole = Self::basic(world, client, scope);
        whole.credential = None;
        whole.fields.push(("client_id", client.id.clone()));
        whole.fields.push(("client_secret", client.secret.expose_secret().to_owned()));
        whole
    }

    fn basic(world: &World, client: &ClientCredentials, scope: Option<String>) -> Self {
        let mut fields = vec![
            ("grant_type", "client_credentials".to_owned()),
            ("audience", world.config.audience.clone()),
        ];
        fields.extend(scope.map(|scope| ("scope", scope)));
        Self {
            url: format!("{}oauth/token", world.config.issuer),
            fields,
            credential: Some(Credential::basic(&client.id, &client.secret)),
        }
    }

    /// That it is answered with a token, now.
    pub(super) async fn still(&self, world: &World) -> Result<(), String> {
        match world.http.send(self.form(&[])).await {
            Ok(answer) if answer.status == 200 => Ok(()),
            Ok(answer) => Err(format!("a whole request got {}", answer.status)),
            Err(why) => Err(format!("a whole request: {why}")),
        }
    }

    fn post_of(&self) -> Probe {
        Probe::new("POST", &self.url).with(self.credential.clone())
    }

    /// The form with more fields behind it.
    fn form(&self, more: &[(&str, &str)]) -> Probe {
        self.post_of().body(FORM, self.encoded(more))
    }

    fn encoded(&self, more: &[(&str, &str)]) -> String {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(self.fields.iter().map(|(name, value)| (*name, value.as_str())));
        form.extend_pairs(more);
        form.finish()
    }

    /// The form with one field changed; for a client that sends no such field, with it.
    fn changed(&self, name: &'static str, value: String) -> Probe {
        let mut fields: Vec<_> = self.fields.iter().filter(|(other, _)| *other != name).cloned().collect();
        fields.push((name, value));
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.post_of().form(&fields)
    }

    fn json(&self) -> Value {
        self.fields.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect()
    }

    fn json_with(&self, name: &str, value: Value) -> Probe {
        let mut body = self.json();
        body[name] = value;
        self.post_of().json(&body)
    }

    fn wrong_types(&self) -> Vec<(String, Probe)> {
        let mut asked: Vec<(String, Probe)> = self
            .fields
            .iter()
            .map(|(name, value)| (format!("a list for {name}"), self.json_with(name, json!([value]))))
            .collect();
        for (what, name, value) in [
            ("a number for grant_type", "grant_type", json!(1)),
            ("a number for audience", "audience", json!(2)),
            ("an object for grant_type", "grant_type", json!({"client_credentials": true})),
        ] {
            asked.push((what.to_owned(), self.json_with(name, value)));
        }
        let mut inherited = self.json();
        if let Some(members) = inherited.as_object_mut()
            && let Some(grant) = members.remove("grant_type")
        {
            members.insert("__proto__".into(), json!({"grant_type": grant}));
        }
        asked.push(("its grant_type in a prototype".into(), self.post_of().json(&inherited)));
        let listed = self.encoded(&[]).replace("grant_type=", "grant_type%5B%5D=");
        asked.push(("a list for grant_type in a form".into(), self.post_of().body(FORM, listed)));
        asked
    }

    fn broken(&self, deep: &str) -> Vec<(&'static str, Probe)> {
        let whole = self.json().to_string();
        let open = whole.strip_suffix('}').unwrap_or(&whole);
        let kind = "application/json";
        vec![
            ("JSON that is cut off", self.post_of().body(kind, open.to_owned())),
            ("JSON of 20 000 levels", self.post_of().body(kind, format!("{open},\"a\":{deep}}}"))),
            ("JSON with more behind it", self.post_of().body(kind, format!("{whole}\u{1}}}"))),
            ("no JSON", self.post_of().body(kind, "\u{0}\u{1}\u{2}")),
        ]
    }

    /// The attempts at the token endpoint, each with the claim that it is for.
    fn attempts(&self, client: &ClientCredentials, deep: &str) -> Vec<(usize, String, Probe)> {
        let mut asked: Vec<(usize, String, Probe)> = Vec::new();
        asked.extend(self.wrong_types().into_iter().map(|(what, probe)| (0, what, probe)));
        for (name, value) in &self.fields {
            // The same value twice: whichever is taken, it is the right one.
            asked.push((1, format!("{name} twice"), self.form(&[(name, value)])));
        }
        asked.extend(self.broken(deep).into_iter().map(|(what, probe)| (2, what.to_owned(), probe)));
        asked.push((3, "4 MB".into(), self.form(&[("a", &"a".repeat(LARGE))])));
        let long = format!("{}{}", client.id, "a".repeat(LONG));
        asked.push((4, "a name of 200 kB".into(), self.changed("client_id", long)));
        asked.push((4, "a NUL in a name".into(), self.changed("client_id", format!("{}\0b", client.id))));
        asked.push((
            4,
            "control characters in a scope".into(),
            self.changed("scope", "\u{1}\u{1b}[2J".to_owned()),
        ));
        for (what, body) in
            [("a form as text/plain", self.encoded(&[])), ("JSON as text/plain", self.json().to_string())]
        {
            asked.push((5, what.into(), self.post_of().body("text/plain", body)));
        }
        asked
            .into_iter()
            .map(|(claim, what, probe)| (claim, format!("POST /oauth/token with {what}"), probe))
            .collect()
    }
}

/// The attempts at the session API. A stranger's whole login would get 401, which is no sign that a defect was seen.
fn logins(email: &str, password: &str, post: &Probe, deep: &str) -> Vec<(usize, String, Probe)> {
    let whole = json!({"email": email, "password": password});
    let with = |name: &str, value: Value| {
        let mut body = whole.clone();
        body[name] = value;
        post.clone().json(&body)
    };
    let text = whole.to_string();
    let open = text.strip_suffix('}').unwrap_or(&text).to_owned();
    let kind = "application/json";
    [
        (0, "a number for email", with("email", json!(1))),
        (0, "a list for email", with("email", json!([email]))),
        (0, "a list for password", with("password", json!([password]))),
        (0, "nothing for email", with("email", Value::Null)),
        (2, "JSON that is cut off", post.clone().body(kind, open.clone())),
        (2, "JSON of 20 000 levels", post.clone().body(kind, format!("{open},\"a\":{deep}}}"))),
        (3, "4 MB", with("a", json!("a".repeat(LARGE)))),
        (4, "control characters in a scope", with("scope", json!("\u{1}\u{1b}[2J"))),
        (4, "an address of 200 kB", with("email", json!(format!("{}{email}", "a".repeat(LONG))))),
        (5, "its JSON as text/plain", post.clone().body("text/plain", text)),
    ]
    .into_iter()
    .map(|(claim, what, probe)| (claim, format!("POST /session with {what}"), probe))
    .collect()
}

/// Sends all that must be refused; then that a whole request is answered still is the control.
pub(super) async fn send(
    world: &World,
    whole: &Result<Whole, String>,
) -> (Vec<Tried>, Result<String, String>) {
    let config = &world.config;
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let mut asked: Vec<(usize, String, Probe)> = Vec::new();
    if let (Ok(whole), Some(client)) = (whole, &config.client) {
        asked.extend(whole.attempts(client, &deep));
    }
    asked.push((6, "GET /oauth/token".into(), Probe::new("GET", format!("{}oauth/token", config.issuer))));
    if config.session.is_some() {
        let (email, password) = login(world).await;
        if let Ok(post) = world.tokens.session_probe(config, &world.http, "POST", "/session").await {
            asked.extend(logins(&email, &password, &post, &deep));
        }
        for path in ["/session", "/password-reset", ""] {
            if let Some(url) = session_url(config, path) {
                asked.push((6, format!("GET {url}"), Probe::new("GET", url)));
            }
        }
    }
    let probes = asked.iter().map(|(_, _, probe)| probe.clone()).collect();
    let sent = world.http.send_all(probes).await;
    let tried =
        asked.into_iter().zip(sent).map(|((claim, what, _), sent)| Tried { claim, what, sent }).collect();
    let control = match whole {
        Ok(whole) => whole.still(world).await.map(|()| "a whole request got its token".to_owned()),
        Err(why) => Err(why.clone()),
    };
    (tried, control)
}

/// The auditor's user, where its login works.
async fn login(world: &World) -> (String, String) {
    match &world.config.user {
        Some(user) if world.full(Caller::User).await.is_ok() => {
            (user.email.clone(), user.password.expose_secret().to_owned())
        }
        _ => (format!("audit-stranger-{}@example.com", world.id), "x".to_owned()),
    }
}

/// The right password of an address with control characters behind it: let in where they are cut off.
pub(super) async fn cut_address(world: &World) -> Option<Looked> {
    let user = world.config.user.as_ref()?;
    world.full(Caller::User).await.ok()?;
    let body =
        json!({"email": format!("{}\u{0}\u{1b}[2J", user.email), "password": user.password.expose_secret()});
    let sent = world.tokens.session(&world.config, &world.http, "POST", "/session", &body).await;
    Some(Looked {
        claim: 4,
        what: "the right password for an address with control characters behind it, which must not log in"
            .into(),
        bad: sent.ok().and_then(|answer| match answer.status {
            200..300 | 500 => Some(true),
            400 | 401 | 422 => Some(false),
            _ => None,
        }),
    })
}
