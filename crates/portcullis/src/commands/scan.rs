//! `portcullis scan`: secrets in a work tree and in all of its history. It reads no configuration.

use super::{complain, print};
use crate::command_line::Scan;
use ::audit::scan::{BASELINE_FILE, Baseline, Options, Progress, scan, top_of};
use ::audit::terminal::one_line;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Scans; the exit code is the outcome's, 2 for what cannot be scanned.
pub async fn run(arguments: Scan) -> ExitCode {
    // Reading files and waiting for git would hold up everything else.
    match tokio::task::spawn_blocking(move || scanned(&arguments)).await {
        Ok(Ok(code)) => ExitCode::from(code),
        Ok(Err(message)) => {
            complain(&message);
            ExitCode::from(2)
        }
        Err(_) => ExitCode::from(70),
    }
}

fn scanned(arguments: &Scan) -> Result<u8, String> {
    let mut options = Options::new(&arguments.path, crate::clock::now());
    options.staged = arguments.staged;
    let file = baseline_file(arguments);
    if let Some(file) = &file {
        let json = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        options.baseline =
            Baseline::parse(&json).map_err(|why| format!("{}: {}", file.display(), one_line(&why)))?;
    }
    let bar = progress_bar();
    let scanned = scan(&options, &|progress: Progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    })
    .map_err(|error| error.to_string())?;
    bar.finish_and_clear();
    print(&if arguments.json { scanned.json() } else { scanned.text(std::io::stdout().is_terminal()) });
    Ok(scanned.exit_code())
}

/// The one that was named, else the one at the top of the repository.
fn baseline_file(arguments: &Scan) -> Option<PathBuf> {
    arguments.baseline.clone().or_else(|| {
        let top = top_of(&arguments.path).unwrap_or_else(|| arguments.path.clone());
        Some(top.join(BASELINE_FILE)).filter(|file| file.is_file())
    })
}

/// Shown on a terminal alone, and only when it takes a while.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::no_length();
    if let Ok(style) = ProgressStyle::with_template("{bar:24} {bytes}/{total_bytes}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
