//! What a stored value looks like: a password hash of a known format and its strength, a bare digest, or clear text.
//! Floors: OWASP Password Storage Cheat Sheet.

mod json;

use std::collections::{BTreeMap, HashSet};

use json::Leaf;

/// The shape of one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A salted password hash at or above OWASP's floor, and its salt.
    Strong { format: &'static str, salt: String },
    /// A password hash below it.
    Weak { why: String, salt: Option<String> },
    /// Hexadecimal or bytes of a digest's length: no salt is in it.
    Bare(usize),
    /// Anything else.
    Other,
}

/// Lengths of MD5, SHA-1, SHA-224, SHA-256, SHA-384 and SHA-512 in bytes.
const DIGESTS: [usize; 6] = [16, 20, 28, 32, 48, 64];
/// 16 bytes of salt in base64 without padding.
const SALT_CHARACTERS: usize = 22;
/// Argon2id: memory in KiB and passes that OWASP holds to be equal.
const ARGON2: [(u64, u64); 5] = [(47_104, 1), (19_456, 2), (12_288, 3), (9_216, 4), (7_168, 5)];
/// scrypt: log2 of N and parallelism that OWASP holds to be equal, with r of 8.
const SCRYPT: [(u64, u64); 5] = [(17, 1), (16, 2), (15, 3), (14, 5), (13, 10)];

pub(crate) fn shape(value: &[u8]) -> Shape {
    let Ok(text) = std::str::from_utf8(value) else {
        return if DIGESTS.contains(&value.len()) { Shape::Bare(value.len()) } else { Shape::Other };
    };
    if let Some(rest) = text.strip_prefix('$') {
        let parts: Vec<&str> = rest.split('$').collect();
        return phc(&parts).unwrap_or(Shape::Other);
    }
    if let Some(shape) = framework(text) {
        return shape;
    }
    let hexadecimal = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hexadecimal && DIGESTS.contains(&(text.len() / 2)) && text.len() % 2 == 0 {
        return Shape::Bare(text.len() / 2);
    }
    Shape::Other
}

/// As Django and Werkzeug write them; both hash the salt's own characters.
fn framework(text: &str) -> Option<Shape> {
    // `argon2$argon2id$v=19$…`, `bcrypt_sha256$$2b$12$…`: Django's name, and then the usual form.
    for prefix in ["argon2", "bcrypt_sha256$", "bcrypt$"] {
        if let Some(rest) = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('$')) {
            return phc(&rest.split('$').collect::<Vec<_>>());
        }
    }
    let parts: Vec<&str> = text.split('$').collect();
    let (format, floor, salt) = match parts.as_slice() {
        ["pbkdf2_sha256", rounds, salt, _] => ("pbkdf2-sha256", rounds.parse::<u64>().ok()? >= 600_000, salt),
        ["pbkdf2_sha1", rounds, salt, _] => ("pbkdf2-sha1", rounds.parse::<u64>().ok()? >= 1_300_000, salt),
        [method, salt, _] => match method.split(':').collect::<Vec<_>>().as_slice() {
            ["pbkdf2", "sha256", rounds] => ("pbkdf2-sha256", rounds.parse::<u64>().ok()? >= 600_000, salt),
            ["pbkdf2", "sha512", rounds] => ("pbkdf2-sha512", rounds.parse::<u64>().ok()? >= 210_000, salt),
            ["scrypt", n, r, p] => {
                let (n, r, p) = (n.parse::<u64>().ok()?, r.parse::<u64>().ok()?, p.parse::<u64>().ok()?);
                ("scrypt", r >= 8 && SCRYPT.iter().any(|(ln, least)| n >= 1 << ln && p >= *least), salt)
            }
            _ => return None,
        },
        _ => return None,
    };
    Some(match (floor, salt.len()) {
        (false, _) => {
            Shape::Weak { why: format!("{format} below OWASP's floor"), salt: Some((*salt).into()) }
        }
        (true, ..16) => {
            Shape::Weak { why: format!("{format} with a salt under 16 bytes"), salt: Some((*salt).into()) }
        }
        (true, _) => Shape::Strong { format, salt: (*salt).into() },
    })
}

