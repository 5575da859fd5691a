//! `portcullis console`: a way in for who has the machine.

use super::{CommandError, Environment, administered, print, print_json};
use crate::command_line::Console;
use crate::wiring::console::open;
use serde_json::json;

/// Prints a link that opens the board once.
pub async fn run(console: Console, environment: &Environment) -> Result<(), CommandError> {
    let Console::Link(place) = console;
    let (installation, store) = administered(&place, environment).await?;
    let opened = open(&installation.configuration, &store).await;
    store.close().await;
    let opened = opened?.ok_or_else(|| {
        CommandError::usage(
            "this installation has no issuer of its own, so there is no console: set identity.issuer",
        )
    })?;
    if place.json {
        print_json(&json!({ "console": opened.board, "admin_link": opened.link }))
    } else {
        print(&format!("{}\n", opened.link));
        Ok(())
    }
}
