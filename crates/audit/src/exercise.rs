//! A throw-away user of the auditor's own: signed up with a password that nobody else has, its password reset by the
//! link in its mail, and deleted. What it leaves in the database is searched for in between.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::config::{Config, Mode};
use crate::world::http::{Answer, Credential, Http, Probe};
use crate::world::tokens::session_url;
use crate::world::{World, kept, kept_link, random_hex};

/// A host that no reset link may lead to, though a header names it.
const FOREIGN_HOST: &str = "attacker.example";
/// How long a mail may take, and how long an ended session may still be believed.
const MAIL: (usize, Duration) = (40, Duration::from_millis(250));
const REVOCATION: (usize, Duration) = (15, Duration::from_millis(200));

/// The throw-away user.
pub(crate) struct Begun {
    pub(crate) email: String,
    pub(crate) password: SecretString,
    access_token: SecretString,
    refresh_token: Option<SecretString>,
    /// The answers to a reset request for this address and for one that nobody has: status and body.
    pub(crate) reset: Result<[(u16, Vec<u8>); 2], String>,
    /// The newest link.
    pub(crate) link: Result<Link, String>,
    /// The one before it; or why there is none.
    older: Result<SecretString, String>,
    /// Where each link leads, and what was tried to have it lead elsewhere.
    pub(crate) origins: Vec<(String, &'static str)>,
}

/// The link in the mail.
pub(crate) struct Link {
    url: SecretString,
    /// Scheme, host and port.
    pub(crate) origin: String,
    pub(crate) token: SecretString,
}

/// What the reset did; each a status.
#[derive(Clone, Debug, Default)]
pub(crate) struct Finished {
    /// GET of the link, twice.
    pub(crate) opened: Vec<u16>,
    /// What the first of them showed; it holds the token, and is never printed.
    pub(crate) page: Option<Answer>,
    /// The link before the newest, tried first; none: no answer, or no such link.
    pub(crate) older_use: Option<u16>,
    /// Why the older link could not be tried.
    pub(crate) no_older: Option<String>,
    /// The old session after the link was opened, before it was used: its control.
    pub(crate) alive_before: Option<u16>,
    /// Two uses at once; the one that was let in, where one was, is first.
    pub(crate) first_use: Option<u16>,
    pub(crate) beside_it: Option<u16>,
    pub(crate) second_use: Option<u16>,
    /// The old access token, after up to three seconds.
    pub(crate) session_after: Option<u16>,
    pub(crate) refresh_after: Option<u16>,
    pub(crate) old_password: Option<u16>,
    pub(crate) new_password: Option<u16>,
    /// Deletion of the throw-away user.
    pub(crate) deleted: Option<u16>,
}

pub(crate) async fn begin(world: &World) -> Result<Begun, String> {
    let (config, http) = (&world.config, &world.http);
    if config.mode == Mode::Delegated {
        return Err(crate::world::account::ELSEWHERE.into());
    }
    if !config.exercise {
        return Err("the auditor may not sign up a user of its own ([audit] exercise)".into());
    }
    let email = format!("audit-{}@example.com", random_hex::<10>());
    let password = SecretString::from(format!("Zq{}", random_hex::<20>()));
    let body = json!({"email": email, "password": password.expose_secret()});
    let answer = world.tokens.session(config, http, "POST", "", &body).await?;
    if answer.status != 201 {
        return Err(format!("the throw-away user could not be signed up: {}", answer.status));
    }
    let (access_token, refresh_token) = log_in(world, &email, &password).await?;
    let reset = ask(world, &email).await;
    let first = match (&reset, &config.mailbox) {
        (Err(why), _) => Err(why.clone()),
        (_, None) => Err("reset mails cannot be read ([audit] mailbox)".into()),
        (_, Some(mailbox)) => mailed(http, mailbox, &email, &[]).await,
    };
    let mut begun = Begun {
        email,
        password,
        access_token,
        refresh_token,
        reset,
        link: first,
        older: Err("no second mail was asked for".into()),
        origins: Vec::new(),
    };
    if let (Ok(first), Some(mailbox)) = (&begun.link, &config.mailbox) {
        begun.origins.push((first.origin.clone(), "X-Forwarded-Host and Forwarded"));
        let newer = again(world, mailbox, &begun.email, first).await;
        begun.origins.extend(newer.1);
        match newer.0 {
            Ok(newest) => {
                begun.older = Ok(first.token.clone());
                begun.link = Ok(newest);
            }
            Err(why) => begun.older = Err(why),
        }
    }
    Ok(begun)
}

/// Asks once more with a foreign Host, which a good server may refuse, and once plainly; the newest link, and where those
/// in between lead.
async fn again(
    world: &World,
    mailbox: &str,
    email: &str,
    first: &Link,
) -> (Result<Link, String>, Vec<(String, &'static str)>) {
    let (mut known, mut origins) = (vec![first.token.clone()], Vec::new());
    let body = json!({"email": email});
    if let Ok(probe) = world.tokens.session_probe(&world.config, &world.http, "POST", "/password-reset").await
    {
        let answer = world.http.send(probe.json(&body).header("host", FOREIGN_HOST)).await;
        if answer.is_ok_and(|answer| (200..300).contains(&answer.status))
            && let Ok(link) = mailed(&world.http, mailbox, email, &known).await
        {
            origins.push((link.origin, "Host"));
            known.push(link.token);
        }
    }
    let asked = session(world, "POST", "/password-reset", &body).await;
    let newest = match asked {
        Some(200..300) => mailed(&world.http, mailbox, email, &known).await,
        Some(status) => Err(format!("a second request got {status}")),
        None => Err("a second request got no answer".into()),
    };
    (newest, origins)
}

async fn log_in(
    world: &World,
    email: &str,
    password: &SecretString,
) -> Result<(SecretString, Option<SecretString>), String> {
    let answer =
        world.tokens.log_in(&world.config, &world.http, email, password.expose_secret(), None).await?;
    let body = answer.json().unwrap_or_default();
    let text =
        |name: &str| body.get(name).and_then(Value::as_str).map(|text| SecretString::from(text.to_owned()));
    match text("access_token") {
        Some(token) if answer.status == 200 => Ok((token, text("refresh_token"))),
        _ => Err(format!("the throw-away user could not log in: {}", answer.status)),
    }
}

/// Asks for a reset of this address and of one that nobody has, with headers that name a foreign host.
async fn ask(world: &World, email: &str) -> Result<[(u16, Vec<u8>); 2], String> {
    let mut answers = Vec::new();
    for address in [email.to_owned(), format!("nobody-{}@example.com", random_hex::<10>())] {
        let probe = world.tokens.session_probe(&world.config, &world.http, "POST", "/password-reset").await?;
        let probe = probe
            .json(&json!({"email": address}))
            .header("x-forwarded-host", FOREIGN_HOST)
            .header("forwarded", format!("host={FOREIGN_HOST}"));
        let answer = world.http.send(probe).await.map_err(|error| error.to_string())?;
        answers.push((answer.status, answer.body.to_vec()));
    }
    answers.try_into().map_err(|_| "no answer".into())
}

/// What became of the link that an earlier run kept.
pub(crate) enum Old {
    /// It was tried so many seconds after it was asked for.
    Tried { age: i64, status: Option<u16> },
    /// It is tried by a run after this time.
    Waits { until: i64 },
    /// None can be had.
    Cannot(String),
}

/// Tries the link of the auditor's own user that an earlier run kept, and keeps another. Its password stays: a link that
/// works, though it should not, sets the one that it has.
pub(crate) async fn old_link(world: &World) -> Old {
    let config = &world.config;
    let (Some(user), Some(mailbox), Some(_)) = (&config.user, &config.mailbox, &config.state) else {
        return Old::Cannot("it takes a user of the auditor's own, its mailbox, and a state folder".into());
    };
    let kept = kept_link::read(config, &user.email);
    if let Some(kept) = &kept
        && kept.asked_at + kept_link::LIFE + kept::LEEWAY >= world.now
    {
        return Old::Waits { until: kept.asked_at + kept_link::LIFE + kept::LEEWAY };
    }
    let mut tried = None;
    if let Some(kept) = kept {
        let password = user.password.expose_secret();
        let body = json!({"token": kept.token.expose_secret(), "password": password});
        let status = session(world, "PUT", "/password-reset", &body).await;
        tried = Some(Old::Tried { age: world.now - kept.asked_at, status });
    }
    match fresh_link(world, mailbox, &user.email).await {
        Ok(link) => match kept_link::write(config, &user.email, &link.token, world.now) {
            Ok(()) => tried.unwrap_or(Old::Waits { until: world.now + kept_link::LIFE + kept::LEEWAY }),
            Err(why) => tried.unwrap_or(Old::Cannot(why)),
        },
        Err(why) => tried.unwrap_or(Old::Cannot(why)),
    }
}

/// Asks for a link and waits for one that was not there before.
async fn fresh_link(world: &World, mailbox: &str, email: &str) -> Result<Link, String> {
    let known: Vec<SecretString> =
        links(&world.http, mailbox, email).await?.into_iter().map(|link| link.token).collect();
    let asked = session(world, "POST", "/password-reset", &json!({"email": email})).await;
    match asked {
        Some(200..300) => mailed(&world.http, mailbox, email, &known).await,
        Some(status) => Err(format!("a request for it got {status}")),
        None => Err("a request for it got no answer".into()),
    }
}

/// Waits for the mail to this address and takes the link out of it, one with another token than those that are known.
async fn mailed(http: &Http, mailbox: &str, email: &str, known: &[SecretString]) -> Result<Link, String> {
    for _ in 0..MAIL.0 {
        let all = links(http, mailbox, email).await?.into_iter();
        let link = all
            .into_iter()
            .find(|link| known.iter().all(|token| token.expose_secret() != link.token.expose_secret()));
        if let Some(link) = link {
            return Ok(link);
        }
        tokio::time::sleep(MAIL.1).await;
    }
    Err("no mail with a link arrived within ten seconds".into())
}

/// The links of all mails to this address.
async fn links(http: &Http, mailbox: &str, email: &str) -> Result<Vec<Link>, String> {
    let answer =
        http.send(Probe::new("GET", mailbox)).await.map_err(|error| format!("the mailbox: {error}"))?;
    let mails = answer.json().unwrap_or_default();
    let to = |mail: &&Value| mail.get("to").is_some_and(|to| to.to_string().contains(email));
    let all = mails.as_array().into_iter().flatten().filter(to);
    Ok(all.filter_map(|mail| mail.get("text").and_then(Value::as_str)).filter_map(link_in).collect())
}

/// The first link of a mail that carries a token.
fn link_in(text: &str) -> Option<Link> {
    let edges = |c: char| matches!(c, '<' | '>' | '(' | ')' | '"' | '\'' | '.' | ',');
    text.split_whitespace().map(|word| word.trim_matches(edges)).find_map(|word| {
        let url = url::Url::parse(word).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        let token =
            url.query_pairs().find(|(name, _)| name == "token").map(|(_, value)| value.into_owned())?;
        Some(Link {
            origin: url.origin().ascii_serialization(),
            token: token.into(),
            url: word.to_owned().into(),
        })
    })
}

pub(crate) async fn finish(world: &World, begun: &Begun) -> Finished {
    let mut seen = Finished::default();
    let mut password = begun.password.clone();
    if let Ok(link) = &begun.link {
        for _ in 0..2 {
            let opened = world.http.send(Probe::new("GET", link.url.expose_secret())).await.ok();
            seen.opened.extend(opened.as_ref().map(|answer| answer.status));
            seen.page = seen.page.take().or(opened);
        }
        seen.alive_before = me(&world.config, world, "GET", &begun.access_token).await;
        let new = SecretString::from(format!("Xr{}", random_hex::<20>()));
        match &begun.older {
            Ok(older) => {
                let body = json!({"token": older.expose_secret(), "password": new.expose_secret()});
                seen.older_use = session(world, "PUT", "/password-reset", &body).await;
            }
            Err(why) => seen.no_older = Some(why.clone()),
        }
        let body = json!({"token": link.token.expose_secret(), "password": new.expose_secret()});
        let use_it = || session(world, "PUT", "/password-reset", &body);
        let (one, other) = tokio::join!(use_it(), use_it());
        let good = |status: Option<u16>| status.is_some_and(|status| (200..300).contains(&status));
        (seen.first_use, seen.beside_it) =
            if good(other) && !good(one) { (other, one) } else { (one, other) };
        seen.second_use = session(world, "PUT", "/password-reset", &body).await;
        for _ in 0..REVOCATION.0 {
            seen.session_after = me(&world.config, world, "GET", &begun.access_token).await;
            if seen.session_after == Some(401) {
                break;
            }
            tokio::time::sleep(REVOCATION.1).await;
        }
        if let Some(refresh) = &begun.refresh_token {
            let body = json!({"refresh_token": refresh.expose_secret()});
            seen.refresh_after = session(world, "POST", "/session/refresh", &body).await;
        }
        let log_in =
            |password: &SecretString| json!({"email": begun.email, "password": password.expose_secret()});
        seen.old_password = session(world, "POST", "/session", &log_in(&begun.password)).await;
        seen.new_password = session(world, "POST", "/session", &log_in(&new)).await;
        if seen.new_password == Some(200) {
            password = new;
        }
    }
    if let Ok((token, _)) = log_in(world, &begun.email, &password).await {
        seen.deleted = me(&world.config, world, "DELETE", &token).await;
    }
    seen
}

async fn status(world: &World, probe: Probe) -> Option<u16> {
    world.http.send(probe).await.ok().map(|answer| answer.status)
}

async fn session(world: &World, method: &str, path: &str, body: &Value) -> Option<u16> {
    world
        .tokens
        .session(&world.config, &world.http, method, path, body)
        .await
        .ok()
        .map(|answer| answer.status)
}

async fn me(config: &Config, world: &World, method: &str, token: &SecretString) -> Option<u16> {
    let credential = Credential::bearer(token, "the throw-away user's token");
    status(world, Probe::new(method, session_url(config, "/me")?).with(Some(credential))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_is_found_in_a_mail() {
        let link =
            link_in("Hello,\n\n  <https://auth.example.com/reset?token=abc-_1>.\nBye http://x/").unwrap();
        assert_eq!(link.origin, "https://auth.example.com");
        assert_eq!(link.token.expose_secret(), "abc-_1");
        assert!(link_in("no link, https://auth.example.com/ has no token").is_none());
    }
}
