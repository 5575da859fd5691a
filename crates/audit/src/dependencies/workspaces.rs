//! Which folders belong to a workspace: told the workspace's root, a tool finds its members too. A folder that merely
//! lies below another does not belong to it.

use std::collections::{BTreeMap, BTreeSet};

use super::ecosystem::Ecosystem;
use super::glob;
use super::tree::{Tree, folder_of, name_of, resolve, within};

/// Members by ecosystem: folder, and the roots of the workspaces it belongs to.
#[derive(Debug, Default)]
pub(crate) struct Workspaces {
    roots: BTreeMap<(Ecosystem, String), BTreeSet<String>>,
}

impl Workspaces {
    pub(crate) fn of(tree: &Tree) -> Self {
        let mut workspaces = Self::default();
        for path in tree.files() {
            let root = folder_of(path);
            match name_of(path) {
                "Cargo.toml" => {
                    for member in cargo(path, tree) {
                        workspaces.add(&[Ecosystem::Cargo], member, root);
                    }
                }
                "package.json" => {
                    let members = tree.json(path).map(|json| npm(&json)).unwrap_or_default();
                    workspaces.add_matching(
                        &[Ecosystem::Npm, Ecosystem::Bun],
                        &members,
                        root,
                        "package.json",
                        tree,
                    );
                }
                "pnpm-workspace.yaml" => {
                    let members = tree.text(path).and_then(|text| pnpm(&text)).unwrap_or_default();
                    workspaces.add_matching(&[Ecosystem::Npm], &members, root, "package.json", tree);
                }
                "pyproject.toml" => {
                    let members = tree.toml(path).map(|table| uv(&table)).unwrap_or_default();
                    workspaces.add_matching(
                        &[Ecosystem::Uv, Ecosystem::Pip],
                        &members,
                        root,
                        "pyproject.toml",
                        tree,
                    );
                }
                "pom.xml" => {
                    for member in modules_of_maven(&tree.text(path).unwrap_or_default()) {
                        workspaces.add_resolved(Ecosystem::Maven, root, &member);
                    }
                }
                "settings.gradle" | "settings.gradle.kts" => {
                    for member in projects_of_gradle(&tree.text(path).unwrap_or_default()) {
                        workspaces.add_resolved(Ecosystem::Gradle, root, &member);
                    }
                }
                name if name.ends_with(".sln") => {
                    for member in projects_of_solution(&tree.text(path).unwrap_or_default()) {
                        let member = member.replace('\\', "/");
                        workspaces.add_resolved(Ecosystem::NuGet, root, folder_of(&member));
                    }
                }
                // A tool that is told the folder above also reads the files of this one.
                name if name_of(root) == "requirements" && super::manifests::is_requirements(name, root) => {
                    workspaces.add(&[Ecosystem::Pip], root.to_owned(), folder_of(root));
                }
                _ => {}
            }
        }
        workspaces
    }

    /// The roots of the workspaces that a folder belongs to, whichever they are reached through.
    pub(crate) fn roots(&self, ecosystem: Ecosystem, folder: &str) -> Vec<String> {
        let mut roots: Vec<String> = Vec::new();
        let mut pending = vec![folder.to_owned()];
        while let Some(folder) = pending.pop() {
            for root in self.roots.get(&(ecosystem, folder)).into_iter().flatten() {
                if !roots.contains(root) {
                    roots.push(root.clone());
                    pending.push(root.clone());
                }
            }
        }
        roots
    }

    fn add(&mut self, ecosystems: &[Ecosystem], member: String, root: &str) {
        if member != root {
            for ecosystem in ecosystems {
                self.roots.entry((*ecosystem, member.clone())).or_default().insert(root.to_owned());
            }
        }
    }

    fn add_resolved(&mut self, ecosystem: Ecosystem, root: &str, relative: &str) {
        if let Some(member) = resolve(root, relative) {
            self.add(&[ecosystem], member, root);
        }
    }

