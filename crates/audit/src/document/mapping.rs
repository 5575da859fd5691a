//! What a team said of its lines: `[audit.lines]` of the configuration, whose keys are the lines' own texts, or a
//! comment in the line, `<!-- measures: A3 A4; words: 5f3a9c01 -->`. Both know when the words are others now.

use std::collections::{BTreeMap, BTreeSet};

use super::{Document, Line, words};
use crate::measures::MeasureId;

/// How it is known which measures a line stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// By its words.
    Words,
    /// Somebody said so in the document or in the configuration.
    Kept,
    /// Somebody said so of other words: it stands for nothing until it is said again.
    Changed {
        /// What was said.
        was: Vec<MeasureId>,
    },
    /// The configuration maps other lines, and not this one.
    New,
}

const BEGIN: &str = "<!-- measures:";
const END: &str = "-->";

/// What a comment in the line says; without one its words say it.
pub(super) fn by_comment_or_words(line: &mut Line) {
    let Some((text, comment)) = apart(&line.text) else {
        line.own = words::measures(&line.text);
        line.mapping = Mapping::Words;
        return;
    };
    line.text = text;
    let (ids, digest) = comment.split_once(';').unwrap_or((&comment, ""));
    // A word that is no measure's (`none`, a slip of the pen) stands for nothing.
    let ids: Vec<MeasureId> = sorted(ids.split_whitespace().filter_map(MeasureId::parse));
    let digest = digest.trim().strip_prefix("words:").map(str::trim);
    if digest.is_some_and(|digest| digest != self::digest(&line.text)) {
        line.mapping = Mapping::Changed { was: ids };
    } else {
        line.own = ids;
        line.mapping = Mapping::Kept;
    }
}

impl Document {
    /// With what the configuration says of its lines, by their texts. A comment in a line counts more. Where the
    /// configuration maps any line, words alone decide on none.
    #[must_use]
    pub fn mapped(mut self, kept: &BTreeMap<String, Vec<MeasureId>>) -> Self {
        if kept.is_empty() {
            return self;
        }
        let kept: BTreeMap<String, &Vec<MeasureId>> =
            kept.iter().map(|(text, ids)| (key(text), ids)).collect();
        let present: BTreeSet<String> = self.lines.iter().map(|line| key(&line.text)).collect();
        let mut orphans: Vec<&String> = kept.keys().filter(|text| !present.contains(*text)).collect();
        for line in self.lines.iter_mut().filter(|line| line.mapping == Mapping::Words) {
            line.own = Vec::new();
            line.mapping = match kept.get(&key(&line.text)) {
                Some(ids) => {
                    line.own = sorted(ids.iter().copied());
                    Mapping::Kept
                }
                None => match akin(&orphans, &line.text) {
                    Some(at) => Mapping::Changed { was: kept[orphans.remove(at)].clone() },
                    None => Mapping::New,
                },
            };
        }
        self.gone = orphans.into_iter().cloned().collect();
        self.supersede();
        self
    }

    /// The text with a comment in every check-box line that says which measures it stands for; `of` says it.
    #[must_use]
    pub fn commented(&self, of: impl Fn(&Line) -> Vec<MeasureId>) -> String {
        let mut raw = self.raw.clone();
        for line in &self.lines {
            let ours = line.number - 1..line.number - 1 + line.height;
            for full in raw.iter_mut().skip(ours.start).take(ours.len()) {
                while let Some((before, after)) = full.split_once(BEGIN)
                    && let Some((_, rest)) = after.split_once(END)
                {
                    *full = format!("{}{rest}", before.trim_end());
                }
            }
            let ids = of(line);
            let comment = format!(
                " {BEGIN} {}; words: {} {END}",
                if ids.is_empty() { "none".into() } else { joined(&ids) },
                digest(&line.text)
            );
            if let Some(full) = raw.get_mut(ours.end - 1) {
                let end = super::blocks::without_end(full).trim_end().len();
                full.insert_str(end, &comment);
            }
        }
        // Evidence of earlier runs stays for the next run to replace.
        super::render::woven(&raw, &self.lines, |line| line.evidence.clone())
    }
}

