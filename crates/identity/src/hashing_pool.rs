//! Threads that hash passwords, a fixed number with a bounded queue: memory is arenas times threads whatever the load,
//! and what does not fit is told so at once (503 with Retry-After) instead of waiting for seconds.
//!
//! Each thread keeps one Argon2 arena, since fresh memory a hash costs up to three times. The arena is wiped when nobody
//! came for [`PAUSE`], and given back after [`IDLE`]. On Linux the threads run at lower priority than those that move bytes.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use accounts::password::Memory;
use tokio::sync::oneshot;

use crate::Fault;

/// An arena unused for so long is given back.
pub(crate) const IDLE: Duration = Duration::from_secs(30);
/// An arena unused for so long is wiped. Under load the next password overwrites it sooner, and wiping after each would
/// cost a login three per cent.
const PAUSE: Duration = Duration::from_millis(50);
/// mimalloc gives freed pages back to the system when a second has passed and then something else of size is freed. In a
/// quiet process nothing else is: it would keep every arena of the last burst for ever.
const SETTLED: Duration = Duration::from_millis(1500);
/// What is freed then. It is never touched, so it costs no memory.
const NUDGE: usize = 4 << 20;

/// How much nicer than the data path: 10 of 19 leaves about a tenth of a contended core to hashing.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

type Job = Box<dyn FnOnce(&mut Memory) + Send>;

/// The threads and their queue.
#[derive(Debug)]
pub(crate) struct HashingPool {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    bound: usize,
    idle: Duration,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Shared(bound {})", self.bound)
    }
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Job>,
    closed: bool,
    /// Threads that hold an arena now.
    arenas: usize,
}

impl HashingPool {
    /// `threads` threads and room for `bound` passwords that wait.
    pub(crate) fn start(threads: usize, bound: usize, idle: Duration) -> Result<Self, Fault> {
        let shared =
            Arc::new(Shared { queue: Mutex::new(Queue::default()), wake: Condvar::new(), bound, idle });
        let pool = Self { shared };
        for number in 0..threads {
            let shared = Arc::clone(&pool.shared);
            std::thread::Builder::new()
                .name(format!("hashing-{number}"))
                .spawn(move || work(&shared))
                .map_err(|error| Fault::Hashing(error.to_string()))?;
        }
        Ok(pool)
    }

    /// Runs `hash` with an arena on one of the threads.
    ///
    /// # Errors
    /// [`Fault::Busy`] at once when the queue is full; [`Fault::Hashing`] when the work panicked.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        hash: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let (sender, receiver) = oneshot::channel();
        {
            let mut queue = self.shared.lock();
            if queue.closed || queue.waiting.len() >= self.shared.bound {
                return Err(Fault::Busy);
            }
            queue.waiting.push_back(Box::new(move |memory| {
                // Whoever asked may be gone; then the answer has no reader, and that is all.
                let _ = sender.send(hash(memory));
            }));
        }
        self.shared.wake.notify_one();
        receiver.await.map_err(|_| Fault::Hashing("the work ended without a result".to_owned()))
    }

    /// Threads that hold an arena at this moment.
    pub(crate) fn arenas(&self) -> usize {
        self.shared.lock().arenas
    }
}

