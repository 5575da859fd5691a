//! Go, Composer and Bundler: what their lockfiles name.

use super::{Locks, Package, Registry};
use crate::dependencies::ecosystem::Ecosystem;
use crate::dependencies::manifests::Manifests;
use crate::dependencies::tree::{Tree, folder_of, name_of, within};

pub(super) fn read(tree: &Tree, manifests: &Manifests, locks: &mut Locks) {
    for manifest in &manifests.found {
        let path = manifest.path.as_str();
        match manifest.ecosystem {
            Ecosystem::GoModules => go(tree, path, locks),
            Ecosystem::Composer => composer(tree, path, locks),
            Ecosystem::Bundler if name_of(path) == "Gemfile" => bundler(tree, path, locks),
            _ => {}
        }
    }
}

/// Since Go 1.17 the module file names every module of the build, with its version; go.sum must know each.
fn go(tree: &Tree, path: &str, locks: &mut Locks) {
    let Some(text) = tree.text(path) else {
        locks.unread.push(format!("{path} cannot be read"));
        return;
    };
    locks.files.insert(path.to_owned());
    let sums = tree.text(&within(folder_of(path), "go.sum")).unwrap_or_default();
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        let required = match line {
            "require (" => {
                inside = true;
                continue;
            }
            ")" => {
                inside = false;
                continue;
            }
            line if inside => line,
            line => line.strip_prefix("require ").unwrap_or_default(),
        };
        let mut parts = required.split_whitespace();
        let (Some(module), Some(version)) = (parts.next(), parts.next()) else { continue };
        if module.starts_with("//") {
            continue;
        }
        let package = Package::new(Registry::Go, module, version.trim_start_matches('v'));
        if !required.contains("// indirect") {
            locks.direct.insert(package.clone());
        }
        locks.packages.insert(package);
        if !sums.contains(&format!("{module} {version}")) {
            locks.faults.push(format!("{path}: go.sum does not know {module} {version}"));
        }
    }
}

fn composer(tree: &Tree, path: &str, locks: &mut Locks) {
    let file = within(folder_of(path), "composer.lock");
    let (Some(manifest), Some(lock)) = (tree.json(path), tree.json(&file)) else {
        match tree.has(&file) {
            true => locks.unread.push(format!("{path} or {file} cannot be read")),
            false => locks.faults.push(format!("{path}: no {file} is committed")),
        }
        return;
    };
    locks.files.insert(file.clone());
    let mut locked = Vec::new();
    for entry in ["packages", "packages-dev"].iter().filter_map(|kind| lock[*kind].as_array()).flatten() {
        if let (Some(name), Some(version)) = (entry["name"].as_str(), entry["version"].as_str()) {
            locked.push(Package::new(Registry::Packagist, name, version.trim_start_matches('v')));
        }
    }
    let asked = ["require", "require-dev"].iter().filter_map(|kind| manifest[*kind].as_object()).flatten();
    // The language and its extensions come from elsewhere; packages have a vendor before a slash.
    for (name, _) in asked.filter(|(name, _)| name.contains('/')) {
        match locked.iter().find(|package| package.name == Registry::Packagist.name(name)) {
            Some(package) => {
                locks.direct.insert(package.clone());
            }
            None => locks.faults.push(format!("{path}: {name} is not in {file}")),
        }
    }
    locks.packages.extend(locked);
}

fn bundler(tree: &Tree, path: &str, locks: &mut Locks) {
    let file = within(folder_of(path), "Gemfile.lock");
    let (Some(manifest), Some(lock)) = (tree.text(path), tree.text(&file)) else {
        locks.faults.push(format!("{path}: no {file} is committed"));
        return;
    };
    locks.files.insert(file.clone());
    let mut locked = Vec::new();
    // Four spaces are a gem, six are what it needs; a section begins in the first column.
    let mut of_registry = false;
    for line in lock.lines() {
        if !line.starts_with(' ') {
            of_registry = line == "GEM";
        }
        let gem = line.strip_prefix("    ").filter(|rest| !rest.starts_with(' '));
        if let (true, Some((name, version))) = (of_registry, gem.and_then(|gem| gem.split_once(" ("))) {
            let version = version.trim_end_matches(')').split('-').next().unwrap_or_default();
            locked.push(Package::new(Registry::RubyGems, name, version));
        }
    }
    for line in manifest.lines().map(str::trim) {
        let Some(rest) = line.strip_prefix("gem ") else { continue };
        let name = rest.trim_start_matches(['"', '\'']).split(['"', '\'']).next().unwrap_or_default();
        match locked.iter().find(|package| package.name == name) {
            Some(package) => {
                locks.direct.insert(package.clone());
            }
            None if rest.contains("path:") || rest.contains("git:") || rest.contains("github:") => {}
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
    fn their_lockfiles_are_read_and_compared() {
        let module = "module x\n\ngo 1.24\n\nrequire (\n\tgolang.org/x/net v0.30.0\n\tgolang.org/x/text v0.1.0 // indirect\n)\nrequire example.com/y v1.0.0\n";
        let sums = "golang.org/x/net v0.30.0 h1:a=\ngolang.org/x/text v0.1.0/go.mod h1:b=\nexample.com/y v1.0.0 h1:c=\n";
        let gems = "GEM\n  remote: https://rubygems.org/\n  specs:\n    rails (8.0.1)\n      rack (~> 3)\n    rack (3.1.0)\n\nDEPENDENCIES\n  rails\n";
        let php = "{\"packages\": [{\"name\": \"a/b\", \"version\": \"v1.2.0\"}], \"packages-dev\": []}";
        for (files, packages, direct, faults) in [
            (vec![("go.mod", module), ("go.sum", sums)], 3, 2, 0),
            (vec![("go.mod", module), ("go.sum", "")], 3, 2, 3),
            (vec![("Gemfile", "gem \"rails\", '~> 8'\n"), ("Gemfile.lock", gems)], 2, 1, 0),
            (vec![("Gemfile", "gem 'absent'\n"), ("Gemfile.lock", gems)], 2, 0, 1),
            (vec![("Gemfile", "gem 'rails'\n")], 0, 0, 1),
            (
                vec![
                    ("composer.json", "{\"require\": {\"php\": \"8\", \"A/b\": \"^1\"}}"),
                    ("composer.lock", php),
                ],
                1,
                1,
                0,
            ),
            (vec![("composer.json", "{\"require\": {\"c/d\": \"^1\"}}"), ("composer.lock", php)], 1, 0, 1),
        ] {
            let (_folder, tree) = tree(&files);
            let locks = Locks::of(&tree, &Manifests::of(&tree));
            let seen = (locks.packages.len(), locks.direct.len(), locks.faults.len());
            assert_eq!(seen, (packages, direct, faults), "{files:?}: {locks:?}");
        }
    }
}
