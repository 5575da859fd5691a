//! The document again: its text byte for byte, the character between the brackets by evidence, and one line of evidence
//! below each line that is measured.

use super::judge::{Reports, did_not_run, holds, told};
use super::{Document, EVIDENCE, Line, Mapping, Standing, blocks};
use crate::measures::MeasureId;
use crate::report::{Report, seconds_of};
use crate::validity::SKEW;

/// Divides the document from what a run prints after it; never written into the team's file.
pub(super) const APART: &str = "<!-- portcullis: what follows is not part of the document -->";
/// What begins the evidence of a line whose words are others now.
pub(super) const CHANGED: &str = "the line changed since it was mapped";
/// Evidence that says the same is written again after this many days, in seconds: a document in a repository does not
/// change every day, and its dates are never older than a week.
const QUIET: i64 = 6 * 86_400;
const SEEN: &str = "seen ";

impl Document {
    /// The text with boxes and evidence, by a report, those of other environments, and the time (Unix seconds): what
    /// these reports show, and nothing else.
    #[must_use]
    pub fn render(&self, report: &Report, with: &[Report], now: i64) -> String {
        self.rendered(Reports { current: report, with, now }, |_| false)
    }

    /// The same for the document's own file: a line of which nothing new is known, as its measures did not all run and
    /// none that did speaks against it, keeps box and evidence until that evidence is too old.
    #[must_use]
    pub fn written(&self, report: &Report, with: &[Report], now: i64) -> String {
        let reports = Reports { current: report, with, now };
        self.rendered(reports, |line| self.is_left(line, reports))
    }

    fn rendered(&self, reports: Reports<'_>, is_left: impl Fn(&Line) -> bool) -> String {
        let mut raw = self.raw.clone();
        for line in self.lines.iter().filter(|line| !is_left(line)) {
            let ticked = match self.judged(line, reports).standing {
                // The character that somebody wrote, `X` say, stays where it says the same.
                Standing::Ticked if !line.ticked => "x",
                Standing::Open if line.ticked => " ",
                // Where our evidence goes, for no measure stands for the line any more, the tick was ours, too.
                Standing::NotMeasured if line.ticked && line.evidence.is_some() => " ",
                _ => continue,
            };
            if let Some(full) = raw.get_mut(line.number - 1) {
                full.replace_range(line.mark..=line.mark, ticked);
            }
        }
        woven(&raw, &self.lines, |line| {
            if is_left(line) {
                return line.evidence.clone();
            }
            let new = self.judged(line, reports).evidence;
            match &line.evidence {
                Some(old) if says_the_same(old, &new) => Some(old.clone()),
                _ => (!new.is_empty()).then_some(new),
            }
        })
    }

