//! A secret in a file: whole, or not at all, and for its owner alone.
//!
//! The new content is written beside the old one and takes its name in one step, so a reader sees the one or the other;
//! a disk that is full leaves the old one whole. A lock on the folder keeps two writers apart and goes away with a
//! process that is killed; what such a process leaves behind, the next one removes.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::{DeliveryFault, Place, Reached};
use crate::Credential;

/// More than any credential has.
const LARGEST: u64 = 64 * 1024;
/// How often, and how far apart, a folder is asked for its lock.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// Writes a secret text into a file of mode 0600. It blocks.
///
/// # Errors
/// Words that name the remedy; what stood in the file still does.
pub fn write_secret_file(path: &Path, text: &SecretString) -> Result<(), DeliveryFault> {
    let place = Place::File(path.to_owned());
    replace(path, text.expose_secret().as_bytes())
        .map_err(|(reached, reason)| DeliveryFault::new(&place, reached, reason))
}

pub(super) async fn write(place: &Place, path: &Path, text: SecretString) -> Result<(), DeliveryFault> {
    let path = path.to_owned();
    match tokio::task::spawn_blocking(move || write_secret_file(&path, &text)).await {
        Ok(written) => written,
        Err(_) => Err(DeliveryFault::new(place, Reached::Unknown, "the writing broke off; deliver it again")),
    }
}

pub(super) async fn read(place: &Place, path: &Path) -> Result<Option<Credential>, DeliveryFault> {
    let owned = path.to_owned();
    let read = tokio::task::spawn_blocking(move || content(&owned)).await;
    let text = match read {
        Ok(Ok(Some(text))) => text,
        Ok(Ok(None)) => return Ok(None),
        Ok(Err(reason)) => return Err(DeliveryFault::new(place, Reached::Unknown, reason)),
        Err(_) => return Err(DeliveryFault::new(place, Reached::Unknown, "the reading broke off")),
    };
    Credential::from_json(&text)
        .map(Some)
        .map_err(|error| DeliveryFault::new(place, Reached::Unknown, error.to_string()))
}

fn content(path: &Path) -> Result<Option<Zeroizing<String>>, String> {
    let unreadable =
        |error: std::io::Error| format!("cannot be read: {error}; it should belong to this user");
    if !regular(path)? {
        return Ok(None);
    }
    let mut text = Zeroizing::new(String::new());
    let file = File::open(path).map_err(unreadable)?;
    file.take(LARGEST).read_to_string(&mut text).map_err(unreadable)?;
    Ok(Some(text))
}

/// Whether a file stands there. Anything else is refused: a link would lead the secret to where nobody looks for it.
fn regular(path: &Path) -> Result<bool, String> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => Ok(true),
        Ok(found) if found.is_symlink() => {
            Err("is a symbolic link, which is not followed; name the file itself, or remove the link"
                .to_owned())
        }
        Ok(_) => Err("is no regular file; name another path".to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(format!("cannot be looked at: {error}; its folder should let this user in")),
    }
}

/// A file that goes away unless it took its name.
struct Beside(Option<PathBuf>);

impl Drop for Beside {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn replace(path: &Path, bytes: &[u8]) -> Result<(), (Reached, String)> {
    let before = |reason: String| (Reached::Nothing, reason);
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(before("is no path of a file".to_owned()));
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    if !folder.exists() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| {
            before(format!(
                "its folder is not there and cannot be made: {error}; make {} by hand",
                folder.display()
            ))
        })?;
    }
    let cannot = |error: &std::io::Error| {
        let remedy = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room on that disk",
            ErrorKind::ReadOnlyFilesystem => "mount it writable, or name another path",
            ErrorKind::PermissionDenied => "let this user write in its folder",
            _ => "the old content still stands",
        };
        format!("cannot be written: {error}; {remedy}")
    };
    let handle = File::open(folder).map_err(|error| before(cannot(&error)))?;
    lock(&handle).map_err(before)?;
    let old = regular(path).map_err(before)?.then(|| std::fs::metadata(path)).transpose();
    let old = old.map_err(|error| before(cannot(&error)))?;

    // One name, under the lock: what an earlier process left of it is removed and cannot pile up.
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(".new");
    let temporary = folder.join(temporary);
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(before(cannot(&error))),
        _ => {}
    }
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary);
    let mut file = written.map_err(|error| before(cannot(&error)))?;
    let mut beside = Beside(Some(temporary.clone()));
    file.set_permissions(Permissions::from_mode(0o600)).map_err(|error| before(cannot(&error)))?;
    let own = file.metadata().map_err(|error| before(cannot(&error)))?;
    if let Some(old) = old.filter(|old| (old.uid(), old.gid()) != (own.uid(), own.gid())) {
        // Whoever owns the file reads it; a file of ours would lock the application out.
        std::os::unix::fs::fchown(&file, Some(old.uid()), Some(old.gid())).map_err(|error| {
            before(format!(
                "belongs to user {} and group {}, and a new one cannot be given to them: {error}; run this as that user \
                 or as root, or `chown {} {}`",
                old.uid(),
                old.gid(),
                own.uid(),
                path.display()
            ))
        })?;
    }
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|error| before(cannot(&error)))?;
    std::fs::rename(&temporary, path).map_err(|error| before(cannot(&error)))?;
    beside.0 = None;
    // The name is durable only when the folder is.
    handle
        .sync_all()
        .map_err(|error| (Reached::Unknown, format!("its folder cannot be synced: {error}; deliver again")))
}

fn lock(folder: &File) -> Result<(), String> {
    // No waiting without an end: a writer that wakes up much later would put an old secret over a newer one.
    for _ in 0..TRIES {
        match folder.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            Err(TryLockError::Error(error)) => {
                return Err(format!("its folder cannot be locked: {error}; name a path on a local disk"));
            }
        }
    }
    Err("another process holds its folder locked; look for a second rotation, and deliver again".to_owned())
}
