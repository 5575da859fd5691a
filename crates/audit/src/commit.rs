//! Which commit of the repository was looked at.

use std::path::Path;
use std::process::Stdio;

/// The commit that is checked out, in hexadecimal, and whether the index differs from it, none where git cannot compare
/// them; nothing where the folder is in no repository, or git is not installed.
///
/// What was changed and not added is not seen: to compare a file of the work tree, git runs the filters that the
/// repository's own configuration names.
pub(crate) fn of(folder: &Path) -> Option<(String, Option<bool>)> {
    let (_, commit) = git(folder, &["rev-parse", "--verify", "HEAD"]).filter(|(code, _)| *code == 0)?;
    let commit = commit.trim();
    let sound = commit.len() >= 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    let compare =
        ["diff-index", "--cached", "--quiet", "--no-ext-diff", "--ignore-submodules=all", "HEAD", "--"];
    // Anything but 0 and 1 is a failure, and no answer.
    let changed = match git(folder, &compare) {
        Some((0, _)) => Some(false),
        Some((1, _)) => Some(true),
        _ => None,
    };
    sound.then(|| (commit.to_owned(), changed))
}

/// What a reader of the report should know of that.
pub(crate) fn told(changed: Option<bool>) -> Option<String> {
    match changed {
        Some(false) => None,
        Some(true) => Some("what is staged differs from the commit".into()),
        None => Some(
            "whether what is staged differs from the commit is not known: git could not compare them".into(),
        ),
    }
}

/// The exit code, and what it says.
fn git(folder: &Path, arguments: &[&str]) -> Option<(i32, String)> {
    let output = crate::git::command(folder).args(arguments).stderr(Stdio::null()).output().ok()?;
    Some((output.status.code()?, String::from_utf8_lossy(&output.stdout).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dependencies::repository_of_tests as planted;

    #[test]
    fn the_commit_that_is_checked_out() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(of(folder.path()), None);
        let git = |arguments: &[&str]| planted::git(folder.path(), 0, planted::PERSON, arguments);
        git(&["init", "-q"]);
        std::fs::write(folder.path().join("a"), "1").unwrap();
        git(&["add", "a"]);
        git(&["commit", "-q", "-m", "one"]);
        let (commit, changed) = of(folder.path()).unwrap();
        assert_eq!((commit.len(), changed), (40, Some(false)));
        assert_eq!(told(changed), None);
        std::fs::write(folder.path().join("a"), "2").unwrap();
        assert_eq!(of(folder.path()), Some((commit.clone(), Some(false))), "only the index is compared");
        git(&["add", "a"]);
        assert_eq!(of(folder.path()), Some((commit, Some(true))));
    }

    #[test]
    fn what_git_cannot_compare_is_not_called_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let git = |arguments: &[&str]| planted::git(folder.path(), 0, planted::PERSON, arguments);
        git(&["init", "-q"]);
        std::fs::write(folder.path().join("a"), "1").unwrap();
        git(&["add", "a"]);
        git(&["commit", "-q", "-m", "one"]);
        std::fs::write(folder.path().join(".git/index"), "no index").unwrap();
        let (commit, changed) = of(folder.path()).unwrap();
        assert_eq!((commit.len(), changed), (40, None));
        assert!(told(changed).is_some_and(|told| told.contains("not known")));
    }

    #[test]
    fn no_program_that_the_repository_names_is_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let git = |arguments: &[&str]| planted::git(folder.path(), 0, planted::PERSON, arguments);
        git(&["init", "-q"]);
        std::fs::write(path("a"), "1").unwrap();
        std::fs::write(path(".gitattributes"), "* filter=evil diff=evil\n").unwrap();
        git(&["add", "."]);
        git(&["commit", "-q", "-m", "one"]);
        let program = format!("touch {}; cat", path("was-run").display());
        for name in ["filter.evil.clean", "filter.evil.process", "core.fsmonitor", "diff.evil.command"] {
            git(&["config", name, &program]);
        }
        // As long, and another time: git would have to read it.
        std::fs::write(path("a"), "2").unwrap();
        assert!(of(folder.path()).is_some());
        let repository = crate::dependencies::Repository::of(folder.path()).unwrap();
        repository.tree().unwrap();
        repository.log(0).unwrap();
        crate::scan::scan(&crate::scan::Options::new(folder.path(), 0), &|_| {}).unwrap();
        let mut staged = crate::scan::Options::new(folder.path(), 0);
        staged.staged = true;
        crate::scan::scan(&staged, &|_| {}).unwrap();
        assert!(!path("was-run").exists());
    }
}
