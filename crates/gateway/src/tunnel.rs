//! WebSockets: after both sides agreed, bytes go both ways until one side ends or the server stops.

use std::sync::Arc;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

use crate::metrics::{Metrics, Open};
use crate::shutdown::Shutdown;

/// The two connections that become one.
#[derive(Debug)]
pub(crate) struct Ends {
    pub(crate) client: OnUpgrade,
    pub(crate) backend: OnUpgrade,
}

/// Joins the two, in the background. `shutdown` keeps the server waiting while it drains.
pub(crate) fn join(ends: Ends, metrics: Arc<Metrics>, mut shutdown: Shutdown) {
    tokio::spawn(async move {
        let _open = Open::new(&metrics.tunnels);
        let carry = async {
            let (client, backend) = tokio::try_join!(ends.client, ends.backend)?;
            let (mut client, mut backend) = (TokioIo::new(client), TokioIo::new(backend));
            copy_bidirectional(&mut client, &mut backend).await?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        };
        tokio::select! {
            result = carry => {
                if let Err(error) = result {
                    tracing::debug!(%error, "a tunnel broke off");
                }
            }
            () = shutdown.now() => {}
        }
    });
}
