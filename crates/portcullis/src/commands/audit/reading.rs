//! Reports that were kept and are read again: none whose signature is broken, and boxes by none that nobody signed.

use super::super::{CommandError, complain};
use ::audit::Report;
use ::audit::terminal::one_line;
use ::audit::verify::{Believed, Disbelieved, read};
use std::path::Path;

/// What is read, and what is to be said of it.
pub struct Reading {
    /// The thumbprint of this installation's key, where it has one.
    own: Option<String>,
    /// Whether boxes are written by what is read.
    writes: bool,
    notes: Vec<String>,
}

impl Reading {
    pub fn new(own: Option<String>, writes: bool) -> Self {
        Self { own, writes, notes: Vec::new() }
    }

    /// One that another is compared with: it ticks no box.
    pub fn earlier(&mut self, file: &Path) -> Result<Report, CommandError> {
        self.read(file).map(|believed| believed.report)
    }

    /// One whose word counts for a box.
    pub fn evidence(&mut self, file: &Path) -> Result<Believed, CommandError> {
        let believed = self.read(file)?;
        if self.writes && believed.kid.is_none() {
            return Err(CommandError::usage(format!(
                "--write: {} is not signed: what anybody can have written ticks no box",
                file.display()
            )));
        }
        Ok(believed)
    }

    /// Says on standard error what is to be said, and gives it to be said in the report as well.
    pub fn notes(self) -> Vec<String> {
        for note in &self.notes {
            complain(&format!("note: {note}"));
        }
        self.notes
    }

    fn read(&mut self, file: &Path) -> Result<Believed, CommandError> {
        let shown = file.display();
        let bytes = std::fs::read(file).map_err(|error| CommandError::usage(format!("{shown}: {error}")))?;
        let believed = read(bytes).map_err(|why| {
            CommandError::usage(match why {
                Disbelieved::NoReport(why) => format!("{shown}: {}", one_line(&why)),
                Disbelieved::Signature(why) => {
                    format!("{shown} is not to be believed: {why}; see portcullis verify {shown}")
                }
            })
        })?;
        match (&believed.kid, &self.own) {
            (None, _) => self.notes.push(format!("{shown} is not signed: anybody can have written it")),
            (Some(kid), Some(own)) if kid != own => {
                self.notes
                    .push(format!("{shown} is signed by kid {kid}, which is not this installation's key"));
            }
            _ => {}
        }
        Ok(believed)
    }
}
