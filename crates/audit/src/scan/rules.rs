//! The forms of secrets: a table. A keyword that stands in (or near) each of them is looked for first, in one pass over
//! everything; only around a keyword is the pattern tried.
//!
//! The forms are those that the vendors publish. Where a secret has no form of its own (Heroku's is a UUID), its keyword
//! must stand on the same line. What has neither is the business of `rules::general`.

mod cloud;
mod code;
mod general;
mod services;

use regex::bytes::{Regex, RegexBuilder};

/// What a check may look at beside the secret.
pub(crate) struct Context<'a> {
    /// The secret: the pattern's group `s`, `t`, `u` or `v`, else its first group, else all of its match.
    pub(crate) secret: &'a [u8],
    /// The pattern's group `n`, else its second: a name, a host; empty where there is none.
    pub(crate) beside: &'a [u8],
    /// All of the match.
    pub(crate) matched: &'a [u8],
    /// What stands around the match, some hundred bytes on each side.
    pub(crate) around: &'a [u8],
}

/// One form.
pub(crate) struct Rule {
    /// Names it in reports and never changes.
    pub(crate) id: &'static str,
    /// What was found, for people.
    pub(crate) what: &'static str,
    /// In any case; one of them must be near.
    pub(crate) keywords: &'static [&'static str],
    /// Bytes, not Unicode.
    pub(crate) pattern: &'static str,
    /// How far behind its keyword the match may end.
    pub(crate) reach: usize,
    /// Bits per character that the secret must have at least.
    pub(crate) entropy: f32,
    /// What the pattern cannot say.
    pub(crate) check: Option<fn(&Context<'_>) -> bool>,
    /// Where it is revoked.
    pub(crate) revoke: &'static str,
    /// Whether the form alone proves it; the others yield where two overlap.
    pub(crate) own_form: bool,
}

/// How far behind its keyword a match ends as a rule.
const REACH: usize = 600;

impl Rule {
    /// A secret that has a form of its own.
    pub(crate) const fn form(
        id: &'static str,
        what: &'static str,
        keywords: &'static [&'static str],
        pattern: &'static str,
        revoke: &'static str,
    ) -> Self {
        Self { id, what, keywords, pattern, reach: REACH, entropy: 0.0, check: None, revoke, own_form: true }
    }

    /// A secret that only what stands beside it gives away.
    pub(crate) const fn near(
        id: &'static str,
        what: &'static str,
        keywords: &'static [&'static str],
        pattern: &'static str,
        revoke: &'static str,
    ) -> Self {
        let mut rule = Self::form(id, what, keywords, pattern, revoke);
        rule.own_form = false;
        rule
    }

    pub(crate) const fn entropy(mut self, bits: f32) -> Self {
        self.entropy = bits;
        self
    }

    pub(crate) const fn reach(mut self, bytes: usize) -> Self {
        self.reach = bytes;
        self
    }

    pub(crate) const fn check(mut self, check: fn(&Context<'_>) -> bool) -> Self {
        self.check = Some(check);
        self
    }

    /// The pattern, ready; none: it is no pattern.
    pub(crate) fn compile(&self) -> Option<Regex> {
        RegexBuilder::new(self.pattern).unicode(false).size_limit(1 << 24).build().ok()
    }
}

/// All of them; the more telling first.
pub(crate) fn all() -> impl Iterator<Item = &'static Rule> {
    [cloud::RULES, code::RULES, services::RULES, general::RULES].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles_and_every_id_is_one_of_its_kind() {
        let mut ids = std::collections::BTreeSet::new();
        for rule in all() {
            assert!(rule.compile().is_some(), "{}", rule.id);
            assert!(ids.insert(rule.id), "{} twice", rule.id);
            assert!(!rule.keywords.is_empty(), "{} would be tried everywhere", rule.id);
            assert!(rule.keywords.iter().all(|word| *word == word.to_lowercase()), "{}", rule.id);
            assert!(!rule.what.is_empty() && !rule.revoke.is_empty(), "{}", rule.id);
        }
        assert!(ids.len() >= 45, "{} rules", ids.len());
    }
}
