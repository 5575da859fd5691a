//! `portcullis database status`: the page that says of each database how its password stands.

use super::shown::{at, span, when};
use super::{Context, selected};
use crate::command_line::One;
use crate::commands::{CommandError, Environment, print, print_json};
use crate::wiring::databases::{Change, Kind, Managed};
use crate::wiring::examination::{self, Examination};
use crate::wiring::key_change::{DEFAULT_MAXIMUM_AGE, KeyAge};
use ::steward::rotation::{AdministratorStatus, Provenance, Report, State, Status, Urgency};
use serde::Serialize;

/// Shows it. What is wrong is shown, too, and is no reason to fail.
pub async fn run(one: &One, environment: &Environment) -> Result<(), CommandError> {
    let context = Context::open(&one.place, environment).await?;
    let known = look(&context, one.name.as_deref()).await?;
    context.store.close().await;
    if one.place.json {
        return print_json(&known);
    }
    let pages: Vec<String> = known.iter().map(Known::page).collect();
    print(&pages.join("\n"));
    Ok(())
}

/// Everything that is known of one database, without a secret.
#[derive(Serialize)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// `postgresql` or `sqlcipher`.
    pub engine: &'static str,
    /// Who changes its password: `server`, `job`, `command`, `never`.
    pub change: &'static str,
    /// Seconds after which it must have been replaced; none: nobody said.
    pub maximum_password_age: Option<i64>,
    /// Where the new one goes, in words.
    pub delivered_to: Option<String>,
    /// Of a PostgreSQL database that the configuration names.
    pub status: Option<Status>,
    /// Of the own encrypted file.
    pub key: Option<KeyAge>,
    /// Why there is no status.
    pub fault: Option<String>,
    /// Strength and reach.
    pub examination: Examination,
}

/// Looks at those that were asked for.
pub async fn look(context: &Context, name: Option<&str>) -> Result<Vec<Known>, CommandError> {
    let chosen = selected(&context.databases, name)?;
    let mut examinations =
        examination::of_all(context.steward.as_ref(), chosen.iter().copied(), &context.eye).await;
    let mut all = Vec::new();
    for managed in chosen {
        let examination = examinations.remove(&managed.name).unwrap_or_default();
        all.push(known(context, managed, examination).await?);
    }
    Ok(all)
}

async fn known(
    context: &Context,
    managed: &Managed,
    examination: Examination,
) -> Result<Known, CommandError> {
    let name = managed.name.clone();
    match &managed.kind {
        Kind::SqlCipher { key_file, maximum_age, .. } => Ok(Known {
            name,
            engine: "sqlcipher",
            change: if maximum_age.is_some() && key_file.is_some() { "server" } else { "command" },
            maximum_password_age: *maximum_age,
            delivered_to: key_file.as_ref().map(|file| format!("the file {}", file.display())),
            status: None,
            key: Some(KeyAge::of(&context.store, key_file.as_deref()).await?),
            fault: None,
            examination,
        }),
        Kind::Postgres { database, change } => {
            let (status, fault) = match context.steward.as_ref().filter(|_| managed.configured) {
                None => (None, None),
                Some(steward) => match steward.status(&name).await {
                    Ok(status) => (Some(status), None),
                    Err(fault) => (None, Some(fault.to_string())),
                },
            };
            Ok(Known {
                name,
                engine: "postgresql",
                change: match change {
                    Change::Server => "server",
                    Change::Job => "job",
                    Change::Never => "never",
                },
                maximum_password_age: managed.configured.then_some(database.maximum_password_age),
                delivered_to: database.secret.as_ref().map(ToString::to_string),
                status,
                key: None,
                fault,
                examination,
            })
        }
    }
}

