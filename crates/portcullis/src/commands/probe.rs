//! `portcullis probe`: stands where a stranger stands and says of each endpoint open, closed or could not tell.

use super::print;
use crate::command_line::Probe;
use ::audit::probe::{self, Control, Endpoint, Options, UsageError};
use std::process::ExitCode;

/// Probes; the exit code is the report's, 2 for what cannot be probed.
pub async fn run(arguments: &Probe) -> ExitCode {
    let (endpoints, control) = match asked(arguments) {
        Ok(asked) => asked,
        Err(error) => {
            eprintln!("portcullis: {error}");
            return ExitCode::from(2);
        }
    };
    let options = Options {
        internal_name: arguments.internal_name.clone(),
        now: crate::clock::now(),
        ..Options::default()
    };
    let report = probe::run(&endpoints, &control, &options).await;
    print(&if arguments.json { report.json() } else { report.text() });
    ExitCode::from(report.exit_code())
}

fn asked(arguments: &Probe) -> Result<(Vec<Endpoint>, Control), UsageError> {
    let endpoints = arguments.endpoints.iter().map(|text| Endpoint::parse(text)).collect::<Result<_, _>>()?;
    Ok((endpoints, Control::parse(&arguments.control)?))
}
