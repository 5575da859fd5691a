//! Times and ages as people read them.

use crate::clock;

/// `2027-01-01T00:00:00Z`.
pub fn at(seconds: i64) -> String {
    let since = std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + since).to_string()
}

/// The two largest units of a span: `12 days 3 hours`.
pub fn span(seconds: i64) -> String {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let mut rest = seconds.max(0);
    let mut parts = Vec::new();
    for (length, name) in units {
        let count = rest / length;
        rest %= length;
        if count > 0 {
            parts.push(format!("{count} {name}{}", if count == 1 { "" } else { "s" }));
        }
        // A unit that is left out between two others would read oddly.
        if parts.len() == 2 || (parts.len() == 1 && count == 0) {
            break;
        }
    }
    if parts.is_empty() { "0 seconds".to_owned() } else { parts.join(" ") }
}

/// A moment and how far away it is.
pub fn when(seconds: i64) -> String {
    let away = seconds - clock::now();
    if away >= 0 {
        format!("{} (in {})", at(seconds), span(away))
    } else {
        format!("{} ({} ago)", at(seconds), span(-away))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn spans_have_two_units_at_most() {
        for (seconds, text) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (61, "1 minute 1 second"),
            (3_600, "1 hour"),
            (90_061, "1 day 1 hour"),
            (86_400 * 90, "90 days"),
            (86_405, "1 day"),
        ] {
            assert_eq!(super::span(seconds), text);
        }
    }
}
