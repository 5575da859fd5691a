//! The formats in which a report leaves: one on standard output, and one for each `--output`.

use super::super::{CommandError, print};
use crate::command_line::{self, Audit};
use crate::config::Configuration;
use ::audit::report::html::Sharing;
use ::audit::report::sarif::{Anchors, Source};
use ::audit::report::{Format, Rendering, render};
use ::audit::state::State;
use ::audit::{Document, Report};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

/// What is asked for, known before anything is looked at.
pub struct Formats {
    printed: Format,
    files: Vec<(Format, PathBuf)>,
    sharing: Sharing,
}

impl Formats {
    /// By `--format`, `--output`, `--public`, and what they leave open.
    pub fn of(arguments: &Audit) -> Result<Self, CommandError> {
        let printed = match (arguments.format, arguments.place.json, &arguments.document) {
            (Some(format), _, _) => format.into(),
            (None, true, _) => Format::Json,
            (None, false, Some(_)) => Format::Markdown,
            (None, false, None) => Format::Text,
        };
        let files = arguments.output.iter().map(|written| output(written)).collect::<Result<Vec<_>, _>>()?;
        // An audit takes its time: what cannot be written afterwards is found out before.
        for (_, file) in &files {
            writable(file)?;
        }
        let asked =
            arguments.format.map(Format::from).into_iter().chain(files.iter().map(|(format, _)| *format));
        if arguments.public
            && let Some(format) =
                asked.into_iter().find(|format| !matches!(format, Format::Html | Format::Badge))
        {
            return Err(CommandError::usage(format!(
                "--public: only the HTML page and the badge can be for strangers; {} shows everything",
                format.as_str()
            )));
        }
        let sharing = if arguments.public { Sharing::Public } else { Sharing::Internal };
        Ok(Self { printed, files, sharing })
    }

    /// Whether an earlier report is worth reading.
    fn want_history(&self) -> bool {
        std::iter::once(self.printed)
            .chain(self.files.iter().map(|(format, _)| *format))
            .any(|format| format == Format::Html)
    }

    /// Prints the one and writes the others: all that can be written, whatever cannot.
    pub fn leave(&self, report: &Report, beside: &Beside<'_>) -> Result<(), CommandError> {
        let history = match (&beside.state, self.want_history()) {
            (Some(state), true) => State::at(state).history(&report.run.environment),
            _ => Vec::new(),
        };
        let rendering = Rendering {
            now: beside.now,
            document: beside.document,
            with: beside.with,
            earlier: beside.earlier,
            history: &history,
            bytes: beside.bytes,
            anchors: beside.anchors.clone(),
            sharing: self.sharing,
            coloured: false,
        };
        let written =
            self.files.iter().map(|(format, file)| write(file, &render(*format, report, &rendering)));
        let refused: Vec<String> = written.filter_map(Result::err).map(|error| error.message).collect();
        let coloured = std::io::stdout().is_terminal();
        print(&render(self.printed, report, &Rendering { coloured, ..rendering }));
        if refused.is_empty() { Ok(()) } else { Err(CommandError::usage(refused.join("\n"))) }
    }
}

/// What the formats may want to know beside the report.
pub struct Beside<'a> {
    pub now: i64,
    pub document: Option<&'a Document>,
    pub with: &'a [Report],
    pub earlier: Option<&'a Report>,
    pub bytes: Option<&'a str>,
    pub anchors: Anchors,
    /// `[audit] state`.
    pub state: Option<PathBuf>,
}

impl From<command_line::Format> for Format {
    fn from(named: command_line::Format) -> Self {
        match named {
            command_line::Format::Text => Self::Text,
            command_line::Format::Markdown => Self::Markdown,
            command_line::Format::Difference => Self::Difference,
            command_line::Format::Json => Self::Json,
            command_line::Format::Sarif => Self::Sarif,
            command_line::Format::Junit => Self::Junit,
            command_line::Format::Html => Self::Html,
            command_line::Format::Oscal => Self::Oscal,
            command_line::Format::Prometheus => Self::Prometheus,
            command_line::Format::Badge => Self::Badge,
        }
    }
}

/// `FORMAT=FILE`, or a file whose name says its format.
fn output(written: &str) -> Result<(Format, PathBuf), CommandError> {
    if let Some((name, file)) = written.split_once('=')
        && let Some(format) = Format::parse(name)
        && !file.is_empty()
    {
        return Ok((format, file.into()));
    }
    Format::of_file(written).map(|format| (format, written.into())).ok_or_else(|| {
        CommandError::usage(format!(
            "--output {written}: its name does not say in which format; write FORMAT=FILE ({})",
            Format::ALL.map(Format::as_str).join(", ")
        ))
    })
}