fn phc(parts: &[&str]) -> Option<Shape> {
    let (format, rest) = parts.split_first()?;
    let weak = |why: String, salt: Option<&str>| Some(Shape::Weak { why, salt: salt.map(Into::into) });
    if let Some(format) = ["2a", "2b", "2y", "2x"].into_iter().find(|known| known == format) {
        let (cost, hash) = (rest.first()?.parse::<u64>().ok()?, rest.get(1)?);
        let salt = hash.get(..22)?;
        return match cost {
            _ if format == "2x" => weak("bcrypt 2x, whose implementation is broken".into(), Some(salt)),
            ..10 => weak(format!("bcrypt with cost {cost}, below 10"), Some(salt)),
            _ => Some(Shape::Strong { format: "bcrypt", salt: salt.into() }),
        };
    }
    if rest.len() > 1
        && matches!(*format, "1" | "5" | "6" | "y" | "apr1" | "md5" | "sha1" | "sha256" | "sha512")
    {
        return weak(format!("crypt format ${format}$"), None);
    }
    let rest = rest.iter().filter(|part| !part.starts_with("v=")).copied().collect::<Vec<_>>();
    let parameters: BTreeMap<&str, u64> = rest
        .first()?
        .split(',')
        .filter_map(|pair| pair.split_once('='))
        .filter_map(|(name, value)| Some((name, value.parse().ok()?)))
        .collect();
    let number = |name: &str| parameters.get(name).copied().unwrap_or(0);
    let salt = *rest.get(1)?;
    rest.get(2)?;
    let (known, floor): (&'static str, bool) = match *format {
        "argon2id" => ("argon2id", ARGON2.iter().any(|(m, t)| number("m") >= *m && number("t") >= *t)),
        "argon2i" | "argon2d" => return weak(format!("{format} instead of argon2id"), Some(salt)),
        "scrypt" => (
            "scrypt",
            number("r") >= 8 && SCRYPT.iter().any(|(ln, p)| number("ln") >= *ln && number("p") >= *p),
        ),
        "pbkdf2-sha256" => ("pbkdf2-sha256", number("i") >= 600_000),
        "pbkdf2-sha512" => ("pbkdf2-sha512", number("i") >= 210_000),
        "pbkdf2" | "pbkdf2-sha1" => ("pbkdf2-sha1", number("i") >= 1_300_000),
        _ => return None,
    };
    if !floor {
        return weak(format!("{known} with {} is below OWASP's floor", rest.first()?), Some(salt));
    }
    if salt.len() < SALT_CHARACTERS {
        return weak(format!("{known} with a salt under 16 bytes"), Some(salt));
    }
    Some(Shape::Strong { format: known, salt: salt.into() })
}

/// Whether a name is a password's: `password`, `user_passwd`, `passwordHash`; not `password_changed_at`.
pub(crate) fn names_a_password(name: &str) -> bool {
    let mut words = Vec::new();
    let mut lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() {
            words.push(String::new());
        } else if words.is_empty() || (c.is_uppercase() && lower) {
            words.push(c.to_lowercase().collect());
        } else if let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
        lower = c.is_lowercase();
    }
    let about = [
        "at",
        "id",
        "date",
        "time",
        "changed",
        "updated",
        "expires",
        "expiry",
        "required",
        "policy",
        "hint",
        "url",
        "reset",
        "resets",
        "length",
        "count",
        "min",
        "max",
        "version",
        "algorithm",
        "type",
        "enabled",
        "attempts",
    ];
    words.iter().any(|word| {
        matches!(word.as_str(), "password" | "passwd" | "pwd" | "passphrase" | "passwort" | "pass")
            || word.strip_suffix('s').is_some_and(|one| one == "password")
    }) && !words.last().is_some_and(|last| about.contains(&last.as_str()))
}

