//! `portcullis init`: looks at a repository and writes what it takes to begin: `portcullis.toml`, the update tool's
//! configuration, a step for CI. What is there already is overwritten by nobody but a person who says so.

mod found;
mod templates;

use super::{CommandError, print, print_json};
use crate::command_line::Init;
use ::audit::terminal::{one_line, printable};
use found::Found;
use serde_json::{Value, json};
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;

/// A file that belongs there.
struct Planned {
    path: &'static str,
    text: String,
    manner: Manner,
}

/// How it gets there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// As a whole.
    Whole,
    /// One line more than there is.
    Line(&'static str),
    /// Not at all: what is there does already.
    Covered,
}

/// Where keys, reports and the store of a developer's machine lie.
const DATA: &str = "/data/";

/// What became of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// There was none.
    Written,
    /// There was another one, and a person or `--yes` let it go.
    Overwritten,
    /// There is another one.
    Kept,
    /// There was one that lacks a line, which it has now.
    Appended,
    /// It is there already, word for word.
    Unchanged,
    /// Another one is there, and it does what is wanted.
    Covered,
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
            State::Appended => "appended",
            State::Unchanged => "unchanged",
            State::Covered => "covered",
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
        print(&format!("{:<12} {}{}\n", state.as_str(), planned.path, left_to_do(planned, *state)));
        if arguments.dry_run && !matches!(state, State::Unchanged | State::Covered) {
            let lines = planned.text.lines().map(printable);
            let indented = lines.map(|line| format!("    {line}").trim_end().to_owned());
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
    print(&format!("\nnext: {}\n", one_line(&next(&found))));
    Ok(())
}

/// The files, in the order in which they are told.
fn planned(found: &Found) -> Vec<Planned> {
    let whole = |path, text| Planned { path, text, manner: Manner::Whole };
    let mut files = vec![whole("portcullis.toml", templates::configuration(found))];
    // A tool that looks after everything already wants no second one beside it.
    let covered = found.update_tool_lacks.as_ref().is_some_and(Vec::is_empty);
    match found.renovate {
        Some(path) if covered => {
            files.push(Planned { path, text: String::new(), manner: Manner::Covered });
        }
        Some(_) => {}
        None => {
            let manner = if covered { Manner::Covered } else { Manner::Whole };
            files.push(Planned {
                path: found.dependabot,
                text: templates::dependabot(&found.to_cover),
                manner,
            });
        }
    }
    if !found.gitlab {
        files.push(whole(found::WORKFLOW, templates::WORKFLOW.to_owned()));
    }
    files.extend(ignored(&found.root));
    files
}

/// `.gitignore` with the folder of keys; none where it cannot be read, and is somebody's all the same.
fn ignored(root: &Path) -> Option<Planned> {
    let planned = |text| Some(Planned { path: ".gitignore", text, manner: Manner::Line(DATA) });
    match std::fs::read_to_string(root.join(".gitignore")) {
        Ok(text) => {
            let named =
                text.lines().any(|line| matches!(line.trim().trim_matches('/'), "data" | "data/*" | "*"));
            let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
            planned(if named { text } else { format!("{text}{end}{DATA}\n") })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => planned(format!("{DATA}\n")),
        Err(_) => None,
    }
}

/// What is then a person's to do.
fn left_to_do(planned: &Planned, state: State) -> String {
    match (planned.manner, state) {
        (Manner::Line(line), State::Kept | State::WouldAsk) => {
            format!(" (it lacks {line}: keys and reports lie there)")
        }
        _ => String::new(),
    }
}

fn settle(planned: &Planned, root: &Path, arguments: &Init, asks: bool) -> Result<State, CommandError> {
    let path = root.join(planned.path);
    let state = match std::fs::read_to_string(&path) {
        Ok(text) if text == planned.text => return Ok(State::Unchanged),
        _ if planned.manner == Manner::Covered => return Ok(State::Covered),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if arguments.dry_run {
                State::WouldWrite
            } else {
                State::Written
            }
        }
        // Also what cannot be read: it is somebody's.
        _ if arguments.dry_run => State::WouldAsk,
        _ if arguments.yes || (asks && is_allowed(planned)) => match planned.manner {
            Manner::Line(_) => State::Appended,
            Manner::Whole | Manner::Covered => State::Overwritten,
        },
        _ => State::Kept,
    };
    if matches!(state, State::Written | State::Overwritten | State::Appended) {
        write(root, &path, &planned.text)?;
    }
    Ok(state)
}

fn is_allowed(planned: &Planned) -> bool {
    let path = planned.path;
    print(&match planned.manner {
        Manner::Line(line) => format!("{path} is there already. Append {line} to it? [y/N] "),
        _ => format!("{path} is there already. Overwrite it? [y/N] "),
    });
    let mut answer = String::new();
    let _ = std::io::stdout().flush();
    std::io::stdin().lock().read_line(&mut answer).is_ok()
        && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// Whole or not at all, and inside the repository: a link in somebody's checkout leads nowhere that was not asked for.
fn write(root: &Path, path: &Path, text: &str) -> Result<(), CommandError> {
    let refused =
        |error: std::io::Error| CommandError::failed(format!("cannot write {}: {error}", path.display()));
    if let Some(folder) = path.parent() {
        stays_inside(root, folder).and_then(|()| std::fs::create_dir_all(folder)).map_err(refused)?;
    }
    ::audit::document::replace(path, text).map_err(refused)
}

/// No folder on the way is a link that leads out.
fn stays_inside(root: &Path, folder: &Path) -> std::io::Result<()> {
    let top = root.canonicalize()?;
    let there = folder.ancestors().find(|folder| folder.symlink_metadata().is_ok()).unwrap_or(root);
    if there.canonicalize()?.starts_with(&top) {
        return Ok(());
    }
    let why = format!("{} is a link that leads out of {}", there.display(), root.display());
    Err(std::io::Error::new(std::io::ErrorKind::PermissionDenied, why))
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
            print(&format!("not covered  {}\n", one_line(gap)));
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn no_link_is_written_through_and_nobodys_file_is_lost() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (root, theirs) = (folder.path(), elsewhere.path().join("theirs"));
        std::fs::write(&theirs, "theirs").unwrap();
        // Names that an earlier version wrote its half through, and one of a person's own.
        symlink(&theirs, root.join("portcullis.new")).unwrap();
        std::fs::write(root.join("dependabot.new"), "a person's").unwrap();
        for name in ["portcullis.toml", "dependabot.yml", ".github/workflows/a.yml"] {
            write(root, &root.join(name), "ours").unwrap();
            assert_eq!(std::fs::read_to_string(root.join(name)).unwrap(), "ours");
        }
        assert_eq!(std::fs::read_to_string(root.join("dependabot.new")).unwrap(), "a person's");
        symlink(&theirs, root.join("link.toml")).unwrap();
        symlink(elsewhere.path(), root.join("out")).unwrap();
        for name in ["link.toml", "out/a.yml", "out/b/a.yml"] {
            assert!(write(root, &root.join(name), "ours").is_err(), "{name}");
        }
        assert_eq!(std::fs::read_to_string(&theirs).unwrap(), "theirs");
        assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 1);
    }
}
