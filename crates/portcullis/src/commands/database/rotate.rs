//! `portcullis database rotate`: changes what is due, or what was named.

use super::shown::{span, when};
use super::{Context, configured, failed, selected};
use crate::clock;
use crate::command_line::Where;
use crate::commands::{CommandError, Environment, print, print_json};
use crate::wiring::databases::{Change, Kind, Managed, STORE};
use crate::wiring::key_change::{self, DEFAULT_MAXIMUM_AGE, KeyAge};
use crate::wiring::serving;
use crate::wiring::stewardship::Own;
use ::steward::rotation::{Progress, Report, Rotated};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use store::RekeyStep;

/// Changes passwords. Without a name every one that is due; one that fails does not keep the others from it.
pub async fn run(
    name: Option<&str>,
    now: bool,
    place: &Where,
    environment: &Environment,
) -> Result<(), CommandError> {
    let (_, databases) = configured(place, environment)?;
    let chosen = selected(&databases, name)?;
    let mut done: Vec<Value> = Vec::new();
    let mut faults: Vec<String> = Vec::new();
    let mut code = 0;
    let mut fail = |error: CommandError| {
        code = code.max(error.code);
        faults.push(error.message);
    };
    let postgres: Vec<&Managed> =
        chosen.iter().copied().filter(|managed| matches!(managed.kind, Kind::Postgres { .. })).collect();
    if !postgres.is_empty() {
        let context = Context::open(place, environment).await?;
        for managed in postgres {
            match of_postgres(&context, managed, name.is_some(), now, place).await {
                Ok(outcome) => done.extend(outcome),
                Err(error) => fail(error),
            }
        }
        context.store.close().await;
    }
    for managed in chosen {
        let Kind::SqlCipher { path, key_file, maximum_age } = &managed.kind else { continue };
        // Without a limit nobody asked for changes by themselves.
        if name.is_none() && maximum_age.is_none() {
            continue;
        }
        let age = maximum_age.unwrap_or(DEFAULT_MAXIMUM_AGE);
        match of_file(path, key_file.as_deref(), age, now, place, environment).await {
            Ok(outcome) => done.push(outcome),
            Err(error) => fail(error),
        }
    }
    if place.json {
        print_json(&done)?;
    } else if done.is_empty() && faults.is_empty() {
        print("nothing to change: no [[database]] says where a new password goes\n");
    }
    if faults.is_empty() { Ok(()) } else { Err(CommandError { message: faults.join("\n"), code }) }
}

async fn of_postgres(
    context: &Context,
    managed: &Managed,
    named: bool,
    now: bool,
    place: &Where,
) -> Result<Option<Value>, CommandError> {
    let name = &managed.name;
    let Kind::Postgres { change, .. } = &managed.kind else { return Ok(None) };
    let steward = context.steward.as_ref().filter(|_| managed.configured);
    let (Some(steward), Change::Server | Change::Job) = (steward, change) else {
        if !named {
            return Ok(None);
        }
        return Err(CommandError::usage(if name == STORE && !managed.configured {
            "database.store is missing: add [[database]] with name = \"store\", and store.secret_file for the new \
             password"
                .to_owned()
        } else {
            format!(
                "database.{name}.secret is missing: say where the new password goes, secret = {{ file = \"PATH\" }}"
            )
        }));
    };
    // This process uses the store, too, and goes over as a node does; but nobody waits for it.
    let (end, shutdown) = serving::shutdown();
    let follower = (name == STORE)
        .then(|| Own::of_a_command(&context.store, steward))
        .flatten()
        .map(|own| tokio::spawn(own.follow(shutdown)));
    let bar = Steps::new(name);
    let outcome = steward.rotate(name, now, &|progress| bar.show(progress)).await;
    bar.finish();
    end.begin();
    if let Some(follower) = follower {
        let _ = follower.await;
    }
    let rotated = outcome.map_err(failed)?;
    if !place.json {
        print(&in_words(name, &rotated));
    }
    let mut value =
        serde_json::to_value(&rotated).map_err(|error| CommandError::failed(error.to_string()))?;
    if let Some(fields) = value.as_object_mut() {
        fields.insert("name".to_owned(), json!(name));
    }
    Ok(Some(value))
}

