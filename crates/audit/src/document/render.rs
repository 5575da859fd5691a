//! The document again: its text byte for byte, the character between the brackets by evidence, and one line of evidence
//! below each line that is measured.

use super::judge::{Reports, holds, told};
use super::{Document, EVIDENCE, Line, Standing, blocks};
use crate::measures::MeasureId;
use crate::report::{Report, seconds_of};

/// Divides the document from what a run prints after it; never written into the team's file.
pub(super) const APART: &str = "<!-- portcullis: what follows is not part of the document -->";
/// What begins the evidence of a line whose words are others now.
pub(super) const CHANGED: &str = "the line changed since it was mapped";
/// Evidence that says the same is written again after this many days, in seconds: a document in a repository does not
/// change every day, and its dates are never older than a week.
const QUIET: i64 = 6 * 86_400;
const SEEN: &str = "seen ";

impl Document {
    /// The text with boxes and evidence, by a report, those of other environments, and the time (Unix seconds).
    #[must_use]
    pub fn render(&self, report: &Report, with: &[Report], now: i64) -> String {
        let reports = Reports { current: report, with, now };
        let mut raw = self.raw.clone();
        for line in &self.lines {
            let ticked = match self.judged(line, reports).standing {
                // The character that somebody wrote, `X` say, stays where it says the same.
                Standing::Ticked if !line.ticked => "x",
                Standing::Open if line.ticked => " ",
                _ => continue,
            };
            if let Some(full) = raw.get_mut(line.number - 1) {
                full.replace_range(line.mark..=line.mark, ticked);
            }
        }
        woven(&raw, &self.lines, |line| {
            let new = self.judged(line, reports).evidence;
            match &line.evidence {
                Some(old) if says_the_same(old, &new) => Some(old.clone()),
                _ => (!new.is_empty()).then_some(new),
            }
        })
    }
}

/// The document as it is printed: behind its text what it does not speak of, and what of it is not measured.
pub(crate) fn printed(document: &Document, report: &Report, with: &[Report], now: i64) -> String {
    let mut text = document.render(report, with, now);
    let beyond: Vec<_> = report
        .measures
        .iter()
        .filter(|measure| is_beyond(measure.id) && document.line_of(measure.id).is_none())
        .collect();
    let judged = document.judge(report, with, now);
    let unmeasured: Vec<_> =
        judged.iter().filter(|one| one.standing == Standing::NotMeasured).map(|one| one.line).collect();
    if beyond.is_empty() && unmeasured.is_empty() && document.gone().is_empty() {
        return text;
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&format!("\n{APART}\n"));
    if !beyond.is_empty() {
        text.push_str("\n## Beyond the document\n\n");
        for measure in beyond {
            let mark = if holds(measure) { 'x' } else { ' ' };
            text.push_str(&format!("- [{mark}] {}\n  {EVIDENCE}{}\n", measure.line, told(measure, report)));
        }
    }
    if !unmeasured.is_empty() {
        text.push_str("\n## Not measured\n\nTheir boxes are as they were.\n\n");
        for line in unmeasured {
            text.push_str(&format!("- {}\n", line.text));
        }
    }
    if !document.gone().is_empty() {
        text.push_str("\n## Mapped, and not in the document\n\n");
        for gone in document.gone() {
            text.push_str(&format!("- {gone}\n"));
        }
    }
    text
}

/// Whether the measure is none of those that the contract's document speaks of.
fn is_beyond(id: MeasureId) -> bool {
    id.as_str().starts_with('X')
}

