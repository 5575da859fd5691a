//! Backups: from either engine into either engine, while the store is in use, and never from a file that is not whole.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use secrecy::SecretSlice;
use sqlx::{Connection, SqliteConnection};
use store::backup::{self, Contents};
use store::{ClientGrant, Fault, NewMail, SigningKey, Store};

use crate::engines::{
    NOW, World, digest, key, new_api, new_client, new_user, permissions, session, user, words,
};

/// Rows in every table that the first version knows, with everything that is easily lost: NULL, empty text, bytes, both
/// flags, letters beyond ASCII, large and negative numbers.
async fn fill(store: &Store) {
    store
        .upsert_api(&new_api("https://api.example.com", &["read:orders", "write:orders"]), NOW)
        .await
        .unwrap();
    let roles = permissions("https://api.example.com", &["read:orders"]);
    store.upsert_role("reader", "Лесен ''\"; --", true, &roles, NOW).await.unwrap();
    for number in 0..450 {
        let mut user = new_user(&format!("üser{number}"));
        user.email_verified = number % 2 == 0;
        user.password_hash = (number % 3 > 0).then(String::new);
        user.created_at = if number == 0 { -1 } else { i64::MAX - number };
        store.insert_user(&user, &words(&["reader"])).await.unwrap();
    }
    session(store, "s1", "usr_üser1", 1).await;
    store.end_session("s1", NOW).await.unwrap();
    session(store, "s2", "usr_üser2", 2).await;
    let mail = NewMail { id: "m1".to_owned(), sealed: vec![0, 255, 0, 1] };
    store.insert_password_reset_with_mail(&digest(4), "usr_üser2", NOW + 9, &mail, NOW).await.unwrap();
    let grant =
        ClientGrant { audience: "https://api.example.com".to_owned(), scopes: words(&["read:orders"]) };
    store.upsert_client(&new_client("c1"), &[grant], NOW).await.unwrap();
    store.take_throttle("bucket", 5, 60, NOW).await.unwrap();
    store.set_seal_check(&[7; 40]).await.unwrap();
    let signing = SigningKey {
        kid: "k1".to_owned(),
        algorithm: "RS256".to_owned(),
        public_jwk: "{}".to_owned(),
        private_sealed: (0..=255).collect(),
        created_at: NOW,
        signs_from: NOW,
        retires_at: None,
    };
    store.insert_signing_key(&signing).await.unwrap();
    store.insert_report(&crate::reports::report(1, "production", NOW)).await.unwrap();
    store.insert_console_link(&digest(5), NOW, NOW + 9).await.unwrap();
    store.insert_console_session(&crate::console::visit(6, Some("usr_üser2"))).await.unwrap();
}

