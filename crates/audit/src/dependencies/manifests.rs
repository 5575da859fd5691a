//! Which manifests there are, and at which folders a tool finds each.

use std::collections::BTreeMap;

use super::ecosystem::Ecosystem;
use super::tree::{Tree, folder_of, name_of, within};
use super::workspaces::Workspaces;

/// A file that names dependencies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Its kind.
    pub ecosystem: Ecosystem,
    /// Its path, `tests/ecosystem/package.json`.
    pub path: String,
    /// The folders (without slashes at the ends; the root is empty) at which an update tool finds it: its own first, then
    /// that of each workspace it belongs to.
    pub folders: Vec<String>,
}

impl Manifest {
    /// The folder to give a tool: the outermost one.
    #[must_use]
    pub fn best_folder(&self) -> &str {
        self.folders.iter().min_by_key(|folder| folder.len()).map_or("", String::as_str)
    }
}

/// All manifests of a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifests {
    /// Those that a tool must look after.
    pub found: Vec<Manifest>,
    /// Copies that a package manager wrote; what keeps them current is the manifest they were made from.
    pub vendored: Vec<String>,
}

impl Manifests {
    /// Looks through a tree.
    #[must_use]
    pub fn of(tree: &Tree) -> Self {
        let workspaces = Workspaces::of(tree);
        let mut manifests = Self::default();
        for path in tree.files() {
            let Some((ecosystem, folder)) = recognise(path, tree) else { continue };
            if is_vendored(path, tree) {
                manifests.vendored.push(path.to_owned());
                continue;
            }
            let mut folders = vec![folder.clone()];
            folders.extend(workspaces.roots(ecosystem, &folder));
            manifests.found.push(Manifest { ecosystem, path: path.to_owned(), folders });
        }
        manifests
    }

