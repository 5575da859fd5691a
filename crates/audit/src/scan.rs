//! Secrets in a repository: rules with keyword and entropy, and the secrets that the server really holds, over the work
//! tree and every object of the history, reachable or not. `portcullis scan` and G1 are this one engine.
//!
//! ```text
//! tree, history (read) ─> detect (pure: rules, named, shape, live) ─> collect ─> Scanned ─> render
//! ```
//!
//! A secret never leaves: findings carry its fingerprint. What could not be looked at is a gap, said aloud.

mod baseline;
mod collect;
pub(crate) mod detect;
mod fingerprint;
pub(crate) mod git;
mod history;
pub(crate) mod live;
mod named;
mod render;
mod rules;
mod shape;
mod tree;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use baseline::{Baseline, Entry, FILE as BASELINE_FILE};
pub use live::LiveSecret;

use collect::Collector;
use git::Repository;
use live::Live;

/// What is looked at, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// A folder, in a repository or not, or one file.
    pub path: PathBuf,
    /// Only what the next commit brings.
    pub staged: bool,
    /// What somebody let be.
    pub baseline: Baseline,
    /// The secrets that the server holds.
    pub live: Vec<LiveSecret>,
    /// Unix seconds.
    pub now: i64,
    /// A file or an object of more bytes is not looked at, and that is said.
    pub largest: u64,
}

impl Options {
    /// [`Options::largest`] where nobody says anything else: 256 MiB.
    pub const LARGEST: u64 = 256 << 20;

    /// All of what is at a path.
    #[must_use]
    pub fn new(path: &Path, now: i64) -> Self {
        Self {
            path: path.to_owned(),
            staged: false,
            baseline: Baseline::default(),
            live: Vec::new(),
            now,
            largest: Self::LARGEST,
        }
    }
}

/// Told while a scan goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that were looked at.
    pub done: u64,
    /// Bytes that will be, as far as is known.
    pub total: u64,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Scanned {
    /// What nobody let be.
    pub findings: Vec<Finding>,
    /// What a pragma or the baseline lets be.
    pub allowed: Vec<Allowed>,
    /// What could not be looked at.
    pub gaps: Vec<String>,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// Files of the work tree, or of the index.
    pub files: usize,
    /// Objects of the history; none: there is no history here, or it was not asked for.
    pub objects: Option<usize>,
    /// Bytes of both.
    pub bytes: u64,
}

/// One secret, wherever it lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule's id; `live-secret` for one that the server holds.
    pub rule: String,
    /// What it is, for people.
    pub what: String,
    /// None for a live secret: it can be let be by nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Some of the places; the work tree's first.
    pub places: Vec<Place>,
    /// How many more there are.
    pub more: usize,
    /// Whether it lies in the work tree, or the index, and not in the history alone.
    pub in_work_tree: bool,
    /// Why something that should let it be does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What to do.
    pub mend: String,
}

impl Finding {
    /// Whether it is a secret that the server holds.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.rule == collect::LIVE
    }
}

/// Where.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// From the folder that was looked at; none: an object that no commit leads to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// From 1.
    pub line: usize,
    /// The abbreviated id of the object, where it is in the history.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The oldest commit that knows the object, where one is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// A `.gitignore` names the file, and yet it is committed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ignored_but_committed: bool,
}

/// What was let be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Allowed {
    /// The rule's id.
    pub rule: String,
    /// As the baseline has it.
    pub fingerprint: String,
    /// The first place.
    pub place: Place,
    /// `pragma`, or the baseline's owner.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// Nothing can be looked at at all.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ScanError {
    /// No such path.
    #[error("{0} is not there, or cannot be read")]
    Nothing(String),
    /// `--staged` outside of a repository.
    #[error("{0}")]
    Git(String),
}

impl Scanned {
    /// The contract's codes: 1 found, 3 could not look at everything, 0 clean.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match (self.findings.is_empty(), self.gaps.is_empty()) {
            (false, _) => 1,
            (true, false) => 3,
            (true, true) => 0,
        }
    }

    /// For people.
    #[must_use]
    pub fn text(&self, colours: bool) -> String {
        render::text(self, colours)
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> String {
        render::json(self)
    }
}

