//! One client connection: which protocol it speaks, how long it may be silent, and how it ends.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::activity::{Activity, Counted, Waiting};
use crate::client_address;
use crate::config::Timeouts;
use crate::forward::Backend;
use crate::gateway::Inner;
use crate::metrics::Open;
use crate::pipeline;
use crate::shutdown::Shutdown;

/// The most that a head may have, request line and all fields together: more is 431.
const MAXIMUM_HEAD: usize = 64 * 1024;
/// How many requests one HTTP/2 connection may have under way.
const MAXIMUM_STREAMS: u32 = 200;

/// What every connection of one listener shares.
pub(crate) struct Door {
    pub(crate) gateway: Arc<Inner>,
    pub(crate) backend: Arc<Backend>,
    pub(crate) tls: Option<TlsAcceptor>,
}

/// One connection, as its requests see it.
pub(crate) struct Visit {
    pub(crate) gateway: Arc<Inner>,
    pub(crate) backend: Arc<Backend>,
    pub(crate) activity: Arc<Activity>,
    pub(crate) shutdown: Shutdown,
    peer: IpAddr,
    /// The peer's address as a header's value, made once.
    peer_value: HeaderValue,
    https: bool,
}

impl Visit {
    pub(crate) fn peer_is_trusted(&self, trusted: &[IpNet]) -> bool {
        policy::is_trusted_proxy(self.peer, trusted)
    }

    /// The client's address, behind trusted proxies if there are any.
    pub(crate) fn client_address(&self, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
        client_address::client_address(self.peer, headers, trusted)
    }

    /// The same as a header's value.
    pub(crate) fn client(&self, headers: &HeaderMap, trusted: &[IpNet]) -> HeaderValue {
        if trusted.is_empty() {
            return self.peer_value.clone();
        }
        let client = self.client_address(headers, trusted);
        if client == self.peer { self.peer_value.clone() } else { address_value(client) }
    }

    /// Whether the client speaks https, with us or with a trusted proxy.
    pub(crate) fn came_by_https(&self, headers: &HeaderMap, trusted: &[IpNet]) -> bool {
        client_address::came_by_https(self.peer_is_trusted(trusted), headers).unwrap_or(self.https)
    }
}

