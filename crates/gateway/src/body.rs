//! Bodies on their way through: never gathered, only watched. Each stops when it stands still for too long.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Sleep, sleep};

use crate::activity::Busy;
use crate::headers;

/// Why a body broke off.
pub type BodyError = Box<dyn Error + Send + Sync>;

/// The body of an answer made in this process by another room.
pub type SessionBody = UnsyncBoxBody<Bytes, BodyError>;

/// A time limit that costs nothing until there is something to wait for.
#[derive(Debug)]
struct Patience {
    limit: Duration,
    running: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    fn new(limit: Duration) -> Self {
        Self { limit, running: None }
    }

    fn progress(&mut self) {
        self.running = None;
    }

    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let limit = self.limit;
        self.running.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(cx).is_ready()
    }
}

/// What became of the client's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum UploadEnd {
    Running = 0,
    Complete = 1,
    TooLarge = 2,
    Stalled = 3,
    Broken = 4,
}

/// Tells the waiting request how its body is getting on.
#[derive(Debug, Default)]
pub(crate) struct Upload {
    end: AtomicU8,
    frames: AtomicU64,
}

impl Upload {
    pub(crate) fn end(&self) -> UploadEnd {
        match self.end.load(Ordering::Acquire) {
            0 => UploadEnd::Running,
            1 => UploadEnd::Complete,
            2 => UploadEnd::TooLarge,
            3 => UploadEnd::Stalled,
            _ => UploadEnd::Broken,
        }
    }

    /// How many pieces went through: a deadline that sees this change starts anew.
    pub(crate) fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    fn ended(&self, end: UploadEnd) {
        self.end.store(end as u8, Ordering::Release);
    }
}

/// The client's body on its way to the backend.
#[derive(Debug)]
pub(crate) enum RequestBody {
    Empty,
    Streamed(Box<Streamed>),
}

#[derive(Debug)]
pub(crate) struct Streamed {
    incoming: Incoming,
    /// How many bytes may still come.
    left: Option<u64>,
    patience: Patience,
    upload: Arc<Upload>,
}

impl RequestBody {
    /// Watches `incoming`: at most `limit` bytes, and never still for longer than `idle`.
    pub(crate) fn new(incoming: Incoming, limit: Option<u64>, idle: Duration) -> (Self, Option<Arc<Upload>>) {
        if incoming.is_end_stream() {
            return (Self::Empty, None);
        }
        let upload = Arc::new(Upload::default());
        let streamed =
            Streamed { incoming, left: limit, patience: Patience::new(idle), upload: Arc::clone(&upload) };
        (Self::Streamed(Box::new(streamed)), Some(upload))
    }
}

impl Streamed {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Pending if self.patience.is_over(cx) => {
                self.stop(UploadEnd::Stalled, "the request body stands still")
            }
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => {
                self.upload.ended(UploadEnd::Complete);
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                self.upload.ended(UploadEnd::Broken);
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(Some(Ok(mut frame))) => {
                self.patience.progress();
                self.upload.frames.fetch_add(1, Ordering::Relaxed);
                if let Some(data) = frame.data_ref()
                    && let Some(left) = &mut self.left
                {
                    match left.checked_sub(data.remaining() as u64) {
                        Some(rest) => *left = rest,
                        None => {
                            return self.stop(UploadEnd::TooLarge, "the request body is larger than allowed");
                        }
                    }
                }
                if let Some(trailers) = frame.trailers_mut() {
                    headers::clean_trailers(trailers);
                }
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn stop(&self, end: UploadEnd, why: &'static str) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.upload.ended(end);
        Poll::Ready(Some(Err(why.into())))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Streamed(streamed) => streamed.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Streamed(streamed) => streamed.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Streamed(streamed) => streamed.incoming.size_hint(),
        }
    }
}

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum AnswerBody {
    /// One of our own.
    Full(Option<Bytes>),
    /// The backend's.
    Proxied(Proxied),
    /// Another room's of this process.
    Session(SessionBody),
}

#[derive(Debug)]
pub(crate) struct Proxied {
    incoming: Incoming,
    patience: Patience,
    /// The connection is at work until the last byte has gone.
    busy: Option<Busy>,
}

impl AnswerBody {
    pub(crate) fn empty() -> Self {
        Self::Full(None)
    }

    pub(crate) fn full(bytes: Bytes) -> Self {
        Self::Full(Some(bytes))
    }

    pub(crate) fn proxied(incoming: Incoming, idle: Duration) -> Self {
        if incoming.is_end_stream() {
            return Self::empty();
        }
        Self::Proxied(Proxied { incoming, patience: Patience::new(idle), busy: None })
    }

    /// Hands over the mark that the connection is at work.
    pub(crate) fn keep_busy(&mut self, busy: Busy) {
        if let Self::Proxied(proxied) = self {
            proxied.busy = Some(busy);
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Session(body) => Pin::new(body).poll_frame(cx),
            Self::Proxied(proxied) => match Pin::new(&mut proxied.incoming).poll_frame(cx) {
                Poll::Ready(Some(frame)) => {
                    proxied.patience.progress();
                    Poll::Ready(Some(frame.map_err(Into::into)))
                }
                Poll::Ready(None) => Poll::Ready(None),
                // Breaking off is the only honest end: the client sees that the body is not whole.
                Poll::Pending if proxied.patience.is_over(cx) => {
                    Poll::Ready(Some(Err("the backend's body stands still".into())))
                }
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(bytes) => bytes.is_none(),
            Self::Proxied(proxied) => proxied.incoming.is_end_stream(),
            Self::Session(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Proxied(proxied) => proxied.incoming.size_hint(),
            Self::Session(body) => body.size_hint(),
        }
    }
}
