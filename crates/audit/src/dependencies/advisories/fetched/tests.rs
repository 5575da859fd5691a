//! Real repositories over `file://`, and servers that are not there.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Mutex;

use super::super::copy::REASON;
use super::super::{Advisories, Database, judge, observe};
use super::*;
use crate::dependencies::locks::{Locks, Package, Registry};
use crate::dependencies::repository_of_tests as planted;
use crate::report::Claim;
use crate::verdict::Verdict;

const DAY: i64 = 86_400;
const NOW: i64 = 1_795_910_400; // 2026-11-29

/// Somebody's repository of advisories, and the state of an audit.
struct World {
    folder: tempfile::TempDir,
    locks: Locks,
}

impl World {
    fn new() -> Self {
        let packages = [Package::new(Registry::Crates, "planted", "1.0.0")].into();
        let world =
            Self { folder: tempfile::tempdir().unwrap(), locks: Locks { packages, ..Locks::default() } };
        std::fs::create_dir(world.theirs()).unwrap();
        planted::git(&world.theirs(), 0, planted::PERSON, &["init", "-q"]);
        world
    }

    fn theirs(&self) -> PathBuf {
        self.folder.path().join("advisory-db")
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn url(&self) -> String {
        format!("file://{}", self.theirs().display())
    }

    /// An advisory that says which versions are patched, committed so many days ago.
    fn publish(&self, id: &str, patched: &str, days: i64) {
        let folder = self.theirs().join("crates/planted");
        std::fs::create_dir_all(&folder).unwrap();
        let text = format!(
            "```toml\n[advisory]\nid = \"{id}\"\npackage = \"planted\"\ndate = \"2026-01-01\"\n[versions]\npatched = [\"{patched}\"]\n```\n"
        );
        std::fs::write(folder.join(format!("{id}.md")), text).unwrap();
        planted::commit(&self.theirs(), NOW - days * DAY, planted::PERSON, id);
    }

    async fn bring(&self, url: &str) -> Result<Copy, String> {
        bring(&remote(url), Some(&self.state()), PATIENCE, |_| ()).await
    }

    async fn claim(&self, url: &str) -> Claim {
        let seen = self.bring(url).await.and_then(|copy| observe(&Database::Copy(copy), &self.locks));
        judge(Some(&seen), &self.locks, 30 * DAY, NOW)
    }
}

fn remote(url: &str) -> Remote {
    // Whoever is named in the URL has this password.
    let password = url.contains('@').then(|| "s3cret".into());
    match Advisories::parse(url, password.as_ref(), Path::to_owned) {
        Ok(Advisories::Remote(remote)) => remote,
        other => panic!("{url}: {other:?}"),
    }
}

#[track_caller]
fn says(claim: &Claim, verdict: Verdict, parts: &[&str]) {
    assert_eq!(claim.verdict, verdict, "{claim:?}");
    for part in parts {
        assert!(claim.evidence[0].what.contains(part), "{part}: {claim:?}");
    }
}

#[tokio::test]
async fn it_is_fetched_once_renewed_by_later_runs_and_kept_for_when_nobody_answers() {
    let world = World::new();
    world.publish("RUSTSEC-2026-0001", ">= 1.0.0", 1);
    let url = world.url();
    says(
        &world.claim(&url).await,
        Verdict::Pass,
        &["1 advisories, as of 2026-11-28", &format!("fetched from {url}")],
    );
    // What came since then is seen.
    world.publish("RUSTSEC-2026-0002", ">= 1.2.0", 0);
    says(&world.claim(&url).await, Verdict::Fail, &["planted 1.0.0: RUSTSEC-2026-0002"]);
    // What was taken back is gone, though history was rewritten for it.
    planted::git(&world.theirs(), 0, planted::PERSON, &["reset", "-q", "--hard", "HEAD~1"]);
    says(&world.claim(&url).await, Verdict::Pass, &["1 advisories"]);
    std::fs::rename(world.theirs(), world.folder.path().join("gone")).unwrap();
    says(
        &world.claim(&url).await,
        Verdict::Pass,
        &["1 days old: the copy that an earlier run kept", "could not be fetched (", "advisory-db"],
    );
    // Shallow: one commit, however long their history is.
    let copies = std::fs::read_dir(world.state().join("advisories")).unwrap().flatten();
    let copies: Vec<PathBuf> = copies.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    let [copy] = copies.as_slice() else { panic!("{copies:?}") };
    assert_eq!(said(copy, &["rev-list", "--count", NEWEST]).unwrap().trim(), "1");
    let names: Vec<_> = std::fs::read_dir(copy).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(names, [".git"], "nothing is checked out");
}

#[tokio::test]
async fn a_stale_copy_proves_nothing_and_still_finds() {
    let world = World::new();
    world.publish("RUSTSEC-2026-0001", ">= 1.0.0", 8);
    let url = world.url();
    // Fetched just now, and as old as what is in it: a mirror that nobody renews.
    says(&world.claim(&url).await, Verdict::NotProven, &["fetched from", "8 days old"]);
    std::fs::rename(world.theirs(), world.folder.path().join("gone")).unwrap();
    says(&world.claim(&url).await, Verdict::NotProven, &["8 days old", "could not be fetched ("]);
    std::fs::rename(world.folder.path().join("gone"), world.theirs()).unwrap();
    world.publish("RUSTSEC-2026-0002", ">= 1.2.0", 8);
    world.bring(&url).await.unwrap();
    std::fs::rename(world.theirs(), world.folder.path().join("gone")).unwrap();
    says(&world.claim(&url).await, Verdict::Fail, &["RUSTSEC-2026-0002"]);
}

#[tokio::test]
async fn who_cannot_be_reached_is_named_and_its_password_is_not() {
    let world = World::new();
    let url = "https://ada@127.0.0.1:1/advisory-db";
    let claim = world.claim(url).await;
    says(
        &claim,
        Verdict::NotProven,
        &[
            "https://127.0.0.1:1/advisory-db could not be fetched, and no earlier run kept a copy",
            "127.0.0.1",
        ],
    );
    assert!(!format!("{claim:?}").contains("s3cret"), "{claim:?}");
    let mut folders = vec![world.state()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                let bytes = std::fs::read(entry.path()).unwrap();
                let text = String::from_utf8_lossy(&bytes);
                assert!(!text.contains("s3cret") && !text.contains("ada"), "{}", entry.path().display());
            }
        }
    }
    let nowhere = bring(&remote(url), None, PATIENCE, |_| ()).await.unwrap_err();
    assert!(nowhere.contains("[audit] state") && !nowhere.contains("s3cret"), "{nowhere}");
    let nothing = world.claim(&world.url()).await;
    says(&nothing, Verdict::NotProven, &["no earlier run kept a copy", "HEAD"]);
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up() {
    let world = World::new();
    // It takes connections, and says nothing.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/advisory-db", listener.local_addr().unwrap());
    let state = world.state();
    let remote = remote(&url);
    let fetching = bring(&remote, Some(&state), Duration::from_millis(1_500), |_| ());
    let (why, caller) = tokio::join!(fetching, listener.accept());
    assert!(caller.is_ok());
    assert!(why.is_err_and(|why| why.contains("longer than 1 s")));
}

