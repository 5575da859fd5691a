//! What a request is judged by: made whole from a configuration, swapped at a reload, never half-changed.

use std::collections::HashSet;
use std::sync::Arc;

use crate::api_key::ApiKeys;
use crate::config::{Config, ConfigError};
use crate::fetch;
use crate::forward::Upstream;
use crate::key_source::OwnKeys;
use crate::metrics::Metrics;
use crate::remembered::Remembered;
use crate::token::Issuer;

/// One configuration in force.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) config: Config,
    pub(crate) upstream: Upstream,
    pub(crate) issuers: Vec<Issuer>,
    pub(crate) remembered: Remembered,
    pub(crate) api_keys: Option<ApiKeys>,
}

impl Snapshot {
    /// Makes one of `config`. Fetched keys of issuers that `previous` has unchanged are kept; tokens are remembered
    /// anew.
    pub(crate) fn new(
        config: Config,
        own: &Arc<OwnKeys>,
        metrics: &Arc<Metrics>,
        previous: Option<&Self>,
    ) -> Result<Self, ConfigError> {
        let mut names = HashSet::new();
        let mut issuers = Vec::with_capacity(config.issuers.len());
        for issuer in &config.issuers {
            if !names.insert(issuer.url.as_str()) {
                return Err(ConfigError::DuplicateIssuer(issuer.url.clone()));
            }
            fetch::check(issuer)?;
            let kept =
                previous.and_then(|snapshot| snapshot.issuers.iter().find(|held| held.config == *issuer));
            issuers.push(kept.cloned().unwrap_or_else(|| Issuer::new(issuer.clone(), own, metrics)));
        }
        Ok(Self {
            upstream: Upstream::new(&config.upstream)?,
            issuers,
            remembered: Remembered::new(config.remembered_tokens),
            api_keys: config.api_keys.as_ref().map(ApiKeys::new).transpose()?,
            config,
        })
    }
}