impl Known {
    /// What must not be, in sentences: `check` fails for it.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.examination.problems.clone();
        problems.extend(self.fault.clone());
        if let Some(status) = &self.status {
            if status.adopted == Some(true) && status.age.urgency == Urgency::Alarm {
                problems.push(match status.age.seconds {
                    Some(age) => format!(
                        "the password is {} old, and may be {}; portcullis database rotate {} --now",
                        span(age),
                        span(self.maximum_password_age.unwrap_or_default()),
                        self.name
                    ),
                    None => format!(
                        "nobody knows how old the password is; portcullis database rotate {} --now",
                        self.name
                    ),
                });
            }
            if status.provenance == Provenance::Changed {
                problems.push(format!(
                    "somebody changed the password behind our back; portcullis database rotate {} --now",
                    self.name
                ));
            }
            problems
                .extend(status.last_fault.iter().map(|fault| format!("the last change stopped: {fault}")));
            if status.live.logs_in == Some(false) {
                let reason = status.live.reason.as_deref().unwrap_or("refused");
                problems.push(format!("the credential in use does not log in: {reason}"));
            }
        }
        if let (Some(key), Some(maximum)) = (&self.key, self.maximum_password_age)
            && key.seconds().is_none_or(|age| age > maximum)
        {
            problems
                .push("the key is older than it may be; portcullis database rotate store --now".to_owned());
        }
        problems
    }

    /// What is worth changing.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.examination.warnings.clone();
        if let Some(status) = &self.status {
            if status.adopted == Some(false) && self.change != "never" {
                warnings.push(format!(
                    "it is not adopted, so its password is not changed; portcullis database adopt {}",
                    self.name
                ));
            }
            if status.age.urgency == Urgency::Warning {
                warnings.push("four fifths of the password's time are over".to_owned());
            }
            if status.live.logs_in.is_none() {
                let reason = status.live.reason.as_deref().unwrap_or("no reason was given");
                warnings.push(format!("whether the credential in use logs in could not be told: {reason}"));
            }
        }
        if self.change == "never" && self.engine == "postgresql" {
            warnings.push(if self.maximum_password_age.is_none() {
                format!("its password is not looked after; add [[database]] with name = \"{}\"", self.name)
            } else {
                format!(
                    "nobody said where a new password goes, so it is not changed; add database.{}.secret",
                    self.name
                )
            });
        }
        warnings
    }

    fn page(&self) -> String {
        let mut page = Page::default();
        page.title(&self.name, self.engine, self.status.as_ref());
        if let Some(status) = &self.status {
            self.of_postgres(&mut page, status);
        }
        if let Some(key) = &self.key {
            self.of_file(&mut page, key);
        }
        match &self.examination.reach {
            Some(reach) => page.line("reach", reach),
            None if self.engine == "sqlcipher" => page.line("reach", "a file of this machine"),
            None => page.line("reach", "could not tell"),
        }
        if self.engine == "postgresql" {
            page.line(
                "strength",
                if self.examination.strength.is_empty() {
                    "could not tell"
                } else if self.examination.is_clean() {
                    "nothing was found against it"
                } else {
                    "see below"
                },
            );
        }
        for problem in self.problems() {
            page.line("PROBLEM", &problem);
        }
        for warning in self.warnings() {
            page.line("warning", &warning);
        }
        for untold in &self.examination.untold {
            page.line("not known", untold);
        }
        page.0
    }

    fn of_postgres(&self, page: &mut Page, status: &Status) {
        let made = match status.provenance {
            Provenance::Ours => format!("made here, generation {}", status.generation),
            Provenance::Foreign => "made by somebody else".to_owned(),
            Provenance::Changed => "changed behind our back".to_owned(),
            Provenance::Unknown => "of unknown making".to_owned(),
        };
        let most = self.maximum_password_age.map(|age| format!(", may be {}", span(age))).unwrap_or_default();
        page.line("role", &status.role);
        page.line(
            "password",
            &match status.age.seconds {
                Some(age) => format!("{} old{most}; {made}", span(age)),
                None => format!("of unknown age{most}; {made}"),
            },
        );
        page.line("next change", &self.next(status.age.due_at, status.adopted == Some(true)));
        if status.state != State::Stable || status.waiting_for.is_some() {
            let waits =
                status.waiting_for.as_ref().map(|what| format!(", waits for {what}")).unwrap_or_default();
            page.line("under way", &format!("{}{waits}", status.state.word()));
        }
        page.line("last change", &status.last.as_ref().map_or_else(|| "none yet".to_owned(), report));
        if let Some(sessions) = status.live.sessions {
            page.line(
                "sessions",
                &format!(
                    "{sessions} of the role in use, {} of the one before",
                    status
                        .live
                        .previous_sessions
                        .map_or("an unknown number".to_owned(), |count| count.to_string())
                ),
            );
        }
        if let Some(administrator) = &status.administrator {
            page.line("administrator", &of_administrator(administrator));
        }
        page.line("delivered to", self.delivered_to.as_deref().unwrap_or("nowhere"));
    }

    fn of_file(&self, page: &mut Page, key: &KeyAge) {
        let most = self.maximum_password_age.map(|age| format!(", may be {}", span(age))).unwrap_or_default();
        page.line(
            "key",
            &match (key.seconds(), key.recorded) {
                (Some(age), true) => format!("{} old{most}; 256 random bits, made here", span(age)),
                (Some(age), false) => format!("{} old by its file's date{most}; never changed", span(age)),
                (None, _) => format!("of unknown age{most}"),
            },
        );
        page.line(
            "next change",
            &match self.change {
                "server" => {
                    self.next(key.due_at(self.maximum_password_age.unwrap_or(DEFAULT_MAXIMUM_AGE)), true)
                }
                _ => "by hand: portcullis database rotate store --now, with the server stopped".to_owned(),
            },
        );
        page.line(
            "last change",
            &key.last.as_ref().map_or_else(
                || "none yet".to_owned(),
                |last| {
                    let took = span(last.finished_at - last.started_at);
                    format!("{}, took {took}; every row was read back", at(last.finished_at))
                },
            ),
        );
        page.line("key file", self.delivered_to.as_deref().unwrap_or("none: the key is not in a file"));
    }

    fn next(&self, due_at: Option<i64>, adopted: bool) -> String {
        match (self.change, adopted) {
            ("never", _) => "never: nobody said where a new password goes".to_owned(),
            (_, false) => "not before it is adopted".to_owned(),
            (change, true) => {
                let who =
                    if change == "job" { "by a job: portcullis database rotate" } else { "by the server" };
                due_at.map_or_else(|| format!("now, {who}"), |due| format!("{}, {who}", when(due)))
            }
        }
    }
}

