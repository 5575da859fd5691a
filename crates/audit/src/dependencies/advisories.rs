//! Known vulnerabilities of what is locked, from a database that lies in a folder: RustSec's repository, OSV's JSON files,
//! or both beside each other. How new it is is read from what is in it: a file's time on this disk says when it was copied.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use semver::{Version, VersionReq};
use serde::Deserialize;

use super::locks::{Locks, Package, Registry};
use super::repository;
use crate::evidence::Evidence;
use crate::report::{Claim, rfc3339, seconds_of};

/// The claim's id.
pub(crate) const CLAIM: &str = "no_known_vulnerability_is_older_than_the_window";
/// How old the database may be.
const FRESH: i64 = 7 * 86_400;
/// The most of one advisory that is read.
const MAXIMUM_FILE: u64 = 4 * 1024 * 1024;

/// What the database says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// When it was last changed, as far as it shows.
    pub(crate) as_of: Option<i64>,
    /// Advisories by ecosystem, as OSV calls it.
    pub(crate) held: BTreeMap<String, usize>,
    /// What concerns a locked version.
    pub(crate) findings: Vec<Finding>,
    /// Files that look like advisories and cannot be read.
    pub(crate) unreadable: Vec<String>,
}

/// One advisory on one locked version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) package: Package,
    pub(crate) id: String,
    /// When it was published; none: it does not say.
    pub(crate) published: Option<i64>,
    /// `unmaintained` and its like: worth knowing, and no vulnerability.
    pub(crate) note: Option<String>,
}

/// Looks everything up that is locked. Long work for a large database: not for a thread that others wait on.
pub(crate) fn observe(folder: &Path, locks: &Locks) -> Result<Seen, String> {
    if !folder.is_dir() {
        return Err(format!("{} is no folder", folder.display()));
    }
    let mut wanted: BTreeMap<(&str, &str), Vec<&Package>> = BTreeMap::new();
    for package in &locks.packages {
        wanted.entry((package.registry.osv(), &package.name)).or_default().push(package);
    }
    let mut seen = Seen::default();
    let mut newest: Option<i64> = None;
    for path in advisories(folder) {
        let text = std::fs::metadata(&path)
            .ok()
            .filter(|about| about.len() <= MAXIMUM_FILE)
            .and_then(|_| std::fs::read_to_string(&path).ok());
        let read = match (&text, path.extension().is_some_and(|extension| extension == "md")) {
            (None, _) => Read::Unreadable,
            (Some(text), true) => rustsec(text),
            (Some(text), false) => osv(text),
        };
        let advisory = match read {
            Read::Advisory(advisory) => advisory,
            Read::Other => continue,
            Read::Unreadable => {
                seen.unreadable.push(path.strip_prefix(folder).unwrap_or(&path).display().to_string());
                continue;
            }
        };
        newest = newest.max(advisory.changed);
        let mut ecosystems: Vec<&str> = advisory.affected.iter().map(|one| one.ecosystem.as_str()).collect();
        ecosystems.dedup();
        for ecosystem in ecosystems {
            *seen.held.entry(ecosystem.to_owned()).or_default() += 1;
        }
        if advisory.withdrawn {
            continue;
        }
        for affected in &advisory.affected {
            let packages = wanted.get(&(affected.ecosystem.as_str(), affected.name.as_str()));
            for package in packages.into_iter().flatten() {
                if affected.concerns(package.registry, &package.version) {
                    seen.findings.push(Finding {
                        package: (*package).clone(),
                        id: advisory.id.clone(),
                        published: advisory.published,
                        note: affected.note.clone(),
                    });
                }
            }
        }
    }
    seen.findings.sort();
    seen.findings.dedup();
    seen.as_of = repository::last_commit(folder).or(newest);
    Ok(seen)
}

