//! `portcullis audit init`: which line is which measure, how sure that is, and by which words.

use serde::Serialize;

use super::{Document, Mapping, words};
use crate::measures::MeasureId;

/// What is proposed of a check-box line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proposal {
    /// Its line number in the document, evidence of earlier runs not counted.
    pub line: usize,
    /// Its text.
    pub text: String,
    /// What it may stand for.
    pub measures: Vec<Guess>,
    /// What is known of it already: `words`, `kept`, `changed`, `new`.
    pub known: &'static str,
    /// Where its words are others now: what was said of those.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub was: Vec<MeasureId>,
}

/// A measure that a line may stand for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Guess {
    /// Which.
    pub id: MeasureId,
    /// How sure that is.
    pub confidence: Confidence,
    /// The words that say so.
    pub because: Vec<&'static str>,
}

/// How sure a guess is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// One word says so.
    Likely,
    /// Several words of one sentence say so.
    Sure,
    /// Somebody said so.
    Said,
}

impl Document {
    /// What each check-box line may stand for: what was said of it, else what its words say.
    #[must_use]
    pub fn proposals(&self) -> Vec<Proposal> {
        let lines = self.lines().iter();
        lines
            .map(|line| {
                let said = |ids: &[MeasureId]| {
                    ids.iter()
                        .map(|id| Guess { id: *id, confidence: Confidence::Said, because: Vec::new() })
                        .collect()
                };
                let guessed = || {
                    words::heard_in(&line.text)
                        .into_iter()
                        .map(|(id, because)| Guess {
                            id,
                            confidence: if because.len() > 1 { Confidence::Sure } else { Confidence::Likely },
                            because,
                        })
                        .collect()
                };
                let (known, measures, was) = match &line.mapping {
                    Mapping::Kept => ("kept", said(&line.own), Vec::new()),
                    Mapping::Words => ("words", guessed(), Vec::new()),
                    Mapping::New => ("new", guessed(), Vec::new()),
                    Mapping::Changed { was } => ("changed", guessed(), was.clone()),
                };
                Proposal { line: line.number, text: line.text.clone(), measures, known, was }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MeasureId::{A3, A4, A8, N2};

    #[test]
    fn a_guess_says_how_sure_it_is_and_why() {
        let document = Document::parse(
            "- [ ] The database requires a strong password.\n- [ ] We use Okta.\n- [ ] Mittagessen.\n\
             - [ ] CORS. <!-- measures: A4 -->\n- [ ] Gone. <!-- measures: N2; words: 00000000 -->\n",
        );
        let proposals = document.proposals();
        let guessed: Vec<_> = proposals
            .iter()
            .map(|one| one.measures.iter().map(|guess| (guess.id, guess.confidence)).collect::<Vec<_>>())
            .collect();
        let wanted: [Vec<_>; 5] = [
            vec![(A3, Confidence::Sure)],
            vec![(A8, Confidence::Likely)],
            vec![],
            vec![(A4, Confidence::Said)],
            vec![],
        ];
        assert_eq!(guessed, wanted);
        assert_eq!(proposals[0].measures[0].because, ["database", "password", "require"]);
        assert_eq!((proposals[4].known, proposals[4].was.as_slice()), ("changed", &[N2][..]));
    }
}