/// The lines with evidence below those that have some.
pub(super) fn woven(raw: &[String], lines: &[Line], evidence: impl Fn(&Line) -> Option<String>) -> String {
    let mut text = String::new();
    let mut at = 0;
    for line in lines {
        let below = line.number - 1 + line.height;
        for full in raw.iter().take(below).skip(at) {
            text.push_str(full);
        }
        at = below;
        let Some(evidence) = evidence(line) else { continue };
        let Some(last) = raw.get(below - 1) else { continue };
        let (end, complete) = (blocks::end(raw, below - 1), last.ends_with('\n'));
        if !complete {
            if last.ends_with('\r') {
                // Half an end: nothing could be put behind it and taken away again.
                continue;
            }
            text.push_str(end);
        }
        let indent = raw.get(line.number - 1).map(|first| &first[..first.len() - first.trim_start().len()]);
        text.push_str(indent.unwrap_or_default());
        text.extend(std::iter::repeat_n(' ', line.width));
        text.push_str(EVIDENCE);
        text.push_str(&evidence);
        if complete {
            text.push_str(end);
        }
    }
    for full in raw.iter().skip(at) {
        text.push_str(full);
    }
    text
}

/// Whether nothing is new but the days, and those are recent; and numbers, which were true on their day: how many values
/// a store has, how many requests were made. What X is, is no such number.
fn says_the_same(old: &str, new: &str) -> bool {
    let (old, new) = (apart(old), apart(new));
    let recent = |(old, new): (&i64, &i64)| (0..=QUIET).contains(&(new - old));
    old.0 == new.0 && old.1.len() == new.1.len() && old.1.iter().zip(&new.1).all(recent)
}

/// The words, and the days (Unix seconds) that stood behind `seen`.
fn apart(evidence: &str) -> (String, Vec<i64>) {
    let (mut words, mut days) = (String::new(), Vec::new());
    let mut rest = evidence;
    while let Some((before, after)) = rest.split_once(SEEN) {
        words.push_str(before);
        words.push_str(SEEN);
        rest = after;
        if let Some((day, behind)) = after.split_at_checked(10)
            && let Some(seconds) = seconds_of(&format!("{day}T00:00:00Z"))
        {
            days.push(seconds);
            rest = behind;
        }
    }
    words.push_str(rest);
    (numberless(&words), days)
}

