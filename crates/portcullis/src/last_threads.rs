//! The process ends after the store's threads.
//!
//! SQLCipher frees its memory when the process exits. A thread that still closes its file then touches what was freed,
//! and a command that had done its work dies of it: seen in 1 of 100 short commands on a busy machine. A closed pool
//! would be no cure for every way out, such as a store that does not open.

use std::time::Duration;

/// How the threads that hold SQLCipher's connections are called; Linux keeps 15 letters of a name.
const NAME: &str = "sqlx-sqlite";
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(1);
/// Looks, before the process ends all the same.
const PATIENCE: u32 = 2_000;

/// Waits until none is left, for two seconds at most. Where threads cannot be listed, nobody is waited for.
pub fn wait() {
    for _ in 0..PATIENCE {
        let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        let mut names = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("comm")).ok());
        if !names.any(|name| name.starts_with(NAME)) {
            return;
        }
        std::thread::sleep(PAUSE);
    }
}