    /// What a tool must be told to look after all of them: folders by ecosystem.
    #[must_use]
    pub fn to_cover(&self) -> BTreeMap<Ecosystem, Vec<String>> {
        let mut wanted: BTreeMap<Ecosystem, Vec<String>> = BTreeMap::new();
        for manifest in &self.found {
            let folders = wanted.entry(manifest.ecosystem).or_default();
            let folder = manifest.best_folder().to_owned();
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
        wanted
    }
}

/// The kind of a file, and the folder that a tool must be told.
fn recognise(path: &str, tree: &Tree) -> Option<(Ecosystem, String)> {
    let (folder, name) = (folder_of(path), name_of(path));
    let beside = |name: &str| tree.has(&within(folder, name));
    let lower = name.to_ascii_lowercase();
    let ecosystem = match name {
        "Cargo.toml" => Ecosystem::Cargo,
        "package.json" if beside("bun.lock") || beside("bun.lockb") => Ecosystem::Bun,
        "package.json" => Ecosystem::Npm,
        "pyproject.toml" => python_project(path, folder, tree)?,
        "Pipfile" | "setup.py" => Ecosystem::Pip,
        "setup.cfg" => tree.text(path)?.contains("install_requires").then_some(Ecosystem::Pip)?,
        "go.mod" => Ecosystem::GoModules,
        "pom.xml" => Ecosystem::Maven,
        "build.gradle" | "build.gradle.kts" => Ecosystem::Gradle,
        // The catalogue belongs to the build one folder up.
        "libs.versions.toml" if name_of(folder) == "gradle" => {
            return Some((Ecosystem::Gradle, folder_of(folder).to_owned()));
        }
        "packages.config" | "Directory.Packages.props" => Ecosystem::NuGet,
        "Gemfile" | "gems.rb" => Ecosystem::Bundler,
        "composer.json" => Ecosystem::Composer,
        ".gitmodules" if folder.is_empty() => Ecosystem::GitSubmodules,
        "action.yml" | "action.yaml" => tree
            .text(path)?
            .lines()
            .any(|line| line.starts_with("runs:"))
            .then_some(Ecosystem::GitHubActions)?,
        _ if folder == ".github/workflows" && is_yaml(&lower) => {
            // Dependabot and GitHub call the folder of workflows the root.
            return Some((Ecosystem::GitHubActions, String::new()));
        }
        _ if is_requirements(&lower, folder) => Ecosystem::Pip,
        _ if lower.ends_with(".csproj") || lower.ends_with(".fsproj") || lower.ends_with(".vbproj") => {
            Ecosystem::NuGet
        }
        _ if lower.ends_with(".gemspec") => Ecosystem::Bundler,
        _ if is_dockerfile(&lower) => Ecosystem::Docker,
        _ if is_compose(&lower) => Ecosystem::DockerCompose,
        _ if lower.ends_with(".tf") => Ecosystem::Terraform,
        _ => return None,
    };
    Some((ecosystem, folder.to_owned()))
}

fn is_yaml(name: &str) -> bool {
    name.ends_with(".yml") || name.ends_with(".yaml")
}

/// A pyproject that configures a formatter alone names no dependency.
fn python_project(path: &str, folder: &str, tree: &Tree) -> Option<Ecosystem> {
    if tree.has(&within(folder, "uv.lock")) {
        return Some(Ecosystem::Uv);
    }
    // What cannot be read may name some.
    let Some(table) = tree.toml(path) else { return Some(Ecosystem::Pip) };
    let tool = table.get("tool").and_then(toml::Value::as_table);
    let named = ["project", "build-system", "dependency-groups"].iter().any(|key| table.contains_key(*key))
        || tool.is_some_and(|tool| ["poetry", "pdm", "uv"].iter().any(|key| tool.contains_key(*key)));
    if !named {
        return None;
    }
    Some(if tool.is_some_and(|tool| tool.contains_key("uv")) { Ecosystem::Uv } else { Ecosystem::Pip })
}

/// `requirements.txt`, `dev-requirements.txt`, `requirements-dev.in`, `requirements/base.txt`.
pub(crate) fn is_requirements(name: &str, folder: &str) -> bool {
    let Some(stem) = name.strip_suffix(".txt").or_else(|| name.strip_suffix(".in")) else { return false };
    name_of(folder) == "requirements" || stem.ends_with("requirements") || stem.starts_with("requirements")
}

fn is_dockerfile(name: &str) -> bool {
    let of = |kind: &str| {
        name == kind
            || name.strip_prefix(kind).is_some_and(|rest| rest.starts_with('.'))
            || name.ends_with(&format!(".{kind}"))
    };
    (of("dockerfile") || of("containerfile")) && !name.ends_with(".dockerignore") && !name.ends_with(".md")
}

fn is_compose(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".yml").or_else(|| name.strip_suffix(".yaml")) else { return false };
    let of =
        |kind: &str| stem == kind || stem.strip_prefix(kind).is_some_and(|rest| rest.starts_with(['.', '-']));
    of("compose") || of("docker-compose")
}

