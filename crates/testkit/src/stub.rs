//! What stands under the stubs of platforms' APIs: a server that answers, hangs up in the middle, or never answers.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::server::Answer;

/// What a stub does with a request.
#[derive(Debug)]
pub(crate) enum Reply {
    /// It answers.
    Answer(Answer),
    /// It closes the connection without a word.
    HangUp,
    /// It says nothing and keeps the connection.
    Silence,
}

type Handler = dyn Fn(http::Request<Bytes>) -> Reply + Send + Sync;

/// A listener on a free loopback port, gone when dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Listener {
    pub(crate) async fn start(
        tls: Option<TlsAcceptor>,
        handler: impl Fn(http::Request<Bytes>) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await.expect("a loopback port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let task = tokio::spawn(accept(listener, tls, Arc::new(handler)));
        Self { address, task }
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, handler: Arc<Handler>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, handler) = (tls.clone(), handler.clone());
        connections.spawn(async move {
            match tls {
                None => serve(stream, handler).await,
                // Who does not trust the certificate goes away here.
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, handler).await;
                    }
                }
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send, handler: Arc<Handler>) {
    let service = service_fn(move |request: http::Request<Incoming>| {
        let handler = handler.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            match handler(http::Request::from_parts(head, body)) {
                Reply::Answer(answer) => Ok(answer),
                Reply::HangUp => Err("hung up"),
                Reply::Silence => std::future::pending::<Result<http::Response<Full<Bytes>>, _>>().await,
            }
        }
    });
    // An error of the service closes the connection without an answer.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
