//! A secret in a file.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use steward::delivery::{Place, Reached, deliver, read_back};

use crate::{credential, same, without_secret};

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn it_is_written_for_its_owner_alone_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/folder/db.json");
    let place = Place::File(path.clone());
    assert!(read_back(&place).await.unwrap().is_none());
    for generation in [1, 2] {
        deliver(&place, &credential(generation)).await.unwrap();
        same(read_back(&place).await.unwrap(), &credential(generation));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    }
    assert_eq!(names(path.parent().unwrap()), ["db.json"], "nothing is left beside it");
    assert_eq!(std::fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn a_lax_old_file_becomes_strict_and_what_a_killed_writer_left_goes_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db.json");
    std::fs::write(&path, "old").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(folder.path().join(".db.json.new"), "half a secr").unwrap();
    deliver(&Place::File(path.clone()), &credential(1)).await.unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(names(folder.path()), ["db.json"]);
}

#[tokio::test]
async fn a_reader_sees_the_old_or_the_new_and_nothing_between() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::File(folder.path().join("db.json"));
    deliver(&place, &credential(0)).await.unwrap();
    let writers = (1..=8).map(|generation| {
        let place = place.clone();
        tokio::spawn(async move { deliver(&place, &credential(generation)).await })
    });
    let writers: Vec<_> = writers.collect();
    for writer in writers {
        let found = read_back(&place).await.unwrap().unwrap();
        same(Some(found.clone()), &credential(found.generation));
        writer.await.unwrap().unwrap();
    }
    assert_eq!(names(folder.path()), ["db.json"]);
}

#[tokio::test]
async fn a_link_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = folder.path().join("elsewhere");
    std::fs::write(&elsewhere, "untouched").unwrap();
    for target in [elsewhere.as_path(), Path::new("/nonexistent/x")] {
        let link = folder.path().join("db.json");
        let _ = std::fs::remove_file(&link);
        symlink(target, &link).unwrap();
        let place = Place::File(link.clone());
        let fault = deliver(&place, &credential(1)).await.unwrap_err();
        assert_eq!(fault.reached, Reached::Nothing);
        assert!(without_secret(&fault).contains("symbolic link"), "{fault}");
        assert!(read_back(&place).await.is_err());
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    }
    assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), "untouched");
}

#[tokio::test]
async fn what_is_no_file_or_no_credential_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let fault = deliver(&Place::File(folder.path().to_owned()), &credential(1)).await.unwrap_err();
    assert!(without_secret(&fault).contains("regular file"), "{fault}");
    let path = folder.path().join("db.json");
    std::fs::write(&path, r#"{"password":"hunter2"}"#).unwrap();
    let fault = read_back(&Place::File(path)).await.unwrap_err();
    assert!(without_secret(&fault).contains("no credentials JSON") && !fault.to_string().contains("hunter2"));
}

#[tokio::test]
async fn the_owner_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db.json");
    std::fs::write(&path, "old").unwrap();
    if std::os::unix::fs::chown(&path, Some(12_345), Some(23_456)).is_err() {
        eprintln!("not root: a file cannot be given away, so this cannot be tried");
        return;
    }
    deliver(&Place::File(path.clone()), &credential(1)).await.unwrap();
    let found = std::fs::metadata(&path).unwrap();
    assert_eq!((found.uid(), found.gid(), found.mode() & 0o777), (12_345, 23_456, 0o600));
}

#[tokio::test]
async fn who_holds_the_folder_is_waited_for_and_not_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let held = std::fs::File::open(folder.path()).unwrap();
    held.lock().unwrap();
    let place = Place::File(folder.path().join("db.json"));
    let fault = deliver(&place, &credential(1)).await.unwrap_err();
    assert_eq!(fault.reached, Reached::Nothing);
    assert!(without_secret(&fault).contains("locked"), "{fault}");
    drop(held);
    deliver(&place, &credential(1)).await.unwrap();
}

/// Set for the process that runs on a disk of its own.
const DISK: &str = "PORTCULLIS_TEST_SMALL_DISK";

/// The test runs itself again in a mount namespace, with a file system of 16 KiB that is full but for nothing.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the environment says whether this is the inner process")]
async fn a_full_disk_leaves_the_old_file_whole() {
    if let Ok(folder) = std::env::var(DISK) {
        let path = Path::new(&folder).join("db.json");
        let place = Place::File(path.clone());
        deliver(&place, &credential(1)).await.unwrap();
        // Fill it to the last byte.
        let mut filler = std::fs::File::create(Path::new(&folder).join("filler")).unwrap();
        while std::io::Write::write(&mut filler, &[0; 4096]).is_ok_and(|written| written > 0) {}
        let fault = deliver(&place, &credential(2)).await.unwrap_err();
        assert_eq!(fault.reached, Reached::Nothing);
        assert!(without_secret(&fault).contains("make room"), "{fault}");
        same(read_back(&place).await.unwrap(), &credential(1));
        assert_eq!(names(Path::new(&folder)), ["db.json", "filler"]);
        println!("the old file is whole");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=16k tmpfs \"$0\" && exec \"$1\" --exact files::a_full_disk_leaves_the_old_file_whole --nocapture";
    let output = Command::new("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c", script])
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap())
        .env(DISK, folder.path())
        .output()
        .unwrap_or_else(|error| panic!("no unshare ({error}): install the package `util-linux`"));
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("the old file is whole"), "{said}\n{errors}");
}
