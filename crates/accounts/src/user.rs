//! Who a user is: an e-mail address that cannot be mistaken for another one, and an identifier.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Longest address in bytes (RFC 5321 section 4.5.3.1.3: a path of 256 with its angle brackets).
pub const MAXIMUM_EMAIL: usize = 254;
/// Longest part before the `@` in bytes (RFC 5321 section 4.5.3.1.1).
const MAXIMUM_LOCAL_PART: usize = 64;
/// Longest label of a host name in bytes (RFC 1035 section 2.3.4).
const MAXIMUM_LABEL: usize = 63;

/// Why a text is no e-mail address that we take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    /// Nothing was given.
    #[error("the e-mail address is empty")]
    Empty,
    /// Over [`MAXIMUM_EMAIL`] bytes, or over 64 before the `@`.
    #[error("the e-mail address is too long: at most 254 bytes, and 64 before the @")]
    TooLong,
    /// Not exactly one `@`.
    #[error("the e-mail address needs one @ between a name and a host")]
    Shape,
    /// A character outside ASCII. Such addresses can look like, or be case-mapped to, somebody else's.
    #[error("the e-mail address has a character outside ASCII; write the host in its xn-- form")]
    NotAscii,
    /// A control character, a space, a quote, or another one that RFC 5321 allows only in quotes.
    #[error("the e-mail address has a character that is not allowed before the @")]
    LocalPart,
    /// The host is no name of labels with letters, digits and inner hyphens.
    #[error("the e-mail address has no proper host name after the @")]
    Host,
}

/// An e-mail address: the form that was given, to write to, and a canonical form, to compare.
///
/// The accepted set is small on purpose: a dot-atom of ASCII, an `@`, a host name of letters, digits and hyphens
/// (RFC 5321 section 4.1.2 without quoted strings and address literals). Everything outside ASCII is refused, so no case mapping or
/// compatibility form (`ı`, the Kelvin sign, full-width letters) can lead to another account; neither can a CR or LF
/// reach a mail header. The canonical form is lower case in both parts: no provider of note tells `A` from `a`, and
/// two accounts that differ only so would be a trap. Dots and `+` tags are kept, since they do make different addresses.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Email {
    given: String,
    canonical: String,
}

impl Email {
    /// Reads an address; see the type for what is taken.
    ///
    /// # Errors
    /// The first rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        if text.is_empty() {
            return Err(EmailError::Empty);
        }
        if text.len() > MAXIMUM_EMAIL {
            return Err(EmailError::TooLong);
        }
        if !text.is_ascii() {
            return Err(EmailError::NotAscii);
        }
        let (local, host) = text.split_once('@').ok_or(EmailError::Shape)?;
        if local.is_empty() || host.is_empty() || host.contains('@') {
            return Err(EmailError::Shape);
        }
        if local.len() > MAXIMUM_LOCAL_PART {
            return Err(EmailError::TooLong);
        }
        if !local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atext)) {
            return Err(EmailError::LocalPart);
        }
        if !is_host(host) {
            return Err(EmailError::Host);
        }
        Ok(Self { given: text.to_owned(), canonical: text.to_ascii_lowercase() })
    }

    /// The address as it was given: where mail goes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.given
    }

    /// The form that identifies an account: two addresses are one account when these are equal.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// What stands before the `@`, in canonical form.
    #[must_use]
    pub fn local_part(&self) -> &str {
        self.canonical.split_once('@').map_or("", |(local, _)| local)
    }

    /// What stands after the `@`, in canonical form.
    #[must_use]
    pub fn host(&self) -> &str {
        self.canonical.split_once('@').map_or("", |(_, host)| host)
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.given)
    }
}

/// Shows the first letter and the host alone: an address is personal data, and `Debug` ends up in logs.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Email({}…@{})", self.canonical.get(..1).unwrap_or(""), self.host())
    }
}

