//! The key file of a SQLCipher store: one key, or the one in force and the next while the key is being changed.
//!
//! 32 bytes are the key; 64 hexadecimal digits are the same in writing; 64 other bytes are two keys, in force and
//! pending. Which of two it is, the file itself says: exactly one of them decrypts its first page.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use secrecy::{ExposeSecret, SecretSlice};
use zeroize::Zeroizing;

use crate::lock::beside;
use crate::{Fault, fault_point};

/// Bytes of one key.
const KEY: usize = 32;

/// What a key file holds.
#[derive(Clone, Debug)]
pub struct Keys {
    /// The key in force.
    pub current: SecretSlice<u8>,
    /// The next one, while a change is under way or after one that was cut short.
    pub pending: Option<SecretSlice<u8>>,
}

impl Keys {
    /// One key.
    #[must_use]
    pub fn one(key: SecretSlice<u8>) -> Self {
        Self { current: key, pending: None }
    }

    /// Reads the bytes of a key file.
    ///
    /// # Errors
    /// [`Fault::KeyLength`] for what is neither 32 bytes, nor 64, nor 64 hexadecimal digits.
    pub fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        if let Some(key) = digits(bytes.trim_ascii_end()) {
            return Ok(Self::one(key.to_vec().into()));
        }
        match bytes.len() {
            KEY => Ok(Self::one(bytes.to_vec().into())),
            length if length == 2 * KEY => {
                let (current, pending) = bytes.split_at(KEY);
                Ok(Self { current: current.to_vec().into(), pending: Some(pending.to_vec().into()) })
            }
            length => Err(Fault::KeyLength { length }),
        }
    }

    /// The keys in the order in which they are tried: a pending one that fits is the newer truth.
    pub fn candidates(&self) -> impl Iterator<Item = &SecretSlice<u8>> {
        self.pending.iter().chain(std::iter::once(&self.current))
    }
}

/// Reads a key file. Who may read it besides its owner is the caller's question.
///
/// # Errors
/// [`Fault::KeyFile`] when it cannot be read, [`Fault::KeyLength`] when it holds something else.
pub fn read(path: &Path) -> Result<Keys, Fault> {
    let bytes = Zeroizing::new(std::fs::read(path).map_err(|error| fault(path, &error))?);
    Keys::parse(&bytes)
}

/// Replaces a key file as a whole, mode 0600, and returns when it is on disk for good.
///
/// # Errors
/// [`Fault::KeyFile`], [`Fault::Full`]; then the old file is whole.
pub fn write(path: &Path, keys: &Keys) -> Result<(), Fault> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * KEY));
    for key in std::iter::once(&keys.current).chain(&keys.pending) {
        if key.expose_secret().len() != KEY {
            return Err(Fault::KeyLength { length: key.expose_secret().len() });
        }
        bytes.extend_from_slice(key.expose_secret());
    }
    // A name of its own: two processes that open the store after a change that was cut short may both settle it.
    // The file itself and not a link to it: the link's folder may not outlast this machine.
    let real = path.canonicalize();
    let path = real.as_deref().unwrap_or(path);
    let fresh = beside(path, &format!(".new-{}", std::process::id()));
    let written = (|| {
        let _ = std::fs::remove_file(&fresh);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        owned_like(&file, path)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fault_point::rekey("key-written");
        std::fs::rename(&fresh, path)?;
        sync_folder(path)
    })();
    written.map_err(|error| {
        let _ = std::fs::remove_file(&fresh);
        fault(path, &error)
    })
}

/// What root writes in the place of a file belongs to whom that belonged to: the server would be locked out of it.
pub(crate) fn owned_like(file: &File, like: &Path) -> std::io::Result<()> {
    let Ok(like) = like.metadata() else { return Ok(()) };
    let own = file.metadata()?;
    if (own.uid(), own.gid()) == (like.uid(), like.gid()) {
        return Ok(());
    }
    std::os::unix::fs::fchown(file, Some(like.uid()), Some(like.gid()))
}

/// Names in a folder are on disk for good only when the folder is.
pub(crate) fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Removes what a change that was cut short has left beside the key file. Nobody else writes it at that time.
pub(crate) fn tidy(path: &Path) {
    let real = path.canonicalize();
    let path = real.as_deref().unwrap_or(path);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return };
    let prefix = format!("{name}.new-");
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(&prefix)) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn digits(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    if text.len() != 2 * KEY {
        return None;
    }
    let mut key = Zeroizing::new(Vec::with_capacity(KEY));
    for pair in text.chunks_exact(2) {
        // `from_str_radix` would take a sign.
        if !pair.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        key.push(u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?);
    }
    Some(key)
}

fn fault(path: &Path, error: &std::io::Error) -> Fault {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Fault::Full,
        _ => Fault::KeyFile { path: path.to_owned(), reason: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn one_key_two_keys_or_a_key_in_writing() {
        let one = Keys::parse(&[7; 32]).unwrap();
        assert_eq!(one.current.expose_secret(), [7; 32]);
        assert!(one.pending.is_none());
        let written = Keys::parse(format!("{}\n", "0a".repeat(32)).as_bytes()).unwrap();
        assert_eq!(written.current.expose_secret(), [10; 32]);
        assert!(written.pending.is_none());
        let two = Keys::parse(&[[1; 32], [2; 32]].concat()).unwrap();
        let tried: Vec<_> = two.candidates().map(|key| key.expose_secret()[0]).collect();
        assert_eq!(tried, [2, 1]);
        for length in [0, 1, 31, 33, 63, 65, 96] {
            assert!(
                matches!(Keys::parse(&vec![1; length]), Err(Fault::KeyLength { length: found }) if found == length)
            );
        }
        assert!(Keys::parse("+a".repeat(32).as_bytes()).unwrap().pending.is_some(), "no digits, so two keys");
    }

    #[test]
    fn a_key_file_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.key");
        let keys = Keys { current: vec![1; 32].into(), pending: Some(vec![2; 32].into()) };
        write(&path, &keys).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), [[1; 32], [2; 32]].concat());
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        write(&path, &Keys::one(vec![2; 32].into())).unwrap();
        assert_eq!(read(&path).unwrap().current.expose_secret(), [2; 32]);
        assert!(write(&path, &Keys::one(vec![3; 31].into())).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), [2; 32]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let missing = write(&folder.path().join("missing").join("key"), &keys);
        assert!(matches!(missing, Err(Fault::KeyFile { .. })), "{missing:?}");
    }
}
