//! `portcullis verify`: whether a report may be believed, from its file alone. No server, no configuration, no network.
//!
//! A signature shows that a file is what some key signed. Whose key that is, nobody's file can show: a verifier holds the
//! key, or its thumbprint, from elsewhere (`--key`).

mod believed;
mod chain;
mod unique;

pub use believed::{Believed, Disbelieved, read};
pub use chain::Chain;

use serde::Serialize;

use crate::document::{Document, Line};
use crate::report::{Report, hex_sha256, markdown, rfc3339};
use crate::schema;
use crate::signing::{self, Pin};
use crate::terminal::one_line;
use crate::validity::SKEW;

/// What is asked of a report.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// `--key`.
    pub key: Option<Pin>,
    /// `--challenge`.
    pub challenge: Option<String>,
    /// `--document`: whose boxes may be ticked by the reports alone.
    pub document: Option<Document>,
    /// Unix seconds.
    pub now: i64,
}

/// How much something weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// As it should be.
    Good,
    /// Worth knowing.
    Note,
    /// Sound, and not what was asked for: too old, another key, another challenge.
    Doubt,
    /// Not to be believed.
    Bad,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it weighs.
    pub weight: Weight,
    /// One sentence.
    pub what: String,
}

impl Finding {
    fn new(weight: Weight, what: impl Into<String>) -> Self {
        Self { weight, what: what.into() }
    }
}

/// One report, verified.
#[derive(Clone, Debug, Serialize)]
pub struct Verified {
    /// The file's name, as it was given.
    pub file: String,
    /// Hex SHA-256 of its bytes: what its successor names.
    pub digest: String,
    /// The thumbprint of the key that signed it; none: no signature that fits.
    pub kid: Option<String>,
    /// `production`.
    pub environment: Option<String>,
    /// RFC 3339.
    pub started: Option<String>,
    /// RFC 3339.
    pub valid_until: Option<String>,
    /// What was found.
    pub findings: Vec<Finding>,
    /// The report, where it may be looked at.
    #[serde(skip)]
    pub report: Option<Report>,
}

/// All reports, and the chain that they stand in.
#[derive(Clone, Debug, Serialize)]
pub struct Verification {
    /// Each report.
    pub reports: Vec<Verified>,
    /// `--chain`.
    pub chain: Vec<Finding>,
    /// `--document`.
    pub document: Vec<Finding>,
    /// The command's exit code.
    pub exit: u8,
}

/// Verifies reports: names and bytes.
#[must_use]
pub fn verify(files: &[(String, Vec<u8>)], chain: Option<&Chain>, asked: &Asked) -> Verification {
    let reports: Vec<Verified> = files.iter().map(|(name, bytes)| one(name, bytes, asked)).collect();
    let chain = chain.map(|chain| chain.check(&reports, asked.key.as_ref())).unwrap_or_default();
    let document =
        asked.document.as_ref().map(|document| boxes(document, &reports, asked.now)).unwrap_or_default();
    let found = reports.iter().flat_map(|report| &report.findings).chain(&chain).chain(&document);
    let exit = match found.map(|finding| finding.weight).max() {
        Some(Weight::Bad) => 1,
        Some(Weight::Doubt) => 3,
        _ => 0,
    };
    Verification { reports, chain, document, exit }
}

fn one(name: &str, bytes: &[u8], asked: &Asked) -> Verified {
    let mut verified = Verified {
        file: name.to_owned(),
        digest: hex_sha256(bytes),
        kid: None,
        environment: None,
        started: None,
        valid_until: None,
        findings: Vec::new(),
        report: None,
    };
    match look(bytes, asked, &mut verified) {
        Ok(report) => verified.report = Some(report),
        Err(why) => verified.findings.push(Finding::new(Weight::Bad, why)),
    }
    verified
}

