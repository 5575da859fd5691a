//! Audits by schedule, so that the board stays current: `[audit] schedule` of a server that audits itself, and
//! `portcullis audit --schedule`, which does nothing else.
//!
//! Of the nodes of a server one runs it: a conditional write of the store decides, by a window that lasts as long as the
//! schedule's step. What goes wrong is an event, and nothing else of the process hears of it.

mod apart;
pub mod news;

use super::installation::Installation;
use super::reports::{Reports, record_report};
use super::serving::Shutdown;
use crate::clock;
use crate::commands::CommandError;
use crate::config::Configuration;
use crate::config::value::Span;
use ::audit::{Only, Report};
pub use apart::patiently;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The shortest step, in seconds: an audit of many endpoints takes a while, and each asks real questions.
const SHORTEST: i64 = 60;
/// After the start, before the first look: the listeners are up, and what was brought up with them has settled.
const SETTLE: Duration = Duration::from_secs(3);
/// Between two looks at whether it is time, at most; up to as much again by chance, so that nodes do not look together.
const LOOK: Duration = Duration::from_secs(30);
/// The most that chance adds to a step of `audit --schedule`; a tenth of a shorter one.
const CHANCE: Duration = Duration::from_secs(300);

/// Reads the installation anew, so that a run goes by what the configuration says now.
pub type ReadAgain = Arc<dyn Fn() -> Result<Installation, CommandError> + Send + Sync>;

/// `[audit] schedule` in seconds; what is wrong with it, in words.
pub fn every(configuration: &Configuration) -> Result<Option<i64>, String> {
    let written = configuration.file.audit.as_ref().and_then(|audit| audit.schedule);
    written.map(|written| step("audit.schedule", written)).transpose()
}

/// A step in seconds; that it is too short, by the name of what was written.
pub fn step(name: &str, written: Span) -> Result<i64, String> {
    match written.seconds() {
        every if every < SHORTEST => {
            Err(format!("{name} is below {SHORTEST} s: an audit asks real questions; write \"6h\", say"))
        }
        every => Ok(every),
    }
}

/// A wait: so long, and by chance up to so much more.
#[derive(Clone, Copy, Debug)]
pub struct Pause {
    least: Duration,
    chance: Duration,
}

impl Pause {
    /// None.
    pub const NONE: Pause = Pause { least: Duration::ZERO, chance: Duration::ZERO };

    /// Between two runs that are so many seconds apart.
    pub fn of_step(every: i64) -> Self {
        let least = Duration::from_secs(u64::try_from(every).unwrap_or_default());
        Self { least, chance: CHANCE.min(least / 10) }
    }

    /// Up to as long again.
    fn doubled(least: Duration) -> Self {
        Self { least, chance: least }
    }

    fn drawn(self) -> Duration {
        let [byte] = clock::fresh::<1>().unwrap_or_default();
        self.least + self.chance * u32::from(byte) / 255
    }
}

/// The times at which something is done again and again.
pub struct Steps {
    next: Instant,
    pause: Pause,
}

impl Steps {
    /// For the first time after the one pause, then with the other from the beginning of one time to that of the next.
    pub fn after(first: Pause, pause: Pause) -> Self {
        Self { next: Instant::now() + first.drawn(), pause }
    }

    /// Waits for the next time.
    pub async fn next(&mut self) {
        tokio::time::sleep_until(self.next).await;
        self.next = Instant::now() + self.pause.drawn();
    }
}

/// What work comes to; none where `shutdown` begins before, and the work is given up.
pub async fn until_the_end<T>(shutdown: Shutdown, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        () = shutdown.begun() => None,
        done = work => Some(done),
    }
}

/// A server's schedule.
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
        let look = LOOK.min(Duration::from_secs(u64::try_from(self.every / 4).unwrap_or(15)));
        let work = async {
            let mut steps = Steps::after(Pause::doubled(SETTLE), Pause::doubled(look));
            loop {
                steps.next().await;
                if self.is_ours_now().await {
                    self.run().await;
                }
            }
        };
        until_the_end::<Infallible>(shutdown, work).await;
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
        let outcome = patiently(move || async move {
            let installation = read_again().map_err(|error| error.message)?;
            audited(&installation).await
        })
        .await;
        let (report, bytes) = match outcome {
            Ok(ran) => ran,
            Err(error) => return news::failed(&error),
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
        news::tell(before.as_deref(), &report);
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
    if let Some(last) = state.and_then(|state| state.last(&report)) {
        report.show_drift(&last);
    }
    let bytes = super::evidence::finish(configuration, &mut report, key.as_ref()).bytes;
    Ok((report, bytes))
}

#[cfg(test)]
mod tests {
    use super::super::serving::shutdown;
    use super::*;

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
    fn chance_adds_at_most_what_it_may() {
        for _ in 0..100 {
            let after = Pause::doubled(Duration::from_secs(10)).drawn();
            assert!((10..=20).contains(&after.as_secs()), "{after:?}");
            let after = Pause::of_step(6 * 3_600).drawn();
            assert!((21_600..=21_900).contains(&after.as_secs()), "{after:?}");
            let after = Pause::of_step(60).drawn();
            assert!((60..=66).contains(&after.as_secs()), "{after:?}");
        }
        assert_eq!(Pause::NONE.drawn(), Duration::ZERO);
        assert!(step("--schedule", Span::parse("59s").unwrap()).is_err_and(|why| why.contains("--schedule")));
        assert_eq!(step("--schedule", Span::parse("1m").unwrap()), Ok(60));
    }

    #[tokio::test]
    async fn a_step_begins_a_pause_after_the_one_before_it_and_the_end_waits_for_none() {
        let least = Duration::from_millis(20);
        let mut steps = Steps::after(Pause::NONE, Pause { least, chance: Duration::ZERO });
        let mut times = Vec::new();
        for _ in 0..3 {
            steps.next().await;
            times.push(Instant::now());
        }
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= least), "{times:?}");

        let (sender, shutdown) = shutdown();
        assert_eq!(until_the_end(shutdown.clone(), async { 7 }).await, Some(7));
        let work = async {
            sender.begin();
            // Under way when the end begins.
            std::future::pending::<()>().await;
        };
        assert_eq!(until_the_end(shutdown, work).await, None);
    }
}
