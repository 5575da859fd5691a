//! How strong passwords are. Where one comes from says more than how it looks: the steward's are 256 random bits, and the
//! ledger tells them by the fingerprint of the live verifier. Of others only those can be looked at that the auditor was
//! given.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};

use crate::database::credentials::{Credentials, Stored};
use crate::evidence::Evidence;
use crate::report::Claim;

/// A password that people chose is strong from here; ours are longer.
const MINIMUM_LENGTH: usize = 20;
const MINIMUM_DISTINCT: usize = 10;
const REMEDY: &str =
    "set a random password of 20 characters or more, or let the steward make it: portcullis database rotate";

/// The passwords that the auditor was given, by role.
pub(super) type Given = BTreeMap<String, SecretString>;

/// Every role that can log in with a password. `names` are those that no password may contain.
pub(super) fn claim(
    id: &str,
    logins: &[String],
    credentials: &Credentials,
    given: &Given,
    names: &[&str],
) -> Claim {
    let stored = |role: &str| -> Option<&Stored> {
        credentials.stored.as_ref().ok()?.iter().flatten().find(|stored| stored.role == role)
    };
    let (mut offences, mut gaps, mut strong) = (Vec::new(), Vec::new(), Vec::new());
    for role in logins {
        let stored = stored(role);
        if stored.is_some_and(|stored| stored.kind.as_deref() == Some("none")) {
            continue;
        }
        if let (Some(stored), Some(rotation)) = (stored, credentials.latest(role))
            && credentials.made_here(stored)
        {
            let what =
                format!("{role}: 256 random bits, made by the steward (generation {})", rotation.generation);
            strong.push(Evidence::catalogue(what));
            continue;
        }
        match given.get(role) {
            None => gaps.push(Evidence::catalogue(format!(
                "{role}: its password was not made by the steward, and is not known here"
            ))),
            Some(password) => {
                let names: Vec<&str> = names.iter().copied().chain([role.as_str()]).collect();
                match weakness(password.expose_secret(), &names) {
                    Ok(said) => strong.push(Evidence::configuration(format!("{role}: {said}"))),
                    Err(said) => offences.push(Evidence::configuration(format!("{role}: {said}"))),
                }
            }
        }
    }
    if !offences.is_empty() {
        Claim::fail(id, offences, REMEDY)
    } else if !gaps.is_empty() || strong.is_empty() {
        let remedy = "rotate every role that can log in, or take LOGIN from those that need none";
        Claim::not_proven(id, gaps.into_iter().chain(strong).collect(), remedy)
    } else {
        Claim::pass(id, strong)
    }
}

/// A bound, not a proof: a person can still choose a poor one of this length.
fn weakness(password: &str, names: &[&str]) -> Result<String, String> {
    let length = password.chars().count();
    let distinct = password.chars().collect::<std::collections::BTreeSet<_>>().len();
    let lower = password.to_lowercase();
    let named = names.iter().any(|name| name.len() >= 3 && lower.contains(&name.to_lowercase()));
    let said = format!(
        "{length} characters, {distinct} different ones{}",
        if named { ", and it contains the name of its role, database or host" } else { "" }
    );
    if length < MINIMUM_LENGTH || distinct < MINIMUM_DISTINCT || named { Err(said) } else { Ok(said) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::credentials::Rotation;
    use crate::verdict::Verdict;

    #[test]
    fn strength_is_length_variety_and_no_name() {
        let strong = |password: &str| weakness(password, &["app", "orders", "db"]).is_ok();
        assert!(strong("hQ7vN2kXw9ZpT4mYc8RbLd3J"));
        assert!(!strong("hQ7vN2kXw9Zp"));
        assert!(!strong("aaaaaaaaaaaaaaaaaaaaaaaa"));
        assert!(!strong("orders-hQ7vN2kXw9ZpT4mYc8"));
    }

    #[test]
    fn a_password_is_ours_or_known_or_not_proven() {
        let row = |role: &str, fingerprint: &str| {
            Ok(Stored {
                role: role.into(),
                can_login: true,
                kind: Some("scram".into()),
                iterations: Some(4096),
                fingerprint: Some(fingerprint.into()),
                valid_until: None,
            })
        };
        let mut seen = Credentials {
            stored: Ok(vec![row("app_a", "f1"), row("postgres", "p")]),
            rotations: Ok(vec![Rotation {
                role: "app_a".into(),
                generation: 1,
                fingerprint: "f1".into(),
                set_at: 0,
                valid_until: None,
            }]),
            slots: Ok(Vec::new()),
            sessions: Ok(BTreeMap::new()),
            now: Ok(0),
        };
        let logins = ["app_a".to_owned(), "postgres".to_owned()];
        let verdict =
            |seen: &Credentials, given: &Given| claim("x", &logins, seen, given, &["orders"]).verdict;
        assert_eq!(
            verdict(&seen, &Given::new()),
            Verdict::NotProven,
            "the platform's role is anybody's guess"
        );
        let given = |password: &str| Given::from([("postgres".to_owned(), SecretString::from(password))]);
        assert_eq!(verdict(&seen, &given("hQ7vN2kXw9ZpT4mYc8RbLd3J")), Verdict::Pass);
        assert_eq!(verdict(&seen, &given("postgres")), Verdict::Fail);
        seen.stored = Ok(vec![row("app_a", "changed by hand"), row("postgres", "p")]);
        assert_eq!(verdict(&seen, &given("hQ7vN2kXw9ZpT4mYc8RbLd3J")), Verdict::NotProven);
        assert_eq!(claim("x", &[], &seen, &Given::new(), &[]).verdict, Verdict::NotProven);
    }
}
