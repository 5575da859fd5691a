//! From a compact token to a caller: remembered, or verified, judged and remembered.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use aws_lc_rs::digest;
use jose::{Expectations, VerifyError};
use policy::Denial;

use crate::caller::Known;
use crate::config::{IssuerConfig, Jwks};
use crate::key_source::{Foreign, KeySource, OwnKeys};
use crate::metrics::Metrics;
use crate::refusal::Refusal;
use crate::remembered::{Digest, Memory, Remembered};
use crate::revocations::Revocations;

/// An issuer whose tokens are accepted, with its keys.
#[derive(Debug, Clone)]
pub(crate) struct Issuer {
    pub(crate) config: IssuerConfig,
    pub(crate) keys: KeySource,
}

impl Issuer {
    pub(crate) fn new(config: IssuerConfig, own: &Arc<OwnKeys>, metrics: &Arc<Metrics>) -> Self {
        let keys = match config.jwks {
            Jwks::Own => KeySource::Own(Arc::clone(own)),
            _ => KeySource::Foreign(Arc::new(Foreign::new(config.clone(), Arc::clone(metrics)))),
        };
        Self { config, keys }
    }
}

/// All that a token is held against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verifier<'a> {
    pub(crate) issuers: &'a [Issuer],
    pub(crate) remembered: &'a Remembered,
    pub(crate) revocations: &'a Revocations,
    pub(crate) metrics: &'a Metrics,
}

impl Verifier<'_> {
    /// The caller behind a token at `now`.
    ///
    /// # Errors
    /// 401 when the token is bad in whatever way, 503 when its issuer's keys cannot be had.
    pub(crate) async fn caller(&self, token: &str, now: i64) -> Result<Arc<Known>, Refusal> {
        if self.remembered.is_off() {
            return self.verified(token, now).await.map(|(known, _)| known);
        }
        let digest = digest_of(token);
        if let Some(known) = self.recalled(&digest, now)? {
            self.metrics.remembered_hits.fetch_add(1, Ordering::Relaxed);
            return Ok(known);
        }
        self.metrics.remembered_misses.fetch_add(1, Ordering::Relaxed);
        let revocations = self.revocations.generation();
        let (known, keys) = self.verified(token, now).await?;
        self.remembered.keep(digest, Memory { known: Arc::clone(&known), keys, revocations });
        Ok(known)
    }

    fn recalled(&self, digest: &Digest, now: i64) -> Result<Option<Arc<Known>>, Refusal> {
        let Some(memory) = self.remembered.recall(digest, now) else { return Ok(None) };
        let holds = self
            .issuers
            .get(memory.known.issuer)
            .is_some_and(|issuer| issuer.keys.still_holds(memory.keys, now));
        if !holds {
            self.remembered.forget(digest);
            return Ok(None);
        }
        let generation = self.revocations.generation();
        if memory.revocations != generation {
            if self.revocations.concern(&memory.known.revocable()) {
                self.remembered.forget(digest);
                return Err(revoked());
            }
            self.remembered.reconfirm(digest, generation);
        }
        Ok(Some(memory.known))
    }

    async fn verified(&self, token: &str, now: i64) -> Result<(Arc<Known>, u64), Refusal> {
        let (index, issuer) = self.issuer_of(token)?;
        let (keys, mut generation) = issuer.keys.current(now).await.ok_or(Refusal::NoKeys)?;
        let token = match jose::verify_claims(token, &keys) {
            Err(VerifyError::UnknownKey { kid: Some(_) }) => {
                let newer = issuer.keys.for_unknown_key(generation, now).await;
                let (keys, newer) = newer.ok_or_else(|| invalid("no key of that name is known"))?;
                generation = newer;
                jose::verify_claims(token, &keys)
            }
            other => other,
        }
        .map_err(|error| invalid(&error.to_string()))?;
        let expected = Expectations {
            issuer: &issuer.config.url,
            audience: &issuer.config.audience,
            typ: issuer.config.profile.typ(),
            maximum_lifetime: issuer.config.maximum_token_lifetime,
            now,
        };
        jose::judge(&token.claims, &token.header, &expected).map_err(|error| invalid(&error.to_string()))?;
        let known = Known::from_token(&token, index).map_err(invalid)?;
        if self.revocations.concern(&known.revocable()) {
            return Err(revoked());
        }
        Ok((Arc::new(known), generation))
    }

    /// Whose keys to try. With several issuers the token's own word is taken for that alone: `iss` is judged again once
    /// the signature is proven.
    fn issuer_of(&self, token: &str) -> Result<(usize, &Issuer), Refusal> {
        if let [only] = self.issuers {
            return Ok((0, only));
        }
        let compact = jose::Compact::parse(token).map_err(|error| invalid(&error.to_string()))?;
        let claims = jose::Claims::parse(compact.payload()).map_err(|error| invalid(&error.to_string()))?;
        self.issuers
            .iter()
            .enumerate()
            .find(|(_, issuer)| claims.iss.as_deref() == Some(issuer.config.url.as_str()))
            .ok_or_else(|| invalid("the token is of an issuer that is not accepted"))
    }
}

fn digest_of(token: &str) -> Digest {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    bytes
}

fn invalid(reason: &str) -> Refusal {
    Refusal::Denied(Denial::InvalidToken { reason: reason.to_owned() })
}

fn revoked() -> Refusal {
    invalid("it was revoked")
}
