//! Which measures the lines of two documents stand for: one of our own wording, which always runs, and the team's,
//! which is not in this repository. The folder of the team's comes from `PORTCULLIS_TEST_SHARED`, else it is
//! `../shared` beside the workspace.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use audit::MeasureId::{self, A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, G1, G2, N1, N2};
use audit::report::{Claim, Measure, Run, SCHEMA};
use audit::{Document, Report, Verdict};

const TEAMS: &str = "security-measures.md";

/// A document and what must be understood of it. Lines are counted from 0.
struct Expected {
    text: String,
    own: Vec<Vec<MeasureId>>,
    /// A line, and the one that replaced it.
    replaced: (usize, usize),
    /// A line that is nested, and by how many columns.
    nested: (usize, usize),
    /// A line that is written over two.
    tall: Option<usize>,
    /// The line that tells environments apart, and which.
    environments: Option<(usize, Vec<&'static str>)>,
    /// What A4 and A10 promise, in seconds.
    promised: (Option<i64>, Option<i64>),
    ticked: Vec<usize>,
    /// Ticked by a report in which A5, A6, A7 and A9 hold, and A8 does not; what is not measured stays as it was.
    proven: Vec<usize>,
}

fn other_wording() -> Expected {
    let alone = [G1, G2, A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, N1, N2].map(|id| vec![id]);
    Expected {
        text: include_str!("data/other-wording.md").to_owned(),
        own: alone.into_iter().chain([vec![]]).collect(),
        replaced: (6, 7),
        nested: (5, 2),
        tall: Some(10),
        environments: None,
        promised: (Some(90 * 86_400), Some(15 * 60)),
        ticked: vec![1, 2, 3, 4, 8, 10, 11, 13, 14],
        proven: vec![6, 7, 8, 10, 14],
    }
}

fn the_teams() -> Option<Expected> {
    Some(Expected {
        text: read(TEAMS)?,
        own: vec![
            vec![G1],
            vec![G2],
            vec![A1, A2],
            vec![A3],
            vec![A4],
            vec![A5],
            vec![A6],
            vec![A7, A8],
            vec![A9],
            vec![A10],
            vec![N1],
            vec![N2],
        ],
        replaced: (5, 6),
        nested: (4, 2),
        tall: None,
        environments: Some((10, vec!["development", "staging", "production"])),
        promised: (None, None),
        ticked: vec![0, 2, 3, 5, 6, 7, 8, 9, 10, 11],
        proven: vec![5, 6, 8],
    })
}

fn every_document() -> Vec<Expected> {
    let mut all = vec![other_wording()];
    all.extend(the_teams());
    all
}

#[test]
fn lines_are_known_by_their_words() {
    for expected in every_document() {
        let document = Document::parse(&expected.text);
        let lines = document.lines();
        assert_eq!(lines.iter().map(|line| line.own.clone()).collect::<Vec<_>>(), expected.own);
        for (at, line) in lines.iter().enumerate() {
            let replaced = (at == expected.replaced.0).then_some(expected.replaced.1);
            assert_eq!(line.replaced_by, replaced, "{}", line.text);
            assert_eq!(line.height, if expected.tall == Some(at) { 2 } else { 1 }, "{}", line.text);
            let environments = expected.environments.as_ref().filter(|(line, _)| *line == at);
            assert_eq!(line.environments, environments.map_or(vec![], |(_, names)| names.clone()));
        }
        assert_eq!(
            lines[expected.replaced.1].measures,
            [A5, A6],
            "its own, and those of the line it replaces"
        );
        assert_eq!(lines[expected.nested.0].indent, expected.nested.1);
        assert_eq!((document.promised(A4), document.promised(A10)), expected.promised);
        assert_eq!(ticked(&document), expected.ticked);
    }
}

#[test]
fn a_document_stays_word_for_word_and_its_boxes_are_evidence() {
    let report = report(&[
        (A5, Verdict::Superseded),
        (A6, Verdict::Pass),
        (A7, Verdict::Pass),
        (A8, Verdict::NotProven),
        (A9, Verdict::Pass),
    ]);
    let unticked = |text: &str| {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("- Evidence: "));
        lines.map(|line| line.replacen("[x]", "[ ]", 1)).collect::<Vec<_>>()
    };
    for expected in every_document() {
        let document = Document::parse(&expected.text);
        let text = document.render(&report, &[], 0);
        assert_eq!(unticked(&text), unticked(&expected.text));
        let measured = document.lines().iter().filter(|line| !line.measures.is_empty()).count();
        assert_eq!(text.matches("- Evidence: ").count(), measured);
        let again = Document::parse(&text);
        assert_eq!(ticked(&again), expected.proven, "{text}");
        assert_eq!(again.render(&report, &[], 0), text, "read again, nothing grows");
    }
}

