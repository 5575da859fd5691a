//! Values as people write them in the configuration: `"15m"`, `"1MiB"`, `2027-01-01`.

use serde::{Deserialize, Deserializer, de::Error as _};
use std::fmt;

/// A span of time, written `"15m"`, `"90d"`, `"500ms"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(std::time::Duration);

impl Span {
    /// Whole seconds; a fraction is dropped.
    pub fn seconds(self) -> i64 {
        i64::try_from(self.0.as_secs()).unwrap_or(i64::MAX)
    }

    /// Reads `"15m"`; a bare number has no unit and is refused.
    pub fn parse(text: &str) -> Result<Self, String> {
        humantime::parse_duration(text.trim()).map(Span).map_err(|_| {
            format!(
                "`{text}` is not a duration; write a number and a unit, such as \"15m\", \"24h\" or \"90d\""
            )
        })
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Span::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

/// A number of bytes, written `"64kB"`, `"1MiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_size(&text).map(Size).ok_or_else(|| {
            D::Error::custom(format!(
                "`{text}` is not a size; write a number and a unit, such as \"64kB\" or \"1MiB\""
            ))
        })
    }
}

fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim() {
        "B" => 1,
        "kB" | "KB" => 1_000,
        "KiB" | "kiB" => 1 << 10,
        "MB" => 1_000_000,
        "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// A day, 00:00 UTC, as Unix seconds; a TOML date, in quotes or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day(pub i64);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Date(toml::value::Datetime),
            Text(String),
        }
        let date = match Written::deserialize(deserializer)? {
            Written::Date(date) => date,
            Written::Text(text) => text
                .parse()
                .map_err(|_| D::Error::custom(format!("`{text}` is not a date such as 2027-07-01")))?,
        };
        match date {
            toml::value::Datetime { date: Some(day), time: None, offset: None } => {
                Ok(Day(
                    days_from_civil(i64::from(day.year), i64::from(day.month), i64::from(day.day)) * 86_400
                ))
            }
            _ => Err(D::Error::custom("a date alone is wanted, such as 2027-07-01; it begins at 00:00 UTC")),
        }
    }
}

/// Days from 1970-01-01 of a date in the proleptic Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the leap day is the last of its year.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_units() {
        for (text, seconds) in [("15m", 900), ("24h", 86_400), ("90d", 7_776_000), ("1h 30m", 5_400)] {
            assert_eq!(Span::parse(text).unwrap().seconds(), seconds, "{text}");
        }
        for text in ["", "15", "m", "-5m", "15 parsecs"] {
            assert!(Span::parse(text).unwrap_err().contains("unit"), "{text}");
        }
    }

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [("64kB", 64_000), ("1MiB", 1_048_576), ("0B", 0), ("2 GiB", 2_147_483_648)] {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        for text in ["", "12", "MiB", "1 potato", "99999999999GiB", "-1B"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }

    #[test]
    fn days_begin_at_midnight_utc() {
        #[derive(Deserialize)]
        struct Holder {
            day: Day,
        }
        for (text, at) in [
            ("1970-01-01", 0),
            ("2027-01-01", 1_798_761_600),
            ("2028-02-29", 1_835_395_200),
            ("2000-03-01", 951_868_800),
        ] {
            assert_eq!(toml::from_str::<Holder>(&format!("day = {text}")).unwrap().day.0, at, "{text}");
            assert_eq!(toml::from_str::<Holder>(&format!("day = \"{text}\"")).unwrap().day.0, at, "{text}");
        }
        assert!(toml::from_str::<Holder>("day = 2027-01-01T10:00:00Z").is_err());
    }
}
