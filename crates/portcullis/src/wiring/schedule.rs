//! `[audit] schedule`: a server audits itself, so that the board stays current.
//!
//! One node of many runs it: a conditional write of the store decides, by a window that lasts as long as the schedule's
//! step. The run has a thread and a runtime of its own at low priority; what goes wrong in it, a panic included, is an
//! event, and nothing else of the process hears of it.

use super::board::{self, Crossed};
use super::installation::Installation;
use super::reports::{Reports, record_report};
use super::serving::Shutdown;
use crate::clock;
use crate::commands::CommandError;
use crate::config::Configuration;
use crate::config::value::Span;
use ::audit::{Only, Report};
use std::sync::Arc;
use std::time::Duration;

/// The shortest step: an audit of many endpoints takes a while, and each asks real questions.
const SHORTEST: i64 = 60;
/// After the start, before the first look: the listeners are up, and what was brought up with them has settled.
const SETTLE: Duration = Duration::from_secs(3);
/// Between two looks at whether it is time, at most; up to as much again by chance, so that nodes do not look together.
const LOOK: Duration = Duration::from_secs(30);
/// An audit that takes longer is given up.
const PATIENCE: Duration = Duration::from_secs(900);
/// How much nicer than the server the audit's thread is.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 15;

/// Reads the installation anew, so that a run goes by what the configuration says now.
pub type ReadAgain = Arc<dyn Fn() -> Result<Installation, CommandError> + Send + Sync>;

/// `[audit] schedule` in seconds; what is wrong with it, in words.
pub fn every(configuration: &Configuration) -> Result<Option<i64>, String> {
    let written = configuration.file.audit.as_ref().and_then(|audit| audit.schedule);
    match written.map(Span::seconds) {
        Some(every) if every < SHORTEST => Err(format!(
            "audit.schedule is below {SHORTEST} s: an audit asks real questions; write \"6h\", say"
        )),
        every => Ok(every),
    }
}

/// A schedule.
pub struct Schedule {
    /// Seconds between two runs.
    pub every: i64,
    /// The environment; each has a window of its own.
    pub environment: String,
    /// Where reports are kept, and the window.
    pub reports: Reports,
    /// Reads the installation.
    pub read_again: ReadAgain,
}

impl Schedule {
    /// Audits when it is time, until `shutdown` begins.
    pub async fn follow(self, shutdown: Shutdown) {
        let end = shutdown.begun();
        tokio::pin!(end);
        let work = async {
            tokio::time::sleep(with_chance(SETTLE)).await;
            let look = LOOK.min(Duration::from_secs(u64::try_from(self.every / 4).unwrap_or(15)));
            loop {
                if self.is_ours_now().await {
                    self.run().await;
                }
                tokio::time::sleep(with_chance(look)).await;
            }
        };
        tokio::select! {
            () = &mut end => {}
            () = work => {}
        }
    }

    /// Whether it is time, and no other node has taken this step.
    async fn is_ours_now(&self) -> bool {
        let window = format!("audit-schedule:{}", self.environment);
        match self.reports.store().take_throttle(&window, 1, self.every, clock::now()).await {
            Ok(taken) => taken.allowed,
            Err(fault) => {
                tracing::warn!(%fault, "whether an audit is due is not known");
                false
            }
        }
    }

    async fn run(&self) {
        let before = self.reports.latest(&self.environment).await;
        let read_again = Arc::clone(&self.read_again);
        let outcome = apart(move || async move {
            let installation = read_again().map_err(|error| error.message)?;
            tokio::time::timeout(PATIENCE, audited(&installation))
                .await
                .map_err(|_| format!("it took longer than {} s and was given up", PATIENCE.as_secs()))?
        })
        .await;
        let (report, bytes) = match outcome {
            Ok(ran) => ran,
            Err(error) => {
                tracing::error!(
                    event = "audit_failed",
                    error,
                    "the scheduled audit failed; it is tried again"
                );
                return;
            }
        };
        if let Err(fault) = record_report(self.reports.store(), &report, bytes.as_bytes()).await {
            tracing::error!(event = "audit_failed", %fault, "the report of the scheduled audit cannot be kept");
        }
        let before = match before {
            Ok(kept) => kept.map(|kept| kept.report),
            Err(error) => {
                tracing::warn!(error, "nothing to compare the audit with");
                None
            }
        };
        tell(before.as_deref(), &report);
    }
}

/// The whole audit: the report, and its bytes as they are kept, signed where there is a folder for the key.
async fn audited(installation: &Installation) -> Result<(Report, String), String> {
    let configuration = &installation.configuration;
    let policy = super::policy::read(configuration).map_err(|problems| problems.join("\n"))?;
    let mut config = super::audit::config(installation, &policy).await.map_err(|error| error.message)?;
    let document = configuration.file.audit.as_ref().and_then(|audit| audit.document.as_ref());
    let document = document.map(|file| super::document::read(configuration, &configuration.path(file)));
    config.document = document.transpose().map_err(|error| error.message)?;
    let key = super::evidence::key(configuration).map_err(|error| error.message)?;
    let mut report = ::audit::run(config, Only::All, |_| ()).await;
    let state = super::evidence::state(configuration);
    if let Some(last) = state.and_then(|state| state.last(&report.run.environment)) {
        report.show_drift(&last);
    }
    let bytes = super::evidence::finish(configuration, &mut report, key.as_ref()).bytes;
    Ok((report, bytes))
}

/// What is news, one event each.
fn tell(before: Option<&Report>, report: &Report) {
    let news = before.map(|before| board::changes(&board::verdicts_of(before), &board::verdicts_of(report)));
    for Crossed { measure, was, is, worse } in news.unwrap_or_default() {
        let (was, is) = (was.as_str(), is.as_str());
        if worse {
            tracing::warn!(target: "security", event = "measure_regressed", measure, was, is);
        } else {
            tracing::info!(target: "security", event = "measure_fixed", measure, was, is);
        }
    }
    let count = |wanted| report.measures.iter().filter(|measure| measure.verdict == wanted).count();
    tracing::info!(
        target: "security",
        event = "audit_finished",
        environment = report.run.environment,
        passed = count(::audit::Verdict::Pass),
        failed = count(::audit::Verdict::Fail),
        not_proven = count(::audit::Verdict::NotProven),
    );
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

/// So long, and up to as long again.
fn with_chance(least: Duration) -> Duration {
    let [byte] = clock::fresh::<1>().unwrap_or_default();
    least + least * u32::from(byte) / 255
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

    #[tokio::test]
    async fn one_node_takes_a_step_and_a_failed_run_harms_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let location = ::store::Location::SqlCipher {
            path: folder.path().join("portcullis.db"),
            key: vec![7; 32].into(),
        };
        let store = ::store::Store::open(&location).await.unwrap();
        let node = |environment: &str| Schedule {
            every: 3_600,
            environment: environment.to_owned(),
            reports: Reports::of(store.clone()),
            read_again: Arc::new(|| Err(CommandError::failed("nothing to read"))),
        };
        let (one, other, elsewhere) = (node("production"), node("production"), node("staging"));
        assert!(one.is_ours_now().await);
        assert!(!other.is_ours_now().await && !one.is_ours_now().await);
        assert!(elsewhere.is_ours_now().await, "another environment has a step of its own");
        one.run().await;
        assert!(store.report_environments().await.unwrap().is_empty(), "an event, and no report");
        store.close().await;
    }

    #[test]
    fn chance_adds_at_most_as_much_again() {
        for _ in 0..100 {
            let after = with_chance(Duration::from_secs(10));
            assert!((10..=20).contains(&after.as_secs()), "{after:?}");
        }
    }
}
