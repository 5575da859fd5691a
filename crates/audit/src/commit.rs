//! Which commit of the repository was looked at.

use std::path::Path;
use std::process::{Command, Stdio};

/// The commit that is checked out, in hexadecimal, and whether the work tree differs from it; none where the folder is in
/// no repository, or git is not installed.
pub(crate) fn of(folder: &Path) -> Option<(String, bool)> {
    let commit = git(folder, &["rev-parse", "--verify", "HEAD"])?;
    let commit = commit.trim();
    let sound = commit.len() >= 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    let changed =
        git(folder, &["status", "--porcelain", "--untracked-files=no"]).is_some_and(|said| !said.is_empty());
    sound.then(|| (commit.to_owned(), changed))
}

fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    // A repository's own configuration may name programs to run; a status needs none of them.
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["--no-optional-locks", "-c", "core.fsmonitor=false"])
        .args(arguments)
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commit_that_is_checked_out() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(of(folder.path()), None);
        let git = |arguments: &[&str]| {
            let identity =
                ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"];
            let mut run = Command::new("git");
            run.arg("-C").arg(folder.path()).args(identity).args(arguments);
            assert!(run.output().unwrap().status.success(), "{arguments:?}");
        };
        git(&["init", "-q"]);
        std::fs::write(folder.path().join("a"), "1").unwrap();
        git(&["add", "a"]);
        git(&["commit", "-q", "-m", "one"]);
        let (commit, changed) = of(folder.path()).unwrap();
        assert_eq!((commit.len(), changed), (40, false));
        std::fs::write(folder.path().join("a"), "2").unwrap();
        assert_eq!(of(folder.path()), Some((commit, true)));
    }
}
