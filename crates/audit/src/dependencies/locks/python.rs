//! Pinned requirements, and the lockfiles of poetry, uv, pdm and pipenv.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::{Locks, Package, Registry};
use crate::dependencies::ecosystem::Ecosystem;
use crate::dependencies::manifests::{Manifest, Manifests};
use crate::dependencies::tree::{Tree, folder_of, name_of, within};

pub(super) fn read(tree: &Tree, manifests: &Manifests, locks: &mut Locks) {
    let of_python = |manifest: &&Manifest| matches!(manifest.ecosystem, Ecosystem::Pip | Ecosystem::Uv);
    for manifest in manifests.found.iter().filter(of_python) {
        let path = manifest.path.as_str();
        match name_of(path) {
            "pyproject.toml" => project(tree, manifest, locks),
            "Pipfile" => pipfile(tree, path, locks),
            "setup.py" | "setup.cfg" => {
                locks.unread.push(format!("{path}: its requirements are not read"));
            }
            name if name.ends_with(".in") => {
                let made = format!("{}.txt", path.trim_end_matches(".in"));
                if !tree.has(&made) {
                    locks.faults.push(format!("{path}: {made}, made from it, is not committed"));
                }
            }
            _ => requirements(tree, path, locks),
        }
    }
}

/// `name[extras]==1.2 ; marker --hash=…`: what is pinned is locked.
fn requirements(tree: &Tree, path: &str, locks: &mut Locks) {
    let Some(text) = tree.text(path) else {
        locks.unread.push(format!("{path} cannot be read"));
        return;
    };
    locks.files.insert(path.to_owned());
    // Made by a tool from a list of its own: then not every line is asked for directly.
    let compiled = tree.has(&format!("{}.in", path.trim_end_matches(".txt")));
    for line in text.replace("\\\n", " ").lines() {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with(['#', '-']) {
            continue;
        }
        let wanted = line.split([';', ' ']).next().unwrap_or_default();
        match wanted.split_once("==") {
            Some((name, version)) if !version.contains(['*', ',']) => {
                let name = name.trim_start_matches('=').split('[').next().unwrap_or_default();
                let package = Package::new(Registry::Pypi, name, version.trim_start_matches('='));
                if !compiled {
                    locks.direct.insert(package.clone());
                }
                locks.packages.insert(package);
            }
            _ => locks.faults.push(format!("{path}: `{wanted}` is not pinned to one version")),
        }
    }
}

fn project(tree: &Tree, manifest: &Manifest, locks: &mut Locks) {
    let path = manifest.path.as_str();
    let Some(table) = tree.toml(path) else {
        locks.unread.push(format!("{path} cannot be read"));
        return;
    };
    let asked = asked(&table);
    let mut folders: Vec<&String> = manifest.folders.iter().collect();
    folders.sort_by_key(|folder| folder.len());
    let file = folders
        .iter()
        .flat_map(|folder| {
            ["uv.lock", "poetry.lock", "pdm.lock", "pylock.toml"].map(|name| within(folder, name))
        })
        .find(|file| tree.has(file));
    let Some(file) = file else {
        let folder = folder_of(path);
        let pinned = tree.files().any(|other| {
            folder_of(other) == folder
                && name_of(other).ends_with(".txt")
                && super::super::manifests::is_requirements(name_of(other), folder)
        });
        if !asked.is_empty() && !pinned {
            locks.faults.push(format!("{path}: no lockfile is committed beside it"));
        }
        return;
    };
    let packages = tree.toml(&file).and_then(|lock| {
        let listed = lock.get("package").or_else(|| lock.get("packages"))?.as_array()?.clone();
        Some(listed)
    });
    let Some(packages) = packages else {
        locks.unread.push(format!("{file} cannot be read"));
        return;
    };
    locks.files.insert(file.clone());
    let mut locked = Vec::new();
    for package in &packages {
        let text = |key: &str| package.get(key).and_then(Value::as_str);
        // What lies in this repository is of no registry.
        let local = package.get("source").is_some_and(|source| {
            ["editable", "virtual", "directory", "git"].iter().any(|kind| source.get(kind).is_some())
        });
        if let (Some(name), Some(version), false) = (text("name"), text("version"), local) {
            locked.push(Package::new(Registry::Pypi, name, version));
        } else if let Some(name) = text("name") {
            locked.push(Package::new(Registry::Pypi, name, ""));
        }
    }
    for name in asked {
        match locked.iter().find(|package| package.name == name) {
            Some(package) if !package.version.is_empty() => {
                locks.direct.insert(package.clone());
            }
            Some(_) => {}
            None => locks.faults.push(format!("{path}: {name} is not in {file}")),
        }
    }
    locks.packages.extend(locked.into_iter().filter(|package| !package.version.is_empty()));
}

