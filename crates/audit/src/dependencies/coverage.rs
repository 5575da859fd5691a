//! Whether every manifest is looked after by Dependabot or Renovate, as configured on the default branch: a file that is
//! on another branch alone does nothing.

use std::path::Path;

use super::dependabot::{self, Dependabot};
use super::manifests::{Manifest, Manifests};
use super::renovate::{self, Gap, Renovate};
use super::repository::Repository;
use super::tree::Tree;
use crate::evidence::Evidence;
use crate::report::Claim;

/// The claim's id.
pub(crate) const CLAIM: &str = "every_manifest_is_covered";

/// What a repository has, and who looks after it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) manifests: Manifests,
    pub(crate) tools: Tools,
    pub(crate) place: Place,
}

/// Where the configuration was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On the default branch.
    Branch(String),
    /// In a folder that is no repository, for this reason: what its default branch would be is not known.
    Folder(String),
}

/// The configured tools, each with its file.
#[derive(Debug, Default)]
pub(crate) struct Tools {
    pub(crate) dependabot: Option<(String, Result<Dependabot, String>)>,
    pub(crate) renovate: Option<(String, Result<Renovate, String>)>,
    /// Files that lie in the work tree and are not on the default branch.
    pub(crate) elsewhere: Vec<String>,
    /// A second file of Dependabot's, of which nobody knows what GitHub makes.
    pub(crate) second: bool,
}

impl Tools {
    fn read(tree: &Tree, branch: Option<&str>, text: impl Fn(&str) -> Option<String>) -> Self {
        let mut tools = Self::default();
        for file in dependabot::FILES {
            let Some(text) = text(file) else { continue };
            if tools.dependabot.is_some() {
                tools.second = true;
            } else {
                tools.dependabot = Some((file.to_owned(), Dependabot::read(&text, branch)));
            }
        }
        let written = renovate::FILES
            .into_iter()
            .find_map(|file| text(file).map(|text| (file.to_owned(), Renovate::read(&text))));
        tools.renovate = written.or_else(|| {
            let package: serde_json::Value = serde_json::from_str(&text("package.json")?).ok()?;
            let config = package.get("renovate")?.clone();
            Some(("package.json".to_owned(), Ok(Renovate::of(config))))
        });
        tools.elsewhere = dependabot::FILES
            .into_iter()
            .chain(renovate::FILES)
            .filter(|file| tree.has(file) && text(file).is_none())
            .map(str::to_owned)
            .collect();
        tools
    }

    /// The file of each tool that is configured at all.
    pub(crate) fn files(&self) -> Vec<(&'static str, &str)> {
        let dependabot = self.dependabot.iter().map(|(file, _)| ("Dependabot", file.as_str()));
        dependabot.chain(self.renovate.iter().map(|(file, _)| ("Renovate", file.as_str()))).collect()
    }

    fn covers(&self, manifest: &Manifest) -> Result<(), Gap> {
        let mut gaps = Vec::new();
        let mut unknown = false;
        if let Some((file, dependabot)) = &self.dependabot {
            match dependabot.as_ref().map(|dependabot| dependabot.covers(manifest)) {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(why)) => gaps.push(format!("{file}: {why}")),
                Err(why) => gaps.push(format!("{file}: {why}")),
            }
        }
        if let Some((file, renovate)) = &self.renovate {
            match renovate.as_ref().map(|renovate| renovate.covers(manifest)) {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(Gap::Open(why))) => gaps.push(format!("{file}: {why}")),
                Ok(Err(Gap::Unknown(why))) => {
                    unknown = true;
                    gaps.push(format!("{file}: {why}"));
                }
                Err(why) => gaps.push(format!("{file}: {why}")),
            }
        }
        if gaps.is_empty() {
            gaps.push("no update tool is configured".into());
        }
        Err(if unknown { Gap::Unknown(gaps.join("; ")) } else { Gap::Open(gaps.join("; ")) })
    }
}

/// Looks at a repository, or at a folder that is none.
pub(crate) fn observe(repository: &Result<Repository, String>, folder: &Path) -> Seen {
    let (tree, place, branch) = match repository {
        Ok(repository) => match (repository.tree(), repository.branch()) {
            (Ok(tree), Some(branch)) => {
                let name = branch.name.clone().unwrap_or_else(|| branch.reference.clone());
                (tree, Place::Branch(name), branch.name.clone())
            }
            (Ok(tree), None) => (tree, Place::Folder("nothing is committed yet".into()), None),
            (Err(why), _) => (Tree::of_folder(folder), Place::Folder(why), None),
        },
        Err(why) => (Tree::of_folder(folder), Place::Folder(why.clone()), None),
    };
    let tools = match (&place, repository) {
        (Place::Branch(_), Ok(repository)) => {
            Tools::read(&tree, branch.as_deref(), |file| repository.on_default_branch(file))
        }
        _ => Tools::read(&tree, None, |file| tree.text(file)),
    };
    Seen { manifests: Manifests::of(&tree), tools, place }
}

