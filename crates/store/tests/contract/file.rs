//! What must be true of the encrypted file, and what is said when it is not.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use secrecy::SecretSlice;
use sqlx::Connection;
use store::{Engine, Fault, Insertion, Location, Options, Store};

use crate::engines::{NOW, World, count_users, digest, key, new_user, session, user};

fn location(path: &Path, byte: u8) -> Location {
    Location::SqlCipher { path: path.to_owned(), key: key(byte) }
}

/// A closed store with a hundred users.
async fn filled(folder: &Path) -> PathBuf {
    let path = folder.join("store.db");
    let store = Store::open(&location(&path, 1)).await.unwrap();
    for number in 0..100 {
        user(&store, &format!("user{number}")).await;
    }
    store.close().await;
    path
}

#[tokio::test]
async fn the_file_is_encrypted_and_ours_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = Store::open(&location(&path, 1)).await.unwrap();
    user(&store, "ada").await;
    assert!(
        matches!(store.engine(), Engine::SqlCipher { cipher_version } if cipher_version.starts_with("4."))
    );
    store.ping().await.unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let bytes = std::fs::read(file.path()).unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
        for plain in ["SQLite format 3", "ada@example.com", "CREATE TABLE"] {
            assert!(
                !bytes.windows(plain.len()).any(|window| window == plain.as_bytes()),
                "{plain} in {file:?}"
            );
        }
    }
    store.close().await;
    let left = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut left: Vec<_> = left.collect();
    left.sort();
    assert_eq!(left, ["store.db", "store.db.lock"], "the log is folded into the file");
    let again = Store::open(&location(&path, 1)).await.unwrap();
    assert!(again.user("usr_ada").await.unwrap().is_some());
}

#[tokio::test]
async fn a_wrong_key_is_refused_and_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path()).await;
    let before = std::fs::read(&path).unwrap();
    let refused = Store::open(&location(&path, 2)).await;
    assert!(matches!(&refused, Err(Fault::KeyDoesNotFit { path: named }) if *named == path), "{refused:?}");
    let short = Location::SqlCipher { path: path.clone(), key: SecretSlice::from(vec![1; 31]) };
    assert!(matches!(Store::open(&short).await, Err(Fault::KeyLength { length: 31 })));
    assert!(std::fs::read(&path).unwrap() == before);
    let store = Store::open(&location(&path, 1)).await.unwrap();
    assert_eq!(count_users(&store).await, 100);
}

#[tokio::test]
async fn a_plain_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plain.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("CREATE TABLE users (id text)").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let refused = Store::open(&location(&path, 1)).await;
    assert!(matches!(refused, Err(Fault::NotEncrypted { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_truncated_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path()).await;
    let whole = std::fs::read(&path).unwrap();
    for length in [1, 15, 16, 4095, 4096, 8192, whole.len() / 2, whole.len() - 4096, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let refused = Store::open(&location(&path, 1)).await;
        assert!(matches!(refused, Err(Fault::Damaged { .. })), "{length} of {}: {refused:?}", whole.len());
    }
    std::fs::write(&path, []).unwrap();
    assert!(matches!(Store::open(&location(&path, 1)).await, Err(Fault::Empty { .. })));
    std::fs::write(&path, &whole).unwrap();
    Store::open(&location(&path, 1)).await.unwrap();
}

#[tokio::test]
async fn a_page_that_was_tampered_with_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path()).await;
    let mut bytes = std::fs::read(&path).unwrap();
    for page in bytes.chunks_mut(4096).skip(2) {
        page[100] ^= 1;
    }
    std::fs::write(&path, &bytes).unwrap();
    let answer = match Store::open(&location(&path, 1)).await {
        Ok(store) => store.users(None, 1_000).await.map(|users| users.len()),
        Err(fault) => Err(fault),
    };
    assert!(matches!(answer, Err(Fault::Damaged { .. })), "{answer:?}");
}

#[tokio::test]
async fn a_missing_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("store.db");
    let refused = Store::open(&location(&path, 1)).await;
    assert!(matches!(&refused, Err(Fault::Unavailable(reason)) if reason.contains("missing")), "{refused:?}");
}

#[tokio::test]
async fn a_full_store_writes_nothing_by_halves_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let limited = Options { maximum_pages: Some(80), ..Options::default() };
    let store = Store::open_with(&location(&path, 1), &limited).await.unwrap();
    store.upsert_role("reader", "", false, &[], NOW).await.unwrap();
    let mut stored = Vec::new();
    let refused = loop {
        let mut user = new_user(&format!("user{}", stored.len()));
        user.password_hash = Some("h".repeat(1_500));
        match store.insert_user(&user, &["reader".to_owned()]).await {
            Ok(inserted) => {
                assert_eq!(inserted, Insertion::Inserted);
                stored.push(user);
            }
            Err(fault) => break (user, fault),
        }
        assert!(stored.len() < 1_000, "80 pages hold no thousand users");
    };
    assert!(matches!(refused.1, Fault::Full), "{:?}", refused.1);
    assert_eq!(store.user(&refused.0.id).await.unwrap(), None);
    assert!(store.user_roles(&refused.0.id).await.unwrap().is_empty());
    assert_eq!(count_users(&store).await, stored.len() as u64);

    // Full again and again: the only writer must not be lost to a transaction that ended behind its back.
    for _ in 0..3 {
        assert!(matches!(store.insert_user(&refused.0, &["reader".to_owned()]).await, Err(Fault::Full)));
    }
    for user in stored.iter().take(10) {
        assert!(store.delete_user(&user.id, NOW).await.unwrap());
    }
    assert_eq!(store.insert_user(&refused.0, &["reader".to_owned()]).await.unwrap(), Insertion::Inserted);
    store.close().await;
    let store = Store::open(&location(&path, 1)).await.unwrap();
    assert_eq!(count_users(&store).await, stored.len() as u64 - 9);
    assert_eq!(store.user_roles(&refused.0.id).await.unwrap(), ["reader"]);
}

/// The command line writes while the server runs.
#[tokio::test(flavor = "multi_thread")]
async fn two_handles_write_the_same_file() {
    let World { store: server, location, .. } = &World::sqlcipher().await;
    let command_line = Store::open(location).await.unwrap();
    let id = user(&command_line, "ada").await;
    session(server, "s1", &id, 1).await;
    let writes = (0..20_u8).map(|number| {
        let store = if number % 2 == 0 { server.clone() } else { command_line.clone() };
        tokio::spawn(async move { store.insert_user(&new_user(&format!("user{number}")), &[]).await })
    });
    for write in writes.collect::<Vec<_>>() {
        assert_eq!(write.await.unwrap().unwrap(), Insertion::Inserted);
    }
    assert!(command_line.end_session("s1", NOW).await.unwrap());
    assert!(server.session("s1").await.unwrap().unwrap().ended_at.is_some());
    assert!(server.refresh_token(&digest(1)).await.unwrap().is_some());
    assert_eq!(count_users(server).await, 21);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_together_agree_on_the_schema() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let starts = (0..4).map(|_| {
        let location = location(&path, 1);
        tokio::spawn(async move { Store::open(&location).await })
    });
    for start in starts.collect::<Vec<_>>() {
        start.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn rows_do_not_print_their_secrets() {
    let World { store, .. } = &World::sqlcipher().await;
    user(store, "ada").await;
    let printed = format!("{:?} {:?} {:?}", store, store.user("usr_ada").await, location(Path::new("x"), 7));
    assert!(!printed.contains("hash of") && !printed.contains("[7, 7"), "{printed}");
}
