//! Python scripts of `tests/ecosystem`, run by the Python that has their packages.

use tokio::process::Command;

use crate::{ecosystem, process};

/// A command that runs this script's text with these arguments, without a file on the way.
pub fn script(text: &str, arguments: &[&str]) -> Command {
    let mut command = process::command(ecosystem::python());
    command.arg("-c").arg(text).args(arguments).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}