    fn is_left(&self, line: &Line, reports: Reports<'_>) -> bool {
        if matches!(line.mapping, Mapping::Changed { .. }) || !self.is_measured(line) {
            return false;
        }
        if let Some(successor) = line.replaced_by.and_then(|at| self.lines.get(at)) {
            return self.is_left(successor, reports);
        }
        let counts = reports.current.valid_until() - reports.current.run.started_at;
        let is_over = |evidence: &String| {
            let days = apart(evidence).1;
            // Evidence says its day alone, so it counts from the day's first second.
            evidence.starts_with(CHANGED)
                || days.iter().any(|day| reports.now >= day + counts || *day > reports.now + SKEW)
        };
        !line.evidence.as_ref().is_some_and(is_over) && did_not_run(line, reports)
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
    use crate::report::sample;
    use proptest::prelude::*;

    fn report(started_at: i64) -> Report {
        let verdicts = MeasureId::ALL.into_iter().enumerate().map(|(at, id)| {
            let verdict = if at % 2 == 0 { Verdict::Pass } else { Verdict::NotProven };
            (id, verdict)
        });
        sample::of("development", started_at, &verdicts.collect::<Vec<_>>())
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

    /// A report of these measures alone.
    fn partly(day: i64, verdicts: &[(MeasureId, Verdict)]) -> Report {
        sample::of("development", day * 86_400, verdicts)
    }

    #[test]
    fn what_did_not_run_stays_as_it_was_in_the_file() {
        use MeasureId::{A1, N2};
        use Verdict::{Fail, NotProven, Pass};
        let both = "- [x] Passwords are hashed, and reset by a link in an e-mail.\n";
        let source = format!(
            "{both}- [ ] CORS lets in the frontend alone.\n- [X] Every endpoint demands a scope.\n\
             - [ ] Partners call with an API key.\n  - [ ] Replaced by client credentials.\n"
        );
        let mut all = report(0);
        all.measures.iter_mut().for_each(|measure| measure.verdict = Pass);
        let before = Document::parse(&source).written(&all, &[], 0);
        assert_eq!(before.matches("- [x]").count() + before.matches("- [X]").count(), 5, "{before}");
        let write = |report: &Report| Document::parse(&before).written(report, &[], report.run.started_at);

        let written = write(&partly(1, &[(N2, NotProven)]));
        let others = |text: &str| -> Vec<String> {
            text.lines()
                .filter(|line| !line.contains("CORS") && !line.contains("N2"))
                .map(str::to_owned)
                .collect()
        };
        assert_eq!(others(&written), others(&before), "byte for byte");
        assert!(written.contains("- [ ] CORS") && written.contains("N2 not_proven"), "{written}");
        // Of A1 and A2 one ran.
        assert_eq!(write(&partly(1, &[(A1, Pass)])), before);
        let refuted = write(&partly(1, &[(A1, Fail)]));
        assert!(refuted.contains("- [ ] Passwords") && refuted.contains("A1 fail"), "{refuted}");
        // A week later nothing of it counts.
        let stale = write(&partly(7, &[(N2, Pass)]));
        assert_eq!((stale.matches("- [x]").count(), stale.matches("- [X]").count()), (1, 0), "{stale}");
        assert!(stale.contains("A1 was not in this run; A2 was not in this run"), "{stale}");
        assert_eq!(write(&partly(6, &[(N2, Pass)])), before);
        // Without evidence of ours the tick is somebody's, and what was not looked at is not judged.
        let part = partly(1, &[(N2, Pass)]);
        assert_eq!(Document::parse(both).written(&part, &[], 86_400), both);
        // Other words are another promise, whatever ran.
        let changed = "- [x] Passwords are hashed. <!-- measures: A1; words: 00000000 -->\n";
        assert!(Document::parse(changed).written(&part, &[], 86_400).starts_with("- [ ]"));
        // What is shown rests on these reports alone.
        assert!(Document::parse(&before).render(&part, &[], 86_400).contains("- [ ] Passwords"));
        let of_two = "- [x] Passwords are hashed on production and staging.\n";
        let mut staging = partly(1, &[(A1, Fail)]);
        staging.run.environment = "staging".into();
        assert_eq!(Document::parse(of_two).written(&part, &[], 86_400), of_two);
        let written = Document::parse(of_two).written(&part, &[staging], 86_400);
        assert!(written.starts_with("- [ ]") && written.contains("staging fail"), "{written}");
    }

    #[test]
    fn who_takes_the_evidence_away_takes_the_tick_away() {
        let evidence = "  - Evidence: A1 pass: a claim:  (development, seen 1970-01-01)\n";
        for comment in ["", " <!-- measures: none -->"] {
            let line = format!("- [x] Das Essen steht bereit.{comment}\n");
            let source = format!("{line}{evidence}");
            let written = Document::parse(&source).written(&report(0), &[], 0);
            assert_eq!(written, line.replace("[x]", "[ ]"));
            assert_eq!(Document::parse(&line).written(&report(0), &[], 0), line, "theirs stays");
        }
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
