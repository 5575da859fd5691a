//! A report's signature: a detached JWS (RFC 7515 appendix F, EdDSA of RFC 8037) over the very bytes of the report's
//! file with `null` in the signature's place. The signature is the file's last member, so what was signed is had by
//! cutting it out: nothing is sorted, and nothing is written anew.
//!
//! The key is the auditor's own. Its `typ` is no token's, so that neither can ever stand for the other.

mod header;
mod key;

pub use header::TYP;
pub use key::{KeyError, Pin, PublicKey, SigningKey};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::report::{Report, json};

/// What stands before the signature in a report's file; two blanks, since it is a member of the outermost object.
const PLACE: &str = "\n  \"signature\": ";
/// What stands behind it.
const END: &str = "\n}\n";

/// Why a signature is not believed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// `"signature": null`.
    #[error("it is not signed")]
    Missing,
    /// Not as `portcullis audit` writes it: its end, or another text than UTF-8.
    #[error("the signature does not stand where it belongs, at the end of the file as the audit wrote it")]
    Misplaced,
    /// Not three parts, or a payload in the second.
    #[error("the signature is no detached JWS")]
    NotDetached,
    /// Not base64url without padding.
    #[error("the signature's {0} is not base64url")]
    NotBase64(&'static str),
    /// The header is not ours.
    #[error("the signature's header is not believed: {0}")]
    Header(String),
    /// Other bytes, or another key.
    #[error("the signature does not fit: the report, or the signature, is not what was signed")]
    Wrong,
}

/// Signs a report and gives the bytes of its file. Whatever is changed in it afterwards, it is another report.
#[must_use]
pub fn sign(report: &mut Report, key: &SigningKey) -> String {
    report.signature = None;
    let content = json::render(report);
    let header = URL_SAFE_NO_PAD.encode(header::of(key.public()));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(input(&header, content.as_bytes()).as_bytes()));
    report.signature = Some(format!("{header}..{signature}"));
    json::render(report)
}

/// The key that signed these bytes of a report's file, and the bytes that it signed.
///
/// # Errors
/// Anything but a sound signature by the key that its header names.
pub fn verify(file: &[u8]) -> Result<(PublicKey, String), SignatureError> {
    let (content, jws) = split(file)?;
    let (header, rest) = jws.split_once('.').ok_or(SignatureError::NotDetached)?;
    // RFC 7515 appendix F: the payload's place is empty.
    let (payload, signature) = rest.split_once('.').ok_or(SignatureError::NotDetached)?;
    if !payload.is_empty() || signature.contains('.') {
        return Err(SignatureError::NotDetached);
    }
    let decoded =
        |part: &str, name| URL_SAFE_NO_PAD.decode(part).map_err(|_| SignatureError::NotBase64(name));
    let key = header::read(&decoded(header, "header")?).map_err(SignatureError::Header)?;
    let signature = decoded(signature, "last part")?;
    if !key.verifies(input(header, content.as_bytes()).as_bytes(), &signature) {
        return Err(SignatureError::Wrong);
    }
    Ok((key, content))
}

/// RFC 7515 section 5.1, step 5: what the algorithm signs.
fn input(header: &str, payload: &[u8]) -> String {
    format!("{header}.{}", URL_SAFE_NO_PAD.encode(payload))
}

/// What was signed, and the JWS.
fn split(file: &[u8]) -> Result<(String, &str), SignatureError> {
    let text = std::str::from_utf8(file).map_err(|_| SignatureError::Misplaced)?;
    let body = text.strip_suffix(END).ok_or(SignatureError::Misplaced)?;
    // No text of a report has this before its last member: in JSON a line break in a text is written `\n`, and what is
    // nested stands further in.
    let (before, value) = body.rsplit_once(PLACE).ok_or(SignatureError::Misplaced)?;
    if value == "null" {
        return Err(SignatureError::Missing);
    }
    let jws = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
        .filter(|jws| jws.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)))
        .ok_or(SignatureError::Misplaced)?;
    Ok((format!("{before}{PLACE}null{END}"), jws))
}

