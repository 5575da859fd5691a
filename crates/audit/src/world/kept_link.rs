//! A reset link of the auditor's own user that outlives a run, so that a later one can try it after its end.

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::world::kept;

const FILE: &str = "kept-link.json";
/// What a reset link may last at most: an hour (OWASP Forgot Password Cheat Sheet: an appropriate period).
pub(crate) const LIFE: i64 = 3600;

#[derive(Serialize, Deserialize)]
struct Entry {
    token: String,
    email: String,
    asked_at: i64,
    issuer: String,
}

/// A link's token, and when it was asked for.
pub(crate) struct KeptLink {
    pub(crate) token: SecretString,
    pub(crate) asked_at: i64,
}

/// The link that an earlier run kept for this user of this issuer.
pub(crate) fn read(config: &Config, email: &str) -> Option<KeptLink> {
    let text = std::fs::read(config.state.as_ref()?.join(FILE)).ok()?;
    let entry: Entry = serde_json::from_slice(&text).ok()?;
    (entry.issuer == config.issuer && entry.email == email)
        .then(|| KeptLink { token: entry.token.into(), asked_at: entry.asked_at })
}

/// Keeps one for a later run, in place of what was kept.
pub(crate) fn write(config: &Config, email: &str, token: &SecretString, now: i64) -> Result<(), String> {
    let Some(folder) = &config.state else { return Ok(()) };
    let entry = Entry {
        token: token.expose_secret().to_owned(),
        email: email.to_owned(),
        asked_at: now,
        issuer: config.issuer.clone(),
    };
    let text = serde_json::to_vec(&entry).map_err(|error| error.to_string())?;
    kept::store(folder, FILE, &text)
        .map_err(|error| format!("{} cannot be kept: {error}", folder.join(FILE).display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_kept_for_one_user_of_one_issuer() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::new("http://t", "http://i/", "a", std::sync::Arc::new(|| 0));
        write(&config, "a@example.com", &"t".into(), 5).unwrap();
        assert!(read(&config, "a@example.com").is_none(), "there is no state");
        config.state = Some(folder.path().join("state"));
        write(&config, "a@example.com", &"t".into(), 5).unwrap();
        let kept = read(&config, "a@example.com").unwrap();
        assert_eq!((kept.token.expose_secret(), kept.asked_at), ("t", 5));
        assert!(read(&config, "b@example.com").is_none());
        config.issuer = "http://other/".into();
        assert!(read(&config, "a@example.com").is_none());
    }
}
