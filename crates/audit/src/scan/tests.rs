//! Real repositories, made by git, each with a secret in a place of its own.

use std::path::Path;
use std::process::Command;

use super::*;

const NOW: i64 = 1_800_000_000;

/// Made here, so that this file itself holds nothing that looks like a key.
fn token(letter: char) -> String {
    format!("ghp{}R7kq2ZmX9vLwT4bNcY8sJ1dHfG6pQ3eUaWz{letter}", '_')
}

struct Made {
    folder: tempfile::TempDir,
}

impl Made {
    fn new() -> Self {
        let made = Self { folder: tempfile::tempdir().unwrap() };
        made.git(&["init", "-q", "-b", "main"]);
        made.write("README.md", b"nothing here\n");
        made.commit("first");
        made
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn git(&self, arguments: &[&str]) -> String {
        git(self.path(), arguments)
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn commit(&self, message: &str) {
        self.git(&["add", "-A", "-f"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
    }

    fn scan(&self) -> Scanned {
        self.scan_with(|_| {})
    }

    fn scan_with(&self, change: impl FnOnce(&mut Options)) -> Scanned {
        let mut options = Options::new(self.path(), NOW);
        change(&mut options);
        scan(&options, &|_| {}).unwrap()
    }
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args([
            "-c",
            "user.name=Test",
            "-c",
            "user.email=test@example.com",
            "-c",
            "protocol.file.allow=always",
        ])
        .args(arguments)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env_remove("GIT_DIR")
        .env_remove("GIT_INDEX_FILE")
        .env_remove("GIT_WORK_TREE")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn only(scanned: &Scanned) -> &Finding {
    assert_eq!(scanned.findings.len(), 1, "{}", scanned.text(false));
    &scanned.findings[0]
}

fn clean(scanned: &Scanned) {
    assert_eq!(scanned.exit_code(), 0, "{}", scanned.text(false));
}

fn live(value: &[u8]) -> Vec<LiveSecret> {
    vec![LiveSecret { name: "store.password".into(), value: value.to_vec().into() }]
}

#[test]
fn a_file_of_the_work_tree_has_its_line_and_not_its_secret() {
    let made = Made::new();
    made.write("src/config.js", format!("// one\nconst t = '{}';\n", token('K')).as_bytes());
    let scanned = made.scan();
    let finding = only(&scanned);
    assert_eq!((finding.rule.as_str(), finding.in_work_tree), ("github-token", true));
    assert_eq!((finding.places[0].path.as_deref(), finding.places[0].line), (Some("src/config.js"), 2));
    assert_eq!(scanned.exit_code(), 1);
    for printed in [scanned.text(true), scanned.json(), format!("{scanned:?}")] {
        assert!(!printed.contains("R7kq2ZmX9v"), "{printed}");
    }
}

#[test]
fn what_only_the_history_knows_is_found_wherever_it_hides() {
    let token = token('K');
    let line = format!("token = {token}\n");
    type Hide = fn(&Made, &[u8]);
    let deleted: Hide = |made, line| {
        made.write("old.txt", line);
        made.commit("in");
        std::fs::remove_file(made.path().join("old.txt")).unwrap();
        made.commit("out");
    };
    let stashed: Hide = |made, line| {
        made.write("README.md", line);
        made.git(&["stash", "-q"]);
    };
    let tagged: Hide = |made, line| {
        made.git(&["checkout", "-q", "-b", "side"]);
        made.write("side.txt", line);
        made.commit("side");
        made.git(&["tag", "v1"]);
        made.git(&["checkout", "-q", "main"]);
        made.git(&["branch", "-q", "-D", "side"]);
    };
    let amended: Hide = |made, line| {
        made.write("a.txt", line);
        made.commit("a");
        made.git(&["reset", "-q", "--hard", "HEAD~1"]);
        made.git(&["reflog", "expire", "--expire=now", "--all"]);
    };
    let said: Hide = |made, line| {
        made.git(&["commit", "-q", "--allow-empty", "-m", &String::from_utf8_lossy(line)]);
    };
    for (how, hide, path) in [
        ("deleted", deleted, Some("old.txt")),
        ("stashed", stashed, Some("README.md")),
        ("tagged", tagged, Some("side.txt")),
        ("unreachable", amended, None),
        ("in a message", said, Some("(commit message)")),
    ] {
        let made = Made::new();
        hide(&made, line.as_bytes());
        let scanned = made.scan();
        let finding = only(&scanned);
        assert!(!finding.in_work_tree, "{how}");
        assert_eq!(finding.places[0].path.as_deref(), path, "{how}");
        assert_eq!(scanned.exit_code(), 1, "{how}");
        if how == "deleted" {
            let commit = finding.places[0].commit.clone().unwrap();
            assert_eq!(made.git(&["log", "-1", "--format=%s", &commit]), "in");
        }
    }
}

#[test]
fn an_ignored_file_counts_once_it_was_committed() {
    let made = Made::new();
    made.write(".gitignore", b".env\n");
    made.git(&["add", ".gitignore"]);
    made.git(&["commit", "-q", "-m", "ignore"]);
    made.write(".env", format!("GITHUB_TOKEN={}\n", token('K')).as_bytes());
    clean(&made.scan());
    made.commit("by force");
    let scanned = made.scan();
    assert!(only(&scanned).places[0].ignored_but_committed);
    assert!(scanned.text(false).contains("git rm --cached"));
    made.git(&["rm", "-q", "--cached", ".env"]);
    made.git(&["commit", "-q", "-m", "out"]);
    assert!(!only(&made.scan()).in_work_tree, "the history keeps it");
}

#[test]
fn placeholders_of_an_example_file_are_no_secrets() {
    let made = Made::new();
    made.write(
        ".env.example",
        b"DB_PASSWORD=changeme\nAPI_KEY=your_api_key_here\nAWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE\nDATABASE_URL=postgres://user:password@localhost/app\nSECRET_KEY=<generate one>\n",
    );
    made.commit("example");
    clean(&made.scan());
}

#[test]
fn a_pragma_excuses_its_line_and_the_same_secret_in_the_history() {
    let made = Made::new();
    let token = token('K');
    made.write("tests/data.txt", format!("{token}\n").as_bytes());
    made.commit("without");
    made.write("tests/data.txt", format!("{token} # portcullis:allow\n").as_bytes());
    let scanned = made.scan();
    assert!(only(&scanned).note.as_deref().unwrap().contains("no reason"));
    made.write(
        "tests/data.txt",
        format!("{token} # portcullis:allow a token of this test alone\n").as_bytes(),
    );
    made.commit("with");
    let scanned = made.scan();
    clean(&scanned);
    assert_eq!(scanned.allowed[0].reason, "a token of this test alone");
    made.write("src/other.txt", format!("{token}\n").as_bytes());
    assert_eq!(
        only(&made.scan()).places[0].path.as_deref(),
        Some("src/other.txt"),
        "another line needs its own"
    );
}

#[test]
fn a_baseline_excuses_a_fingerprint_until_its_day() {
    let made = Made::new();
    made.write("old.txt", format!("{}\n", token('K')).as_bytes());
    made.commit("in");
    let fingerprint = only(&made.scan()).fingerprint.clone().unwrap();
    let baseline = |expires: &str| {
        let entry = format!(
            "{{\"fingerprint\": \"{fingerprint}\", \"reason\": \"revoked\", \"owner\": \"ada\", \"expires\": \"{expires}\"}}"
        );
        Baseline::parse(format!("{{\"schema\": 1, \"findings\": [{entry}]}}").as_bytes()).unwrap()
    };
    clean(&made.scan_with(|options| options.baseline = baseline("2100-01-01")));
    let expired = made.scan_with(|options| options.baseline = baseline("2020-01-01"));
    assert!(only(&expired).note.as_deref().unwrap().contains("until 2020-01-01 (ada: revoked)"));
}

#[test]
fn a_live_secret_is_found_in_every_spelling_and_nothing_excuses_it() {
    use base64::Engine as _;
    let secret = b"correct-horse/battery+staple";
    let encoded = base64::engine::general_purpose::STANDARD.encode([b"xy", &secret[..], b"z"].concat());
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let raw = String::from_utf8_lossy(secret).into_owned();
    for content in [
        format!("{raw} # portcullis:allow a test's\n"),
        format!("data: {encoded}\n"),
        format!("{hex}\n"),
        "url=correct-horse%2Fbattery%2Bstaple\n".to_owned(),
    ] {
        let made = Made::new();
        made.write("tests/fixture.bin", content.as_bytes());
        made.commit("in");
        std::fs::remove_file(made.path().join("tests/fixture.bin")).unwrap();
        made.commit("out");
        let scanned = made.scan_with(|options| options.live = live(secret));
        let finding = scanned.findings.iter().find(|finding| finding.is_live()).unwrap();
        assert_eq!((finding.what.as_str(), finding.fingerprint.as_deref()), ("store.password", None));
        assert!(!scanned.text(false).contains("horse"), "{}", scanned.text(false));
    }
    let made = Made::new();
    clean(&made.scan_with(|options| options.live = live(secret)));
    let short = made.scan_with(|options| options.live = live(b"short"));
    assert_eq!(short.exit_code(), 3);
}

#[test]
fn a_shallow_clone_is_a_gap() {
    let made = Made::new();
    made.commit("second");
    let elsewhere = tempfile::tempdir().unwrap();
    let from = format!("file://{}", made.path().display());
    git(elsewhere.path(), &["clone", "-q", "--depth", "1", &from, "clone"]);
    let scanned = scan(&Options::new(&elsewhere.path().join("clone"), NOW), &|_| {}).unwrap();
    assert_eq!(scanned.exit_code(), 3);
    assert!(scanned.gaps[0].contains("shallow"), "{:?}", scanned.gaps);
}

#[test]
fn large_file_pointers_and_submodules_that_were_not_fetched_are_gaps() {
    let made = Made::new();
    let oid = "9f".repeat(32);
    made.write(
        "video.bin",
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 12345\n").as_bytes(),
    );
    made.commit("pointer");
    let scanned = made.scan();
    assert_eq!(scanned.exit_code(), 3);
    assert!(scanned.gaps.iter().any(|gap| gap.contains("LFS")), "{:?}", scanned.gaps);
    std::fs::create_dir_all(made.path().join(".git/lfs/objects/9f/9f")).unwrap();
    std::fs::write(made.path().join(".git/lfs/objects/9f/9f").join(&oid), token('K')).unwrap();
    assert_eq!(made.scan().findings.len(), 1, "what was fetched is looked at");

    let inner = Made::new();
    inner.write("inner.txt", token('Q').as_bytes());
    inner.commit("inner");
    let outer = Made::new();
    outer.git(&["submodule", "--quiet", "add", &inner.path().display().to_string(), "vendor/inner"]);
    outer.commit("submodule");
    assert_eq!(only(&outer.scan()).places[0].path.as_deref(), Some("vendor/inner/inner.txt"));
    outer.git(&["submodule", "--quiet", "deinit", "-f", "vendor/inner"]);
    let scanned = outer.scan();
    assert!(
        scanned.gaps.iter().any(|gap| gap.contains("submodule vendor/inner was not fetched")),
        "{:?}",
        scanned.gaps
    );
}

#[test]
fn what_is_too_large_is_said_and_what_is_large_is_found_in() {
    let made = Made::new();
    let mut large = vec![b'x'; 5 << 20];
    large.extend(format!("\n{}\n", token('K')).bytes());
    made.write("large.bin", &large);
    made.commit("large");
    assert_eq!(only(&made.scan()).places[0].line, 2);
    let scanned = made.scan_with(|options| options.largest = 1 << 20);
    assert_eq!(scanned.exit_code(), 3);
    assert!(
        scanned.gaps.iter().all(|gap| gap.contains("6 MB are over the limit of 2 MB")),
        "{:?}",
        scanned.gaps
    );
}

#[test]
fn links_that_lead_in_circles_and_names_that_are_no_text_do_no_harm() {
    use std::os::unix::ffi::OsStrExt as _;
    let plain = tempfile::tempdir().unwrap();
    let made = Made::new();
    for folder in [plain.path(), made.path()] {
        std::os::unix::fs::symlink(".", folder.join("loop")).unwrap();
        std::os::unix::fs::symlink("/etc", folder.join("outside")).unwrap();
        let name = std::ffi::OsStr::from_bytes(b"caf\xe9.txt");
        std::fs::write(folder.join(name), [b"\xff\xfe\x80 ", token('K').as_bytes()].concat()).unwrap();
        let scanned = scan(&Options::new(folder, NOW), &|_| {}).unwrap();
        assert_eq!(only(&scanned).places[0].line, 1);
    }
    made.commit("links");
    assert_eq!(only(&made.scan()).rule, "github-token");
    assert_eq!(made.scan().gaps, Vec::<String>::new());
}

/// By root, too, whom no permission keeps out: paths that are longer than the system takes, and a file that gives an error
/// when it is read.
#[test]
fn what_cannot_be_read_is_a_gap_and_the_rest_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("seen"), format!("x {}", token('W'))).unwrap();
    let deep = "name=$(printf 'x%.0s' $(seq 250)); cd \"$0\"; \
                for _ in $(seq 20); do mkdir $name; cd -P $name; done; echo hidden > file";
    let made = Command::new("bash").args(["-c", deep]).arg(folder.path()).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let scanned = scan(&Options::new(folder.path(), NOW), &|_| {}).unwrap();
    only(&scanned);
    assert_eq!(scanned.gaps.len(), 1, "{:?}", scanned.gaps);
    assert!(scanned.gaps[0].contains("xxx: File name too long"), "{:?}", scanned.gaps);

    let scanned = scan(&Options::new(Path::new("/proc/self/mem"), NOW), &|_| {}).unwrap();
    assert!(scanned.gaps[0].starts_with("mem: "), "{:?}", scanned.gaps);
    assert_eq!(scanned.exit_code(), 3);
    assert!(scanned.text(false).contains("mem: "), "{}", scanned.text(false));
}

#[test]
fn what_is_no_file_is_named_and_nobody_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new("mkfifo").arg(folder.path().join("pipe")).status().unwrap();
    assert!(made.success());
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("dangling")).unwrap();
    std::os::unix::fs::symlink(".", folder.path().join("loop")).unwrap();
    std::fs::write(folder.path().join("file"), "nothing").unwrap();
    let scanned = scan(&Options::new(folder.path(), NOW), &|_| {}).unwrap();
    assert_eq!((scanned.files, scanned.exit_code()), (1, 0));
    let said = scanned.text(false);
    assert!(
        said.contains(
            "4 links, pipes, sockets or devices were neither followed nor read: dangling, loop, pipe, …"
        ),
        "{said}"
    );
    // Named themselves they are all that was asked for.
    std::os::unix::fs::symlink("file", folder.path().join("link")).unwrap();
    for name in ["pipe", "link"] {
        let alone = scan(&Options::new(&folder.path().join(name), NOW), &|_| {}).unwrap();
        assert_eq!(alone.exit_code(), 3, "{name}");
        assert!(alone.gaps[0].contains("it is no file"), "{:?}", alone.gaps);
    }
}

#[test]
fn staged_looks_at_the_index_alone() {
    let made = Made::new();
    made.write("old.txt", format!("{}\n", token('Q')).as_bytes());
    made.commit("old");
    made.write("new.txt", format!("{}\n", token('K')).as_bytes());
    made.git(&["add", "new.txt"]);
    made.write("new.txt", b"changed after it was staged\n");
    made.write("unstaged.txt", format!("{}\n", token('Z')).as_bytes());
    let staged = |made: &Made| made.scan_with(|options| options.staged = true);
    let scanned = staged(&made);
    assert_eq!(only(&scanned).places[0].path.as_deref(), Some("new.txt"));
    assert_eq!((scanned.files, scanned.objects), (1, None));
    made.git(&["add", "new.txt"]);
    clean(&staged(&made));
    // What the index does not hold itself is no clean news: a pointer of LFS, a submodule.
    let oid = "8f".repeat(32);
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 12345\n");
    made.write("large.bin", pointer.as_bytes());
    made.git(&["add", "large.bin"]);
    let link = format!("160000,{},vendor/inner", "1".repeat(40));
    made.git(&["update-index", "--add", "--cacheinfo", &link]);
    let scanned = staged(&made);
    assert_eq!((scanned.exit_code(), scanned.gaps.len()), (3, 2), "{}", scanned.text(false));
    std::fs::create_dir_all(made.path().join(".git/lfs/objects/8f/8f")).unwrap();
    std::fs::write(made.path().join(".git/lfs/objects/8f/8f").join(&oid), token('K')).unwrap();
    assert_eq!(only(&staged(&made)).places[0].path.as_deref(), Some("large.bin"));
    let nowhere = tempfile::tempdir().unwrap();
    let options = Options { staged: true, ..Options::new(nowhere.path(), NOW) };
    let Err(ScanError::Git(why)) = scan(&options, &|_| {}) else { panic!("there is no index") };
    assert!(why.starts_with("--staged looks at what the next commit brings, and "), "{why}");
}

#[test]
fn without_git_a_folder_that_keeps_itself_out_is_left_out_and_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    for (name, ignores) in [("state", "# ours\n*\n"), ("partly", "*\n!kept\n"), ("plain", "")] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        std::fs::write(folder.path().join(name).join(".gitignore"), ignores).unwrap();
        std::fs::write(folder.path().join(name).join("kept"), format!("x {}", token('Q'))).unwrap();
    }
    let scanned = scan(&Options::new(folder.path(), NOW), &|_| {}).unwrap();
    let mut places: Vec<_> = only(&scanned).places.iter().filter_map(|place| place.path.clone()).collect();
    places.sort();
    assert_eq!(places, ["partly/kept", "plain/kept"]);
    assert!(scanned.text(false).contains("state was not looked at"), "{}", scanned.text(false));
    // Named itself, it is looked at.
    let scanned = scan(&Options::new(&folder.path().join("state"), NOW), &|_| {}).unwrap();
    only(&scanned);
}