fn numberless(words: &str) -> String {
    let mut text = String::new();
    let (before, after) = words.split_once("(X: ").unwrap_or((words, ""));
    let (x, behind) = after.split_once(')').unwrap_or((after, ""));
    for (part, as_it_is) in [(before, false), (x, true), (behind, false)] {
        for c in part.chars() {
            match c.is_ascii_digit() && !as_it_is {
                true if text.ends_with('#') => {}
                true => text.push('#'),
                false => text.push(c),
            }
        }
        text.push('|');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;
    use crate::report::{Claim, Measure, Run};
    use proptest::prelude::*;

    fn report(started_at: i64) -> Report {
        let measures = MeasureId::ALL.into_iter().enumerate().map(|(at, id)| Measure {
            id,
            line: id.sentence().into(),
            verdict: if at % 2 == 0 { Verdict::Pass } else { Verdict::NotProven },
            claims: vec![Claim::pass("a_claim", Vec::new())],
            value: None,
        });
        let run = Run { environment: "development".into(), started_at, ..Run::default() };
        Report { run, measures: measures.collect(), ..Report::default() }
    }

    /// The text without what is ours: evidence, and the character of each box.
    fn theirs(text: &str) -> String {
        let document = Document::parse(text);
        let mut raw = document.raw.clone();
        for line in &document.lines {
            raw[line.number - 1].replace_range(line.mark..=line.mark, " ");
        }
        raw.concat()
    }

    /// Pieces that Markdown is made of, the awkward ones included.
    fn markdown() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("- [ ] CORS lets in the frontend's origin alone"),
            Just("* [x] Every endpoint demands a scope"),
            Just("12) [X] Passwords are hashed, äöü"),
            Just("-     [ ] The database requires a strong password"),
            Just("  - [ ] Replaced by OAuth: client credentials"),
            Just("\t- [x] The JWT expires after 15 minutes"),
            Just("- [ ] Mittagessen"),
            Just("- [ ] CORS <!-- measures: A3; words: 00000000 -->"),
            Just("- a bullet"),
            Just("  lazy words"),
            Just("# heading"),
            Just("---"),
            Just("```"),
            Just("~~~~ text"),
            Just("    code"),
            Just("| a | b |"),
            Just("<!--"),
            Just("-->"),
            Just("<pre>"),
            Just("</pre>"),
            Just("> - [ ] quoted CORS"),
            Just(""),
            Just(" "),
            "[-*x\\[\\] a-z0-9\t.`#é<>!]{0,20}".prop_map(|text| &*Box::leak(text.into_boxed_str())),
        ];
        let end = prop_oneof![6 => Just("\n"), 3 => Just("\r\n"), 1 => Just("\r"), 1 => Just("\n\n")];
        (proptest::collection::vec((piece, end), 0..12), any::<bool>()).prop_map(|(pieces, ended)| {
            let mut text: String = pieces.iter().map(|(piece, end)| format!("{piece}{end}")).collect();
            if !ended {
                text.truncate(text.trim_end_matches('\n').len());
            }
            text
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn nothing_changes_but_boxes_and_our_evidence(text in markdown()) {
            let written = Document::parse(&text).render(&report(0), &[], 0);
            prop_assert_eq!(theirs(&written), theirs(&text), "{:?}", written);
            prop_assert_eq!(Document::parse(&text).raw.concat(), text, "nothing is lost in reading");
            let again = Document::parse(&written);
            prop_assert_eq!(again.render(&report(0), &[], 0), written.clone(), "twice is once");
            prop_assert_eq!(again.render(&report(86_400), &[], 86_400), written, "a day later nothing is new");
        }

        #[test]
        fn no_document_panics(text in "[-*x\\[\\] a-z0-9\r\n\t.`#é]{0,200}") {
            let document = Document::parse(&text);
            for line in document.lines() {
                prop_assert!(document.raw[line.number - 1].is_char_boundary(line.mark));
            }
            let _ = document.render(&report(0), &[], 0);
        }
    }

    #[test]
    fn evidence_keeps_its_day_for_a_week() {
        let day =
            |day: i64, text: &str| Document::parse(text).render(&report(day * 86_400), &[], day * 86_400);
        let first = day(0, "- [ ] Passwords are hashed.\n");
        assert!(first.contains("seen 1970-01-01"), "{first}");
        assert_eq!(day(6, &first), first);
        let week = day(7, &first);
        assert!(week.contains("seen 1970-01-08"), "{week}");
        assert!(day(0, &week).contains("seen 1970-01-01"), "an earlier report is another");
    }

    #[test]
    fn a_count_is_no_news_and_another_x_is() {
        let said =
            |x: &str, count: u32| format!("A10 pass (X: {x}): {count} tokens (production, seen 2026-11-29)");
        assert!(says_the_same(&said("15 min", 9), &said("15 min", 120)));
        assert!(!says_the_same(&said("15 min", 9), &said("20 min", 9)));
        assert!(!says_the_same("A1 pass: 3 (seen 2026-11-29)", "A1 fail: 3 (seen 2026-11-29)"));
    }

    #[test]
    fn evidence_belongs_to_its_item() {
        for (line, indent) in
            [("- [ ] CORS", 2), ("12. [ ] CORS", 4), ("  * [ ] CORS", 4), ("-   [ ] CORS", 4)]
        {
            let text = Document::parse(line).render(&report(0), &[], 0);
            let evidence = text.lines().nth(1).unwrap();
            assert_eq!(evidence.len() - evidence.trim_start().len(), indent, "{text}");
            assert!(!text.ends_with('\n'), "no end of its own is made up");
        }
    }

    #[test]
    fn a_line_without_a_measure_stays_and_is_listed_behind_the_text() {
        let source = "- [X] Wir essen mittags.\n- [ ] CORS.\n";
        let document = Document::parse(source);
        let text = document.render(&report(0), &[], 0);
        assert!(text.starts_with("- [X] Wir essen mittags.\n- [ ] CORS.\n  - Evidence: N2 "), "{text}");
        let shown = printed(&document, &report(0), &[], 0);
        assert!(shown.starts_with(&text));
        assert!(
            shown.contains("## Not measured\n\nTheir boxes are as they were.\n\n- Wir essen mittags.\n"),
            "{shown}"
        );
        let again = Document::parse(&shown);
        assert_eq!(again.render(&report(0), &[], 0), text, "what is printed may be kept as the document");
    }
}
