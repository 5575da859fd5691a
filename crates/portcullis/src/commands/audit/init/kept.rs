//! `[audit.lines]` in the configuration's text: what else stands there, comments included, stays as it is.

use crate::command_line::Where;
use crate::commands::CommandError;
use crate::config::{in_its_words, raw};
use audit::MeasureId;
use std::path::{Component, Path, PathBuf};
use toml_edit::{Array, DocumentMut, Item, Table, value};

/// Which file of configuration is meant; none where there is none.
pub fn place(place: &Where) -> Option<PathBuf> {
    let named = || Some(PathBuf::from("portcullis.toml")).filter(|file| file.exists());
    let of_dev = || Path::new(".portcullis/dev.json").exists().then(|| ".portcullis/portcullis.toml".into());
    match (&place.config, &place.dir) {
        (Some(file), _) => Some(file.clone()),
        (None, Some(dir)) => Some(dir.join("portcullis.toml")),
        (None, None) => named().or_else(of_dev),
    }
}

/// The configuration's text with these lines, and with the document where it names none.
pub fn edited(
    file: &Path,
    document: &Path,
    lines: &[(String, Vec<MeasureId>)],
) -> Result<String, CommandError> {
    let source = match std::fs::read_to_string(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        read => {
            read.map_err(|error| CommandError::usage(format!("cannot read {}: {error}", file.display())))?
        }
    };
    let in_file = |error: String| CommandError::usage(format!("{}: {error}", file.display()));
    let text = with_lines(&source, &relative(file, document), lines).map_err(in_file)?;
    // What comes out must be a configuration, whatever the file looked like.
    toml::from_str::<raw::File>(&text).map_err(|error| in_file(in_its_words(&error)))?;
    Ok(text)
}

fn with_lines(source: &str, document: &str, lines: &[(String, Vec<MeasureId>)]) -> Result<String, String> {
    let mut toml: DocumentMut = source.parse().map_err(|error: toml_edit::TomlError| error.to_string())?;
    // A table that is new goes to the very end: what is commented out there belongs to the table before it.
    let end = toml.trailing().as_str().unwrap_or_default().to_owned();
    let is_new = match toml.get("audit") {
        Some(Item::Table(audit)) => !audit.contains_key("lines"),
        None => true,
        _ => false,
    };
    let table = || Item::Table(Table::new());
    let audit = toml.entry("audit").or_insert_with(table);
    let audit = audit.as_table_like_mut().ok_or("[audit] is no table")?;
    if !audit.contains_key("document") {
        audit.insert("document", value(document));
    }
    let kept = audit.entry("lines").or_insert_with(table);
    let kept = kept.as_table_like_mut().ok_or("[audit.lines] is no table")?;
    let gone: Vec<String> = kept
        .iter()
        .map(|(text, _)| text.to_owned())
        .filter(|text| !lines.iter().any(|(line, _)| line == text))
        .collect();
    for text in gone {
        kept.remove(&text);
    }
    for (text, ids) in lines {
        let ids: Array = ids.iter().map(|id| id.as_str()).collect();
        match kept.get_mut(text) {
            // In its place, with the comment behind it.
            Some(found) => {
                let decor = found.as_value().map(|value| value.decor().clone());
                let mut new = toml_edit::Value::from(ids);
                if let Some(decor) = decor {
                    *new.decor_mut() = decor;
                }
                *found = Item::Value(new);
            }
            None => {
                kept.insert(text, value(ids));
            }
        }
    }
    if is_new && let Some(kept) = toml["audit"]["lines"].as_table_mut() {
        kept.set_position(Some(isize::MAX));
        kept.decor_mut().set_prefix(format!("{end}\n"));
        toml.set_trailing("");
    }
    Ok(toml.to_string())
}

/// The document as the configuration names it: from its own folder.
fn relative(file: &Path, document: &Path) -> String {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let (folder, document) = (real(folder), real(document));
    let same = folder.components().zip(document.components()).take_while(|(one, other)| one == other).count();
    let up = folder.components().skip(same).map(|_| Component::ParentDir);
    up.chain(document.components().skip(same)).collect::<PathBuf>().display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use audit::MeasureId::{A3, A4, N2};

    fn line(text: &str, ids: &[MeasureId]) -> (String, Vec<MeasureId>) {
        (text.to_owned(), ids.to_vec())
    }

    #[test]
    fn comments_and_everything_else_stay() {
        let source = "# ours\nenvironment = \"staging\" # for now\n\n[audit] # who\ntarget = \"https://a\"\n\n\
                      [audit.lines]\n# the strong one\n\"It's \\\"strong\\\".\" = [\"A3\"] # sure\n\"Old\" = [\"N2\"]\n\n\
                      [gateway]\naudience = \"x\"\n";
        let lines = [line("It's \"strong\".", &[A3, A4]), line("Neu: Äpfel", &[N2]), line("Lunch", &[])];
        let text = with_lines(source, "docs/ours.md", &lines).unwrap();
        for part in [
            "# ours\nenvironment = \"staging\" # for now\n",
            "[audit] # who\ntarget = \"https://a\"\ndocument = \"docs/ours.md\"\n",
            "# the strong one\n\"It's \\\"strong\\\".\" = [\"A3\", \"A4\"] # sure\n",
            "\"Neu: Äpfel\" = [\"N2\"]\n",
            "Lunch = []\n",
            "[gateway]\naudience = \"x\"\n",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
        assert!(!text.contains("Old"), "{text}");
        assert_eq!(with_lines(&text, "other.md", &lines).unwrap(), text, "twice is once");
    }

    #[test]
    fn what_is_commented_out_at_the_end_stays_with_its_table() {
        for source in [
            "[audit]\ntarget = \"https://a\"\n# advisories = \"db\"\n",
            "[audit]\ntarget = \"https://a\"\n# advisories = \"db\"\n\n[gateway]\n# listen = \"b\"\n",
        ] {
            let text = with_lines(source, "ours.md", &[line("CORS.", &[N2])]).unwrap();
            let again: toml::Table = toml::from_str(&text.replace("# ", "")).unwrap();
            assert_eq!(again["audit"]["advisories"].as_str(), Some("db"), "{text}");
            assert_eq!(again["audit"]["lines"].as_table().map(toml::Table::len), Some(1), "{text}");
            assert!(text.ends_with("\n\n[audit.lines]\n\"CORS.\" = [\"N2\"]\n"), "{text}");
            assert_eq!(
                again.get("gateway").map(|gateway| gateway["listen"].as_str()),
                source.contains("gateway").then_some(Some("b"))
            );
        }
    }

    #[test]
    fn a_document_is_named_from_the_configurations_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("a/b")).unwrap();
        for (file, document, named) in [
            ("portcullis.toml", "docs/ours.md", "docs/ours.md"),
            ("a/portcullis.toml", "ours.md", "../ours.md"),
            ("a/b/portcullis.toml", "docs/ours.md", "../../docs/ours.md"),
        ] {
            let document = folder.path().join(document);
            std::fs::create_dir_all(document.parent().unwrap()).unwrap();
            std::fs::write(&document, "").unwrap();
            assert_eq!(relative(&folder.path().join(file), &document), named);
        }
    }

    #[test]
    fn an_empty_file_gets_both_tables() {
        let text = with_lines("", "ours.md", &[line("CORS.", &[N2])]).unwrap();
        assert_eq!(text, "[audit]\ndocument = \"ours.md\"\n\n[audit.lines]\n\"CORS.\" = [\"N2\"]\n");
        assert!(with_lines("audit = 1", "ours.md", &[]).is_err());
    }
}