/// The claim on a folder's repository.
#[must_use]
pub fn claim(folder: &Path) -> Claim {
    judge(&observe(&Repository::of(folder), folder))
}

/// What no configured tool looks after, as the files lie there, whatever is on the default branch; none where nothing is
/// configured at all.
#[must_use]
pub fn gaps(tree: &Tree, manifests: &Manifests) -> Option<Vec<String>> {
    let tools = Tools::read(tree, None, |file| tree.text(file));
    if tools.files().is_empty() {
        return None;
    }
    let open = manifests.found.iter().filter_map(|manifest| match tools.covers(manifest) {
        Ok(()) => None,
        Err(Gap::Open(why) | Gap::Unknown(why)) => {
            Some(format!("{} ({}): {why}", manifest.path, manifest.ecosystem))
        }
    });
    Some(open.collect())
}

pub(crate) fn judge(seen: &Seen) -> Claim {
    let remedy = "name every ecosystem and folder in .github/dependabot.yml on the default branch: portcullis init writes it";
    let found = &seen.manifests.found;
    if found.is_empty() {
        // Nothing was found where something should be: an empty scan is not green.
        let evidence = Evidence::repository("no manifest was found: nothing names a dependency here");
        return Claim::not_proven(CLAIM, vec![evidence], "point [audit] repository at the code");
    }
    let mut open = Vec::new();
    let mut unknown = Vec::new();
    for manifest in found {
        match seen.tools.covers(manifest) {
            Ok(()) => {}
            Err(Gap::Open(why)) => open.push(format!("{} ({}): {why}", manifest.path, manifest.ecosystem)),
            Err(Gap::Unknown(why)) => {
                unknown.push(format!("{} ({}): {why}", manifest.path, manifest.ecosystem))
            }
        }
    }
    let mut notes = notes(seen);
    if !open.is_empty() {
        let mut evidence: Vec<Evidence> = open.into_iter().map(Evidence::repository).collect();
        evidence.append(&mut notes);
        return Claim::fail(CLAIM, evidence, remedy);
    }
    if !unknown.is_empty() {
        let mut evidence: Vec<Evidence> = unknown.into_iter().map(Evidence::repository).collect();
        evidence.append(&mut notes);
        return Claim::not_proven(
            CLAIM,
            evidence,
            "name what the foreign preset says in this repository, too",
        );
    }
    let by = seen
        .tools
        .files()
        .iter()
        .map(|(tool, file)| format!("{tool} ({file})"))
        .collect::<Vec<_>>()
        .join(" and ");
    let mut evidence =
        vec![Evidence::repository(format!("{} are looked after by {by}", listed(&seen.manifests)))];
    evidence.append(&mut notes);
    match &seen.place {
        Place::Branch(_) => Claim::pass(CLAIM, evidence),
        Place::Folder(why) => {
            evidence.insert(
                0,
                Evidence::repository(format!("no repository to see the default branch of: {why}")),
            );
            Claim::not_proven(CLAIM, evidence, "run the audit in a clone of the repository")
        }
    }
}

/// `30 manifests (cargo 13, docker 2)`.
fn listed(manifests: &Manifests) -> String {
    let mut counts = std::collections::BTreeMap::new();
    for manifest in &manifests.found {
        *counts.entry(manifest.ecosystem).or_insert(0_usize) += 1;
    }
    let kinds: Vec<String> = counts.iter().map(|(ecosystem, count)| format!("{ecosystem} {count}")).collect();
    format!("{} manifests ({})", manifests.found.len(), kinds.join(", "))
}

