//! A backend that answers with what it got, and does odd things under some paths.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A running backend.
pub struct Backend {
    pub address: SocketAddr,
    /// Every request that arrived: method and target.
    pub seen: Arc<Mutex<Vec<String>>>,
    /// `/drip` sends its next piece for each permit.
    pub drips: Arc<Semaphore>,
    /// Pieces of request bodies as they arrive at `/drip`.
    pub pieces: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Bytes>>>,
}

#[derive(Clone)]
struct Inner {
    seen: Arc<Mutex<Vec<String>>>,
    drips: Arc<Semaphore>,
    pieces: mpsc::UnboundedSender<Bytes>,
}

impl Backend {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (pieces, received) = mpsc::unbounded_channel();
        let inner = Inner { seen: Arc::default(), drips: Arc::new(Semaphore::new(0)), pieces };
        let backend = Self {
            address,
            seen: Arc::clone(&inner.seen),
            drips: Arc::clone(&inner.drips),
            pieces: Arc::new(tokio::sync::Mutex::new(received)),
        };
        tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let inner = inner.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let inner = inner.clone();
                        async move { Ok::<_, Infallible>(inner.answer(request).await) }
                    });
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .with_upgrades()
                        .await;
                });
            }
        });
        backend
    }

    /// How many requests arrived.
    pub fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// A backend of raw bytes: whatever connects gets `answer` once its head has arrived.
    pub async fn raw(answer: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (_, received) = mpsc::unbounded_channel();
        let backend = Self {
            address,
            seen: Arc::default(),
            drips: Arc::new(Semaphore::new(0)),
            pieces: Arc::new(tokio::sync::Mutex::new(received)),
        };
        let seen = Arc::clone(&backend.seen);
        tokio::spawn(async move {
            loop {
                let Ok((mut stream, _)) = listener.accept().await else { continue };
                let seen = Arc::clone(&seen);
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    let mut bytes = [0; 4096];
                    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
                        let count = stream.read(&mut bytes).await.unwrap_or(0);
                        if count == 0 {
                            return;
                        }
                        head.extend_from_slice(&bytes[..count]);
                    }
                    seen.lock().unwrap().push(String::from_utf8_lossy(&head).into_owned());
                    if answer.is_empty() {
                        // Says nothing for as long as anybody listens.
                        let _ = stream.read(&mut bytes).await;
                        return;
                    }
                    let _ = stream.write_all(answer).await;
                });
            }
        });
        backend
    }
}

fn whole(text: String) -> Body {
    http_body_util::Full::new(Bytes::from(text)).boxed_unsync()
}

fn headers_as_json(headers: &HeaderMap) -> Value {
    let mut map = serde_json::Map::new();
    for name in headers.keys() {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|v| String::from_utf8_lossy(v.as_bytes())).collect();
        map.insert(name.to_string(), json!(values));
    }
    map.into()
}

impl Inner {
    async fn answer(&self, mut request: Request<Incoming>) -> Response<Body> {
        let target = request.uri().to_string();
        self.seen.lock().unwrap().push(format!("{} {target}", request.method()));
        match request.uri().path() {
            "/socket" => return Self::socket(&mut request),
            "/drip" => return self.drip(request),
            _ => {}
        }
        let (head, body) = request.into_parts();
        let collected = match body.collect().await {
            Ok(collected) => collected,
            Err(_) => return Response::builder().status(400).body(whole("broken".into())).unwrap(),
        };
        let trailers = collected.trailers().map(headers_as_json);
        let body = collected.to_bytes();
        let told = json!({
            "method": head.method.as_str(),
            "target": target,
            "headers": headers_as_json(&head.headers),
            "body": String::from_utf8_lossy(&body),
            "trailers": trailers,
        });
        let mut answer = Response::new(whole(told.to_string()));
        let headers = answer.headers_mut();
        for (name, value) in [
            ("access-control-allow-origin", "*"),
            ("access-control-allow-credentials", "true"),
            ("x-request-id", "the backend's"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("x-backend", "yes"),
            ("vary", "Accept"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        answer
    }

    /// Sends a piece for each permit, so that a test can see that the one before arrived.
    fn drip(&self, request: Request<Incoming>) -> Response<Body> {
        let (sender, receiver) = mpsc::unbounded_channel::<Bytes>();
        let (drips, pieces) = (Arc::clone(&self.drips), self.pieces.clone());
        tokio::spawn(async move {
            let mut body = request.into_body();
            while let Some(Ok(frame)) = body.frame().await {
                if let Ok(data) = frame.into_data() {
                    let _ = pieces.send(data);
                }
            }
        });
        tokio::spawn(async move {
            for n in 0..3 {
                drips.acquire().await.unwrap().forget();
                let _ = sender.send(Bytes::from(format!("piece {n}")));
            }
        });
        let stream = futures_util::stream::unfold(receiver, |mut receiver| async {
            receiver.recv().await.map(|piece| (piece, receiver))
        });
        let frames = stream.map(|piece| Ok::<_, Infallible>(Frame::data(piece)));
        Response::new(StreamBody::new(frames).boxed_unsync())
    }

    /// Agrees to whatever is asked for and echoes.
    fn socket(request: &mut Request<Incoming>) -> Response<Body> {
        let Some(protocol) = request.headers().get("upgrade").cloned() else {
            return Response::new(whole(headers_as_json(request.headers()).to_string()));
        };
        let upgrade = hyper::upgrade::on(request);
        tokio::spawn(async move {
            let Ok(upgraded) = upgrade.await else { return };
            let mut stream = TokioIo::new(upgraded);
            let mut bytes = [0; 1024];
            while let Ok(count) = stream.read(&mut bytes).await {
                if count == 0 || stream.write_all(&bytes[..count]).await.is_err() {
                    break;
                }
            }
        });
        let mut answer = Response::new(whole(String::new()));
        *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        answer.headers_mut().insert("upgrade", protocol);
        answer.headers_mut().insert("connection", "upgrade".parse().unwrap());
        answer.headers_mut().insert("sec-websocket-accept", "abc".parse().unwrap());
        answer
    }
}
