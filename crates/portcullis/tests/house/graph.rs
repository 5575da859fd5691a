//! `cargo metadata` as a graph of packages, for this machine's platform.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};

/// The packages of a workspace and their resolved edges.
pub struct Graph {
    metadata: Metadata,
    edges: BTreeMap<PackageId, Vec<(PackageId, BTreeSet<Edge>)>>,
}

/// What an edge is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edge {
    /// Normal and build dependencies: what a release is made of.
    Release,
    /// Development dependencies: tests, benches, examples.
    Development,
}

impl Graph {
    /// Asks cargo about the workspace of this manifest.
    pub fn of(manifest: &Path) -> Self {
        let platform = host();
        let mut command = MetadataCommand::new();
        command.cargo_path(env!("CARGO")).manifest_path(manifest);
        // Other platforms' packages are not on this machine, and need not be fetched to look at walls.
        command.other_options(["--filter-platform".to_owned(), platform]);
        let metadata = command.exec().unwrap_or_else(|error| panic!("{}: {error}", manifest.display()));
        let nodes = metadata.resolve.as_ref().map(|resolve| resolve.nodes.clone()).unwrap_or_default();
        let edges = nodes.into_iter().map(|node| {
            let edges = node.deps.into_iter().map(|dependency| {
                let kinds = dependency.dep_kinds.iter().map(|kind| match kind.kind {
                    DependencyKind::Development => Edge::Development,
                    _ => Edge::Release,
                });
                (dependency.pkg, kinds.collect())
            });
            (node.id, edges.collect())
        });
        Self { edges: edges.collect(), metadata }
    }

    /// This repository.
    pub fn of_this_repository() -> Self {
        Self::of(&root().join("Cargo.toml"))
    }

    /// The rooms: the packages of the workspace.
    pub fn rooms(&self) -> Vec<&Package> {
        self.metadata.workspace_packages()
    }

    /// Every package that is compiled for this platform, tests' own included. `cargo metadata` also names optional ones
    /// that no feature asks for; `cargo tree` knows better.
    pub fn packages(&self) -> Vec<&Package> {
        let mut command = Command::new(env!("CARGO"));
        command.args([
            "tree",
            "--workspace",
            "--edges",
            "normal,build,dev",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ]);
        command.arg("--manifest-path").arg(self.metadata.workspace_root.join("Cargo.toml"));
        let output = command.output().expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // "serde v1.0.229 (proc-macro)": name, version, and what else there is to say.
        let compiled: BTreeSet<(&str, &str)> = text
            .lines()
            .filter_map(|line| line.split_once(" v"))
            .map(|(name, rest)| (name, rest.split(' ').next().unwrap_or(rest)))
            .collect();
        let is_compiled = |package: &&Package| {
            compiled.contains(&(package.name.as_str(), package.version.to_string().as_str()))
        };
        self.metadata.packages.iter().filter(is_compiled).collect()
    }

    /// The names that a package depends on directly by such an edge.
    pub fn direct(&self, from: &PackageId, wanted: Edge) -> Vec<&Package> {
        let edges = self.edges.get(from).into_iter().flatten();
        edges.filter(|(_, kinds)| kinds.contains(&wanted)).map(|(to, _)| &self.metadata[to]).collect()
    }

    /// Everything that a package is made of in a release, each with the way to it: `["oauth", "policy", "serde"]`.
    pub fn reach(&self, from: &PackageId) -> Vec<(&Package, Vec<String>)> {
        let mut seen = BTreeSet::from([from.clone()]);
        let mut waiting = VecDeque::from([(from.clone(), vec![self.metadata[from].name.to_string()])]);
        let mut found = Vec::new();
        while let Some((at, way)) = waiting.pop_front() {
            for next in self.direct(&at, Edge::Release) {
                if seen.insert(next.id.clone()) {
                    let mut way = way.clone();
                    way.push(next.name.to_string());
                    found.push((next, way.clone()));
                    waiting.push_back((next.id.clone(), way));
                }
            }
        }
        found
    }
}

/// The root of this repository.
pub fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn host() -> String {
    let output = Command::new(env!("CARGO")).arg("-vV").output().expect("cargo runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("cargo says its host").to_owned()
}
