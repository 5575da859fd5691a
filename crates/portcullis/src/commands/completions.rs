//! `portcullis completions`: what a shell needs to complete the rest.

use clap::CommandFactory as _;

/// Prints the completions of one shell.
pub fn run(shell: clap_complete::Shell) {
    let mut command = crate::command_line::CommandLine::command();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "portcullis", &mut script);
    super::print(&String::from_utf8_lossy(&script));
}
