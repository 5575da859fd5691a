//! A full disk under the store: what cannot be written is refused, what was promised stays, and room heals it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use testkit::http::Reply;

use crate::served::{AUDIENCE, Laid, Served};
use crate::world::{PASSWORD, access_token};

/// A small file system in memory, gone when dropped.
struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts it; `None` where this process may not mount.
    fn mount(folder: &Path) -> Option<Self> {
        std::fs::create_dir(folder).unwrap();
        let mount = ["-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs"];
        let mounted = Command::new("mount").args(mount).arg(folder).output();
        let mounted = mounted.is_ok_and(|output| output.status.success());
        mounted.then(|| Self { folder: folder.to_owned() })
    }

    /// Fills it until nothing fits any more.
    fn fill(&self) {
        let mut ballast = std::fs::File::create(self.folder.join("ballast")).unwrap();
        for size in [1 << 16, 1 << 10, 1] {
            while ballast.write_all(&vec![7; size]).is_ok() {}
        }
    }

    /// Makes room again.
    fn empty(&self) {
        std::fs::remove_file(self.folder.join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a test that fails still holds files open.
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}

async fn sign_up(here: &Served, email: &str) -> Reply {
    let body = json!({"email": email, "password": PASSWORD});
    here.http.post(&here.issuer("users")).json(&body).send().await
}

#[tokio::test]
async fn a_full_disk_answers_503_loses_nothing_and_heals_with_room() {
    let laid = Laid::out("").await;
    let Some(disk) = SmallDisk::mount(&laid.path("disk")) else {
        // Where continuous integration runs as root, it runs.
        eprintln!("SKIPPED: this process may not mount a small file system, so no disk can be filled");
        return;
    };
    laid.edit("sqlcipher:portcullis.db", "sqlcipher:disk/portcullis.db");
    laid.run(&["api", "create", "--identifier", AUDIENCE, "--scope", "read:notes"]).await.expect(0);
    let permission = format!("{AUDIENCE}=read:notes");
    laid.run(&["role", "create", "reader", "--permission", &permission, "--default"]).await.expect(0);
    let here = laid.start().await;
    here.sign_up("first@example.com").await;
    let token = access_token(&here.log_in("first@example.com", PASSWORD).await.expect(200));

    disk.fill();
    // The log may have a few pages of room left in its blocks: some more are promised, then none.
    let mut promised = vec!["first@example.com".to_owned()];
    let mut refused = Vec::new();
    let mut number = 0;
    while refused.len() < 3 {
        assert!(number < 90, "the disk never fills");
        let email = format!("user{number}@example.com");
        number += 1;
        let reply = sign_up(&here, &email).await;
        match reply.code() {
            201 => promised.push(email),
            503 => {
                assert_eq!(reply.header("content-type"), Some("application/problem+json"));
                assert!(reply.header("retry-after").is_some(), "{:?}", reply.headers);
                assert_eq!(reply.json()["status"], 503);
                refused.push(email);
            }
            other => panic!("{other}: {}\n{}", reply.text(), here.program().errors()),
        }
    }
    // What needs no room goes on.
    assert_eq!(here.notes(&token).await, 200);
    here.http.get(&here.issuer("users/me")).bearer(&token).send().await.expect(200);

    disk.empty();
    for email in &promised {
        here.log_in(email, PASSWORD).await.expect(200);
    }
    for email in &refused {
        here.log_in(email, PASSWORD).await.expect(401);
        sign_up(&here, email).await.expect(201);
        here.log_in(email, PASSWORD).await.expect(200);
    }

    // Another start finds a sound store with all of them.
    let here = here.kill().await.start().await;
    for email in promised.iter().chain(&refused) {
        here.log_in(email, PASSWORD).await.expect(200);
    }
    here.stop().await;
}
