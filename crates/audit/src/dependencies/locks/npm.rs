//! `package-lock.json`, `npm-shrinkwrap.json`, `pnpm-lock.yaml`, `yarn.lock` and `bun.lock`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Locks, Package, Registry};
use crate::dependencies::ecosystem::Ecosystem;
use crate::dependencies::manifests::Manifests;
use crate::dependencies::tree::{Tree, folder_of, within};
use crate::dependencies::workspaces::below;

const KINDS: [&str; 3] = ["dependencies", "devDependencies", "optionalDependencies"];

pub(super) fn read(tree: &Tree, manifests: &Manifests, locks: &mut Locks) {
    let of_npm = |ecosystem| matches!(ecosystem, Ecosystem::Npm | Ecosystem::Bun);
    for manifest in manifests.found.iter().filter(|manifest| of_npm(manifest.ecosystem)) {
        let Some(json) = tree.json(&manifest.path) else {
            locks.unread.push(format!("{} cannot be read", manifest.path));
            continue;
        };
        let asked = asked(&json);
        let Some((file, lock)) = find(tree, &manifest.folders) else {
            if !asked.is_empty() {
                locks
                    .faults
                    .push(format!("{}: no lockfile is committed beside it or its workspace", manifest.path));
            }
            continue;
        };
        let Some(lock) = lock else {
            locks.unread.push(format!("{file} cannot be read"));
            continue;
        };
        locks.files.insert(file.clone());
        let packages = lock.packages();
        // A lockfile without a package, for a manifest that wants some, is one that was not understood.
        if packages.is_empty() && !asked.is_empty() {
            locks.unread.push(format!("{file} names no package"));
            continue;
        }
        locks.packages.extend(packages);
        let member = below(folder_of(&file), folder_of(&manifest.path)).unwrap_or_default();
        for (name, specifier) in asked {
            if is_elsewhere(&specifier) {
                continue;
            }
            match lock.locked(member, &name, &specifier) {
                Ok(Some(version)) => {
                    locks.direct.insert(Package::new(Registry::Npm, real_name(&name, &specifier), &version));
                }
                Ok(None) => {}
                Err(why) => locks.faults.push(format!("{}: {name} {specifier}: {file} {why}", manifest.path)),
            }
        }
    }
}

/// What a package.json asks for.
fn asked(json: &Value) -> BTreeMap<String, String> {
    let tables = KINDS.iter().filter_map(|kind| json[*kind].as_object()).flatten();
    tables.filter_map(|(name, specifier)| Some((name.clone(), specifier.as_str()?.to_owned()))).collect()
}

/// `npm:other@1` under another name.
fn real_name<'a>(name: &'a str, specifier: &'a str) -> &'a str {
    match specifier.strip_prefix("npm:").and_then(|alias| alias.rsplit_once('@')) {
        Some((real, _)) if !real.is_empty() => real,
        _ => name,
    }
}

/// Whether it comes from no registry.
fn is_elsewhere(specifier: &str) -> bool {
    ["file:", "link:", "workspace:", "git", "http:", "https:", "portal:", "patch:", "catalog:"]
        .iter()
        .any(|scheme| specifier.starts_with(scheme))
        || (specifier.contains('/') && !specifier.starts_with("npm:"))
}

/// A lockfile by its form.
enum Lock {
    Npm(Value),
    Pnpm(Value),
    /// Name, specifiers, version of each entry.
    Yarn(Vec<(String, Vec<String>, String)>),
    Bun(Value),
}

/// The lockfile beside a manifest or its workspace's root; none inside where it cannot be read.
fn find(tree: &Tree, folders: &[String]) -> Option<(String, Option<Lock>)> {
    // The outermost counts: a workspace has one lockfile.
    let mut folders: Vec<&String> = folders.iter().collect();
    folders.sort_by_key(|folder| folder.len());
    folders.into_iter().find_map(|folder| {
        let names = [
            "npm-shrinkwrap.json",
            "package-lock.json",
            "pnpm-lock.yaml",
            "yarn.lock",
            "bun.lock",
            "bun.lockb",
        ];
        let name = names.into_iter().find(|name| tree.has(&within(folder, name)))?;
        let file = within(folder, name);
        let text = tree.text(&file);
        let lock = text.and_then(|text| match name {
            "pnpm-lock.yaml" => serde_saphyr::from_str(&text).ok().map(Lock::Pnpm),
            "yarn.lock" => Some(Lock::Yarn(yarn(&text))),
            "bun.lock" => json5::from_str(&text).ok().map(Lock::Bun),
            // The binary form is nobody's but bun's.
            "bun.lockb" => None,
            _ => serde_json::from_str(&text).ok().map(Lock::Npm),
        });
        Some((file, lock))
    })
}

