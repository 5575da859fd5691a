//! What a host's name tells before anybody is asked.

use url::Host;

/// What a name is, or what it pretends to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameClass {
    /// A name that no public server answers for, and whose it is.
    Private(&'static str),
    /// A name that leads to the internet by design, and whose it is.
    Public(&'static str),
    /// Written like a private name, and registered by whoever likes.
    LookAlike,
    /// The addresses tell.
    Other,
}

/// Suffixes; the first that fits counts.
const KNOWN: [(&str, NameClass); 10] = [
    ("railway.internal", NameClass::Private("Railway's private network")),
    ("proxy.rlwy.net", NameClass::Public("Railway's TCP proxy")),
    ("rlwy.net", NameClass::Public("Railway's edge")),
    ("railway.app", NameClass::Public("Railway's edge")),
    ("localhost", NameClass::Private("this machine (RFC 6761)")),
    ("internal", NameClass::Private("a private network (ICANN keeps .internal for that)")),
    ("cluster.local", NameClass::Private("a Kubernetes cluster")),
    ("local", NameClass::Private("the same link (RFC 6762)")),
    ("home.arpa", NameClass::Private("a home network (RFC 8375)")),
    ("onion", NameClass::Public("Tor (RFC 7686)")),
];

/// A name as it is compared: lower case, ASCII (what is not becomes punycode, as a resolver would ask for it), without
/// the final dot. None for an address and for what is no name.
pub(super) fn plain(name: &str) -> Option<String> {
    match Host::parse(name.strip_suffix('.').unwrap_or(name)) {
        Ok(Host::Domain(name)) if !name.is_empty() && !name.ends_with('.') => Some(name),
        _ => None,
    }
}

/// What a name tells.
#[must_use]
pub fn classify_name(name: &str) -> NameClass {
    let Some(name) = plain(name) else { return NameClass::Other };
    let under =
        |suffix: &str| name.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if let Some((_, class)) = KNOWN.iter().find(|(suffix, _)| under(suffix)) {
        return *class;
    }
    // `railway.internal.evil.example`, `db-railway-internal.example`, `railwayinternal.example`; letters of another
    // script that look like these come as punycode, and nothing of it is left to compare.
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let alike = ["railwayinternal", "clusterlocal"].iter().any(|private| letters.contains(private));
    let inside = name.split('.').any(|label| label == "internal");
    if alike || inside { NameClass::LookAlike } else { NameClass::Other }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn suffixes_count_and_what_looks_like_them_does_not() {
        let kind = |name: &str| match classify_name(name) {
            NameClass::Private(_) => "private",
            NameClass::Public(_) => "public",
            NameClass::LookAlike => "look-alike",
            NameClass::Other => "other",
        };
        for (name, expected) in [
            ("postgres.railway.internal", "private"),
            ("postgres.railway.internal.", "private"),
            ("POSTGRES.Railway.INTERNAL", "private"),
            // Full-width letters are the same name to a resolver (UTS 46).
            ("postgres.ｒailway.internal", "private"),
            ("localhost", "private"),
            ("db.localhost", "private"),
            ("db.internal", "private"),
            ("db.default.svc.cluster.local", "private"),
            ("roundhouse.proxy.rlwy.net", "public"),
            ("ROUNDHOUSE.PROXY.RLWY.NET.", "public"),
            ("x.rlwy.net", "public"),
            ("app.up.railway.app", "public"),
            ("postgres.railway.internal.evil.example", "look-alike"),
            ("railway.internal.evil.example.", "look-alike"),
            ("postgres.railway-internal.example", "look-alike"),
            ("postgres.railwayinternal.com", "look-alike"),
            ("db.internal.evil.example", "look-alike"),
            ("db.cluster.local.evil.example", "look-alike"),
            ("notrlwy.net", "other"),
            ("rlwy.net.example", "other"),
            ("mylocalhost", "other"),
            ("notinternal", "other"),
            ("database", "other"),
            ("db.example.com", "other"),
            // A dotless i: another name, and not under .internal's neighbour by accident.
            ("postgres.raılway.ınternal", "other"),
            ("xn--postgres-railway-internal.example", "other"),
            ("10.0.0.1", "other"),
            ("", "other"),
            ("a..", "other"),
        ] {
            assert_eq!(kind(name), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_private_name_with_anything_behind_it_is_none(behind in "[a-z]{2,8}\\.[a-z]{2,3}", front in "[a-z]{1,8}") {
            prop_assume!(!["local", "internal"].contains(&behind.split('.').next_back().unwrap_or_default()));
            let name = format!("{front}.railway.internal.{behind}");
            prop_assert!(!matches!(classify_name(&name), NameClass::Private(_)), "{name}");
        }

        #[test]
        fn case_and_the_final_dot_do_not_matter(name in "[a-z]{1,5}(\\.(railway|internal|rlwy|net|app|local|host)){1,4}") {
            let upper = format!("{}.", name.to_uppercase());
            prop_assert_eq!(classify_name(&name), classify_name(&upper));
        }
    }
}
