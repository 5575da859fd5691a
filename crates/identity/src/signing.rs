//! The keys that sign our tokens: made here (RSA, 3072 bits), kept in the store with the private half sealed under the
//! key-encryption key, published before they sign.
//!
//! A key has three dates: `created_at`, from which the key set shows it; `signs_from`, from which it signs; `retires_at`,
//! when the last token that it signed is dead and it leaves the set. Rotation is therefore one insert: the next key takes over by
//! itself when everybody who caches the key set must have seen it.

use std::sync::Arc;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use bytes::Bytes;
use jose::{Algorithm, KeySet, PrivateKey};
use store::Seal;

use crate::{Fault, Fresh, Identity};

/// Seconds that a new key is published before it signs. The key set may be cached for [`crate::jwks::MAXIMUM_AGE`] by rule and ten
/// minutes by habit of the SDKs.
pub const PUBLISHED_BEFORE: i64 = 15 * 60;
/// What is added to the longest life of a token before its key leaves the set: clocks differ.
const MARGIN: i64 = 120;
/// The text under the check record.
const CHECK: &[u8] = b"key-encryption key";
/// Its name as associated data.
const CHECK_NAME: &str = "seal-check";

struct Held {
    key: PrivateKey,
    signs_from: i64,
    retires_at: Option<i64>,
}

/// What the key set shows until the given moment.
pub(crate) struct Published {
    until: i64,
    pub(crate) set: KeySet,
    pub(crate) json: Bytes,
}

/// The keys as they were read from the store.
pub(crate) struct Keys {
    held: Vec<Held>,
    published: arc_swap::ArcSwap<Published>,
}

impl Keys {
    fn new(held: Vec<Held>, now: i64) -> Result<Self, Fault> {
        let published = arc_swap::ArcSwap::from_pointee(publish(&held, now)?);
        Ok(Self { held, published })
    }

    /// The key that signs now: of those in force the one that began last. Where the last of them was revoked while its
    /// successor waits, the successor begins early: caches that do not know it yet ask again, and nobody's login fails.
    pub(crate) fn signing(&self, now: i64) -> Result<&PrivateKey, Fault> {
        let living = || self.held.iter().filter(|held| held.retires_at.is_none_or(|end| now < end));
        let in_force = living()
            .filter(|held| held.signs_from <= now)
            .max_by_key(|held| (held.signs_from, held.key.kid()));
        in_force
            .or_else(|| living().min_by_key(|held| (held.signs_from, held.key.kid())))
            .map(|held| &held.key)
            .ok_or(Fault::NoSigningKey)
    }

    /// The key set as it is now.
    pub(crate) fn published(&self, now: i64) -> Arc<Published> {
        let current = self.published.load_full();
        if now < current.until {
            return current;
        }
        // A key has left since: the set is made again without it. Held keys made a set before, so this cannot fail.
        if let Ok(next) = publish(&self.held, now) {
            self.published.store(Arc::new(next));
        }
        self.published.load_full()
    }
}

fn publish(held: &[Held], now: i64) -> Result<Published, Fault> {
    let shown = held.iter().filter(|held| held.retires_at.is_none_or(|end| now < end));
    let until = shown.clone().filter_map(|held| held.retires_at).min().unwrap_or(i64::MAX);
    let set = KeySet::new(shown.map(|held| held.key.public()).collect())
        .map_err(|error| Fault::SigningKey(error.to_string()))?;
    let json = Bytes::from(set.to_json().to_string());
    Ok(Published { until, set, json })
}

/// Makes sure that the key-encryption key is the one of this store, before anything is sealed or opened with it.
pub(crate) async fn check_key_encryption_key(
    store: &store::Store,
    seal: &Seal,
    fresh: &Fresh,
) -> Result<(), Fault> {
    let record = match store.seal_check().await? {
        Some(record) => record,
        None => store.set_seal_check(&seal.close(CHECK_NAME, CHECK, fresh.bytes()?)?).await?,
    };
    match seal.open("check record", CHECK_NAME, &record) {
        Ok(text) if text[..] == *CHECK => Ok(()),
        _ => Err(Fault::KeyEncryptionKeyDoesNotFit),
    }
}

