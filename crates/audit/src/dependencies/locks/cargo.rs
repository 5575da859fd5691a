//! `Cargo.lock`, and whether each member's manifest would be met by it without a change: what `cargo --locked` asks.

use std::collections::{BTreeMap, BTreeSet};

use semver::{Version, VersionReq};
use toml::{Table, Value};

use super::{Locks, Package, Registry};
use crate::dependencies::ecosystem::Ecosystem;
use crate::dependencies::manifests::Manifests;
use crate::dependencies::tree::{Tree, within};

/// One `[[package]]`.
#[derive(Debug)]
struct Entry {
    name: String,
    version: String,
    source: Option<String>,
    /// Name, and the version where there are several.
    dependencies: Vec<(String, Option<String>)>,
}

pub(super) fn read(tree: &Tree, manifests: &Manifests, locks: &mut Locks) {
    let mut members: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for manifest in manifests.found.iter().filter(|manifest| manifest.ecosystem == Ecosystem::Cargo) {
        members.entry(manifest.best_folder().to_owned()).or_default().push(&manifest.path);
    }
    for (root, members) in members {
        let file = within(&root, "Cargo.lock");
        let entries = match tree.text(&file) {
            Some(text) => match entries(&text) {
                Some(entries) => entries,
                None => {
                    locks.unread.push(format!("{file} cannot be read"));
                    continue;
                }
            },
            None => {
                let any = members
                    .iter()
                    .filter_map(|path| tree.toml(path))
                    .any(|manifest| dependency_tables(&manifest).iter().any(|table| !table.is_empty()));
                if any {
                    locks.faults.push(format!("{}: no {file} is committed", within(&root, "Cargo.toml")));
                }
                continue;
            }
        };
        locks.files.insert(file.clone());
        for entry in entries.iter().filter(|entry| is_of_registry(entry.source.as_deref())) {
            locks.packages.insert(Package::new(Registry::Crates, &entry.name, &entry.version));
        }
        let elsewhere = entries.iter().filter(|entry| !is_of_registry(entry.source.as_deref()));
        locks.local.extend(elsewhere.map(|entry| (entry.name.clone(), entry.version.clone())));
        let workspace = tree.toml(&within(&root, "Cargo.toml")).unwrap_or_default();
        for path in members {
            match tree.toml(path) {
                Some(manifest) => compare(path, &manifest, &workspace, &file, &entries, locks),
                None => locks.unread.push(format!("{path} cannot be read")),
            }
        }
    }
}

/// The registry and those that stand in for it; not git, not a path.
fn is_of_registry(source: Option<&str>) -> bool {
    source.is_some_and(|source| source.starts_with("registry+") || source.starts_with("sparse+"))
}

fn entries(text: &str) -> Option<Vec<Entry>> {
    let table: Table = toml::from_str(text).ok()?;
    let Some(packages) = table.get("package") else { return Some(Vec::new()) };
    packages.as_array()?.iter().map(entry).collect()
}

fn entry(package: &Value) -> Option<Entry> {
    let text = |key: &str| package.get(key).and_then(Value::as_str).map(str::to_owned);
    let listed = package.get("dependencies").and_then(Value::as_array).into_iter().flatten();
    let dependencies = listed
        .filter_map(Value::as_str)
        .filter_map(|written| {
            let mut parts = written.split(' ');
            Some((parts.next()?.to_owned(), parts.next().map(str::to_owned)))
        })
        .collect();
    Some(Entry { name: text("name")?, version: text("version")?, source: text("source"), dependencies })
}

/// Every table of dependencies of a manifest, those for one target alone too.
pub(crate) fn dependency_tables(manifest: &Table) -> Vec<&Table> {
    const KINDS: [&str; 5] =
        ["dependencies", "dev-dependencies", "build-dependencies", "dev_dependencies", "build_dependencies"];
    let mut tables: Vec<&Table> = KINDS.iter().filter_map(|kind| manifest.get(*kind)?.as_table()).collect();
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flatten();
    for (_, target) in targets {
        tables.extend(KINDS.iter().filter_map(|kind| target.get(*kind)?.as_table()));
    }
    tables
}

