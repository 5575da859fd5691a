//! `portcullis audit`: proves the measures, prints the report, and says by its exit code how it stands.

use super::{CommandError, Environment, print};
use crate::command_line::{Audit, Format};
use crate::wiring::installation::Installation;
use ::audit::report::{json, markdown, text};
use ::audit::{Document, Only, Outcome, Progress, Report, exit_code};
use std::io::IsTerminal as _;
use std::process::ExitCode;

/// Runs the audit. Whatever goes wrong before it is usage (2).
pub async fn run(arguments: &Audit, environment: &Environment) -> ExitCode {
    match audited(arguments, environment).await {
        Ok(report) => exit_code(Outcome::Audited(&report)).into(),
        Err(error) => {
            eprintln!("portcullis: {}", error.message);
            exit_code(if error.code == 70 { Outcome::Internal } else { Outcome::Usage }).into()
        }
    }
}

async fn audited(arguments: &Audit, environment: &Environment) -> Result<Report, CommandError> {
    let installation = Installation::find(&arguments.place, environment)?;
    let configuration = &installation.configuration;
    let only = Only::parse(&arguments.only).map_err(|error| CommandError::usage(error.to_string()))?;
    let configured = configuration.file.audit.as_ref().and_then(|audit| audit.document.as_ref());
    let file = arguments.document.clone().or_else(|| configured.map(|file| configuration.path(file)));
    let document = file
        .as_ref()
        .map(|file| Document::read(file))
        .transpose()
        .map_err(|error| CommandError::usage(error.to_string()))?;
    let earlier = arguments.since.as_deref().map(read_report).transpose()?;
    let with = arguments.with.iter().map(|file| read_report(file)).collect::<Result<Vec<_>, _>>()?;
    let policy = crate::wiring::policy::read(configuration)
        .map_err(|problems| CommandError::usage(problems.join("\n")))?;
    let mut config = crate::wiring::audit::config(&installation, &policy).await?;
    config.document = document.clone();
    config.challenge = arguments.challenge.clone();

    let bar = progress_bar();
    let mut report = ::audit::run(config, only, |progress: Progress| {
        bar.set_length(progress.total as u64);
        bar.set_position(progress.done as u64);
        bar.set_message(progress.what);
    })
    .await;
    bar.finish_and_clear();
    if let Some(earlier) = &earlier {
        report.compare(earlier);
    }
    let format = match (arguments.format, arguments.place.json, &arguments.document) {
        (Some(format), _, _) => format,
        (None, true, _) => Format::Json,
        (None, false, Some(_)) => Format::Markdown,
        (None, false, None) => Format::Text,
    };
    print(&match format {
        Format::Text => text::render(&report, std::io::stdout().is_terminal()),
        Format::Markdown => markdown::render(document.as_ref(), &report, &with),
        Format::Json => json::render(&report),
    });
    if arguments.write
        && let Some(file) = &file
    {
        let written = markdown::render(document.as_ref(), &report, &with);
        let beside = file.with_extension("md.new");
        std::fs::write(&beside, written)
            .and_then(|()| std::fs::rename(&beside, file))
            .map_err(|error| CommandError::usage(format!("cannot write {}: {error}", file.display())))?;
    }
    Ok(report)
}

fn read_report(file: &std::path::Path) -> Result<Report, CommandError> {
    let refused = |why: String| CommandError::usage(format!("{}: {why}", file.display()));
    let bytes = std::fs::read(file).map_err(|error| refused(error.to_string()))?;
    Report::parse(&bytes).map_err(|error| refused(error.to_string()))
}

/// Drawn on standard error, and only where that is a terminal.
fn progress_bar() -> indicatif::ProgressBar {
    let bar = indicatif::ProgressBar::new(0);
    if let Ok(style) = indicatif::ProgressStyle::with_template("{bar:24} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar
}