fn of_administrator(administrator: &AdministratorStatus) -> String {
    let age =
        administrator.age.seconds.map_or("of unknown age".to_owned(), |age| format!("{} old", span(age)));
    let made = if administrator.generation == 0 {
        "still the platform's".to_owned()
    } else {
        format!("made here, generation {}", administrator.generation)
    };
    let last = administrator.last.as_ref().map(|last| format!("; changed {}", at(last.finished_at)));
    format!("{}, its password {age}; {made}{}", administrator.role, last.unwrap_or_default())
}

/// One line about a change that came to its end.
fn report(report: &Report) -> String {
    let requests = report.failed_requests.map_or_else(
        || match report.sessions_terminated {
            0 => "no session was cut".to_owned(),
            cut => format!("{cut} sessions were cut"),
        },
        |failed| format!("{failed} failed requests"),
    );
    format!(
        "{}, took {}; {} to {}; {} sessions moved over, {requests}; {} proofs",
        at(report.finished_at),
        span(report.finished_at - report.started_at),
        report.from,
        report.to,
        report.sessions_drained,
        report.proofs.len()
    )
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn title(&mut self, name: &str, engine: &str, status: Option<&Status>) {
        let engine = if engine == "sqlcipher" { "SQLCipher" } else { "PostgreSQL" };
        let endpoint = status.map(|status| format!(", {}", status.endpoint)).unwrap_or_default();
        self.0.push_str(&format!("{name}: {engine}{endpoint}\n"));
    }

    fn line(&mut self, name: &str, text: &str) {
        self.0.push_str(&format!("  {name:<14} {text}\n"));
    }
}