#[tokio::test]
async fn what_a_killed_run_left_stops_nobody() {
    let world = World::new();
    world.publish("RUSTSEC-2026-0001", ">= 1.0.0", 1);
    let url = world.url();
    let copy = world.bring(&url).await.unwrap();
    let git = copy.folder.join(".git");
    for left in ["shallow.lock", "config.lock", "refs/advisories/newest.lock", "objects/pack/tmp_pack_1"] {
        std::fs::write(git.join(left), "").unwrap();
    }
    world.publish("RUSTSEC-2026-0002", ">= 1.0.0", 0);
    says(&world.claim(&url).await, Verdict::Pass, &["2 advisories", "fetched from"]);
    assert!(!git.join("objects/pack/tmp_pack_1").exists());
    // Half of a repository, and what is none, in a folder that lies in another repository.
    std::fs::write(git.join("HEAD"), "").unwrap();
    planted::git(world.folder.path(), 0, planted::PERSON, &["init", "-q"]);
    says(&world.claim(&url).await, Verdict::Pass, &["2 advisories", "fetched from"]);
}

#[tokio::test]
async fn nothing_that_a_stranger_wrote_is_run_or_followed() {
    let world = World::new();
    let theirs = world.theirs();
    let ran = world.folder.path().join("was-run");
    let program = format!("touch {}", ran.display());
    std::fs::write(theirs.join(".gitattributes"), "* filter=evil\n").unwrap();
    std::fs::write(
        theirs.join(".gitmodules"),
        "[submodule \"x\"]\npath = x\nurl = ext::sh -c touch%20was-run\n",
    )
    .unwrap();
    symlink("/etc/hostname", theirs.join("RUSTSEC-2026-0009.md")).unwrap();
    world.publish("RUSTSEC-2026-0001", ">= 1.0.0", 1);
    let hook = theirs.join(".git/hooks/post-upload-pack");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, format!("#!/bin/sh\n{program}\n")).unwrap();
    for name in ["filter.evil.smudge", "filter.evil.clean", "core.fsmonitor", "uploadpack.packObjectsHook"] {
        planted::git(&theirs, 0, planted::PERSON, &["config", name, &program]);
    }
    let claim = world.claim(&world.url()).await;
    says(&claim, Verdict::NotProven, &["1 files cannot be read, RUSTSEC-2026-0009.md one of them"]);
    assert!(!ran.exists());
}

#[tokio::test]
async fn progress_is_told_and_audits_at_the_same_time_wait_for_each_other() {
    let world = World::new();
    world.publish("RUSTSEC-2026-0001", ">= 1.0.0", 1);
    let (remote, state) = (remote(&world.url()), world.state());
    let heard = Mutex::new(BTreeSet::new());
    let bring = || bring(&remote, Some(&state), PATIENCE, |how_far| heard.lock().unwrap().extend([how_far]));
    let all = futures_util::future::join_all((0..4).map(|_| bring())).await;
    assert!(
        all.iter().all(|one| one.as_ref().is_ok_and(|copy| matches!(copy.origin, Origin::Fetched { .. })))
    );
    assert!(heard.lock().unwrap().iter().any(|how_far| how_far.contains('%')), "{heard:?}");
}

#[test]
fn what_git_says_is_one_line_without_controls() {
    assert_eq!(reason("remote: hello\nfatal: no \u{1b}[31mway\nthere\n"), "no \\u{1b}[31mway");
    assert_eq!(reason(""), "git refused");
    assert_eq!(reason(&format!("error: {}", "x".repeat(1_000))).len(), REASON);
}
