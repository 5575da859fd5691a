//! `portcullis audit init FILE`: proposes which line of a checklist is which measure, lets a person correct it, and keeps
//! it: in `[audit.lines]` of the configuration, or as a comment in each line.

mod kept;

use crate::command_line::AuditInit;
use crate::commands::{CommandError, Environment, columns, complain, print, print_json};
use crate::config::Configuration;
use crate::wiring::installation::Installation;
use audit::document::{Confidence, Proposal, replace};
use audit::terminal::one_line;
use audit::{Document, MeasureId};
use std::io::{BufRead, IsTerminal as _, Write};
use std::path::Path;

/// Proposes, asks, keeps.
pub fn run(arguments: &AuditInit, environment: &Environment) -> Result<(), CommandError> {
    let file = &arguments.document;
    let (source, document) = read(arguments)?;
    // Without a configuration there is nothing to know of the lines yet.
    let place = kept::place(&arguments.place);
    complain(&Installation::told(&arguments.place));
    let document = match configuration(arguments, environment, place.as_deref())? {
        Some(configuration) => document.mapped(&crate::wiring::document::lines(&configuration)?),
        None => document,
    };
    let proposals = document.proposals();
    if arguments.place.json {
        print_json(&proposals)?;
    } else {
        print(&table(&proposals));
        for text in document.gone() {
            print(&format!("mapped, and no longer in the document: {}\n", one_line(text)));
        }
    }
    let decided = if arguments.yes {
        proposed(&proposals)
    } else if arguments.place.json {
        return Ok(());
    } else if std::io::stdin().is_terminal() {
        let answers = ask(&proposals, &mut std::io::stdin().lock(), &mut std::io::stderr());
        answers
            .map_err(|error| CommandError::failed(format!("standard input: {error}")))?
            .ok_or_else(|| CommandError::failed("nothing was kept"))?
    } else {
        return Err(CommandError::usage(
            "nothing was kept, since nobody is here to be asked: --yes keeps the proposal as it is",
        ));
    };
    let ids = |line: &audit::document::Line| {
        let at = document.lines().iter().position(|other| other.number == line.number);
        at.and_then(|at| decided.get(at).cloned()).unwrap_or_default()
    };
    let write = |file: &Path, text: &str| {
        replace(file, text)
            .map_err(|error| CommandError::failed(format!("cannot write {}: {error}", file.display())))
    };
    let kept_in = if arguments.comments {
        write(file, &document.commented(ids))?;
        file.clone()
    } else {
        let place = place.ok_or_else(|| {
            CommandError::usage(
                "there is no configuration here to keep it in: name one with --config FILE, or keep it in the \
                 document with --comments",
            )
        })?;
        let lines: Vec<_> = document.lines().iter().map(|line| (line.key(), ids(line))).collect();
        write(&place, &kept::edited(&place, file, &lines)?)?;
        if arguments.boxes {
            write(file, &source)?;
        }
        place
    };
    if !arguments.place.json {
        let mapped = decided.iter().filter(|ids| !ids.is_empty()).count();
        let none = match decided.len() - mapped {
            0 => String::new(),
            1 => "; 1 stands for none, and its box stays as it is".into(),
            more => format!("; {more} stand for none, and their boxes stay as they are"),
        };
        let place = one_line(&kept_in.display().to_string());
        print(&format!("\nkept in {place}: {mapped} lines stand for measures{none}\n"));
    }
    Ok(())
}

/// The document's text, with boxes where that was asked for, and its lines.
fn read(arguments: &AuditInit) -> Result<(String, Document), CommandError> {
    let file = &arguments.document;
    if !arguments.boxes {
        let document = Document::read(file).map_err(|error| CommandError::usage(error.to_string()))?;
        return Ok((String::new(), document));
    }
    let source = std::fs::read_to_string(file)
        .map_err(|error| CommandError::usage(format!("cannot read {}: {error}", file.display())))?;
    let boxed = Document::with_boxes(&source);
    let document = Document::parse(&boxed);
    if document.lines().is_empty() {
        return Err(CommandError::usage(format!("{} has no list: nothing can get a box", file.display())));
    }
    Ok((boxed, document))
}

/// The configuration that knows of the lines; none where there is none yet.
fn configuration(
    arguments: &AuditInit,
    environment: &Environment,
    place: Option<&Path>,
) -> Result<Option<Configuration>, CommandError> {
    // A folder of `dev` has none until somebody adds to it; one that was named must be there.
    match place.filter(|file| arguments.place.config.is_some() || file.exists()) {
        Some(_) => Ok(Some(Installation::find(&arguments.place, environment)?.configuration)),
        None => Ok(None),
    }
}

/// The proposal as it is.
fn proposed(proposals: &[Proposal]) -> Vec<Vec<MeasureId>> {
    proposals.iter().map(|one| one.measures.iter().map(|guess| guess.id).collect()).collect()
}

