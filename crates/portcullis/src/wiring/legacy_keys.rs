//! Old static keys: looked up for the gateway, and their uses written down.

use super::serving::Shutdown;
use ::gateway::{KeyUse, LegacyKey, LegacyKeys, LegacyKeysUnavailable};
use ::store::{ApiKeyUse, Store};
use async_trait::async_trait;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::mpsc;

/// Uses of API keys that wait to be recorded; beyond, the count is a little low, and no request waits.
pub const KEY_USES: usize = 4096;
/// How often they are recorded.
const RECORD_EVERY: Duration = Duration::from_millis(500);

/// Legacy keys as the store has them, read where the store's connections live: the gateway's cores end before them.
pub struct KeysInStore {
    /// The store.
    pub store: Store,
    /// The runtime that holds its connections.
    pub runtime: tokio::runtime::Handle,
}

#[async_trait]
impl LegacyKeys for KeysInStore {
    async fn find(&self, digest: [u8; 32]) -> Result<Option<LegacyKey>, LegacyKeysUnavailable> {
        let store = self.store.clone();
        let found = self.runtime.spawn(async move { good_key(&store, &digest).await });
        match found.await {
            Ok(found) => found.map_err(|fault| LegacyKeysUnavailable(fault.to_string())),
            Err(_) => Err(LegacyKeysUnavailable("the look-up ended without an answer".to_owned())),
        }
    }
}

/// A key that is not revoked, of an application that is not disabled.
async fn good_key(store: &Store, digest: &[u8; 32]) -> Result<Option<LegacyKey>, ::store::Fault> {
    let Some(key) = store.api_key_by_digest(digest).await?.filter(|key| key.revoked_at.is_none()) else {
        return Ok(None);
    };
    if let Some(client) = &key.client_id
        && store.client(client).await?.is_none_or(|(client, _)| client.disabled)
    {
        return Ok(None);
    }
    Ok(Some(LegacyKey {
        id: key.id,
        client: key.client_id,
        scopes: ::policy::ScopeSet::granted(&key.scopes.join(" ")),
        expires_at: key.expires_at,
    }))
}

/// Writes down when keys were last used, many uses in one statement.
pub async fn record_uses(store: Store, mut used: mpsc::Receiver<KeyUse>, shutdown: Shutdown) {
    let end = shutdown.begun();
    tokio::pin!(end);
    let mut batch = Vec::new();
    loop {
        let ended = tokio::select! {
            count = used.recv_many(&mut batch, KEY_USES) => count == 0,
            () = &mut end => true,
        };
        while let Ok(more) = used.try_recv() {
            batch.push(more);
        }
        let mut uses: HashMap<String, (i64, i64)> = HashMap::new();
        for KeyUse { id, at } in batch.drain(..) {
            let (latest, count) = uses.entry(id).or_insert((at, 0));
            *latest = at.max(*latest);
            *count += 1;
        }
        let uses: Vec<ApiKeyUse> = uses
            .into_iter()
            .map(|(id, (last_used_at, count))| ApiKeyUse { id, last_used_at, count })
            .collect();
        if !uses.is_empty()
            && let Err(fault) = store.record_api_key_uses(&uses).await
        {
            tracing::warn!(%fault, "uses of API keys are not recorded");
        }
        if ended {
            return;
        }
        tokio::time::sleep(RECORD_EVERY).await;
    }
}
