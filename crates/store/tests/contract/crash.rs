//! `kill -9` in the middle of sign-ups: every user that is there is there whole.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use store::{Location, Store};

use crate::engines::{NOW, count_users, key, new_user, words};

/// Names the file to the child process.
const FILE: &str = "STORE_CRASH_FILE";

fn location(path: &Path) -> Location {
    Location::SqlCipher { path: path.to_owned(), key: key(1) }
}

/// The child: signs users up until it is killed. Runs only where the parent below asks for it.
#[tokio::test]
#[ignore = "the child process of a_kill_in_the_middle_leaves_whole_users"]
async fn sign_up_until_killed() {
    let Some(path) = std::env::var_os(FILE) else { return };
    let store = Store::open(&location(Path::new(&path))).await.unwrap();
    let start = count_users(&store).await;
    for number in start.. {
        let user = new_user(&format!("{number:06}"));
        store.insert_user(&user, &words(&["a", "b", "c"])).await.unwrap();
    }
}

#[tokio::test]
async fn a_kill_in_the_middle_leaves_whole_users() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = Store::open(&location(&path)).await.unwrap();
    for role in ["a", "b", "c"] {
        store.upsert_role(role, "", false, &[], NOW).await.unwrap();
    }
    store.close().await;

    let mut seen = 0;
    for round in 0..5_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "crash::sign_up_until_killed"])
            .env(FILE, &path)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Killed at a different place each time, and only after it has written something.
        let store = Store::open(&location(&path)).await.unwrap();
        while count_users(&store).await < seen + 3 + round * 7 {
            assert!(child.try_wait().unwrap().is_none(), "the child ended by itself");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        store.close().await;

        let store = Store::open(&location(&path)).await.unwrap();
        let users = store.users(None, 1_000_000).await.unwrap();
        assert!(users.len() as u64 > seen);
        for user in &users {
            assert_eq!(store.user_roles(&user.id).await.unwrap(), ["a", "b", "c"], "{}", user.id);
        }
        seen = users.len() as u64;
        // The next one can sign up at once: no lock was left behind.
        store.insert_user(&new_user(&format!("{seen:06}")), &words(&["a", "b", "c"])).await.unwrap();
        seen += 1;
        store.close().await;
    }
}
