//! A file gets new contents: wholly or not at all, with the mode it had, and never elsewhere than where it was named.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Error, ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Puts `contents` in the place of the file's. One that has them already is not touched.
///
/// # Errors
/// The file cannot be written; or it is a link to another folder, which somebody else may have laid.
pub fn replace(file: &Path, contents: &str) -> Result<(), Error> {
    let place = place(file)?;
    let mode = match fs::read(&place) {
        Ok(before) if before == contents.as_bytes() => return Ok(()),
        Ok(_) => Some(fs::metadata(&place)?.permissions().mode() & 0o7777),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let name = place.file_name().ok_or_else(|| Error::new(ErrorKind::InvalidInput, "it has no name"))?;
    let beside = place.with_file_name(format!(".{}.{}.new", name.to_string_lossy(), std::process::id()));
    let written = written(&beside, contents, mode).and_then(|()| fs::rename(&beside, &place));
    if written.is_err() {
        // What is half written is nobody's; that it cannot be removed changes nothing.
        let _ = fs::remove_file(&beside);
    }
    written?;
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

fn written(beside: &Path, contents: &str, mode: Option<u32>) -> Result<(), Error> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    if mode.is_some() {
        // Until it has the mode of the file that it replaces, nobody else reads it.
        options.mode(0o600);
    }
    let mut file = options.open(beside)?;
    file.write_all(contents.as_bytes())?;
    if let Some(mode) = mode {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    file.sync_all()
}

/// Where the file really is: a link within its own folder is followed and stays.
fn place(file: &Path) -> Result<PathBuf, Error> {
    match fs::symlink_metadata(file) {
        Ok(found) if found.is_symlink() => {
            let real = fs::canonicalize(file)?;
            let folder =
                file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            if real.starts_with(fs::canonicalize(folder)?) {
                return Ok(real);
            }
            let why =
                format!("it is a link to {}, outside its folder: name that file itself", real.display());
            Err(Error::new(ErrorKind::PermissionDenied, why))
        }
        Ok(found) if !found.is_file() => Err(Error::new(ErrorKind::InvalidInput, "it is no file")),
        _ => Ok(file.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mode_and_links_stay_and_nothing_is_left_beside() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("measures.md");
        fs::write(&file, "a").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        let link = folder.path().join("link.md");
        std::os::unix::fs::symlink("measures.md", &link).unwrap();
        replace(&link, "b\r\n").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "b\r\n");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn the_same_contents_touch_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("measures.md");
        fs::write(&file, "a").unwrap();
        let before = std::os::unix::fs::MetadataExt::ino(&fs::metadata(&file).unwrap());
        replace(&file, "a").unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::ino(&fs::metadata(&file).unwrap()), before);
    }

    #[test]
    fn a_link_that_leads_out_is_refused() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let target = elsewhere.path().join("theirs.md");
        fs::write(&target, "theirs").unwrap();
        let link = folder.path().join("measures.md");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let error = replace(&link, "ours").unwrap_err().to_string();
        assert!(error.contains("outside its folder"), "{error}");
        assert_eq!(fs::read_to_string(&target).unwrap(), "theirs");
        assert!(replace(folder.path(), "a").unwrap_err().to_string().contains("no file"));
    }
}