#[cfg(test)]
pub(crate) mod tests_support {
    use super::*;

    /// The file of any content that ends as a report does, signed as a report is.
    pub(crate) fn file(content: &str, key: &SigningKey) -> String {
        let header = URL_SAFE_NO_PAD.encode(header::of(key.public()));
        let signature = URL_SAFE_NO_PAD.encode(key.sign(input(&header, content.as_bytes()).as_bytes()));
        let before = content.strip_suffix(&format!("null{END}")).unwrap();
        format!("{before}\"{header}..{signature}\"{END}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    pub(super) fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32]).unwrap()
    }

    fn signed() -> String {
        sign(&mut sample::report(), &key(7))
    }

    /// The file with another JWS in its place.
    fn with(jws: &str) -> String {
        let mut report = sample::report();
        report.signature = Some(jws.to_owned());
        json::render(&report)
    }

    /// A JWS with this header, signed by the key 7 as it should be.
    fn jws(header: &str) -> String {
        let header = URL_SAFE_NO_PAD.encode(header);
        let signed = input(&header, json::render(&sample::report()).as_bytes());
        format!("{header}..{}", URL_SAFE_NO_PAD.encode(key(7).sign(signed.as_bytes())))
    }

    #[test]
    fn what_was_signed_is_the_file_with_null_in_the_signatures_place() {
        let (public, content) = verify(signed().as_bytes()).unwrap();
        assert_eq!(public, *key(7).public());
        assert_eq!(content, json::render(&sample::report()));
        assert_eq!(Report::parse(signed().as_bytes()).unwrap().measures, sample::report().measures);
    }

    #[test]
    fn an_unsigned_report_is_told_from_a_forged_one() {
        assert_eq!(verify(json::render(&sample::report()).as_bytes()), Err(SignatureError::Missing));
    }

    #[test]
    fn another_reports_signature_fits_not() {
        let mut other = sample::report();
        other.run.challenge = Some("another".into());
        let _file = sign(&mut other, &key(7));
        assert_eq!(verify(with(&other.signature.unwrap()).as_bytes()), Err(SignatureError::Wrong));
    }

    #[test]
    fn nothing_may_stand_around_it() {
        let signed = signed();
        let compact: serde_json::Value = serde_json::from_str(&signed).unwrap();
        for (what, file) in [
            ("a byte behind", format!("{signed}\n")),
            ("no last line break", signed.trim_end().to_owned()),
            ("a byte before", format!(" {signed}")),
            ("written anew", compact.to_string()),
            ("no file", String::new()),
            ("a member behind", signed.replace(END, ",\n  \"schema\": 1\n}\n")),
            (
                "a second signature",
                signed.replace(
                    END,
                    &format!(",{}\n", signed.rsplit_once('\n').map_or("", |_| "\n  \"signature\": null\n}")),
                ),
            ),
        ] {
            assert!(verify(file.as_bytes()).is_err(), "{what}");
        }
    }

    #[test]
    fn rfc7515_section_2_base64url_has_no_padding_blanks_or_other_spelling() {
        let good = jws(&header::of(key(7).public()));
        verify(with(&good).as_bytes()).unwrap();
        let last = good.chars().next_back().unwrap();
        for bad in [format!("{good}="), good.replace("..", ".. "), good.replacen("..", "=..", 1), {
            // The last letter of 64 bytes carries four bits that must be zero.
            let next = char::from(last as u8 + 1);
            format!("{}{next}", &good[..good.len() - 1])
        }] {
            assert!(verify(with(&bad).as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn rfc7515_appendix_f_the_payload_is_detached() {
        let good = jws(&header::of(key(7).public()));
        let payload = URL_SAFE_NO_PAD.encode(json::render(&sample::report()));
        for bad in [good.replace("..", &format!(".{payload}.")), good.replace("..", "."), format!("{good}.")]
        {
            assert_eq!(verify(with(&bad).as_bytes()), Err(SignatureError::NotDetached));
        }
    }

    #[test]
    fn rfc7515_section_4_1_1_no_other_algorithm_counts() {
        let own = header::of(key(7).public());
        for alg in ["none", "HS256", "RS256", "eddsa", "Ed448", ""] {
            let header = own.replace("EdDSA", alg);
            assert!(
                matches!(verify(with(&jws(&header)).as_bytes()), Err(SignatureError::Header(_))),
                "{alg}"
            );
        }
        // `none` with nothing in the signature's place.
        let none = format!("{}..", URL_SAFE_NO_PAD.encode(own.replace("EdDSA", "none")));
        assert!(matches!(verify(with(&none).as_bytes()), Err(SignatureError::Header(_))));
        // HMAC with the public key as its secret.
        let header = URL_SAFE_NO_PAD.encode(own.replace("EdDSA", "HS256"));
        let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key(7).public().as_bytes());
        let signed = input(&header, json::render(&sample::report()).as_bytes());
        let tag = URL_SAFE_NO_PAD.encode(aws_lc_rs::hmac::sign(&secret, signed.as_bytes()));
        assert!(verify(with(&format!("{header}..{tag}")).as_bytes()).is_err());
    }

    #[test]
    fn rfc7515_section_4_names_are_unique_and_section_4_1_11_crit_is_understood_or_refused() {
        let own = header::of(key(7).public());
        for header in [
            own.replacen('{', "{\"alg\":\"EdDSA\",", 1),
            own.replacen('{', "{\"crit\":[\"b64\"],\"b64\":false,", 1),
            own.replacen('{', "{\"b64\":false,", 1),
            own.replacen('{', "{\"kid\":\"other\",", 1),
            own.replace("\"crv\"", "\"d\":\"AA\",\"crv\""),
            format!("{own} {{}}"),
            "[]".to_owned(),
        ] {
            assert!(
                matches!(verify(with(&jws(&header)).as_bytes()), Err(SignatureError::Header(_))),
                "{header}"
            );
        }
    }

    #[test]
    fn a_tokens_typ_signs_no_report() {
        let own = header::of(key(7).public());
        for typ in ["at+jwt", "JWT", "", "Portcullis-Evidence+JWS"] {
            let header = own.replace(TYP, typ);
            assert!(
                matches!(verify(with(&jws(&header)).as_bytes()), Err(SignatureError::Header(_))),
                "{typ}"
            );
        }
        let without =
            own.replace(&format!(",\"typ\":\"{TYP}\""), "").replace(&format!("\"typ\":\"{TYP}\","), "");
        assert!(!without.contains("typ"));
        assert!(verify(with(&jws(&without)).as_bytes()).is_err());
    }

    #[test]
    fn the_kid_is_the_thumbprint_of_the_key_beside_it() {
        let own = header::of(key(7).public());
        let stranger = own.replace(&key(7).public().thumbprint(), &key(8).public().thumbprint());
        assert!(matches!(verify(with(&jws(&stranger)).as_bytes()), Err(SignatureError::Header(_))));
        let theirs = jws(&header::of(key(8).public()));
        assert_eq!(verify(with(&theirs).as_bytes()), Err(SignatureError::Wrong));
    }

    proptest::proptest! {
        #[test]
        fn whatever_byte_is_changed_it_is_found(at in proptest::prelude::any::<proptest::sample::Index>(), to: u8) {
            let mut file = signed().into_bytes();
            let at = at.index(file.len());
            proptest::prop_assume!(file[at] != to);
            file[at] = to;
            proptest::prop_assert!(verify(&file).is_err());
        }

        #[test]
        fn whatever_is_put_in_or_left_out_is_found(
            from in proptest::prelude::any::<proptest::sample::Index>(), length in 0_usize..40, new in "\\PC{0,20}"
        ) {
            let signed = signed();
            let from = from.index(signed.len());
            let to = (from + length).min(signed.len());
            let mut file = signed.clone().into_bytes();
            file.splice(from..to, new.bytes());
            proptest::prop_assume!(file != signed.as_bytes());
            proptest::prop_assert!(verify(&file).is_err());
        }

        #[test]
        fn no_file_panics(file in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400)) {
            proptest::prop_assert!(verify(&file).is_err());
        }
    }
}
