//! `portcullis serve`: identity and gateway by a configuration.

use super::{CommandError, Environment, print, print_json};
use crate::command_line::Serve;
use crate::config::Configuration;
use crate::wiring::installation::Installation;
use crate::wiring::services::{self, Plan, Running};
use serde_json::json;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Starts, says so, and runs until SIGTERM or SIGINT.
pub async fn run(arguments: &Serve, environment: &Environment) -> Result<(), CommandError> {
    let installation = Installation::configured(&arguments.config, environment)?;
    let configuration = &installation.configuration;
    let signals = Signals::listen()?;
    let (file, variables) = (arguments.config.clone(), environment.clone());
    let plan = Plan {
        read_again: Some(Arc::new(move || Ok(Installation::configured(&file, &variables)?))),
        ..Plan::default()
    };
    let running = services::start(configuration, plan).await?;
    for warning in configuration.warnings() {
        tracing::warn!("{warning}");
    }
    let addresses = running.addresses();
    let opened = running.open_console(configuration).await;
    let ready = json!({
        "issuer": configuration.file.identity.as_ref().and_then(|identity| identity.issuer.clone()),
        "identity": addresses.identity.map(|address| address.to_string()),
        "gateway": addresses.gateway.map(|address| address.to_string()),
        "operations": addresses.operations.map(|address| address.to_string()),
        "console": opened.as_ref().map(|opened| &opened.board),
        "admin_link": opened.as_ref().map(|opened| &opened.link),
        "pid": std::process::id(),
    });
    if arguments.json {
        print_json(&ready)?;
    } else {
        let shown = |address: Option<std::net::SocketAddr>| {
            address.map_or("off".to_owned(), |address| address.to_string())
        };
        print(&format!(
            "portcullis is ready: identity {}, gateway {}, operations {}\n",
            shown(addresses.identity),
            shown(addresses.gateway),
            shown(addresses.operations)
        ));
        if let Some(opened) = &opened {
            print(&format!("the board, once and within 10 minutes: {}\n", opened.link));
        }
    }
    until_stopped(running, signals, || {
        Installation::configured(&arguments.config, environment)
            .map(|installation| installation.configuration)
            .map_err(CommandError::from)
    })
    .await
}

/// The signals that a server listens to.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Listens from now on: before anybody is told that the server is ready, so that whoever acts on that is heard.
    pub fn listen() -> Result<Self, CommandError> {
        let one = |kind: SignalKind| {
            signal(kind).map_err(|error| CommandError {
                message: format!("signals cannot be heard: {error}"),
                code: 70,
            })
        };
        Ok(Signals {
            terminate: one(SignalKind::terminate())?,
            interrupt: one(SignalKind::interrupt())?,
            hang_up: one(SignalKind::hangup())?,
        })
    }
}

/// Waits for the end; SIGHUP reads the configuration again and keeps the last good one.
pub async fn until_stopped(
    running: Running,
    signals: Signals,
    read_again: impl Fn() -> Result<Configuration, CommandError>,
) -> Result<(), CommandError> {
    let Signals { mut terminate, mut interrupt, mut hang_up } = signals;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => {
                let reloaded = match read_again() {
                    Ok(configuration) => running.reload(&configuration).await,
                    Err(error) => Err(error),
                };
                match reloaded {
                    Ok(()) => tracing::info!("configuration and policy read again"),
                    Err(error) => tracing::error!("the last good configuration stays: {}", error.message),
                }
            }
        }
    }
    tracing::info!("stopping: requests under way are finished");
    running.stop().await;
    Ok(())
}
