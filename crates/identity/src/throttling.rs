//! Spending attempts: the rule is in `accounts::throttle`, the counting is one conditional write a bucket, before any password is hashed.

use accounts::throttle::{Bucket, OnSuccess, retry_after};

use crate::{Fault, Identity};

impl Identity {
    /// Takes one attempt from every bucket; the seconds to wait when one is empty.
    pub(crate) async fn take(&self, buckets: &[Bucket]) -> Result<Option<i64>, Fault> {
        let now = self.inner.clock.now();
        // One transaction: each commit of its own would cost a login about a third of a millisecond.
        let asked: Vec<(&str, u32, i64)> =
            buckets.iter().map(|bucket| (bucket.key.as_str(), bucket.limit, bucket.window)).collect();
        let taken = self.inner.store.take_throttles(&asked, now).await?;
        let Some((bucket, refused)) = buckets.iter().zip(&taken).find(|(_, taken)| !taken.allowed) else {
            return Ok(None);
        };
        tracing::info!(target: "security", event = "throttled", bucket = %bucket.key);
        Ok(Some(retry_after(bucket, refused.window_start, now)))
    }

    /// What success does to the buckets that were taken from.
    pub(crate) async fn succeeded(&self, buckets: &[Bucket]) -> Result<(), Fault> {
        let of = |wanted: OnSuccess| -> Vec<&str> {
            buckets
                .iter()
                .filter(|bucket| bucket.on_success == wanted)
                .map(|bucket| bucket.key.as_str())
                .collect()
        };
        let (clear, give_back) = (of(OnSuccess::Clear), of(OnSuccess::GiveBack));
        if !clear.is_empty() || !give_back.is_empty() {
            self.inner.store.settle_throttles(&clear, &give_back).await?;
        }
        Ok(())
    }
}

/// Whether a bucket protects one account's owner from mail, rather than the service from one address.
pub(crate) fn guards_account(bucket: &Bucket) -> bool {
    bucket.key.contains("-account:")
}
