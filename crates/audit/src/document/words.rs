//! From a line's words to measures, numbers and environments. Link targets are not read: an address is no promise.

use std::cell::RefCell;

use crate::measures::MeasureId;

/// The sentences of a line in lower case, each word after one space, punctuation gone.
fn sentences(text: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("](") {
        plain.push_str(before);
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    plain
        .split_inclusive(['.', ';', ':', '!', '?'])
        .flat_map(|piece| piece.split(". "))
        .map(|sentence| {
            let words: String =
                sentence.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
            format!(" {} ", words.split_whitespace().collect::<Vec<_>>().join(" "))
        })
        .filter(|sentence| sentence != "  ")
        .collect()
}

/// The measures that a line speaks of, in the contract's order.
pub(crate) fn measures(text: &str) -> Vec<MeasureId> {
    let sentences = sentences(text);
    MeasureId::ALL
        .into_iter()
        .filter(|id| sentences.iter().any(|sentence| speaks_of(sentence, *id)))
        .collect()
}

/// The measures that a line speaks of, each with the words that say so in the sentence that says most.
pub(crate) fn heard_in(text: &str) -> Vec<(MeasureId, Vec<&'static str>)> {
    let sentences = sentences(text);
    MeasureId::ALL
        .into_iter()
        .filter_map(|id| {
            let heard = sentences.iter().filter_map(|sentence| heard(sentence, id));
            heard.max_by_key(Vec::len).map(|words| (id, words))
        })
        .collect()
}

fn speaks_of(sentence: &str, id: MeasureId) -> bool {
    heard(sentence, id).is_some()
}

/// The words by which a sentence speaks of a measure; none where it does not. `any` looks for words that begin so.
fn heard(sentence: &str, id: MeasureId) -> Option<Vec<&'static str>> {
    let words = RefCell::new(Vec::new());
    let says = |word: &str| sentence.contains(&format!(" {word}"));
    let any = |beginnings: &[&'static str]| {
        let found = beginnings.iter().find(|word| says(word));
        words.borrow_mut().extend(found.map(|word| word.trim()));
        found.is_some()
    };
    let database = ["database", "postgres", "db ", "sqlite"].into_iter().find(|word| says(word));
    let client = ["client credential", "machine to machine", "service account", "service token"]
        .into_iter()
        .find(|word| says(word));
    let subject = match id {
        MeasureId::A3 | MeasureId::N1 => database,
        MeasureId::A6 => client,
        _ => None,
    };
    let (database, client) = (database.is_some(), client.is_some());
    let spoken = match id {
        MeasureId::G1 => {
            any(&["sensitive", "secret", "credential", "api key", "password"])
                && any(&[
                    "hardcod",
                    "hard cod",
                    "codebase",
                    "code base",
                    "source code",
                    "repositor",
                    "in git",
                ])
        }
        MeasureId::G2 => {
            any(&["dependenc", "librar", "packages"])
                && any(&["up to date", "update", "dependabot", "renovate", "outdated", "patched"])
        }
        MeasureId::A1 => {
            any(&["password"])
                && any(&["hash", "salt", "plain", "clear text", "cleartext", "argon", "bcrypt", "scrypt"])
        }
        MeasureId::A2 => {
            any(&["password"])
                && any(&["reset", "forgot", "forget", "recover"])
                && any(&["mail", "email", "e mail", "link"])
        }
        MeasureId::A3 => {
            database
                && any(&["password"])
                && any(&["require", "strong", "protect", "access", "demand", "need"])
                && !any(&["rotat", "hash", "plain", "stored"])
        }
        MeasureId::A4 => {
            any(&["rotat", "changed every", "renewed every", "replaced every"])
                && any(&["password", "credential"])
                && !any(&["api key", "signing", "client secret"])
        }
        MeasureId::A5 => any(&["api key", "apikey"]) && !any(&["hardcod", "hard cod", "repositor"]),
        MeasureId::A6 => {
            client
                || (any(&["user scope"]) && any(&["do not", "do no", "don t", "without"]) && any(&["token"]))
        }
        MeasureId::A7 => {
            any(&["user", "customer"])
                && any(&[
                    "jwt",
                    "json web token",
                    "access token",
                    "bearer token",
                    "user token",
                    "user s token",
                ])
                && any(&["require", "need", "must", "only", "demand"])
                && !client
                && !any(&["expire"])
        }
        MeasureId::A8 => any(&[
            "auth0",
            "okta",
            "cognito",
            "keycloak",
            "entra",
            "identity provider",
            "foreign issuer",
            "external issuer",
        ]),
        MeasureId::A9 => {
            any(&["scope"])
                && any(&["all", "every", "each", "any"])
                && !client
                && !any(&[
                    "do not require",
                    "do no require",
                    "don t require",
                    "without scope",
                    "without user scope",
                ])
        }
        MeasureId::A10 => {
            any(&["jwt", "token", "session"])
                && any(&["expire", "expiry", "lifetime", "valid for", "live for", "short lived", "last for"])
                && !any(&["reset"])
        }
        MeasureId::N1 => {
            database
                && any(&["network", "isolat", "private", "internet", "public", "exposed", "vpc", "firewall"])
        }
        MeasureId::N2 => {
            any(&["cors", "cross origin"]) || (any(&["origin"]) && any(&["frontend", "front end"]))
        }
        MeasureId::X1 => any(&["tls ", "https ", "hsts", "ssl "]),
        MeasureId::X2 => any(&["security header", "content security policy", "csp "]),
        MeasureId::X3 => any(&["cookie"]),
        MeasureId::X4 => any(&["throttl", "rate limit", "brute force", "lockout"]),
        MeasureId::X5 => any(&["enumerat"]),
        MeasureId::X6 => {
            any(&["session"]) && any(&["logout", "log out", "sign out", "revoked", "invalidated", "ends "])
        }
        // A backup code is a second factor.
        MeasureId::X7 => any(&["backup", "back up"]) && !any(&["backup code"]),
        MeasureId::X8 => any(&["smuggl"]),
        MeasureId::X9 => any(&["x forwarded", "forwarded header"]),
        MeasureId::X11 => any(&["jwks", "signing keys"]),
        MeasureId::X13 => {
            any(&["password"]) && any(&["minimum length", "blocklist", "common passwords", "breached"])
        }
        // A line can be mapped to these by their ids.
        MeasureId::X10 | MeasureId::X12 | MeasureId::X14 => false,
    };
    let words = words.into_inner();
    spoken.then(|| subject.map(str::trim).into_iter().chain(words).collect())
}