#[test]
fn a_repository_that_git_cannot_read_is_a_gap() {
    let made = Made::new();
    std::fs::write(made.path().join(".git/HEAD"), "nonsense").unwrap();
    let scanned = made.scan();
    assert_eq!(scanned.exit_code(), 3, "{}", scanned.text(false));
}

#[test]
fn a_configuration_that_leads_elsewhere_does_not_blind() {
    let elsewhere = tempfile::tempdir().unwrap();
    for (name, value) in [("core.worktree", elsewhere.path().to_str().unwrap()), ("core.bare", "true")] {
        let made = Made::new();
        made.write("a.txt", token('K').as_bytes());
        made.git(&["config", name, value]);
        let scanned = made.scan();
        assert!(only(&scanned).in_work_tree && !scanned.gaps.is_empty(), "{name}: {}", scanned.text(false));
        assert!(crate::dependencies::Repository::of(made.path()).is_err(), "{name}");
    }
    // Nothing is tracked, and all of it is kept out of the index.
    let made = Made { folder: tempfile::tempdir().unwrap() };
    made.git(&["init", "-q"]);
    assert_eq!(made.scan().exit_code(), 0, "there is nothing here");
    made.write(".git/info/exclude", b"*\n");
    made.write("a.txt", token('K').as_bytes());
    assert_eq!(made.scan().exit_code(), 3);
}

