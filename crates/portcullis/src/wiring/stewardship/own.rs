//! This process among the nodes that share a store on PostgreSQL: it goes over to the store's new password.

use crate::clock;
use crate::wiring::databases::STORE;
use crate::wiring::serving::Shutdown;
use ::steward::Steward;
use ::store::{Engine, Store};
use std::time::Duration;

/// Between two looks of a node at the journal of its own store, each a sign of life.
const LOOK: Duration = Duration::from_secs(1);

/// This process, and the password of the store that it runs on.
pub struct Own {
    steward: Steward,
    store: Store,
    /// Its name among the nodes, for whom a rotation waits; none: a command, which comes and goes.
    node: Option<String>,
}

impl Own {
    /// A server's. None where the store is no PostgreSQL.
    pub fn of(store: &Store, steward: &Steward) -> Option<Self> {
        Self::of_a_command(store, steward).map(|own| Own { node: Some(node_name()), ..own })
    }

    /// A command's: what it leaves behind when it ends, or is killed, must hold up no rotation.
    pub fn of_a_command(store: &Store, steward: &Steward) -> Option<Self> {
        (*store.engine() == Engine::Postgres).then(|| Own {
            steward: steward.clone(),
            store: store.clone(),
            node: None,
        })
    }

    /// Goes over to a new password as soon as the journal has one, first into the file, so that a restart finds it, then
    /// into the pool; a node also says which one it uses, since the old one ends only when every node has gone over.
    pub async fn follow(self, shutdown: Shutdown) {
        let end = shutdown.begun();
        tokio::pin!(end);
        let mut used = None;
        loop {
            let outcome = match &self.node {
                Some(node) => self.steward.take_up(node, STORE).await,
                None => self.steward.go_over(STORE).await,
            };
            match outcome {
                Ok(generation) => {
                    if let Some(generation) = generation.filter(|_| generation != used) {
                        tracing::info!(generation, "this node uses the store's password of this generation");
                    }
                    used = generation;
                }
                Err(fault) => tracing::error!(
                    %fault,
                    "this node could not go over to the store's new password, or say that it has; it tries again"
                ),
            }
            tokio::select! {
                () = &mut end => break,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        // As old as a sign of life can be: nobody waits for a node that has left. One that was killed is waited for until
        // its last one is too old.
        if let Some(node) = &self.node
            && let Err(fault) = self.store.record_node(STORE, node, used.unwrap_or(0), 0).await
        {
            tracing::debug!(%fault, "this node left without a word");
        }
    }
}

/// A name of this process among the nodes: the machine's, and what tells two processes on it apart.
fn node_name() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let random: [u8; 4] = clock::fresh().unwrap_or_else(|_| std::process::id().to_be_bytes());
    format!("{host}-{:08x}", u32::from_be_bytes(random))
}
