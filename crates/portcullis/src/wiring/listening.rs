//! Listeners, and the threads that carry the gateway.

use super::serving::Shutdown;
use crate::command_line::LOOPBACK;
use crate::commands::CommandError;
use crate::config::Configuration;
use ::gateway::Gateway;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// Where a start listens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Addresses {
    /// The issuer's origin.
    pub identity: Option<SocketAddr>,
    /// The gateway.
    pub gateway: Option<SocketAddr>,
    /// Operations.
    pub operations: Option<SocketAddr>,
}

/// The listeners of a start, bound before anything runs: all of them or none.
pub struct Listeners {
    /// The issuer's origin, where there is an issuer.
    pub identity: Option<TcpListener>,
    /// Operations.
    pub operations: TcpListener,
    /// Where they and the gateway are.
    pub addresses: Addresses,
}

/// Binds a listener; who holds the port is the first thing to know when it fails.
pub fn bind(what: &str, address: SocketAddr) -> Result<TcpListener, CommandError> {
    ::gateway::listen(address, false).map_err(|error| in_use(what, address, &error))
}

fn in_use(what: &str, address: SocketAddr, error: &std::io::Error) -> CommandError {
    let remedy = if error.kind() == std::io::ErrorKind::AddrInUse {
        "another program listens there; stop it, or choose another port"
    } else {
        "choose another address"
    };
    CommandError::usage(format!("{what} cannot listen on {address}: {error}; {remedy}"))
}

impl Listeners {
    /// Binds what the configuration names.
    pub fn bind(configuration: &Configuration, has_issuer: bool) -> Result<Self, CommandError> {
        let file = &configuration.file;
        let fallback = |port: u16| SocketAddr::new(LOOPBACK, port);
        let at = file.operations.as_ref().and_then(|section| section.listen).unwrap_or(fallback(8082));
        let operations = bind("operations.listen", at)?;
        let at = file.identity.as_ref().and_then(|section| section.listen).unwrap_or(fallback(8080));
        let identity = if has_issuer { Some(bind("identity.listen", at)?) } else { None };
        let at = file.gateway.as_ref().and_then(|section| section.listen).unwrap_or(fallback(8081));
        // A port of one's own before it is shared: with SO_REUSEPORT a forgotten process would take half the traffic.
        let alone = bind("gateway.listen", at)?;
        let addresses = Addresses {
            identity: identity.as_ref().and_then(|listener| listener.local_addr().ok()),
            gateway: Some(alone.local_addr().unwrap_or(at)),
            operations: operations.local_addr().ok(),
        };
        Ok(Listeners { identity, operations, addresses })
    }
}

/// One current-thread runtime a core, each with a listener of its own on the same port.
pub fn serve_on_every_core(
    gateway: &Gateway,
    address: SocketAddr,
    shutdown: &Shutdown,
) -> Result<Vec<std::thread::JoinHandle<()>>, CommandError> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut threads = Vec::with_capacity(cores);
    for core in 0..cores {
        let (gateway, shutdown) = (gateway.clone(), shutdown.clone());
        let (told, heard) = std::sync::mpsc::sync_channel(1);
        let run = move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => {
                    let _ = told.send(Err(error));
                    return;
                }
            };
            runtime.block_on(async {
                match ::gateway::listen(address, cores > 1) {
                    Ok(listener) => {
                        let _ = told.send(Ok(()));
                        if let Err(error) = gateway.serve(listener, shutdown.begun()).await {
                            tracing::error!(%error, "the gateway does not serve");
                        }
                    }
                    Err(error) => {
                        let _ = told.send(Err(error));
                    }
                }
            });
        };
        let thread =
            std::thread::Builder::new().name(format!("gateway-{core}")).spawn(run).map_err(|error| {
                CommandError { message: format!("no thread for the gateway: {error}"), code: 70 }
            })?;
        threads.push(thread);
        match heard.recv() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(in_use("gateway.listen", address, &error)),
            Err(_) => return Err(CommandError { message: "a gateway thread ended".to_owned(), code: 70 }),
        }
    }
    Ok(threads)
}
