//! Identity server, gateway and auditor in one binary: command line, configuration, wiring; nothing clever.

mod clock;
mod command_line;
mod commands;
mod config;
mod dev;
mod file_descriptors;
mod http_get;
mod last_threads;
mod logging;
mod wiring;

use clap::Parser as _;
use command_line::{Command, CommandLine};
use commands::{CommandError, Environment};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The environment is read here, once; everywhere else it is an argument.
    let environment: Environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let command = CommandLine::parse().command;
    let serves = matches!(command, Command::Serve(_) | Command::Dev(_));
    let repeats = matches!(&command, Command::Audit(arguments) if arguments.schedule.is_some());
    logging::start(&environment, serves || repeats);
    if serves {
        file_descriptors::raise();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("portcullis: no threads to run on: {error}");
            return ExitCode::from(70);
        }
    };
    let outcome = runtime.block_on(run(command, &environment));
    // What still runs has been told to end; nothing of it may hold the process.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    last_threads::wait();
    outcome
}

async fn run(command: Command, environment: &Environment) -> ExitCode {
    let outcome = match command {
        Command::Audit(arguments) => return commands::audit::run(&arguments, environment).await,
        Command::Verify(arguments) => return commands::verify::run(&arguments),
        Command::Completions { shell } => {
            commands::completions::run(shell);
            Ok(())
        }
        Command::Init(arguments) => commands::init::run(&arguments),
        Command::Dev(arguments) => commands::dev::run(&arguments, environment).await,
        Command::Serve(arguments) => commands::serve::run(&arguments, environment).await,
        Command::Check(place) => commands::check::run(&place, environment).await,
        Command::Explain(arguments) => commands::explain::run(&arguments, environment).await,
        Command::Token(arguments) => commands::token::run(&arguments, environment).await,
        Command::Apply(arguments) => commands::apply::run(&arguments, environment).await,
        Command::Database(database) => commands::database::run(database, environment).await,
        Command::Scan(arguments) => return commands::scan::run(arguments).await,
        Command::Probe(arguments) => return commands::probe::run(&arguments).await,
        Command::Backup(arguments) => commands::backup::backup(&arguments, environment).await,
        Command::Restore(arguments) => commands::backup::restore(&arguments, environment).await,
        Command::Console(console) => commands::console::run(console, environment).await,
        Command::User(user) => commands::user::run(user, environment).await,
        Command::App(app) => commands::app::run(app, environment).await,
        Command::Api(api) => commands::api::run(api, environment).await,
        Command::Role(role) => commands::role::run(role, environment).await,
        Command::Key(key) => commands::key::run(key, environment).await,
        Command::SigningKeys(keys) => commands::signing_keys::run(keys, environment).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(CommandError { message, code }) => {
            commands::complain(&message);
            ExitCode::from(code)
        }
    }
}
