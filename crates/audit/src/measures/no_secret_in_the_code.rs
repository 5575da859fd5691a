//! G1: no sensitive data is hard-coded. Four questions: does a secret that the server really holds lie in the repository; does
//! anything that looks like one, in the work tree or in any object of the history; is one shipped to browsers; does the
//! configuration hold one in place of a reference to it.
//!
//! Rules and spellings are those of `scan`. What could not be looked at (a shallow clone, a file in LFS, a script that
//! does not load) leaves its claim open.

mod judge;
mod scripts;
mod served;
mod shipped;

use std::path::{Path, PathBuf};

use crate::evidence::Evidence;
use crate::measures::claimed::{Claimed, claimed};
use crate::report::Claim;
use crate::scan::live::{Live, SHORTEST};
use crate::scan::{self, BASELINE_FILE, Baseline, InText, LiveSecret, Options, Scanned};
use crate::world::World;

use judge::{CONFIGURED, HISTORY, LIVE, SERVED, SHIPPED, TREE};

/// What it can claim.
pub(crate) const CLAIMS: &[Claimed] = &[
    claimed(
        LIVE,
        "no secret that the server holds lies in the repository or its history",
        &["V13.3.1"],
        &[798, 540],
    ),
    claimed(TREE, "nothing in the work tree looks like a secret", &["V13.3.1"], &[798]),
    claimed(
        HISTORY,
        "nothing in the history, reachable or not, looks like a secret that nobody revoked",
        &["V13.3.1"],
        &[798, 540],
    ),
    claimed(
        SHIPPED,
        "no secret is shipped to browsers, in pages, scripts or source maps",
        &["V13.3.1"],
        &[200, 615],
    ),
    claimed(SERVED, "neither /.git nor /.env is served", &["V13.4.1"], &[527, 538]),
    claimed(CONFIGURED, "the configuration refers to secrets and holds none", &["V13.3.1"], &[260]),
];

/// What was seen of the repository.
struct Repository {
    /// None: there is none, or it cannot be read; and why.
    scanned: Result<Scanned, String>,
    /// Secrets of the server that were looked for.
    looked_for: usize,
    /// And those that were not, with the reason.
    not_looked_for: Vec<String>,
}

/// One configuration file, and what is in it.
struct Configured {
    file: PathBuf,
    found: Result<Vec<InText>, String>,
}

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    let secrets = &world.config.secrets;
    let baseline = match baseline(world) {
        Ok(baseline) => baseline,
        Err(why) => {
            let evidence = Evidence::configuration(why);
            return vec![Claim::not_proven(TREE, vec![evidence], "correct the baseline, or take it away")];
        }
    };
    let (long, short): (Vec<LiveSecret>, Vec<LiveSecret>) =
        secrets.live.iter().cloned().partition(|secret| secret.is_long_enough());
    let short = short.iter().map(|secret| format!("{} is shorter than {SHORTEST} characters", secret.name));
    let not_looked_for = short.chain(secrets.unread.iter().cloned()).collect();
    let repository = Repository {
        looked_for: long.len(),
        not_looked_for,
        scanned: scanned(world.config.repository.clone(), baseline.clone(), long.clone(), world.now).await,
    };
    let live = Live::new(&long);
    let mut claims = judge::repository(&repository);
    match &live {
        Some(live) => {
            let shipped = shipped::observe(world, live, &baseline).await;
            claims.push(judge::shipped(&shipped));
            let configured: Vec<_> =
                secrets.configuration.iter().map(|file| configured(file, live, world.now)).collect();
            claims.push(judge::configured(&configured));
        }
        None => {
            let evidence =
                || vec![Evidence::configuration("the secrets could not be made ready to be looked for")];
            claims.extend(
                [SHIPPED, CONFIGURED].map(|id| Claim::not_proven(id, evidence(), "report this fault")),
            );
        }
    }
    claims.push(judge::served(&served::observe(world).await));
    claims
}

/// The one that is configured, else the one at the repository's top.
fn baseline(world: &World) -> Result<Baseline, String> {
    let named = world.config.secrets.baseline.clone();
    let usual = || {
        let top = scan::top_of(world.config.repository.as_deref()?)?;
        Some(top.join(BASELINE_FILE)).filter(|file| file.is_file())
    };
    let Some(file) = named.or_else(usual) else { return Ok(Baseline::default()) };
    let json = std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    Baseline::parse(&json).map_err(|why| format!("{}: {why}", file.display()))
}

async fn scanned(
    folder: Option<PathBuf>,
    baseline: Baseline,
    live: Vec<LiveSecret>,
    now: i64,
) -> Result<Scanned, String> {
    let folder = folder.ok_or("no repository is configured")?;
    // A subfolder's history is its repository's.
    let top = scan::top_of(&folder)
        .ok_or_else(|| format!("{} is in no git repository with a work tree", folder.display()))?;
    let options = Options { baseline, live, ..Options::new(&top, now) };
    // Files and git: long work for a large repository, done where nothing else waits for it.
    match tokio::task::spawn_blocking(move || scan::scan(&options, &|_| {})).await {
        Ok(scanned) => scanned.map_err(|error| error.to_string()),
        Err(_) => Err("the scan broke off".into()),
    }
}

/// No baseline counts here: a reference costs nothing.
fn configured(file: &Path, live: &Live, now: i64) -> Configured {
    let found = std::fs::read(file)
        .map(|text| scan::in_text(&text, live, &Baseline::default(), now))
        .map_err(|error| error.to_string());
    Configured { file: file.to_owned(), found }
}

#[cfg(test)]
mod tests;
