//! G2: dependencies are kept up to date by a tool.
//!
//! Four questions, of which none answers another: a tool is configured for everything that is there; it runs; what is locked
//! is neither known to be vulnerable nor long behind, and fits its manifests; and, where a binary is named, what runs is what
//! is locked. A configuration alone proves nothing, and a scan that found nothing to look at is not green.

use std::path::Path;

use crate::dependencies::advisories::Database;
use crate::dependencies::coverage;
use crate::dependencies::locks::Locks;
use crate::dependencies::{Advisories, Repository, Tree, activity, advisories, deployed, releases};
use crate::evidence::Evidence;
use crate::measures::claimed::{Claimed, claimed};
use crate::report::Claim;
use crate::world::World;

/// The claim on lockfiles and manifests.
const AGREE: &str = "lockfiles_agree_with_manifests";

/// What it can claim.
pub(crate) const CLAIMS: &[Claimed] = &[
    claimed(
        coverage::CLAIM,
        "an update tool is configured for every manifest, on the default branch",
        &[],
        &[1104],
    ),
    claimed(activity::CLAIM, "the update tool runs, or nothing was due", &[], &[1104]),
    claimed(
        advisories::CLAIM,
        "no locked version has had a known vulnerability for longer than the window",
        &["V15.2.1"],
        &[1395],
    ),
    claimed(
        releases::CURRENT,
        "no newer compatible release of a direct dependency waits longer than the window",
        &["V15.2.1"],
        &[1104],
    ),
    claimed(releases::YANKED, "no locked version was withdrawn by its registry", &[], &[1104]),
    claimed(AGREE, "every manifest is met by its lockfile as it stands", &[], &[1357]),
    claimed(deployed::CLAIM, "what was built into the running binary is what is locked", &[], &[1357]),
];

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    let config = &world.config.dependencies;
    let Some(folder) = world.config.repository.clone() else {
        let evidence = Evidence::configuration("no repository is configured");
        return vec![Claim::not_proven(coverage::CLAIM, vec![evidence], "name it in [audit] repository")];
    };
    let now = world.now;
    let database = match &config.advisories {
        None => None,
        Some(Advisories::Folder(folder)) => Some(Ok(Database::Folder(folder.clone()))),
        Some(Advisories::Remote(remote)) => {
            let tell = |how_far: String| world.does(format!("fetching the advisories: {how_far}"));
            let state = world.config.state.as_deref();
            Some(advisories::bring(remote, state, advisories::PATIENCE, tell).await.map(Database::Copy))
        }
    };
    world.does(String::new());
    // Files and git: long work for a large repository, done where nothing else waits for it.
    let looked = tokio::task::spawn_blocking(move || look(&folder, database, now)).await;
    let Ok(Looked { covered, runs, locks, known }) = looked else {
        let evidence = Evidence::repository("the repository could not be looked through");
        return vec![Claim::not_proven(coverage::CLAIM, vec![evidence], "report this fault")];
    };
    let agent = format!("portcullis-audit/{} run={}", world.config.version, world.id);
    let answers = releases::observe(config, &locks, &agent, now).await;
    let due = releases::due(&locks, &answers, beside(&covered), config.window, now);
    let mut claims = vec![
        coverage::judge(&covered),
        activity::judge(&runs, &due, now),
        advisories::judge(known.as_ref(), &locks, config.window, now),
        releases::judge_current(&locks, &answers, config.window, now),
        releases::judge_yanked(&locks, &answers),
        agreement(&locks, config.deployed.is_none()),
    ];
    if let Some(binary) = &config.deployed {
        claims.push(deployed::judge(binary, &deployed::observe(binary), &locks));
    }
    claims
}

struct Looked {
    covered: coverage::Seen,
    runs: activity::Seen,
    locks: Locks,
    known: Option<Result<advisories::Seen, String>>,
}

fn look(folder: &Path, database: Option<Result<Database, String>>, now: i64) -> Looked {
    let repository = Repository::of(folder);
    let covered = coverage::observe(&repository, folder);
    let tree = match &repository {
        Ok(repository) => repository.tree().unwrap_or_else(|_| Tree::of_folder(folder)),
        Err(_) => Tree::of_folder(folder),
    };
    let locks = Locks::of(&tree, &covered.manifests);
    Looked {
        runs: activity::observe(&repository, &covered.tools, now),
        known: database.map(|database| advisories::observe(&database?, &locks)),
        covered,
        locks,
    }
}

/// What an update tool looks after and no registry was asked for: images, actions, modules.
fn beside(covered: &coverage::Seen) -> Option<String> {
    let found = covered.manifests.found.iter().find(|manifest| !manifest.ecosystem.has_packages());
    found.map(|manifest| {
        format!("newer versions of what {} names are not asked for ({})", manifest.path, manifest.ecosystem)
    })
}

