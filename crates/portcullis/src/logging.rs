//! Log records on standard error: for people on a terminal, JSON elsewhere. `PORTCULLIS_LOG=debug` says more.

use crate::commands::Environment;
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// Starts logging; a server, or an audit by schedule, says what it does, a command only what goes wrong.
pub fn start(environment: &Environment, server: bool) {
    let default = if server { "info,sqlx=warn,sea_orm=warn,sea_orm_migration=warn" } else { "error" };
    let wanted = environment.get("PORTCULLIS_LOG").map_or(default, String::as_str);
    let filter = EnvFilter::try_new(wanted).unwrap_or_else(|error| {
        eprintln!("portcullis: PORTCULLIS_LOG: {error}; going on with `{default}`");
        EnvFilter::new(default)
    });
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        subscriber.compact().with_target(false).init();
    } else {
        subscriber.json().flatten_event(true).init();
    }
}