/// The names that a pyproject asks for, whichever tool's words it uses.
fn asked(table: &Table) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut add = |written: &str| {
        let end = written.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')));
        let name = &written[..end.unwrap_or(written.len())];
        if !name.is_empty() && name != "python" {
            names.insert(Registry::Pypi.name(name));
        }
    };
    let list = |value: Option<&Value>| -> Vec<String> {
        let array = value.and_then(Value::as_array).into_iter().flatten();
        array.filter_map(|one| one.as_str().map(str::to_owned)).collect()
    };
    let project = table.get("project");
    let mut written = list(project.and_then(|project| project.get("dependencies")));
    let optional = project.and_then(|project| project.get("optional-dependencies")).and_then(Value::as_table);
    let groups = table.get("dependency-groups").and_then(Value::as_table);
    for (_, group) in optional.into_iter().chain(groups).flatten() {
        written.extend(list(Some(group)));
    }
    written.iter().for_each(|one| add(one.trim()));
    let poetry = table.get("tool").and_then(|tool| tool.get("poetry"));
    let mut tables: Vec<&Table> =
        ["dependencies", "dev-dependencies"].iter().filter_map(|key| poetry?.get(*key)?.as_table()).collect();
    let groups = poetry.and_then(|poetry| poetry.get("group")).and_then(Value::as_table);
    tables
        .extend(groups.into_iter().flatten().filter_map(|(_, group)| group.get("dependencies")?.as_table()));
    tables.into_iter().flat_map(Table::keys).for_each(|name| add(name));
    names
}

fn pipfile(tree: &Tree, path: &str, locks: &mut Locks) {
    let file = format!("{path}.lock");
    let (Some(table), Some(lock)) = (tree.toml(path), tree.json(&file)) else {
        if tree.has(&file) {
            locks.unread.push(format!("{file} cannot be read"));
        } else {
            locks.faults.push(format!("{path}: no {file} is committed"));
        }
        return;
    };
    locks.files.insert(file.clone());
    let mut locked = Vec::new();
    for section in ["default", "develop"] {
        for (name, entry) in lock[section].as_object().into_iter().flatten() {
            let version = entry["version"].as_str().map(|version| version.trim_start_matches('='));
            locked.extend(version.map(|version| Package::new(Registry::Pypi, name, version)));
        }
    }
    let tables = ["packages", "dev-packages"].iter().filter_map(|key| table.get(*key)?.as_table());
    for name in tables.flat_map(Table::keys).map(|name| Registry::Pypi.name(name)) {
        match locked.iter().find(|package| package.name == name) {
            Some(package) => {
                locks.direct.insert(package.clone());
            }
            None => locks.faults.push(format!("{path}: {name} is not in {file}")),
        }
    }
    locks.packages.extend(locked);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dependencies::tree::planted::tree;

    #[test]
    fn pins_and_lockfiles_are_read_and_gaps_told() {
        let lock = "[[package]]\nname = \"Flask\"\nversion = \"3.1.0\"\n[[package]]\nname = \"werkzeug\"\nversion = \"3.0\"\n[[package]]\nname = \"me\"\nversion = \"0\"\nsource = { editable = \".\" }\n";
        let asks = "[project]\ndependencies = [\"flask[async]>=3; python_version > '3'\"]";
        let poetry = "[tool.poetry.dependencies]\npython = \"^3\"\nflask = \"^3\"";
        for (files, packages, direct, faults) in [
            (
                vec![(
                    "requirements.txt",
                    "# c\nFlask==3.1.0 # why\nwerkzeug[x]==3.0 ; a > 'b' \\\n  --hash=sha256:0\n-r other.txt\n",
                )],
                2,
                2,
                0,
            ),
            (vec![("requirements.txt", "flask>=3\n")], 0, 0, 1),
            (
                vec![("requirements.in", "flask\n"), ("requirements.txt", "flask==3.1.0\nwerkzeug==3.0\n")],
                2,
                0,
                0,
            ),
            (vec![("requirements.in", "flask\n")], 0, 0, 1),
            (vec![("pyproject.toml", asks), ("uv.lock", lock)], 2, 1, 0),
            (vec![("pyproject.toml", poetry), ("poetry.lock", lock)], 2, 1, 0),
            (vec![("pyproject.toml", "[project]\ndependencies = [\"absent\"]"), ("uv.lock", lock)], 2, 0, 1),
            (vec![("pyproject.toml", asks)], 0, 0, 1),
            (vec![("pyproject.toml", "[build-system]\nrequires = [\"hatchling\"]")], 0, 0, 0),
            (
                vec![
                    ("Pipfile", "[packages]\nflask = \"*\""),
                    ("Pipfile.lock", "{\"default\": {\"flask\": {\"version\": \"==3.1.0\"}}}"),
                ],
                1,
                1,
                0,
            ),
            (vec![("Pipfile", "[packages]\nflask = \"*\"")], 0, 0, 1),
        ] {
            let (_folder, tree) = tree(&files);
            let locks = Locks::of(&tree, &Manifests::of(&tree));
            let seen = (locks.packages.len(), locks.direct.len(), locks.faults.len());
            assert_eq!(seen, (packages, direct, faults), "{files:?}: {locks:?}");
        }
    }
}
