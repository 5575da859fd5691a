//! How far the move off API keys has come: who still uses one, and which can go.

use serde::Serialize;
use store::Store;

use super::KeyView;
use crate::Error;

/// Seconds without use after which a key is called unused: 30 days.
const UNUSED_AFTER: i64 = 30 * 86_400;

/// What can be said of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Used within 30 days: somebody has to move.
    InUse,
    /// Not used for 30 days: it can be revoked.
    Unused,
    /// Made within 30 days and not used yet.
    New,
    /// Past its date.
    Expired,
    /// Ended by hand.
    Revoked,
}

/// A key and its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportLine {
    /// The key.
    #[serde(flatten)]
    pub key: KeyView,
    /// What can be said of it.
    pub state: State,
}

/// The board of the migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Keys that were used within 30 days.
    pub in_use: usize,
    /// Living keys that can be revoked.
    pub unused: usize,
    /// Living keys that stand for no application, so nobody knows whom to ask.
    pub without_application: usize,
    /// Every key, those in use first, the latest use first.
    pub keys: Vec<ReportLine>,
}

/// Makes the report.
///
/// # Errors
/// When the store fails.
pub async fn report(store: &Store, now: i64) -> Result<Report, Error> {
    Ok(of(super::list(store).await?, now))
}

fn of(keys: Vec<KeyView>, now: i64) -> Report {
    let mut keys: Vec<ReportLine> =
        keys.into_iter().map(|key| ReportLine { state: state(&key, now), key }).collect();
    keys.sort_by_key(|line| (line.state as u8, std::cmp::Reverse(line.key.last_used_at)));
    let count = |state: State| keys.iter().filter(|line| line.state == state).count();
    let living = |line: &&ReportLine| !matches!(line.state, State::Expired | State::Revoked);
    Report {
        in_use: count(State::InUse),
        unused: count(State::Unused),
        without_application: keys.iter().filter(living).filter(|line| line.key.client_id.is_none()).count(),
        keys,
    }
}

fn state(key: &KeyView, now: i64) -> State {
    let recent = |at: i64| now.saturating_sub(at) < UNUSED_AFTER;
    if key.revoked_at.is_some() {
        State::Revoked
    } else if key.expires_at.is_some_and(|at| now >= at) {
        State::Expired
    } else {
        match key.last_used_at {
            Some(at) if recent(at) => State::InUse,
            None if recent(key.created_at) => State::New,
            _ => State::Unused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 100 * 86_400;

    fn key(name: &str, created_at: i64, last_used_at: Option<i64>) -> KeyView {
        KeyView {
            id: String::new(),
            name: name.to_owned(),
            scopes: Vec::new(),
            client_id: None,
            created_at,
            expires_at: None,
            revoked_at: None,
            last_used_at,
            uses: 0,
        }
    }

    #[test]
    fn states_and_order() {
        let day = 86_400;
        let report = of(
            vec![
                KeyView { revoked_at: Some(5), ..key("revoked", 0, Some(NOW)) },
                KeyView { expires_at: Some(NOW), ..key("expired", 0, Some(NOW)) },
                key("new", NOW - day, None),
                key("never used", 0, None),
                key("long ago", 0, Some(NOW - 30 * day)),
                key("used", 0, Some(NOW - 29 * day)),
                KeyView { client_id: Some("a".into()), ..key("used today", 0, Some(NOW)) },
            ],
            NOW,
        );
        let states: Vec<(&str, State)> =
            report.keys.iter().map(|line| (line.key.name.as_str(), line.state)).collect();
        assert_eq!(
            states,
            [
                ("used today", State::InUse),
                ("used", State::InUse),
                ("long ago", State::Unused),
                ("never used", State::Unused),
                ("new", State::New),
                ("expired", State::Expired),
                ("revoked", State::Revoked),
            ]
        );
        assert_eq!((report.in_use, report.unused, report.without_application), (2, 2, 4));
    }
}
