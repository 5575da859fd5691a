//! A scan for people and for programs.

use serde_json::json;

use super::{Finding, Place, Scanned};
use crate::terminal::printable;

/// The version of the JSON.
const SCHEMA: u32 = 1;

pub(super) fn json(scanned: &Scanned) -> String {
    let mut value = json!({ "schema": SCHEMA, "clean": scanned.findings.is_empty(), "complete": scanned.gaps.is_empty() });
    if let (Some(members), Ok(serde_json::Value::Object(rest))) =
        (value.as_object_mut(), serde_json::to_value(scanned))
    {
        members.extend(rest);
    }
    format!("{value:#}\n")
}

pub(super) fn text(scanned: &Scanned, colours: bool) -> String {
    let shown = printable;
    let paint = |code: &str, text: &str| {
        if colours { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    };
    let mut text = String::new();
    for finding in &scanned.findings {
        let mut places = finding.places.iter();
        let first = places.next().map(place).unwrap_or_default();
        text.push_str(&format!("{}  {}  {}\n", first, paint("31;1", &finding.rule), shown(&finding.what)));
        for other in places {
            text.push_str(&format!("  also {}\n", place(other)));
        }
        if finding.more > 0 {
            text.push_str(&format!("  and in {} more places\n", finding.more));
        }
        for line in details(finding) {
            text.push_str(&format!("  {}\n", shown(&line)));
        }
    }
    for gap in &scanned.gaps {
        text.push_str(&format!("{} {}\n", paint("33;1", "not looked at:"), shown(gap)));
    }
    for note in &scanned.notes {
        text.push_str(&format!("note: {}\n", shown(note)));
    }
    let secrets = |count: usize| if count == 1 { "1 secret".to_owned() } else { format!("{count} secrets") };
    let found = match scanned.findings.len() {
        0 => paint("32;1", "no secret found"),
        count => paint("31;1", &format!("{} found", secrets(count))),
    };
    let let_be = match scanned.allowed.len() {
        0 => String::new(),
        count => format!(", {} let be by pragma or baseline", secrets(count)),
    };
    let objects =
        scanned.objects.map(|count| format!(" and {count} objects of the history")).unwrap_or_default();
    let files = if scanned.files == 1 { "1 file".to_owned() } else { format!("{} files", scanned.files) };
    let megabytes = scanned.bytes as f64 / 1e6;
    text.push_str(&format!("{found}{let_be}: {files}{objects}, {megabytes:.1} MB\n"));
    text
}

fn details(finding: &Finding) -> Vec<String> {
    let fingerprint = finding.fingerprint.iter().map(|fingerprint| format!("fingerprint {fingerprint}"));
    let ignored = finding
        .places
        .iter()
        .any(|place| place.ignored_but_committed)
        .then(|| "a .gitignore names the file, but it is committed: git rm --cached".to_owned());
    fingerprint.chain(finding.note.clone()).chain(ignored).chain([finding.mend.clone()]).collect()
}

fn place(place: &Place) -> String {
    let path = place.path.as_deref().map_or_else(|| "(no commit has it)".into(), printable);
    let mut text = format!("{path}:{}", place.line);
    if let Some(object) = &place.object {
        let commit = place.commit.as_deref().map(|commit| format!("commit {commit}, ")).unwrap_or_default();
        text.push_str(&format!(" ({commit}object {object})"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_does_nothing_to_a_terminal() {
        for (name, shown) in [
            ("caf\u{e9}/a b.txt", "caf\u{e9}/a b.txt"),
            ("a\u{1b}[2Jb\nno secret found", "a\\u{1b}[2Jb\\nno secret found"),
            ("\u{9b}31m\u{202e}txt.exe", "\\u{9b}31m\\u{202e}txt.exe"),
        ] {
            let place = Place { path: Some(name.into()), line: 1, ..Place::default() };
            let finding = Finding {
                rule: "jwt".into(),
                what: name.into(),
                fingerprint: None,
                places: vec![place.clone(), place],
                more: 0,
                in_work_tree: true,
                note: Some(name.into()),
                mend: name.into(),
            };
            let scanned = Scanned {
                findings: vec![finding],
                gaps: vec![name.into()],
                notes: vec![name.into()],
                ..Scanned::default()
            };
            let text = text(&scanned, false);
            assert_eq!(text.matches(shown).count(), 7, "{text}");
            assert!(!text.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{text}");
        }
    }
}