/// Three teams, three ways to write a checklist: what is known, and what is ours in the text afterwards.
#[test]
fn checklists_of_every_style_keep_it() {
    let report = report(&[(A9, Verdict::Pass), (N2, Verdict::Pass), (A10, Verdict::NotProven)]);
    for (style, source, own, wanted) in [
        (
            "numbered tasks",
            "1. [ ] Each route demands a scope.\n   1. [x] A token expires after 1 hour.\n10) [x] Tea.\n",
            vec![vec![A9], vec![A10], vec![]],
            "1. [x] Each route demands a scope.\n   - Evidence\n   1. [ ] A token expires after 1 hour.\n      - \
             Evidence\n10) [x] Tea.\n",
        ),
        (
            "stars and CRLF, a table between, no end of the last line",
            "* [X] Every endpoint\r\n  demands a scope.\r\n\r\n| a | b |\r\n|---|---|\r\n\r\n* [ ] CORS is strict.",
            vec![vec![A9], vec![N2]],
            "* [X] Every endpoint\r\n  demands a scope.\r\n  - Evidence\r\n\r\n| a | b |\r\n|---|---|\r\n\r\n* [x] CORS is \
             strict.\r\n  - Evidence",
        ),
        (
            "German",
            "- [x] Jeder Endpunkt verlangt ein Recht.\n- [ ] Passwörter liegen nie im Klartext.\n",
            vec![vec![], vec![]],
            "- [x] Jeder Endpunkt verlangt ein Recht.\n- [ ] Passwörter liegen nie im Klartext.\n",
        ),
    ] {
        let document = Document::parse(source);
        let found: Vec<_> = document.lines().iter().map(|line| line.own.clone()).collect();
        assert_eq!(found, own, "{style}");
        let text = document.render(&report, &[], 0);
        let cut = text.split_inclusive('\n').map(|line| match line.split_once("- Evidence: ") {
            Some((before, rest)) => {
                format!("{before}- Evidence{}", &rest[rest.trim_end_matches(['\r', '\n']).len()..])
            }
            None => line.to_owned(),
        });
        assert_eq!(cut.collect::<String>(), wanted, "{style}");
        assert_eq!(Document::parse(&text).render(&report, &[], 0), text, "{style}: twice is once");
    }
    // What no words tell somebody says.
    let said = [("Jeder Endpunkt verlangt ein Recht.".to_owned(), vec![A9])].into();
    let german = Document::parse("- [ ] Jeder Endpunkt verlangt ein Recht.\n").mapped(&said);
    assert!(german.render(&report, &[], 0).starts_with("- [x] Jeder Endpunkt"));
}

fn ticked(document: &Document) -> Vec<usize> {
    document.lines().iter().enumerate().filter(|(_, line)| line.ticked).map(|(at, _)| at).collect()
}

fn report(verdicts: &[(MeasureId, Verdict)]) -> Report {
    let measures = verdicts.iter().map(|(id, verdict)| Measure {
        id: *id,
        line: id.sentence().into(),
        verdict: *verdict,
        claims: vec![Claim::pass("a_claim", Vec::new()).but(*verdict)],
        value: None,
    });
    Report {
        schema: SCHEMA,
        run: Run {
            started: "1970-01-01T00:00:00Z".into(),
            started_at: 0,
            environment: "development".into(),
            vantages: Vec::new(),
            target: "http://t".into(),
            issuer: "http://i/".into(),
            version: "0".into(),
            id: "x".into(),
            ..Run::default()
        },
        measures: measures.collect(),
        ..Report::default()
    }
}

/// The team's document; none, said aloud, where there is none.
fn read(name: &str) -> Option<String> {
    let Some(path) = folder(name).map(|folder| folder.join(name)) else {
        // Straight to standard error: what `eprintln!` says in a passing test is swallowed.
        let line = "=".repeat(90);
        let text = format!(
            "\n{line}\nNOT RUN on the team's document: {name} is not here. Other wording was tried alone.\n\
             Set PORTCULLIS_TEST_SHARED to a folder that holds it.\n{line}\n"
        );
        std::io::stderr().write_all(text.as_bytes()).unwrap();
        return None;
    };
    Some(fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

#[expect(clippy::disallowed_methods, reason = "a test is told by the environment where the document is")]
fn folder(name: &str) -> Option<PathBuf> {
    if let Ok(folder) = std::env::var("PORTCULLIS_TEST_SHARED") {
        return Some(folder.into());
    }
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    beside.join(name).is_file().then_some(beside)
}

#[test]
fn a_document_without_check_boxes_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("measures.md");
    std::fs::write(&file, "# Measures\n\n- The database is private.\n").unwrap();
    let error = Document::read(&file).unwrap_err().to_string();
    assert!(error.contains("measures.md has no check boxes"), "{error}");
    std::fs::write(&file, "- [ ] The database is private.\n").unwrap();
    assert_eq!(Document::read(&file).unwrap().lines().len(), 1);
    assert!(
        Document::read(&folder.path().join("absent.md")).unwrap_err().to_string().contains("cannot be read")
    );
}
