//! Tokens that outlive a run, so that the next one can replay them after their end: the only honest way to see that
//! expiry is enforced without waiting for it.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::config::{Caller, Config};
use crate::world::tokens::{Scopes, Token};

const FILE: &str = "kept-tokens.json";
/// A token is only called expired when nobody's leeway may still let it in.
pub(crate) const LEEWAY: i64 = 60;

#[derive(Serialize, Deserialize)]
struct Entry {
    token: String,
    user: bool,
    scopes: Scopes,
    expires_at: i64,
    kept_at: i64,
    /// Whether the gateway let it in when it was kept: the control of its refusal later.
    let_in: bool,
    issuer: String,
    audience: String,
}

/// A token of an earlier run.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) value: SecretString,
    pub(crate) kind: Caller,
    pub(crate) scopes: Scopes,
    pub(crate) expires_at: i64,
    pub(crate) let_in: bool,
}

/// The tokens of earlier runs for this issuer and audience; none where there is no state yet.
pub(crate) fn read(config: &Config) -> Vec<Kept> {
    entries(config)
        .into_iter()
        .map(|entry| Kept {
            value: entry.token.into(),
            kind: if entry.user { Caller::User } else { Caller::Client },
            scopes: entry.scopes,
            expires_at: entry.expires_at,
            let_in: entry.let_in,
        })
        .collect()
}

/// When the last of the kept tokens ends, Unix seconds; none where none is kept.
pub(crate) fn last_end(config: &Config) -> Option<i64> {
    entries(config).iter().map(|entry| entry.expires_at).max()
}

fn entries(config: &Config) -> Vec<Entry> {
    let Some(folder) = &config.state else { return Vec::new() };
    let text = std::fs::read(folder.join(FILE)).unwrap_or_default();
    let entries: Vec<Entry> = serde_json::from_slice(&text).unwrap_or_default();
    entries
        .into_iter()
        .filter(|entry| entry.issuer == config.issuer && entry.audience == config.audience)
        .collect()
}

/// Keeps these tokens for the next run. One that waits for its end is not replaced: else a team that audits more
/// often than its tokens expire would never see one expire.
pub(crate) fn write(
    config: &Config,
    now: i64,
    tokens: &[(std::sync::Arc<Token>, bool)],
) -> Result<(), String> {
    let Some(folder) = &config.state else { return Ok(()) };
    let mut entries: Vec<Entry> =
        entries(config).into_iter().filter(|entry| entry.expires_at + LEEWAY > now && entry.let_in).collect();
    for (token, let_in) in tokens {
        let expires_at =
            token.claims.as_ref().and_then(|claims| claims.get("exp")).and_then(|exp| exp.as_f64());
        let user = token.kind != Caller::Client;
        let waiting = entries.iter().any(|entry| entry.user == user && entry.scopes == token.scopes);
        if let (Some(exp), false) = (expires_at, waiting) {
            entries.push(Entry {
                token: token.value.expose_secret().to_owned(),
                user,
                scopes: token.scopes.clone(),
                expires_at: seconds(exp),
                kept_at: now,
                let_in: *let_in,
                issuer: config.issuer.clone(),
                audience: config.audience.clone(),
            });
        }
    }
    let text = serde_json::to_vec(&entries).map_err(|error| error.to_string())?;
    store(folder, FILE, &text)
        .map_err(|error| format!("{} cannot be kept: {error}", folder.join(FILE).display()))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a cast of floats saturates, and a date beyond i64 never comes"
)]
pub(crate) fn seconds(date: f64) -> i64 {
    date.ceil() as i64
}

/// Written beside and renamed, readable by the owner alone.
pub(super) fn store(folder: &Path, name: &str, text: &[u8]) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let beside = folder.join(format!("{name}.{}", std::process::id()));
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(text)?;
    file.sync_all()?;
    std::fs::rename(beside, folder.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Arc;

    fn token(exp: i64, scope: &str) -> Arc<Token> {
        use base64::Engine as _;
        let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .encode(serde_json::json!({"exp": exp, "scope": scope}).to_string());
        Arc::new(Token::new(format!("e30.{payload}.AA").into(), Caller::User, &Scopes::new(), None))
    }

    #[test]
    fn a_token_waits_for_its_end_and_is_then_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::new("http://t", "http://i/", "a", Arc::new(|| 0));
        config.state = Some(folder.path().join("state"));
        assert!(read(&config).is_empty());
        write(&config, 100, &[(token(1000, "a"), true)]).unwrap();
        write(&config, 500, &[(token(1400, "a"), true)]).unwrap();
        assert_eq!(read(&config).iter().map(|kept| kept.expires_at).collect::<Vec<_>>(), [1000]);
        write(&config, 1061, &[(token(2000, "a"), true)]).unwrap();
        assert_eq!(read(&config).iter().map(|kept| kept.expires_at).collect::<Vec<_>>(), [2000]);
        let mode = std::fs::metadata(folder.path().join("state").join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        config.audience = "other".into();
        assert!(read(&config).is_empty());
    }
}
