//! `portcullis audit --schedule 6h`: audits again and again, where nothing else would start it (a platform without cron, say).
//! Each run is as one by hand, reads everything anew, and tells as events what became different.

use super::{Audited, audited};
use crate::command_line::Audit;
use crate::commands::{CommandError, Environment};
use crate::config::value::Span;
use crate::wiring::schedule::{self, Pause, Steps, news};
use crate::wiring::serving::{self, Shutdown};
use ::audit::Report;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// Audits until SIGTERM or SIGINT. What keeps the first run from its report ends it, as it would end a run by hand; later it
/// is an event, and the next run may do better.
pub async fn run(arguments: &Audit, every: Span, environment: &Environment) -> ExitCode {
    let begun = schedule::step("--schedule", every).map_err(CommandError::usage);
    let error = match begun.and_then(|every| Ok((every, until_told()?))) {
        Ok((every, shutdown)) => follow(arguments, every, environment, shutdown).await,
        Err(error) => Some(error),
    };
    match error {
        None => ExitCode::SUCCESS,
        Some(error) => super::refused(&error),
    }
}

async fn follow(
    arguments: &Audit,
    every: i64,
    environment: &Environment,
    shutdown: Shutdown,
) -> Option<CommandError> {
    let work = async {
        let mut before: Option<Report> = None;
        let mut is_first = true;
        let mut steps = Steps::after(Pause::NONE, Pause::of_step(every));
        loop {
            steps.next().await;
            let (arguments, environment) = (arguments.clone(), environment.clone());
            let run = move || async move { Ok(audited(&arguments, &environment).await) };
            match schedule::patiently(run).await {
                Ok(Ok(Audited { report, last, left })) => {
                    // What was found is told even where the disk is full.
                    news::tell(before.as_ref().or(last.as_ref()), &report);
                    before = Some(report);
                    match left {
                        Err(error) if is_first => return error,
                        Err(error) => news::failed(&error.message),
                        Ok(()) => {}
                    }
                }
                Ok(Err(error)) if is_first => return error,
                Ok(Err(error)) => news::failed(&error.message),
                Err(error) => news::failed(&error),
            }
            is_first = false;
        }
    };
    schedule::until_the_end(shutdown, work).await
}

/// An end that begins with SIGTERM or SIGINT. A run that is under way then is given up, and leaves no report.
fn until_told() -> Result<Shutdown, CommandError> {
    let heard = |kind: SignalKind| {
        signal(kind)
            .map_err(|error| CommandError { message: format!("signals cannot be heard: {error}"), code: 70 })
    };
    let (mut terminate, mut interrupt) = (heard(SignalKind::terminate())?, heard(SignalKind::interrupt())?);
    let (sender, shutdown) = serving::shutdown();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        sender.begin();
    });
    Ok(shutdown)
}
