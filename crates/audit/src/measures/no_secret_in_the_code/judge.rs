//! From what was seen to verdicts. Pure.

use crate::evidence::Evidence;
use crate::report::Claim;
use crate::scan::{Finding, Scanned};

use super::served::Served;
use super::shipped::Shipped;
use super::{Configured, Repository};

pub(super) const LIVE: &str = "no_live_secret_in_the_repository";
pub(super) const TREE: &str = "no_secret_in_the_work_tree";
pub(super) const HISTORY: &str = "no_secret_in_the_history";
pub(super) const SHIPPED: &str = "no_secret_is_shipped_to_browsers";
pub(super) const SERVED: &str = "git_and_environment_files_are_not_served";
pub(super) const CONFIGURED: &str = "the_configuration_holds_no_secret";

/// Pieces of evidence that are shown of one kind.
const SHOWN: usize = 10;

/// The three claims on the repository.
pub(super) fn repository(seen: &Repository) -> Vec<Claim> {
    let scanned = match &seen.scanned {
        Ok(scanned) => scanned,
        Err(why) => {
            let claim = |id| {
                Claim::not_proven(
                    id,
                    vec![Evidence::repository(why.clone())],
                    "name the repository in [audit] repository",
                )
            };
            return vec![claim(LIVE), claim(TREE), claim(HISTORY)];
        }
    };
    let (live, shaped): (Vec<&Finding>, Vec<&Finding>) =
        scanned.findings.iter().partition(|finding| finding.is_live());
    let (tree, history): (Vec<&Finding>, Vec<&Finding>) =
        shaped.into_iter().partition(|finding| finding.in_work_tree);
    let files = format!("{} files of the work tree", scanned.files);
    let objects = scanned.objects.map(|count| format!("{count} objects of the history"));
    let both = format!("{files} and {}", objects.as_deref().unwrap_or("no history"));
    let mut unseen = scanned.gaps.clone();
    if scanned.objects.is_none() {
        unseen.push("there is no history here".into());
    }
    let held = match seen.looked_for {
        1 => "1 secret of the server".to_owned(),
        count => format!("{count} secrets of the server"),
    };
    let mut not_looked_for = seen.not_looked_for.clone();
    if seen.looked_for == 0 && not_looked_for.is_empty() {
        not_looked_for.push("nobody told which secrets the server holds".into());
    }
    not_looked_for.extend(unseen.iter().cloned());
    vec![
        claim(
            LIVE,
            &live,
            &not_looked_for,
            format!("{held}, in every spelling, are in none of {both}"),
            scanned,
        ),
        claim(TREE, &tree, &scanned.gaps, format!("{files}{}", let_be(scanned)), scanned),
        claim(
            HISTORY,
            &history,
            &unseen,
            format!("{}{}", objects.unwrap_or_default(), let_be(scanned)),
            scanned,
        ),
    ]
}

fn let_be(scanned: &Scanned) -> String {
    match scanned.allowed.len() {
        0 => ", none let be".to_owned(),
        count => format!(", {count} let be by pragma or baseline, each with a reason"),
    }
}

fn claim(id: &str, found: &[&Finding], gaps: &[String], clean: String, scanned: &Scanned) -> Claim {
    if let Some(first) = found.first() {
        let mut evidence: Vec<Evidence> =
            found.iter().take(SHOWN).map(|finding| Evidence::repository(told(finding))).collect();
        if found.len() > SHOWN {
            evidence.push(Evidence::repository(format!("and {} more", found.len() - SHOWN)));
        }
        return Claim::fail(id, evidence, format!("{}; `portcullis scan` lists all", first.mend));
    }
    if !gaps.is_empty() {
        let evidence = gaps.iter().take(SHOWN).map(|gap| Evidence::repository(gap.clone())).collect();
        return Claim::not_proven(
            id,
            evidence,
            "fetch all of the repository, and give the auditor what it wants to read",
        );
    }
    let mut evidence = vec![Evidence::repository(clean)];
    if id == HISTORY {
        let allowed = scanned.allowed.iter().take(SHOWN);
        evidence.extend(allowed.map(|allowed| {
            let path = allowed.place.path.as_deref().unwrap_or("an object");
            Evidence::repository(format!(
                "{} in {path} is let be by {}: {}",
                allowed.rule, allowed.by, allowed.reason
            ))
        }));
    }
    Claim::pass(id, evidence)
}

