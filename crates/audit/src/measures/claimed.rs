//! What a measure can claim: each claim's id, its sentence, the requirements of OWASP ASVS 5.0 that it answers and the
//! weaknesses (CWE) whose absence it shows. A requirement stands here only where the claim's evidence answers its text.

use crate::measures::{self, MeasureId};
use crate::report::Claim;

/// One claim that a measure can make.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claimed {
    /// As in the report; a database's name may stand before it there (`backend_role_is_not_powerful`).
    pub(crate) id: &'static str,
    /// What it says.
    pub(crate) sentence: &'static str,
    /// `V6.2.1`.
    pub(crate) asvs: &'static [&'static str],
    /// `798` is CWE-798.
    pub(crate) cwe: &'static [u32],
}

/// Shorter than the names of four fields, in lists of many.
pub(crate) const fn claimed(
    id: &'static str,
    sentence: &'static str,
    asvs: &'static [&'static str],
    cwe: &'static [u32],
) -> Claimed {
    Claimed { id, sentence, asvs, cwe }
}

/// The entry of a claim in its measure's list: its id, or the longest that the id ends with behind a database's name.
pub(crate) fn of(measure: MeasureId, claim: &str) -> Option<&'static Claimed> {
    let lists = [measures::claims_of(measure), measures::ANY].into_iter().flatten();
    lists
        .filter(|listed| {
            claim == listed.id || claim.strip_suffix(listed.id).is_some_and(|name| name.ends_with('_'))
        })
        .max_by_key(|listed| listed.id.len())
}

/// Fills a claim's sentence and numbers from the list; a claim that is in none keeps what it has.
pub(crate) fn fill(measure: MeasureId, claim: &mut Claim) {
    let Some(listed) = of(measure, &claim.id) else { return };
    if claim.sentence.is_empty() {
        claim.sentence = listed.sentence.to_owned();
    }
    if claim.asvs.is_empty() {
        claim.asvs = listed.asvs.iter().map(|&requirement| requirement.to_owned()).collect();
    }
    if claim.cwe.is_empty() {
        claim.cwe = listed.cwe.to_vec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_found_with_and_without_a_databases_name() {
        let id = |claim: &str| of(MeasureId::A3, claim).map(|listed| listed.id);
        assert_eq!(id("a_wrong_password_is_refused"), Some("a_wrong_password_is_refused"));
        assert_eq!(id("backend_wrong_password_is_refused"), Some("wrong_password_is_refused"));
        assert_eq!(id("store_file_is_ciphertext"), Some("file_is_ciphertext"));
        assert_eq!(id("the_server_answers"), Some("the_server_answers"));
        assert_eq!(id("nobody_says_so"), None);
    }

    #[test]
    fn every_list_is_in_words_without_doubles_and_names_requirements_that_exist() {
        for measure in MeasureId::ALL {
            let list = measures::claims_of(measure);
            assert!(!list.is_empty(), "{measure} can claim nothing");
            for (at, claim) in list.iter().enumerate() {
                assert!(claim.sentence.len() > 12, "{measure}/{} says nothing", claim.id);
                assert!(!list.iter().skip(at + 1).any(|other| other.id == claim.id), "{}", claim.id);
                for requirement in claim.asvs {
                    let known = crate::report::asvs::level(requirement).is_some();
                    assert!(known, "{measure}/{}: {requirement} is not in ASVS 5.0", claim.id);
                }
            }
        }
    }
}
