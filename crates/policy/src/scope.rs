//! Scopes: RFC 6749 section 3.3. Compared whole, byte for byte, case included.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// One scope token: one or more of `%x21 / %x23-5B / %x5D-7E` (RFC 6749 section 3.3).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope(String);

/// What is not a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// A scope has at least one character.
    #[error("a scope must not be empty")]
    Empty,
    /// A character that RFC 6749 section 3.3 does not allow.
    #[error(
        "scope {scope:?} contains {character:?}: printable ASCII without space, quote and backslash is allowed"
    )]
    Character {
        /// The whole text.
        scope: String,
        /// The first character that is not allowed.
        character: char,
    },
}

impl Scope {
    /// Reads one scope.
    ///
    /// # Errors
    /// When the text is empty or has a character outside RFC 6749 section 3.3.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        if text.is_empty() {
            return Err(ScopeError::Empty);
        }
        match text.chars().find(|c| !allowed(*c)) {
            Some(character) => Err(ScopeError::Character { scope: text.to_owned(), character }),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// The scope as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn allowed(c: char) -> bool {
    matches!(c, '\x21' | '\x23'..='\x5b' | '\x5d'..='\x7e')
}

impl TryFrom<String> for Scope {
    type Error = ScopeError;
    fn try_from(text: String) -> Result<Self, ScopeError> {
        Self::parse(&text)
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for Scope {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Scope {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// A set of scopes. Prints, and is written by serde, as one space-separated string in byte order.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ScopeSet(BTreeSet<Scope>);

impl ScopeSet {
    /// The empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a space-separated list (RFC 6749 section 3.3). Order and repetition mean nothing, the empty text is the
    /// empty set, and more than one space between two scopes is read as one.
    ///
    /// # Errors
    /// When a member is not a scope.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        text.split(' ').filter(|part| !part.is_empty()).map(Scope::parse).collect()
    }

    /// Reads what a foreign token claims: members that are no scopes grant nothing and are left out.
    #[must_use]
    pub fn granted(text: &str) -> Self {
        text.split(' ').filter_map(|part| Scope::parse(part).ok()).collect()
    }

    /// Whether this very scope is a member: no prefix, no folding of case.
    #[must_use]
    pub fn contains(&self, scope: &str) -> bool {
        self.0.contains(scope)
    }

    /// Whether every member of `other` is a member here. The empty set is covered by all.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other.0.is_subset(&self.0)
    }

    /// The members of both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    /// The members of either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }

    /// The members that `other` lacks.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        Self(self.0.difference(&other.0).cloned().collect())
    }

    /// Adds a scope; false when it was there.
    pub fn insert(&mut self, scope: Scope) -> bool {
        self.0.insert(scope)
    }

    /// Whether there is no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The members in byte order.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> + '_ {
        self.0.iter()
    }

    /// The members as strings in byte order.
    #[must_use]
    pub fn to_vec(&self) -> Vec<String> {
        self.0.iter().map(|scope| scope.0.clone()).collect()
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

impl IntoIterator for ScopeSet {
    type Item = Scope;
    type IntoIter = std::collections::btree_set::IntoIter<Scope>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a ScopeSet {
    type Item = &'a Scope;
    type IntoIter = std::collections::btree_set::Iter<'a, Scope>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl Extend<Scope> for ScopeSet {
    fn extend<I: IntoIterator<Item = Scope>>(&mut self, scopes: I) {
        self.0.extend(scopes);
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(&scope.0)?;
        }
        Ok(())
    }
}

impl TryFrom<String> for ScopeSet {
    type Error = ScopeError;
    fn try_from(text: String) -> Result<Self, ScopeError> {
        Self::parse(&text)
    }
}

impl From<ScopeSet> for String {
    fn from(set: ScopeSet) -> Self {
        set.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rfc6749_3_3_the_characters_of_a_scope() {
        for good in ["read", "read:orders", "!", "a.b/c#d", "~", "https://example.com/scope"] {
            assert!(Scope::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a\"b", "a\\b", "a\tb", "a\u{7f}", "é", "a\nb", "\u{0}"] {
            assert!(Scope::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_list_is_a_set() {
        let set = ScopeSet::parse("b a  b").unwrap();
        assert_eq!(set.to_string(), "a b");
        assert_eq!(ScopeSet::parse("").unwrap(), ScopeSet::new());
        assert_eq!(ScopeSet::parse(" ").unwrap(), ScopeSet::new());
        assert!(ScopeSet::parse("a\tb").is_err());
    }

    #[test]
    fn be_08_membership_is_whole_and_case_sensitive() {
        let set = ScopeSet::parse("read:orders").unwrap();
        assert!(set.contains("read:orders"));
        for other in ["read:order", "read:orders2", "Read:orders", "xread:orders", "read", "read:*", ""] {
            assert!(!set.contains(other), "{other}");
        }
    }

    #[test]
    fn a_malformed_member_of_a_claim_grants_nothing() {
        assert_eq!(ScopeSet::granted("a b\"c d\te f").to_string(), "a f");
    }

    #[test]
    fn serde_writes_one_string() {
        let set = ScopeSet::parse("b a").unwrap();
        assert_eq!(serde_json::to_string(&set).unwrap(), "\"a b\"");
        assert_eq!(serde_json::from_str::<ScopeSet>("\"a b\"").unwrap(), set);
        assert!(serde_json::from_str::<ScopeSet>("\"a \\\\\"").is_err());
    }

    fn set() -> impl Strategy<Value = ScopeSet> {
        proptest::collection::vec("[a-d]{1,2}", 0..6).prop_map(|v| ScopeSet::granted(&v.join(" ")))
    }

    proptest! {
        #[test]
        fn the_algebra_holds(a in set(), b in set()) {
            prop_assert_eq!(a.intersection(&b), b.intersection(&a));
            prop_assert_eq!(a.union(&b), b.union(&a));
            prop_assert!(a.covers(&a.intersection(&b)));
            prop_assert!(a.union(&b).covers(&a));
            prop_assert_eq!(a.difference(&b).union(&a.intersection(&b)), a.clone());
            prop_assert!(a.difference(&b).intersection(&b).is_empty());
            prop_assert_eq!(a.covers(&b), b.difference(&a).is_empty());
            prop_assert_eq!(ScopeSet::parse(&a.to_string()).unwrap(), a);
        }

        #[test]
        fn parsing_never_panics(text in ".*") {
            let _ = ScopeSet::parse(&text);
            let _ = ScopeSet::granted(&text);
        }
    }
}
