//! The copy of a database that was fetched, as git keeps it: objects, which are read without being checked out.

use std::path::{Path, PathBuf};

use super::formats::is_advisory;
use super::{MAXIMUM_FILE, Origin};
use crate::scan::git::{Part, Repository};
use crate::terminal::one_line;

/// What was fetched: the branch that the server calls its own.
pub(super) const NEWEST: &str = "refs/advisories/newest";
/// The most of git's reason that is repeated, in letters.
pub(super) const REASON: usize = 300;

/// A copy that is at hand.
#[derive(Clone, Debug)]
pub(crate) struct Copy {
    pub(super) folder: PathBuf,
    /// Whether this run fetched it.
    pub(crate) origin: Origin,
}

impl Copy {
    /// Every file that has an advisory's name, without its text where it cannot be read; when the last commit was made.
    pub(super) fn each(&self, mut look: impl FnMut(&str, Option<&str>)) -> Result<i64, String> {
        if !is_repository(&self.folder) {
            return Err(format!("{} is no repository any more", self.folder.display()));
        }
        let time = said(&self.folder, &["log", "-1", "--format=%ct", NEWEST])?;
        let listed = said(&self.folder, &["ls-tree", "-r", "-l", "-z", NEWEST])?;
        let (mut ids, mut paths) = (Vec::new(), Vec::new());
        for record in listed.split('\0') {
            // `MODE KIND ID SIZE\tPATH`; a link's mode is 120000.
            let Some((about, path)) = record.split_once('\t') else { continue };
            let about: Vec<&str> = about.split_whitespace().collect();
            let [mode, kind, id, size] = about.as_slice() else { continue };
            // A link or another repository may stand for a whole folder of advisories.
            let elsewhere = *mode == "120000" || *kind == "commit";
            let hidden = path.split('/').any(|folder| folder.starts_with('.'));
            if hidden || !(is_advisory(path) || elsewhere) {
                continue;
            }
            // A link is not followed, and what it stands for not known.
            if !elsewhere && size.parse().is_ok_and(|size: u64| size <= MAXIMUM_FILE) {
                ids.push((*id).to_owned());
                paths.push(path);
            } else {
                look(path, None);
            }
        }
        let repository = Repository::open(&self.folder, false)?
            .ok_or_else(|| format!("{} is no repository any more", self.folder.display()))?;
        let mut bytes = Vec::new();
        repository.read(&ids, |at, part| match part {
            Part::Bytes(more) => bytes.extend_from_slice(more),
            Part::End => {
                look(paths[at], std::str::from_utf8(&bytes).ok());
                bytes.clear();
            }
            Part::Missing => look(paths[at], None),
        })?;
        time.trim().parse().map_err(|_| "git does not say when the last commit was made".to_owned())
    }
}

/// Whether the folder is the top of a repository of its own: git would look for one in the folders above.
pub(super) fn is_repository(folder: &Path) -> bool {
    let top = said(folder, &["rev-parse", "--show-toplevel"]).ok();
    top.is_some_and(|top| {
        Path::new(top.trim_end_matches('\n')).canonicalize().ok() == folder.canonicalize().ok()
    })
}

/// Whether something was fetched into it.
pub(super) fn has_copy(folder: &Path) -> bool {
    said(folder, &["rev-parse", "--verify", "--quiet", &format!("{NEWEST}^{{commit}}")]).is_ok()
}

/// What git says of it.
pub(super) fn said(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = crate::git::command(folder)
        .args(arguments)
        .output()
        .map_err(|error| format!("git cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(reason(&String::from_utf8_lossy(&output.stderr)))
}

/// What git called the reason, on one line; a URL's user and password are never part of what it knows.
pub(super) fn reason(told: &str) -> String {
    let of = |mark: &str| told.lines().find_map(|line| line.strip_prefix(mark));
    let why =
        of("fatal: ").or_else(|| of("error: ")).or_else(|| told.lines().next_back()).unwrap_or_default();
    let why: String = one_line(why.trim()).chars().take(REASON).collect();
    if why.is_empty() { "git refused".into() } else { why }
}
