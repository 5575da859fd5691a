//! What every format of the report shows alike: the word, the mark and the class of a verdict, ages, and counts.

use crate::measures::{MeasureId, claimed};
use crate::report::{Claim, Measure, Report};
use crate::terminal::one_line;
use crate::verdict::Verdict;

/// Evidence without a `valid_until` of its own counts for this long, in seconds: a week.
#[cfg(test)]
pub(crate) const VALID: i64 = crate::VALID_FOR;

/// Every verdict, the best first; the order of counts and legends.
pub(crate) const VERDICTS: [Verdict; 7] = [
    Verdict::Pass,
    Verdict::Superseded,
    Verdict::Delegated,
    Verdict::Waived,
    Verdict::NotApplicable,
    Verdict::NotProven,
    Verdict::Fail,
];

/// For people: `not proven`.
pub(crate) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::NotProven => "not proven",
        Verdict::NotApplicable => "not applicable",
        other => other.as_str(),
    }
}

/// A shape that tells verdicts apart where colours cannot.
pub(crate) fn mark(verdict: Verdict) -> char {
    match verdict {
        Verdict::Pass => '✓',
        Verdict::Fail => '✗',
        Verdict::NotProven => '?',
        Verdict::Waived => '~',
        Verdict::Superseded => '»',
        Verdict::Delegated => '→',
        Verdict::NotApplicable => '–',
    }
}

/// The CSS class of a verdict in pages and pictures.
pub(crate) fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass | Verdict::Superseded => "holds",
        Verdict::Fail => "fails",
        Verdict::NotProven => "open",
        Verdict::Waived | Verdict::Delegated => "aside",
        Verdict::NotApplicable => "none",
    }
}

/// Whether a measure is one that the document does not ask for.
pub(crate) fn beyond(id: MeasureId) -> bool {
    id.as_str().starts_with('X')
}

/// The document's measures, and those beyond it.
pub(crate) fn parts(report: &Report) -> (Vec<&Measure>, Vec<&Measure>) {
    report.measures.iter().partition(|measure| !beyond(measure.id))
}

/// `4 pass, 10 not proven`.
pub(crate) fn counted<'m>(measures: impl IntoIterator<Item = &'m Measure>) -> String {
    let verdicts: Vec<Verdict> = measures.into_iter().map(|measure| measure.verdict).collect();
    let counts = VERDICTS.into_iter().filter_map(|verdict| {
        let count = verdicts.iter().filter(|other| **other == verdict).count();
        (count > 0).then(|| format!("{count} {}", word(verdict)))
    });
    match counts.collect::<Vec<_>>().join(", ") {
        nothing if nothing.is_empty() => "no measure was looked at".into(),
        said => said,
    }
}

/// How many of the document's measures are proven, and of how many; what applies to nothing is not counted.
pub(crate) fn proven(report: &Report) -> (usize, usize) {
    let (own, _) = parts(report);
    let counted = own.iter().filter(|measure| measure.verdict != Verdict::NotApplicable);
    let holds =
        own.iter().filter(|measure| matches!(measure.verdict, Verdict::Pass | Verdict::Superseded)).count();
    (holds, counted.count())
}

/// `3 min`, `5 h`, `2 d`: whole units, rounded down.
pub(crate) fn span(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..=59 => format!("{seconds} s"),
        seconds @ 60..=3599 => format!("{} min", seconds / 60),
        seconds @ 3600..=86_399 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// How old the evidence is at `now`.
pub(crate) fn age(report: &Report, now: i64) -> String {
    span(now - report.run.started_at)
}

/// Unix seconds from which on the evidence ticks nothing.
pub(crate) fn valid_until(report: &Report) -> i64 {
    report.valid_until()
}

/// Whether the evidence is too old at `now`.
pub(crate) fn stale(report: &Report, now: i64) -> bool {
    report.is_stale(now)
}

/// `A4/the_password_is_young`.
pub(crate) fn path(measure: &Measure, claim: &Claim) -> String {
    format!("{}/{}", measure.id, claim.id)
}

/// What a claim says: its sentence, or its id in words where an older version gave none.
pub(crate) fn sentence(claim: &Claim) -> String {
    if claim.sentence.is_empty() { claim.id.replace('_', " ") } else { claim.sentence.clone() }
}

/// The same for people: before it the name of the database that it is about, where its id has one.
pub(crate) fn spoken(measure: MeasureId, claim: &Claim) -> String {
    match named(measure, claim) {
        ("", says) => says,
        (name, says) => format!("{name}: {says}"),
    }
}

/// The same for strangers, who are told no name.
pub(crate) fn unnamed(measure: MeasureId, claim: &Claim) -> String {
    named(measure, claim).1
}

fn named(measure: MeasureId, claim: &Claim) -> (&str, String) {
    let Some(listed) = claimed::of(measure, &claim.id) else { return ("", sentence(claim)) };
    let says = if claim.sentence.is_empty() { listed.sentence } else { &claim.sentence };
    let name = claim.id.strip_suffix(listed.id).unwrap_or_default();
    (name.strip_suffix('_').unwrap_or_default(), says.to_owned())
}

/// The claim of which the id alone is known: the report's own, or one that says what its measure's list says, since one
/// that is gone is not in the report.
pub(crate) fn claim_of(report: &Report, measure: MeasureId, id: &str) -> Claim {
    let mut claims = report.measures.iter().filter(|one| one.id == measure).flat_map(|one| &one.claims);
    claims.find(|claim| claim.id == id).cloned().unwrap_or_else(|| Claim::pass(id, Vec::new()))
}

/// The letters of XML and HTML that mean something there; characters that XML cannot carry are left out.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(letter),
            '\u{fffe}' | '\u{ffff}' => {}
            letter if letter.is_control() => {}
            letter => out.push(letter),
        }
    }
    out
}

