//! `portcullis init`: looks at a repository and writes what it takes to begin: `portcullis.toml`, the update tool's
//! configuration, a step for CI. What is there already is overwritten by nobody but a person who says so.

mod found;
mod templates;

use super::{CommandError, print, print_json};
use crate::command_line::Init;
use found::Found;
use serde_json::{Value, json};
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;

/// A file that belongs there.
struct Planned {
    path: &'static str,
    text: String,
}

/// What became of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// There was none.
    Written,
    /// There was another one, and a person or `--yes` let it go.
    Overwritten,
    /// There is another one.
    Kept,
    /// It is there already, word for word.
    Unchanged,
    /// `--dry-run`: there is none.
    WouldWrite,
    /// `--dry-run`: there is another one.
    WouldAsk,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            State::Written => "written",
            State::Overwritten => "overwritten",
            State::Kept => "kept",
            State::Unchanged => "unchanged",
            State::WouldWrite => "would write",
            State::WouldAsk => "would ask",
        }
    }
}

/// Looks, writes, and says what comes next.
pub fn run(arguments: &Init) -> Result<(), CommandError> {
    let folder = &arguments.folder;
    if !folder.is_dir() {
        return Err(CommandError::usage(format!("{} is no folder", folder.display())));
    }
    let found = Found::look(folder);
    let asks = std::io::stdin().is_terminal() && std::io::stdout().is_terminal() && !arguments.json;
    let mut states = Vec::new();
    for planned in planned(&found) {
        let state = settle(&planned, &found.root, arguments, asks)?;
        states.push((planned, state));
    }
    let after = After::look(&found);
    if arguments.json {
        return print_json(&as_json(&found, &states, &after));
    }
    print(&found.to_string());
    for (planned, state) in &states {
        print(&format!("{:<12} {}\n", state.as_str(), planned.path));
        if arguments.dry_run && *state != State::Unchanged {
            let indented = planned.text.lines().map(|line| format!("    {line}").trim_end().to_owned());
            print(&format!("{}\n", indented.collect::<Vec<_>>().join("\n")));
        }
    }
    if found.gitlab {
        print("\nFor .gitlab-ci.yml, which is yours to write:\n\n");
        print(templates::GITLAB);
    }
    if !arguments.dry_run {
        after.print();
    }
    print(&format!("\nnext: {}\n", next(&found)));
    Ok(())
}

/// The files, in the order in which they are told.
fn planned(found: &Found) -> Vec<Planned> {
    let mut files = vec![Planned { path: "portcullis.toml", text: templates::configuration(found) }];
    // A tool that looks after everything already wants no second one beside it.
    if found.update_tool_lacks.as_ref().is_none_or(|gaps| !gaps.is_empty()) && !found.renovate {
        files.push(Planned { path: found.dependabot, text: templates::dependabot(&found.to_cover) });
    }
    if !found.gitlab {
        files.push(Planned { path: found::WORKFLOW, text: templates::WORKFLOW.to_owned() });
    }
    files
}

fn settle(planned: &Planned, root: &Path, arguments: &Init, asks: bool) -> Result<State, CommandError> {
    let path = root.join(planned.path);
    let state = match std::fs::read_to_string(&path) {
        Ok(text) if text == planned.text => return Ok(State::Unchanged),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if arguments.dry_run {
                State::WouldWrite
            } else {
                State::Written
            }
        }
        // Also what cannot be read: it is somebody's.
        _ if arguments.dry_run => State::WouldAsk,
        _ if arguments.yes || (asks && is_allowed(planned.path)) => State::Overwritten,
        _ => State::Kept,
    };
    if matches!(state, State::Written | State::Overwritten) {
        write(&path, &planned.text)?;
    }
    Ok(state)
}

fn is_allowed(path: &str) -> bool {
    print(&format!("{path} is there already. Overwrite it? [y/N] "));
    let mut answer = String::new();
    let _ = std::io::stdout().flush();
    std::io::stdin().lock().read_line(&mut answer).is_ok()
        && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// Whole or not at all: beside it first.
fn write(path: &Path, text: &str) -> Result<(), CommandError> {
    let refused =
        |error: std::io::Error| CommandError::failed(format!("cannot write {}: {error}", path.display()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(refused)?;
    }
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, path)).map_err(refused)
}

/// What the update tool leaves out once everything is written.
struct After {
    gaps: Vec<String>,
}

impl After {
    fn look(found: &Found) -> Self {
        After { gaps: Found::look(&found.root).update_tool_lacks.unwrap_or_default() }
    }

    fn print(&self) {
        for gap in &self.gaps {
            print(&format!("not covered  {gap}\n"));
        }
    }
}

fn next(found: &Found) -> String {
    match &found.openapi {
        Some(file) => format!(
            "portcullis check, then: portcullis dev --upstream {} --openapi {file}",
            found.upstream.url
        ),
        None => "portcullis check, then: portcullis dev".to_owned(),
    }
}

fn as_json(found: &Found, states: &[(Planned, State)], after: &After) -> Value {
    let files: Vec<Value> = states
        .iter()
        .map(|(planned, state)| json!({"path": planned.path, "state": state.as_str().replace(' ', "_"), "text": planned.text}))
        .collect();
    json!({
        "root": found.root,
        "found": found.to_json(),
        "files": files,
        "not_covered": after.gaps,
        "gitlab_ci": found.gitlab.then_some(templates::GITLAB),
        "next": next(found),
    })
}
