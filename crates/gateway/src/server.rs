//! The accept loop and its end.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::connection::{self, Door};
use crate::forward::Backend;
use crate::gateway::Inner;
use crate::shutdown;

/// How long to wait after a failed accept: out of file descriptors, say, where trying at once would spin.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) async fn serve(
    gateway: Arc<Inner>,
    backend: Arc<Backend>,
    listener: TcpListener,
    until: impl Future<Output = ()>,
) -> io::Result<()> {
    let (stopper, shutdown) = shutdown::shutdown();
    let snapshot = gateway.snapshot.load_full();
    let places =
        Arc::new(Semaphore::new(snapshot.config.maximum_connections.clamp(1, Semaphore::MAX_PERMITS)));
    let door = Arc::new(Door {
        gateway: Arc::clone(&gateway),
        backend,
        tls: snapshot.config.tls.clone().map(tokio_rustls::TlsAcceptor::from),
    });
    drop(snapshot);
    let mut until = pin!(until);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut until => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, peer, place)) = accepted else { continue };
        let (door, shutdown) = (Arc::clone(&door), shutdown.clone());
        tokio::spawn(async move {
            connection::serve(&door, stream, peer, shutdown).await;
            drop(place);
        });
    }
    // From here on connecting is refused, and whoever balances the load goes elsewhere.
    drop(listener);
    drop(shutdown);
    let drain = gateway.snapshot.load().config.timeouts.drain;
    if !stopper.stop(drain).await {
        tracing::warn!("requests under way were cut when the time to stop was over");
    }
    Ok(())
}

type Accepted = (TcpStream, std::net::SocketAddr, tokio::sync::OwnedSemaphorePermit);

/// One connection, when there is a place for it.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<Accepted> {
    // The semaphore is never closed.
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, place)),
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(PAUSE).await;
            None
        }
    }
}