fn look(bytes: &[u8], asked: &Asked, verified: &mut Verified) -> Result<Report, String> {
    schema::is_ours(bytes).map_err(|error| error.to_string())?;
    let (key, content) = signing::verify(bytes).map_err(|error| error.to_string())?;
    // Two members of one name: one reader takes the first, another the last, and both are "signed".
    unique::check(content.as_bytes())?;
    let report = Report::parse(bytes).map_err(|error| error.to_string())?;
    let (kid, run) = (key.thumbprint(), &report.run);
    let mut say = |weight, what: String| verified.findings.push(Finding::new(weight, what));
    match &asked.key {
        Some(pin) if pin.is(&key) => {
            say(Weight::Good, format!("signed by the key that was asked for, {kid}"))
        }
        Some(pin) => say(
            Weight::Doubt,
            format!(
                "signed by {kid}, and not by the key that was asked for, {}: whoever made it has another key",
                pin.thumbprint()
            ),
        ),
        None => say(
            Weight::Note,
            format!(
                "self-signed by kid {kid}, not pinned: anybody can make such a key; pass --key with the one that you know"
            ),
        ),
    }
    if rfc3339(run.started_at) != run.started {
        return Err(format!("its two dates differ: {} and {}", run.started, rfc3339(run.started_at)));
    }
    let until = rfc3339(report.valid_until());
    if run.started_at > asked.now + SKEW {
        say(Weight::Doubt, format!("it was made in the future, {}: a clock is wrong", run.started));
    } else if report.is_stale(asked.now) {
        say(Weight::Doubt, format!("stale: it was made at {} and counted until {until}", run.started));
    } else {
        say(Weight::Good, format!("made at {}, counts until {until}", run.started));
    }
    match (&asked.challenge, &run.challenge) {
        (Some(asked), Some(answered)) if asked == answered => {
            say(Weight::Good, "it repeats the challenge: it was made after that was chosen".into());
        }
        (Some(_), Some(_)) => {
            say(Weight::Doubt, "it answers another challenge: it may have been made before".into())
        }
        (Some(_), None) => say(Weight::Doubt, "it answers no challenge: it may have been made before".into()),
        (None, Some(_)) => say(Weight::Note, "it answers a challenge, and none was asked for".into()),
        (None, None) => {}
    }
    match &run.previous {
        Some(digest) => say(Weight::Note, format!("the report before it has the digest {digest}")),
        None => say(Weight::Note, "it names no report before it".into()),
    }
    verified.kid = Some(kid);
    verified.environment = Some(run.environment.clone());
    verified.started = Some(run.started.clone());
    verified.valid_until = Some(until);
    Ok(report)
}

/// Whether the reports tick every box that is ticked; and which of them no report could.
fn boxes(document: &Document, reports: &[Verified], now: i64) -> Vec<Finding> {
    let sound: Vec<&Report> = reports.iter().filter_map(|verified| verified.report.as_ref()).collect();
    let Some((first, with)) = sound.split_first() else { return Vec::new() };
    let with: Vec<Report> = with.iter().map(|report| (*report).clone()).collect();
    let by_evidence = Document::parse(&markdown::render_at(Some(document), first, &with, now));
    let pairs = document.lines().iter().zip(by_evidence.lines());
    let mut found: Vec<Finding> = pairs
        .filter(|(written, proven)| written.ticked && !written.measures.is_empty() && !proven.ticked)
        .map(|(written, _)| {
            Finding::new(
                Weight::Bad,
                format!("line {} is ticked, and no report here ticks it: {}", written.number, written.text),
            )
        })
        .collect();
    let (compared, by_hand): (Vec<&Line>, Vec<&Line>) =
        document.lines().iter().filter(|line| line.ticked).partition(|line| !line.measures.is_empty());
    if compared.is_empty() {
        let what = "no ticked box was compared with the reports: there is none that a measure stands for";
        found.push(Finding::new(Weight::Doubt, what));
    } else if found.is_empty() {
        let what = match by_hand.len() {
            0 => format!("every ticked box is ticked by evidence ({})", compared.len()),
            _ => format!(
                "every ticked box that a measure stands for is ticked by evidence ({})",
                compared.len()
            ),
        };
        found.push(Finding::new(Weight::Good, what));
    }
    found.extend(by_hand.into_iter().map(|line| {
        let (number, text) = (line.number, &line.text);
        let what =
            format!("line {number} is ticked, and no measure stands for it, so it was not compared: {text}");
        Finding::new(Weight::Note, what)
    }));
    found
}