fn in_words(name: &str, rotated: &Rotated) -> String {
    let (report, administrator) = match rotated {
        Rotated::NotDue { due_at } => return format!("{name}: not due before {}\n", when(*due_at)),
        Rotated::Finished { report, administrator } => (report, administrator),
    };
    let mut text = String::new();
    if let Some(report) = report {
        text.push_str(&format!(
            "{name}: {} is replaced by {}, generation {}, in {}; {} sessions moved over, {} were cut\n",
            report.from,
            report.to,
            report.generation,
            span(report.finished_at - report.started_at),
            report.sessions_drained,
            report.sessions_terminated
        ));
        text.push_str(&proofs(report));
    }
    if let Some(report) = administrator {
        text.push_str(&format!("{name}: the password of {} was changed, alone and last\n", report.to));
        text.push_str(&proofs(report));
    }
    text
}

fn proofs(report: &Report) -> String {
    report.proofs.iter().map(|proof| format!("  {}: {}\n", proof.what, proof.seen)).collect()
}

/// The own encrypted file, which no process may have open.
async fn of_file(
    path: &Path,
    key_file: Option<&Path>,
    maximum_age: i64,
    now: bool,
    place: &Where,
    environment: &Environment,
) -> Result<Value, CommandError> {
    let key_file = key_file.ok_or_else(|| {
        CommandError::usage(
            "store.key is no file, so nobody can change it here: write it into a file (mode 0600) and name that in \
             store.key_file",
        )
    })?;
    let open = async || -> Result<store::Store, CommandError> {
        let installation = crate::wiring::installation::Installation::find(place, environment)?;
        Ok(crate::wiring::store::open(&installation.configuration, false).await?)
    };
    if !now {
        let store = open().await?;
        let age = KeyAge::of(&store, Some(key_file)).await;
        store.close().await;
        if let Some(due_at) = age?.due_at(maximum_age).filter(|due_at| *due_at > clock::now()) {
            if !place.json {
                print(&format!("{STORE}: not due before {}\n", when(due_at)));
            }
            return Ok(json!({ "name": STORE, "outcome": "not_due", "due_at": due_at }));
        }
    }
    let key = key_change::new_key().map_err(|message| CommandError { message, code: 70 })?;
    let started_at = clock::now();
    let bar = Steps::new(STORE);
    let outcome = store::rekey(path, key_file, key, |step| bar.key(step)).await;
    bar.finish();
    outcome.map_err(|fault| match fault {
        fault @ store::Fault::InUse { .. } => CommandError::failed(format!(
            "{fault}; a running server changes the key by itself where [[database]] name = \"store\" has a \
             maximum_password_age"
        )),
        fault => fault.into(),
    })?;
    let store = open().await?;
    let report = key_change::record(&store, started_at).await;
    store.close().await;
    let report = report?;
    if !place.json {
        print(&format!(
            "{STORE}: a new key, generation {}, in {}; every row was read back, and the old key opens nothing\n  The key \
             stands in {}; a copy of the old one opens old backups alone.\n",
            report.generation,
            span(report.finished_at - report.started_at),
            key_file.display()
        ));
    }
    Ok(json!({ "name": STORE, "outcome": "finished", "report": report }))
}

/// Drawn on standard error where that is a terminal; elsewhere, in a job's log, a line for each thing that is new: it may
/// wait for an application for an hour.
struct Steps(indicatif::ProgressBar, Mutex<String>);

impl Steps {
    fn new(name: &str) -> Self {
        let bar = indicatif::ProgressBar::new(u64::from(Progress::STEPS));
        if let Ok(style) = indicatif::ProgressStyle::with_template("{prefix} {bar:24} {pos}/{len} {msg}") {
            bar.set_style(style);
        }
        bar.set_prefix(name.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        Steps(bar, Mutex::default())
    }

    fn show(&self, progress: &Progress) {
        self.0.set_position(u64::from(progress.done));
        let text = format!("{}: {}", progress.role, progress.text);
        self.0.set_message(text.clone());
        let mut said = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        if self.0.is_hidden() && *said != text {
            eprintln!("{} {}/{} {text}", self.0.prefix(), progress.done, Progress::STEPS);
            *said = text;
        }
    }

    fn key(&self, step: RekeyStep) {
        self.0.set_length(4);
        let (position, text) = match step {
            RekeyStep::Exporting => (0, "rows are written to a new file"),
            RekeyStep::Verifying => (1, "the new file is read back"),
            RekeyStep::Switching => (2, "it takes the old one's place"),
            RekeyStep::Done => (4, "done"),
        };
        self.0.set_position(position);
        self.0.set_message(text);
    }

    fn finish(&self) {
        self.0.finish_and_clear();
    }
}
