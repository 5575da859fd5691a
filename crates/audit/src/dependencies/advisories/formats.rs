//! What one file of a database says: RustSec's Markdown with a TOML block at its head, or OSV's JSON.

use semver::{Version, VersionReq};
use serde::Deserialize;

use super::super::locks::Registry;
use crate::report::seconds_of;

/// What a file turned out to be.
#[derive(Debug)]
pub(super) enum Read {
    Advisory(Advisory),
    /// A file of another kind.
    Other,
    Unreadable,
}

/// One advisory, of either form.
#[derive(Debug)]
pub(super) struct Advisory {
    pub(super) id: String,
    pub(super) published: Option<i64>,
    pub(super) changed: Option<i64>,
    pub(super) withdrawn: bool,
    pub(super) affected: Vec<Affected>,
}

/// One package that it speaks of.
#[derive(Debug)]
pub(super) struct Affected {
    /// As OSV calls it.
    pub(super) ecosystem: String,
    pub(super) name: String,
    /// `unmaintained` and its like.
    pub(super) note: Option<String>,
    which: Which,
}

#[derive(Debug)]
enum Which {
    /// All but these.
    Except(Vec<VersionReq>),
    /// These, and those in a range.
    Named { versions: Vec<String>, ranges: Vec<Vec<Event>> },
}

#[derive(Debug, Deserialize)]
struct Event {
    introduced: Option<String>,
    fixed: Option<String>,
    last_affected: Option<String>,
}

impl Read {
    /// Reads the text of a file of that name.
    pub(super) fn of(path: &str, text: &str) -> Self {
        if is_rustsec(path) { rustsec(text) } else { osv(text) }
    }
}

/// Whether a file's name is that of an advisory, of either form.
pub(super) fn is_advisory(path: &str) -> bool {
    path.ends_with(".json") || is_rustsec(path)
}

fn is_rustsec(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.starts_with("RUSTSEC-") && name.ends_with(".md")
}

impl Affected {
    /// Whether a version is one of those that are affected. One that cannot be read is.
    pub(super) fn concerns(&self, registry: Registry, version: &str) -> bool {
        match &self.which {
            Which::Except(free) => match Version::parse(version) {
                Ok(version) => !free.iter().any(|free| matches(free, &version)),
                Err(_) => true,
            },
            Which::Named { versions, ranges } => {
                versions.iter().any(|one| {
                    one == version
                        || registry.scheme().compare(one, version) == Some(std::cmp::Ordering::Equal)
                }) || ranges.iter().any(|events| is_within(events, registry, version))
            }
        }
    }
}

/// A requirement. It takes no previews of its own accord; here a preview counts as what came just before its version.
fn matches(free: &VersionReq, version: &Version) -> bool {
    let before = match version {
        version if version.pre.is_empty() => return free.matches(version),
        Version { major, minor, patch: patch @ 1.., .. } => Version::new(*major, *minor, patch - 1),
        Version { major, minor: minor @ 1.., .. } => Version::new(*major, minor - 1, u64::MAX),
        Version { major, .. } => Version::new(major.saturating_sub(1), u64::MAX, u64::MAX),
    };
    free.matches(version) || free.matches(&before)
}

/// OSV's rule: the last event that is not after the version decides. A version that cannot be compared is within.
fn is_within(events: &[Event], registry: Registry, version: &str) -> bool {
    use std::cmp::Ordering::{Greater, Less};
    let scheme = registry.scheme();
    let mut affected = false;
    let mut decided_at: Option<&str> = None;
    let later = |at: &str, than: Option<&str>| {
        than.is_none_or(|than| at != "0" && (than == "0" || scheme.compare(at, than) != Some(Less)))
    };
    for event in events {
        let (at, now_affected) = match event {
            Event { introduced: Some(at), .. } => (at.as_str(), true),
            Event { fixed: Some(at), .. } => (at.as_str(), false),
            Event { last_affected: Some(at), .. } => {
                // It ends after this version, not at it.
                match scheme.compare(version, at) {
                    Some(Greater) => (at.as_str(), false),
                    _ => continue,
                }
            }
            _ => continue,
        };
        let reached = at == "0" || scheme.compare(version, at).is_none_or(|order| order != Less);
        if reached && later(at, decided_at) {
            affected = now_affected;
            decided_at = Some(at);
        }
    }
    affected
}