fn notes(seen: &Seen) -> Vec<Evidence> {
    let mut notes = Vec::new();
    if let Place::Branch(branch) = &seen.place {
        for file in &seen.tools.elsewhere {
            notes.push(Evidence::repository(format!(
                "{file} is in the work tree and not on the default branch {branch}: it does nothing yet"
            )));
        }
    }
    if seen.tools.second {
        notes.push(Evidence::repository(
            "there are both dependabot.yml and dependabot.yaml: the first one was read",
        ));
    }
    if seen.tools.dependabot.is_some() && seen.tools.renovate.is_some() {
        notes.push(Evidence::repository(
            "both Dependabot and Renovate are configured: two tools will open the same pull requests",
        ));
    }
    match seen.manifests.vendored.as_slice() {
        [] => {}
        [first, ..] => notes.push(Evidence::repository(format!(
            "{} manifests are copies that a package manager wrote ({first}): what made them is looked after",
            seen.manifests.vendored.len()
        ))),
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dependencies::repository::planted::{PERSON, commit, git};
    use crate::dependencies::tree::planted::tree;
    use crate::verdict::Verdict;

    const CARGO: &str =
        "version: 2\nupdates:\n  - {package-ecosystem: cargo, directory: /, schedule: {interval: weekly}}\n";

    /// A repository with these files in its only commit.
    fn committed(files: &[(&str, &str)]) -> tempfile::TempDir {
        let (folder, _) = tree(files);
        git(folder.path(), 0, PERSON, &["init", "-q"]);
        commit(folder.path(), 0, PERSON, "first");
        folder
    }

    #[test]
    fn verdicts() {
        let manifest = ("Cargo.toml", "[package]\nname = \"a\"");
        let dependabot = (".github/dependabot.yml", CARGO);
        for (files, wanted, said) in [
            (vec![manifest, dependabot], Verdict::Pass, "cargo 1"),
            (vec![manifest, (".github/dependabot.yaml", CARGO)], Verdict::Pass, "dependabot.yaml"),
            (
                vec![manifest, ("renovate.json5", "{extends: ['config:recommended'],}")],
                Verdict::Pass,
                "Renovate",
            ),
            (vec![manifest, ("package.json", "{\"renovate\": {}}")], Verdict::Pass, "package.json"),
            (vec![manifest], Verdict::Fail, "no update tool is configured"),
            (vec![manifest, ("web/package.json", "{}"), dependabot], Verdict::Fail, "web/package.json (npm)"),
            (
                vec![manifest, ("fuzz/Cargo.toml", "[workspace]"), dependabot],
                Verdict::Fail,
                "fuzz/Cargo.toml",
            ),
            (vec![manifest, (".github/dependabot.yml", "version: 1")], Verdict::Fail, "version: 2"),
            (
                vec![manifest, ("renovate.json", "{\"extends\": [\"github>acme/x\"]}")],
                Verdict::NotProven,
                "github>acme/x",
            ),
            // Each covers what the other leaves out.
            (
                vec![
                    manifest,
                    ("web/package.json", "{}"),
                    dependabot,
                    ("renovate.json", "{\"enabledManagers\": [\"npm\"]}"),
                ],
                Verdict::Pass,
                "Dependabot (.github/dependabot.yml) and Renovate (renovate.json)",
            ),
            (vec![("README.md", "")], Verdict::NotProven, "no manifest"),
        ] {
            let folder = committed(&files);
            let claim = claim(folder.path());
            assert_eq!(claim.verdict, wanted, "{files:?}: {claim:?}");
            assert!(claim.evidence.iter().any(|one| one.what.contains(said)), "{said}: {claim:?}");
        }
    }

    #[test]
    fn only_the_default_branch_counts() {
        let folder = committed(&[("Cargo.toml", "")]);
        let run = |arguments: &[&str]| git(folder.path(), 0, PERSON, arguments);
        std::fs::create_dir(folder.path().join(".github")).unwrap();
        std::fs::write(folder.path().join(".github/dependabot.yml"), CARGO).unwrap();
        let uncommitted = claim(folder.path());
        assert_eq!(uncommitted.verdict, Verdict::Fail);
        assert!(
            uncommitted.evidence.iter().any(|one| one.what.contains("does nothing yet")),
            "{uncommitted:?}"
        );

        run(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
        run(&["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main"]);
        run(&["checkout", "-q", "-b", "tools"]);
        commit(folder.path(), 1, PERSON, "on a branch of its own");
        assert_eq!(claim(folder.path()).verdict, Verdict::Fail, "onboarding that nobody merged");

        run(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
        assert_eq!(claim(folder.path()).verdict, Verdict::Pass);
    }

    #[test]
    fn without_a_repository_nothing_is_proven() {
        let (folder, _) = tree(&[("Cargo.toml", ""), (".github/dependabot.yml", CARGO)]);
        let seen = observe(&Err("not a git repository".into()), folder.path());
        assert_eq!(judge(&seen).verdict, Verdict::NotProven);
    }
}
