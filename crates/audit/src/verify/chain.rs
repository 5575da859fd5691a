//! `--chain`: reports in a row, each of which names the digest of the one before it.
//!
//! What a chain cannot show is a report that was never in it, and that the newest were cut off: whoever wants to know that
//! keeps the digest of the last one that they saw.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Asked, Finding, Verified, Weight, one};
use crate::report::Report;
use crate::signing::Pin;
use crate::state::Pruned;

/// The reports of a folder.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    files: Vec<(String, Vec<u8>)>,
    /// By environment: what `[audit] state` says that it no longer keeps.
    pruned: BTreeMap<String, Pruned>,
}

impl Chain {
    /// Reads a folder of reports, or an `[audit] state` with its folder `reports`.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(folder: &Path) -> std::io::Result<Self> {
        let inner = folder.join("reports");
        let folder = if inner.is_dir() { inner.as_path() } else { folder };
        let mut chain = Self::default();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(environment) = name.strip_prefix("pruned-") {
                chain.pruned.insert(environment.to_owned(), Pruned::read(folder, environment));
            } else if name.ends_with(".json") && entry.file_type()?.is_file() {
                chain.files.push((name, std::fs::read(entry.path())?));
            }
        }
        chain.files.sort_unstable();
        Ok(chain)
    }

    /// Looks at the chain of every environment, and for the reports that were named in it.
    pub(super) fn check(&self, named: &[Verified], key: Option<&Pin>) -> Vec<Finding> {
        let asked = Asked { key: key.cloned(), ..Asked::default() };
        let links: Vec<Verified> = self.files.iter().map(|(name, bytes)| one(name, bytes, &asked)).collect();
        let mut found = Vec::new();
        let mut sound: BTreeMap<&str, Vec<(&Verified, &Report)>> = BTreeMap::new();
        for link in &links {
            match &link.report {
                Some(report) => sound.entry(&report.run.environment).or_default().push((link, report)),
                None => {
                    found.extend(link.findings.iter().map(|finding| {
                        Finding::new(finding.weight, format!("{}: {}", link.file, finding.what))
                    }))
                }
            }
        }
        if links.is_empty() {
            found.push(Finding::new(Weight::Bad, "there is no report in it"));
        }
        for (environment, links) in &sound {
            let before = found.len();
            self.environment(environment, links, &mut found);
            signers(links, key, &mut found);
            if found.len() == before {
                let what = format!("{environment}: {} reports in a row, none missing", links.len());
                found.push(Finding::new(Weight::Good, what));
            }
        }
        for verified in named.iter().filter(|verified| verified.report.is_some()) {
            found.push(place(verified, &sound));
        }
        found
    }

    /// Order, gaps and forks.
    fn environment(&self, environment: &str, links: &[(&Verified, &Report)], found: &mut Vec<Finding>) {
        // One report twice, under two names, is no fork.
        let by_digest: BTreeMap<&str, (&Verified, &Report)> =
            links.iter().map(|link| (link.0.digest.as_str(), *link)).collect();
        let mut successors: BTreeMap<Option<&str>, Vec<&str>> = BTreeMap::new();
        for (link, report) in by_digest.values() {
            let previous = report.run.previous.as_deref();
            successors.entry(previous).or_default().push(&link.file);
            match previous {
                Some(previous) => match by_digest.get(previous) {
                    Some((before, earlier)) if earlier.run.started_at > report.run.started_at => {
                        let what = format!(
                            "{environment}: {} is older than {}, which it follows",
                            link.file, before.file
                        );
                        found.push(Finding::new(Weight::Bad, what));
                    }
                    Some(_) => {}
                    None => found.push(self.gone(environment, &link.file, previous)),
                },
                None if self.pruned.contains_key(environment) => {
                    let what = format!("{environment}: {} begins a chain of its own", link.file);
                    found.push(Finding::new(Weight::Bad, what));
                }
                None => {}
            }
        }
        for (previous, files) in successors.iter().filter(|(_, files)| files.len() > 1) {
            let what = match previous {
                Some(digest) => format!("fork: {} all follow {digest}", files.join(", ")),
                None => format!("{} each begin a chain of their own", files.join(", ")),
            };
            found.push(Finding::new(Weight::Bad, format!("{environment}: {what}")));
        }
    }

    fn gone(&self, environment: &str, file: &str, previous: &str) -> Finding {
        match self.pruned.get(environment).filter(|pruned| pruned.last == previous) {
            Some(pruned) => {
                let what = format!(
                    "{environment}: {} older reports are no longer kept; {file} follows them",
                    pruned.count
                );
                Finding::new(Weight::Note, what)
            }
            None => Finding::new(
                Weight::Bad,
                format!("{environment}: gap: {file} follows {previous}, which is not here"),
            ),
        }
    }
}

