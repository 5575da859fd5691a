//! A new key for the encrypted file: under writers, under `kill -9`, on a full disk, and with somebody else reading.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretSlice};
use sqlx::{Connection, SqliteConnection};
use store::key_file::{self, Keys};
use store::{Fault, Location, Options, RekeyStep, Store};

use crate::engines::{World, key, new_user, user};

/// Names the folder to the child process.
const FOLDER: &str = "STORE_REKEY_FOLDER";
/// The arrows of a change of key, in their order, and whether the new key is in force at each.
fn arrows() -> impl Iterator<Item = (&'static str, bool)> {
    store::REKEY_ARROWS.into_iter().map(|arrow| (arrow, ["renamed", "switched", "promoted"].contains(&arrow)))
}

struct Place {
    folder: tempfile::TempDir,
    path: PathBuf,
    key_file: PathBuf,
}

impl Place {
    /// A closed store with so many users under the key of ones.
    async fn with(users: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Self::at(folder.path());
        key_file::write(&place.1, &Keys::one(key(1))).unwrap();
        let store = Store::open_with_key_file(&place.0, &place.1, &Options::default()).await.unwrap();
        for number in 0..users {
            user(&store, &format!("user{number}")).await;
        }
        store.close().await;
        Self { path: place.0, key_file: place.1, folder }
    }

    fn at(folder: &Path) -> (PathBuf, PathBuf) {
        (folder.join("store.db"), folder.join("store.key"))
    }

    async fn open(&self) -> Result<Store, Fault> {
        Store::open_with_key_file(&self.path, &self.key_file, &Options::default()).await
    }

    async fn users(&self) -> usize {
        let store = self.open().await.unwrap();
        let users = store.users(None, 1_000_000).await.unwrap().len();
        store.close().await;
        users
    }

    fn key_bytes(&self) -> Vec<u8> {
        std::fs::read(&self.key_file).unwrap()
    }