    /// Every folder with such a manifest that the patterns name; one with `!` takes out again.
    fn add_matching(
        &mut self,
        ecosystems: &[Ecosystem],
        patterns: &[String],
        root: &str,
        manifest: &str,
        tree: &Tree,
    ) {
        if patterns.is_empty() {
            return;
        }
        let members: Vec<String> = tree
            .files()
            .filter(|path| name_of(path) == manifest)
            .map(folder_of)
            .filter(|folder| below(root, folder).is_some_and(|relative| is_named(patterns, relative)))
            .map(str::to_owned)
            .collect();
        for member in members {
            self.add(ecosystems, member, root);
        }
    }
}

/// A folder's path below another; none where it is not below.
pub(crate) fn below<'a>(root: &str, folder: &'a str) -> Option<&'a str> {
    if root.is_empty() {
        return Some(folder).filter(|folder| !folder.is_empty());
    }
    folder.strip_prefix(root)?.strip_prefix('/')
}

fn is_named(patterns: &[String], path: &str) -> bool {
    let mut named = false;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(out) if glob::matches(out, path) => named = false,
            Some(_) => {}
            None => named |= glob::matches(pattern, path),
        }
    }
    named
}

fn texts(value: Option<&toml::Value>) -> Vec<String> {
    let array = value.and_then(toml::Value::as_array).into_iter().flatten();
    array.filter_map(|one| one.as_str().map(str::to_owned)).collect()
}

/// The members of a Cargo workspace: those named, and those that members depend on by a path inside it.
fn cargo(path: &str, tree: &Tree) -> BTreeSet<String> {
    let root = folder_of(path);
    let mut members = BTreeSet::new();
    let Some(table) = tree.toml(path) else { return members };
    let Some(workspace) = table.get("workspace").and_then(toml::Value::as_table) else { return members };
    let named = texts(workspace.get("members"));
    let excluded = texts(workspace.get("exclude"));
    let is_excluded = |relative: &str| {
        excluded.iter().any(|out| {
            glob::matches(out, relative)
                || relative.strip_prefix(out.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
        })
    };
    let mut pending: Vec<String> = tree
        .files()
        .filter(|path| name_of(path) == "Cargo.toml")
        .map(folder_of)
        .filter(|folder| {
            below(root, folder).is_some_and(|relative| is_named(&named, relative) && !is_excluded(relative))
        })
        .map(str::to_owned)
        .collect();
    if table.contains_key("package") {
        pending.push(root.to_owned());
    }
    while let Some(member) = pending.pop() {
        if !members.insert(member.clone()) {
            continue;
        }
        let Some(manifest) = tree.toml(&within(&member, "Cargo.toml")) else { continue };
        for relative in paths_of(&manifest) {
            let Some(folder) = resolve(&member, &relative) else { continue };
            let inside = below(root, &folder).is_some_and(|relative| !is_excluded(relative));
            if inside && tree.has(&within(&folder, "Cargo.toml")) {
                pending.push(folder);
            }
        }
    }
    members
}

/// The `path` of each dependency of a Cargo manifest.
fn paths_of(manifest: &toml::Table) -> Vec<String> {
    let mut paths = Vec::new();
    let tables = super::locks::cargo::dependency_tables(manifest);
    let of_workspace = manifest
        .get("workspace")
        .and_then(|workspace| workspace.get("dependencies"))
        .and_then(toml::Value::as_table);
    for table in tables.into_iter().chain(of_workspace) {
        paths.extend(table.values().filter_map(|one| one.get("path")?.as_str().map(str::to_owned)));
    }
    paths
}

/// `workspaces` of a package.json.
fn npm(json: &serde_json::Value) -> Vec<String> {
    let workspaces = &json["workspaces"];
    let list = workspaces.as_array().or_else(|| workspaces["packages"].as_array());
    list.into_iter().flatten().filter_map(|one| one.as_str().map(str::to_owned)).collect()
}

fn pnpm(text: &str) -> Option<Vec<String>> {
    let yaml: serde_json::Value = serde_saphyr::from_str(text).ok()?;
    Some(yaml["packages"].as_array()?.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect())
}

fn uv(table: &toml::Table) -> Vec<String> {
    let workspace = table.get("tool").and_then(|tool| tool.get("uv")).and_then(|uv| uv.get("workspace"));
    let mut members = texts(workspace.and_then(|workspace| workspace.get("members")));
    let excluded = texts(workspace.and_then(|workspace| workspace.get("exclude")));
    members.extend(excluded.into_iter().map(|out| format!("!{out}")));
    members
}

fn modules_of_maven(text: &str) -> Vec<String> {
    let parts = text.split("<module>").skip(1);
    parts.filter_map(|part| part.split("</module>").next()).map(|module| module.trim().to_owned()).collect()
}

/// `include(":app", ":lib:core")`, in either language.
fn projects_of_gradle(text: &str) -> Vec<String> {
    let mut projects = Vec::new();
    for line in text
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("include") && !line.starts_with("includeBuild"))
    {
        let mut quoted = line.split(['"', '\'']);
        quoted.next();
        while let (Some(inside), Some(_)) = (quoted.next(), quoted.next()) {
            projects.push(inside.trim_start_matches(':').replace(':', "/"));
        }
    }
    projects
}