/// The proposal for people.
fn table(proposals: &[Proposal]) -> String {
    let mut rows = vec![["LINE", "MEASURES", "HOW SURE", "BECAUSE OF", "TEXT"].map(str::to_owned).to_vec()];
    for one in proposals {
        let whole = one_line(&one.text);
        let text: String = whole.chars().take(60).collect();
        let text = if text.len() < whole.len() { format!("{text}…") } else { text };
        let because: Vec<&str> =
            one.measures.iter().flat_map(|guess| guess.because.iter().copied()).collect();
        rows.push(vec![one.line.to_string(), ids(one), how_sure(one), because.join(", "), text]);
    }
    columns(&rows)
}

fn ids(one: &Proposal) -> String {
    let ids: Vec<&str> = one.measures.iter().map(|guess| guess.id.as_str()).collect();
    if ids.is_empty() { "none".into() } else { ids.join(" ") }
}

fn how_sure(one: &Proposal) -> String {
    let sure = match one.measures.iter().map(|guess| guess.confidence).min() {
        Some(Confidence::Said) => "said before",
        Some(Confidence::Sure) => "sure",
        Some(Confidence::Likely) => "likely",
        None if one.known == "kept" => "said before",
        None => "-",
    };
    if one.was.is_empty() {
        return sure.into();
    }
    let was: Vec<&str> = one.was.iter().map(|id| id.as_str()).collect();
    format!("{sure}; changed, was {}", was.join(" "))
}

/// Line by line; none where the person stopped.
fn ask(
    proposals: &[Proposal],
    input: &mut impl BufRead,
    output: &mut impl Write,
) -> std::io::Result<Option<Vec<Vec<MeasureId>>>> {
    writeln!(output, "\nEnter accepts; else ids such as `A3 A4`, or `none`; `q` keeps nothing.")?;
    let mut decided = Vec::new();
    for (one, proposed) in proposals.iter().zip(proposed(proposals)) {
        writeln!(output, "\nline {}: {}", one.line, one_line(&one.text))?;
        let chosen = loop {
            write!(output, "  {} ({}) > ", ids(one), how_sure(one))?;
            output.flush()?;
            let mut answer = String::new();
            if input.read_line(&mut answer)? == 0 {
                return Ok(None);
            }
            match answer.trim() {
                "" => break proposed,
                "q" => return Ok(None),
                "none" | "n" | "-" => break Vec::new(),
                answer => {
                    let words: Vec<&str> =
                        answer.split([' ', ',', '\t']).filter(|word| !word.is_empty()).collect();
                    match words.iter().find(|word| MeasureId::parse(word).is_none()) {
                        Some(word) => writeln!(output, "  no measure is called {word}")?,
                        None => break words.iter().filter_map(|word| MeasureId::parse(word)).collect(),
                    }
                }
            }
        };
        decided.push(chosen);
    }
    Ok(Some(decided))
}

#[cfg(test)]
mod tests {
    use super::*;
    use audit::MeasureId::{A3, A4, N2};

    const SOURCE: &str = "- [ ] The database requires a strong password.\n- [ ] CORS.\n- [x] Mittagessen.\n";

    fn asked(answers: &str) -> (Option<Vec<Vec<MeasureId>>>, String) {
        let mut said = Vec::new();
        let proposals = Document::parse(SOURCE).proposals();
        let decided = ask(&proposals, &mut answers.as_bytes(), &mut said).unwrap();
        (decided, String::from_utf8(said).unwrap())
    }

    #[test]
    fn a_person_accepts_corrects_and_denies() {
        let (decided, said) = asked("\nA3, a4\nnone\n");
        assert_eq!(decided, Some(vec![vec![A3], vec![A3, A4], vec![]]));
        assert!(said.contains("line 1: The database requires") && said.contains("A3 (sure) >"), "{said}");
        let (decided, said) = asked("\nA99\nN2\n\n");
        assert_eq!(decided, Some(vec![vec![A3], vec![N2], vec![]]));
        assert!(said.contains("no measure is called A99"), "{said}");
        assert_eq!(asked("\nq\n").0, None);
        assert_eq!(asked("\n").0, None, "an end is no answer");
    }

    #[test]
    fn what_a_stranger_wrote_moves_no_cursor() {
        let proposals =
            Document::parse("- [ ] CORS \u{1b}[2J\u{1b}]0;owned\u{7} for the frontend's origin.\n")
                .proposals();
        let mut said = Vec::new();
        ask(&proposals, &mut "\n".as_bytes(), &mut said).unwrap();
        for said in [table(&proposals), String::from_utf8(said).unwrap()] {
            assert!(said.contains("CORS \\u{1b}[2J"), "{said}");
            assert!(!said.contains(['\u{1b}', '\u{7}']), "{said:?}");
        }
    }

    #[test]
    fn the_table_says_why() {
        let text = table(&Document::parse(SOURCE).proposals());
        assert!(
            text.contains("1     A3        sure      database, password, require  The database"),
            "{text}"
        );
        assert!(text.contains("3     none      -"), "{text}");
    }
}
