//! A kept report that something is made of, a page or the boxes of a document: by then its signature was looked at.

use super::unique;
use crate::report::Report;
use crate::signing::{self, SignatureError};

/// A report's file.
#[derive(Clone, Debug)]
pub struct Believed {
    /// What it says.
    pub report: Report,
    /// The thumbprint of the key that signed it, its `valid_until` too; none: nobody did.
    pub kid: Option<String>,
    /// Its text, as it was read.
    pub bytes: String,
}

/// Why nothing is made of a file.
#[derive(Debug, thiserror::Error)]
pub enum Disbelieved {
    /// It is no report.
    #[error("{0}")]
    NoReport(String),
    /// It is one that is signed, and is not what was signed.
    #[error("{0}")]
    Signature(String),
}

/// Reads a report's file. One without a signature is read too, for a reader to decide on.
///
/// # Errors
/// It is no report, it says two things at once, or its signature does not fit.
pub fn read(bytes: Vec<u8>) -> Result<Believed, Disbelieved> {
    let no_report = |why: &dyn std::fmt::Display| Disbelieved::NoReport(why.to_string());
    let report = Report::parse(&bytes).map_err(|error| no_report(&error))?;
    // One reader takes the first of two members of a name, another the last.
    unique::check(&bytes).map_err(|error| no_report(&error))?;
    let kid = match signing::verify(&bytes) {
        Ok((key, _)) => Some(key.thumbprint()),
        // Another program may have written it anew: nobody signed it, wherever the member stands.
        Err(SignatureError::Missing | SignatureError::Misplaced) if report.signature.is_none() => None,
        Err(error) => return Err(Disbelieved::Signature(error.to_string())),
    };
    let bytes = String::from_utf8(bytes).map_err(|error| no_report(&error))?;
    Ok(Believed { report, kid, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{json, sample};
    use crate::signing::SigningKey;

    #[test]
    fn a_signature_fits_or_is_not_there() {
        let key = SigningKey::from_seed(&[3; 32]).unwrap();
        let signed = signing::sign(&mut sample::report(), &key);
        let of = |text: &str| read(text.as_bytes().to_vec());
        assert_eq!(of(&signed).unwrap().kid, Some(key.public().thumbprint()));
        assert_eq!(of(&signed).unwrap().bytes, signed);
        let unsigned = json::render(&sample::report());
        assert_eq!(of(&unsigned).unwrap().kid, None);
        let anew: serde_json::Value = serde_json::from_str(&unsigned).unwrap();
        assert_eq!(of(&anew.to_string()).unwrap().kid, None);
        let anew: serde_json::Value = serde_json::from_str(&signed).unwrap();
        let until = "\"valid_until\": \"2026";
        assert!(signed.contains("\"not_proven\"") && signed.contains(until));
        for broken in [
            signed.replacen("\"not_proven\"", "\"pass\"", 1),
            signed.replacen(until, "\"valid_until\": \"2036", 1),
            anew.to_string(),
            unsigned.replace("\"signature\": null", "\"signature\": \"e30..AA\""),
        ] {
            assert!(matches!(of(&broken), Err(Disbelieved::Signature(_))), "{broken}");
        }
        let twice = unsigned.replacen("{\n", "{\n  \"other\": {\"a\": 1, \"a\": 2},\n", 1);
        for none in ["[]", "{\"schema\": 2}", &twice] {
            assert!(matches!(of(none), Err(Disbelieved::NoReport(_))), "{none}");
        }
    }
}
