//! The auditor's own tokens: a client's from the token endpoint, a user's from `POST /users/session`. Each is asked
//! for with the scopes that a probe needs, and kept for the run, because logins are slow and throttled.

use std::collections::BTreeSet;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::config::{Caller, ClientCredentials, Config, Mode, UserCredentials};
use crate::world::forge;
use crate::world::http::{Answer, Credential, Http, Probe};

/// Scopes, sorted.
pub(crate) type Scopes = BTreeSet<String>;

/// A token of the auditor's own.
pub(crate) struct Token {
    pub(crate) value: SecretString,
    pub(crate) scopes: Scopes,
    /// Its claims, unverified; none where it is opaque.
    pub(crate) claims: Option<Value>,
    /// Who it belongs to: a client's or a user's.
    pub(crate) kind: Caller,
    /// For transcripts.
    pub(crate) label: String,
}

impl Token {
    pub(crate) fn new(value: SecretString, kind: Caller, asked: &Scopes, answered: Option<&str>) -> Self {
        let claims = forge::claims(&value);
        let granted = answered.or_else(|| claims.as_ref()?.get("scope")?.as_str());
        let scopes: Scopes = granted
            .map_or_else(|| asked.clone(), |text| text.split_ascii_whitespace().map(Into::into).collect());
        let whose = if kind == Caller::Client { "client" } else { "user" };
        let label = if scopes.is_empty() {
            format!("a {whose}'s token without scopes")
        } else {
            format!("a {whose}'s token with {}", shortened(&scopes))
        };
        Self { value, scopes, claims, kind, label }
    }

    pub(crate) fn credential(&self) -> Credential {
        Credential::bearer(&self.value, self.label.clone())
    }
}

/// The first scopes of a set, for people.
fn shortened(scopes: &Scopes) -> String {
    let first: Vec<&str> = scopes.iter().take(6).map(String::as_str).collect();
    match scopes.len().saturating_sub(first.len()) {
        0 => first.join(" "),
        more => format!("{} and {more} more", first.join(" ")),
    }
}

/// A token, or why there is none.
pub(crate) type Had = Result<Arc<Token>, String>;

/// Where tokens come from.
pub(crate) struct Tokens {
    had: Mutex<Vec<(Caller, String, Scopes, Had)>>,
    /// Every scope of the inventory that users or clients may have.
    pub(crate) user_scopes: Scopes,
    pub(crate) client_scopes: Scopes,
}

impl Tokens {
    pub(crate) fn new(user_scopes: Scopes, client_scopes: Scopes) -> Self {
        Self { had: Mutex::new(Vec::new()), user_scopes, client_scopes }
    }

    fn all(&self, kind: Caller) -> &Scopes {
        if kind == Caller::Client { &self.client_scopes } else { &self.user_scopes }
    }

    /// The token that may do everything its kind may.
    pub(crate) async fn full(&self, config: &Config, http: &Http, kind: Caller) -> Had {
        match self.with(config, http, kind, self.all(kind).clone()).await {
            Ok(token) => Ok(token),
            // An issuer may refuse a whole request for one scope too many; without any it grants what it will.
            Err(why) => self.with(config, http, kind, Scopes::new()).await.map_err(|_| why),
        }
    }

    /// A token of this kind that satisfies none of the wanted scopes and holds at least one other: so that a refusal
    /// is for the missing scope and nothing else. Halves of the scopes serve most endpoints with two logins.
    pub(crate) async fn lacking(&self, config: &Config, http: &Http, kind: Caller, unwanted: &Scopes) -> Had {
        // What the issuer gives, not what the inventory could want: it may refuse a whole request for one scope too many.
        let all = self.full(config, http, kind).await?.scopes.clone();
        let half = |parity: usize| -> Scopes {
            all.iter()
                .enumerate()
                .filter(|(at, _)| at % 2 == parity)
                .map(|(_, scope)| scope.clone())
                .collect()
        };
        let mut tries = vec![half(0), half(1)];
        if kind == Caller::Client || !tries.iter().any(|half| !half.is_empty() && half.is_disjoint(unwanted))
        {
            // Clients' tokens are cheap: everything but exactly this.
            tries.insert(0, all.difference(unwanted).cloned().collect());
        }
        let mut reason = "every scope that the auditor may have is wanted there".to_owned();
        for scopes in tries.into_iter().filter(|scopes| !scopes.is_empty() && scopes.is_disjoint(unwanted)) {
            match self.with(config, http, kind, scopes).await {
                // The issuer may have granted more than was asked.
                Ok(token) if token.scopes.is_disjoint(unwanted) => return Ok(token),
                Ok(_) => reason = "the issuer grants more scopes than it is asked for".to_owned(),
                Err(other) => reason = other,
            }
        }
        Err(format!("no token without {}: {reason}", shortened(unwanted)))
    }

