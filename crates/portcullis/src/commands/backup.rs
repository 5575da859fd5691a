//! `portcullis backup` and `restore`: the whole store in one encrypted file, and back, on either engine.

use super::{CommandError, Environment, columns, print, print_json};
use crate::command_line::{Backup, Restore, Where};
use crate::config::Configuration;
use crate::wiring::databases::STORE;
use crate::wiring::installation::Installation;
use crate::wiring::store::{self as store_wiring, Source};
use secrecy::SecretSlice;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;
use store::backup::{Contents, Progress};

/// Copies the store of a running or a stopped installation, and reads the copy back.
pub async fn backup(arguments: &Backup, environment: &Environment) -> Result<(), CommandError> {
    let installation = found(&arguments.place, environment)?;
    let configuration = &installation.configuration;
    let store = store_wiring::open(configuration, false).await?;
    let key = key(configuration, arguments.key_file.as_ref(), true)?;
    let bar = Bar::new();
    let copied = store::backup::write(&store, &arguments.file, &key, |progress| bar.show(&progress)).await;
    bar.finish();
    store.close().await;
    let copied = copied?;
    shown(&arguments.place, &arguments.file, &copied, "copied and read back")
}

/// Fills the store of a stopped installation.
pub async fn restore(arguments: &Restore, environment: &Environment) -> Result<(), CommandError> {
    let installation = found(&arguments.place, environment)?;
    let configuration = &installation.configuration;
    if !arguments.file.exists() {
        return Err(CommandError::usage(format!("there is no backup at {}", arguments.file.display())));
    }
    let store = store_wiring::open(configuration, true).await?;
    let key = key(configuration, arguments.key_file.as_ref(), false)?;
    let bar = Bar::new();
    let restored = store::backup::restore(&store, &arguments.file, &key, arguments.replace, |progress| {
        bar.show(&progress)
    })
    .await;
    bar.finish();
    let outcome = match restored {
        // The journal of the store's own credential is of the database that was copied. This one has its own.
        Ok(restored) => forget_own(&store).await.map(|()| restored),
        Err(fault) => Err(fault),
    };
    store.close().await;
    let restored = outcome.map_err(|fault| match fault {
        fault @ store::Fault::NotEmpty { .. } => CommandError::failed(format!("{fault} with --replace")),
        fault => fault.into(),
    })?;
    shown(&arguments.place, &arguments.file, &restored, "restored and compared")
}

/// Entries are named `store`, and `store/…` for what belongs to it.
async fn forget_own(store: &store::Store) -> Result<(), store::Fault> {
    for row in store.rotations().await? {
        if row.name.split('/').next() == Some(STORE) {
            store.forget_rotations(&row.name).await?;
        }
    }
    Ok(())
}

fn found(place: &Where, environment: &Environment) -> Result<Installation, CommandError> {
    let installation = Installation::find(place, environment)?;
    if store_wiring::has_store(&installation.configuration) {
        Ok(installation)
    } else {
        Err(CommandError::usage("this installation has no store: there is nothing to copy"))
    }
}

/// The key of the copy: the file that was named, else the one of the store.
fn key(
    configuration: &Configuration,
    named: Option<&PathBuf>,
    make: bool,
) -> Result<SecretSlice<u8>, CommandError> {
    if let Some(file) = named {
        if make && !file.exists() {
            store_wiring::make_key(file)?;
        }
        return configuration
            .secrets()
            .key("key", Some(file), None)?
            .ok_or_else(|| CommandError::usage(format!("{} holds no key", file.display())));
    }
    match store_wiring::source(configuration)? {
        Source::SqlCipher { key_file: Some(file), .. } => {
            Ok(store_wiring::keys(configuration, &file)?.current)
        }
        Source::SqlCipher { .. } => match store_wiring::location(configuration, false)? {
            store::Location::SqlCipher { key, .. } => Ok(key),
            store::Location::Postgres { .. } => Err(CommandError::usage("name a key with --key-file FILE")),
        },
        Source::Postgres(_) => Err(CommandError::usage(
            "the copy is an encrypted file, and a PostgreSQL store has no key for it: name one with --key-file FILE; it \
             is made, mode 0600, where it is not there",
        )),
    }
}

fn shown(place: &Where, file: &Path, contents: &[Contents], what: &str) -> Result<(), CommandError> {
    if place.json {
        let tables: Vec<_> = contents
            .iter()
            .map(|table| json!({ "table": table.table, "rows": table.rows, "digest": table.digest }))
            .collect();
        return print_json(&json!({ "file": file, "tables": tables }));
    }
    let mut rows = vec![vec!["TABLE".to_owned(), "ROWS".to_owned()]];
    rows.extend(contents.iter().map(|table| vec![table.table.clone(), table.rows.to_string()]));
    print(&columns(&rows));
    let total: u64 = contents.iter().map(|table| table.rows).sum();
    print(&format!("{}: {total} rows {what}\n", file.display()));
    Ok(())
}

/// Drawn on standard error, and only where that is a terminal.
struct Bar(indicatif::ProgressBar);

impl Bar {
    fn new() -> Self {
        let bar = indicatif::ProgressBar::new(0);
        if let Ok(style) = indicatif::ProgressStyle::with_template("{bar:24} {pos}/{len} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Bar(bar)
    }

    fn show(&self, progress: &Progress<'_>) {
        self.0.set_length(progress.tables as u64);
        self.0.set_position(progress.number as u64);
        self.0.set_message(format!("{}: {} rows", progress.table, progress.rows));
    }

    fn finish(&self) {
        self.0.finish_and_clear();
    }
}