/// Reads the keys; makes one where none is there that stays: a key with an end cannot be the last.
pub(crate) async fn load(
    store: &store::Store,
    seal: &Seal,
    fresh: &Fresh,
    access_token_lifetime: i64,
    now: i64,
) -> Result<Keys, Fault> {
    let mut rows = store.signing_keys().await?;
    if !rows.iter().any(stays) {
        let signs_from = succession(&rows, longest_token_life(store, access_token_lifetime).await?, now);
        // Nodes that start together agree on the first one's.
        store.insert_first_signing_key(&make(seal, fresh, now, signs_from).await?).await?;
        rows = store.signing_keys().await?;
    }
    let mut held = Vec::with_capacity(rows.len());
    for row in rows {
        if row.retires_at.is_some_and(|end| end <= now) {
            continue;
        }
        let algorithm = Algorithm::parse(&row.algorithm)
            .ok_or_else(|| Fault::SigningKey(format!("{} has an algorithm that is not known", row.kid)))?;
        let pkcs8 = seal.open("signing key", &row_name(&row.kid), &row.private_sealed)?;
        let key = PrivateKey::from_pkcs8(algorithm, row.kid.as_str(), &pkcs8)
            .map_err(|error| Fault::SigningKey(format!("{}: {error}", row.kid)))?;
        held.push(Held { key, signs_from: row.signs_from, retires_at: row.retires_at });
    }
    Keys::new(held, now)
}

/// Whether the key signs, or will, with no end in sight.
const fn stays(row: &store::SigningKey) -> bool {
    row.retires_at.is_none()
}

/// When a key must begin to sign that is made now beside keys which all end: in time for their last tokens to die before
/// they leave the set, after [`PUBLISHED_BEFORE`] where there is so much time, and at once where none of them signs.
fn succession(ending: &[store::SigningKey], longest_token_life: i64, now: i64) -> i64 {
    ending
        .iter()
        .filter(|row| row.signs_from <= now)
        .filter_map(|row| row.retires_at)
        .max()
        .map_or(now, |end| (end - longest_token_life - MARGIN).clamp(now, now + PUBLISHED_BEFORE))
}

/// The longest that a token of ours may live, in seconds: the configured lifetime, or an API's own.
async fn longest_token_life(store: &store::Store, access_token_lifetime: i64) -> Result<i64, Fault> {
    let apis = store.apis().await?;
    Ok(apis.iter().filter_map(|api| api.token_lifetime).fold(access_token_lifetime, i64::max))
}

fn row_name(kid: &str) -> String {
    format!("signing-key:{kid}")
}

/// A new RSA key of 3072 bits (ASVS 5 section 11.2.3: 128 bits of strength), named by its thumbprint (RFC 7638).
async fn make(seal: &Seal, fresh: &Fresh, now: i64, signs_from: i64) -> Result<store::SigningKey, Fault> {
    let failed = |what: &str| Fault::SigningKey(what.to_owned());
    // Half a second of arithmetic has no place among the tasks that answer.
    let pkcs8 = tokio::task::spawn_blocking(|| {
        let pair = KeyPair::generate(KeySize::Rsa3072).ok()?;
        let der = pair.as_der().ok()?;
        Some(zeroize::Zeroizing::new(der.as_ref().to_vec()))
    })
    .await
    .ok()
    .flatten()
    .ok_or_else(|| failed("cannot be made"))?;
    let key = PrivateKey::from_pkcs8_named_by_thumbprint(Algorithm::Rs256, &pkcs8)
        .map_err(|error| failed(&error.to_string()))?;
    let kid = key.kid().to_owned();
    let private_sealed = seal.close(&row_name(&kid), &pkcs8, fresh.bytes()?)?;
    Ok(store::SigningKey {
        algorithm: key.algorithm().as_str().to_owned(),
        public_jwk: key.public().to_jwk().to_string(),
        private_sealed,
        created_at: now,
        signs_from,
        retires_at: None,
        kid,
    })
}

