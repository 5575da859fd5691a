//! What `git` says of a repository. Only commands that read; hooks and monitors of its configuration are switched off.

use std::path::{Path, PathBuf};

use super::tree::Tree;
use crate::git::own_work_tree;

/// A repository, as `git` sees it.
#[derive(Clone, Debug)]
pub struct Repository {
    root: PathBuf,
    /// The branch that others see: `origin/HEAD`, else the current one. None: there is no commit yet.
    branch: Option<Branch>,
    shallow: bool,
}

/// The default branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Branch {
    /// What git resolves: `refs/remotes/origin/main`, or `HEAD`.
    pub(crate) reference: String,
    /// `main`; none when HEAD is on no branch.
    pub(crate) name: Option<String>,
}

/// One commit of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) at: i64,
    pub(crate) author: String,
    pub(crate) email: String,
    pub(crate) subject: String,
}

impl Repository {
    /// The repository that a folder belongs to.
    ///
    /// # Errors
    /// What git says: that it is none, that it belongs to somebody else, that there is no git.
    pub fn of(folder: &Path) -> Result<Self, String> {
        let said = git(folder, &["rev-parse", "--show-toplevel"])?;
        let root = PathBuf::from(said.trim_end_matches('\n'));
        own_work_tree(folder, &root)?;
        let shallow = git(&root, &["rev-parse", "--is-shallow-repository"])?.trim() == "true";
        let branch = match git(&root, &["symbolic-ref", "--quiet", "refs/remotes/origin/HEAD"]) {
            Ok(reference) => {
                let reference = reference.trim().to_owned();
                let name = reference.strip_prefix("refs/remotes/origin/").map(str::to_owned);
                Some(Branch { reference, name })
            }
            Err(_) => git(&root, &["rev-parse", "--verify", "--quiet", "HEAD"]).ok().map(|_| Branch {
                reference: "HEAD".into(),
                name: git(&root, &["symbolic-ref", "--quiet", "--short", "HEAD"])
                    .ok()
                    .map(|name| name.trim().to_owned()),
            }),
        };
        Ok(Self { root, branch, shallow })
    }

    /// Its top folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn branch(&self) -> Option<&Branch> {
        self.branch.as_ref()
    }

    pub(crate) fn is_shallow(&self) -> bool {
        self.shallow
    }

    /// Its files: those that git knows, and those that it would take.
    ///
    /// # Errors
    /// What git says.
    pub fn tree(&self) -> Result<Tree, String> {
        let listed = git(&self.root, &["ls-files", "-z", "--cached", "--others", "--exclude-standard"])?;
        let files = listed.split('\0').filter(|path| !path.is_empty()).map(str::to_owned);
        // What was deleted and not committed yet is still listed.
        let files: Vec<String> = files.filter(|path| self.root.join(path).is_file()).collect();
        Ok(Tree::new(self.root.clone(), files))
    }

    /// A file as it stands on the default branch.
    pub(crate) fn on_default_branch(&self, path: &str) -> Option<String> {
        let branch = self.branch.as_ref()?;
        git(&self.root, &["cat-file", "blob", &format!("{}:{path}", branch.reference)]).ok()
    }

    /// The default branch's commits since a time, newest first.
    pub(crate) fn log(&self, since: i64) -> Result<Vec<Commit>, String> {
        let Some(branch) = &self.branch else { return Ok(Vec::new()) };
        let since = format!("--since={since}");
        let said =
            git(&self.root, &["log", &since, "--format=%ct%x1f%an%x1f%ae%x1f%s", &branch.reference, "--"])?;
        Ok(said
            .lines()
            .filter_map(|line| {
                let mut parts = line.splitn(4, '\u{1f}');
                Some(Commit {
                    at: parts.next()?.parse().ok()?,
                    author: parts.next()?.to_owned(),
                    email: parts.next()?.to_owned(),
                    subject: parts.next()?.to_owned(),
                })
            })
            .collect())
    }

    /// When a file came to the default branch.
    pub(crate) fn came(&self, path: &str) -> Option<i64> {
        let branch = self.branch.as_ref()?;
        let said = git(
            &self.root,
            &["log", "--diff-filter=A", "--follow", "--format=%ct", &branch.reference, "--", path],
        );
        said.ok()?.lines().last()?.parse().ok()
    }
}

/// When the last commit of a folder was made, where the folder is the top of a repository of its own.
pub(crate) fn last_commit(folder: &Path) -> Option<i64> {
    let repository = Repository::of(folder).ok()?;
    (repository.root.canonicalize().ok()? == folder.canonicalize().ok()?)
        .then(|| git(folder, &["log", "-1", "--format=%ct", "HEAD"]).ok()?.trim().parse().ok())?
}

fn git(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = crate::git::command(folder)
        .args(arguments)
        .output()
        .map_err(|error| format!("git cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.lines().next().unwrap_or("git refused").to_owned())
}

#[cfg(test)]
pub(crate) mod planted {
    use std::path::Path;
    use std::process::Command;

    /// Runs git in a test's folder, as a person of these tests at a given time.
    pub(crate) fn git(folder: &Path, at: i64, author: (&str, &str), arguments: &[&str]) {
        let date = format!("@{at} +0000");
        let output = Command::new("git")
            .arg("-C")
            .arg(folder)
            .args(["-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main"])
            .args(arguments)
            .envs([("GIT_AUTHOR_NAME", author.0), ("GIT_COMMITTER_NAME", author.0)])
            .envs([("GIT_AUTHOR_EMAIL", author.1), ("GIT_COMMITTER_EMAIL", author.1)])
            .envs([("GIT_AUTHOR_DATE", &date), ("GIT_COMMITTER_DATE", &date)])
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("HOME", folder)
            .env_remove("GIT_DIR")
            .env_remove("GIT_WORK_TREE")
            .env_remove("GIT_INDEX_FILE")
            .output()
            .expect("git runs");
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Commits everything that lies there.
    pub(crate) fn commit(folder: &Path, at: i64, author: (&str, &str), subject: &str) {
        git(folder, at, author, &["add", "-A"]);
        git(folder, at, author, &["commit", "--allow-empty", "-q", "-m", subject]);
    }

    pub(crate) const PERSON: (&str, &str) = ("Ada", "ada@example.com");
}
