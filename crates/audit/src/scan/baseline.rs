//! What somebody looked at and let be, by fingerprint, with a reason, a name and an end.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::report::seconds_of;

/// Where it is looked for when nobody names one.
pub const FILE: &str = "secrets-baseline.json";

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// As a finding prints it.
    pub fingerprint: String,
    /// Why it may stay: that it was revoked, and when.
    pub reason: String,
    /// Who says so.
    pub owner: String,
    /// `2027-05-01`: from that day, 00:00 UTC, it is a finding again.
    pub expires: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: u32,
    findings: Vec<Entry>,
}

/// The file, read.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    entries: BTreeMap<String, (Entry, i64)>,
}

/// What an entry says of a finding today.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said<'a> {
    Nothing,
    Let(&'a Entry),
    Expired(&'a Entry),
}

impl Baseline {
    /// Reads it; an entry without reason, owner or end is an error, and so is one that says the same twice.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let file: File = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        if file.schema != 1 {
            return Err(format!("schema {} is not known: 1 is", file.schema));
        }
        let mut entries = BTreeMap::new();
        for entry in file.findings {
            let end = seconds_of(&format!("{}T00:00:00Z", entry.expires))
                .ok_or_else(|| format!("{}: expires is no date like 2027-05-01", entry.fingerprint))?;
            if entry.reason.trim().is_empty() || entry.owner.trim().is_empty() {
                return Err(format!("{}: a reason and an owner are wanted", entry.fingerprint));
            }
            let fingerprint = entry.fingerprint.clone();
            if entries.insert(fingerprint.clone(), (entry, end)).is_some() {
                return Err(format!("{fingerprint} stands twice"));
            }
        }
        Ok(Self { entries })
    }

    pub(crate) fn says(&self, fingerprint: &str, now: i64) -> Said<'_> {
        match self.entries.get(fingerprint) {
            None => Said::Nothing,
            Some((entry, end)) if now < *end => Said::Let(entry),
            Some((entry, _)) => Said::Expired(entry),
        }
    }

    /// Entries for which nothing was found.
    pub(crate) fn idle<'a>(&'a self, found: &'a [String]) -> impl Iterator<Item = &'a str> {
        self.entries.keys().map(String::as_str).filter(|known| !found.iter().any(|seen| seen == known))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(entry: &str) -> Result<Baseline, String> {
        Baseline::parse(format!("{{\"schema\": 1, \"findings\": [{entry}]}}").as_bytes())
    }

    #[test]
    fn an_entry_holds_until_its_day() {
        let baseline =
            file(r#"{"fingerprint": "ab", "reason": "revoked", "owner": "ada", "expires": "1970-01-02"}"#)
                .unwrap();
        assert!(matches!(baseline.says("ab", 86_399), Said::Let(entry) if entry.owner == "ada"));
        assert!(matches!(baseline.says("ab", 86_400), Said::Expired(_)));
        assert_eq!(baseline.says("cd", 0), Said::Nothing);
        assert_eq!(baseline.idle(&[]).collect::<Vec<_>>(), ["ab"]);
    }

    #[test]
    fn an_entry_without_reason_owner_or_end_is_refused() {
        for bad in [
            r#"{"fingerprint": "ab", "reason": " ", "owner": "ada", "expires": "2027-05-01"}"#,
            r#"{"fingerprint": "ab", "reason": "revoked", "owner": "", "expires": "2027-05-01"}"#,
            r#"{"fingerprint": "ab", "reason": "revoked", "owner": "ada", "expires": "never"}"#,
            r#"{"fingerprint": "ab", "reason": "revoked", "owner": "ada"}"#,
            r#"{"fingerprint": "ab", "reason": "revoked", "owner": "ada", "expires": "2027-05-01", "path": "x"}"#,
        ] {
            assert!(file(bad).is_err(), "{bad}");
        }
        assert!(Baseline::parse(br#"{"schema": 2, "findings": []}"#).is_err());
    }
}
