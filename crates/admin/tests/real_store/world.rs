//! A real SQLCipher store in a folder of its own, and repeatable random bytes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

use accounts::password::{Memory, Policy};
use store::{Location, Store};

/// When everything happens, in Unix seconds.
pub const NOW: i64 = 1_800_000_000;

/// A store, and the folder that it lies in.
pub struct World {
    pub store: Store,
    pub folder: tempfile::TempDir,
    pub policy: Policy,
    pub memory: Memory,
    drawn: u8,
}

impl World {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location =
            Location::SqlCipher { path: folder.path().join("portcullis.db"), key: vec![7; 32].into() };
        let store = Store::open(&location).await.unwrap();
        Self { store, folder, policy: Policy::default(), memory: Memory::new(), drawn: 0 }
    }

    /// Different bytes at each call.
    pub fn draw(&mut self) -> [u8; 32] {
        self.drawn += 1;
        std::array::from_fn(|n| {
            self.drawn.wrapping_mul(31).wrapping_add(u8::try_from(n).unwrap().wrapping_mul(7))
        })
    }
}
