//! The files of a repository: what git knows of, or would; else what lies in a folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The most of one file that is read: lockfiles are long, everything else here is short.
const MAXIMUM_FILE: u64 = 32 * 1024 * 1024;
/// The most files of a folder without git.
const MAXIMUM_FILES: usize = 200_000;

/// The files of a repository, by paths with `/`, relative to its root.
#[derive(Clone, Debug)]
pub struct Tree {
    root: PathBuf,
    files: BTreeSet<String>,
}

impl Tree {
    pub(crate) fn new(root: PathBuf, files: impl IntoIterator<Item = String>) -> Self {
        Self { root, files: files.into_iter().collect() }
    }

    /// A folder that no git looks after; what package managers fill in is left out.
    #[must_use]
    pub fn of_folder(root: &Path) -> Self {
        let mut files = BTreeSet::new();
        let mut folders = vec![(root.to_owned(), String::new())];
        while let Some((folder, prefix)) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            for entry in entries.filter_map(Result::ok) {
                let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string()) else {
                    continue;
                };
                if kind.is_dir() && !matches!(name.as_str(), ".git" | "node_modules" | "target") {
                    folders.push((entry.path(), format!("{prefix}{name}/")));
                } else if kind.is_file() && files.len() < MAXIMUM_FILES {
                    files.insert(format!("{prefix}{name}"));
                }
            }
        }
        Self { root: root.to_owned(), files }
    }

    /// With a file that is yet to be written.
    #[must_use]
    pub fn and(mut self, path: &str) -> Self {
        self.files.insert(path.to_owned());
        self
    }

    /// Where it lies.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// All paths, sorted.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str)
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.files.contains(path)
    }

    /// A file's text; none where there is none, where it is no regular file, is too long, or no UTF-8.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<String> {
        let file = self.files.get(path).map(|path| self.root.join(path))?;
        let about = std::fs::symlink_metadata(&file).ok()?;
        if !about.is_file() || about.len() > MAXIMUM_FILE {
            return None;
        }
        std::fs::read_to_string(file).ok()
    }

    pub(crate) fn toml(&self, path: &str) -> Option<toml::Table> {
        toml::from_str(&self.text(path)?).ok()
    }

    pub(crate) fn json(&self, path: &str) -> Option<serde_json::Value> {
        serde_json::from_str(&self.text(path)?).ok()
    }
}

/// The folder of a path, without a slash at the end; empty for the root.
pub(crate) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The last part of a path.
pub(crate) fn name_of(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// `folder/name`; in the root the name alone.
pub(crate) fn within(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// `folder` and a relative path in it, dots resolved; none where it leaves the tree.
pub(crate) fn resolve(folder: &str, relative: &str) -> Option<String> {
    let relative = relative.replace('\\', "/");
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
pub(crate) mod planted {
    use super::*;

    /// A folder with these files, and its tree.
    pub(crate) fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Tree) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let tree = Tree::of_folder(folder.path());
        (folder, tree)
    }
}