fn agreement(locks: &Locks, without_binary: bool) -> Claim {
    let mut evidence: Vec<Evidence> = locks.faults.iter().map(Evidence::repository).collect();
    if !evidence.is_empty() {
        return Claim::fail(
            AGREE,
            evidence,
            "make the lockfiles anew and commit them; build with --locked, npm ci, and their like",
        );
    }
    if let Some(first) = locks.unread.first() {
        return Claim::not_proven(
            AGREE,
            vec![Evidence::repository(first)],
            "lock its dependencies in a file that is read here",
        );
    }
    if locks.files.is_empty() {
        let evidence = Evidence::repository("no lockfile was found");
        return Claim::not_proven(AGREE, vec![evidence], "commit the lockfiles");
    }
    let files: Vec<&str> = locks.files.iter().map(String::as_str).collect();
    evidence.push(Evidence::repository(format!(
        "{} lockfiles, {} packages, {} of them asked for directly: {}",
        files.len(),
        locks.packages.len(),
        locks.direct.len(),
        files.join(", ")
    )));
    if without_binary {
        evidence.push(Evidence::configuration(
            "whether this is what runs was not looked at: no [audit] deployed",
        ));
    }
    Claim::pass(AGREE, evidence)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::{Config, Dependencies};
    use crate::dependencies::locks::{Package, Registry};
    use crate::dependencies::repository_of_tests as planted;
    use crate::verdict::Verdict;

    const DAY: i64 = 86_400;
    const NOW: i64 = 1_795_910_400; // 2026-11-29

    /// A crate with one dependency, its index, an advisory database, and Dependabot at work.
    struct Sound {
        folder: tempfile::TempDir,
    }

    impl Sound {
        fn new() -> Self {
            let sound = Self { folder: tempfile::tempdir().unwrap() };
            let lock = "version = 4\n[[package]]\nname = \"app\"\nversion = \"1.0.0\"\ndependencies = [\"planted\"]\n[[package]]\nname = \"planted\"\nversion = \"1.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n";
            sound.write(
                "code/Cargo.toml",
                "[package]\nname = \"app\"\nversion = \"1.0.0\"\n[dependencies]\nplanted = \"1\"\n",
            );
            sound.write("code/Cargo.lock", lock);
            sound.write("code/.github/dependabot.yml", "version: 2\nupdates: [{package-ecosystem: cargo, directory: /, schedule: {interval: weekly}}]\n");
            sound.write(
                "index/pl/an/planted",
                "{\"vers\": \"1.0.0\", \"yanked\": false, \"pubtime\": \"2026-01-01T00:00:00Z\"}\n",
            );
            sound.write("db/crates/planted/RUSTSEC-1.md", "```toml\n[advisory]\nid = \"RUSTSEC-1\"\npackage = \"planted\"\ndate = \"2026-11-27\"\n[versions]\npatched = [\">= 1.0.0\"]\n```\n");
            let code = sound.folder.path().join("code");
            planted::git(&code, 0, planted::PERSON, &["init", "-q"]);
            planted::commit(&code, NOW - 200 * DAY, planted::PERSON, "first");
            planted::commit(
                &code,
                NOW - 5 * DAY,
                ("dependabot[bot]", "49699333+dependabot[bot]@users.noreply.github.com"),
                "Bump planted",
            );
            sound
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }

        async fn verdicts(&self, change: impl FnOnce(&mut Config)) -> Vec<(String, Verdict)> {
            let mut config = Config::new("http://127.0.0.1:1", "http://127.0.0.1:1/", "a", Arc::new(|| NOW));
            config.repository = Some(self.folder.path().join("code"));
            config.dependencies = Dependencies {
                advisories: Some(Advisories::Folder(self.folder.path().join("db"))),
                registry: Some(self.folder.path().join("index").display().to_string()),
                ..Dependencies::default()
            };
            change(&mut config);
            claims(&World::new(config)).await.into_iter().map(|claim| (claim.id, claim.verdict)).collect()
        }
    }

    #[tokio::test]
    async fn a_sound_repository_passes_and_each_lack_is_seen() {
        let sound = Sound::new();
        let all = sound.verdicts(|_| {}).await;
        assert_eq!(all.len(), 6, "without a binary the last claim is not made");
        for (id, verdict) in all {
            assert_eq!(verdict, Verdict::Pass, "{id}");
        }
        let of = |verdicts: Vec<(String, Verdict)>, id: &str| {
            verdicts.into_iter().find(|(one, _)| one == id).unwrap().1
        };
        let nothing = sound.verdicts(|config| config.repository = None).await;
        assert_eq!(nothing, [(coverage::CLAIM.to_owned(), Verdict::NotProven)]);
        let blind = sound.verdicts(|config| config.dependencies.advisories = None).await;
        assert_eq!(of(blind, advisories::CLAIM), Verdict::NotProven);
        let silent =
            sound.verdicts(|config| config.dependencies.registry = Some("http://127.0.0.1:1".into())).await;
        assert_eq!(of(silent.clone(), releases::CURRENT), Verdict::NotProven);
        assert_eq!(of(silent, releases::YANKED), Verdict::NotProven);
        let binary = sound.verdicts(|config| config.dependencies.deployed = Some("/bin/sh".into())).await;
        assert_eq!(of(binary, deployed::CLAIM), Verdict::NotProven);

        let newer = "{\"vers\": \"1.0.0\", \"yanked\": true, \"pubtime\": \"2026-01-01T00:00:00Z\"}\n{\"vers\": \"1.0.1\", \"yanked\": false, \"pubtime\": \"2026-02-01T00:00:00Z\"}\n";
        sound.write("index/pl/an/planted", newer);
        let late = sound.verdicts(|_| {}).await;
        assert_eq!(of(late.clone(), releases::CURRENT), Verdict::Fail);
        assert_eq!(of(late, releases::YANKED), Verdict::Fail);
        sound.write(
            "code/Cargo.toml",
            "[package]\nname = \"app\"\nversion = \"1.0.0\"\n[dependencies]\nplanted = \"1.2\"\n",
        );
        assert_eq!(of(sound.verdicts(|_| {}).await, AGREE), Verdict::Fail);
    }

    #[test]
    fn without_a_lockfile_nothing_agrees() {
        assert_eq!(agreement(&Locks::default(), true).verdict, Verdict::NotProven);
        let package = Package::new(Registry::Crates, "a", "1.0.0");
        let unread = Locks { packages: [package].into(), unread: vec!["pom.xml".into()], ..Locks::default() };
        assert_eq!(agreement(&unread, true).verdict, Verdict::NotProven);
    }
}
