//! What speaks against a password that somebody else made. Ours have 256 random bits and need no measuring.
//!
//! Length and estimators bound what an attacker has to try from above; they prove nothing. NIST SP 800-63B-4 section
//! 3.1.1.2 wants a list of expected passwords, and words of the context, kept out.

use accounts::blocklist;
use accounts::user::Email;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

/// A password that nobody types may be this long, in characters.
const SHORTEST: usize = 20;
/// Shorter names are found in any random text.
const SHORTEST_NAME: usize = 4;

/// What somebody who tries to get in knows.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The role.
    pub role: &'a str,
    /// The database.
    pub database: &'a str,
    /// The host.
    pub host: &'a str,
}

/// Why a password is weak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weakness {
    /// It holds the role's, the database's or the host's name.
    HoldsAName,
    /// It is common, or made of few common pieces.
    Predictable,
    /// It has fewer than twenty characters.
    Short,
    /// zxcvbn thinks that it can be guessed (a score below 4).
    Guessable,
}

impl Weakness {
    /// In words, behind "the password".
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::HoldsAName => "holds the name of the role, the database or the host",
            Self::Predictable => "is made of common words or rows of keys",
            Self::Short => "has fewer than 20 characters",
            Self::Guessable => "is guessable (zxcvbn gives it less than 4 of 4)",
        }
    }
}

/// Everything that speaks against it.
#[must_use]
pub fn weaknesses(password: &SecretString, context: Context<'_>) -> Vec<Weakness> {
    let text = password.expose_secret();
    let host = context.host.split('.').next().unwrap_or_default();
    let names = [context.role, context.database, context.host, host];
    let lower = text.to_lowercase();
    let holds_a_name = names.iter().any(|name| {
        let name = name.to_lowercase();
        // A short name counts where it is the whole.
        name == lower || (name.chars().count() >= SHORTEST_NAME && lower.contains(&name))
    });
    let expected = blocklist_context(context);
    let checks = [
        (Weakness::HoldsAName, holds_a_name),
        (Weakness::Predictable, blocklist::judge(text, &expected).is_some()),
        (Weakness::Short, text.chars().count() < SHORTEST),
        (Weakness::Guessable, zxcvbn::zxcvbn(text, &names).score() < zxcvbn::Score::Four),
    ];
    checks.into_iter().filter_map(|(weakness, found)| found.then_some(weakness)).collect()
}

/// The list knows addresses and services: a role at a host, and a database, are the same to it.
fn blocklist_context(context: Context<'_>) -> blocklist::Context {
    let host = if context.host.contains('.') && !context.host.contains(':') {
        context.host
    } else {
        "database.internal"
    };
    let address =
        Email::parse(&format!("{}@{host}", context.role)).or_else(|_| Email::parse("role@database.internal"));
    address.map_or_else(
        |_| blocklist::Context::default(),
        |address| blocklist::Context::new(&address, context.database),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HERE: Context<'static> =
        Context { role: "backend", database: "orders", host: "db.railway.internal" };

    fn of(password: &str) -> Vec<Weakness> {
        weaknesses(&SecretString::from(password), HERE)
    }

    #[test]
    fn weak_ones_are_told_why() {
        assert!(of("backend").contains(&Weakness::HoldsAName));
        assert!(of("Wq7-ORDERS-m2Kd8rTz1pLx").contains(&Weakness::HoldsAName));
        assert_eq!(of("k3Jx9QpL2mZa"), [Weakness::Short]);
        assert!(of("Password-Admin-2024").contains(&Weakness::Predictable));
        assert!(of("qwertyuiopasdfghjklzxcvbnm").contains(&Weakness::Predictable));
        assert!(of("aaaaaaaaaaaaaaaaaaaaaaaa").contains(&Weakness::Guessable));
    }

    #[test]
    fn a_short_name_counts_as_the_whole_alone() {
        let context = Context { role: "a", database: "b", host: "::1" };
        let judged = |text: &str| weaknesses(&SecretString::from(text), context);
        assert_eq!(judged("Vn4rB2aXk9Qe7LwZ0tHs3mYd"), []);
        assert!(judged("A").contains(&Weakness::HoldsAName));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_we_make_has_none(fresh: [u8; 32]) {
            // Not every array is random: proptest shrinks to zeroes, which are rightly refused.
            prop_assume!(fresh.iter().collect::<std::collections::HashSet<_>>().len() > 24);
            prop_assert_eq!(weaknesses(&crate::verifier::password(fresh), HERE), vec![]);
        }
    }
}