/// On one line, for a cell of a Markdown table: no bars, no line breaks, no HTML, no links, no emphasis, nobody called.
pub(crate) fn cell(text: &str) -> String {
    let text = one_line(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' => out.push_str("&#64;"),
            // Inside of a word it means nothing.
            '_' if before.is_alphanumeric() && letters.peek().is_some_and(|next| next.is_alphanumeric()) => {
                out.push('_');
            }
            '\\' | '|' | '[' | ']' | '`' | '*' | '_' => out.extend(['\\', letter]),
            letter => out.push(letter),
        }
        before = letter;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::rfc3339;

    #[test]
    fn ages_are_whole_units() {
        for (seconds, text) in
            [(-5, "0 s"), (59, "59 s"), (60, "1 min"), (3600, "1 h"), (86_399, "23 h"), (172_800, "2 d")]
        {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn evidence_ends_with_its_own_date_or_after_a_week() {
        let mut report = Report::default();
        report.run.started_at = 1000;
        assert!(!stale(&report, 1000 + VALID - 1) && stale(&report, 1000 + VALID));
        report.run.valid_until = Some(rfc3339(1060));
        assert!(!stale(&report, 1059) && stale(&report, 1060));
    }

    #[test]
    fn people_read_a_sentence_and_whose_database_it_is_about() {
        let says = |id: &str| spoken(MeasureId::A3, &Claim::pass(id, Vec::new()));
        assert_eq!(says("store_file_is_ciphertext"), "store: the database's file is ciphertext");
        assert_eq!(says("my_own_file_is_ciphertext"), "my_own: the database's file is ciphertext");
        assert_eq!(says("file_is_ciphertext"), "the database's file is ciphertext");
        assert_eq!(says("an_older_version_said_so"), "an older version said so");
        let mut claim = Claim::pass("store_file_is_ciphertext", Vec::new());
        claim.sentence = "it was ciphertext".into();
        assert_eq!(spoken(MeasureId::A3, &claim), "store: it was ciphertext");
        assert_eq!(unnamed(MeasureId::A3, &claim), "it was ciphertext");
        let mut report = crate::report::sample::report();
        let says = |report: &Report, id: &str| spoken(MeasureId::N2, &claim_of(report, MeasureId::N2, id));
        assert_eq!(says(&report, "strangers_are_refused"), "no origin but the frontend's is let in");
        report.measures.clear();
        assert_eq!(says(&report, "strangers_are_refused"), "strangers are refused");
        assert_eq!(says(&report, "the_frontend_is_let_in"), "the frontend's origin is let in");
    }

    #[test]
    fn nothing_gets_out_of_its_place() {
        assert_eq!(escaped("<a b='\"'>&\u{0}\u{1b}[31m"), "&lt;a b=&#39;&quot;&#39;&gt;&amp;[31m");
        assert_eq!(cell("a |\n<b>"), "a \\| &lt;b&gt;");
        assert_eq!(cell("![x](//y) `a_b` *c* _d_ @e"), "!\\[x\\](//y) \\`a_b\\` \\*c\\* \\_d\\_ &#64;e");
        assert_eq!(one_line("a\n\u{1b}[2J\u{9b}\u{202e}\u{e9}"), "a \\u{1b}[2J\\u{9b}\\u{202e}\u{e9}");
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_escaped_has_no_markup(text in "\\PC{0,80}") {
            let out = escaped(&text);
            proptest::prop_assert!(!out.contains(['<', '>', '"', '\'']));
        }
    }
}
