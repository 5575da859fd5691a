//! Secrets on their way in, from a file, and on their way out, once.

use std::io::Read;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use serde::Serializer;

use crate::Error;

/// A file with a secret is not longer than this, in bytes.
const MAXIMUM: u64 = 64 * 1024;

/// Reads a secret from a file, without its final line break.
///
/// # Errors
/// When it cannot be read, is empty or no UTF-8, is over 64 KiB, or when others than its owner may read it.
pub fn read_secret_file(path: &Path) -> Result<SecretString, Error> {
    let refused = |why: &str| Error::File { path: path.to_owned(), why: why.to_owned() };
    let file = std::fs::File::open(path).map_err(|error| refused(&format!("cannot be read: {error}")))?;
    let metadata = file.metadata().map_err(|error| refused(&format!("cannot be read: {error}")))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if metadata.is_file() && metadata.permissions().mode() & 0o077 != 0 {
            return Err(refused("others may read this secret; chmod 600"));
        }
    }
    if metadata.len() > MAXIMUM {
        return Err(refused("is too long for a secret"));
    }
    let mut text = Zeroizing::new(String::new());
    file.take(MAXIMUM)
        .read_to_string(&mut text)
        .map_err(|error| refused(&format!("cannot be read: {error}")))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err(refused("is empty"));
    }
    Ok(SecretString::from(line))
}

/// Writes a secret that was just made into the result that shows it: the only place where one is serialised.
pub(crate) fn shown_once<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

/// As [`shown_once`], for a secret that there may not be.
pub(crate) fn shown_once_if_any<S: Serializer>(
    secret: &Option<SecretString>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match secret {
        Some(secret) => shown_once(secret, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn file(contents: &[u8], mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), contents).unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn one_line_break_is_no_part_of_a_secret() {
        for (contents, secret) in [(&b"a b "[..], "a b "), (b"x\n", "x"), (b"x\r\n", "x"), (b"x\n\n", "x\n")]
        {
            assert_eq!(read_secret_file(file(contents, 0o600).path()).unwrap().expose_secret(), secret);
        }
    }

    #[test]
    fn what_is_no_secret_of_ones_own_is_refused() {
        for (contents, mode, why) in [
            (&b"x"[..], 0o644, "others may read"),
            (b"x", 0o640, "others may read"),
            (b"", 0o600, "is empty"),
            (b"\n", 0o600, "is empty"),
            (b"\xff", 0o600, "cannot be read"),
        ] {
            let error = read_secret_file(file(contents, mode).path()).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        let error = read_secret_file(Path::new("/nowhere/secret")).unwrap_err().to_string();
        assert!(error.starts_with("/nowhere/secret: cannot be read"), "{error}");
    }
}
