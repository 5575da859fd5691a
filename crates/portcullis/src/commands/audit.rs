//! `portcullis audit`: proves the measures, prints the report, and says by its exit code how it stands.

mod formats;
mod init;
mod reading;
mod repeated;

use super::{CommandError, Environment, complain, print};
use crate::command_line::{Audit, AuditCommand, Where};
use crate::config::Configuration;
use crate::wiring::evidence;
use crate::wiring::installation::Installation;
use ::audit::report::json;
use ::audit::report::sarif::Anchors;
use ::audit::signing::SigningKey;
use ::audit::{Document, Only, Outcome, Progress, Report, exit_code};
use formats::{Beside, Formats};
use reading::Reading;
use std::process::ExitCode;

/// Runs the audit. Whatever goes wrong before it is usage (2).
pub async fn run(arguments: &Audit, environment: &Environment) -> ExitCode {
    let instead = match &arguments.command {
        Some(AuditCommand::Init(arguments)) => Some(init::run(arguments, environment)),
        Some(AuditCommand::Key(place)) => Some(key(place, environment)),
        None => None,
    };
    if let Some(outcome) = instead {
        return match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(&error.message);
                error.code.into()
            }
        };
    }
    if arguments.self_test {
        return self_test(arguments.place.json).await;
    }
    if let Some(every) = arguments.schedule {
        return repeated::run(arguments, every, environment).await;
    }
    match audited(arguments, environment).await {
        Ok(Audited { report, left: Ok(()), .. }) => exit_code(Outcome::Audited(&report)).into(),
        Ok(Audited { left: Err(error), .. }) | Err(error) => refused(&error),
    }
}

/// Why there is no report; the exit code says whose fault it is.
fn refused(error: &CommandError) -> ExitCode {
    complain(&error.message);
    exit_code(if error.code == 70 { Outcome::Internal } else { Outcome::Usage }).into()
}

/// One audit.
struct Audited {
    report: Report,
    /// The one before it in this environment, where it is kept and was looked for.
    last: Option<Report>,
    /// What of it could not be written. What was found counts all the same.
    left: Result<(), CommandError>,
}

async fn audited(arguments: &Audit, environment: &Environment) -> Result<Audited, CommandError> {
    let formats = Formats::of(arguments)?;
    let installation = match (Installation::find(&arguments.place, environment), &arguments.from) {
        // A kept report is shown anywhere: it needs no configuration unless one is named.
        (Err(_), Some(file)) if arguments.place.config.is_none() && arguments.place.dir.is_none() => {
            return again(arguments, &formats, file);
        }
        (found, _) => found?,
    };
    let configuration = &installation.configuration;
    complain(&Installation::told(&arguments.place));
    let only = Only::parse(&arguments.only).map_err(|error| CommandError::usage(error.to_string()))?;
    let configured = configuration.file.audit.as_ref().and_then(|audit| audit.document.as_ref());
    let file = arguments.document.clone().or_else(|| configured.map(|file| configuration.path(file)));
    let document =
        file.as_ref().map(|file| crate::wiring::document::read(configuration, file)).transpose()?;
    let mut reading = Reading::new(evidence::own(configuration), arguments.write);
    let earlier = arguments.since.as_deref().map(|file| reading.earlier(file)).transpose()?;
    let with = with(arguments, &mut reading)?;
    let from = arguments.from.as_deref().map(|file| reading.evidence(file)).transpose()?;
    let notes = reading.notes();
    // Before the run: a key that cannot be used is found out at once.
    let signing_key = if arguments.from.is_none() { evidence::key(configuration)? } else { None };
    let mut report = match &from {
        Some(from) => from.report.clone(),
        None => looked(arguments, &installation, only, document.clone()).await?,
    };
    report.run.notes.extend(notes);
    // What was seen just now is fresh; what was seen before has an age.
    let now = if arguments.from.is_some() { crate::clock::now() } else { report.run.started_at };
    // Without --since the last report of this environment is compared with; what got worse then fails nothing.
    let mut last = None;
    match (&earlier, evidence::state(configuration)) {
        (Some(earlier), _) => report.compare(earlier),
        (None, Some(state)) if arguments.from.is_none() => {
            last = state.last(&report);
            if let Some(last) = &last {
                report.show_drift(last);
            }
        }
        _ => {}
    }
    let bytes = match &from {
        Some(from) if earlier.is_none() => from.bytes.clone(),
        Some(_) => {
            // It says more than what was signed: it is a report of its own now, which nobody signed.
            report.signature = None;
            json::render(&report)
        }
        None => kept(configuration, &mut report, signing_key.as_ref()),
    };
    // Parts of an audit would hide on the board what the whole one saw.
    if arguments.from.is_none() && arguments.only.is_empty() {
        crate::wiring::reports::put_on_the_board(configuration, &report, bytes.as_bytes()).await;
    }
    let beside = Beside {
        now,
        document: document.as_ref(),
        with: &with,
        earlier: earlier.as_ref().or(last.as_ref()),
        bytes: Some(&bytes),
        anchors: formats::anchors(arguments, configuration, file.as_deref()),
        state: configuration
            .file
            .audit
            .as_ref()
            .and_then(|audit| audit.state.as_ref())
            .map(|folder| configuration.path(folder)),
    };
    let left = left(arguments, &formats, &report, &beside, file.as_deref());
    Ok(Audited { report, last, left })
}

