//! X13: passwords are chosen by good rules (NIST SP 800-63B-4 section 3.1.1, ASVS 5 V6.2): length decides, common ones and one's
//! own name are refused, long ones of any kind are taken and compared exactly, a change wants the old one, and there is no
//! default account. Control: a good password is taken, and logs in. What a bad rule lets in is a throw-away user and deleted.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use crate::evidence::Evidence;
use crate::measures::claimed::{Claimed, claimed};
use crate::measures::tally::{self, Found};
use crate::report::Claim;
use crate::world::account::{self, Account};
use crate::world::{World, random_hex};

/// What it can claim.
pub(crate) const CLAIMS: &[Claimed] = &[
    claimed("short_passwords_are_refused", "a password of seven characters is refused", &["V6.2.1"], &[521]),
    claimed(
        "common_passwords_are_refused",
        "passwords that everybody knows are refused",
        &["V6.2.4"],
        &[521, 1391],
    ),
    claimed(
        "ones_own_address_is_no_password",
        "the account's own address is refused as its password",
        &["V6.2.11"],
        &[521],
    ),
    claimed(
        "any_composition_will_do",
        "a long password of small letters alone is taken",
        &["V6.2.5"],
        &[521],
    ),
    claimed(
        "long_passwords_are_taken",
        "a password of 96 characters with spaces and other scripts is taken",
        &["V6.2.9"],
        &[521],
    ),
    claimed(
        "every_character_counts",
        "another case, a missing end or a space more is another password",
        &["V6.2.8"],
        &[287, 521],
    ),
    claimed(
        "a_change_wants_the_old_password",
        "a password is not changed without the old one, or with a wrong one",
        &["V6.2.3"],
        &[620],
    ),
    claimed(
        "there_is_no_default_account",
        "no account that software comes with logs in",
        &["V6.3.2"],
        &[1392, 798],
    ),
];

/// Common ones that are long enough for most rules, so that the length alone does not refuse them.
const COMMON: [&str; 4] = ["password12345678", "1234567890123456", "qwertyuiopasdfgh", "aaaaaaaaaaaaaaaa"];
const DEFAULTS: [(&str, &str); 4] = [
    ("admin@example.com", "admin"),
    ("admin@localhost", "admin"),
    ("root@localhost", "root"),
    ("administrator@example.com", "password"),
];

/// What was tried, each a status and what must have come.
#[derive(Default)]
struct Seen {
    /// Claim, what, status; must be refused.
    refused: Vec<(usize, String, Option<u16>)>,
    /// Claim, what, status; must be let in.
    taken: Vec<(usize, String, Option<u16>)>,
    /// Why there was no good password as the control.
    control: Option<String>,
}

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    judge(&observe(world).await)
}

async fn observe(world: &World) -> Seen {
    let mut seen = Seen::default();
    // Long, of several scripts, and nobody else's.
    let long = SecretString::from(format!("{} Ünïcödé пароль {}", random_hex::<20>(), random_hex::<20>()));
    let account = match Account::open_with(world, long.clone(), &[]).await {
        Ok(account) => account,
        Err(why) => {
            seen.control = Some(why);
            return seen;
        }
    };
    seen.taken.push((4, "a long password of several scripts signed up and logged in".into(), Some(200)));
    let mut accepted = Vec::new();
    let refusals = std::iter::once((0, "seven characters", "Zq7!xPw".to_owned()))
        .chain(COMMON.into_iter().map(|common| (1, "a common one", common.to_owned())))
        .map(|(claim, what, password)| {
            (claim, what, format!("audit-{}@example.com", random_hex::<10>()), password)
        });
    let own = format!("audit-{}@example.com", random_hex::<10>());
    for (claim, what, email, password) in
        refusals.chain(std::iter::once((2, "its own address", own.clone(), own.clone())))
    {
        let password = SecretString::from(password);
        let status = account::sign_up(world, &email, &password, &[]).await.ok().map(|answer| answer.status);
        seen.refused.push((claim, format!("signing up with {what}"), status));
        if status == Some(201) {
            accepted.push((email, password));
        }
    }
    let letters: String = random_hex::<14>().chars().map(|c| char::from(b'a' + (c as u8 % 26))).collect();
    let letters = SecretString::from(letters);
    match Account::open_with(world, letters, &[]).await {
        Ok(plain) => {
            seen.taken.push((3, "28 small letters signed up and logged in".into(), Some(200)));
            plain.close(world).await;
        }
        Err(why) => seen.taken.push((3, format!("28 small letters: {why}"), Some(400))),
    }
    let right = account.password.expose_secret();
    let shorter: String = right.chars().take(right.chars().count() - 1).collect();
    for (what, other) in [
        ("in capitals", right.to_uppercase()),
        ("without its last character", shorter),
        ("with a space more", format!("{right} ")),
    ] {
        let status = status_of_login(world, &account.email, &other).await;
        seen.refused.push((5, format!("logging in with the password {what}"), status));
    }
    let new = format!("Xr{}", random_hex::<20>());
    for (what, body) in [
        ("without the old one", json!({"password": new})),
        ("with a wrong old one", json!({"password": new, "current_password": format!("wrong-{new}")})),
    ] {
        let answer = account::profile(world, "PATCH", &account.session.access, Some(&body)).await;
        seen.refused.push((6, format!("changing the password {what}"), answer.map(|answer| answer.status)));
    }
    for (email, password) in DEFAULTS {
        let status = status_of_login(world, email, password).await;
        seen.refused.push((
            7,
            format!("logging in as {email} with the password that software comes with"),
            status,
        ));
    }
    for (email, password) in accepted {
        if let Ok(session) = account::log_in(world, &email, &password).await {
            (Account { email, password, session }).close(world).await;
        }
    }
    account.close(world).await;
    seen
}

