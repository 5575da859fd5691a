//! A thread that has opened the encrypted file ends after the threads that sqlx started for it.
//!
//! When a process exits, SQLCipher frees its memory, and OpenSSL its own. A thread of sqlx that is still closing its file
//! then touches what was freed, and a program that had done its work dies of it. Such threads are started by whoever
//! opens the file and end a moment after the last connection is dropped, so each opener waits for its own: the threads
//! bear its number, and a destructor of the opener's thread looks for them. The main thread's destructors run before
//! anything is freed; a test's thread is joined before the test program ends.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How the threads are called; four digits follow. Linux keeps 15 letters of a name.
const NAME: &str = "sqlx-sqlite";
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(1);
/// Looks, before the thread ends all the same: a store that lives on elsewhere keeps its threads.
const PATIENCE: u32 = 2_000;

static OPENERS: AtomicU32 = AtomicU32::new(0);

thread_local! {
    static OPENER: Opener = Opener(OPENERS.fetch_add(1, Ordering::Relaxed) & 0xffff);
}

struct Opener(u32);

/// What threads are called that this thread has sqlx start.
pub(crate) fn name() -> String {
    // A thread whose destructors have run opens nothing any more.
    OPENER.try_with(Opener::name).unwrap_or_else(|_| NAME.to_owned())
}

impl Opener {
    fn name(&self) -> String {
        format!("{NAME}{:04x}", self.0)
    }
}

impl Drop for Opener {
    fn drop(&mut self) {
        let name = self.name();
        for _ in 0..PATIENCE {
            // Where threads cannot be listed, nobody is waited for.
            let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
            let mut names =
                threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("comm")).ok());
            if !names.any(|found| found.trim_end() == name) {
                return;
            }
            std::thread::sleep(PAUSE);
        }
    }
}