/// Seconds of a date, with or without a time of day.
pub(super) fn time(text: &str) -> Option<i64> {
    let date = text.get(..10)?;
    let of_day = text.get(11..19).unwrap_or("00:00:00");
    seconds_of(&format!("{date}T{of_day}Z"))
}

fn rustsec(text: &str) -> Read {
    #[derive(Deserialize)]
    struct File {
        advisory: Head,
        #[serde(default)]
        versions: Versions,
    }
    #[derive(Deserialize)]
    struct Head {
        id: String,
        package: String,
        date: String,
        withdrawn: Option<toml::Value>,
        informational: Option<String>,
    }
    #[derive(Default, Deserialize)]
    struct Versions {
        #[serde(default)]
        patched: Vec<String>,
        #[serde(default)]
        unaffected: Vec<String>,
    }
    let block = text.split("```toml").nth(1).and_then(|rest| rest.split("```").next());
    let Some(File { advisory, versions }) = block.and_then(|block| toml::from_str(block).ok()) else {
        return Read::Unreadable;
    };
    let free = versions.patched.iter().chain(&versions.unaffected);
    let Ok(free) = free.map(|free| VersionReq::parse(free)).collect::<Result<Vec<_>, _>>() else {
        return Read::Unreadable;
    };
    let date = time(&advisory.date);
    Read::Advisory(Advisory {
        id: advisory.id,
        published: date,
        changed: date,
        withdrawn: advisory.withdrawn.is_some(),
        affected: vec![Affected {
            ecosystem: Registry::Crates.osv().into(),
            name: advisory.package,
            // Unsound code is wrong code; whether it is a hole depends on who calls it.
            note: advisory.informational,
            which: Which::Except(free),
        }],
    })
}

fn osv(text: &str) -> Read {
    #[derive(Deserialize)]
    struct File {
        id: Option<String>,
        published: Option<String>,
        modified: Option<String>,
        withdrawn: Option<String>,
        affected: Option<Vec<Item>>,
    }
    #[derive(Deserialize)]
    struct Item {
        package: Option<Name>,
        #[serde(default)]
        ranges: Vec<Range>,
        #[serde(default)]
        versions: Vec<String>,
        #[serde(default)]
        database_specific: serde_json::Value,
    }
    #[derive(Deserialize)]
    struct Name {
        ecosystem: String,
        name: String,
    }
    #[derive(Deserialize)]
    struct Range {
        #[serde(rename = "type")]
        kind: String,
        #[serde(default)]
        events: Vec<Event>,
    }
    let file: File = match serde_json::from_str(text) {
        Ok(file) => file,
        Err(_) => return Read::Unreadable,
    };
    let (Some(id), Some(affected)) = (file.id, file.affected) else { return Read::Other };
    let affected = affected.into_iter().filter_map(|item| {
        let Name { ecosystem, name } = item.package?;
        let registry = [
            Registry::Crates,
            Registry::Npm,
            Registry::Pypi,
            Registry::Go,
            Registry::Packagist,
            Registry::RubyGems,
        ]
        .into_iter()
        .find(|registry| registry.osv() == ecosystem);
        let ranges =
            item.ranges.into_iter().filter(|range| range.kind != "GIT").map(|range| range.events).collect();
        Some(Affected {
            name: registry.map_or(name.clone(), |registry| registry.name(&name)),
            ecosystem,
            note: item.database_specific["informational"].as_str().map(str::to_owned),
            which: Which::Named { versions: item.versions, ranges },
        })
    });
    Read::Advisory(Advisory {
        id,
        published: file.published.as_deref().and_then(time),
        changed: file.modified.as_deref().or(file.published.as_deref()).and_then(time),
        withdrawn: file.withdrawn.is_some(),
        affected: affected.collect(),
    })
}
