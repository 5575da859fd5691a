//! Serving a router on a listener: time-outs, TLS, and an orderly end.

use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode, Version, header};
use axum::middleware::{self, Next};
use axum::response::IntoResponse as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt as _;

/// A client that does not finish its headers in this time is let go (slowloris).
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Headers above this get 431.
const HEADERS: usize = 64 << 10;
/// A request, its body included, is answered in this time or given up; what it began goes on by itself.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections at once; more wait to be accepted. The gateway has file descriptors of its own to keep.
const CONNECTIONS: usize = 4096;
/// A TLS handshake takes a few round trips, not longer.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// What is under way when the end comes may take this long; the promise is under five seconds.
pub const DRAIN: Duration = Duration::from_secs(4);

/// Told once: stop taking requests, finish those under way.
#[derive(Clone)]
pub struct Shutdown(watch::Receiver<bool>);

/// The other end of a [`Shutdown`].
pub struct ShutdownSender(watch::Sender<bool>);

/// A shutdown and its trigger.
pub fn shutdown() -> (ShutdownSender, Shutdown) {
    let (sender, receiver) = watch::channel(false);
    (ShutdownSender(sender), Shutdown(receiver))
}

impl ShutdownSender {
    /// Begins the end.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    /// Waits for the end to begin; a sender that is gone is an end, too.
    pub async fn begun(mut self) {
        let _ = self.0.wait_for(|begun| *begun).await;
    }
}

/// One Host with each request (RFC 9112 section 3.2): with none or two, those on the way could take it for another site's.
async fn one_host(request: axum::extract::Request, next: Next) -> axum::response::Response {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    if request.version() == Version::HTTP_11 && hosts != 1 {
        return StatusCode::BAD_REQUEST.into_response();
    }
    next.run(request).await
}

/// Serves `router` until `shutdown` begins, then drains for at most [`DRAIN`].
pub async fn serve(
    listener: TcpListener,
    router: axum::Router,
    tls: Option<Arc<rustls::ServerConfig>>,
    shutdown: Shutdown,
) {
    let router = router.layer(middleware::from_fn(one_host));
    let acceptor = tls.map(tokio_rustls::TlsAcceptor::from);
    let graceful = Arc::new(GracefulShutdown::new());
    let end = shutdown.begun();
    tokio::pin!(end);
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            () = &mut end => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut end => break,
        };
        let Ok((stream, peer)) = accepted else {
            // Out of file descriptors, most likely: others must end before the next can begin.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (router, acceptor, watcher) = (router.clone(), acceptor.clone(), graceful.watcher());
        tokio::spawn(async move {
            converse(stream, peer, router, acceptor, watcher).await;
            drop(place);
        });
    }
    drop(listener);
    if let Ok(graceful) = Arc::try_unwrap(graceful) {
        let _ = tokio::time::timeout(DRAIN, graceful.shutdown()).await;
    }
}

async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    router: axum::Router,
    acceptor: Option<tokio_rustls::TlsAcceptor>,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(tower::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = tokio::time::timeout(REQUEST_TIMEOUT, router.clone().oneshot(request));
        async move {
            let answer = answer.await.unwrap_or_else(|_| Ok(StatusCode::REQUEST_TIMEOUT.into_response()));
            Ok::<_, std::convert::Infallible>(answer.unwrap_or_else(|never| match never {}))
        }
    }));
    let mut server = http1::Builder::new();
    // The timer runs from the first moment on, so that a client that says nothing at all is let go, too.
    server.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(HEADERS);
    // What a peer does wrong ends its connection; there is nobody to tell.
    match acceptor {
        None => {
            let _ = watcher.watch(server.serve_connection(TokioIo::new(stream), service)).await;
        }
        Some(acceptor) => {
            let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await
            else {
                return;
            };
            let _ = watcher.watch(server.serve_connection(TokioIo::new(stream), service)).await;
        }
    }
}