/// Where the path itself may be a file, the folder to start git in.
fn folder_of(path: &Path) -> PathBuf {
    if path.is_dir() {
        return path.to_owned();
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// Whether a folder holds nothing but its repository.
fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder)
        .is_ok_and(|mut entries| entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == ".git")))
}

/// The top of the work tree that a path is in; none where there is no repository.
#[must_use]
pub fn top_of(path: &Path) -> Option<PathBuf> {
    Repository::open(&folder_of(path), false).ok().flatten().and_then(|repository| repository.top)
}

/// Looks.
///
/// # Errors
/// When there is nothing to look at.
pub fn scan(options: &Options, progress: &(dyn Fn(Progress) + Sync)) -> Result<Scanned, ScanError> {
    scan_below(options, &mut Seen::default(), progress)
}

/// The repositories that one scan goes into: a hostile index may name the same one without end.
#[derive(Default)]
struct Seen {
    folders: HashSet<PathBuf>,
    depth: usize,
}

fn scan_below(
    options: &Options,
    seen: &mut Seen,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Scanned, ScanError> {
    std::fs::symlink_metadata(&options.path)
        .map_err(|_| ScanError::Nothing(options.path.display().to_string()))?;
    let live = Live::new(&options.live);
    let mut collector = Collector::new(live.as_ref());
    if !detect::rules_work() || live.is_none() {
        collector.gap("the rules could not be made ready".into());
    }
    for name in live.iter().flat_map(|live| &live.too_short) {
        collector.gap(format!("{name} is shorter than {} characters and was not looked for", live::SHORTEST));
    }
    let repository = Repository::open(&folder_of(&options.path), options.staged);
    if options.staged {
        let repository = repository
            .and_then(|repository| repository.ok_or_else(|| "there is none".to_owned()))
            .map_err(|why| {
                let path = options.path.display();
                ScanError::Git(format!(
                    "--staged looks at what the next commit brings, and {path} is in no repository that git can read: {why}"
                ))
            })?;
        tree::staged(&repository, options, &mut collector, progress).map_err(ScanError::Git)?;
        return Ok(collector.finish(options, Some(&repository)));
    }
    match repository {
        Ok(Some(repository)) => {
            tree::tracked_and_new(&repository, options, seen, &mut collector, progress);
            history::everything(&repository, options, &mut collector, progress);
            let mut scanned = collector.finish(options, Some(&repository));
            if scanned.files == 0 && scanned.objects.unwrap_or_default() == 0 && !is_empty(&options.path) {
                scanned.gaps.push("nothing of what lies here was looked at: git knows of none of it".into());
            }
            Ok(scanned)
        }
        Ok(None) => {
            collector.note("no repository here: files alone were looked at, and no history".into());
            tree::plain(options, &mut collector, progress);
            Ok(collector.finish(options, None))
        }
        Err(why) => {
            collector.gap(format!("the history was not looked at: {why}"));
            tree::plain(options, &mut collector, progress);
            Ok(collector.finish(options, None))
        }
    }
}

/// Looks at one text that is in memory.
pub(crate) struct InText {
    /// What it is, for people.
    pub(crate) what: String,
    /// From 1.
    pub(crate) line: usize,
    /// None for a live secret.
    pub(crate) fingerprint: Option<String>,
}

/// Every secret of a text that no pragma can excuse: what is served to strangers, what is configured.
pub(crate) fn in_text(text: &[u8], live: &Live, baseline: &Baseline, now: i64) -> Vec<InText> {
    detect::find(text, Some(live))
        .into_iter()
        .map(|hit| InText {
            fingerprint: hit.rule.map(|_| fingerprint::of(&hit.secret)),
            what: hit.what,
            line: hit.line,
        })
        .filter(|found| {
            let said = found.fingerprint.as_ref().map(|fingerprint| baseline.says(fingerprint, now));
            !matches!(said, Some(baseline::Said::Let(_)))
        })
        .collect()
}

#[cfg(test)]
mod tests;
