//! Where `scripts/test` put the programs that nobody here wrote.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The Python of `PORTCULLIS_TEST_PYTHON`, else the one that `scripts/test` keeps in the target folder.
pub fn python() -> PathBuf {
    found("PORTCULLIS_TEST_PYTHON", "python/bin/python")
}

/// The `node_modules` of `PORTCULLIS_TEST_NODE_MODULES`, else the one that `scripts/test` keeps in the target folder.
pub fn node_modules() -> PathBuf {
    found("PORTCULLIS_TEST_NODE_MODULES", "node/node_modules")
}

/// The `node_modules` of the Auth0 look-alike: that of `PORTCULLIS_TEST_AUTH0_SIMULATOR`, else the one that `scripts/test`
/// keeps in the target folder.
pub fn auth0_simulator() -> PathBuf {
    found("PORTCULLIS_TEST_AUTH0_SIMULATOR", "auth0-simulator/node_modules")
}

/// A program that cargo installed: `PORTCULLIS_TEST_CARGO_BIN`, else what `scripts/test` keeps in the target folder.
pub fn cargo_program(name: &str) -> PathBuf {
    let path = found("PORTCULLIS_TEST_CARGO_BIN", "cargo/bin").join(name);
    assert!(path.is_file(), "{} is missing: run scripts/test, which installs it", path.display());
    path
}

/// A file of an installed npm package: `package_file("jose", "package.json")`.
pub fn package_file(package: &str, file: &str) -> PathBuf {
    let path = node_modules().join(package).join(file);
    assert!(path.is_file(), "{} is missing: run scripts/test, which installs it", path.display());
    path
}

/// The browser: `PORTCULLIS_TEST_CHROMIUM`, else Debian's `/usr/bin/chromium`, else the first on the path.
pub fn chromium() -> PathBuf {
    if let Some(path) = variable("PORTCULLIS_TEST_CHROMIUM") {
        return PathBuf::from(path);
    }
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let path = variable("PATH").unwrap_or_default();
    std::iter::once(PathBuf::from("/usr/bin/chromium"))
        .chain(std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name))))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| {
            panic!("no Chromium: install the package chromium, or set PORTCULLIS_TEST_CHROMIUM")
        })
}

fn found(name: &str, inside: &str) -> PathBuf {
    let path = variable(name).map_or_else(|| target_folder().join("ecosystem").join(inside), PathBuf::from);
    assert!(
        path.exists(),
        "{} is missing: run scripts/test, which installs it, or set {name}",
        path.display()
    );
    path
}

/// The folder that holds `debug/deps/this-test`.
fn target_folder() -> PathBuf {
    let program = std::env::current_exe().expect("a running test has a path");
    program.ancestors().nth(3).map_or_else(|| Path::new("target").to_path_buf(), Path::to_path_buf)
}

fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