impl Verification {
    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for verified in &self.reports {
            text.push_str(&one_line(&verified.file));
            if let Some(report) = &verified.report {
                let run = &report.run;
                text.push_str(&format!(
                    ": {} ({}), {}",
                    one_line(&run.target),
                    one_line(&run.environment),
                    counts(report)
                ));
                if let Some(commit) = &run.commit {
                    text.push_str(&format!(", commit {}", one_line(commit.get(..12).unwrap_or(commit))));
                }
            }
            text.push('\n');
            text.push_str(&list(&verified.findings));
            text.push_str(&format!("  note   its own digest is {}\n", verified.digest));
        }
        for (name, findings) in [("chain", &self.chain), ("document", &self.document)] {
            if !findings.is_empty() {
                text.push_str(&format!("{name}\n{}", list(findings)));
            }
        }
        text.push_str(match self.exit {
            0 => "good\n",
            3 => "sound, but not what was asked for\n",
            _ => "not to be believed\n",
        });
        text
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

fn list(findings: &[Finding]) -> String {
    let word = |weight| match weight {
        Weight::Good => "good",
        Weight::Note => "note",
        Weight::Doubt => "doubt",
        Weight::Bad => "bad",
    };
    findings
        .iter()
        .map(|finding| format!("  {:<6} {}\n", word(finding.weight), one_line(&finding.what)))
        .collect()
}

/// `3 of 14 measures fail, 2 not proven, 1 waived`.
fn counts(report: &Report) -> String {
    use crate::verdict::Verdict::{Fail, NotProven, Waived};
    let count = |verdict| report.measures.iter().filter(|measure| measure.verdict == verdict).count();
    format!(
        "{} measures: {} fail, {} not proven, {} waived",
        report.measures.len(),
        count(Fail),
        count(NotProven),
        count(Waived)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{json, sample};
    use crate::signing::SigningKey;
    use crate::verdict::Verdict;

    const NOW: i64 = sample::STARTED + 3600;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32]).unwrap()
    }

    fn file() -> Vec<u8> {
        signing::sign(&mut sample::report(), &key(1)).into_bytes()
    }

    fn asked() -> Asked {
        Asked { now: NOW, ..Asked::default() }
    }

    fn run(bytes: &[u8], asked: &Asked) -> Verification {
        verify(&[("report.json".into(), bytes.to_vec())], None, asked)
    }

    #[test]
    fn a_good_report_is_good_and_whether_it_is_pinned_is_said() {
        let unpinned = run(&file(), &asked());
        assert_eq!(unpinned.exit, 0);
        assert!(unpinned.text().contains("self-signed by kid "), "{}", unpinned.text());
        let pin = Pin::parse(&key(1).public().thumbprint()).unwrap();
        let pinned = run(&file(), &Asked { key: Some(pin), ..asked() });
        assert_eq!(pinned.exit, 0);
        assert!(!pinned.text().contains("self-signed"), "{}", pinned.text());
        let other = Pin::parse(&key(2).public().thumbprint()).unwrap();
        assert_eq!(run(&file(), &Asked { key: Some(other), ..asked() }).exit, 3);
    }

    #[test]
    fn age_and_challenge_are_doubts() {
        let until = crate::report::seconds_of("2026-12-01T16:00:00Z").unwrap();
        for (now, exit) in [(until - 1, 0), (until, 3), (sample::STARTED - SKEW - 1, 3), (sample::STARTED, 0)]
        {
            assert_eq!(run(&file(), &Asked { now, ..Asked::default() }).exit, exit, "{now}");
        }
        for (challenge, exit) in [("7f3a", 0), ("7f3b", 3)] {
            assert_eq!(run(&file(), &Asked { challenge: Some(challenge.into()), ..asked() }).exit, exit);
        }
        let mut report = sample::report();
        report.run.challenge = None;
        let file = signing::sign(&mut report, &key(1)).into_bytes();
        assert_eq!(run(&file, &Asked { challenge: Some("7f3a".into()), ..asked() }).exit, 3);
    }

    #[test]
    fn a_bad_signature_stays_bad_whatever_is_waived() {
        let mut report = sample::report();
        for measure in &mut report.measures {
            measure.verdict = Verdict::Waived;
        }
        let file = signing::sign(&mut report, &key(1));
        let forged = file.replacen("\"waived\"", "\"pass\"", 1);
        assert_ne!(forged, file);
        assert_eq!(run(forged.as_bytes(), &asked()).exit, 1);
        assert_eq!(run(json::render(&sample::report()).as_bytes(), &asked()).exit, 1, "not signed");
    }

    /// The file of a content of our own, signed as it should be.
    fn signed(content: &str) -> Vec<u8> {
        signing::tests_support::file(content, &key(1)).into_bytes()
    }

    #[test]
    fn rfc8259_section_4_a_name_stands_once_though_a_key_signed_it_twice() {
        let content = json::render(&sample::report());
        assert_eq!(run(&signed(&content), &asked()).exit, 0);
        for (from, to) in [
            ("\"verdict\": \"fail\"", "\"verdict\": \"pass\",\n      \"verdict\": \"fail\""),
            ("{\n  \"schema\": 1,", "{\n  \"schema\": 1,\n  \"other\": {\"a\": 1, \"\\u0061\": 2},"),
            ("{\n  \"schema\": 1,", "{\n  \"schema\": 1,\n  \"signature\": \"e30..AA\","),
            ("\"started_at\": 1", "\"started_at\": 2"),
            ("\"schema\": 1", "\"schema\": 2"),
        ] {
            assert!(content.contains(from), "{from}");
            let verification = run(&signed(&content.replacen(from, to, 1)), &asked());
            assert_eq!(verification.exit, 1, "{to}: {}", verification.text());
        }
    }

    #[test]
    fn what_is_no_report_is_told_from_one_that_nobody_signed() {
        let file = signing::sign(&mut sample::report(), &key(1));
        let key = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        for other in ["", "not JSON", key, &file[..file.len() / 2]] {
            let verification = run(other.as_bytes(), &asked());
            assert_eq!(verification.exit, 1);
            assert!(
                verification.text().contains("not a report of portcullis audit"),
                "{}",
                verification.text()
            );
        }
        let unsigned = run(json::render(&sample::report()).as_bytes(), &asked());
        assert!(!unsigned.text().contains("not a report"), "{}", unsigned.text());
    }

    #[test]
    fn a_box_that_no_report_ticks_is_told() {
        let mut report = sample::report();
        for measure in &mut report.measures {
            measure.verdict = if measure.id == crate::MeasureId::N2 { Verdict::Pass } else { Verdict::Fail };
        }
        let file = signing::sign(&mut report, &key(1)).into_bytes();
        let text = "- [x] CORS only allows the frontend's origin.\n- [x] The JWT expires after X minutes.\n- [x] Lunch.\n";
        let document = |text: &str| Some(Document::parse(text));
        let verification = run(&file, &Asked { document: document(text), ..asked() });
        assert_eq!(verification.exit, 1);
        assert_eq!(verification.document.len(), 2, "{}", verification.text());
        assert!(verification.document[0].what.starts_with("line 2 is ticked"));
        let honest = text.replacen("[x] The", "[ ] The", 1);
        let verification = run(&file, &Asked { document: document(&honest), ..asked() });
        let said: Vec<_> =
            verification.document.iter().map(|finding| (finding.weight, finding.what.as_str())).collect();
        let compared = "every ticked box that a measure stands for is ticked by evidence (1)";
        let by_hand = "line 3 is ticked, and no measure stands for it, so it was not compared: Lunch.";
        assert_eq!(said, [(Weight::Good, compared), (Weight::Note, by_hand)]);
        assert_eq!(verification.exit, 0);
        let whole = honest.replacen("[x] Lunch", "[ ] Lunch", 1);
        let verification = run(&file, &Asked { document: document(&whole), ..asked() });
        assert_eq!(verification.document[0].what, "every ticked box is ticked by evidence (1)");
        // Nothing was compared, and that is no good news.
        for nothing in ["- [x] Lunch.\n", "- [ ] Lunch.\n"] {
            let verification = run(&file, &Asked { document: document(nothing), ..asked() });
            assert_eq!(verification.exit, 3, "{}", verification.text());
        }
    }
}
