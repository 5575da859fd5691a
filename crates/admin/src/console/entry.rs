//! Coming in and going out: links, sessions, and who is looking.

use accounts::console::{self, LINK_LIFETIME, SESSION_IDLE, SESSION_LIFETIME, SESSION_NOTE, Standing};
use secrecy::SecretString;
use store::{ConsoleSession, Fault, Store};

/// Makes a one-time link's token; the store has its digest alone.
///
/// # Errors
/// When the store fails.
pub async fn new_link(store: &Store, now: i64, fresh: [u8; 32]) -> Result<SecretString, Fault> {
    let token = console::token(fresh);
    store.insert_console_link(&token.digest, now, now.saturating_add(LINK_LIFETIME)).await?;
    Ok(token.text)
}

/// Whether a link would open the console now. Looking spends nothing.
///
/// # Errors
/// When the store fails.
pub async fn link_is_alive(store: &Store, presented: &str, now: i64) -> Result<bool, Fault> {
    let Some(digest) = console::digest_of(presented) else { return Ok(false) };
    let link = store.console_link(&digest).await?;
    Ok(link.is_some_and(|link| link.used_at.is_none() && link.expires_at > now))
}

/// Spends a link: the cookie of the session that it begins, or nothing when the link is unknown, used or over.
///
/// # Errors
/// When the store fails.
pub async fn spend_link(
    store: &Store,
    presented: &str,
    now: i64,
    fresh: [u8; 32],
) -> Result<Option<SecretString>, Fault> {
    let Some(digest) = console::digest_of(presented) else { return Ok(None) };
    let cookie = console::token(fresh);
    let spent = store.spend_console_link(&digest, &session(&cookie, None, now)).await?;
    Ok(spent.then_some(cookie.text))
}

/// Begins the session of a user whose password was just checked; `now` is of before that check. Nothing when the user may
/// not see the measures.
///
/// # Errors
/// When the store fails.
pub async fn begin(
    store: &Store,
    user_id: &str,
    audience: &str,
    now: i64,
    fresh: [u8; 32],
) -> Result<Option<SecretString>, Fault> {
    let cookie = console::token(fresh);
    let session = session(&cookie, Some(user_id), now);
    if !stands(store, &session, audience).await? {
        return Ok(None);
    }
    store.insert_console_session(&session).await?;
    Ok(Some(cookie.text))
}

/// Who looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visitor {
    /// Somebody with a link from the terminal.
    Link,
    /// This user.
    User(String),
}

/// Who has this cookie: nobody, when the session is unknown, over or idle, or its user may no longer see the measures.
///
/// # Errors
/// When the store fails: then nothing is shown.
pub async fn visitor(
    store: &Store,
    presented: &str,
    audience: &str,
    now: i64,
) -> Result<Option<Visitor>, Fault> {
    let Some(digest) = console::digest_of(presented) else { return Ok(None) };
    let idle_since = now.saturating_sub(SESSION_IDLE);
    let Some(session) = store.console_session(&digest, idle_since, SESSION_NOTE, now).await? else {
        return Ok(None);
    };
    if !stands(store, &session, audience).await? {
        return Ok(None);
    }
    Ok(Some(session.user_id.map_or(Visitor::Link, Visitor::User)))
}

/// Ends the session; nothing happens when there is none.
///
/// # Errors
/// When the store fails.
pub async fn leave(store: &Store, presented: &str) -> Result<(), Fault> {
    if let Some(digest) = console::digest_of(presented) {
        store.end_console_session(&digest).await?;
    }
    Ok(())
}

fn session(cookie: &console::Token, user_id: Option<&str>, now: i64) -> ConsoleSession {
    ConsoleSession {
        digest: cookie.digest.to_vec(),
        user_id: user_id.map(str::to_owned),
        created_at: now,
        expires_at: now.saturating_add(SESSION_LIFETIME),
        seen_at: now,
    }
}

/// A link's session stands by itself; a user's as long as the user may look. Asked each time: what a role loses is lost at
/// the next click.
async fn stands(store: &Store, session: &ConsoleSession, audience: &str) -> Result<bool, Fault> {
    let Some(user_id) = &session.user_id else { return Ok(true) };
    let Some(user) = store.user(user_id).await? else { return Ok(false) };
    let scopes = store.user_permissions(user_id, audience).await?;
    let standing = Standing { blocked: user.blocked, not_before: user.not_before, scopes: &scopes };
    Ok(console::may_see_measures(&standing, session.created_at))
}
