//! What a connection is doing, so that one that does nothing can be closed without a timer for each request.
//!
//! A clock of the connection ticks a few times per time limit and looks at the counters here: a connection that waits
//! for a head, and neither began a request nor took a byte of an answer since, is idle or drips its head byte by byte.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Counters of one connection.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    in_flight: AtomicU64,
    steps: AtomicU64,
    /// Bytes came since the last request: a head that is not whole yet.
    in_head: AtomicBool,
}

impl Activity {
    /// Marks a request as begun; it is under way until the mark is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> Busy {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.steps.fetch_add(1, Ordering::Relaxed);
        self.in_head.store(false, Ordering::Relaxed);
        Busy(Arc::clone(self))
    }

    /// What to compare with the last look: none while a request is under way.
    fn waiting_since(&self) -> Option<u64> {
        (self.in_flight.load(Ordering::Relaxed) == 0).then(|| self.steps.load(Ordering::Relaxed))
    }
}

/// How long a connection has been waiting, by looks at regular intervals.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    last: Option<u64>,
    so_far: Duration,
}

impl Waiting {
    /// Looks once more, `since` after the last time; how long nothing has happened.
    pub(crate) fn look(&mut self, activity: &Activity, since: Duration) -> Duration {
        let seen = activity.waiting_since();
        self.so_far = if seen.is_some() && seen == self.last { self.so_far + since } else { Duration::ZERO };
        self.last = seen;
        self.so_far
    }

    /// Whether a head is due: its first bytes came, or the connection has had no request yet.
    pub(crate) fn for_a_head(&self, activity: &Activity) -> bool {
        activity.in_head.load(Ordering::Relaxed) || activity.steps.load(Ordering::Relaxed) == 0
    }
}

/// A request under way.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Activity>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.steps.fetch_add(1, Ordering::Relaxed);
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A stream that counts what it sends. What it receives does not count: a head that drips is no progress.
#[derive(Debug)]
pub(crate) struct Counted<S> {
    stream: S,
    activity: Arc<Activity>,
}

impl<S> Counted<S> {
    pub(crate) fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self { stream, activity }
    }

    fn sent(&self, result: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(count)) = result
            && *count > 0
        {
            self.activity.steps.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before && self.activity.in_flight.load(Ordering::Relaxed) == 0 {
            self.activity.in_head.store(true, Ordering::Relaxed);
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.sent(&result);
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.sent(&result);
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_under_way_is_no_waiting() {
        let (activity, second) = (Arc::new(Activity::default()), Duration::from_secs(1));
        let mut waiting = Waiting::default();
        assert!(waiting.for_a_head(&activity), "a connection begins with a head");
        waiting.look(&activity, second);
        assert_eq!(waiting.look(&activity, second), second);
        assert_eq!(waiting.look(&activity, second), second * 2);
        let busy = activity.begin();
        assert_eq!(waiting.look(&activity, second), Duration::ZERO);
        assert_eq!(waiting.look(&activity, second), Duration::ZERO);
        assert!(!waiting.for_a_head(&activity));
        drop(busy);
        assert_eq!(waiting.look(&activity, second), Duration::ZERO, "something happened since");
        assert_eq!(waiting.look(&activity, second), second);
    }
}
