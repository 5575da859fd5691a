//! A small HTTP server whose answers a test writes, and that remembers what it was asked.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the server answers with.
pub type Answer = http::Response<Full<Bytes>>;
type Handler = dyn Fn(http::Request<Bytes>) -> Answer + Send + Sync;

/// One request that arrived, its body read to the end.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// Path and query as they came.
    pub target: String,
    /// Names in lower case and values, in the order of arrival.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Seen {
    /// The first header of that name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A server on a free loopback port, gone when dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    count: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

impl Server {
    /// A server that answers by `handler`.
    pub async fn start(handler: impl Fn(http::Request<Bytes>) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_at((std::net::Ipv4Addr::LOCALHOST, 0).into(), handler).await
    }

    /// A server on an address of one's own: where one stood before, say.
    pub async fn start_at(
        address: SocketAddr,
        handler: impl Fn(http::Request<Bytes>) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap_or_else(|error| panic!("{address}: {error}"));
        let address = listener.local_addr().expect("a bound listener has an address");
        let handler: Arc<Handler> = Arc::new(handler);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (sender, count) = watch::channel(0);
        let task = tokio::spawn(accept(listener, handler, seen.clone(), sender));
        Self { address, seen, count, task }
    }

    /// A server that answers 200 with what it was asked, as JSON: `method`, `target`, `headers` (name to the list of
    /// values), `body`; `/status/NNN` answers with that status.
    pub async fn echo() -> Self {
        Self::start(|request| {
            let mut headers = serde_json::Map::new();
            for name in request.headers().keys() {
                let values = request.headers().get_all(name).iter();
                let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
                headers.insert(name.to_string(), values.collect());
            }
            let status =
                request.uri().path().strip_prefix("/status/").and_then(|rest| rest.parse::<u16>().ok());
            let body = serde_json::json!({
                "method": request.method().as_str(),
                "target": request.uri().to_string(),
                "headers": headers,
                "body": String::from_utf8_lossy(request.body()),
            });
            answer(status.unwrap_or(200), "application/json", body.to_string())
        })
        .await
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT/`.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until that many requests have arrived.
    pub async fn until_seen(&self, count: usize) -> Vec<Seen> {
        let mut arrived = self.count.clone();
        let wait = arrived.wait_for(|arrived| *arrived >= count);
        let waited = tokio::time::timeout(crate::http::PATIENCE, wait).await;
        assert!(
            waited.is_ok_and(|inner| inner.is_ok()),
            "fewer than {count} requests came: {:?}",
            self.seen()
        );
        self.seen()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An answer in one line.
pub fn answer(status: u16, content_type: &str, body: impl Into<Bytes>) -> Answer {
    http::Response::builder()
        .status(status)
        .header("content-type", content_type)
        .body(Full::new(body.into()))
        .expect("status and content type are valid")
}

async fn accept(
    listener: TcpListener,
    handler: Arc<Handler>,
    seen: Arc<Mutex<Vec<Seen>>>,
    count: watch::Sender<usize>,
) {
    // Dropping the set ends the open connections with the server.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (handler, seen, count) = (handler.clone(), seen.clone(), count.clone());
        let service = service_fn(move |request: http::Request<Incoming>| {
            let (handler, seen, count) = (handler.clone(), seen.clone(), count.clone());
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
                let headers = head.headers.iter().map(|(name, value)| {
                    (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
                });
                let record = Seen {
                    method: head.method.to_string(),
                    target: head.uri.to_string(),
                    headers: headers.collect(),
                    body: body.clone(),
                };
                seen.lock().unwrap_or_else(PoisonError::into_inner).push(record);
                count.send_modify(|count| *count += 1);
                Ok::<_, Infallible>(handler(http::Request::from_parts(head, body)))
            }
        });
        connections.spawn(async move {
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
        while connections.try_join_next().is_some() {}
    }
}
