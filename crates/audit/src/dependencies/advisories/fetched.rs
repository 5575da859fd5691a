//! A database that is fetched: shallowly, into `[audit] state`, and from then on what changed. Nothing of it is checked out: a
//! stranger's files are read as git's objects, so no filter, link or attribute of theirs means anything here.
//!
//! ```text
//! STATE/advisories/0f1e2d3c4b5a6978/.git     the copy; named by the URL's digest
//! STATE/advisories/0f1e2d3c4b5a6978.lock     held while it is fetched
//! ```

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::ExposeSecret as _;
use tokio::io::AsyncReadExt as _;

use super::copy::{Copy, NEWEST, has_copy, is_repository, reason, said};
use super::{Origin, Remote};
use crate::report::hex_sha256;
use crate::terminal::one_line;

/// A fetch that takes longer is given up. A whole database takes a while, the first time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);
/// Where git finds user and password.
const VARIABLE: &str = "PORTCULLIS_ADVISORIES_AUTHORIZATION";

/// Fetches a database into the state's folder, or finds what an earlier run fetched. `tell` hears how far it is.
///
/// # Errors
/// It cannot be fetched, and no earlier run did.
pub(crate) async fn bring(
    remote: &Remote,
    state: Option<&Path>,
    patience: Duration,
    tell: impl Fn(String),
) -> Result<Copy, String> {
    let url = remote.shown().to_owned();
    let state =
        state.ok_or_else(|| format!("{url} is fetched into [audit] state, which is not configured"))?;
    let folder = state.join("advisories").join(&hex_sha256(url.as_bytes())[..16]);
    let prepared = folder.clone();
    // Another audit's fetch may be waited for.
    let prepared = tokio::task::spawn_blocking(move || prepare(&prepared)).await;
    let _lock = prepared.map_err(|_| "the copy's folder could not be looked at".to_owned())??;
    let origin = match fetch(remote, &folder, patience, tell).await {
        Ok(()) => Origin::Fetched { url },
        Err(why) if has_copy(&folder) => Origin::Kept { url, why },
        Err(why) => return Err(format!("{url} could not be fetched, and no earlier run kept a copy: {why}")),
    };
    Ok(Copy { folder, origin })
}

/// The folder with a repository in it, and nobody else at it until the lock is dropped.
fn prepare(folder: &Path) -> Result<File, String> {
    let at = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| at(folder, error))?;
    let path = folder.with_extension("lock");
    let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let lock = lock.and_then(|file| file.lock().map(|()| file)).map_err(|error| at(&path, error))?;
    if !is_repository(folder) {
        // Git may be missing, or the folder somebody else's: then the copy in it is whole, and not ours to throw away.
        let holds =
            |name: &str| std::fs::metadata(folder.join(".git").join(name)).is_ok_and(|about| about.len() > 0);
        if holds("HEAD") && holds("config") {
            let why = said(folder, &["rev-parse", "--show-toplevel"]).err();
            return Err(why.unwrap_or_else(|| format!("{} is a repository of others", folder.display())));
        }
        // What is no repository (a run died while it was made) would make every later fetch fail.
        std::fs::remove_dir_all(folder).map_err(|error| at(folder, error))?;
        DirBuilder::new().mode(0o700).create(folder).map_err(|error| at(folder, error))?;
        said(folder, &["init", "-q", "--template=", "."])?;
    }
    clear(&folder.join(".git"));
    Ok(lock)
}

/// Removes what a fetch that was killed left: its locks, which would stop every later one, and half of its pack.
fn clear(git: &Path) {
    for (folder, is_left) in [
        (git.to_owned(), (|name| name.ends_with(".lock")) as fn(&str) -> bool),
        (git.join("refs/advisories"), |name| name.ends_with(".lock")),
        (git.join("objects/pack"), |name| name.starts_with("tmp_")),
    ] {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if is_left(&entry.file_name().to_string_lossy()) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

async fn fetch(
    remote: &Remote,
    folder: &Path,
    patience: Duration,
    tell: impl Fn(String),
) -> Result<(), String> {
    let mut command = crate::git::fetching(folder, remote.url.scheme());
    if let Some(authorization) = &remote.authorization {
        // Neither in an argument, which every process of this machine may read, nor in a file. It goes to that host alone:
        // git would carry it along to wherever a redirect leads.
        // Bound to the whole URL, for what the user's own configuration says of its host would count for more.
        let setting = format!("http.{}.followRedirects=false", remote.shown());
        command.args(["-c", "http.followRedirects=false", "-c", &setting]);
        let origin = remote.url.origin().ascii_serialization();
        command.arg(format!("--config-env=http.{origin}/.extraHeader={VARIABLE}"));
        command.env(VARIABLE, authorization.expose_secret());
    }
    command.args(["fetch", "--progress", "--depth=1", "--no-tags", "--no-recurse-submodules"]);
    command.args(["--no-write-fetch-head", "--end-of-options", remote.shown(), &format!("+HEAD:{NEWEST}")]);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut command = tokio::process::Command::from(command);
    let child = command.process_group(0).spawn().map_err(|error| format!("git cannot be run: {error}"))?;
    let mut group = Group(child);
    let ended = tokio::time::timeout(patience, async {
        let told = listen(&mut group, tell).await;
        group.0.wait().await.map(|status| (status.success(), told))
    });
    match ended.await {
        Ok(Ok((true, _))) => Ok(()),
        Ok(Ok((false, told))) => Err(reason(&told)),
        Ok(Err(error)) => Err(format!("git: {error}")),
        Err(_) => Err(format!("it took longer than {} s and was given up", patience.as_secs())),
    }
}

/// Hears what git says until it is silent; the end of it.
async fn listen(group: &mut Group, tell: impl Fn(String)) -> String {
    let Some(mut stderr) = group.0.stderr.take() else { return String::new() };
    let (mut told, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = stderr.read(&mut piece).await {
        told.extend_from_slice(&piece[..read]);
        // The reason stands at the end, and a server may talk without one.
        let over = told.len().saturating_sub(64 << 10);
        told.drain(..over);
        let text = String::from_utf8_lossy(&told);
        if let Some(line) = text.split(['\r', '\n']).rfind(|line| line.contains('%')) {
            tell(one_line(line.trim()).chars().take(80).collect());
        }
    }
    String::from_utf8_lossy(&told).into_owned()
}

/// A git and whatever it started: none of them outlives the time that it was given. A signal that ends us leaves it to its own end.
struct Group(tokio::process::Child);

impl Drop for Group {
    fn drop(&mut self) {
        // None: it has ended, and its number may be somebody else's.
        if let Some(group) = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests;
