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

    fn file(path: &str) -> String {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    #[test]
    fn the_folder_and_the_documents_name_every_measure() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/measures");
        let shared = ["claimed.rs", "tally.rs", "refusal.rs", "not_measured.rs"];
        let files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| name.ends_with(".rs") && !shared.contains(&name.as_str()))
            .collect();
        assert_eq!(files.len(), MeasureId::ALL.len(), "one file a measure: {files:?}");
        for name in &files {
            let text = file(&format!("src/measures/{name}"));
            assert!(text.contains("const CLAIMS: &[Claimed]"), "{name} says not what it can claim");
        }
        for document in ["../../docs/threats.md", "../../docs/audit.md"] {
            let text = file(document);
            let words: std::collections::BTreeSet<&str> =
                text.split(|c: char| !c.is_ascii_alphanumeric()).collect();
            for id in MeasureId::ALL {
                assert!(words.contains(id.as_str()), "{document} does not name {id}");
            }
        }
    }

    /// docs/asvs.md: written again with PORTCULLIS_WRITE_DOCS set.
    #[test]
    fn the_document_of_requirements_is_what_the_lists_say() {
        let mut rows = String::new();
        let (mut answered, mut levels) = (0, [0; 3]);
        for (requirement, level) in crate::report::asvs::requirements() {
            let claims: Vec<String> = MeasureId::ALL
                .into_iter()
                .flat_map(|id| measures::claims_of(id).iter().map(move |claim| (id, claim)))
                .filter(|(_, claim)| claim.asvs.contains(&requirement))
                .map(|(id, claim)| format!("{id} `{}`", claim.id))
                .collect();
            if !claims.is_empty() {
                answered += 1;
                levels[match level {
                    "L1" => 0,
                    "L2" => 1,
                    _ => 2,
                }] += 1;
                rows.push_str(&format!("| {requirement} | {level} | {} |\n", claims.join(", ")));
            }
        }
        assert!(answered >= 100, "{answered} requirements are answered");
        let text = format!(
            "# ASVS 5.0: what an audit answers\n\nOf the 345 requirements of OWASP ASVS 5.0.0 a run of every measure answers \
             {answered}: {} of level 1, {} of level 2, {} of level 3. A requirement is answered by the AND of its claims, and a \
             claim that could not be shown leaves it `not_proven`. A claim looks at what the requirement asks where the audit \
             stands: at the gateway, the issuer, the databases and the repository that it was given, not at every part of a \
             system. The others are not answered. The report lists both (`asvs` in JSON).\n\nThis file is generated by a test \
             of `crates/audit`: `PORTCULLIS_WRITE_DOCS=1 cargo test -p audit --lib the_document_of_requirements`.\n\n\
             | requirement | level | answered by |\n|---|---|---|\n{rows}",
            levels[0], levels[1], levels[2]
        );
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/asvs.md");
        if std::env::var_os("PORTCULLIS_WRITE_DOCS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(&path).unwrap_or_default(),
            text,
            "docs/asvs.md is of another day"
        );
    }
}