/// `atext` of RFC 5322 section 3.2.3.
fn is_atext(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

/// A host name of two labels or more, or `localhost`; the last label is not all digits, so no IPv4 address passes.
fn is_host(host: &str) -> bool {
    let labels: Vec<&str> = host.split('.').collect();
    let well_formed = |label: &&str| {
        !label.is_empty()
            && label.len() <= MAXIMUM_LABEL
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    labels.iter().all(well_formed)
        && (labels.len() >= 2 || host.eq_ignore_ascii_case("localhost"))
        && labels.last().is_some_and(|last| !last.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A user's identifier: `usr_` and 128 random bits in base64url. It is the `sub` of a user's tokens; the prefix keeps it from ever
/// looking like a client's (`…@clients`, RFC 9700 section 4.15).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(String);

/// The start of every user identifier.
pub const USER_ID_PREFIX: &str = "usr_";
/// Characters after the prefix: 16 bytes in base64url.
const USER_ID_TAIL: usize = 22;

impl UserId {
    /// Makes an identifier of 16 fresh random bytes.
    #[must_use]
    pub fn new(fresh: [u8; 16]) -> Self {
        Self(format!("{USER_ID_PREFIX}{}", URL_SAFE_NO_PAD.encode(fresh)))
    }

    /// Reads an identifier; `None` when the text cannot be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let tail = text.strip_prefix(USER_ID_PREFIX)?;
        let proper = tail.len() == USER_ID_TAIL
            && tail.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        proper.then(|| Self(text.to_owned()))
    }

    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ordinary_addresses_are_taken() {
        for (text, canonical) in [
            ("alice@example.com", "alice@example.com"),
            ("Alice.Smith+tag@Example.COM", "alice.smith+tag@example.com"),
            ("o'brien@mail.example.co.uk", "o'brien@mail.example.co.uk"),
            ("a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
            ("root@localhost", "root@localhost"),
        ] {
            let email = Email::parse(text).unwrap();
            assert_eq!(email.canonical(), canonical);
            assert_eq!(email.as_str(), text);
        }
    }

    #[test]
    fn others_are_refused_with_a_reason() {
        let long_local = format!("{}@example.com", "a".repeat(65));
        let long = format!("a@{}.com", "b.".repeat(130));
        for (text, error) in [
            ("", EmailError::Empty),
            ("alice", EmailError::Shape),
            ("@example.com", EmailError::Shape),
            ("alice@", EmailError::Shape),
            ("alice@evil.test@example.com", EmailError::Shape),
            ("alice\r\nbcc: eve@evil.test", EmailError::LocalPart),
            ("alice@example.com\r\nbcc:eve", EmailError::Host),
            ("alice @example.com", EmailError::LocalPart),
            ("alice@example.com ", EmailError::Host),
            (".alice@example.com", EmailError::LocalPart),
            ("al..ice@example.com", EmailError::LocalPart),
            ("\"alice\"@example.com", EmailError::LocalPart),
            ("alice@[127.0.0.1]", EmailError::Host),
            ("alice@127.0.0.1", EmailError::Host),
            ("alice@example", EmailError::Host),
            ("alice@-example.com", EmailError::Host),
            ("alice@example..com", EmailError::Host),
            ("alice@example.com.", EmailError::Host),
            (&long_local, EmailError::TooLong),
            (&long, EmailError::TooLong),
        ] {
            assert_eq!(Email::parse(text).err(), Some(error), "{text:?}");
        }
    }

    /// The password-reset attack on case mapping: each of these maps to the plain address in some mapping.
    #[test]
    fn unicode_look_alikes_are_refused() {
        for text in [
            "mıke@example.org",
            "mike@example.org\u{200b}",
            "ｍike@example.org",
            "\u{212a}ate@example.org",
            "mike@gıthub.com",
            "straße@example.org",
        ] {
            assert_eq!(Email::parse(text).err(), Some(EmailError::NotAscii), "{text:?}");
        }
    }

    #[test]
    fn debug_hides_the_address() {
        assert_eq!(format!("{:?}", Email::parse("alice@example.com").unwrap()), "Email(a…@example.com)");
    }

    #[test]
    fn user_ids_read_back_and_never_look_like_clients() {
        let id = UserId::new([0xff; 16]);
        assert_eq!(UserId::parse(id.as_str()), Some(id));
        for text in [
            "",
            "usr_",
            "usr_short",
            "abc@clients",
            "usr_0123456789012345@clients",
            "client_0123456789012345678901",
        ] {
            assert_eq!(UserId::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn parse_never_panics_and_canonical_is_a_fixed_point(text in "\\PC{0,300}") {
            if let Ok(email) = Email::parse(&text) {
                let again = Email::parse(email.canonical()).unwrap();
                prop_assert_eq!(again.canonical(), email.canonical());
                prop_assert!(!email.as_str().bytes().any(|byte| byte.is_ascii_control()));
            }
        }

        #[test]
        fn every_accepted_shape_is_accepted(local in "[a-zA-Z0-9]{1,20}(\\.[a-z0-9+]{1,20}){0,2}", host in "[a-z0-9]{1,20}(\\.[a-z]{2,10}){1,3}") {
            let address = format!("{local}@{host}");
            prop_assert!(Email::parse(&address).is_ok());
        }

        #[test]
        fn distinct_fresh_bytes_make_distinct_ids(one: [u8; 16], other: [u8; 16]) {
            prop_assert_eq!(one == other, UserId::new(one) == UserId::new(other));
        }
    }
}