fn told(finding: &Finding) -> String {
    let place = finding.places.first();
    let path =
        place.and_then(|place| place.path.clone()).unwrap_or_else(|| "an object that no commit has".into());
    let line = place.map(|place| place.line).unwrap_or_default();
    let commit = place.and_then(|place| place.commit.as_ref()).map(|commit| format!(", commit {commit}"));
    let more = match finding.more + finding.places.len().saturating_sub(1) {
        0 => String::new(),
        more => format!(", and {more} more places"),
    };
    let fingerprint =
        finding.fingerprint.as_ref().map(|known| format!(", fingerprint {known}")).unwrap_or_default();
    format!("{}: {path}:{line}{}{more}{fingerprint}", finding.what, commit.unwrap_or_default())
}

/// What browsers get.
pub(super) fn shipped(seen: &Shipped) -> Claim {
    let Some(frontend) = &seen.frontend else {
        let evidence = Evidence::configuration("no frontend is configured");
        return Claim::not_proven(
            SHIPPED,
            vec![evidence],
            "name it in [audit] frontend or gateway.frontend_origins",
        );
    };
    if !seen.found.is_empty() {
        let evidence = seen
            .found
            .iter()
            .take(SHOWN)
            .map(|(url, found)| {
                let fingerprint = found.fingerprint.as_ref().map(|known| format!(", fingerprint {known}"));
                Evidence::http(format!(
                    "{}: {url}, line {}{}",
                    found.what,
                    found.line,
                    fingerprint.unwrap_or_default()
                ))
            })
            .collect();
        return Claim::fail(SHIPPED, evidence, "revoke it, and let the backend do what the page did with it");
    }
    if !seen.gaps.is_empty() {
        let evidence = seen.gaps.iter().take(SHOWN).map(|gap| Evidence::http(gap.clone())).collect();
        return Claim::not_proven(SHIPPED, evidence, "let the auditor load all of the frontend");
    }
    let what = format!(
        "{frontend}: its page, {} scripts and {} source maps, {:.1} MB",
        seen.scripts,
        seen.maps,
        seen.bytes as f64 / 1e6
    );
    Claim::pass(SHIPPED, vec![Evidence::http(what)])
}

/// `/.git/HEAD` and its like.
pub(super) fn served(seen: &[Served]) -> Claim {
    let told = |one: &Served| {
        let evidence = Evidence::http(format!("{} {}", one.url, one.told));
        match &one.transcript {
            Some(transcript) => evidence.shown(transcript),
            None => evidence,
        }
    };
    let open: Vec<Evidence> =
        seen.iter().filter(|one| one.open == Some(true)).take(SHOWN).map(told).collect();
    if !open.is_empty() {
        return Claim::fail(
            SERVED,
            open,
            "serve a folder of built files, and nothing that begins with a dot",
        );
    }
    let unknown: Vec<Evidence> = seen.iter().filter(|one| one.open.is_none()).take(SHOWN).map(told).collect();
    if seen.is_empty() || !unknown.is_empty() {
        return Claim::not_proven(SERVED, unknown, "let the auditor reach every origin");
    }
    // Beside every refusal stands the origin's own answer.
    let evidence = seen.iter().map(|one| told(one).beside(one.control.clone())).collect();
    Claim::pass(SERVED, evidence)
}

/// The files of the configuration.
pub(super) fn configured(seen: &[Configured]) -> Claim {
    let remedy = "write env:NAME or credential:NAME, or name a file with the key that ends in _file";
    let mut bad = Vec::new();
    let mut unread = Vec::new();
    for one in seen {
        let file = one.file.display();
        match &one.found {
            Ok(found) => bad.extend(
                found
                    .iter()
                    .map(|found| Evidence::configuration(format!("{file}:{}: {}", found.line, found.what))),
            ),
            Err(why) => unread.push(Evidence::configuration(format!("{file}: {why}"))),
        }
    }
    if !bad.is_empty() {
        return Claim::fail(CONFIGURED, bad, remedy);
    }
    if !unread.is_empty() || seen.is_empty() {
        if seen.is_empty() {
            unread.push(Evidence::configuration("there is no configuration file to look at"));
        }
        return Claim::not_proven(CONFIGURED, unread, "let the auditor read the configuration");
    }
    let files: Vec<String> = seen.iter().map(|one| one.file.display().to_string()).collect();
    let what = format!("{}: every secret is a reference", files.join(", "));
    Claim::pass(CONFIGURED, vec![Evidence::configuration(what)])
}