/// One key signs a chain.
fn signers(links: &[(&Verified, &Report)], key: Option<&Pin>, found: &mut Vec<Finding>) {
    let foreign = |pin: &Pin| links.iter().find(|(link, _)| link.kid.as_deref() != Some(pin.thumbprint()));
    if let Some(pin) = key {
        if let Some((link, _)) = foreign(pin) {
            let what = format!("{} is signed by another key than the one that was asked for", link.file);
            found.push(Finding::new(Weight::Doubt, what));
        }
        return;
    }
    let other = links.iter().find(|(link, _)| link.kid != links[0].0.kid);
    if let Some((link, _)) = other {
        let what = format!("{} and {} are signed by different keys", links[0].0.file, link.file);
        found.push(Finding::new(Weight::Doubt, what));
    }
}

/// Where a report stands in the chain of its environment.
fn place(verified: &Verified, sound: &BTreeMap<&str, Vec<(&Verified, &Report)>>) -> Finding {
    let environment = verified.environment.as_deref().unwrap_or_default();
    let links = sound.get(environment).map(Vec::as_slice).unwrap_or_default();
    if !links.iter().any(|(link, _)| link.digest == verified.digest) {
        return Finding::new(Weight::Bad, format!("{} is not in the chain", verified.file));
    }
    let mut later = 0_usize;
    let mut digest = verified.digest.as_str();
    while let Some((next, _)) = links
        .iter()
        .find(|(_, report)| report.run.previous.as_deref() == Some(digest))
        .filter(|_| later < links.len())
    {
        later += 1;
        digest = &next.digest;
    }
    // The newest of all, and not only of what a gap or a fork leaves before it.
    let follows = |link: &Verified| {
        links.iter().any(|(_, report)| report.run.previous.as_deref() == Some(link.digest.as_str()))
    };
    let started = |wanted: &Verified| {
        links.iter().find(|(link, _)| link.digest == wanted.digest).map(|(_, report)| report.run.started_at)
    };
    let beside = links.iter().find(|(link, report)| {
        link.digest != verified.digest && Some(report.run.started_at) >= started(verified) && !follows(link)
    });
    match later {
        0 if let Some((link, _)) = beside => Finding::new(
            Weight::Note,
            format!(
                "{} is not the newest of {environment}: {} is, and does not follow it",
                verified.file, link.file
            ),
        ),
        0 => Finding::new(Weight::Good, format!("{} is the newest of {environment}", verified.file)),
        later => Finding::new(Weight::Note, format!("{} has {later} newer reports behind it", verified.file)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{hex_sha256, rfc3339, sample};
    use crate::signing::{self, SigningKey};

    /// A signed report of this second that follows these bytes.
    fn link(at: i64, previous: Option<&[u8]>, seed: u8) -> Vec<u8> {
        let mut report = sample::report();
        report.run.started_at = at;
        report.run.started = rfc3339(at);
        report.run.previous = previous.map(hex_sha256);
        signing::sign(&mut report, &SigningKey::from_seed(&[seed; 32]).unwrap()).into_bytes()
    }

    fn three() -> Vec<Vec<u8>> {
        let first = link(1, None, 1);
        let second = link(2, Some(&first), 1);
        let third = link(3, Some(&second), 1);
        vec![first, second, third]
    }

    fn found(files: Vec<Vec<u8>>, named: &[u8]) -> (Weight, String) {
        let files = files.into_iter().enumerate().map(|(at, bytes)| (format!("{at}.json"), bytes)).collect();
        let chain = Chain { files, pruned: BTreeMap::new() };
        worst(chain.check(&[one("named.json", named, &Asked::default())], None))
    }

    fn worst(found: Vec<Finding>) -> (Weight, String) {
        let weight = found.iter().map(|finding| finding.weight).max().unwrap_or(Weight::Good);
        let said: Vec<String> = found.into_iter().map(|finding| finding.what).collect();
        (weight, said.join("\n"))
    }

    fn is(found: (Weight, String), weight: Weight, part: &str) {
        assert!(found.0 == weight && found.1.contains(part), "{found:?}");
    }

    #[test]
    fn a_whole_chain_is_good() {
        let all = three();
        is(found(all.clone(), &all[2]), Weight::Good, "is the newest of staging");
        is(found(all.clone(), &all[0]), Weight::Note, "has 2 newer reports");
    }

    #[test]
    fn a_report_taken_out_put_in_changed_or_hung_elsewhere_is_told() {
        let all = three();
        is(found(vec![all[0].clone(), all[2].clone()], &all[2]), Weight::Bad, "gap: 1.json follows");
        is(found(vec![all[0].clone(), all[2].clone()], &all[2]), Weight::Bad, "named.json is the newest");
        is(found(vec![all[0].clone(), all[2].clone()], &all[0]), Weight::Bad, "named.json is not the newest");
        is(found(vec![all[1].clone(), all[2].clone()], &all[2]), Weight::Bad, "gap: 0.json follows");
        let beside = link(3, Some(&all[0]), 1);
        is(found([all.clone(), vec![beside]].concat(), &all[2]), Weight::Bad, "fork: ");
        is(found([all.clone(), vec![link(9, None, 1)]].concat(), &all[2]), Weight::Bad, "each begin a chain");
        let backwards = link(0, Some(&all[2]), 1);
        is(found([all.clone(), vec![backwards]].concat(), &all[2]), Weight::Bad, "is older than 2.json");
        let mut changed = all.clone();
        changed[1] = String::from_utf8(changed[1].clone()).unwrap().replacen("pass", "fail", 1).into_bytes();
        is(found(changed, &all[2]), Weight::Bad, "1.json: the signature does not fit");
        is(found(all[..2].to_vec(), &all[2]), Weight::Bad, "named.json is not in the chain");
        is(found(Vec::new(), &all[2]), Weight::Bad, "no report");
        let strangers = link(4, Some(&all[2]), 2);
        is(found([all.clone(), vec![strangers]].concat(), &all[2]), Weight::Doubt, "different keys");
    }

    #[test]
    fn what_the_state_pruned_is_no_gap() {
        let all = three();
        let files = vec![("1.json".to_owned(), all[1].clone()), ("2.json".to_owned(), all[2].clone())];
        let pruned = |last: &[u8]| {
            BTreeMap::from([("staging".to_owned(), Pruned { last: hex_sha256(last), count: 1 })])
        };
        let named = [one("named.json", &all[2], &Asked::default())];
        let chain = Chain { files: files.clone(), pruned: pruned(&all[0]) };
        is(worst(chain.check(&named, None)), Weight::Note, "1 older reports are no longer kept");
        let chain = Chain { files, pruned: pruned(b"another") };
        is(worst(chain.check(&named, None)), Weight::Bad, "gap: 1.json");
    }

    #[test]
    fn every_link_is_signed_by_the_key_that_was_asked_for() {
        let all = three();
        let chain = Chain { files: vec![("0.json".to_owned(), all[0].clone())], pruned: BTreeMap::new() };
        let pin = |seed: u8| {
            Pin::parse(&SigningKey::from_seed(&[seed; 32]).unwrap().public().thumbprint()).unwrap()
        };
        is(worst(chain.check(&[], Some(&pin(1)))), Weight::Good, "1 reports in a row");
        is(worst(chain.check(&[], Some(&pin(2)))), Weight::Doubt, "another key than the one");
    }

    #[test]
    fn the_folder_of_a_state_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let state = crate::state::State::at(folder.path());
        let key = state.key().unwrap();
        for at in [1, 2] {
            let mut report = sample::report();
            report.run.started_at = at;
            report.run.started = rfc3339(at);
            state.keep(&mut report, &key).unwrap();
        }
        for path in [folder.path().to_owned(), folder.path().join("reports")] {
            let chain = Chain::read(&path).unwrap();
            is(worst(chain.check(&[], None)), Weight::Good, "staging: 2 reports in a row");
        }
    }
}