/// The key of a line in the configuration: its text, spaces between words one each.
pub(super) fn key(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `A3 A4`.
pub(super) fn joined(ids: &[MeasureId]) -> String {
    ids.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(" ")
}

fn sorted(ids: impl Iterator<Item = MeasureId>) -> Vec<MeasureId> {
    ids.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The text without our comment, and what the comment says.
fn apart(text: &str) -> Option<(String, String)> {
    let (before, after) = text.split_once(BEGIN)?;
    let (comment, rest) = after.split_once(END)?;
    Some((format!("{}{rest}", before.trim_end()).trim().to_owned(), comment.trim().to_owned()))
}

/// The first eight digits of the SHA-256 of a line's text: enough to see that somebody changed it.
fn digest(text: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, key(text).as_bytes());
    digest.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// Which of the texts is the one that this was: half of all words of both are the same.
fn akin(texts: &[&String], text: &str) -> Option<usize> {
    let words = |text: &str| -> BTreeSet<String> {
        text.to_lowercase()
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let ours = words(text);
    let alike = |other: &str| {
        let theirs = words(other);
        let (both, all) = (ours.intersection(&theirs).count(), ours.union(&theirs).count());
        (2 * both >= all && both > 0).then_some(1000 * both / all.max(1))
    };
    let nearest = texts
        .iter()
        .enumerate()
        .filter_map(|(at, other)| Some((alike(other)?, at)))
        .max_by_key(|(how, _)| *how);
    nearest.map(|(_, at)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MeasureId::{A3, A4, N2};

    fn kept(lines: &[(&str, &[MeasureId])]) -> BTreeMap<String, Vec<MeasureId>> {
        lines.iter().map(|(text, ids)| ((*text).to_owned(), ids.to_vec())).collect()
    }

    #[test]
    fn the_configuration_decides_and_notices_other_words() {
        let source =
            "- [ ] Unser  Passwort ist stark.\n- [ ] CORS lets in the frontend.\n- [x] Lunch is at noon.\n";
        let document = Document::parse(source).mapped(&kept(&[
            ("Unser Passwort ist stark.", &[A4, A3]),
            ("Lunch is at one o'clock, noon.", &[N2]),
            ("Something else entirely.", &[N2]),
        ]));
        let lines = document.lines();
        assert_eq!((lines[0].own.as_slice(), &lines[0].mapping), (&[A3, A4][..], &Mapping::Kept));
        assert_eq!((lines[1].own.as_slice(), &lines[1].mapping), (&[][..], &Mapping::New), "no words decide");
        assert_eq!(lines[2].mapping, Mapping::Changed { was: vec![N2] });
        assert_eq!(document.gone(), ["Something else entirely."]);
        let notes = document.notes().join("\n");
        for part in [
            "not measured, as no measure stands for it: \"CORS lets",
            "\"Lunch is at noon.\" changed since",
            "Something else",
        ] {
            assert!(notes.contains(part), "{notes}");
        }
    }

    #[test]
    fn nothing_said_leaves_the_words() {
        let document = Document::parse("- [ ] CORS.").mapped(&BTreeMap::new());
        assert_eq!(document.lines()[0].own, [N2]);
    }

    #[test]
    fn a_comment_decides_before_everything_else() {
        let line = |text: &str| {
            let document = Document::parse(text).mapped(&kept(&[("CORS.", &[A4])]));
            let line = document.lines()[0].clone();
            (line.text, line.own, line.mapping)
        };
        let text = || "CORS.".to_owned();
        assert_eq!(line("- [ ] CORS."), (text(), vec![A4], Mapping::Kept));
        assert_eq!(line("- [ ] CORS. <!-- measures: A3 -->"), (text(), vec![A3], Mapping::Kept));
        assert_eq!(line("- [ ] CORS.<!-- measures: none -->"), (text(), vec![], Mapping::Kept));
        assert_eq!(line("- [ ] CORS. <!-- a note -->").2, Mapping::New, "another comment is theirs");
        let other = line("- [ ] CORS. <!-- measures: A3; words: 00000000 -->");
        assert_eq!(other, (text(), vec![], Mapping::Changed { was: vec![A3] }));
    }

    #[test]
    fn comments_are_written_once_and_say_what_was_said() {
        let source = "- [x] CORS,\r\n  for us.  \r\n1. [ ] Zwölf Äpfel";
        let of = |line: &Line| if line.number == 1 { vec![A3, A4] } else { Vec::new() };
        let text = Document::parse(source).commented(of);
        let again = Document::parse(&text);
        assert_eq!(again.lines()[0].own, [A3, A4], "{text}");
        assert_eq!(again.lines()[0].text, "CORS, for us.");
        assert_eq!((again.lines()[1].own.len(), &again.lines()[1].mapping), (0, &Mapping::Kept));
        assert!(text.starts_with("- [x] CORS,\r\n  for us. <!-- measures: A3 A4; words: "), "{text}");
        assert_eq!(again.commented(of), text);
    }
}
