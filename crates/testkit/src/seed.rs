//! Repeatable randomness: the same seed gives the same bytes on every machine.

use std::sync::{Arc, Mutex, PoisonError};

/// A function that fills bytes, as rooms take it.
pub type Fill = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// A stream of bytes that looks random and is the same on every run (SplitMix64). Worthless as a secret.
#[derive(Clone, Debug)]
pub struct Seed {
    state: Arc<Mutex<u64>>,
}

impl Seed {
    /// The stream of this number; its clones read on from one place.
    pub fn new(seed: u64) -> Self {
        Self { state: Arc::new(Mutex::new(seed)) }
    }

    /// Fills `bytes` with the next ones of the stream.
    pub fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }

    /// The next `N` bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// The stream as the function that rooms take.
    pub fn function(&self) -> Fill {
        let seed = self.clone();
        Arc::new(move |bytes| seed.fill(bytes))
    }

    fn next(&self) -> u64 {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_is_one_stream() {
        let (one, other) = (Seed::new(1), Seed::new(1));
        assert_eq!(one.bytes::<32>(), other.bytes::<32>());
        assert_ne!(one.bytes::<32>(), Seed::new(2).bytes::<32>());
    }

    #[test]
    fn clones_never_repeat_each_other() {
        let seed = Seed::new(3);
        assert_ne!(seed.bytes::<16>(), seed.clone().bytes::<16>());
    }
}