/// A value of the manifest, or of the workspace where the manifest says so.
fn inherited<'a>(value: &'a Value, in_workspace: Option<&'a Value>) -> Option<&'a Value> {
    if value.get("workspace").and_then(Value::as_bool) == Some(true) { in_workspace } else { Some(value) }
}

fn compare(
    path: &str,
    manifest: &Table,
    workspace: &Table,
    file: &str,
    entries: &[Entry],
    locks: &mut Locks,
) {
    let Some(package) = manifest.get("package").and_then(Value::as_table) else { return };
    let name = package.get("name").and_then(Value::as_str).unwrap_or_default();
    let of_workspace = workspace.get("workspace").and_then(Value::as_table);
    let version = package.get("version").and_then(|version| {
        let shared = of_workspace.and_then(|shared| shared.get("package")?.get("version"));
        inherited(version, shared)?.as_str()
    });
    let Some(own) = entries.iter().find(|entry| entry.source.is_none() && entry.name == name) else {
        locks.faults.push(format!("{path}: {file} does not know the package {name}"));
        return;
    };
    if let Some(version) = version
        && version != own.version
    {
        locks.faults.push(format!("{path}: version {version}, in {file} {}", own.version));
    }
    let mut asked = BTreeSet::new();
    let shared = of_workspace.and_then(|shared| shared.get("dependencies")).and_then(Value::as_table);
    for (key, value) in dependency_tables(manifest).into_iter().flatten() {
        let Some(value) = inherited(value, shared.and_then(|shared| shared.get(key))) else {
            locks.faults.push(format!("{path}: the workspace has no dependency {key}"));
            continue;
        };
        let dependency = value.get("package").and_then(Value::as_str).unwrap_or(key);
        asked.insert(dependency.to_owned());
        let listed: Vec<_> = own.dependencies.iter().filter(|(name, _)| name == dependency).collect();
        one(path, dependency, value, &listed, file, entries, locks);
    }
    for (name, _) in &own.dependencies {
        if !asked.contains(name) {
            locks
                .faults
                .push(format!("{path}: {file} still has {name}, which the manifest does not ask for"));
        }
    }
}