/// The project files of a Visual Studio solution.
fn projects_of_solution(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| line.trim_start().starts_with("Project("));
    lines.filter_map(|line| line.split('"').find(|part| part.ends_with("proj")).map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dependencies::tree::planted::tree;

    #[test]
    fn members_are_those_that_the_workspace_names() {
        let (_folder, planted) = tree(&[
            ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\nexclude = [\"crates/out\"]"),
            ("crates/a/Cargo.toml", "[dependencies]\nb = { path = \"../../by-path\" }"),
            ("crates/out/Cargo.toml", ""),
            ("by-path/Cargo.toml", ""),
            ("fuzz/Cargo.toml", "[workspace]"),
            ("web/package.json", "{\"workspaces\": [\"packages/*\", \"!packages/not\"]}"),
            ("web/packages/x/package.json", "{}"),
            ("web/packages/not/package.json", "{}"),
            ("pn/pnpm-workspace.yaml", "packages: ['apps/**']"),
            ("pn/apps/deep/y/package.json", "{}"),
            ("py/pyproject.toml", "[tool.uv.workspace]\nmembers = [\"libs/*\"]"),
            ("py/libs/z/pyproject.toml", "[project]"),
            ("jvm/pom.xml", "<modules><module>core</module></modules>"),
            ("gr/settings.gradle.kts", "include(\":app\", \":lib:core\")"),
            ("net/All.sln", "Project(\"{F}\") = \"App\", \"src\\App\\App.csproj\", \"{G}\"\n"),
            ("pip/requirements/base.txt", ""),
        ]);
        let workspaces = Workspaces::of(&planted);
        for (ecosystem, folder, wanted) in [
            (Ecosystem::Cargo, "crates/a", vec![""]),
            (Ecosystem::Cargo, "by-path", vec![""]),
            (Ecosystem::Cargo, "crates/out", vec![]),
            (Ecosystem::Cargo, "fuzz", vec![]),
            (Ecosystem::Npm, "web/packages/x", vec!["web"]),
            (Ecosystem::Npm, "web/packages/not", vec![]),
            (Ecosystem::Npm, "pn/apps/deep/y", vec!["pn"]),
            (Ecosystem::Uv, "py/libs/z", vec!["py"]),
            (Ecosystem::Maven, "jvm/core", vec!["jvm"]),
            (Ecosystem::Gradle, "gr/lib/core", vec!["gr"]),
            (Ecosystem::NuGet, "net/src/App", vec!["net"]),
            (Ecosystem::Pip, "pip/requirements", vec!["pip"]),
        ] {
            assert_eq!(workspaces.roots(ecosystem, folder), wanted, "{folder}");
        }
    }
}
