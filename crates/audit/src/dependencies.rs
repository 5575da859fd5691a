//! What G2 looks at: the manifests of a repository and who keeps them current, whether that tool runs, what is locked
//! and what is known of it, and what was built into the binary that runs.
//!
//! ```text
//! Tree ─> manifests ─┬─> coverage (dependabot, renovate, as they stand on the default branch)
//!                    ├─> activity (the log)
//!                    └─> locks ─> advisories, releases, deployed
//! ```
//!
//! Files and `git` are all that is read here; a registry is asked in `releases`, a database of advisories is fetched where it
//! is given by its URL. Nothing of the repository is run.

pub(crate) mod activity;
pub(crate) mod advisories;
pub mod coverage;
mod dependabot;
pub(crate) mod deployed;
mod ecosystem;
mod glob;
pub(crate) mod locks;
mod manifests;
pub(crate) mod releases;
mod renovate;
mod repository;
mod tree;
pub(crate) mod version;
mod workspaces;

pub use advisories::{Advisories, Known, known};
pub use ecosystem::Ecosystem;
pub use manifests::{Manifest, Manifests};
pub use repository::Repository;
pub use tree::Tree;

/// Manifests that their lockfiles do not meet, or that have none: what the measure on dependencies will say of them.
#[must_use]
pub fn unlocked(tree: &Tree, manifests: &Manifests) -> Vec<String> {
    locks::Locks::of(tree, manifests).faults
}

#[cfg(test)]
pub(crate) use repository::planted as repository_of_tests;