/// The files of both layouts.
fn advisories(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
            let (Ok(kind), name) = (entry.file_type(), entry.file_name()) else { continue };
            let name = name.to_string_lossy();
            if kind.is_dir() && !name.starts_with('.') {
                folders.push(entry.path());
            } else if kind.is_file()
                && (name.ends_with(".json") || (name.starts_with("RUSTSEC-") && name.ends_with(".md")))
            {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    files
}

#[derive(Debug)]
enum Read {
    Advisory(Advisory),
    /// A file of another kind.
    Other,
    Unreadable,
}

#[derive(Debug)]
struct Advisory {
    id: String,
    published: Option<i64>,
    changed: Option<i64>,
    withdrawn: bool,
    affected: Vec<Affected>,
}

#[derive(Debug)]
struct Affected {
    ecosystem: String,
    name: String,
    note: Option<String>,
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

impl Affected {
    fn concerns(&self, registry: Registry, version: &str) -> bool {
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
fn time(text: &str) -> Option<i64> {
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

pub(crate) fn judge(seen: Option<&Result<Seen, String>>, locks: &Locks, window: i64, now: i64) -> Claim {
    let unproven =
        |what: String, remedy: &str| Claim::not_proven(CLAIM, vec![Evidence::repository(what)], remedy);
    let seen = match seen {
        None => {
            let remedy = "give [audit] advisories a copy of the RustSec database, or of OSV's JSON files";
            return unproven("no advisory database is configured".into(), remedy);
        }
        Some(Err(why)) => {
            return unproven(
                format!("the advisory database cannot be read: {why}"),
                "correct [audit] advisories",
            );
        }
        Some(Ok(seen)) => seen,
    };
    let days = |at: i64| (now - at).max(0) / 86_400;
    let (notes, grave): (Vec<&Finding>, Vec<&Finding>) =
        seen.findings.iter().partition(|finding| finding.note.is_some());
    let told = |finding: &Finding| match finding.published {
        Some(at) => format!("{}: {}, known for {} days", finding.package, finding.id, days(at)),
        None => format!("{}: {}", finding.package, finding.id),
    };
    let notes = notes.into_iter().map(|finding| {
        Evidence::repository(format!(
            "{}: {} ({})",
            finding.package,
            finding.id,
            finding.note.as_deref().unwrap_or_default()
        ))
    });
    let (overdue, young): (Vec<&Finding>, Vec<&Finding>) =
        grave.into_iter().partition(|finding| finding.published.is_none_or(|at| now - at > window));
    // What was found is true however old the database is.
    if !overdue.is_empty() {
        let mut evidence: Vec<Evidence> =
            overdue.into_iter().map(|finding| Evidence::repository(told(finding))).collect();
        evidence.extend(young.into_iter().map(|finding| Evidence::repository(told(finding))));
        evidence.extend(notes);
        return Claim::fail(CLAIM, evidence, "update to a version that the advisory calls patched");
    }
    let held: usize = seen.held.values().sum();
    let Some(as_of) = seen.as_of.filter(|_| held > 0) else {
        return unproven("the advisory database has no advisory in it".into(), "fetch it again");
    };
    let age = format!("{held} advisories, as of {}", rfc3339(as_of));
    if as_of > now + 86_400 {
        return unproven(format!("{age}: that has not come yet"), "fetch the database again");
    }
    if now - as_of > FRESH {
        return unproven(
            format!("{age}: {} days old", days(as_of)),
            "fetch the database again: it may be 7 days old",
        );
    }
    if let Some(first) = seen.unreadable.first() {
        return unproven(
            format!("{age}; {} files cannot be read, {first} one of them", seen.unreadable.len()),
            "fetch it again",
        );
    }
    if locks.packages.is_empty() {
        // Nothing to look up is not the same as nothing found.
        return unproven(format!("{age}; no locked package was found to look up"), "commit the lockfiles");
    }
    if let Some(first) = locks.unread.first() {
        return unproven(
            format!("{age}; {first}"),
            "lock them in a file that is read here, or look them up by another tool",
        );
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for package in &locks.packages {
        *counts.entry(package.registry.osv()).or_default() += 1;
    }
    if let Some(missing) = counts.keys().find(|ecosystem| !seen.held.contains_key(**ecosystem)) {
        return unproven(
            format!(
                "{age}; none of them is about {missing}, of which {} packages are locked",
                counts[missing]
            ),
            "add OSV's files of that ecosystem to the folder",
        );
    }
    let counted: Vec<String> =
        counts.iter().map(|(ecosystem, count)| format!("{ecosystem} {count}")).collect();
    let mut evidence = vec![Evidence::repository(format!(
        "{age}, against {} locked packages ({})",
        locks.packages.len(),
        counted.join(", ")
    ))];
    evidence.extend(
        young
            .into_iter()
            .map(|finding| Evidence::repository(format!("{}; still within the window", told(finding)))),
    );
    evidence.extend(notes);
    Claim::pass(CLAIM, evidence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;

    const DAY: i64 = 86_400;

    fn now() -> i64 {
        time("2026-11-29").unwrap()
    }

    fn locks(packages: &[(Registry, &str, &str)]) -> Locks {
        let packages =
            packages.iter().map(|(registry, name, version)| Package::new(*registry, name, version));
        Locks { packages: packages.collect(), ..Locks::default() }
    }

    fn rust(id: &str, date: &str, head: &str, versions: &str) -> (String, String) {
        let text = format!(
            "```toml\n[advisory]\nid = \"{id}\"\npackage = \"planted\"\ndate = \"{date}\"\n{head}\n[versions]\n{versions}\n```\n# T\n"
        );
        (format!("crates/planted/{id}.md"), text)
    }

    fn look(files: &[(String, String)], locks: &Locks) -> Claim {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        judge(Some(&observe(folder.path(), locks)), locks, 30 * DAY, now())
    }

    #[test]
    fn rustsec_advisories() {
        let fresh = rust("RUSTSEC-0", "2026-11-27", "", "patched = [\">= 0.0.1\"]");
        let old = "2026-01-01";
        for (advisory, version, wanted, said) in [
            (
                rust("RUSTSEC-1", old, "", "patched = [\">= 1.2.0\"]"),
                "1.1.0",
                Verdict::Fail,
                "planted 1.1.0: RUSTSEC-1, known for 332 days",
            ),
            (
                rust("RUSTSEC-1", old, "", "patched = [\">= 1.2.0\"]"),
                "1.2.0",
                Verdict::Pass,
                "2 advisories, as of 2026-11-27",
            ),
            (
                rust("RUSTSEC-1", old, "", "patched = [\">= 1.2.0\"]"),
                "1.2.1-rc.1",
                Verdict::Pass,
                "2 advisories",
            ),
            (
                rust("RUSTSEC-1", old, "", "patched = [\">= 1.2.0\"]"),
                "1.2.0-rc.1",
                Verdict::Fail,
                "RUSTSEC-1",
            ),
            (
                rust("RUSTSEC-1", old, "", "patched = []\nunaffected = [\"< 1.0.0\"]"),
                "0.9.0",
                Verdict::Pass,
                "2 advisories",
            ),
            (
                rust("RUSTSEC-1", old, "withdrawn = \"2026-02-01\"", "patched = []"),
                "1.1.0",
                Verdict::Pass,
                "2 advisories",
            ),
            // Nobody's hole: a note.
            (
                rust("RUSTSEC-1", old, "informational = \"unmaintained\"", "patched = []"),
                "1.1.0",
                Verdict::Pass,
                "RUSTSEC-1 (unmaintained)",
            ),
            // Known, and not for longer than the window.
            (
                rust("RUSTSEC-1", "2026-11-20", "", "patched = []"),
                "1.1.0",
                Verdict::Pass,
                "still within the window",
            ),
            (
                ("crates/planted/RUSTSEC-1.md".into(), "no block".into()),
                "1.1.0",
                Verdict::NotProven,
                "cannot be read",
            ),
        ] {
            let claim = look(&[fresh.clone(), advisory], &locks(&[(Registry::Crates, "planted", version)]));
            assert_eq!(claim.verdict, wanted, "{version} {said}: {claim:?}");
            assert!(claim.evidence.iter().any(|one| one.what.contains(said)), "{said}: {claim:?}");
        }
    }

    #[test]
    fn osv_advisories() {
        let advisory = |ecosystem: &str, name: &str, ranges: &str, more: &str| {
            let text = format!(
                r#"{{"id": "GHSA-1", "published": "2026-01-01T10:00:00.5Z", "modified": "2026-11-28T00:00:00Z"{more}, "affected": [{{"package": {{"ecosystem": "{ecosystem}", "name": "{name}"}}, {ranges}}}]}}"#
            );
            ("osv/GHSA-1.json".to_owned(), text)
        };
        let fixed = r#""ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.2.0"}, {"introduced": "2.0.0"}, {"fixed": "2.1.0"}]}]"#;
        let last = r#""ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "1.0"}, {"last_affected": "1.4.post1"}]}]"#;
        use Registry::{Npm, Pypi};
        for (file, package, wanted) in [
            (advisory("npm", "x", fixed, ""), (Npm, "x", "1.1.9"), Verdict::Fail),
            (advisory("npm", "x", fixed, ""), (Npm, "x", "1.2.0"), Verdict::Pass),
            (advisory("npm", "x", fixed, ""), (Npm, "x", "2.0.5"), Verdict::Fail),
            (advisory("npm", "x", fixed, ""), (Npm, "x", "2.1.0"), Verdict::Pass),
            (advisory("npm", "x", fixed, ""), (Npm, "y", "1.0.0"), Verdict::Pass),
            (
                advisory("npm", "x", fixed, r#", "withdrawn": "2026-02-01T00:00:00Z""#),
                (Npm, "x", "1.1.9"),
                Verdict::Pass,
            ),
            (advisory("npm", "x", r#""versions": ["1.0.0"]"#, ""), (Npm, "x", "1.0.0"), Verdict::Fail),
            (advisory("PyPI", "My_Package", last, ""), (Pypi, "my-package", "1.4"), Verdict::Fail),
            (advisory("PyPI", "My_Package", last, ""), (Pypi, "my-package", "1.4.post1"), Verdict::Fail),
            (advisory("PyPI", "My_Package", last, ""), (Pypi, "my-package", "1.5"), Verdict::Pass),
            (advisory("PyPI", "My_Package", last, ""), (Pypi, "my-package", "0.9"), Verdict::Pass),
            // A database of one ecosystem says nothing of another.
            (advisory("PyPI", "other", last, ""), (Npm, "x", "1.0.0"), Verdict::NotProven),
            (("osv/GHSA-1.json".into(), "{".into()), (Npm, "x", "1.0.0"), Verdict::NotProven),
            // Some other JSON: then there is no advisory at all.
            (
                ("osv/package.json".into(), "{\"name\": \"x\"}".into()),
                (Npm, "x", "1.0.0"),
                Verdict::NotProven,
            ),
        ] {
            let claim = look(std::slice::from_ref(&file), &locks(&[package]));
            assert_eq!(claim.verdict, wanted, "{file:?} {package:?}: {claim:?}");
        }
    }

    #[test]
    fn what_could_not_be_looked_up_is_not_proven() {
        let fresh = rust("RUSTSEC-0", "2026-11-27", "", "patched = [\">= 0.0.1\"]");
        let one = locks(&[(Registry::Crates, "planted", "1.0.0")]);
        for (files, locks, said) in [
            (
                vec![rust("RUSTSEC-0", "2026-11-01", "", "patched = [\">= 0.0.1\"]")],
                one.clone(),
                "28 days old",
            ),
            (
                vec![rust("RUSTSEC-0", "2027-11-01", "", "patched = [\">= 0.0.1\"]")],
                one.clone(),
                "has not come yet",
            ),
            (vec![], one.clone(), "no advisory in it"),
            (vec![fresh.clone()], locks(&[]), "no locked package"),
            (vec![fresh], Locks { unread: vec!["pom.xml: not read".into()], ..one.clone() }, "pom.xml"),
        ] {
            let claim = look(&files, &locks);
            assert_eq!(claim.verdict, Verdict::NotProven, "{said}: {claim:?}");
            assert!(claim.evidence[0].what.contains(said), "{said}: {claim:?}");
        }
        assert_eq!(judge(None, &one, 0, now()).verdict, Verdict::NotProven);
        assert_eq!(judge(Some(&Err("gone".into())), &one, 0, now()).verdict, Verdict::NotProven);
        let absent = observe(Path::new("/nonexistent"), &one);
        assert!(absent.is_err());
    }

    #[test]
    fn a_database_with_a_log_is_as_old_as_its_last_commit() {
        use crate::dependencies::repository::planted::{PERSON, commit, git};
        let folder = tempfile::tempdir().unwrap();
        git(folder.path(), 0, PERSON, &["init", "-q"]);
        let (path, text) = rust("RUSTSEC-0", "2026-01-01", "", "patched = [\">= 0.0.1\"]");
        std::fs::create_dir_all(folder.path().join("crates/planted")).unwrap();
        std::fs::write(folder.path().join(path), text).unwrap();
        commit(folder.path(), now() - DAY, PERSON, "advisories");
        let locks = locks(&[(Registry::Crates, "planted", "1.0.0")]);
        assert_eq!(observe(folder.path(), &locks).unwrap().as_of, Some(now() - DAY));
    }
}
