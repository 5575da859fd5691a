//! How git is asked about a repository that may be somebody else's: it runs nothing that the repository names, writes nothing,
//! asks nobody, and looks at no other repository than the one that is meant. Only a fetch, into a repository of our own, asks
//! somebody: by one protocol, without a person.

use std::path::Path;
use std::process::{Command, Stdio};

/// Set by a hook, these lead to the repository that is being committed to.
const LEAD_ELSEWHERE: [&str; 6] =
    ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_PREFIX"];

/// A git command in this folder, to which its arguments are added.
pub(crate) fn command(folder: &Path) -> Command {
    let mut command = of_hook(folder);
    for name in LEAD_ELSEWHERE {
        command.env_remove(name);
    }
    command
}

/// The same from within a hook, which is told by its environment where the commit is made.
pub(crate) fn of_hook(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder);
    command.args(["--no-pager", "--no-optional-locks"]);
    // A configuration may name programs: what it names is not run for us.
    for setting in [
        "core.fsmonitor=false",
        "core.hooksPath=/dev/null",
        "log.showSignature=false",
        "core.quotePath=false",
    ] {
        command.args(["-c", setting]);
    }
    // A clone that left objects with its server would start what the configuration names to fetch them.
    command.env("GIT_NO_LAZY_FETCH", "1").env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
    command.stdin(Stdio::null());
    command
}

/// The same for a fetch: `protocol` (`https`, `file`) is the only one that git speaks, after a redirection as well. Whoever
/// wants a user and a password is refused without anybody being asked, and a server that falls silent is let go.
pub(crate) fn fetching(folder: &Path, protocol: &str) -> Command {
    let mut command = command(folder);
    for setting in [
        // Bytes a second, and for how many seconds less is borne.
        "http.lowSpeedLimit=1000",
        "http.lowSpeedTime=30",
        "fetch.recurseSubmodules=false",
        // Nobody is asked who we are: an empty one drops those of the user's configuration.
        "credential.helper=",
        "fetch.writeCommitGraph=false",
        // What is tidied up is tidied up before git ends, not behind our back.
        "gc.autoDetach=false",
        "maintenance.autoDetach=false",
    ] {
        command.args(["-c", setting]);
    }
    // An empty one asks nobody; without it git would start what SSH_ASKPASS names.
    command.env("GIT_ALLOW_PROTOCOL", protocol).env("GIT_ASKPASS", "");
    command
}

/// A repository's configuration may name another folder as its work tree (`core.worktree`), and what lies here would go
/// unseen: the top that git tells must be a folder above with a `.git` of its own.
pub(crate) fn own_work_tree(folder: &Path, top: &Path) -> Result<(), String> {
    let real = |path: &Path| path.canonicalize().map_err(|error| format!("{}: {error}", path.display()));
    let (folder, top) = (real(folder)?, real(top)?);
    if folder.starts_with(&top) && top.join(".git").exists() {
        return Ok(());
    }
    Err(format!("its configuration names another work tree, {}", top.display()))
}
