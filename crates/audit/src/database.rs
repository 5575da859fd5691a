//! Databases as the auditor sees them: opened read-only by its own SQL, every value of every text column read.

pub(crate) mod copy;
pub(crate) mod credentials;
pub(crate) mod postgres;
pub(crate) mod session_ends;
pub(crate) mod shape;
pub(crate) mod sqlcipher;
pub(crate) mod targets;
pub(crate) mod wire;

use std::collections::{BTreeMap, BTreeSet};

use secrecy::ExposeSecret as _;

use crate::config::{Config, Location};
use crate::database::shape::Seen;
use crate::exercise::Begun;

/// What must, or must not, be found in a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mark {
    /// The throw-away user's address: shows that the right database is searched.
    Email,
    /// Its password: nowhere, in no spelling.
    Password,
    /// The token of its reset link.
    ResetToken,
}

/// One database, read whole.
pub(crate) struct Scan {
    /// `the store` or `[audit] database`.
    pub(crate) name: &'static str,
    /// What was read, or why nothing.
    pub(crate) found: Result<Found, String>,
}

/// What the values of a database look like.
#[derive(Default)]
pub(crate) struct Found {
    /// By `table.column`.
    pub(crate) columns: BTreeMap<String, Seen>,
    /// Columns that could not be read, and why.
    pub(crate) unread: Vec<String>,
    /// Tables that have a column for salts beside.
    pub(crate) salted_tables: BTreeSet<String>,
    /// Text and binary values read.
    pub(crate) values: u64,
    /// How often each mark was found, by `table.column`.
    pub(crate) marks: BTreeMap<Mark, BTreeMap<String, u64>>,
}

impl Found {
    /// Takes one value in.
    pub(crate) fn see(&mut self, needles: &Needles, table: &str, column: &str, value: &[u8]) {
        self.values += 1;
        let place = format!("{table}.{column}");
        for (mark, spellings) in needles {
            if spellings.iter().any(|needle| contains(value, needle)) {
                *self.marks.entry(*mark).or_default().entry(place.clone()).or_default() += 1;
            }
        }
        self.columns.entry(place).or_insert_with(|| Seen::of_column(column)).value(value);
    }
}

/// The spellings of each mark.
pub(crate) type Needles = Vec<(Mark, Vec<Vec<u8>>)>;

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.len() >= needle.len() && haystack.windows(needle.len()).any(|window| window == needle)
}

/// A mark as it is, in hexadecimal, and in base64 at each alignment.
fn spellings(mark: &str) -> Vec<Vec<u8>> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD_NO_PAD;
    let bytes = mark.as_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut all = vec![bytes.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()];
    for skipped in 0..3 {
        // The characters at both ends depend on the neighbours; those between do not.
        let whole = &bytes[skipped.min(bytes.len())..];
        let whole = &whole[..whole.len() / 3 * 3];
        all.push(STANDARD_NO_PAD.encode(whole).into_bytes());
    }
    all
}

/// Reads the store and `[audit] database`.
pub(crate) async fn scan_all(config: &Config, begun: Option<&Begun>) -> Vec<Scan> {
    let mut needles = Needles::new();
    if let Some(begun) = begun {
        needles.push((Mark::Email, vec![begun.email.clone().into_bytes()]));
        needles.push((Mark::Password, spellings(begun.password.expose_secret())));
        if let Ok(link) = &begun.link {
            needles.push((Mark::ResetToken, spellings(link.token.expose_secret())));
        }
    }
    let mut scans = Vec::new();
    for (name, location) in [("the store", &config.store), ("[audit] database", &config.database)] {
        if let Some(location) = location {
            let found = match location {
                Location::SqlCipher { path, key } => {
                    sqlcipher::scan(path, key.expose_secret(), &needles).await
                }
                Location::Postgres { url, password } => {
                    postgres::scan(url, password.as_ref(), &needles).await
                }
            };
            scans.push(Scan { name, found });
        }
    }
    scans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_in_every_spelling() {
        use base64::Engine as _;
        let needles = spellings("Zq0123456789abcdef");
        let hit = |value: &[u8]| needles.iter().any(|needle| contains(value, needle));
        assert!(hit(b"{\"p\":\"Zq0123456789abcdef\"}"));
        for before in ["", "x", "xy"] {
            let text =
                base64::engine::general_purpose::STANDARD.encode(format!("{before}Zq0123456789abcdef!"));
            assert!(hit(text.as_bytes()), "{before}");
        }
        assert!(hit(b"5a7130313233343536373839616263646566"));
        assert!(!hit(b"$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA"));
        assert!(!contains(b"ab", b"abc"));
    }
}