fn by_table(contents: &[Contents]) -> BTreeMap<&str, (u64, &str)> {
    contents.iter().map(|table| (table.table.as_str(), (table.rows, table.digest.as_str()))).collect()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn names(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

async fn raw(path: &Path, key: u8) -> SqliteConnection {
    let digits = format!("{key:02x}").repeat(32);
    let options =
        sqlx::sqlite::SqliteConnectOptions::new().filename(path).pragma("key", format!("\"x'{digits}'\""));
    SqliteConnection::connect_with(&options).await.unwrap()
}

async fn there_and_back(from: World, to: World) {
    fill(&from.store).await;
    let folder = Folder::new();
    let file = folder.file("backup");
    let mut told = Vec::new();
    let written = backup::write(&from.store, &file, &key(5), |step| {
        assert!(step.number >= 1 && step.number <= step.tables);
        told.push((step.table.to_owned(), step.rows));
    })
    .await
    .unwrap();
    assert_eq!(folder.names(), ["backup"]);
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let tables = by_table(&written);
    assert!(tables.len() >= 17, "{tables:?}");
    assert_eq!(tables["users"].0, 450);
    for (name, (rows, _)) in &tables {
        assert!(told.contains(&((*name).to_owned(), *rows)), "{name}: progress ends at its rows");
        let empty = ["api_keys", "rotations", "rotation_nodes"].contains(name);
        assert_eq!(*rows == 0, empty, "{name} has {rows} rows");
    }
    assert!(told.iter().filter(|(table, _)| table == "users").count() > 2, "and is told on the way");
    let bytes = std::fs::read(&file).unwrap();
    assert!(!bytes.windows(11).any(|window| window == b"example.com"), "encrypted");

    // Another key than the store's; the store's own does not open it.
    assert!(matches!(backup::contents(&file, &key(1)).await, Err(Fault::Backup { .. })));
    assert_eq!(backup::contents(&file, &key(5)).await.unwrap(), written);

    let restored = backup::restore(&to.store, &file, &key(5), false, |_| ()).await.unwrap();
    assert_eq!(restored, written);
    let again = folder.file("again");
    assert_eq!(backup::write(&to.store, &again, &key(6), |_| ()).await.unwrap(), written);

    // It lives: what was known is known, and numbers go on.
    let user = to.store.user_by_email("üser7@example.com").await.unwrap().unwrap();
    assert_eq!(to.store.user_roles(&user.id).await.unwrap(), ["reader"]);
    let (before, here) = (from.store.latest_seq().await.unwrap(), to.store.latest_seq().await.unwrap());
    assert_eq!(before, here);
    assert!(to.store.end_session("s2", NOW + 1).await.unwrap());
    assert!(to.store.latest_seq().await.unwrap() > here);

    // A store with rows is not overwritten, unless that is asked for.
    let refused = backup::restore(&to.store, &file, &key(5), false, |_| ()).await;
    assert!(matches!(&refused, Err(Fault::NotEmpty { .. })), "{refused:?}");
    assert!(to.store.session("s2").await.unwrap().unwrap().ended_at.is_some(), "nothing changed");
    backup::restore(&to.store, &file, &key(5), true, |_| ()).await.unwrap();
    assert!(to.store.session("s2").await.unwrap().unwrap().ended_at.is_none(), "as it was");
    assert_eq!(folder.names(), ["again", "backup"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn from_sqlcipher_to_sqlcipher() {
    there_and_back(World::sqlcipher().await, World::sqlcipher().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_sqlcipher_to_postgres() {
    there_and_back(World::sqlcipher().await, World::postgres().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_postgres_to_sqlcipher() {
    there_and_back(World::postgres().await, World::sqlcipher().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_postgres_to_postgres() {
    there_and_back(World::postgres().await, World::postgres().await).await;
}

/// Sign-ups go on; each is one transaction of a user and three roles, and the backup has whole ones.
async fn one_moment(world: World) {
    let store = &world.store;
    for role in ["a", "b", "c"] {
        store.upsert_role(role, "", false, &[], NOW).await.unwrap();
    }
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writers = (0..4).map(|writer| {
        let (store, stop, written) = (store.clone(), Arc::clone(&stop), Arc::clone(&written));
        tokio::spawn(async move {
            for number in 0.. {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let user = new_user(&format!("{writer}-{number}"));
                store.insert_user(&user, &words(&["a", "b", "c"])).await.unwrap();
                written.fetch_add(1, Ordering::SeqCst);
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let folder = Folder::new();
    for round in 0..4 {
        let floor = written.load(Ordering::SeqCst) + 20;
        while written.load(Ordering::SeqCst) < floor {
            assert!(!writers.iter().any(tokio::task::JoinHandle::is_finished), "a writer ended");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let file = folder.file(&format!("backup{round}"));
        let contents = backup::write(store, &file, &key(5), |_| ()).await.unwrap();
        let tables = by_table(&contents);
        assert!(tables["users"].0 >= floor, "what was committed before is in it");
        assert_eq!(tables["user_roles"].0, 3 * tables["users"].0, "whole users alone");
    }
    stop.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_backup_of_a_busy_file_is_of_one_moment() {
    one_moment(World::sqlcipher().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_backup_of_a_busy_server_is_of_one_moment() {
    one_moment(World::postgres().await).await;
}

async fn refuses(store: &Store, file: &Path, key: &SecretSlice<u8>, reason: &str) {
    for replace in [false, true] {
        let refused = backup::restore(store, file, key, replace, |_| ()).await;
        assert!(
            matches!(&refused, Err(Fault::Backup { path, reason: said }) if path == file && said.contains(reason)),
            "{refused:?}, not {reason}"
        );
    }
    assert!(store.user("usr_here").await.unwrap().is_some(), "nothing changed");
}

#[tokio::test]
async fn what_is_no_whole_backup_changes_nothing() {
    let (source, target) = (World::sqlcipher().await, World::sqlcipher().await);
    fill(&source.store).await;
    user(&target.store, "here").await;
    let folder = Folder::new();
    let good = folder.file("good");
    backup::write(&source.store, &good, &key(5), |_| ()).await.unwrap();
    let store = &target.store;
    refuses(store, &good, &key(6), "this key does not open it").await;
    refuses(store, &folder.file("missing"), &key(5), "No such file").await;

    let whole = std::fs::read(&good).unwrap();
    let bad = folder.file("bad");
    for page in [1, whole.len() / 4096 / 2, whole.len() / 4096 - 1] {
        let mut bytes = whole.clone();
        bytes[page * 4096 + 1_000] ^= 1;
        std::fs::write(&bad, &bytes).unwrap();
        refuses(store, &bad, &key(5), "damaged").await;
    }
    for length in [0, 15, 4096, whole.len() / 2 / 4096 * 4096, whole.len() - 1] {
        std::fs::write(&bad, &whole[..length]).unwrap();
        refuses(store, &bad, &key(5), "").await;
    }
    std::fs::write(&bad, [7; 8192]).unwrap();
    refuses(store, &bad, &key(5), "does not open").await;
    std::fs::write(&bad, [&b"SQLite format 3\0"[..], &[0; 4096]].concat()).unwrap();
    refuses(store, &bad, &key(5), "not encrypted").await;

    // A store's own file is none, even with its key.
    let store::Location::SqlCipher { path, key: own } = &source.location else { panic!("not SQLCipher") };
    source.store.close().await;
    refuses(store, path, own, "no backup").await;

    // A row that somebody took out, with every page sound.
    std::fs::copy(&good, &bad).unwrap();
    let mut connection = raw(&bad, 5).await;
    sqlx::query("DELETE FROM users WHERE id = 'usr_üser9'").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    refuses(store, &bad, &key(5), "damaged").await;
}

#[tokio::test]
async fn a_backup_replaces_no_file() {
    let World { store, .. } = &World::sqlcipher().await;
    let folder = Folder::new();
    let file = folder.file("backup");
    std::fs::write(&file, "mine").unwrap();
    let refused = backup::write(store, &file, &key(5), |_| ()).await;
    assert!(
        matches!(&refused, Err(Fault::Backup { reason, .. }) if reason.contains("already")),
        "{refused:?}"
    );
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
    let refused = backup::write(store, &folder.file("missing/backup"), &key(5), |_| ()).await;
    assert!(refused.is_err());
    assert_eq!(folder.names(), ["backup"]);
}

#[tokio::test]
async fn a_newer_backup_is_refused_and_an_older_one_brought_up_to_date() {
    for target in [World::sqlcipher().await, World::postgres().await] {
        let source = World::sqlcipher().await;
        fill(&source.store).await;
        let folder = Folder::new();
        let file = folder.file("backup");
        backup::write(&source.store, &file, &key(5), |_| ()).await.unwrap();
        let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_later', 0)";
        let mut connection = raw(&file, 5).await;
        sqlx::query(newer).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let refused = backup::restore(&target.store, &file, &key(5), false, |_| ()).await;
        assert!(
            matches!(&refused, Err(Fault::Newer { migration }) if migration == "m9999_later"),
            "{refused:?}"
        );
        assert!(target.store.users(None, 1).await.unwrap().is_empty());

        // As the first version made it.
        let mut connection = raw(&file, 5).await;
        for sql in [
            "DELETE FROM seaql_migrations WHERE version <> 'm0001_beginning'",
            "DROP TABLE rotations",
            "DROP TABLE rotation_nodes",
            "DROP TABLE reports",
            "DROP TABLE console_links",
            "DROP TABLE console_sessions",
            "DELETE FROM backup_contents WHERE name LIKE 'rotation%' OR name LIKE 'console%' OR name = 'reports'",
        ] {
            sqlx::query(sql).execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
        let before = std::fs::read(&file).unwrap();
        let restored = backup::restore(&target.store, &file, &key(5), false, |_| ()).await.unwrap();
        assert_eq!(by_table(&restored)["users"].0, 450);
        assert_eq!(by_table(&restored)["rotations"].0, 0);
        assert_eq!(target.store.users(None, 1_000).await.unwrap().len(), 450);
        assert!(std::fs::read(&file).unwrap() == before, "the backup itself is not touched");
        assert_eq!(folder.names(), ["backup"]);
    }
}
