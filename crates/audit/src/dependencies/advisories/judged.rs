//! What follows from what a database says: no locked version may have had a known vulnerability for longer than the window,
//! and a database that is old, broken or silent of an ecosystem proves nothing.

use std::collections::BTreeMap;

use super::super::locks::Locks;
use super::{CLAIM, Finding, Origin, Seen};
use crate::evidence::Evidence;
use crate::report::{Claim, rfc3339};

/// How old the database may be.
const FRESH: i64 = 7 * 86_400;

pub(crate) fn judge(seen: Option<&Result<Seen, String>>, locks: &Locks, window: i64, now: i64) -> Claim {
    let unproven =
        |what: String, remedy: &str| Claim::not_proven(CLAIM, vec![Evidence::repository(what)], remedy);
    let seen = match seen {
        None => {
            let remedy = "give [audit] advisories the URL of the RustSec database's repository, or a folder with a copy of it \
                          or of OSV's JSON files";
            return unproven("no advisory database is configured".into(), remedy);
        }
        Some(Err(why)) => {
            return unproven(
                format!("the advisory database cannot be read: {why}"),
                "correct [audit] advisories, or let it be reached from here",
            );
        }
        Some(Ok(seen)) => seen,
    };
    let days = |at: i64| (now - at).max(0) / 86_400;
    let (notes, grave): (Vec<&Finding>, Vec<&Finding>) =
        seen.findings.iter().partition(|finding| finding.note.is_some());
    let told = |finding: &Finding| match finding.published {
        Some(at) => format!("{}: {}, known for {} days", finding.package, finding.id, days(at)),
        None => format!("{}: {}", finding.package, finding.id),
    };
    let notes = notes.into_iter().map(|finding| {
        Evidence::repository(format!(
            "{}: {} ({})",
            finding.package,
            finding.id,
            finding.note.as_deref().unwrap_or_default()
        ))
    });
    let (overdue, young): (Vec<&Finding>, Vec<&Finding>) =
        grave.into_iter().partition(|finding| finding.published.is_none_or(|at| now - at > window));
    // What was found is true however old the database is.
    if !overdue.is_empty() {
        let mut evidence: Vec<Evidence> =
            overdue.into_iter().map(|finding| Evidence::repository(told(finding))).collect();
        evidence.extend(young.into_iter().map(|finding| Evidence::repository(told(finding))));
        evidence.extend(notes);
        return Claim::fail(CLAIM, evidence, "update to a version that the advisory calls patched");
    }
    let held: usize = seen.held.values().sum();
    let Some(as_of) = seen.as_of.filter(|_| held > 0) else {
        return unproven("the advisory database has no advisory in it".into(), "fetch it again");
    };
    let age = match &seen.origin {
        Origin::Folder => format!("{held} advisories, as of {}", rfc3339(as_of)),
        Origin::Fetched { url } => format!("{held} advisories, as of {}, fetched from {url}", rfc3339(as_of)),
        Origin::Kept { url, why } => format!(
            "{held} advisories, as of {}, {} days old: the copy that an earlier run kept, since {url} could not be fetched \
             ({why})",
            rfc3339(as_of),
            days(as_of)
        ),
    };
    let again = match &seen.origin {
        Origin::Kept { .. } => "let the database be reached from here: a copy may be 7 days old",
        Origin::Folder | Origin::Fetched { .. } => "fetch the database again: it may be 7 days old",
    };
    if as_of > now + 86_400 {
        return unproven(
            format!("{age}: that has not come yet"),
            "fetch the database again, and set the clocks",
        );
    }
    if now - as_of > FRESH {
        let told = match &seen.origin {
            Origin::Kept { .. } => age,
            Origin::Folder | Origin::Fetched { .. } => format!("{age}: {} days old", days(as_of)),
        };
        return unproven(told, again);
    }
    if let Some(first) = seen.unreadable.first() {
        return unproven(
            format!("{age}; {} files cannot be read, {first} one of them", seen.unreadable.len()),
            "fetch it again",
        );
    }
    if locks.packages.is_empty() {
        // Nothing to look up is not the same as nothing found.
        return unproven(format!("{age}; no locked package was found to look up"), "commit the lockfiles");
    }
    if let Some(first) = locks.unread.first() {
        return unproven(
            format!("{age}; {first}"),
            "lock them in a file that is read here, or look them up by another tool",
        );
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for package in &locks.packages {
        *counts.entry(package.registry.osv()).or_default() += 1;
    }
    if let Some(missing) = counts.keys().find(|ecosystem| !seen.held.contains_key(**ecosystem)) {
        return unproven(
            format!(
                "{age}; none of them is about {missing}, of which {} packages are locked",
                counts[missing]
            ),
            "add OSV's files of that ecosystem to the folder",
        );
    }
    let counted: Vec<String> =
        counts.iter().map(|(ecosystem, count)| format!("{ecosystem} {count}")).collect();
    let mut evidence = vec![Evidence::repository(format!(
        "{age}, against {} locked packages ({})",
        locks.packages.len(),
        counted.join(", ")
    ))];
    evidence.extend(
        young
            .into_iter()
            .map(|finding| Evidence::repository(format!("{}; still within the window", told(finding)))),
    );
    evidence.extend(notes);
    Claim::pass(CLAIM, evidence)
}
