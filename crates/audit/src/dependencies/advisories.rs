//! Known vulnerabilities of what is locked, from a database: RustSec's repository, GitHub's, OSV's JSON files, or several
//! beside each other. It lies in a folder, or is fetched by its URL. How new it is is read from what is in it: a file's time
//! on this disk says when it was copied.
//!
//! ```text
//! source ─┬─ folder ──────────────┬─> formats ─> observe ─> judged
//!         └─ fetched (git, kept) ─┘
//! ```

mod copy;
mod fetched;
mod formats;
mod judged;
mod source;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::locks::{Locks, Package, Registry};
use super::repository;
use formats::Read;

pub(crate) use copy::Copy;
pub(crate) use fetched::{PATIENCE, bring};
pub(crate) use judged::judge;
pub use source::{Advisories, Remote};

/// The claim's id.
pub(crate) const CLAIM: &str = "no_known_vulnerability_is_older_than_the_window";
/// The most of one advisory that is read.
const MAXIMUM_FILE: u64 = 4 * 1024 * 1024;

/// Where it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Origin {
    /// In a folder that somebody put there.
    #[default]
    Folder,
    /// Fetched in this run.
    Fetched {
        /// From there.
        url: String,
    },
    /// It could not be fetched in this run; an earlier run did.
    Kept {
        /// From there.
        url: String,
        /// Why not now.
        why: String,
    },
}

/// What the database says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Where it was read.
    pub(crate) origin: Origin,
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

/// A database at hand: nobody else is asked any more.
#[derive(Clone, Debug)]
pub(crate) enum Database {
    Folder(PathBuf),
    Copy(Copy),
}

/// What an advisory says of a crate in a version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Known {
    /// The crate and its version.
    pub package: String,
    /// The advisory's id.
    pub id: String,
    /// `unmaintained` and its like: worth knowing, and no vulnerability.
    pub note: Option<String>,
}

/// What the database in a folder says of these crates, each with its version.
///
/// # Errors
/// There is no such folder, no advisory in it, or one that cannot be read.
pub fn known<'a>(
    folder: &Path,
    crates: impl IntoIterator<Item = (&'a str, String)>,
) -> Result<Vec<Known>, String> {
    let packages = crates.into_iter().map(|(name, version)| Package::new(Registry::Crates, name, &version));
    let locks = Locks { packages: packages.collect(), ..Locks::default() };
    let seen = observe(&Database::Folder(folder.to_owned()), &locks)?;
    if let Some(first) = seen.unreadable.first() {
        return Err(format!(
            "{}: {} files cannot be read, {first} one of them",
            folder.display(),
            seen.unreadable.len()
        ));
    }
    if seen.held.is_empty() {
        return Err(format!("{} has no advisory in it", folder.display()));
    }
    let known = seen.findings.into_iter().map(|finding| Known {
        package: finding.package.to_string(),
        id: finding.id,
        note: finding.note,
    });
    Ok(known.collect())
}

/// Looks everything up that is locked. Long work for a large database: not for a thread that others wait on.
pub(crate) fn observe(database: &Database, locks: &Locks) -> Result<Seen, String> {
    let mut search = Search::of(locks);
    match database {
        Database::Folder(folder) => {
            if !folder.is_dir() {
                return Err(format!("{} is no folder", folder.display()));
            }
            let (files, closed) = files(folder);
            for path in closed {
                search.seen.unreadable.push(path.to_string_lossy().into_owned());
            }
            for path in files {
                let text = std::fs::metadata(&path)
                    .ok()
                    .filter(|about| about.len() <= MAXIMUM_FILE)
                    .and_then(|_| std::fs::read_to_string(&path).ok());
                search.look(&path.strip_prefix(folder).unwrap_or(&path).to_string_lossy(), text.as_deref());
            }
            let newest = search.newest;
            Ok(search.seen(Origin::Folder, repository::last_commit(folder).or(newest)))
        }
        Database::Copy(copy) => {
            let as_of = copy.each(|path, text| search.look(path, text))?;
            Ok(search.seen(copy.origin.clone(), Some(as_of)))
        }
    }
}

/// Goes through a database file by file.
struct Search<'a> {
    wanted: BTreeMap<(&'static str, &'a str), Vec<&'a Package>>,
    seen: Seen,
    newest: Option<i64>,
}

impl<'a> Search<'a> {
    fn of(locks: &'a Locks) -> Self {
        let mut wanted: BTreeMap<(&str, &str), Vec<&Package>> = BTreeMap::new();
        for package in &locks.packages {
            wanted.entry((package.registry.osv(), &package.name)).or_default().push(package);
        }
        Self { wanted, seen: Seen::default(), newest: None }
    }

    /// One file; without its text where it cannot be read.
    fn look(&mut self, path: &str, text: Option<&str>) {
        let advisory = match text.map_or(Read::Unreadable, |text| Read::of(path, text)) {
            Read::Advisory(advisory) => advisory,
            Read::Other => return,
            Read::Unreadable => {
                self.seen.unreadable.push(path.to_owned());
                return;
            }
        };
        self.newest = self.newest.max(advisory.changed);
        let mut ecosystems: Vec<&str> = advisory.affected.iter().map(|one| one.ecosystem.as_str()).collect();
        ecosystems.dedup();
        for ecosystem in ecosystems {
            *self.seen.held.entry(ecosystem.to_owned()).or_default() += 1;
        }
        if advisory.withdrawn {
            return;
        }
        for affected in &advisory.affected {
            let packages = self.wanted.get(&(affected.ecosystem.as_str(), affected.name.as_str()));
            for package in packages.into_iter().flatten() {
                if affected.concerns(package.registry, &package.version) {
                    self.seen.findings.push(Finding {
                        package: (*package).clone(),
                        id: advisory.id.clone(),
                        published: advisory.published,
                        note: affected.note.clone(),
                    });
                }
            }
        }
    }

    fn seen(self, origin: Origin, as_of: Option<i64>) -> Seen {
        let mut seen = self.seen;
        seen.findings.sort();
        seen.findings.dedup();
        Seen { origin, as_of, ..seen }
    }
}

/// The files of both layouts; and what may hold more, but could not be looked into: closed folders, and links, which are not
/// followed.
fn files(folder: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let (mut files, mut closed) = (Vec::new(), Vec::new());
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            closed.push(folder);
            continue;
        };
        for entry in entries {
            let Ok(entry) = entry else {
                closed.push(folder.clone());
                continue;
            };
            let (Ok(kind), name) = (entry.file_type(), entry.file_name()) else {
                closed.push(entry.path());
                continue;
            };
            let name = name.to_string_lossy();
            if name.starts_with('.') {
                continue;
            }
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() && formats::is_advisory(&name) {
                files.push(entry.path());
            } else if kind.is_symlink() && (formats::is_advisory(&name) || entry.path().is_dir()) {
                closed.push(entry.path());
            }
        }
    }
    files.sort();
    (files, closed)
}

#[cfg(test)]
mod tests {
    use super::formats::time;
    use super::*;
    use crate::report::Claim;
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

    fn folder_of(folder: &Path) -> Database {
        Database::Folder(folder.to_owned())
    }

    fn look(files: &[(String, String)], locks: &Locks) -> Claim {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        judge(Some(&observe(&folder_of(folder.path()), locks)), locks, 30 * DAY, now())
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
        let absent = observe(&folder_of(Path::new("/nonexistent")), &one);
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
        assert_eq!(observe(&folder_of(folder.path()), &locks).unwrap().as_of, Some(now() - DAY));
    }
}
