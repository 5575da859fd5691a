//! What the board shows, as plain data: the binary fills it from reports of the auditor, which this room does not know.

/// The board.
#[derive(Clone, Debug, Default)]
pub struct Board {
    /// When it was put together, Unix seconds: ages count from here.
    pub now: i64,
    /// The environments, each by its newest report; the lines' cells stand in this order.
    pub environments: Vec<Environment>,
    /// The document's lines in its order; without a document, the measures.
    pub lines: Vec<Line>,
    /// Measures beyond the document.
    pub beyond: Vec<Line>,
    /// Where the lines come from, for people.
    pub document: Option<String>,
    /// The style of the pictures; allowed by its hash, as our own is.
    pub picture_style: &'static str,
}

/// One environment, by its newest report.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `production`.
    pub name: String,
    /// When the run began, Unix seconds.
    pub started_at: i64,
    /// The same as RFC 3339.
    pub started: String,
    /// Whether the evidence is too old to tick anything.
    pub stale: bool,
    /// What was audited.
    pub target: String,
    /// The commit of the repository that was looked at.
    pub commit: Option<String>,
    /// SHA-256 of the report, in hexadecimal.
    pub digest: String,
    /// Whether the report is signed, in words.
    pub signature: String,
    /// How many measures are proven by it.
    pub proven: usize,
    /// Of how many.
    pub measures: usize,
    /// What changed since the run before, in sentences: `regressed`, `fixed`, …, and of what.
    pub drift: Vec<Drift>,
    /// What a reader should know about the run.
    pub notes: Vec<String>,
    /// Every endpoint by every kind of credential, an SVG.
    pub matrix: Option<String>,
    /// What it shows, in words.
    pub matrix_says: String,
    /// How many measures stood how in the last runs, an SVG.
    pub history: Option<String>,
}

/// One change since the run before.
#[derive(Clone, Debug)]
pub struct Drift {
    /// `regressed`, `fixed`, `stale`, …
    pub how: String,
    /// Of what, and from which verdict to which.
    pub what: String,
    /// Whether it is bad news.
    pub worse: bool,
}

/// One line of the document.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// Its words, as they stand there.
    pub text: String,
    /// How deep it is nested.
    pub depth: usize,
    /// One an environment.
    pub cells: Vec<Cell>,
}

/// How a line stands in one environment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mark {
    /// Proven by fresh evidence: the one that ticks the box.
    Ticked,
    /// Disproved.
    Failed,
    /// Could not be shown.
    #[default]
    Open,
    /// Proven once, by evidence that is too old.
    Stale,
    /// Accepted as it is, by somebody, until a date; or not ours to prove.
    SetAside,
    /// No measure stands for it.
    NotMeasured,
}

impl Mark {
    /// In a word, for people and for screen readers.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ticked => "proven",
            Self::Failed => "failed",
            Self::Open => "not proven",
            Self::Stale => "stale",
            Self::SetAside => "set aside",
            Self::NotMeasured => "not measured",
        }
    }

    /// The character in the box.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Self::Ticked => "\u{2713}",
            Self::Failed => "\u{2717}",
            Self::Open => "?",
            Self::Stale => "\u{2026}",
            Self::SetAside => "~",
            Self::NotMeasured => "\u{2013}",
        }
    }

    /// Its class in the style.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Self::Ticked => "ticked",
            Self::Failed => "failed",
            Self::Open => "open",
            Self::Stale => "stale",
            Self::SetAside => "aside",
            Self::NotMeasured => "unmeasured",
        }
    }
}

/// A line in one environment.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    /// The box.
    pub mark: Mark,
    /// One line of evidence.
    pub evidence: String,
    /// When it was seen, Unix seconds; none where nothing was.
    pub at: Option<i64>,
    /// The measures behind it.
    pub measures: Vec<Measure>,
}

/// A measure behind a line.
#[derive(Clone, Debug, Default)]
pub struct Measure {
    /// `A10`.
    pub id: String,
    /// What it says.
    pub sentence: String,
    /// `pass`, `not proven`, …
    pub verdict: String,
    /// Its class in the style.
    pub mark: Mark,
    /// The number that the line calls X, with its source.
    pub value: Option<String>,
    /// What it is made of.
    pub claims: Vec<Claim>,
    /// Its verdict in the last runs, an SVG.
    pub history: Option<String>,
}

/// One claim of a measure.
#[derive(Clone, Debug, Default)]
pub struct Claim {
    /// In words.
    pub sentence: String,
    /// `pass`, `not proven`, …
    pub verdict: String,
    /// Its class in the style.
    pub mark: Mark,
    /// What was seen.
    pub seen: Vec<Seen>,
    /// What to do about it.
    pub remedy: String,
    /// Requirements and weaknesses: `ASVS V6.2.1`, `CWE-287`.
    pub answers: Vec<String>,
}

/// One observation.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// In one sentence.
    pub what: String,
    /// The control beside it.
    pub control: Option<String>,
    /// What was sent and what came back, without secrets.
    pub exchange: Option<String>,
    /// Where the auditor stood, and how much it is worth.
    pub from: String,
}

/// How long ago, for people: `3 h ago`.
#[must_use]
pub fn age(now: i64, at: i64) -> String {
    match now.saturating_sub(at) {
        ..60 => "just now".to_owned(),
        seconds @ 60..3_600 => format!("{} min ago", seconds / 60),
        seconds @ 3_600..172_800 => format!("{} h ago", seconds / 3_600),
        seconds => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_read_well() {
        let table = [
            (0, "just now"),
            (59, "just now"),
            (-5, "just now"),
            (60, "1 min ago"),
            (3_599, "59 min ago"),
            (3_600, "1 h ago"),
            (172_799, "47 h ago"),
            (172_800, "2 days ago"),
        ];
        for (seconds, expected) in table {
            assert_eq!(age(1_000_000, 1_000_000 - seconds), expected, "{seconds}");
        }
        assert_eq!(age(i64::MIN, i64::MAX), "just now");
    }
}