/// What the values of one column look like.
#[derive(Default)]
pub(crate) struct Seen {
    /// The column's name is a password's.
    pub(crate) named: bool,
    pub(crate) strong: u64,
    pub(crate) formats: BTreeMap<&'static str, u64>,
    pub(crate) weak: BTreeMap<String, u64>,
    pub(crate) bare: u64,
    pub(crate) other: u64,
    /// Hashes whose salt another has too.
    pub(crate) doubled_salts: u64,
    /// Values that are JSON, looked into.
    pub(crate) json: u64,
    /// Passwords in clear in JSON.
    pub(crate) in_json: u64,
    /// Passwords as bare digests in JSON, without a member for a salt and with one.
    pub(crate) bare_in_json: u64,
    pub(crate) salted_in_json: u64,
    salts: HashSet<String>,
}

impl Seen {
    pub(crate) fn of_column(name: &str) -> Self {
        Self { named: names_a_password(name), ..Self::default() }
    }

    pub(crate) fn value(&mut self, value: &[u8]) {
        if value.is_empty() {
            return;
        }
        if let Some(leaves) = json::leaves(value, self.named) {
            return self.leaves(&leaves);
        }
        let salt = match shape(value) {
            Shape::Strong { format, salt } => {
                self.strong += 1;
                *self.formats.entry(format).or_default() += 1;
                Some(salt)
            }
            Shape::Weak { why, salt } => {
                *self.weak.entry(why).or_default() += 1;
                salt
            }
            Shape::Bare(_) => {
                self.bare += 1;
                None
            }
            Shape::Other => {
                self.other += 1;
                None
            }
        };
        if let Some(salt) = salt
            && !self.salts.insert(salt)
        {
            self.doubled_salts += 1;
        }
    }

