//! The working memory of Argon2.

use std::fmt;

use argon2::Block;
use zeroize::Zeroize;

use super::HashError;

/// The working memory of Argon2, kept between hashes: fresh memory costs up to three times the hash.
///
/// Keep one a thread, [`wipe`](Self::wipe) it when the thread has nothing to do, [`release`](Self::release) it when that lasts.
#[derive(Default)]
pub struct Memory {
    pub(super) blocks: Vec<Block>,
}

impl Memory {
    /// Memory that grows at the first hash.
    #[must_use]
    pub const fn new() -> Self {
        Self { blocks: Vec::new() }
    }

    /// Overwrites what the last hash left and keeps the memory.
    pub fn wipe(&mut self) {
        self.blocks.iter_mut().for_each(Zeroize::zeroize);
    }

    /// Overwrites what the last hash left and gives the memory back.
    pub fn release(&mut self) {
        self.wipe();
        self.blocks = Vec::new();
    }

    /// Bytes that are held.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.blocks.capacity() * Block::SIZE
    }

    pub(super) fn at_least(&mut self, blocks: usize) -> Result<&mut [Block], HashError> {
        if self.blocks.len() < blocks {
            // Growing would copy the old contents about: wipe, then begin anew.
            self.release();
            self.blocks.try_reserve_exact(blocks).map_err(|_| HashError::OutOfMemory)?;
            self.blocks.resize(blocks, Block::new());
        }
        Ok(&mut self.blocks)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.wipe();
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("bytes", &self.bytes()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::password::{Parameters, hash};

    const SALT: [u8; 16] = *b"0123456789abcdef";

    #[test]
    fn reused_memory_gives_the_same_hash_as_fresh_memory() {
        let mut memory = Memory::new();
        let larger = Parameters::new(20_000, 2, 1).unwrap();
        hash(&larger, b"something else", SALT, &mut memory).unwrap();
        let reused = hash(&Parameters::default(), b"password of a user", SALT, &mut memory).unwrap();
        assert_eq!(
            reused,
            hash(&Parameters::default(), b"password of a user", SALT, &mut Memory::new()).unwrap()
        );
        assert!(memory.bytes() >= 20_000 * 1024);
        memory.release();
        assert_eq!(memory.bytes(), 0);
    }

    #[test]
    fn wiping_leaves_nothing_of_the_password() {
        let mut memory = Memory::new();
        hash(&Parameters::default(), b"password of a user", SALT, &mut memory).unwrap();
        memory.wipe();
        assert!(memory.blocks.iter().all(|block| block.as_ref().iter().all(|word| *word == 0)));
    }
}
