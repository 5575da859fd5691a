//! `[[audit.waiver]]`, refused where it stands: the parser then names its line.

use super::value::Day;
use audit::waivers::Waiver as Sound;
use serde::{Deserialize, Deserializer, de::Error as _};

/// One waiver, sound.
#[derive(Clone, Debug)]
pub struct Waiver(pub Sound);

impl<'de> Deserialize<'de> for Waiver {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Written {
            of: String,
            reason: String,
            owner: String,
            since: Day,
            expires: Day,
        }
        let Written { of, reason, owner, since, expires } = Written::deserialize(deserializer)?;
        Sound::new(&of, &reason, &owner, since.0, expires.0).map(Self).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize, Debug)]
    struct Holder {
        waiver: Vec<Waiver>,
    }

    fn parsed(of: &str, expires: &str, more: &str) -> Result<Holder, toml::de::Error> {
        toml::from_str(&format!(
            "# first\n[[waiver]]\nof = \"{of}\"\nreason = \"r\"\nowner = \"o\"\nsince = 2027-01-01\nexpires = {expires}\n{more}"
        ))
    }

    #[test]
    fn a_waiver_that_cannot_count_is_refused_with_its_line() {
        assert_eq!(parsed("A4", "2027-04-01", "").unwrap().waiver.len(), 1);
        for (of, expires, more, part) in [
            ("A4", "2027-04-02", "", "91 days"),
            ("A4", "2026-12-31", "", "not after"),
            ("A99", "2027-01-02", "", "no measure"),
            ("A4", "2027-01-02", "for_ever = true\n", "for_ever"),
            ("A4", "\"soon\"", "", "not a date"),
        ] {
            let error = parsed(of, expires, more).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("line "), "{error}");
        }
    }
}