    /// What stands in a value that is JSON.
    fn leaves(&mut self, leaves: &[Leaf]) {
        self.json += 1;
        if leaves.is_empty() {
            // In a password's own column that is no hash of a known format.
            self.other += 1;
        }
        for leaf in leaves {
            match leaf {
                Leaf::Hash(Shape::Strong { format, .. }) => {
                    self.strong += 1;
                    *self.formats.entry(format).or_default() += 1;
                }
                Leaf::Hash(Shape::Weak { why, .. }) => *self.weak.entry(why.clone()).or_default() += 1,
                Leaf::Bare { salted: true } => self.salted_in_json += 1,
                Leaf::Bare { salted: false } => self.bare_in_json += 1,
                Leaf::Clear | Leaf::Hash(_) => self.in_json += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: &str = "c29tZXNhbHRzb21lc2FsdA"; // portcullis:allow a salt of this test

    #[test]
    fn formats_and_their_floors() {
        let weak = |value: &str| matches!(shape(value.as_bytes()), Shape::Weak { .. });
        let strong = |value: &str| matches!(shape(value.as_bytes()), Shape::Strong { .. });
        assert!(strong(&format!("$argon2id$v=19$m=19456,t=2,p=1${SALT}$aGFzaA")));
        assert!(strong(&format!("$argon2id$v=19$m=65536,t=3,p=4${SALT}$aGFzaA")));
        assert!(weak(&format!("$argon2id$v=19$m=19455,t=2,p=1${SALT}$aGFzaA")));
        assert!(weak(&format!("$argon2id$v=19$m=19456,t=1,p=1${SALT}$aGFzaA")));
        assert!(weak("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA"));
        assert!(weak(&format!("$argon2i$v=19$m=65536,t=3,p=1${SALT}$aGFzaA")));
        let bcrypt = |cost: &str| format!("$2b${cost}$abcdefghijklmnopqrstuvABCDEFGHIJKLMNOPQRSTUVWXYZ01234");
        assert!(strong(&bcrypt("10")));
        assert!(weak(&bcrypt("04")));
        assert!(strong(&format!("$scrypt$ln=17,r=8,p=1${SALT}$aGFzaA")));
        assert!(weak(&format!("$scrypt$ln=15,r=8,p=1${SALT}$aGFzaA")));
        assert!(weak(&format!("$pbkdf2-sha256$i=599999${SALT}$aGFzaA")));
        assert!(weak("$1$abcdefgh$hash"));
        // Django's and Werkzeug's.
        assert!(strong("pbkdf2_sha256$870000$4ZnAbCdEfGhIjKlMnOpQrS$aGFzaGhhc2g="));
        assert!(weak("pbkdf2_sha256$260000$4ZnAbCdEfGhIjKlMnOpQrS$aGFzaGhhc2g="));
        assert!(strong(&format!("argon2$argon2id$v=19$m=102400,t=2,p=8${SALT}$aGFzaA")));
        assert!(strong("bcrypt_sha256$$2b$12$abcdefghijklmnopqrstuvABCDEFGHIJKLMNOPQRSTUVWXYZ01234"));
        assert!(weak("scrypt:32768:8:1$AbCdEfGhIjKlMnOp$00ff"), "Werkzeug's own default is below the floor");
        assert!(strong("scrypt:131072:8:1$AbCdEfGhIjKlMnOp$00ff"));
        assert!(strong("pbkdf2:sha256:1000000$AbCdEfGhIjKlMnOp$00ff"));
        assert!(weak("pbkdf2:sha256:1000000$AbCdEfGh$00ff"));
        assert_eq!(shape(b"a$b$c"), Shape::Other);
        assert_eq!(shape(b"5f4dcc3b5aa765d61d8327deb882cf99"), Shape::Bare(16));
        assert_eq!(shape(b"5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8"), Shape::Bare(20));
        assert_eq!(shape(&[0xff; 32]), Shape::Bare(32));
        assert_eq!(shape(b"correct horse"), Shape::Other);
        assert_eq!(shape(b"$argon2id$"), Shape::Other);
        assert_eq!(shape(b""), Shape::Other);
    }

    #[test]
    fn names_of_passwords() {
        for name in ["password", "password_hash", "userPassword", "PASSWD", "pwd", "hashed_password"] {
            assert!(names_a_password(name), "{name}");
        }
        for name in ["password_changed_at", "passenger", "bypass_token", "password_reset", "compass"] {
            assert!(!names_a_password(name), "{name}");
        }
    }

    #[test]
    fn a_column_counts_doubled_salts_and_passwords_in_json() {
        let mut seen = Seen::of_column("password_hash");
        for _ in 0..2 {
            seen.value(format!("$argon2id$v=19$m=19456,t=2,p=1${SALT}$aGFzaA").as_bytes());
        }
        assert_eq!((seen.strong, seen.doubled_salts), (2, 1));
        let mut seen = Seen::of_column("body");
        seen.value(br#"{"user": {"email": "a@b", "password": "hunter2"}}"#);
        seen.value(br#"{"user": {"password": null, "password_changed_at": "2026"}}"#);
        assert_eq!((seen.in_json, seen.json), (1, 2));
    }

    #[test]
    fn hashes_in_json_count_and_their_copies_double_no_salt() {
        let strong = format!("$argon2id$v=19$m=19456,t=2,p=1${SALT}$aGFzaA");
        let mut seen = Seen::of_column("password_history");
        for _ in 0..2 {
            seen.value(serde_json::json!([strong]).to_string().as_bytes());
        }
        assert_eq!((seen.strong, seen.doubled_salts, seen.other), (2, 0, 0));
        seen.value(br#"["5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8", "$1$abcdefgh$hash"]"#);
        assert_eq!((seen.bare_in_json, seen.weak.len()), (1, 1));
        seen.value(b"{}");
        assert_eq!(seen.other, 1, "no hash of a known format");
    }

    proptest::proptest! {
        #[test]
        fn no_value_panics(value: Vec<u8>, text in "\\$[a-z0-9$=,]{0,60}") {
            let mut seen = Seen::of_column("password");
            seen.value(&value);
            seen.value(text.as_bytes());
        }
    }
}
