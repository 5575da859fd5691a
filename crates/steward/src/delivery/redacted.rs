//! What others say, without the secret in it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};

/// As much as one line of a message has room for.
const SHOWN: usize = 400;
/// A secret shorter than this cannot be told from the rest of a text: then nothing is shown.
const SHORTEST: usize = 6;

/// Every form in which a secret would be recognised.
pub(super) struct Redactor {
    forms: Vec<SecretString>,
    hopeless: bool,
}

impl Redactor {
    /// Cuts these secrets out: as they are, percent-encoded, and in base64, alone or inside something longer.
    pub(super) fn new(secrets: &[&SecretString]) -> Self {
        let mut forms = Vec::new();
        let mut hopeless = false;
        for secret in secrets {
            let secret = secret.expose_secret();
            hopeless |= secret.len() < SHORTEST;
            forms.push(secret.to_owned());
            forms.push(percent_encoded(secret));
            // JSON as others write it may escape more.
            forms.push(serde_json::to_string(secret).unwrap_or_default().trim_matches('"').to_owned());
            // Base64 of a longer text that contains the secret begins at one of three places within four digits; the
            // digits at the edges depend on the neighbours.
            for shift in 0..3 {
                let padded = [vec![0; shift], secret.as_bytes().to_vec()].concat();
                for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
                    let digits = engine.encode(&padded);
                    let from = [0, 2, 3][shift];
                    let to = digits.len() - usize::from(padded.len() % 3 != 0);
                    forms.push(digits.get(from..to).unwrap_or_default().to_owned());
                }
            }
        }
        forms.retain(|form| form.len() >= SHORTEST);
        // The longest first: a form may contain another.
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        Self { forms: forms.into_iter().map(SecretString::from).collect(), hopeless }
    }

    /// One line of at most 400 characters. `cut` says that the text goes on where it ends: then its last characters may
    /// be the beginning of the secret.
    pub(super) fn line(&self, text: &[u8], cut: bool) -> String {
        if self.hopeless {
            return "(not shown: the secret is too short to be told from the rest)".to_owned();
        }
        let mut text = String::from_utf8_lossy(text).into_owned();
        for form in &self.forms {
            text = text.replace(form.expose_secret(), "[secret]");
        }
        if cut {
            let longest = self.forms.first().map_or(0, |form| form.expose_secret().len());
            let keep = text.chars().count().saturating_sub(longest);
            text = text.chars().take(keep).collect();
        }
        let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let line = line.trim();
        if line.chars().count() > SHOWN {
            line.chars().take(SHOWN).chain(std::iter::once('…')).collect()
        } else {
            line.to_owned()
        }
    }
}

fn percent_encoded(secret: &str) -> String {
    url::form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    fn shown(secret: &str, text: &str) -> String {
        Redactor::new(&[&SecretString::from(secret)]).line(text.as_bytes(), false)
    }

    #[test]
    fn a_message_is_one_line_without_the_secret() {
        assert_eq!(shown("hunter2secret", "no:\nhunter2secret is wrong\n"), "no: [secret] is wrong");
        assert_eq!(shown("p/w+d=1&secret", "url x:p%2Fw%2Bd%3D1%26secret@h"), "url x:[secret]@h");
        assert_eq!(
            shown("quo\"te\\secret", r#"{"password":"quo\"te\\secret"}"#),
            r#"{"password":"[secret]"}"#
        );
        assert!(shown("abc", "abc was refused").starts_with("(not shown"));
        let long = shown("hunter2secret", &"x".repeat(2_000));
        assert_eq!(long.chars().count(), SHOWN + 1);
    }

    #[test]
    fn where_the_text_was_cut_half_a_secret_is_none() {
        let redactor = Redactor::new(&[&SecretString::from("hunter2secret")]);
        assert!(!redactor.line(b"some words and then hunter2sec", true).contains("hunter2"));
    }

    proptest! {
        #[test]
        fn base64_of_anything_around_it_does_not_tell(secret in "[ -~]{8,40}", before in "[a-z:]{0,7}", after in "[a-z@]{0,7}") {
            for engine in [&STANDARD, &base64::engine::general_purpose::URL_SAFE_NO_PAD] {
                let told = engine.encode(format!("{before}{secret}{after}"));
                let line = shown(&secret, &told);
                // At most one character of either edge can be worked out from what is left.
                let left = line.replace("[secret]", "");
                prop_assert!(line.contains("[secret]"), "{line}");
                prop_assert!(left.len() <= (before.len() + after.len()) * 4 / 3 + 8, "{line}");
            }
        }
    }
}