/// Whether a package manager wrote it: its own marks lie beside or above.
fn is_vendored(path: &str, tree: &Tree) -> bool {
    let mut folder = folder_of(path);
    loop {
        if name_of(folder) == "node_modules" || tree.has(&within(folder, ".cargo-checksum.json")) {
            return true;
        }
        if name_of(folder) == "vendor"
            && ["modules.txt", "composer/installed.json"].iter().any(|mark| tree.has(&within(folder, mark)))
        {
            return true;
        }
        if folder.is_empty() {
            return false;
        }
        folder = folder_of(folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dependencies::tree::planted::tree;

    #[test]
    fn every_kind_of_manifest_is_recognised() {
        for (path, text, wanted) in [
            ("a/Cargo.toml", "", Some((Ecosystem::Cargo, "a"))),
            ("package.json", "{}", Some((Ecosystem::Npm, ""))),
            ("a/pyproject.toml", "[project]\nname = \"x\"", Some((Ecosystem::Pip, "a"))),
            ("a/pyproject.toml", "[tool.uv]\n", Some((Ecosystem::Uv, "a"))),
            ("a/pyproject.toml", "[tool.ruff]\n", None),
            ("a/pyproject.toml", "not toml", Some((Ecosystem::Pip, "a"))),
            ("requirements.txt", "", Some((Ecosystem::Pip, ""))),
            ("dev-requirements.txt", "", Some((Ecosystem::Pip, ""))),
            ("requirements/base.txt", "", Some((Ecosystem::Pip, "requirements"))),
            ("notes.txt", "", None),
            ("Pipfile", "", Some((Ecosystem::Pip, ""))),
            ("setup.cfg", "[flake8]", None),
            ("x/go.mod", "", Some((Ecosystem::GoModules, "x"))),
            ("pom.xml", "", Some((Ecosystem::Maven, ""))),
            ("app/build.gradle.kts", "", Some((Ecosystem::Gradle, "app"))),
            ("gradle/libs.versions.toml", "", Some((Ecosystem::Gradle, ""))),
            ("src/App.csproj", "", Some((Ecosystem::NuGet, "src"))),
            ("Gemfile", "", Some((Ecosystem::Bundler, ""))),
            ("x.gemspec", "", Some((Ecosystem::Bundler, ""))),
            ("composer.json", "{}", Some((Ecosystem::Composer, ""))),
            ("deploy/Dockerfile", "", Some((Ecosystem::Docker, "deploy"))),
            ("deploy/api.Dockerfile", "", Some((Ecosystem::Docker, "deploy"))),
            ("deploy/Dockerfile.dev", "", Some((Ecosystem::Docker, "deploy"))),
            ("Dockerfile.dockerignore", "", None),
            ("compose.yaml", "", Some((Ecosystem::DockerCompose, ""))),
            ("docker-compose.override.yml", "", Some((Ecosystem::DockerCompose, ""))),
            ("composed.yaml", "", None),
            ("infra/main.tf", "", Some((Ecosystem::Terraform, "infra"))),
            (".github/workflows/ci.yml", "", Some((Ecosystem::GitHubActions, ""))),
            (
                ".github/actions/x/action.yml",
                "runs:\n",
                Some((Ecosystem::GitHubActions, ".github/actions/x")),
            ),
            (".gitmodules", "", Some((Ecosystem::GitSubmodules, ""))),
        ] {
            let (_folder, tree) = tree(&[(path, text)]);
            let found = Manifests::of(&tree).found;
            let seen = found.first().map(|manifest| (manifest.ecosystem, manifest.folders[0].as_str()));
            assert_eq!(seen, wanted, "{path} {text}");
        }
        let (_folder, bun) = tree(&[("package.json", "{}"), ("bun.lock", "")]);
        assert_eq!(Manifests::of(&bun).found[0].ecosystem, Ecosystem::Bun);
        let (_folder, uv) = tree(&[("pyproject.toml", "[project]"), ("uv.lock", "")]);
        assert_eq!(Manifests::of(&uv).found[0].ecosystem, Ecosystem::Uv);
    }

    #[test]
    fn vendored_copies_are_told_apart_by_their_package_managers_marks() {
        let (_folder, planted) = tree(&[
            ("vendor/serde/Cargo.toml", ""),
            ("vendor/serde/.cargo-checksum.json", "{}"),
            // Copied by hand: nobody keeps it current, so it is one of ours.
            ("vendor/ours/Cargo.toml", ""),
            ("go/vendor/modules.txt", ""),
            ("go/vendor/x/go.mod", ""),
        ]);
        let manifests = Manifests::of(&planted);
        assert_eq!(manifests.vendored, ["go/vendor/x/go.mod", "vendor/serde/Cargo.toml"]);
        assert_eq!(manifests.found.len(), 1);
        assert_eq!(manifests.found[0].path, "vendor/ours/Cargo.toml");
    }
}