/// A kept report, where there is no configuration.
fn again(arguments: &Audit, formats: &Formats, file: &std::path::Path) -> Result<Audited, CommandError> {
    let mut reading = Reading::new(None, arguments.write);
    let ::audit::verify::Believed { mut report, mut bytes, .. } = reading.evidence(file)?;
    let earlier = arguments.since.as_deref().map(|file| reading.earlier(file)).transpose()?;
    let with = with(arguments, &mut reading)?;
    report.run.notes.extend(reading.notes());
    if let Some(earlier) = &earlier {
        report.compare(earlier);
        // As above: what was signed said less.
        report.signature = None;
        bytes = json::render(&report);
    }
    let document = arguments
        .document
        .as_ref()
        .map(|file| Document::read(file))
        .transpose()
        .map_err(|error| CommandError::usage(error.to_string()))?;
    let now = crate::clock::now();
    let beside = Beside {
        now,
        document: document.as_ref(),
        with: &with,
        earlier: earlier.as_ref(),
        bytes: Some(&bytes),
        anchors: Anchors::default(),
        state: None,
    };
    let left = left(arguments, formats, &report, &beside, arguments.document.as_deref());
    Ok(Audited { report, last: None, left })
}

/// `--with`
fn with(arguments: &Audit, reading: &mut Reading) -> Result<Vec<Report>, CommandError> {
    arguments.with.iter().map(|file| reading.evidence(file).map(|with| with.report)).collect()
}

/// The formats and the document. What cannot be written keeps nothing else from being written, and is said at the end.
fn left(
    arguments: &Audit,
    formats: &Formats,
    report: &Report,
    beside: &Beside<'_>,
    file: Option<&std::path::Path>,
) -> Result<(), CommandError> {
    let mut refused: Vec<String> =
        formats.leave(report, beside).err().map(|error| error.message).into_iter().collect();
    if arguments.write
        && let (Some(file), Some(document)) = (file, beside.document)
        && let Err(error) =
            ::audit::document::replace(file, &document.written(report, beside.with, beside.now))
    {
        refused.push(format!("cannot write {}: {error}", file.display()));
    }
    if refused.is_empty() { Ok(()) } else { Err(CommandError::usage(refused.join("\n"))) }
}

/// Signs the report and keeps it, and says where; the bytes of its file.
fn kept(configuration: &Configuration, report: &mut Report, key: Option<&SigningKey>) -> String {
    let evidence = evidence::finish(configuration, report, key);
    if let Some(file) = &evidence.file {
        complain(&format!("the report is kept, signed, as {}", file.display()));
    }
    evidence.bytes
}

/// `--self-test`: needs no configuration.
async fn self_test(as_json: bool) -> ExitCode {
    use ::audit::self_test;
    let bar = progress_bar();
    let rows = self_test::run(|progress: Progress| {
        bar.set_length(progress.total as u64);
        bar.set_position(progress.done as u64);
        bar.set_message(progress.what);
    })
    .await;
    bar.finish_and_clear();
    print(&if as_json { self_test::json(&rows) } else { self_test::text(&rows) });
    self_test::exit_code(&rows).into()
}

/// `portcullis audit key`
fn key(place: &Where, environment: &Environment) -> Result<(), CommandError> {
    let installation = Installation::find(place, environment)?;
    let key = evidence::key(&installation.configuration)?.ok_or_else(|| {
        CommandError::usage(
            "there is no key: configure [audit] state, where one is made, or [audit] signing_key_file",
        )
    })?;
    print(&format!("{}\n", key.public().json()));
    Ok(())
}

/// Runs the audit, with a progress bar.
async fn looked(
    arguments: &Audit,
    installation: &Installation,
    only: Only,
    document: Option<Document>,
) -> Result<Report, CommandError> {
    let policy = crate::wiring::policy::read(&installation.configuration)
        .map_err(|problems| CommandError::usage(problems.join("\n")))?;
    let mut config = crate::wiring::audit::config(installation, &policy).await?;
    config.document = document;
    config.challenge = arguments.challenge.clone();
    let bar = progress_bar();
    let report = ::audit::run(config, only, |progress: Progress| {
        bar.set_length(progress.total as u64);
        bar.set_position(progress.done as u64);
        bar.set_message(progress.what);
    })
    .await;
    bar.finish_and_clear();
    Ok(report)
}

/// Drawn on standard error, and only where that is a terminal.
fn progress_bar() -> indicatif::ProgressBar {
    let bar = indicatif::ProgressBar::new(0);
    if let Ok(style) = indicatif::ProgressStyle::with_template("{bar:24} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar
}
