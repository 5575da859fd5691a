//! Stopping: no new connection, requests under way end, and after the drain time what is left is cut.

use std::time::Duration;

use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Running,
    Draining,
    Stopped,
}

/// The side that stops.
#[derive(Debug)]
pub(crate) struct Stopper(watch::Sender<Phase>);

/// The side that is stopped. While one exists, the server waits for it.
#[derive(Debug, Clone)]
pub(crate) struct Shutdown(watch::Receiver<Phase>);

/// Both sides.
pub(crate) fn shutdown() -> (Stopper, Shutdown) {
    let (stopper, shutdown) = watch::channel(Phase::Running);
    (Stopper(stopper), Shutdown(shutdown))
}

impl Stopper {
    /// Asks everybody to end, waits for them at most `limit`, then cuts. True when all ended by themselves.
    pub(crate) async fn stop(self, limit: Duration) -> bool {
        self.0.send_replace(Phase::Draining);
        let all = tokio::time::timeout(limit, self.0.closed()).await.is_ok();
        self.0.send_replace(Phase::Stopped);
        all
    }
}

impl Shutdown {
    /// Completes when it is time to finish.
    pub(crate) async fn soon(&mut self) {
        self.reached(Phase::Draining).await;
    }

    /// Completes when there is no time left.
    pub(crate) async fn now(&mut self) {
        self.reached(Phase::Stopped).await;
    }

    async fn reached(&mut self, phase: Phase) {
        // A sender that is gone means the end as well.
        let _ = self.0.wait_for(|current| *current >= phase).await;
    }
}
