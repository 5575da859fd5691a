//! The auditor's folder, `[audit] state`: the key that signs, the last report of each environment, and the reports before
//! it. Each names the one before it by its digest, so that none can be taken out, and none put between, unseen.
//!
//! ```text
//! signing-key.pem                             made at first use, mode 0600
//! last-production.json                        the last report, byte for byte
//! reports/20261129T090523Z-production.json    it and those before it, the newest 200 of each environment
//! reports/pruned-production                   how many older ones are gone, and the digest of the last of them
//! ```
//!
//! Runs at the same time wait for each other at a lock, so that a chain never forks.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use secrecy::zeroize::Zeroizing;

use crate::report::{Report, hex_sha256, json};
use crate::signing::{self, KeyError, SigningKey};

/// How many reports of an environment are kept.
pub const KEPT: usize = 200;
const KEY: &str = "signing-key.pem";
const REPORTS: &str = "reports";

/// The folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A file or folder cannot be read or written.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The key's file is none.
    #[error("{path}: {error}")]
    Key {
        /// Which.
        path: PathBuf,
        /// Why.
        error: KeyError,
    },
    /// Others may read the key.
    #[error(
        "{path} may be read by others (mode {mode:04o}): whoever did can sign reports; remove it, and a new key is made"
    )]
    LaxMode {
        /// Which.
        path: PathBuf,
        /// How.
        mode: u32,
    },
}

/// Where a report was kept, and as what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The file in the history.
    pub file: PathBuf,
    /// The exact bytes of the file, signed.
    pub bytes: String,
    /// Why older ones than are meant to be kept are still there.
    pub unpruned: Option<String>,
}

/// `[audit] state`.
#[derive(Clone, Debug)]
pub struct State {
    folder: PathBuf,
}

impl State {
    /// The folder; it is made when something is kept in it.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// What a report is compared with: the last one of its environment that looked at everything that it looked at, for a run of
    /// a few measures says nothing of the others; where there is none such, the last one. None: there is none, or it is of
    /// another making.
    #[must_use]
    pub fn last(&self, report: &Report) -> Option<Report> {
        let environment = &report.run.environment;
        let covers = |earlier: &Report| {
            report.measures.iter().all(|measure| earlier.measures.iter().any(|one| one.id == measure.id))
        };
        let tip = Report::parse(&self.tip(environment)?).ok()?;
        if covers(&tip) {
            return Some(tip);
        }
        let read = |file: PathBuf| Report::parse(&std::fs::read(file).ok()?).ok();
        self.files(environment).into_iter().rev().filter_map(read).find(covers).or(Some(tip))
    }

    /// The reports of an environment that are kept, the oldest first.
    #[must_use]
    pub fn history(&self, environment: &str) -> Vec<Report> {
        let files = self.files(environment).into_iter();
        files.filter_map(|file| Report::parse(&std::fs::read(file).ok()?).ok()).collect()
    }