    /// A token with these scopes, for the gateway's audience.
    pub(crate) async fn with(&self, config: &Config, http: &Http, kind: Caller, scopes: Scopes) -> Had {
        self.for_audience(config, http, kind, &config.audience, scopes).await
    }

    pub(crate) async fn for_audience(
        &self,
        config: &Config,
        http: &Http,
        kind: Caller,
        audience: &str,
        scopes: Scopes,
    ) -> Had {
        let known = |had: &[(Caller, String, Scopes, Had)]| {
            had.iter()
                .find(|(other, for_audience, with, _)| {
                    *other == kind && for_audience == audience && *with == scopes
                })
                .map(|(.., had)| had.clone())
        };
        if let Some(had) = known(&self.had.lock().await) {
            return had;
        }
        let had = match kind {
            Caller::Client => client(config, http, audience, &scopes).await,
            Caller::User | Caller::Any => Box::pin(self.user(config, http, audience, &scopes)).await,
        };
        self.had.lock().await.push((kind, audience.to_owned(), scopes, had.clone()));
        had
    }

    async fn user(&self, config: &Config, http: &Http, audience: &str, scopes: &Scopes) -> Had {
        let user = config.user.as_ref().ok_or("no user of the auditor's own ([audit] user_email)")?;
        let password = user.password.expose_secret();
        if config.mode == Mode::Delegated {
            return self.at_the_foreign_issuer(config, http, user, audience, scopes).await;
        }
        let answer = self.log_in(config, http, &user.email, password, Some((audience, scopes))).await?;
        token_of(&answer, Caller::User, scopes, "POST /users/session")
    }

    /// An ID token for the auditor's user, by the password grant with `openid` (RFC 6749 section 4.3): where a tenant still
    /// serves that. None is no fault: few issuers do.
    pub(crate) async fn id_token(&self, config: &Config, http: &Http) -> Option<SecretString> {
        let (client, user) = (config.client.as_ref()?, config.user.as_ref()?);
        let issuer = match config.mode {
            Mode::Delegated => config.foreign_issuers.first().unwrap_or(&config.issuer),
            Mode::Own => &config.issuer,
        };
        let probe = Probe::new("POST", format!("{issuer}oauth/token")).form(&[
            ("grant_type", "password"),
            ("client_id", &client.id),
            ("client_secret", client.secret.expose_secret()),
            ("username", &user.email),
            ("password", user.password.expose_secret()),
            ("audience", &config.audience),
            ("scope", "openid"),
        ]);
        let answer = http.send(probe).await.ok().filter(|answer| answer.status == 200)?;
        Some(answer.json()?.get("id_token")?.as_str()?.to_owned().into())
    }

    /// A user's token where users live at a foreign issuer: its password grant, with the auditor's own client there.
    async fn at_the_foreign_issuer(
        &self,
        config: &Config,
        http: &Http,
        user: &UserCredentials,
        audience: &str,
        scopes: &Scopes,
    ) -> Had {
        let client = config.client.as_ref().ok_or("no client of the auditor's own ([audit] client_id)")?;
        let issuer = config.foreign_issuers.first().unwrap_or(&config.issuer);
        let scope = scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        let mut fields = vec![
            ("grant_type", "password"),
            ("client_id", client.id.as_str()),
            ("client_secret", client.secret.expose_secret()),
            ("username", user.email.as_str()),
            ("password", user.password.expose_secret()),
            ("audience", audience),
        ];
        if !scope.is_empty() {
            fields.push(("scope", &scope));
        }
        let probe = Probe::new("POST", format!("{issuer}oauth/token")).form(&fields);
        let answer = http.send(probe).await.map_err(|error| format!("POST {issuer}oauth/token: {error}"))?;
        token_of(&answer, Caller::User, scopes, &format!("POST {issuer}oauth/token"))
    }

    /// Every token that this run was given.
    pub(crate) async fn seen(&self) -> Vec<Arc<Token>> {
        self.had.lock().await.iter().filter_map(|(.., had)| had.as_ref().ok().cloned()).collect()
    }