impl Lock {
    fn packages(&self) -> Vec<Package> {
        let package = |name: &str, version: &str| Package::new(Registry::Npm, name, version);
        match self {
            Self::Npm(json) => {
                let mut packages = Vec::new();
                for (path, entry) in json["packages"].as_object().into_iter().flatten() {
                    let Some((_, in_folder)) = path.rsplit_once("node_modules/") else { continue };
                    // A link leads to a member of the workspace.
                    if entry["link"].as_bool() == Some(true) {
                        continue;
                    }
                    let name = entry["name"].as_str().unwrap_or(in_folder);
                    packages.extend(entry["version"].as_str().map(|version| package(name, version)));
                }
                if packages.is_empty() {
                    first_form(&json["dependencies"], &mut packages);
                }
                packages
            }
            Self::Pnpm(yaml) => yaml["packages"]
                .as_object()
                .into_iter()
                .flatten()
                .filter_map(|(key, _)| {
                    let key = key.trim_start_matches('/').split('(').next()?;
                    let (name, version) = key
                        .get(1..)?
                        .rsplit_once('@')
                        .map(|(rest, version)| (&key[..=rest.len()], version))?;
                    version.starts_with(|c: char| c.is_ascii_digit()).then(|| package(name, version))
                })
                .collect(),
            Self::Yarn(entries) => entries
                .iter()
                .filter(|(_, specifiers, _)| !specifiers.iter().all(|one| is_elsewhere(one)))
                .map(|(name, _, version)| package(name, version))
                .collect(),
            Self::Bun(json) => json["packages"]
                .as_object()
                .into_iter()
                .flatten()
                .filter_map(|(_, entry)| {
                    let (name, version) = entry[0].as_str()?.rsplit_once('@')?;
                    version.starts_with(|c: char| c.is_ascii_digit()).then(|| package(name, version))
                })
                .collect(),
        }
    }

    /// The version that a member's dependency is locked to; an error where the lockfile was made for another manifest.
    fn locked(&self, member: &str, name: &str, specifier: &str) -> Result<Option<String>, String> {
        match self {
            Self::Npm(json) => {
                if json["packages"].is_object() {
                    let of_member = &json["packages"][member];
                    let recorded = KINDS.iter().find_map(|kind| of_member[*kind][name].as_str());
                    match recorded {
                        None => return Err("does not have it".into()),
                        Some(recorded) if recorded != specifier => {
                            return Err(format!("was made for {recorded}"));
                        }
                        Some(_) => {}
                    }
                    let own = within(member, &format!("node_modules/{name}"));
                    let shared = format!("node_modules/{name}");
                    let version =
                        [own, shared].iter().find_map(|path| json["packages"][path]["version"].as_str());
                    // An optional one for another platform may be missing.
                    return Ok(version.map(str::to_owned));
                }
                match json["dependencies"][name]["version"].as_str() {
                    Some(version) => Ok(Some(version.to_owned())),
                    None => Err("does not have it".into()),
                }
            }
            Self::Pnpm(yaml) => {
                let importer = if yaml["importers"].is_object() {
                    &yaml["importers"][if member.is_empty() { "." } else { member }]
                } else {
                    yaml
                };
                let entry = KINDS.iter().map(|kind| &importer[*kind][name]).find(|entry| !entry.is_null());
                let Some(entry) = entry else { return Err("does not have it".into()) };
                match entry["specifier"].as_str() {
                    Some(recorded) if recorded != specifier => {
                        return Err(format!("was made for {recorded}"));
                    }
                    _ => {}
                }
                let version = entry["version"].as_str().or_else(|| entry.as_str()).unwrap_or_default();
                let version = version.split('(').next().unwrap_or_default();
                Ok(version.rsplit('@').next().filter(|version| !version.is_empty()).map(str::to_owned))
            }
            Self::Yarn(entries) => {
                let plain = specifier.trim_start_matches("npm:");
                let found = entries.iter().find(|(entry, specifiers, _)| {
                    entry == name && specifiers.iter().any(|one| one.trim_start_matches("npm:") == plain)
                });
                found.map(|(_, _, version)| Some(version.clone())).ok_or_else(|| "does not have it".into())
            }
            Self::Bun(json) => {
                let of_member = &json["workspaces"][member];
                match KINDS.iter().find_map(|kind| of_member[*kind][name].as_str()) {
                    None => Err("does not have it".into()),
                    Some(recorded) if recorded != specifier => Err(format!("was made for {recorded}")),
                    Some(_) => {
                        let entry = json["packages"][name][0].as_str();
                        Ok(entry
                            .and_then(|entry| entry.rsplit_once('@'))
                            .map(|(_, version)| version.to_owned()))
                    }
                }
            }
        }
    }
}

/// The nested form of lockfiles before npm 7.
fn first_form(dependencies: &Value, packages: &mut Vec<Package>) {
    for (name, entry) in dependencies.as_object().into_iter().flatten() {
        packages.extend(entry["version"].as_str().map(|version| Package::new(Registry::Npm, name, version)));
        first_form(&entry["dependencies"], packages);
    }
}