    /// The key that signs here, made now where there is none.
    ///
    /// # Errors
    /// It cannot be read or made, or others may read it.
    pub fn key(&self) -> Result<SigningKey, StateError> {
        let path = self.folder.join(KEY);
        let _lock = self.lock()?;
        if !path.exists() {
            let file = SigningKey::file(&*seed(&path)?);
            write(&path, file.as_bytes())?;
        }
        let mode = at(&path, std::fs::metadata(&path))?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(StateError::LaxMode { path, mode });
        }
        let file = Zeroizing::new(at(&path, std::fs::read(&path))?);
        SigningKey::parse(&file).map_err(|error| StateError::Key { path, error })
    }

    /// Where that key lies, once it was made.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.folder.join(KEY)
    }

    /// Names the report's predecessor in it, signs it, and keeps it.
    ///
    /// # Errors
    /// The folder cannot be written. The report is signed all the same, with the predecessor that was found.
    pub fn keep(&self, report: &mut Report, key: &SigningKey) -> Result<Kept, StateError> {
        let _lock = self.lock()?;
        let environment = in_a_name(&report.run.environment);
        report.run.previous = self.tip(&environment).map(|bytes| hex_sha256(&bytes));
        let bytes = signing::sign(report, key);
        let reports = self.folder.join(REPORTS);
        folder(&reports)?;
        let file = self.free(&report.run.started, &environment);
        // First where it is looked for by its successor's digest: between the two `tip` finds it there.
        write(&file, bytes.as_bytes())?;
        write(&self.last_file(&environment), bytes.as_bytes())?;
        // It is kept by now, whatever becomes of those before it.
        let unpruned = self.prune(&environment).err().map(|error| error.to_string());
        Ok(Kept { file, bytes, unpruned })
    }

    /// The bytes of the last report: of the history's newest file too, where a run died before it was called the last.
    fn tip(&self, environment: &str) -> Option<Vec<u8>> {
        let last = std::fs::read(self.last_file(environment)).ok();
        let newest = self.files(environment).pop().and_then(|file| std::fs::read(file).ok());
        let (Some(last), Some(newest)) = (&last, &newest) else { return last.or(newest) };
        let follows = Report::parse(newest).is_ok_and(|report| report.run.previous == Some(hex_sha256(last)));
        Some(if follows { newest.clone() } else { last.clone() })
    }

    fn last_file(&self, environment: &str) -> PathBuf {
        self.folder.join(format!("last-{}.json", in_a_name(environment)))
    }

    /// A name that no report has yet; names sort by time.
    fn free(&self, started: &str, environment: &str) -> PathBuf {
        let started: String = started.chars().filter(char::is_ascii_alphanumeric).collect();
        let reports = self.folder.join(REPORTS);
        let first = reports.join(format!("{started}-{environment}.json"));
        let more = (1..).map(|number| reports.join(format!("{started}.{number:04}-{environment}.json")));
        std::iter::once(first).chain(more).find(|file| !file.exists()).unwrap_or_default()
    }

    /// The history's files of an environment, the oldest first.
    fn files(&self, environment: &str) -> Vec<PathBuf> {
        let end = format!("-{}.json", in_a_name(environment));
        let entries = std::fs::read_dir(self.folder.join(REPORTS)).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = entries
            .filter(|entry| {
                let name = entry.file_name();
                let stem = name.to_str().and_then(|name| name.strip_suffix(&end));
                stem.is_some_and(|stem| !stem.contains('-'))
            })
            .map(|entry| entry.path())
            .collect();
        files.sort_unstable();
        files
    }

    fn prune(&self, environment: &str) -> Result<(), StateError> {
        let files = self.files(environment);
        let Some(over) = files.len().checked_sub(KEPT).filter(|over| *over > 0) else { return Ok(()) };
        let reports = self.folder.join(REPORTS);
        let mut pruned = Pruned::read(&reports, environment);
        for file in &files[..over] {
            pruned.last = hex_sha256(&at(file, std::fs::read(file))?);
            pruned.count += 1;
            // The digest before the report goes: what is told gone may still be there, never the other way round.
            write(&Pruned::file(&reports, environment), pruned.line().as_bytes())?;
            at(file, std::fs::remove_file(file))?;
        }
        Ok(())
    }

    /// Held until it is dropped.
    fn lock(&self) -> Result<File, StateError> {
        folder(&self.folder)?;
        let path = self.folder.join("lock");
        let options = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = at(&path, options)?;
        at(&path, file.lock())?;
        Ok(file)
    }
}

/// What is no longer kept of a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pruned {
    /// The digest of the last report that is gone.
    pub(crate) last: String,
    /// How many are.
    pub(crate) count: u64,
}

impl Pruned {
    pub(crate) fn read(reports: &Path, environment: &str) -> Self {
        let text = std::fs::read_to_string(Self::file(reports, environment)).unwrap_or_default();
        let (last, count) = text.trim().split_once(' ').unwrap_or_default();
        Self { last: last.to_owned(), count: count.parse().unwrap_or_default() }
    }

    fn file(reports: &Path, environment: &str) -> PathBuf {
        reports.join(format!("pruned-{}", in_a_name(environment)))
    }

    fn line(&self) -> String {
        format!("{} {}\n", self.last, self.count)
    }
}

/// Signs a report that is kept nowhere, or leaves it unsigned where there is no key; the bytes of its file.
#[must_use]
pub fn finish(report: &mut Report, key: Option<&SigningKey>) -> String {
    match key {
        Some(key) => signing::sign(report, key),
        None => json::render(report),
    }
}

/// An environment's name as it may stand in a file's name.
fn in_a_name(environment: &str) -> String {
    environment.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect()
}

#[expect(clippy::disallowed_methods, reason = "the auditor is the edge: its key must not be guessable")]
fn seed(path: &Path) -> Result<Zeroizing<[u8; 32]>, StateError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).map_err(|error| StateError::File {
        path: path.to_owned(),
        error: std::io::Error::other(format!("no randomness: {error}")),
    })?;
    Ok(seed)
}

fn folder(path: &Path) -> Result<(), StateError> {
    at(path, DirBuilder::new().recursive(true).mode(0o700).create(path))
}