/// What a rotation has set in motion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningRotation {
    /// The next key.
    pub kid: String,
    /// When it begins to sign, Unix seconds.
    pub signs_from: i64,
    /// Keys that end, and when each leaves the key set, Unix seconds.
    pub retiring: Vec<(String, i64)>,
}

impl Identity {
    /// Makes the next signing key. It is published at once, signs after [`PUBLISHED_BEFORE`], and the keys before it leave
    /// the set when their last token is dead. While a next key waits already, its dates are answered and nothing changes.
    ///
    /// # Errors
    /// The store's, or when no key can be made.
    pub async fn rotate_signing_key(&self) -> Result<SigningRotation, Fault> {
        let inner = &self.inner;
        let now = inner.clock.now();
        let rows = inner.store.signing_keys().await?;
        if let Some(waiting) = rows.iter().filter(|row| row.signs_from > now).max_by_key(|row| row.signs_from)
        {
            let retiring = rows.iter().filter_map(|row| Some((row.kid.clone(), row.retires_at?))).collect();
            return Ok(SigningRotation {
                kid: waiting.kid.clone(),
                signs_from: waiting.signs_from,
                retiring,
            });
        }
        let next = make(&inner.seal, &inner.fresh, now, now + PUBLISHED_BEFORE).await?;
        inner.store.insert_signing_key(&next).await?;
        let retires_at = next.signs_from + self.longest_token_life().await? + MARGIN;
        let mut retiring = Vec::new();
        for row in rows.iter().filter(|row| row.retires_at.is_none()) {
            inner.store.retire_signing_key(&row.kid, retires_at, now).await?;
            retiring.push((row.kid.clone(), retires_at));
        }
        self.reload_keys().await?;
        tracing::info!(target: "security", event = "signing_key_rotated", kid = %next.kid, signs_from = next.signs_from);
        Ok(SigningRotation { kid: next.kid, signs_from: next.signs_from, retiring })
    }

    /// Takes a key out of use at once, as after a theft: its tokens are refused as soon as each verifier has read the key set
    /// again. If no key stays, another is made: it signs at once, or follows those that a rotation has given an end, in time.
    ///
    /// # Errors
    /// The store's, or when no key can be made.
    pub async fn revoke_signing_key(&self, kid: &str) -> Result<bool, Fault> {
        let inner = &self.inner;
        let now = inner.clock.now();
        let mut rows = inner.store.signing_keys().await?;
        if !rows.iter().any(|row| row.kid == kid) {
            return Ok(false);
        }
        rows.retain(|row| row.kid != kid);
        if !rows.iter().any(stays) {
            let signs_from = succession(&rows, self.longest_token_life().await?, now);
            let next = make(&inner.seal, &inner.fresh, now, signs_from).await?;
            inner.store.insert_signing_key(&next).await?;
        }
        let gone = inner.store.delete_signing_key(kid, now).await?;
        self.reload_keys().await?;
        tracing::warn!(target: "security", event = "signing_key_revoked", kid);
        Ok(gone)
    }

    /// Reads the signing keys again: after a change of kind `signing_key`.
    ///
    /// # Errors
    /// The store's, or sealed bytes that do not open; the keys that were held stay in force.
    pub async fn reload_keys(&self) -> Result<(), Fault> {
        let inner = &self.inner;
        let keys = load(
            &inner.store,
            &inner.seal,
            &inner.fresh,
            inner.config.access_token_lifetime,
            inner.clock.now(),
        )
        .await?;
        inner.keys.store(Arc::new(keys));
        Ok(())
    }

    /// The key set that is published now. Ask again after a change of kind `signing_key`.
    #[must_use]
    pub fn key_set(&self) -> KeySet {
        self.inner.keys.load().published(self.inner.clock.now()).set.clone()
    }

    /// The longest that a token of ours may live, in seconds.
    pub(crate) async fn longest_token_life(&self) -> Result<i64, Fault> {
        longest_token_life(&self.inner.store, self.inner.config.access_token_lifetime).await
    }
}
