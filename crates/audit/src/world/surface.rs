//! One answer of every kind that this place gives: metadata, pages, refusals, errors, tokens, and what the right token
//! gets at every endpoint. Asked once a run; several measures read the headers. Nothing here changes anything.

use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::world::World;
use crate::world::http::{Answer, Credential, Probe, Sent};
use crate::world::matrix::Attempt;

/// What an answer is, beside what its headers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Anything that a stranger gets.
    Open,
    /// What a good token got.
    Private,
    /// It holds a token.
    Token,
}

/// One answer.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// `GET /reset`.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) answer: Answer,
    /// Scheme, host and port of where it was asked.
    pub(crate) origin: Option<String>,
}

impl Seen {
    pub(crate) fn new(name: impl Into<String>, kind: Kind, answer: Answer) -> Self {
        Self { name: name.into(), kind, answer, origin: None }
    }

    #[must_use]
    pub(crate) fn at(mut self, address: &str) -> Self {
        self.origin = url::Url::parse(address).ok().map(|url| url.origin().ascii_serialization());
        self
    }

    /// Whether a browser would show it as a page.
    pub(crate) fn is_page(&self) -> bool {
        self.answer.header("content-type").is_some_and(|kind| {
            let kind = kind.to_ascii_lowercase();
            kind.starts_with("text/html") || kind.starts_with("application/xhtml")
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.answer.body).into_owned()
    }
}

/// The answers, and what was asked and did not answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surface {
    pub(crate) seen: Vec<Seen>,
    pub(crate) silent: Vec<String>,
}

impl Surface {
    /// What was asked, for a claim that found nothing.
    pub(crate) fn asked(&self) -> String {
        let mut names: Vec<&str> = self.seen.iter().map(|seen| seen.name.as_str()).collect();
        names.dedup();
        let more = names.len().saturating_sub(8);
        names.truncate(8);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        format!("{}{more}", names.join(", "))
    }

    fn take(&mut self, name: impl Into<String>, kind: Kind, address: &str, sent: Sent) {
        let name = name.into();
        match sent {
            Ok(answer) => self.seen.push(Seen::new(name, kind, answer).at(address)),
            Err(why) => self.silent.push(format!("{name}: {why}")),
        }
    }
}

pub(crate) async fn observe(world: &World) -> Surface {
    let (config, http) = (&world.config, &world.http);
    let mut surface = Surface::default();
    let issuer = config.issuer.as_str();
    let target = format!("{}/", config.target.trim_end_matches('/'));
    let missing = format!("portcullis-audit-{}", world.id);
    let mut asked = vec![
        (
            format!("GET {issuer}.well-known/openid-configuration"),
            format!("{issuer}.well-known/openid-configuration"),
        ),
        (format!("GET {issuer}.well-known/jwks.json"), format!("{issuer}.well-known/jwks.json")),
        (format!("GET {issuer}reset"), format!("{issuer}reset?token={missing}")),
        (format!("GET {issuer} (a path that is not there)"), format!("{issuer}{missing}")),
        (format!("GET {target}"), target.clone()),
        (format!("GET {target} (a path that is not there)"), format!("{target}{missing}")),
    ];
    for frontend in &config.frontend_origins {
        // A frontend in development is often not up; that is no fault of what is audited.
        if config.environment != "development" {
            asked.push((format!("GET {frontend}/"), format!("{frontend}/")));
        }
    }
    let probes = asked.iter().map(|(_, url)| Probe::new("GET", url)).collect();
    for ((name, address), sent) in asked.into_iter().zip(http.send_all(probes).await) {
        surface.take(name, Kind::Open, &address, sent);
    }
    let token = format!("{issuer}oauth/token");
    let empty = http.send(Probe::new("POST", &token).form(&[("grant_type", "")])).await;
    surface.take(format!("POST {token} (refused)"), Kind::Open, &token, empty);
    if let Some(sent) = client_token(world).await {
        surface.take(format!("POST {token}"), Kind::Token, &token, sent);
    }
    if config.session.is_some() {
        surface.sessions(world).await;
    }
    let endpoints = &world.inventory.endpoints;
    for cell in &world.matrix().await.cells {
        let kind = match cell.attempt {
            Attempt::NoToken | Attempt::MissingScope => Kind::Open,
            Attempt::Right => Kind::Private,
            _ => continue,
        };
        if let (Some(endpoint), Ok(answer)) = (endpoints.get(cell.endpoint), &cell.outcome) {
            let name = format!("{} with {}", endpoint.name(), cell.attempt.words());
            surface.seen.push(Seen::new(name, kind, answer.clone()).at(&endpoint.base));
        } else if let (Some(endpoint), Attempt::NoToken, Err(why)) =
            (endpoints.get(cell.endpoint), cell.attempt, &cell.outcome)
        {
            // Without a token anything can be asked; with one only where it was had, and then its lack stands elsewhere.
            surface.silent.push(format!("{} with {}: {why}", endpoint.name(), cell.attempt.words()));
        }
    }
    if config.exercise
        && let Ok(finished) = world.finished().await
        && let Some(page) = &finished.page
    {
        surface.seen.push(Seen::new("GET of the reset link", Kind::Open, page.clone()).at(issuer));
    }
    surface
}

impl Surface {
    /// A login that is refused, and the auditor's own.
    async fn sessions(&mut self, world: &World) {
        let (config, http) = (&world.config, &world.http);
        let nobody = json!({"email": format!("nobody-{}@example.com", world.id), "password": world.id});
        if let Ok(probe) = world.tokens.session_probe(config, http, "POST", "/session").await {
            self.take(
                "POST /session (refused)",
                Kind::Open,
                &config.issuer,
                http.send(probe.json(&nobody)).await,
            );
        }
        if let Some(user) = &config.user
            && config.mode == crate::config::Mode::Own
        {
            let password = user.password.expose_secret();
            if let Ok(answer) = world.tokens.log_in(config, http, &user.email, password, None).await
                && answer.status == 200
            {
                self.take("POST /session", Kind::Token, &config.issuer, Ok(answer));
            }
        }
    }
}

/// A client's token once more: what the run keeps is the token, not the answer that it came in.
async fn client_token(world: &World) -> Option<Sent> {
    let client = world.config.client.as_ref()?;
    let url = format!("{}oauth/token", world.config.issuer);
    let fields = [("grant_type", "client_credentials"), ("audience", world.config.audience.as_str())];
    let post = [("client_id", client.id.as_str()), ("client_secret", client.secret.expose_secret())];
    let first = world.http.send(Probe::new("POST", &url).form(&[fields.as_slice(), &post].concat())).await;
    if first.as_ref().is_ok_and(|answer| answer.status == 200) {
        return Some(first);
    }
    let basic = Some(Credential::basic(&client.id, &client.secret));
    let second = world.http.send(Probe::new("POST", &url).form(&fields).with(basic)).await;
    second.as_ref().is_ok_and(|answer| answer.status == 200).then_some(second)
}