/// Written beside and renamed, readable by the owner alone.
fn write(path: &Path, bytes: &[u8]) -> Result<(), StateError> {
    let beside = path.with_extension(format!("new-{}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&beside, path));
    at(path, written)
}

fn at<T>(path: &Path, outcome: std::io::Result<T>) -> Result<T, StateError> {
    outcome.map_err(|error| StateError::File { path: path.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{rfc3339, sample};

    fn report(at: i64) -> Report {
        let mut report = sample::report();
        report.run.started_at = at;
        report.run.started = rfc3339(at);
        report
    }

    fn state() -> (tempfile::TempDir, State) {
        let folder = tempfile::tempdir().unwrap();
        let state = State::at(&folder.path().join("audit"));
        (folder, state)
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn each_report_names_the_one_before_it_in_its_environment() {
        let (_folder, state) = state();
        let key = state.key().unwrap();
        let first = state.keep(&mut report(100), &key).unwrap();
        let mut other = report(150);
        other.run.environment = "production".into();
        state.keep(&mut other, &key).unwrap();
        assert_eq!(other.run.previous, None);
        // In the same second: a name of its own.
        let mut second = report(100);
        let kept = state.keep(&mut second, &key).unwrap();
        assert_eq!(second.run.previous, Some(hex_sha256(first.bytes.as_bytes())));
        assert_ne!(kept.file, first.file);
        assert_eq!(state.last(&report(200)), Some(second));
        assert_eq!(state.history("staging").len(), 2);
        assert_eq!(std::fs::read_to_string(&kept.file).unwrap(), kept.bytes);
        for file in [&kept.file, &state.last_file("staging"), &state.folder.join(KEY)] {
            assert_eq!(mode(file), 0o600, "{}", file.display());
        }
        assert_eq!(mode(&state.folder), 0o700);
    }

    /// Or what got worse in between would be told of nowhere.
    #[test]
    fn a_run_of_a_few_measures_is_not_what_a_whole_one_is_compared_with() {
        let (_folder, state) = state();
        let key = state.key().unwrap();
        let mut whole = report(100);
        state.keep(&mut whole, &key).unwrap();
        let mut part = report(150);
        part.measures.truncate(1);
        state.keep(&mut part, &key).unwrap();
        assert_eq!(state.last(&report(200)), Some(whole));
        assert_eq!(state.last(&part.clone()), Some(part));
    }

    #[test]
    fn a_key_is_made_once_and_refused_when_others_may_read_it() {
        let (_folder, state) = state();
        let made = state.key().unwrap();
        assert_eq!(state.key().unwrap().public(), made.public());
        let path = state.folder.join(KEY);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(state.key(), Err(StateError::LaxMode { mode: 0o640, .. })));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "no key").unwrap();
        assert!(matches!(state.key(), Err(StateError::Key { .. })));
    }

    #[test]
    fn runs_at_the_same_time_make_one_chain() {
        let (_folder, state) = state();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let key = state.key().unwrap();
                    for _ in 0..4 {
                        state.keep(&mut report(100), &key).unwrap();
                    }
                });
            }
        });
        let mut before: Vec<_> =
            state.history("staging").into_iter().map(|report| report.run.previous).collect();
        before.sort_unstable();
        before.dedup();
        assert_eq!(before.len(), 32, "each has a predecessor of its own");
    }

    #[test]
    fn a_run_that_died_between_its_two_files_is_still_the_predecessor() {
        let (_folder, state) = state();
        let key = state.key().unwrap();
        state.keep(&mut report(100), &key).unwrap();
        let before = std::fs::read(state.last_file("staging")).unwrap();
        let died = state.keep(&mut report(200), &key).unwrap();
        std::fs::write(state.last_file("staging"), before).unwrap();
        let mut next = report(300);
        state.keep(&mut next, &key).unwrap();
        assert_eq!(next.run.previous, Some(hex_sha256(died.bytes.as_bytes())));
    }

    #[test]
    fn the_oldest_go_and_their_digest_stays() {
        let (_folder, state) = state();
        let key = state.key().unwrap();
        let first = state.keep(&mut report(0), &key).unwrap();
        let reports = state.folder.join(REPORTS);
        for at in 1..KEPT {
            std::fs::write(reports.join(format!("20000101T{at:06}Z-staging.json")), "{}").unwrap();
        }
        state.keep(&mut report(1_800_000_000), &key).unwrap();
        let pruned = Pruned::read(&reports, "staging");
        assert_eq!(pruned, Pruned { last: hex_sha256(first.bytes.as_bytes()), count: 1 });
        assert_eq!(state.files("staging").len(), KEPT);
        assert!(!first.file.exists());
    }

    #[test]
    fn a_report_is_kept_though_the_oldest_cannot_go() {
        let (_folder, state) = state();
        let key = state.key().unwrap();
        let first = state.keep(&mut report(0), &key).unwrap();
        assert_eq!(first.unpruned, None);
        let reports = state.folder.join(REPORTS);
        for at in 1..KEPT {
            std::fs::write(reports.join(format!("20000101T{at:06}Z-staging.json")), "{}").unwrap();
        }
        // No file of that name can be written.
        std::fs::create_dir(Pruned::file(&reports, "staging")).unwrap();
        let mut last = report(1_800_000_000);
        let kept = state.keep(&mut last, &key).unwrap();
        assert!(kept.unpruned.is_some_and(|why| why.contains("pruned-staging")));
        assert_eq!(std::fs::read_to_string(&kept.file).unwrap(), kept.bytes);
        assert_eq!(state.last(&report(0)), Some(last));
        assert!(first.file.exists());
    }

    #[test]
    fn a_name_of_an_environment_is_no_path() {
        assert_eq!(in_a_name("../../etc"), "etc");
    }
}