fn address_value(address: IpAddr) -> HeaderValue {
    HeaderValue::from_str(&address.to_string()).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

/// Serves one connection to its end.
pub(crate) async fn serve(door: &Door, stream: TcpStream, peer: SocketAddr, mut shutdown: Shutdown) {
    let _open = Open::new(&door.gateway.metrics.connections);
    // An answer's last packet must not wait for an acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let timeouts = door.gateway.snapshot.load().config.timeouts;
    let peer = peer.ip().to_canonical();
    let visit = Arc::new(Visit {
        gateway: Arc::clone(&door.gateway),
        backend: Arc::clone(&door.backend),
        activity: Arc::default(),
        shutdown: shutdown.clone(),
        peer,
        peer_value: address_value(peer),
        https: door.tls.is_some(),
    });
    let spoken = tokio::select! {
        spoken = tokio::time::timeout(timeouts.header, greet(door, stream)) => spoken,
        () = shutdown.soon() => return,
    };
    match spoken {
        Ok(Ok(Spoken::Plain(stream, Protocol::Http1))) => http1(visit, stream, timeouts, shutdown).await,
        Ok(Ok(Spoken::Plain(stream, Protocol::Http2))) => http2(visit, stream, timeouts, shutdown).await,
        Ok(Ok(Spoken::Tls(stream, Protocol::Http1))) => http1(visit, *stream, timeouts, shutdown).await,
        Ok(Ok(Spoken::Tls(stream, Protocol::Http2))) => http2(visit, *stream, timeouts, shutdown).await,
        Ok(Err(error)) => tracing::debug!(%error, "a connection ended before its first request"),
        Err(_) => tracing::debug!("a connection said nothing in time"),
    }
}

enum Protocol {
    Http1,
    Http2,
}

enum Spoken {
    Plain(TcpStream, Protocol),
    Tls(Box<tokio_rustls::server::TlsStream<TcpStream>>, Protocol),
}

/// Finds out the protocol: by ALPN under TLS, by the first bytes otherwise (RFC 9113 section 3.3).
async fn greet(door: &Door, stream: TcpStream) -> std::io::Result<Spoken> {
    if let Some(tls) = &door.tls {
        let stream = tls.accept(stream).await?;
        let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        return Ok(Spoken::Tls(Box::new(stream), if h2 { Protocol::Http2 } else { Protocol::Http1 }));
    }
    let mut first = [0; 3];
    loop {
        let count = stream.peek(&mut first).await?;
        match first.get(..count).unwrap_or_default() {
            b"PRI" => return Ok(Spoken::Plain(stream, Protocol::Http2)),
            // Too little to tell PRI from POST: peeking again would return at once, so leave it a moment.
            b"P" | b"PR" => tokio::time::sleep(Duration::from_millis(5)).await,
            _ => return Ok(Spoken::Plain(stream, Protocol::Http1)),
        }
    }
}

async fn http1<S>(visit: Arc<Visit>, stream: S, timeouts: Timeouts, shutdown: Shutdown)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Arc::clone(&visit.activity);
    let io = TokioIo::new(Counted::new(stream, Arc::clone(&activity)));
    let service = service_fn(move |request: http::Request<Incoming>| {
        let visit = Arc::clone(&visit);
        async move { Ok::<_, Infallible>(pipeline::answer(&visit, request).await) }
    });
    let mut builder = http1::Builder::new();
    builder.max_header_size(MAXIMUM_HEAD);
    let connection = pin!(builder.serve_connection(io, service).with_upgrades());
    watch(connection, |connection| connection.graceful_shutdown(), &activity, timeouts, shutdown).await;
}

async fn http2<S>(visit: Arc<Visit>, stream: S, timeouts: Timeouts, shutdown: Shutdown)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Arc::clone(&visit.activity);
    let io = TokioIo::new(Counted::new(stream, Arc::clone(&activity)));
    let service = service_fn(move |request: http::Request<Incoming>| {
        let visit = Arc::clone(&visit);
        async move { Ok::<_, Infallible>(pipeline::answer(&visit, request).await) }
    });
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(MAXIMUM_HEAD as u32)
        .max_concurrent_streams(MAXIMUM_STREAMS)
        .keep_alive_interval(timeouts.header)
        .keep_alive_timeout(timeouts.header);
    let connection = pin!(builder.serve_connection(io, service));
    watch(connection, |connection| connection.graceful_shutdown(), &activity, timeouts, shutdown).await;
}

/// Drives a connection, asks it to end when the server stops, and cuts it when it is silent for too long.
async fn watch<C, E>(
    mut connection: Pin<&mut C>,
    finish: impl Fn(Pin<&mut C>),
    activity: &Activity,
    timeouts: Timeouts,
    mut shutdown: Shutdown,
) where
    C: Future<Output = Result<(), E>>,
    E: std::fmt::Display,
{
    let tick = (timeouts.header / 2).max(Duration::from_millis(10));
    let mut clock = pin!(tokio::time::sleep(tick));
    let (mut cut, mut soon) = (shutdown.clone(), true);
    let mut now = pin!(async move { cut.now().await });
    let mut waiting = Waiting::default();
    let mut draining = pin!(async { shutdown.soon().await });
    loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection broke off");
                }
                return;
            }
            () = &mut draining, if soon => {
                soon = false;
                finish(connection.as_mut());
            }
            () = &mut now => return,
            () = &mut clock => {
                let next = clock.deadline() + tick;
                clock.as_mut().reset(next);
                let limit = if waiting.for_a_head(activity) { timeouts.header } else { timeouts.keep_alive };
                if waiting.look(activity, tick) >= limit {
                    return;
                }
            }
        }
    }
}
