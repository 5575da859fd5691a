//! `portcullis database check`: the same look as `status`, said by the exit code.

use super::{Context, status};
use crate::command_line::One;
use crate::commands::{CommandError, Environment, print, print_json};
use crate::config::Environment as Where;
use serde_json::json;

/// Fails where something must not be. What could not be told counts as found, except in development.
pub async fn run(one: &One, environment: &Environment) -> Result<(), CommandError> {
    let context = Context::open(&one.place, environment).await?;
    let strict = context.installation.configuration.environment != Where::Development;
    let known = status::look(&context, one.name.as_deref()).await?;
    context.store.close().await;
    let mut found = 0;
    let mut text = String::new();
    let mut values = Vec::new();
    for database in &known {
        let (problems, warnings) = (database.problems(), database.warnings());
        let untold = &database.examination.untold;
        found += problems.len() + if strict { untold.len() } else { 0 };
        values.push(json!({
            "name": database.name, "problems": problems, "warnings": warnings, "untold": untold,
        }));
        let lists = [("problem", &problems), ("warning", &warnings), ("not known", untold)];
        for (word, sentences) in lists {
            for sentence in sentences {
                text.push_str(&format!("{}: {word}: {sentence}\n", database.name));
            }
        }
        if lists.iter().all(|(_, sentences)| sentences.is_empty()) {
            text.push_str(&format!("{}: nothing was found\n", database.name));
        }
    }
    if one.place.json {
        print_json(&values)?;
    } else {
        print(&text);
    }
    match found {
        0 => Ok(()),
        1 => Err(CommandError::failed("1 thing was found")),
        count => Err(CommandError::failed(format!("{count} things were found"))),
    }
}
