//! Many hits, few secrets: each secret is one finding with its places. Says which are let be, and why.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::baseline::Said;
use super::detect::{Hit, MOST};
use super::git::Repository;
use super::live::Live;
use super::rules::{self, Rule};
use super::{Allowed, Finding, Options, Place, Scanned, fingerprint};

/// The rule's id of a secret that the server holds.
pub(super) const LIVE: &str = "live-secret";
/// Places that are kept of one secret.
const KEPT: usize = 8;
/// Secrets whose commit is looked for: each is a walk through the history.
const DATED: usize = 40;
/// Secrets that get a fingerprint, which is made slow on purpose: a small file may hold very many.
const FINGERPRINTS: usize = 1000;

/// What is known of one secret.
#[derive(Default)]
struct Known {
    rule: Option<&'static str>,
    what: String,
    /// In the work tree without a pragma that counts.
    open: Vec<Place>,
    open_count: usize,
    /// In the work tree with one.
    excused: Vec<Place>,
    past: Vec<Place>,
    past_count: usize,
    reason: Option<String>,
    without_reason: bool,
}

/// Takes hits in.
pub(super) struct Collector<'a> {
    pub(super) live: Option<&'a Live>,
    secrets: BTreeMap<(bool, Vec<u8>), Known>,
    scanned: Scanned,
    /// Fingerprints that a submodule had.
    elsewhere: Vec<String>,
}

impl<'a> Collector<'a> {
    pub(super) fn new(live: Option<&'a Live>) -> Self {
        Self { live, secrets: BTreeMap::new(), scanned: Scanned::default(), elsewhere: Vec::new() }
    }

    pub(super) fn gap(&mut self, gap: String) {
        if !self.scanned.gaps.contains(&gap) {
            self.scanned.gaps.push(gap);
        }
    }

    pub(super) fn note(&mut self, note: String) {
        self.scanned.notes.push(note);
    }

    pub(super) fn looked_at_file(&mut self, bytes: u64) {
        self.scanned.files += 1;
        self.scanned.bytes += bytes;
    }

    pub(super) fn looked_at_objects(&mut self, count: usize, bytes: u64) {
        *self.scanned.objects.get_or_insert(0) += count;
        self.scanned.bytes += bytes;
    }

    /// `place` has no line yet.
    pub(super) fn take(&mut self, hits: Vec<Hit>, place: &Place) {
        if hits.iter().filter(|hit| hit.rule.is_some()).count() >= MOST {
            let what = place.path.as_deref().or(place.object.as_deref()).unwrap_or("one text");
            self.gap(format!("{what}: {MOST} secrets were found in it, and more were not looked for"));
        }
        for hit in hits {
            let key =
                if hit.rule.is_some() { (false, hit.secret) } else { (true, hit.what.clone().into_bytes()) };
            let known = self.secrets.entry(key).or_default();
            if known.what.is_empty() {
                (known.rule, known.what) = (hit.rule, hit.what);
            }
            let place = Place { line: hit.line, ..place.clone() };
            let excused = match &hit.allowed {
                Some(reason) if !reason.is_empty() && hit.rule.is_some() => {
                    known.reason.get_or_insert_with(|| reason.clone());
                    true
                }
                Some(_) => {
                    known.without_reason = true;
                    false
                }
                None => false,
            };
            let (places, count) = match (place.object.is_some(), excused) {
                (true, _) => (&mut known.past, Some(&mut known.past_count)),
                (false, true) => (&mut known.excused, None),
                (false, false) => (&mut known.open, Some(&mut known.open_count)),
            };
            if places.len() < KEPT {
                places.push(place);
            }
            if let Some(count) = count {
                *count += 1;
            }
        }
    }

    /// What was found in a submodule, which was looked at by itself.
    pub(super) fn join(&mut self, submodule: &Path, other: Scanned) {
        let inside = |place: &mut Place| {
            place.path = place.path.take().map(|path| submodule.join(path).display().to_string());
        };
        for mut finding in other.findings {
            finding.places.iter_mut().for_each(inside);
            self.scanned.findings.push(finding);
        }
        for mut allowed in other.allowed {
            inside(&mut allowed.place);
            self.elsewhere.push(allowed.fingerprint.clone());
            self.scanned.allowed.push(allowed);
        }
        for gap in other.gaps {
            self.gap(format!("{}: {gap}", submodule.display()));
        }
        self.scanned.files += other.files;
        self.looked_at_objects(other.objects.unwrap_or_default(), other.bytes);
    }

