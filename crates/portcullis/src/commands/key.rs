//! `portcullis key`: API keys on their way out.

use super::{CommandError, Environment, administered, print, print_json, show, show_list};
use crate::clock::{draw, fresh, now};
use crate::command_line::Key;
use crate::commands::api::seconds;
use crate::config::Environment as Stage;
use crate::wiring::gateway::sunset_that_passed;
use crate::wiring::installation::Installation;
use admin::api_keys::{self, Fresh, NewKey};

/// Does what was asked, straight on the store.
pub async fn run(key: Key, environment: &Environment) -> Result<(), CommandError> {
    const FIELDS: [&str; 6] = ["id", "name", "scopes", "expires_at", "revoked_at", "uses"];
    match key {
        Key::Create { name, scopes, client, expires, place } => {
            let (installation, store) = administered(&place, environment).await?;
            let key = NewKey {
                name,
                scopes,
                client_id: client,
                expires_at: expires
                    .as_deref()
                    .map(seconds)
                    .transpose()?
                    .map(|seconds| now().saturating_add(seconds)),
                environment: stage(installation.configuration.environment),
            };
            let random = Fresh {
                id: fresh().map_err(CommandError::failed)?,
                key: fresh().map_err(CommandError::failed)?,
            };
            let made = api_keys::create(&store, &key, now(), random).await?;
            warn_after_sunset(&installation);
            show(&place, &made)
        }
        Key::Import { file, place } => {
            let (text, name) = if file == std::path::Path::new("-") {
                (std::io::read_to_string(std::io::stdin()), "standard input".to_owned())
            } else {
                (std::fs::read_to_string(&file), file.display().to_string())
            };
            let text = text.map_err(|error| CommandError::usage(format!("cannot read {name}: {error}")))?;
            let imports = api_keys::read_imports(&text, &name)?;
            let (installation, store) = administered(&place, environment).await?;
            let imported = api_keys::import(&store, &imports, now(), &mut draw::<8>).await?;
            warn_after_sunset(&installation);
            show_list(&place, &imported, &["id", "name", "scopes", "expires_at", "already_there"])
        }
        Key::List(place) => {
            let (_, store) = administered(&place, environment).await?;
            show_list(&place, &api_keys::list(&store).await?, &FIELDS)
        }
        Key::Report(place) => {
            let (installation, store) = administered(&place, environment).await?;
            warn_after_sunset(&installation);
            let report = api_keys::report(&store, now()).await?;
            if place.json {
                return print_json(&report);
            }
            print(&format!(
                "{} in use, {} unused for 30 days, {} without an application that takes their place\n",
                report.in_use, report.unused, report.without_application
            ));
            show_list(&place, &report.keys, &["id", "name", "state", "last_used_at", "uses", "expires_at"])
        }
        Key::Show { key, place } => {
            let (_, store) = administered(&place, environment).await?;
            show(&place, &api_keys::show(&store, &key).await?)
        }
        Key::Update { key, revoke, client, place } => {
            let (_, store) = administered(&place, environment).await?;
            let mut changed = None;
            if let Some(client) = client {
                changed = Some(api_keys::bind(&store, &key, &client, now()).await?);
            }
            if revoke {
                changed = Some(api_keys::revoke(&store, &key, now()).await?);
            }
            match changed {
                Some(changed) => show(&place, &changed),
                None => Err(CommandError::usage("nothing to change: say --client ID, --revoke, or both")),
            }
        }
        Key::Delete { key, place } => {
            let (_, store) = administered(&place, environment).await?;
            Ok(api_keys::delete(&store, &key, now()).await?)
        }
    }
}

/// Keys after their sunset open nothing; whoever makes or counts some is told what is to be done instead.
fn warn_after_sunset(installation: &Installation) {
    if let Some(passed) = sunset_that_passed(&installation.configuration, now()) {
        eprintln!("warning: {passed}");
    }
}

/// The environment that stands in a key, so that a scanner and a person see where it belongs.
fn stage(environment: Stage) -> api_keys::Environment {
    match environment {
        Stage::Development => api_keys::Environment::Development,
        Stage::Staging => api_keys::Environment::Staging,
        Stage::Production => api_keys::Environment::Production,
    }
}
