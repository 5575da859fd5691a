//! Who can reach a database, as far as its name, its addresses and our own environment tell.

use super::examination::{Examination, Eye, with_remedy};
use ::steward::Credential;
use ::steward::isolation::{self, Facts, Names, Verdict};

/// Adds what is found to `examination`. Nothing is connected to.
pub async fn examine(credential: &Credential, eye: &Eye, examination: &mut Examination) {
    let endpoints = match isolation::endpoint_of(credential) {
        Ok(endpoints) => endpoints,
        Err(error) => {
            examination.untold.push(format!("where it is cannot be told: {error}"));
            return;
        }
    };
    let names = Names::system();
    let facts = Facts { servers: names.look(endpoints).await, visible: eye.visible.clone() };
    let findings = isolation::judge(&facts, eye.environment);
    // The gravest is first.
    examination.reach = findings.first().map(|finding| {
        let word = match finding.verdict {
            Verdict::Fine => "private",
            Verdict::CouldNotTell => "could not tell",
            Verdict::Warn | Verdict::Refuse => "public",
        };
        format!("{word}: {}", finding.sentence)
    });
    for finding in findings {
        let text = with_remedy(&finding.sentence, &finding.remedy);
        match finding.verdict {
            Verdict::Fine => {}
            Verdict::CouldNotTell => examination.untold.push(text),
            Verdict::Warn => examination.warnings.push(text),
            Verdict::Refuse => examination.problems.push(text),
        }
    }
}