#[test]
fn submodules_and_folders_that_are_links_are_not_gone_into() {
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::write(elsewhere.path().join("s.txt"), token('Q')).unwrap();
    let made = Made::new();
    made.write("d/s.txt", b"nothing");
    made.git(&["add", "d/s.txt"]);
    std::fs::remove_dir_all(made.path().join("d")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), made.path().join("d")).unwrap();
    let commit = made.git(&["rev-parse", "HEAD"]);
    for name in ["a", "b"] {
        made.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{commit},{name}")]);
        std::os::unix::fs::symlink(".", made.path().join(name)).unwrap();
    }
    let scanned = made.scan();
    assert_eq!((scanned.exit_code(), scanned.gaps.len()), (3, 3), "{}", scanned.text(false));
    assert!(scanned.gaps.iter().all(|gap| gap.contains("is a link")), "{:?}", scanned.gaps);
}

#[test]
fn many_secrets_are_told_and_not_all_of_them_named() {
    let made = Made::new();
    let mut many = String::new();
    for at in 0..10_010 {
        many.push_str(&format!("ghp{}R7kq2ZmX9vLwT4bNcY8sJ1dHfG6pQ3{at:06}\n", '_'));
    }
    made.write("many.txt", many.as_bytes());
    let secret = b"correct-horse/battery+staple";
    made.write("z.txt", secret);
    let scanned = made.scan_with(|options| options.live = live(secret));
    assert_eq!(scanned.gaps.len(), 2, "{:?}", scanned.gaps);
    assert_eq!(scanned.findings.iter().filter(|finding| finding.fingerprint.is_some()).count(), 1000);
    assert!(scanned.findings.iter().any(Finding::is_live));
}