/// Whether a file can be put where it is to be: another is made there, and is gone at once.
fn writable(file: &Path) -> Result<(), CommandError> {
    let refused = |why: String| CommandError::usage(format!("--output {}: {why}", file.display()));
    match std::fs::metadata(file) {
        Ok(found) if found.is_dir() => return Err(refused("it is a folder".into())),
        // A pipe, a terminal: nothing is put in its place.
        Ok(found) if !found.is_file() => return Ok(()),
        _ => {}
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = format!(".portcullis.{}.try", std::process::id());
    let beside = folder.join(name);
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&beside)
        .and_then(|_| std::fs::remove_file(&beside))
        .map_err(|error| refused(format!("nothing can be written into {}: {error}", folder.display())))
}

/// Whole or not at all: whoever reads it meanwhile (a web server, a node exporter) sees no half of it. What is no file,
/// `/dev/stdout`, a pipe, is written to.
fn write(file: &Path, text: &str) -> Result<(), CommandError> {
    let refused =
        |error: std::io::Error| CommandError::usage(format!("cannot write {}: {error}", file.display()));
    let found = std::fs::metadata(file).ok();
    if found.is_some_and(|found| !found.is_file() && !found.is_dir()) {
        return std::fs::write(file, text).map_err(refused);
    }
    ::audit::document::replace(file, text).map_err(refused)
}

/// The files that findings are pinned to, as the repository names them.
pub fn anchors(arguments: &Audit, configuration: &Configuration, document: Option<&Path>) -> Anchors {
    let written =
        arguments.place.config.clone().unwrap_or_else(|| configuration.folder.join("portcullis.toml"));
    let source = |file: &Path| {
        let text = std::fs::read_to_string(file).ok()?;
        Some(Source { uri: in_repository(file), text })
    };
    Anchors { document: document.and_then(source), configuration: source(&written) }
}

/// Relative to the repository that it is in; the bare name where it is in none.
fn in_repository(file: &Path) -> String {
    let whole = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let top = whole.ancestors().skip(1).find(|folder| folder.join(".git").exists());
    let inside = top.and_then(|top| whole.strip_prefix(top).ok()).map(Path::to_owned);
    let name = || PathBuf::from(whole.file_name().unwrap_or_default());
    inside.unwrap_or_else(name).to_string_lossy().replace('\\', "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_says_its_format_by_name_or_by_word() {
        for (written, format, file) in [
            ("report.html", Format::Html, "report.html"),
            ("junit=out", Format::Junit, "out"),
            ("oscal=a=b.json", Format::Oscal, "a=b.json"),
            ("a=b.json", Format::Json, "a=b.json"),
        ] {
            assert_eq!(output(written).unwrap(), (format, PathBuf::from(file)), "{written}");
        }
        for written in ["report.pdf", "pdf=report", "html="] {
            assert!(output(written).unwrap_err().message.contains("FORMAT=FILE"), "{written}");
        }
    }

    #[test]
    fn a_file_is_written_through_no_link_and_takes_nobodys_place() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let theirs = elsewhere.path().join("theirs");
        std::fs::write(&theirs, "theirs").unwrap();
        let file = |name: &str| folder.path().join(name);
        std::os::unix::fs::symlink(&theirs, file("a.json.new")).unwrap();
        std::fs::write(file("b.json.new"), "a person's").unwrap();
        std::os::unix::fs::symlink(&theirs, file("c.json")).unwrap();
        write(&file("a.json"), "ours").unwrap();
        write(&file("b.json"), "ours").unwrap();
        assert!(write(&file("c.json"), "ours").is_err());
        write(Path::new("/dev/null"), "ours").unwrap();
        assert_eq!(std::fs::read_to_string(file("a.json")).unwrap(), "ours");
        assert_eq!(std::fs::read_to_string(file("b.json.new")).unwrap(), "a person's");
        assert_eq!(std::fs::read_to_string(theirs).unwrap(), "theirs");
    }

    #[test]
    fn where_nothing_can_be_written_is_known_before() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("there.json"), "").unwrap();
        std::fs::create_dir(at("folder.json")).unwrap();
        for (name, good) in
            [("new.json", true), ("there.json", true), ("folder.json", false), ("absent/new.json", false)]
        {
            let found = writable(&at(name));
            assert_eq!(found.is_ok(), good, "{name}: {found:?}");
        }
        assert!(writable(Path::new("/dev/null")).is_ok());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left behind");
    }

    #[test]
    fn files_are_named_as_their_repository_does() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("docs");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(inner.join("m.md"), "").unwrap();
        assert_eq!(in_repository(&inner.join("m.md")), "m.md", "in no repository");
        std::fs::create_dir(folder.path().join(".git")).unwrap();
        assert_eq!(in_repository(&inner.join("m.md")), "docs/m.md");
    }
}
