//! Whose code is let in: licences, bans and sources by `deny.toml` on every run, advisories where their database is.

use std::path::{Path, PathBuf};

use audit::dependencies::{Known, known};
use cargo_metadata::Package;
use cargo_metadata::semver::{Version, VersionReq};
use serde::Deserialize;

use crate::graph::{Graph, root};
use crate::licence;

#[derive(Deserialize)]
struct Deny {
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
    advisories: Advisories,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
}

#[derive(Deserialize)]
struct Advisories {
    ignore: Vec<Ignored>,
}

#[derive(Deserialize)]
struct Ignored {
    id: String,
    reason: String,
}

fn deny() -> Deny {
    let text = std::fs::read_to_string(root().join("deny.toml")).unwrap();
    toml::from_str(&text).unwrap()
}

fn none(findings: Vec<String>) {
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

fn name(package: &Package) -> String {
    format!("{} {}", package.name, package.version)
}

#[test]
fn every_licence_is_allowed() {
    let allowed = deny().licenses.allow;
    let graph = Graph::of_this_repository();
    let judged = graph.packages().into_iter().filter_map(|package| {
        let expression = package.license.as_deref().unwrap_or_default();
        match licence::is_met(expression, &allowed) {
            Ok(true) => None,
            Ok(false) => Some(format!("{}: licence {expression} is not in deny.toml", name(package))),
            Err(error) => Some(format!("{}: {error}", name(package))),
        }
    });
    none(judged.collect());
}

#[test]
fn nothing_banned_and_no_open_version() {
    let bans = deny().bans.deny;
    let graph = Graph::of_this_repository();
    let packages = graph.packages();
    let banned = packages.iter().filter_map(|package| {
        let ban = bans.iter().find(|ban| ban.name == package.name.as_str())?;
        Some(format!("{} is banned: {}", name(package), ban.reason))
    });
    let open = graph.rooms().into_iter().flat_map(|room| {
        let open =
            room.dependencies.iter().filter(|asked| asked.req == VersionReq::STAR && asked.path.is_none());
        open.map(|asked| format!("{} asks for any version of {}", room.name, asked.name)).collect::<Vec<_>>()
    });
    none(banned.chain(open).collect());
}

#[test]
fn everything_comes_from_the_registry_or_from_this_repository() {
    let allowed = deny().sources.allow_registry;
    let graph = Graph::of_this_repository();
    let foreign = graph.packages().into_iter().filter_map(|package| {
        let source = package.source.as_ref()?.repr.clone();
        let registry = source.strip_prefix("registry+").unwrap_or_default();
        (!allowed.iter().any(|known| known == registry))
            .then(|| format!("{} comes from {source}", name(package)))
    });
    none(foreign.collect());
}

#[test]
fn every_dependency_says_what_it_is_for() {
    let text = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let table = text.lines().skip_while(|line| *line != "[workspace.dependencies]").skip(1);
    let table = table.take_while(|line| !line.starts_with('['));
    let silent = table.filter(|line| line.contains('=') && !line.contains("path =") && !line.contains('#'));
    none(silent.map(|line| format!("Cargo.toml: no purpose beside `{line}`")).collect());
}

/// What the database says of these packages, read by the auditor: (vulnerabilities, notes such as "unmaintained").
fn advisories<'a>(
    database: &Path,
    packages: impl Iterator<Item = (&'a str, &'a Version)>,
    ignored: &[Ignored],
) -> (Vec<String>, Vec<String>) {
    let packages = packages.map(|(name, version)| (name, version.to_string()));
    let known = known(database, packages).unwrap_or_else(|error| panic!("ADVISORY_DB: {error}"));
    let is_ignored = |id: &str| ignored.iter().any(|ignored| ignored.id == id && !ignored.reason.is_empty());
    let (mut grave, mut notes) = (Vec::new(), Vec::new());
    for Known { package, id, note } in known.into_iter().filter(|known| !is_ignored(&known.id)) {
        match note {
            Some(kind) => notes.push(format!("{package}: {id} ({kind})")),
            None => grave.push(format!("{package}: {id}")),
        }
    }
    (grave, notes)
}

#[test]
fn no_advisory_where_the_database_can_be_had() {
    let Some(database) = std::env::var_os("ADVISORY_DB").filter(|value| !value.is_empty()).map(PathBuf::from)
    else {
        eprintln!("ADVISORIES WERE NOT CHECKED: set ADVISORY_DB to a copy of the RustSec database");
        return;
    };
    let graph = Graph::of_this_repository();
    let packages = graph.packages();
    let packages = packages.iter().filter(|package| package.source.is_some());
    let ignored = deny().advisories.ignore;
    let (grave, notes) =
        advisories(&database, packages.map(|one| (one.name.as_str(), &one.version)), &ignored);
    notes.iter().for_each(|note| eprintln!("note: {note}"));
    none(grave);
}

#[test]
fn a_planted_advisory_is_found_unless_patched_withdrawn_or_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, head: &str, versions: &str| {
        let path = folder.path().join("crates/planted");
        std::fs::create_dir_all(&path).unwrap();
        let text = format!(
            "```toml\n[advisory]\nid = \"{file}\"\npackage = \"planted\"\ndate = \"2026-01-01\"\n{head}\n[versions]\n{versions}\n```\n\n# Title\n"
        );
        std::fs::write(path.join(format!("{file}.md")), text).unwrap();
    };
    write("RUSTSEC-1", "", "patched = [\">= 1.2.0\"]");
    write("RUSTSEC-2", "withdrawn = \"2026-01-01\"", "patched = []");
    write("RUSTSEC-3", "informational = \"unmaintained\"", "patched = []");
    write("RUSTSEC-4", "", "patched = []\nunaffected = [\"< 1.0.0\"]");
    let look = |version: &str, ignored: &[Ignored]| {
        let version = Version::parse(version).unwrap();
        let (mut grave, notes) = advisories(folder.path(), [("planted", &version)].into_iter(), ignored);
        grave.sort();
        (grave, notes.len())
    };
    let both = vec!["planted 1.1.0: RUSTSEC-1".to_owned(), "planted 1.1.0: RUSTSEC-4".to_owned()];
    assert_eq!(look("1.1.0", &[]), (both, 1));
    assert_eq!(look("1.2.0", &[]).0, ["planted 1.2.0: RUSTSEC-4"]);
    assert_eq!(look("0.9.0", &[]).0, ["planted 0.9.0: RUSTSEC-1"]);
    let ignored = [Ignored { id: "RUSTSEC-1".into(), reason: "planted".into() }];
    assert_eq!(look("0.9.0", &ignored).0, Vec::<String>::new());
    let version = Version::parse("1.0.0").unwrap();
    assert_eq!(advisories(folder.path(), [("other", &version)].into_iter(), &[]).0.len(), 0);
}