/// Both forms of yarn's lockfile: an unindented line of specifiers, and an indented `version`.
fn yarn(text: &str) -> Vec<(String, Vec<String>, String)> {
    let mut entries = Vec::new();
    let mut heading: Option<(String, Vec<String>)> = None;
    for line in text.lines() {
        if line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        if !line.starts_with(' ') {
            let specifiers = line.trim_end_matches(':').split(',').map(|one| one.trim().trim_matches('"'));
            let pairs: Vec<(&str, &str)> = specifiers
                .filter_map(|one| {
                    let at = one.get(1..)?.find('@')? + 1;
                    Some((&one[..at], &one[at + 1..]))
                })
                .collect();
            heading = pairs.first().map(|(name, _)| {
                ((*name).to_owned(), pairs.iter().map(|(_, specifier)| (*specifier).to_owned()).collect())
            });
            continue;
        }
        let version = line
            .trim()
            .strip_prefix("version")
            .map(|rest| rest.trim_start_matches(':').trim().trim_matches('"'));
        if let (Some(version), true, Some((name, specifiers))) = (
            version,
            line.starts_with("  ") && !line.starts_with("   "),
            heading.take_if(|_| version.is_some()),
        ) {
            entries.push((name, specifiers, version.to_owned()));
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dependencies::tree::planted::tree;

    const MANIFEST: &str = r#"{"dependencies": {"jose": "^6.0.0"}, "devDependencies": {"@a/b": "1.0.0"}}"#;

    fn locks(file: &str, lock: &str, manifest: &str) -> Locks {
        let (_folder, tree) = tree(&[("package.json", manifest), (file, lock)]);
        Locks::of(&tree, &Manifests::of(&tree))
    }

    #[test]
    fn every_form_of_lockfile_is_read() {
        let npm = r#"{"lockfileVersion": 3, "packages": {
            "": {"dependencies": {"jose": "^6.0.0"}, "devDependencies": {"@a/b": "1.0.0"}},
            "node_modules/jose": {"version": "6.2.0"}, "node_modules/@a/b": {"version": "1.0.0"},
            "node_modules/@a/b/node_modules/jose": {"version": "5.0.0"}}}"#;
        let first = r#"{"lockfileVersion": 1, "dependencies": {"jose": {"version": "6.2.0"},
            "@a/b": {"version": "1.0.0", "dependencies": {"jose": {"version": "5.0.0"}}}}}"#;
        let pnpm = "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      jose: {specifier: ^6.0.0, version: 6.2.0}\n    devDependencies:\n      '@a/b': {specifier: 1.0.0, version: 1.0.0(jose@5.0.0)}\npackages:\n  jose@6.2.0: {}\n  jose@5.0.0: {}\n  '@a/b@1.0.0': {}\n";
        let classic = "# yarn lockfile v1\n\n\"@a/b@1.0.0\":\n  version \"1.0.0\"\n  dependencies:\n    jose \"^5\"\n\njose@^5:\n  version \"5.0.0\"\n\njose@^6.0.0, jose@^6.1.0:\n  version \"6.2.0\"\n";
        let berry = "__metadata:\n  version: 8\n\n\"@a/b@npm:1.0.0\":\n  version: 1.0.0\n\n\"jose@npm:^5\":\n  version: 5.0.0\n\n\"jose@npm:^6.0.0\":\n  version: 6.2.0\n";
        let bun = r#"{"lockfileVersion": 1, "workspaces": {"": {"dependencies": {"jose": "^6.0.0"}, "devDependencies": {"@a/b": "1.0.0"},},},
            "packages": {"jose": ["jose@6.2.0", "", {}], "@a/b": ["@a/b@1.0.0", ""], "@a/b/jose": ["jose@5.0.0", ""],}}"#;
        for (file, lock) in [
            ("package-lock.json", npm),
            ("npm-shrinkwrap.json", npm),
            ("package-lock.json", first),
            ("pnpm-lock.yaml", pnpm),
            ("yarn.lock", classic),
            ("yarn.lock", berry),
            ("bun.lock", bun),
        ] {
            let locks = locks(file, lock, MANIFEST);
            assert_eq!((&locks.faults, &locks.unread), (&vec![], &vec![]), "{file}");
            let all: Vec<String> = locks.packages.iter().map(ToString::to_string).collect();
            assert_eq!(all, ["@a/b 1.0.0", "jose 5.0.0", "jose 6.2.0"], "{file}");
            let direct: Vec<String> = locks.direct.iter().map(ToString::to_string).collect();
            assert_eq!(direct, ["@a/b 1.0.0", "jose 6.2.0"], "{file}");
            let more = MANIFEST.replace("\"jose\": \"^6.0.0\"", "\"jose\": \"^6.0.0\", \"new\": \"1\"");
            assert_eq!(self::locks(file, lock, &more).faults.len(), 1, "{file}");
        }
        let moved = MANIFEST.replace("^6.0.0", "^7.0.0");
        assert!(locks("package-lock.json", npm, &moved).faults[0].contains("was made for ^6.0.0"));
        assert!(locks("x", "", MANIFEST).faults[0].contains("no lockfile"));
        assert_eq!(locks("x", "", "{}").faults, Vec::<String>::new());
        assert_eq!(locks("bun.lockb", "\u{1}", MANIFEST).unread, ["bun.lockb cannot be read"]);
    }
}
