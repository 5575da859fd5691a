//! Tokens that were verified already, under their SHA-256: a signature costs 16 to 60 µs, remembering it one or two.
//!
//! Only successes are kept. An entry is dropped at the token's own `exp` (within the leeway after it the token is
//! verified afresh each time), when its issuer's keys change, and when a revocation concerns it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::caller::Known;

/// SHA-256 of the compact token.
pub(crate) type Digest = [u8; 32];

/// What was found out about a token, and what it rests on.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    /// The caller, with the headers that the backend gets.
    pub(crate) known: Arc<Known>,
    /// The generation of the issuer's keys that the signature was checked with.
    pub(crate) keys: u64,
    /// The generation of the revocations that the token was held against last.
    pub(crate) revocations: u64,
}

/// A bounded memory in shards, so that cores do not wait for each other. Zero remembers nothing.
#[derive(Debug)]
pub(crate) struct Remembered {
    shards: Box<[Mutex<Shard>]>,
}

impl Remembered {
    /// A memory of at most `capacity` tokens.
    pub(crate) fn new(capacity: usize) -> Self {
        let count = match capacity {
            0 => 0,
            1..256 => 1,
            _ => 16,
        };
        let shards = (0..count)
            .map(|n| {
                let extra = usize::from(n < capacity % count);
                Mutex::new(Shard::new(capacity / count + extra))
            })
            .collect();
        Self { shards }
    }

    /// True when every token is verified every time: then nobody needs its digest.
    pub(crate) fn is_off(&self) -> bool {
        self.shards.is_empty()
    }

    /// What is known of the token, unless it has reached its `exp` at `now`.
    pub(crate) fn recall(&self, digest: &Digest, now: i64) -> Option<Memory> {
        self.shard(digest)?.recall(digest, now)
    }

    /// Keeps a success. The caller says which generations it rests on.
    pub(crate) fn keep(&self, digest: Digest, memory: Memory) {
        if let Some(mut shard) = self.shard(&digest) {
            shard.keep(digest, memory);
        }
    }

    /// Notes that the token was held against newer revocations and stands.
    pub(crate) fn reconfirm(&self, digest: &Digest, revocations: u64) {
        if let Some(mut shard) = self.shard(digest) {
            shard.reconfirm(digest, revocations);
        }
    }

    /// Forgets one token.
    pub(crate) fn forget(&self, digest: &Digest) {
        if let Some(mut shard) = self.shard(digest) {
            shard.forget(digest);
        }
    }

    /// How many tokens are remembered now.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).places.len()).sum()
    }

    fn shard(&self, digest: &Digest) -> Option<MutexGuard<'_, Shard>> {
        if self.shards.is_empty() {
            return None;
        }
        // The last byte chooses the shard, the first eight the place in its map.
        self.shards.get(usize::from(digest[31]) % self.shards.len()).map(lock)
    }
}

/// A panic elsewhere leaves nothing half-written here that could widen access: every entry stands by itself.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One part: a map to places in a ring. When it is full a hand goes round the ring and takes the first place that was
/// not used since it last passed (the "clock" rule), so room is made in constant time on average.
#[derive(Debug)]
struct Shard {
    capacity: usize,
    places: HashMap<Digest, usize, BuildHasherDefault<Prefix>>,
    ring: Vec<Slot>,
    free: Vec<usize>,
    hand: usize,
}

#[derive(Debug)]
struct Slot {
    digest: Digest,
    memory: Option<Memory>,
    used: bool,
}

impl Shard {
    fn new(capacity: usize) -> Self {
        Self { capacity, places: HashMap::default(), ring: Vec::new(), free: Vec::new(), hand: 0 }
    }

    fn recall(&mut self, digest: &Digest, now: i64) -> Option<Memory> {
        let place = *self.places.get(digest)?;
        let slot = self.ring.get_mut(place)?;
        match &slot.memory {
            Some(memory) if now < memory.known.forget_at => {
                slot.used = true;
                Some(memory.clone())
            }
            _ => {
                self.forget(digest);
                None
            }
        }
    }

