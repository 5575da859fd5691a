//! What is locked, which of it is asked for directly, and where lockfile and manifest disagree.

pub(super) mod cargo;
mod npm;
mod others;
mod python;

use std::collections::BTreeSet;

use super::ecosystem::Ecosystem;
use super::manifests::Manifests;
use super::tree::Tree;
use super::version::Scheme;

/// Whose package it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Registry {
    Crates,
    Npm,
    Pypi,
    Go,
    Packagist,
    RubyGems,
}

impl Registry {
    /// As OSV calls it.
    pub(crate) fn osv(self) -> &'static str {
        match self {
            Self::Crates => "crates.io",
            Self::Npm => "npm",
            Self::Pypi => "PyPI",
            Self::Go => "Go",
            Self::Packagist => "Packagist",
            Self::RubyGems => "RubyGems",
        }
    }

    pub(crate) fn scheme(self) -> Scheme {
        if self == Self::Pypi { Scheme::Python } else { Scheme::Semantic }
    }

    /// A name as it is compared: PyPI knows no difference between `-`, `_` and `.`, nor between cases.
    pub(crate) fn name(self, written: &str) -> String {
        match self {
            Self::Pypi => {
                let mut name = String::new();
                for c in written.trim().chars() {
                    match c {
                        '-' | '_' | '.' if name.ends_with('-') => {}
                        '-' | '_' | '.' => name.push('-'),
                        c => name.push(c.to_ascii_lowercase()),
                    }
                }
                name
            }
            Self::Packagist => written.to_ascii_lowercase(),
            _ => written.to_owned(),
        }
    }
}

/// One version of one package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Package {
    pub(crate) registry: Registry,
    pub(crate) name: String,
    pub(crate) version: String,
}

impl Package {
    pub(crate) fn new(registry: Registry, name: &str, version: &str) -> Self {
        Self { registry, name: registry.name(name), version: version.to_owned() }
    }
}

impl std::fmt::Display for Package {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// What all lockfiles say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Locks {
    /// The lockfiles that were read.
    pub(crate) files: BTreeSet<String>,
    /// Everything that comes from a registry.
    pub(crate) packages: BTreeSet<Package>,
    /// What a Cargo.lock has of this repository itself, and of others: name and version.
    pub(crate) local: BTreeSet<(String, String)>,
    /// What a manifest itself asks for.
    pub(crate) direct: BTreeSet<Package>,
    /// Where a lockfile and its manifest disagree.
    pub(crate) faults: Vec<String>,
    /// Manifests whose locked versions cannot be read here, and why.
    pub(crate) unread: Vec<String>,
}

impl Locks {
    /// Reads those of all manifests.
    pub(crate) fn of(tree: &Tree, manifests: &Manifests) -> Self {
        let mut locks = Self::default();
        cargo::read(tree, manifests, &mut locks);
        npm::read(tree, manifests, &mut locks);
        python::read(tree, manifests, &mut locks);
        others::read(tree, manifests, &mut locks);
        for manifest in &manifests.found {
            if matches!(manifest.ecosystem, Ecosystem::Maven | Ecosystem::Gradle | Ecosystem::NuGet) {
                locks
                    .unread
                    .push(format!("{}: versions of {} are not read", manifest.path, manifest.ecosystem));
            }
        }
        locks
    }
}