    pub(super) fn finish(mut self, options: &Options, repository: Option<&Repository>) -> Scanned {
        let by_id: HashMap<&str, &'static Rule> = rules::all().map(|rule| (rule.id, rule)).collect();
        let mut seen = std::mem::take(&mut self.elsewhere);
        let (mut dated, mut fingerprints) = (0, 0);
        if self.secrets.keys().filter(|(is_live, _)| !is_live).count() > FINGERPRINTS {
            self.gap(format!(
                "more than {FINGERPRINTS} secrets were found: the others have no fingerprint here"
            ));
        }
        for ((is_live, secret), known) in std::mem::take(&mut self.secrets) {
            fingerprints += usize::from(!is_live);
            let fingerprint = (!is_live && fingerprints <= FINGERPRINTS).then(|| fingerprint::of(&secret));
            seen.extend(fingerprint.clone());
            let said =
                fingerprint.as_ref().map_or(Said::Nothing, |known| options.baseline.says(known, options.now));
            let rule = known.rule.unwrap_or(LIVE);
            let let_be = match (&said, &known.reason) {
                (Said::Let(entry), _) => Some((entry.owner.clone(), entry.reason.clone())),
                // A pragma excuses its own line, and what the history has of the same secret.
                (_, Some(reason)) if known.open.is_empty() => Some(("pragma".to_owned(), reason.clone())),
                _ => None,
            };
            let first = known.open.first().or(known.excused.first()).or(known.past.first()).cloned();
            if let (Some((by, reason)), Some(fingerprint)) = (let_be, &fingerprint) {
                let place = first.unwrap_or_default();
                self.scanned.allowed.push(Allowed {
                    rule: rule.to_owned(),
                    fingerprint: fingerprint.clone(),
                    place,
                    by,
                    reason,
                });
                continue;
            }
            let in_work_tree = !known.open.is_empty();
            let (mut places, count) =
                if in_work_tree { (known.open, known.open_count) } else { (known.past, known.past_count) };
            for place in &mut places {
                if let (Some(object), Some(repository)) = (&place.object, repository)
                    && dated < DATED
                {
                    dated += 1;
                    place.commit = repository.commit_of(object);
                }
                place.object = place.object.take().map(|object| object.chars().take(12).collect());
            }
            let more = count - places.len();
            self.scanned.findings.push(Finding {
                rule: rule.to_owned(),
                what: known.what,
                fingerprint,
                places,
                more,
                in_work_tree,
                note: note(&said, known.without_reason, is_live),
                mend: mend(by_id.get(rule).copied(), in_work_tree),
            });
        }
        let order =
            |finding: &Finding| (!finding.is_live(), !finding.in_work_tree, finding.places.first().cloned());
        self.scanned.findings.sort_by_key(order);
        self.scanned.allowed.sort_by(|one, other| one.place.cmp(&other.place));
        if !options.staged {
            for idle in options.baseline.idle(&seen) {
                self.scanned.notes.push(format!("the baseline's {idle} was not found: its entry can go"));
            }
        }
        self.scanned
    }
}

fn note(said: &Said<'_>, without_reason: bool, is_live: bool) -> Option<String> {
    if is_live {
        return Some("no pragma and no baseline can excuse a secret that is in use".into());
    }
    match said {
        Said::Expired(entry) => Some(format!(
            "the baseline let it be until {} ({}: {})",
            entry.expires, entry.owner, entry.reason
        )),
        _ if without_reason => Some("the pragma on its line gives no reason, so it does not count".into()),
        _ => None,
    }
}

fn mend(rule: Option<&Rule>, in_work_tree: bool) -> String {
    let Some(rule) = rule else {
        return "change it now, and give the new one by a file or the environment".into();
    };
    let revoke = format!("revoke it ({})", rule.revoke);
    if in_work_tree {
        format!("{revoke}, and read the new one from a file or the environment")
    } else {
        format!("{revoke}: it left the work tree, and the history still has it")
    }
}
