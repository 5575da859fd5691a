//! An audit apart from everything else: a thread and a runtime of its own at low priority. What goes wrong in it, a panic
//! included, is told in words, and nothing else of the process hears of it.

use std::time::Duration;

/// An audit that takes longer is given up.
const PATIENCE: Duration = Duration::from_secs(900);
/// How much nicer than the server the audit's thread is.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 15;

/// Runs work apart, for [`PATIENCE`] at most.
pub async fn patiently<T, W>(work: impl FnOnce() -> W + Send + 'static) -> Result<T, String>
where
    T: Send + 'static,
    W: Future<Output = Result<T, String>>,
{
    apart(move || async move {
        tokio::time::timeout(PATIENCE, work())
            .await
            .map_err(|_| format!("it took longer than {} s and was given up", PATIENCE.as_secs()))?
    })
    .await
}

/// Runs work on a thread of its own with a runtime of its own, at low priority. A panic is an error in words.
async fn apart<T, W>(work: impl FnOnce() -> W + Send + 'static) -> Result<T, String>
where
    T: Send + 'static,
    W: Future<Output = Result<T, String>>,
{
    let (told, heard) = tokio::sync::oneshot::channel();
    let run = move || {
        lower_priority();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let outcome = match runtime {
            Ok(runtime) => {
                let outcome = runtime.block_on(work());
                // Dropped, it would wait for work that blocks and that nobody can end, a git on a folder that hangs: the
                // outcome would never be told, and no audit would run again.
                runtime.shutdown_background();
                outcome
            }
            Err(error) => Err(format!("no runtime: {error}")),
        };
        let _ = told.send(outcome);
    };
    std::thread::Builder::new().name("audit".to_owned()).spawn(run).map_err(|error| error.to_string())?;
    // A thread that panicked lets go of its end without a word; the panic itself is in the log.
    heard.await.unwrap_or_else(|_| Err("it panicked".to_owned()))
}

/// Linux schedules by thread: this thread alone gets nicer.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "the audit keeps the normal priority");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_goes_wrong_apart_is_told_in_words() {
        assert_eq!(apart(|| async { Ok::<_, String>(7) }).await, Ok(7));
        assert_eq!(apart(|| async { Err::<(), _>("no".to_owned()) }).await, Err("no".to_owned()));
        let panicked = apart(|| async { Err::<(), _>(String::from(nothing_there())) }).await;
        assert_eq!(panicked, Err("it panicked".to_owned()));
    }

    #[tokio::test]
    async fn what_hangs_is_left_behind_and_the_outcome_is_told() {
        // Ends when this test does, and not before.
        let (_open, never) = std::sync::mpsc::channel::<()>();
        let outcome = apart(move || async move {
            let hung = tokio::task::spawn_blocking(move || never.recv());
            let given_up = tokio::time::timeout(Duration::from_millis(1), hung).await;
            given_up.map_err(|_| "given up".to_owned()).map(|_| ())
        });
        let told = tokio::time::timeout(Duration::from_secs(20), outcome).await;
        assert_eq!(told, Ok(Err("given up".to_owned())));
    }

    fn nothing_there() -> &'static str {
        panic!("as a defect of the auditor would")
    }
}
