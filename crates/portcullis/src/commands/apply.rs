//! `portcullis apply`: the store as it is declared. Twice is as good as once.

use super::user::PasswordRules;
use super::{CommandError, Environment, administered, print, print_json};
use crate::clock::{draw, now};
use crate::command_line::Apply;
use crate::config::Configuration;
use admin::apply::{Applied, Options, apply};
use admin::declared::Declared;
use secrecy::ExposeSecret as _;
use std::path::PathBuf;
use store::Store;

/// Shows the difference, and makes it so.
pub async fn run(arguments: &Apply, environment: &Environment) -> Result<(), CommandError> {
    let (installation, store) = administered(&arguments.place, environment).await?;
    let options = Options { dry_run: arguments.dry_run, prune: arguments.prune };
    let applied = apply_files(&installation.configuration, &store, &arguments.files, options).await?;
    store.close().await;
    if arguments.place.json {
        return print_json(&applied);
    }
    let mut text = String::new();
    for change in &applied.changes {
        text.push_str(&format!("{change}\n"));
    }
    for secret in &applied.secrets {
        text.push_str(&format!(
            "the secret of {} (client_id {}), shown this once: {}\n",
            secret.application,
            secret.client_id,
            secret.client_secret.expose_secret()
        ));
    }
    text.push_str(match (applied.changes.len(), applied.dry_run) {
        (0, _) => "everything is as declared\n",
        (_, true) => "nothing was changed: --dry-run\n",
        (_, false) => "done\n",
    });
    print(&text);
    Ok(())
}

/// Applies files, at the command or at a start.
pub async fn apply_files(
    configuration: &Configuration,
    store: &Store,
    files: &[PathBuf],
    options: Options,
) -> Result<Applied, CommandError> {
    let declared = Declared::read_files(files)?;
    let mut rules = PasswordRules::of(configuration);
    Ok(apply(store, &declared, options, &mut rules.passwords(), now(), &mut draw::<32>).await?)
}