    fn keep(&mut self, digest: Digest, memory: Memory) {
        if self.capacity == 0 {
            return;
        }
        if let Entry::Occupied(place) = self.places.entry(digest) {
            if let Some(slot) = self.ring.get_mut(*place.get()) {
                slot.memory = Some(memory);
            }
            return;
        }
        let place = self.free_place();
        if let Some(slot) = self.ring.get_mut(place) {
            *slot = Slot { digest, memory: Some(memory), used: false };
            self.places.insert(digest, place);
        }
    }

    /// A place that nobody holds: one given back, a new one, or the one that the hand takes.
    fn free_place(&mut self) -> usize {
        if let Some(place) = self.free.pop() {
            return place;
        }
        if self.ring.len() < self.capacity {
            self.ring.push(Slot { digest: [0; 32], memory: None, used: false });
            return self.ring.len() - 1;
        }
        loop {
            let place = self.hand;
            self.hand = (self.hand + 1) % self.ring.len();
            if let Some(slot) = self.ring.get_mut(place) {
                if std::mem::take(&mut slot.used) {
                    continue;
                }
                slot.memory = None;
                self.places.remove(&slot.digest);
            }
            return place;
        }
    }

    fn reconfirm(&mut self, digest: &Digest, revocations: u64) {
        if let Some(place) = self.places.get(digest)
            && let Some(memory) = self.ring.get_mut(*place).and_then(|slot| slot.memory.as_mut())
        {
            memory.revocations = revocations;
        }
    }

    fn forget(&mut self, digest: &Digest) {
        if let Some(place) = self.places.remove(digest)
            && let Some(slot) = self.ring.get_mut(place)
        {
            slot.memory = None;
            slot.used = false;
            self.free.push(place);
        }
    }
}

/// A SHA-256 needs no second hash: its first eight bytes are as good. Nobody can steer them into one bucket either,
/// since only tokens that an issuer signed are kept.
#[derive(Debug, Default, Clone, Copy)]
struct Prefix(u64);

impl Hasher for Prefix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(head) = bytes.first_chunk::<8>() {
            self.0 = u64::from_le_bytes(*head);
        }
    }

    // The length prefix of an array says nothing.
    fn write_usize(&mut self, _: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(n: u32) -> Digest {
        let mut bytes = [0; 32];
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &n.to_le_bytes());
        bytes.copy_from_slice(hash.as_ref());
        bytes
    }

    fn memory(forget_at: i64) -> Memory {
        Memory { known: Arc::new(Known::for_test("usr_1", forget_at)), keys: 1, revocations: 0 }
    }

    #[test]
    fn never_more_than_was_allowed() {
        for capacity in [1, 2, 7, 255, 256, 300, 1000] {
            let remembered = Remembered::new(capacity);
            for n in 0..3000 {
                remembered.keep(digest(n), memory(100));
                assert!(remembered.len() <= capacity, "{capacity}");
            }
        }
    }

    #[test]
    fn zero_remembers_nothing() {
        let remembered = Remembered::new(0);
        remembered.keep(digest(1), memory(100));
        assert!(remembered.recall(&digest(1), 0).is_none());
        assert!(remembered.is_off());
    }

    #[test]
    fn dropped_at_exp() {
        let remembered = Remembered::new(10);
        remembered.keep(digest(1), memory(100));
        assert!(remembered.recall(&digest(1), 99).is_some());
        assert!(remembered.recall(&digest(1), 100).is_none());
        assert_eq!(remembered.len(), 0);
        assert!(remembered.recall(&digest(1), 0).is_none(), "a clock that goes back brings nothing back");
    }

    #[test]
    fn what_is_used_outlives_what_is_not() {
        let remembered = Remembered::new(100);
        remembered.keep(digest(0), memory(100));
        for n in 1..2000 {
            assert!(remembered.recall(&digest(0), 0).is_some(), "used and yet gone at {n}");
            remembered.keep(digest(n), memory(100));
        }
    }

    #[test]
    fn forgotten_places_are_used_again() {
        let remembered = Remembered::new(4);
        for round in 0..50 {
            for n in 0..4 {
                remembered.keep(digest(round * 4 + n), memory(100));
            }
            for n in 0..4 {
                remembered.forget(&digest(round * 4 + n));
            }
            assert_eq!(remembered.len(), 0);
        }
    }
}
