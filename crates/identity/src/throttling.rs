//! Spending attempts: the rule is in `accounts::throttle`, the counting is one conditional write a bucket, before any password is hashed.

use accounts::throttle::{Bucket, OnSuccess, retry_after};

use crate::{Fault, Identity};

impl Identity {
    /// Takes one attempt from every bucket; the seconds to wait when one is empty.
    pub(crate) async fn take(&self, buckets: &[Bucket]) -> Result<Option<i64>, Fault> {
        let now = self.inner.clock.now();
        for bucket in buckets {
            let taken = self.inner.store.take_throttle(&bucket.key, bucket.limit, bucket.window, now).await?;
            if !taken.allowed {
                tracing::info!(target: "security", event = "throttled", bucket = %bucket.key);
                return Ok(Some(retry_after(bucket, taken.window_start, now)));
            }
        }
        Ok(None)
    }

    /// What success does to the buckets that were taken from.
    pub(crate) async fn succeeded(&self, buckets: &[Bucket]) -> Result<(), Fault> {
        for bucket in buckets {
            match bucket.on_success {
                OnSuccess::Clear => self.inner.store.clear_throttle(&bucket.key).await?,
                OnSuccess::GiveBack => self.inner.store.give_back_throttle(&bucket.key).await?,
                OnSuccess::Keep => {}
            }
        }
        Ok(())
    }
}

/// Whether a bucket protects one account's owner from mail, rather than the service from one address.
pub(crate) fn guards_account(bucket: &Bucket) -> bool {
    bucket.key.contains("-account:")
}