impl Drop for HashingPool {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.wake.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A queue of boxed jobs is whole after any panic: nothing runs under this lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn work(shared: &Shared) {
    lower_priority();
    let mut memory: Option<Memory> = None;
    let mut next = Rest::Nothing;
    let mut queue = shared.lock();
    loop {
        if let Some(job) = queue.waiting.pop_front() {
            if memory.is_none() {
                queue.arenas += 1;
            }
            drop(queue);
            let arena = memory.get_or_insert_with(Memory::default);
            let sound = catch_unwind(AssertUnwindSafe(|| job(arena))).is_ok();
            queue = shared.lock();
            next = Rest::Wipe;
            if !sound {
                memory = None;
                queue.arenas -= 1;
                next = Rest::Settle;
            }
            continue;
        }
        if queue.closed {
            return;
        }
        let limit = match next {
            Rest::Nothing => {
                queue = shared.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            Rest::Wipe => PAUSE.min(shared.idle),
            Rest::GiveBack => shared.idle,
            Rest::Settle => SETTLED,
        };
        let (woken, timeout) = shared.wake.wait_timeout(queue, limit).unwrap_or_else(PoisonError::into_inner);
        queue = woken;
        if !timeout.timed_out() || !queue.waiting.is_empty() {
            continue;
        }
        next = match next {
            Rest::Wipe => {
                // Traces of a password must not lie about; and nobody waits for the lock meanwhile.
                drop(queue);
                if let Some(arena) = memory.as_mut() {
                    arena.wipe();
                }
                queue = shared.lock();
                Rest::GiveBack
            }
            Rest::GiveBack => {
                memory = None;
                queue.arenas -= 1;
                Rest::Settle
            }
            Rest::Settle | Rest::Nothing => {
                drop(std::hint::black_box(Vec::<u8>::with_capacity(NUDGE)));
                Rest::Nothing
            }
        };
    }
}

/// What an idle thread does next, when still nobody came.
#[derive(Clone, Copy)]
enum Rest {
    /// Overwrite what the last password left.
    Wipe,
    /// Give the arena back.
    GiveBack,
    /// Let the allocator give its pages back.
    Settle,
    /// Wait.
    Nothing,
}

/// Linux schedules by thread: this thread alone gets nicer. Elsewhere, and where it is refused, hashing runs as it is.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "hashing threads keep the normal priority");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn pool(threads: usize, bound: usize, idle: Duration) -> HashingPool {
        HashingPool::start(threads, bound, idle).unwrap()
    }

    #[tokio::test]
    async fn runs_work_and_gives_its_result() {
        assert_eq!(pool(2, 4, IDLE).run(|_| 41 + 1).await.unwrap(), 42);
    }

    #[tokio::test]
    async fn a_full_queue_is_busy_at_once_and_recovers() {
        let pool = Arc::new(pool(1, 1, IDLE));
        let (open, gate) = mpsc::channel::<()>();
        let (started, has_started) = oneshot::channel();
        let running = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move {
                pool.run(move |_| {
                    let _ = started.send(());
                    gate.recv().unwrap();
                })
                .await
            }
        });
        has_started.await.unwrap();
        let waiting = pool.run(|_| 1);
        tokio::pin!(waiting);
        // Polled once, so that it stands in the queue.
        assert!(futures_util::poll!(&mut waiting).is_pending());
        assert!(matches!(pool.run(|_| 2).await, Err(Fault::Busy)));
        open.send(()).unwrap();
        running.await.unwrap().unwrap();
        assert_eq!(waiting.await.unwrap(), 1);
        assert_eq!(pool.run(|_| 3).await.unwrap(), 3);
    }

    #[tokio::test]
    async fn a_panic_is_a_fault_and_the_thread_goes_on() {
        let pool = pool(1, 4, IDLE);
        assert!(matches!(pool.run(|_| panic!("on purpose")).await, Err::<(), _>(Fault::Hashing(_))));
        assert_eq!(pool.run(|_| 5).await.unwrap(), 5);
    }

    #[tokio::test]
    async fn an_idle_arena_is_given_back() {
        let pool = pool(1, 4, Duration::from_millis(1));
        pool.run(|_| ()).await.unwrap();
        while pool.arenas() > 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn sixteen_passwords_on_two_threads_all_get_theirs() {
        let pool = Arc::new(pool(2, 16, IDLE));
        let answers = futures_util::future::join_all((0..16).map(|n| pool.run(move |_| n))).await;
        let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers, (0..16).collect::<Vec<_>>());
        assert!(pool.arenas() <= 2);
    }
}