/// Whether a line says that it takes its parent's place.
pub(crate) fn replaces(text: &str) -> bool {
    sentences(text).iter().any(|sentence| {
        [" replaced by ", " superseded by ", " replaces ", " instead of it "]
            .iter()
            .any(|word| sentence.contains(word))
    })
}

/// The environments that a line speaks of: several that it tells apart, or the one in which it says to be true. A single one
/// that is named otherwise ("while in the development of…") is no restriction.
pub(crate) fn environments(text: &str) -> Vec<&'static str> {
    let all = sentences(text).concat();
    let known = [
        ("development", ["dev", "development"]),
        ("staging", ["stage", "staging"]),
        ("production", ["prod", "production"]),
    ];
    let named = |says: &dyn Fn(&str) -> bool| -> Vec<&'static str> {
        known.iter().filter(|(_, words)| words.iter().any(|word| says(word))).map(|(name, _)| *name).collect()
    };
    let apart = named(&|word| all.contains(&format!(" {word} ")));
    if apart.len() > 1 {
        return apart;
    }
    named(&|word| {
        [format!(" in {word} "), format!(" on {word} "), format!(" {word} environment ")]
            .iter()
            .any(|place| all.contains(place))
    })
}

/// The number before a unit of time, in seconds, in the sentence that speaks of the measure.
pub(crate) fn promised(text: &str, id: MeasureId) -> Option<i64> {
    sentences(text).iter().filter(|sentence| speaks_of(sentence, id)).find_map(|sentence| {
        let words: Vec<&str> = sentence.split_whitespace().collect();
        words.windows(2).find_map(|pair| {
            let unit = match pair[1].trim_end_matches('s') {
                "second" | "sec" => 1,
                "minute" | "min" => 60,
                "hour" => 3600,
                "day" => 86_400,
                "week" => 7 * 86_400,
                "month" => 30 * 86_400,
                "year" => 365 * 86_400,
                _ => return None,
            };
            pair[0].parse::<i64>().ok()?.checked_mul(unit)
        })
    })
}

/// `15 min`, `24 h`, `90 d`: the largest unit that leaves nothing over.
pub(crate) fn duration(seconds: i64) -> String {
    for (unit, name) in [(86_400, "d"), (3600, "h"), (60, "min")] {
        if seconds != 0 && seconds % unit == 0 && (seconds / unit > 1 || unit == 60 || seconds == unit) {
            return format!("{} {name}", seconds / unit);
        }
    }
    format!("{seconds} s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_before_units() {
        let promised = |text| promised(text, MeasureId::A10);
        assert_eq!(promised("The JWT expires after 15 minutes."), Some(900));
        assert_eq!(promised("A token has a lifetime of 1 hour"), Some(3600));
        assert_eq!(promised("The JWT expires after X minutes."), None);
        assert_eq!(promised("The JWT expires after 99999999999999999999 years"), None);
    }

    #[test]
    fn durations_for_people() {
        for (seconds, text) in [
            (900, "15 min"),
            (3600, "1 h"),
            (86_400, "1 d"),
            (90, "90 s"),
            (7_776_000, "90 d"),
            (0, "0 s"),
            (5400, "90 min"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn a_line_of_one_environment_is_not_ticked_by_another() {
        for (text, named) in [
            ("The database is private in production.", &["production"][..]),
            ("On staging, mail is caught", &["staging"]),
            ("The production environment is isolated", &["production"]),
            ("Private in production and staging, public in dev", &["development", "staging", "production"]),
            ("Keys are made while a feature is in the development of a team", &[]),
            ("Production secrets are kept apart", &[]),
            ("Every password is hashed", &[]),
        ] {
            assert_eq!(environments(text), named, "{text}");
        }
    }

    #[test]
    fn an_address_is_no_promise() {
        assert!(measures("See [this](https://auth0.com/cors)").is_empty());
    }
}
