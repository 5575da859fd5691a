//! The engine of `portcullis scan` against three that nobody here wrote, on one corpus in one run; and on this repository.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod corpus;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use audit::scan::{BASELINE_FILE, Baseline, Options, scan};
use corpus::{Score, build, score};

/// Any other gives the same order of the four; the table in docs/scan.md is of this one.
const SEED: u64 = 20_261_129;
/// 2026-11-29. The baseline's entries end; this test does not begin to fail on that day, `portcullis scan` does.
const NOW: i64 = 1_795_910_400;

type Reported = BTreeSet<(String, usize)>;

fn ours(folder: &Path) -> Reported {
    let scanned = scan(&Options::new(folder, NOW), &|_| {}).unwrap();
    assert_eq!(scanned.gaps, Vec::<String>::new());
    let places = scanned.findings.iter().flat_map(|finding| &finding.places);
    places.map(|place| (place.path.clone().unwrap(), place.line)).collect()
}

fn detect_secrets(folder: &Path) -> Reported {
    let output = Command::new(testkit::ecosystem::python())
        .args(["-m", "detect_secrets", "scan", "--all-files", "--no-verify", "."])
        .current_dir(folder)
        .output()
        .unwrap();
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let files = found["results"].as_object().unwrap();
    files
        .iter()
        .flat_map(|(file, findings)| {
            let lines =
                findings.as_array().unwrap().iter().map(|one| one["line_number"].as_u64().unwrap() as usize);
            lines.map(|line| (file.clone(), line))
        })
        .collect()
}

fn secretlint(folder: &Path) -> Reported {
    let script = repository().join("tests/ecosystem/secretlint.mjs");
    let output = Command::new("node")
        .arg(script)
        .arg(testkit::ecosystem::node_modules())
        .arg(folder)
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

/// Each file is named: of a folder it leaves out what begins with a dot.
fn ripsecrets(folder: &Path) -> Reported {
    let mut files = Vec::new();
    all_files(folder, folder, &mut files);
    let program = testkit::ecosystem::cargo_program("ripsecrets");
    let output = Command::new(program).args(files).current_dir(folder).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().map(|line| {
        let mut fields = line.splitn(3, ':');
        (fields.next().unwrap().to_owned(), fields.next().unwrap().parse().unwrap())
    });
    lines.collect()
}

fn all_files(top: &Path, folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all_files(top, &path, files);
        } else {
            files.push(path.strip_prefix(top).unwrap().to_owned());
        }
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn more_is_found_and_less_is_wrong_than_with_each_of_three_others() {
    let folder = tempfile::tempdir().unwrap();
    let planted = build(folder.path(), SEED);
    assert!(corpus::KINDS.len() >= 40);
    let scores: Vec<(&str, Score)> = [
        ("portcullis scan", ours as fn(&Path) -> Reported),
        ("detect-secrets", detect_secrets),
        ("secretlint", secretlint),
        ("ripsecrets", ripsecrets),
    ]
    .map(|(name, tool)| (name, score(&planted, &tool(folder.path()))))
    .to_vec();
    println!("{} kinds, {} keys", corpus::KINDS.len(), planted.len());
    for (name, score) in &scores {
        println!(
            "| {name} | {} of {} | {} | {:.2} | {:.2} |",
            score.found,
            score.of,
            score.wrong,
            score.precision(),
            score.recall()
        );
    }
    let mine = ours(folder.path());
    for one in planted.iter().filter(|one| score(std::slice::from_ref(one), &mine).found == 0) {
        println!("portcullis scan misses: {}", one.kind);
    }
    let (_, first) = scores[0];
    for (name, other) in &scores[1..] {
        assert!(other.found > 0, "{name} found nothing: it did not run");
        assert!(first.precision() > other.precision(), "{name}: {first:?} {other:?}");
        assert!(first.recall() > other.recall(), "{name}: {first:?} {other:?}");
    }
    assert!(first.precision() >= 0.98 && first.recall() >= 0.9, "{first:?}");
    // Another seed draws other keys; what is found does not hang on the draw.
    for seed in [1, 2] {
        let folder = tempfile::tempdir().unwrap();
        let planted = build(folder.path(), seed);
        let again = score(&planted, &ours(folder.path()));
        assert!(again.precision() >= 0.98 && again.recall() >= 0.9, "seed {seed}: {again:?}");
    }
}

#[test]
fn this_repository_and_its_history_hold_no_secret() {
    let top = repository();
    let json = std::fs::read(top.join(BASELINE_FILE)).unwrap();
    let baseline = Baseline::parse(&json).unwrap();
    let scanned = scan(&Options { baseline, ..Options::new(&top, NOW) }, &|_| {}).unwrap();
    assert!(scanned.findings.is_empty(), "{}", scanned.text(false));
    // Who has less than the whole history, or a checkout that git does not trust, looks at what there is.
    let unexpected: Vec<_> = scanned
        .gaps
        .iter()
        .filter(|gap| !["shallow", "partial", "dubious ownership"].iter().any(|known| gap.contains(known)))
        .collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
}