async fn status_of_login(world: &World, email: &str, password: &str) -> Option<u16> {
    let answer = world.tokens.log_in(&world.config, &world.http, email, password, None).await;
    answer.ok().map(|answer| answer.status)
}

fn judge(seen: &Seen) -> Vec<Claim> {
    let remedies = [
        "want at least 8 characters, better 15",
        "compare with a list of common passwords",
        "refuse the account's own names",
        "want no digits, capitals or signs",
        "take at least 64 characters, of any script",
        "compare every byte that was typed",
        "want current_password with a new one",
        "ship no account",
    ];
    CLAIMS
        .iter()
        .zip(remedies)
        .enumerate()
        .map(|(at, (claim, remedy))| {
            if let Some(why) = &seen.control {
                let evidence = Evidence::http(format!("no user with a good password as the control: {why}"));
                return Claim::not_proven(
                    claim.id,
                    vec![evidence],
                    "set [audit] exercise where a throw-away user may be made",
                );
            }
            let control = "a user with a good password signed up and logged in";
            let refused = seen.refused.iter().filter(|(claim, ..)| *claim == at).map(|(_, what, status)| {
                let said = status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
                let evidence = Evidence::http(format!("{what}: {said}")).beside(control);
                match status {
                    Some(200..=299) => Found::Bad(evidence),
                    Some(400..=404 | 409 | 415 | 422) => Found::Good(evidence),
                    _ => Found::Unclear(evidence),
                }
            });
            let taken = seen
                .taken
                .iter()
                .filter(|(claim, ..)| *claim == at)
                .map(|(_, what, status)| Found::when(*status == Some(200), Evidence::http(what.clone())));
            let judged = tally::claim(claim.id, refused.chain(taken), "nothing", remedy);
            if judged.verdict == crate::verdict::Verdict::NotApplicable {
                return Claim::not_proven(claim.id, judged.evidence, "let the auditor reach the session API");
            }
            judged
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict::{Fail, NotProven, Pass};

    fn sound() -> Seen {
        let refused =
            [0, 1, 2, 5, 6, 7].map(|claim| (claim, "x".to_owned(), Some(if claim > 4 { 401 } else { 400 })));
        let taken = [3, 4].map(|claim| (claim, "x".to_owned(), Some(200)));
        Seen { refused: refused.to_vec(), taken: taken.to_vec(), control: None }
    }

    #[test]
    fn each_rule_has_a_claim_of_its_own() {
        assert!(judge(&sound()).iter().all(|claim| claim.verdict == Pass));
        for (at, own) in CLAIMS.iter().enumerate() {
            let (mut seen, mut silent) = (sound(), sound());
            for (_, _, status) in seen.refused.iter_mut().filter(|(claim, ..)| *claim == at) {
                *status = Some(201);
            }
            for (_, _, status) in seen.taken.iter_mut().filter(|(claim, ..)| *claim == at) {
                *status = Some(400);
            }
            let failed: Vec<_> = judge(&seen)
                .into_iter()
                .filter(|claim| claim.verdict == Fail)
                .map(|claim| claim.id)
                .collect();
            assert_eq!(failed, [own.id]);
            silent.refused.retain(|(claim, ..)| *claim != at);
            silent.taken.retain(|(claim, ..)| *claim != at);
            assert_eq!(judge(&silent)[at].verdict, NotProven);
        }
        let uncontrolled = Seen { control: Some("503".into()), ..sound() };
        assert!(judge(&uncontrolled).iter().all(|claim| claim.verdict == NotProven));
    }
}