/// One dependency of a manifest against what the lockfile says of it.
fn one(
    path: &str,
    name: &str,
    value: &Value,
    listed: &[&(String, Option<String>)],
    file: &str,
    entries: &[Entry],
    locks: &mut Locks,
) {
    if listed.is_empty() {
        locks.faults.push(format!("{path}: {name} is not in {file}"));
        return;
    }
    let of_registry = value.get("path").is_none() && value.get("git").is_none();
    let requirement = value.as_str().or_else(|| value.get("version").and_then(Value::as_str)).unwrap_or("*");
    let Ok(requirement) = VersionReq::parse(requirement) else {
        locks.faults.push(format!("{path}: {name} asks for `{requirement}`, which is no requirement"));
        return;
    };
    let candidates = entries.iter().filter(|entry| {
        entry.name == name
            && listed
                .iter()
                .any(|(_, version)| version.as_ref().is_none_or(|version| *version == entry.version))
    });
    let meeting = candidates
        .filter(|entry| Version::parse(&entry.version).is_ok_and(|version| requirement.matches(&version)))
        .max_by_key(|entry| Version::parse(&entry.version).ok());
    match meeting {
        None => locks.faults.push(format!("{path}: {name} {requirement} is not met by {file}")),
        Some(entry) if of_registry && is_of_registry(entry.source.as_deref()) => {
            locks.direct.insert(Package::new(Registry::Crates, name, &entry.version));
        }
        Some(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dependencies::tree::planted::tree;

    const ROOT: &str = "[workspace]\nmembers = [\"a\"]\n[workspace.package]\nversion = \"1.0.0\"\n[workspace.dependencies]\nserde = \"1.0.100\"";
    const MEMBER: &str = "[package]\nname = \"a\"\nversion.workspace = true\n[dependencies]\nserde.workspace = true\nrenamed = { package = \"rand\", version = \"0.9\" }\n[target.'cfg(unix)'.dev-dependencies]\nlibc = \"0.2\"";
    const LOCK: &str = r#"
version = 4
[[package]]
name = "a"
version = "1.0.0"
dependencies = ["libc", "rand 0.9.1", "serde"]
[[package]]
name = "libc"
version = "0.2.5"
source = "registry+https://github.com/rust-lang/crates.io-index"
[[package]]
name = "rand"
version = "0.8.0"
source = "registry+https://github.com/rust-lang/crates.io-index"
[[package]]
name = "rand"
version = "0.9.1"
source = "registry+https://github.com/rust-lang/crates.io-index"
[[package]]
name = "serde"
version = "1.0.200"
source = "registry+https://github.com/rust-lang/crates.io-index"
"#;

    fn locks(root: &str, member: &str, lock: Option<&str>) -> Locks {
        let mut files = vec![("Cargo.toml", root), ("a/Cargo.toml", member)];
        files.extend(lock.map(|lock| ("Cargo.lock", lock)));
        let (_folder, tree) = tree(&files);
        Locks::of(&tree, &Manifests::of(&tree))
    }

    #[test]
    fn a_lockfile_that_fits_is_read_whole() {
        let locks = locks(ROOT, MEMBER, Some(LOCK));
        assert_eq!(locks.faults, Vec::<String>::new());
        assert_eq!(locks.packages.len(), 4);
        let direct: Vec<String> = locks.direct.iter().map(ToString::to_string).collect();
        assert_eq!(direct, ["libc 0.2.5", "rand 0.9.1", "serde 1.0.200"]);
    }

    #[test]
    fn a_lockfile_that_does_not_fit_is_told() {
        for (root, member, lock, said) in [
            (
                ROOT.replace("1.0.100", "1.0.300"),
                MEMBER.to_owned(),
                Some(LOCK.to_owned()),
                "serde ^1.0.300 is not met",
            ),
            (ROOT.replace("1.0.0", "1.1.0"), MEMBER.to_owned(), Some(LOCK.to_owned()), "version 1.1.0"),
            (
                ROOT.to_owned(),
                format!("{MEMBER}\nnew = \"1\""),
                Some(LOCK.to_owned()),
                "new is not in Cargo.lock",
            ),
            (ROOT.to_owned(), MEMBER.replace("libc = \"0.2\"", ""), Some(LOCK.to_owned()), "still has libc"),
            (
                ROOT.to_owned(),
                MEMBER.replace("\"a\"", "\"b\""),
                Some(LOCK.to_owned()),
                "does not know the package b",
            ),
            (ROOT.to_owned(), MEMBER.to_owned(), None, "no Cargo.lock is committed"),
        ] {
            let locks = locks(&root, &member, lock.as_deref());
            assert!(locks.faults.iter().any(|fault| fault.contains(said)), "{said}: {:?}", locks.faults);
        }
        assert_eq!(locks(ROOT, MEMBER, Some("no toml")).unread, ["Cargo.lock cannot be read"]);
    }

    #[test]
    fn two_workspaces_have_a_lockfile_each() {
        let (_folder, tree) = tree(&[
            ("Cargo.toml", ROOT),
            ("a/Cargo.toml", MEMBER),
            ("Cargo.lock", LOCK),
            (
                "fuzz/Cargo.toml",
                "[package]\nname = \"fuzz\"\nversion = \"0.0.0\"\n[dependencies]\nold = \"1\"\n[workspace]",
            ),
            (
                "fuzz/Cargo.lock",
                "[[package]]\nname = \"fuzz\"\nversion = \"0.0.0\"\ndependencies = [\"old\"]\n[[package]]\nname = \"old\"\nversion = \"1.0.0\"\nsource = \"registry+https://x\"\n",
            ),
        ]);
        let locks = Locks::of(&tree, &Manifests::of(&tree));
        assert_eq!(locks.faults, Vec::<String>::new());
        assert!(locks.packages.contains(&Package::new(Registry::Crates, "old", "1.0.0")));
        assert_eq!(locks.files.len(), 2);
    }
}