    fn files(&self) -> BTreeSet<String> {
        let files = std::fs::read_dir(self.folder.path()).unwrap();
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn assert_tidy(&self) {
        let files: Vec<_> = self.files().into_iter().collect();
        assert_eq!(files, ["store.db", "store.db.lock", "store.key"]);
    }

    /// A process that does what `child` says.
    fn child(&self, task: &str) -> Command {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--ignored", "--exact", "--nocapture", task]).env(FOLDER, self.folder.path());
        child.stdout(Stdio::null()).stderr(Stdio::null());
        child
    }
}

/// With sqlx alone, read only: whether the key decrypts the file.
async fn opens(path: &Path, key: &SecretSlice<u8>) -> bool {
    let digits: String = key.expose_secret().iter().map(|byte| format!("{byte:02x}")).collect();
    let options =
        sqlx::sqlite::SqliteConnectOptions::new().filename(path).pragma("key", format!("\"x'{digits}'\""));
    let Ok(mut connection) = SqliteConnection::connect_with(&options).await else { return false };
    let read = sqlx::query("SELECT count(*) FROM sqlite_schema").fetch_one(&mut connection).await;
    connection.close().await.unwrap();
    read.is_ok()
}

/// The keys among these that open the file.
async fn that_open(path: &Path, keys: &[u8]) -> Vec<u8> {
    let mut fitting = Vec::new();
    for byte in keys {
        if opens(path, &key(*byte)).await {
            fitting.push(*byte);
        }
    }
    fitting
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_writers_lose_nothing() {
    let place = Place::with(50).await;
    let store = place.open().await.unwrap();
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(50)));
    let writers = (0..16).map(|writer| {
        let (store, stop, written) = (store.clone(), Arc::clone(&stop), Arc::clone(&written));
        tokio::spawn(async move {
            for number in 0.. {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let user = new_user(&format!("{writer}-{number}"));
                store.insert_user(&user, &[]).await.unwrap();
                written.fetch_add(1, Ordering::SeqCst);
                assert!(store.user(&user.id).await.unwrap().is_some());
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    for byte in 2..6 {
        let wanted = written.load(Ordering::SeqCst) + 100;
        while written.load(Ordering::SeqCst) < wanted {
            assert!(!writers.iter().any(tokio::task::JoinHandle::is_finished), "a writer ended");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        store.rekey(&place.key_file, key(byte)).await.unwrap();
        assert_eq!(place.key_bytes(), [byte; 32]);
    }
    stop.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.await.unwrap();
    }
    store.close().await;
    assert_eq!(that_open(&place.path, &[1, 2, 3, 4, 5]).await, [5]);
    place.assert_tidy();
    assert_eq!(place.users().await as u64, written.load(Ordering::SeqCst));
}

#[tokio::test]
async fn the_command_line_changes_the_key_of_a_store_that_nobody_has_open() {
    let place = Place::with(20).await;
    let steps = std::sync::Mutex::new(Vec::new());
    let before = std::fs::read(&place.path).unwrap();
    store::rekey(&place.path, &place.key_file, key(2), |step| steps.lock().unwrap().push(step))
        .await
        .unwrap();
    assert_eq!(
        steps.into_inner().unwrap(),
        [RekeyStep::Exporting, RekeyStep::Verifying, RekeyStep::Switching, RekeyStep::Done]
    );
    assert_eq!(place.key_bytes(), [2; 32]);
    assert_eq!(that_open(&place.path, &[1, 2]).await, [2]);
    place.assert_tidy();
    let after = std::fs::read(&place.path).unwrap();
    let pages: BTreeSet<&[u8]> = before.chunks(4096).collect();
    assert!(after.chunks(4096).all(|page| !pages.contains(page)), "no page under the old key is left");
    assert_eq!(place.users().await, 20);
    // The counter of changes goes on where it was.
    let store = place.open().await.unwrap();
    let seq = store.latest_seq().await.unwrap();
    store.upsert_role("r", "", false, &[], 1).await.unwrap();
    assert!(store.latest_seq().await.unwrap() > seq);
}

/// A store and a key on another disk, which links lead to: a rename must not replace the links.
#[tokio::test]
async fn a_store_behind_a_link_stays_where_it_is() {
    let place = Place::with(3).await;
    let links = tempfile::tempdir().unwrap();
    let (path, key_file) = Place::at(links.path());
    std::os::unix::fs::symlink(&place.path, &path).unwrap();
    std::os::unix::fs::symlink(&place.key_file, &key_file).unwrap();
    store::rekey(&path, &key_file, key(2), |_| ()).await.unwrap();
    for link in [&path, &key_file] {
        assert!(link.symlink_metadata().unwrap().is_symlink(), "{}", link.display());
    }
    assert_eq!(place.key_bytes(), [2; 32]);
    assert_eq!(that_open(&place.path, &[1, 2]).await, [2]);
    place.assert_tidy();
    assert_eq!(place.users().await, 3);
}

/// By a command of root, where the server runs as somebody else.
#[tokio::test]
async fn a_store_belongs_to_the_same_user_afterwards() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
    let place = Place::with(1).await;
    if place.path.metadata().unwrap().uid() != 0 {
        // Only root can make a file that belongs to somebody else.
        return;
    }
    let lock = place.folder.path().join("store.db.lock");
    std::fs::remove_file(&lock).unwrap();
    for file in [&place.path, &place.key_file] {
        chown(file, Some(65_534), Some(65_534)).unwrap();
    }
    store::rekey(&place.path, &place.key_file, key(2), |_| ()).await.unwrap();
    for file in [&place.path, &place.key_file, &lock] {
        let found = file.metadata().unwrap();
        assert_eq!((found.uid(), found.gid()), (65_534, 65_534), "{}", file.display());
        assert_eq!(found.permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn what_is_no_new_key_is_refused() {
    let place = Place::with(1).await;
    let same = store::rekey(&place.path, &place.key_file, key(1), |_| ()).await;
    assert!(matches!(same, Err(Fault::SameKey)), "{same:?}");
    let short = store::rekey(&place.path, &place.key_file, vec![2; 31].into(), |_| ()).await;
    assert!(matches!(short, Err(Fault::KeyLength { length: 31 })), "{short:?}");
    let other = place.folder.path().join("other.key");
    key_file::write(&other, &Keys::one(key(9))).unwrap();
    let foreign = store::rekey(&place.path, &other, key(2), |_| ()).await;
    assert!(matches!(foreign, Err(Fault::KeyDoesNotFit { .. })), "{foreign:?}");
    assert_eq!(std::fs::read(&other).unwrap(), [9; 32]);
    let missing = store::rekey(&place.path, &place.folder.path().join("none"), key(2), |_| ()).await;
    assert!(matches!(missing, Err(Fault::KeyFile { .. })), "{missing:?}");
    let World { store: postgres, .. } = &World::postgres().await;
    let engine = postgres.rekey(&place.key_file, key(2)).await;
    assert!(matches!(engine, Err(Fault::OtherEngine(_))), "{engine:?}");
    assert_eq!(place.users().await, 1);
}

/// The child of the tests below: one change of key, on the command line's way or inside a running store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child process of killed_at_every_arrow_exactly_one_key_opens"]
async fn change_the_key_once() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let (path, key_file) = Place::at(Path::new(&folder));
    if std::env::var_os("STORE_REKEY_OPEN").is_some() {
        let store = Store::open_with_key_file(&path, &key_file, &Options::default()).await.unwrap();
        // Something in the log that is not yet in the file.
        user(&store, "late").await;
        store.rekey(&key_file, key(2)).await.unwrap();
    } else {
        store::rekey(&path, &key_file, key(2), |_| ()).await.unwrap();
    }
}

#[tokio::test]
async fn killed_at_every_arrow_exactly_one_key_opens() {
    use std::os::unix::process::ExitStatusExt;
    for while_open in [false, true] {
        for (arrow, new) in arrows() {
            let case = format!("{arrow}, while open: {while_open}");
            let place = Place::with(30).await;
            let mut child = place.child("rekey::change_the_key_once");
            child.env("PORTCULLIS_TEST_FAULT", format!("rekey:{arrow}"));
            if while_open {
                child.env("STORE_REKEY_OPEN", "1");
            }
            let status = child.status().unwrap();
            assert_eq!(status.signal(), Some(6), "{case}: it died there");

            let fitting = that_open(&place.path, &[1, 2]).await;
            assert_eq!(fitting, if new { [2] } else { [1] }, "{case}");
            assert!(
                place.key_bytes().chunks(32).any(|key| key == [fitting[0]; 32]),
                "{case}: the key is kept"
            );
            assert_eq!(place.users().await, 30 + usize::from(while_open), "{case}");
            assert_eq!(place.key_bytes(), [fitting[0]; 32], "{case}: settled");
            // The next change goes through and leaves nothing behind.
            store::rekey(&place.path, &place.key_file, key(3), |_| ()).await.unwrap();
            place.assert_tidy();
            assert_eq!(that_open(&place.path, &[1, 2, 3]).await, [3], "{case}");
        }
    }
}

/// The child of the test below: changes the key until it is killed.
#[tokio::test]
#[ignore = "the child process of killed_at_any_moment_the_store_opens"]
async fn change_the_key_until_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let (path, key_file) = Place::at(Path::new(&folder));
    for byte in (1..=250).cycle() {
        match store::rekey(&path, &key_file, key(byte), |_| ()).await {
            Ok(()) | Err(Fault::SameKey) => {}
            Err(fault) => panic!("{fault}"),
        }
    }
}

#[tokio::test]
async fn killed_at_any_moment_the_store_opens() {
    let place = Place::with(200).await;
    let mut before = place.key_bytes();
    for round in 0..12_u32 {
        let mut child = place.child("rekey::change_the_key_until_killed").spawn().unwrap();
        // At another place each time, after at least one change.
        while place.key_bytes().get(..32) == before.get(..32) {
            assert!(child.try_wait().unwrap().is_none(), "the child ended by itself");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_micros(u64::from(round) * 7_300)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(place.users().await, 200, "round {round}");
        place.assert_tidy_but_keys();
        before = place.key_bytes();
        assert_eq!(before.len(), 32);
    }
}

impl Place {
    /// A key file half-written beside the key file stays until the next change.
    fn assert_tidy_but_keys(&self) {
        let files: Vec<_> = self.files().into_iter().filter(|name| !name.contains(".key.new-")).collect();
        assert_eq!(files, ["store.db", "store.db.lock", "store.key"]);
    }
}

/// The child of the test below: has the store open until its standard input ends.
#[tokio::test]
#[ignore = "the child process of another_process_makes_a_change_of_key_refuse"]
async fn hold_the_store_open() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let (path, key_file) = Place::at(Path::new(&folder));
    let store = Store::open_with_key_file(&path, &key_file, &Options::default()).await.unwrap();
    store.ping().await.unwrap();
    println!("\nopen");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    println!("\n{}", store.users(None, 1_000).await.unwrap().len());
    store.close().await;
}

#[tokio::test]
async fn another_process_makes_a_change_of_key_refuse() {
    let place = Place::with(5).await;
    let mut child = place
        .child("rekey::hold_the_store_open")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "open"));

    let refused = store::rekey(&place.path, &place.key_file, key(2), |_| ()).await;
    assert!(matches!(&refused, Err(Fault::InUse { path, .. }) if *path == place.path), "{refused:?}");
    assert!(refused.unwrap_err().to_string().contains("another process"));
    let store = place.open().await.unwrap();
    let refused = store.rekey(&place.key_file, key(2)).await;
    assert!(matches!(refused, Err(Fault::InUse { .. })), "{refused:?}");
    assert_eq!(place.key_bytes(), [1; 32]);
    // Both go on, and this one is still counted as an opener.
    user(&store, "later").await;
    writeln!(child.stdin.take().unwrap()).unwrap();
    assert!(lines.any(|line| line == "6"));
    assert!(child.wait().unwrap().success());
    let refused = store::rekey(&place.path, &place.key_file, key(2), |_| ()).await;
    assert!(matches!(refused, Err(Fault::InUse { .. })), "{refused:?}");
    store.rekey(&place.key_file, key(2)).await.unwrap();
    store.close().await;
    assert_eq!(that_open(&place.path, &[1, 2]).await, [2]);
}

#[tokio::test]
async fn who_opens_during_a_change_of_key_is_told() {
    let place = Place::with(1).await;
    let lock = std::fs::File::options().write(true).open(place.folder.path().join("store.db.lock")).unwrap();
    lock.lock().unwrap();
    let refused = place.open().await;
    assert!(
        matches!(&refused, Err(Fault::InUse { reason, .. }) if reason.contains("changing its key")),
        "{refused:?}"
    );
    drop(lock);
    assert_eq!(place.users().await, 1);
}

#[tokio::test]
async fn a_reader_that_stays_makes_a_change_of_key_refuse() {
    let place = Place::with(5).await;
    let store = place.open().await.unwrap();
    user(&store, "before").await;
    let digits = "01".repeat(32);
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(&place.path)
        .pragma("key", format!("\"x'{digits}'\""));
    let mut reader = SqliteConnection::connect_with(&options).await.unwrap();
    let mut pinned = reader.begin().await.unwrap();
    let count = "SELECT count(*) FROM users";
    assert_eq!(sqlx::query_scalar::<_, i64>(count).fetch_one(&mut *pinned).await.unwrap(), 6);
    user(&store, "during").await;

    let refused = store.rekey(&place.key_file, key(2)).await;
    assert!(matches!(refused, Err(Fault::InUse { .. })), "{refused:?}");
    assert_eq!(place.key_bytes(), [1; 32]);
    assert_eq!(sqlx::query_scalar::<_, i64>(count).fetch_one(&mut *pinned).await.unwrap(), 6);
    user(&store, "after").await;
    assert_eq!(store.users(None, 100).await.unwrap().len(), 8, "the store goes on under the old key");

    drop(pinned);
    reader.close().await.unwrap();
    store.rekey(&place.key_file, key(2)).await.unwrap();
    assert_eq!(store.users(None, 100).await.unwrap().len(), 8);
    store.close().await;
    assert_eq!(that_open(&place.path, &[1, 2]).await, [2]);
    place.assert_tidy();
}

/// The child of the test below: files may not grow beyond what the shell has set.
#[tokio::test]
#[ignore = "the child process of a_full_disk_leaves_the_old_store_whole"]
async fn change_the_key_without_room() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let (path, key_file) = Place::at(Path::new(&folder));
    let refused = store::rekey(&path, &key_file, key(2), |_| ()).await;
    assert!(refused.is_err());
    let store = Store::open_with_key_file(&path, &key_file, &Options::default()).await.unwrap();
    let refused = store.rekey(&key_file, key(2)).await;
    assert!(refused.is_err());
    assert_eq!(store.users(None, 1_000).await.unwrap().len(), 300, "the store goes on");
}

#[tokio::test]
async fn a_full_disk_leaves_the_old_store_whole() {
    let place = Place::with(300).await;
    let length = place.path.metadata().unwrap().len();
    assert!(length > 150 * 1024, "{length}");
    // In units of 512 bytes: less than the new file needs, enough for the log's index. The signal becomes an error.
    let script = "trap '' XFSZ; ulimit -f 200; exec \"$0\" \"$@\"";
    let child = place.child("rekey::change_the_key_without_room");
    let mut shell = Command::new("sh");
    shell
        .args(["-c", script])
        .arg(child.get_program())
        .args(child.get_args())
        .env(FOLDER, place.folder.path());
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(place.key_bytes(), [1; 32]);
    assert_eq!(that_open(&place.path, &[1, 2]).await, [1]);
    assert_eq!(place.users().await, 300);
    place.assert_tidy();
}

#[tokio::test]
async fn a_key_file_with_two_keys_is_settled_at_opening() {
    let place = Place::with(3).await;
    for keys in [[1, 2], [2, 1]] {
        let two = Keys { current: key(keys[0]), pending: Some(key(keys[1])) };
        key_file::write(&place.key_file, &two).unwrap();
        assert_eq!(place.users().await, 3);
        assert_eq!(place.key_bytes(), [1; 32]);
    }
    key_file::write(&place.key_file, &Keys { current: key(7), pending: Some(key(8)) }).unwrap();
    assert!(matches!(place.open().await, Err(Fault::KeyDoesNotFit { .. })));
    assert_eq!(place.key_bytes(), [[7; 32], [8; 32]].concat(), "nothing is guessed");
    let location = Location::SqlCipher { path: place.path.clone(), key: key(1) };
    Store::open(&location).await.unwrap();
}