    /// `POST /users/session`, with a client's token where one is wanted.
    pub(crate) async fn log_in(
        &self,
        config: &Config,
        http: &Http,
        email: &str,
        password: &str,
        wanted: Option<(&str, &Scopes)>,
    ) -> Result<Answer, String> {
        let mut body = json!({"email": email, "password": password});
        if let Some((audience, scopes)) = wanted {
            body["audience"] = json!(audience);
            if !scopes.is_empty() {
                body["scope"] = json!(scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" "));
            }
        }
        self.session(config, http, "POST", "/session", &body).await
    }

    /// A call of the session API that wants a client's token unless it is public.
    pub(crate) async fn session(
        &self,
        config: &Config,
        http: &Http,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Result<Answer, String> {
        let probe = self.session_probe(config, http, method, path).await?.json(body);
        http.send(probe).await.map_err(|error| format!("{method} {path}: {error}"))
    }

    pub(crate) async fn session_probe(
        &self,
        config: &Config,
        http: &Http,
        method: &str,
        path: &str,
    ) -> Result<Probe, String> {
        let session = config.session.as_ref().ok_or("the session API is not served here")?;
        let credential = match &session.public {
            Some(_) => None,
            None => {
                let scope = Scopes::from(["session".to_owned()]);
                let token = Box::pin(self.with(config, http, Caller::Client, scope)).await;
                Some(
                    token
                        .map_err(|why| format!("no client's token with the scope session: {why}"))?
                        .credential(),
                )
            }
        };
        Ok(Probe::new(method, session_url(config, path).unwrap_or_default()).with(credential))
    }
}

/// The address of a path of the session API.
pub(crate) fn session_url(config: &Config, path: &str) -> Option<String> {
    let session = config.session.as_ref()?;
    let base = if session.on_gateway { &config.target } else { &config.issuer };
    Some(format!("{}{}{path}", base.trim_end_matches('/'), session.prefix.trim_end_matches('/')))
}

/// A client's token: of our issuer, and before that of the foreign one where users live there.
async fn client(config: &Config, http: &Http, audience: &str, scopes: &Scopes) -> Had {
    let client = config.client.as_ref().ok_or("no client of the auditor's own ([audit] client_id)")?;
    let foreign = config.foreign_issuers.first().filter(|_| config.mode == Mode::Delegated);
    if let Some(foreign) = foreign.filter(|foreign| **foreign != config.issuer)
        && let Ok(token) = client_at(foreign, client, http, audience, scopes).await
    {
        return Ok(token);
    }
    client_at(&config.issuer, client, http, audience, scopes).await
}

/// A client's token of one issuer, whose paths are Auth0's.
pub(crate) async fn client_at(
    issuer: &str,
    client: &ClientCredentials,
    http: &Http,
    audience: &str,
    scopes: &Scopes,
) -> Had {
    let scope = scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    let mut fields = vec![("grant_type", "client_credentials"), ("audience", audience)];
    if !scope.is_empty() {
        fields.push(("scope", &scope));
    }
    let url = format!("{}/oauth/token", issuer.trim_end_matches('/'));
    let post = [("client_id", client.id.as_str()), ("client_secret", client.secret.expose_secret())];
    let probe = Probe::new("POST", &url).form(&[fields.as_slice(), &post].concat());
    let mut answer = http.send(probe).await.map_err(|error| format!("POST /oauth/token: {error}"))?;
    if answer.status == 401 {
        // A client that is registered for client_secret_basic.
        let probe =
            Probe::new("POST", &url).form(&fields).with(Some(Credential::basic(&client.id, &client.secret)));
        answer = http.send(probe).await.map_err(|error| format!("POST /oauth/token: {error}"))?;
    }
    token_of(&answer, Caller::Client, scopes, "POST /oauth/token")
}

fn token_of(answer: &Answer, kind: Caller, asked: &Scopes, endpoint: &str) -> Had {
    let body = answer.json().unwrap_or_default();
    match body.get("access_token").and_then(Value::as_str) {
        Some(token) if answer.status == 200 => {
            let scope = body.get("scope").and_then(Value::as_str);
            Ok(Arc::new(Token::new(token.to_owned().into(), kind, asked, scope)))
        }
        _ => {
            let code =
                body.get("error").or_else(|| body.get("title")).and_then(Value::as_str).unwrap_or_default();
            Err(format!("{endpoint} answered {} {code}", answer.status).trim_end().to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scopes_of_a_token_are_what_was_granted() {
        let asked = Scopes::from(["a".to_owned(), "b".to_owned()]);
        let token = Token::new("opaque".into(), Caller::User, &asked, Some("a"));
        assert_eq!(token.scopes, Scopes::from(["a".to_owned()]));
        assert_eq!(token.label, "a user's token with a");
        assert_eq!(Token::new("opaque".into(), Caller::Client, &asked, None).scopes, asked);
    }
}
