//! A2: a password is reset by a link in an e-mail (OWASP Forgot Password Cheat Sheet; ASVS 5 6.4, 7.4.3): it leads to
//! the issuer whatever a header says, opening it changes nothing, it works once, and it ends every session.

use crate::config::Mode;
use crate::document;
use crate::evidence::Evidence;
use crate::exercise::{self, Begun, Finished, Old};
use crate::measures::claimed::{Claimed, claimed};
use crate::report::{Claim, rfc3339};
use crate::verdict::Verdict;
use crate::world::World;

/// What it can claim.
pub(crate) const CLAIMS: &[Claimed] = &[
    claimed(
        "passwords_are_a_foreign_issuers",
        "users and their passwords live at a foreign issuer",
        &[],
        &[],
    ),
    claimed("a_link_arrives_by_mail", "who asks for a reset is sent a link by mail", &[], &[640]),
    claimed(
        "an_unknown_address_is_answered_alike",
        "a reset for an address that nobody has is answered as for one that somebody has",
        &["V6.3.8"],
        &[204],
    ),
    claimed(
        "the_links_host_comes_from_the_configuration",
        "the link leads to the issuer, whatever host a header names",
        &["V4.1.3"],
        &[640, 644],
    ),
    claimed(
        "opening_the_link_changes_nothing",
        "opening the link spends nothing and ends nothing",
        &["V3.5.3"],
        &[640],
    ),
    claimed(
        "a_link_past_its_end_is_refused",
        "a reset link of an hour ago sets no password",
        &["V6.4.1"],
        &[613, 640],
    ),
    claimed(
        "a_newer_link_ends_the_older",
        "of two links the newer one alone sets a password",
        &["V6.4.1"],
        &[640],
    ),
    claimed("the_link_works_once", "the link's token sets a password once", &["V6.5.1"], &[640, 294]),
    claimed(
        "the_reset_ends_every_session",
        "after a reset no session of before it goes on",
        &["V7.4.3"],
        &[613],
    ),
    claimed(
        "the_new_password_takes_the_old_ones_place",
        "after a reset the new password logs in and the old one does not",
        &["V6.2.2"],
        &[640],
    ),
];

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    if world.config.mode == Mode::Delegated {
        let issuers = world.config.foreign_issuers.join(", ");
        let evidence = Evidence::configuration(format!("users and their passwords live at {issuers}"));
        return vec![Claim::pass("passwords_are_a_foreign_issuers", vec![evidence]).but(Verdict::Delegated)];
    }
    let id = "a_link_arrives_by_mail";
    let begun = match world.begun().await {
        Ok(begun) => begun,
        Err(why) => {
            let remedy = "set [audit] exercise and mailbox where a throw-away user may be made";
            return vec![Claim::not_proven(id, vec![Evidence::http(why)], remedy)];
        }
    };
    let mut claims = vec![alike(begun)];
    let link = match &begun.link {
        Ok(link) => link,
        Err(why) => {
            claims.push(Claim::not_proven(
                id,
                vec![Evidence::http(why)],
                "set [audit] mailbox; see the mail's outbox",
            ));
            return claims;
        }
    };
    claims
        .push(Claim::pass(id, vec![Evidence::http("a mail with a link arrived at the throw-away address")]));
    let mut origins = begun.origins.clone();
    if origins.is_empty() {
        origins.push((link.origin.clone(), "no header"));
    }
    claims.push(leads_home(&origins, &world.config.issuer));
    if let Ok(seen) = world.finished().await {
        claims.extend(judge(seen));
        let works = seen.first_use.is_some_and(|status| (200..300).contains(&status));
        claims.push(old(&exercise::old_link(world).await, works));
    }
    claims
}

/// Time is seen by a later run alone: until then this says when, and takes no part.
fn old(old: &Old, works: bool) -> Claim {
    let id = "a_link_past_its_end_is_refused";
    let remedy = "let a reset link end after half an hour, an hour at most";
    let waiting = |what: String| Claim::pass(id, vec![Evidence::http(what)]).but(Verdict::NotApplicable);
    match old {
        Old::Cannot(why) => waiting(format!("not tried: {why}")),
        Old::Waits { until } => {
            waiting(format!("not tried yet: a link is kept for a run after {}", rfc3339(*until)))
        }
        Old::Tried { age, status } => {
            let got = status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
            let what = format!("a link of {} ago got {got}", document::duration(*age));
            let evidence = Evidence::http(what);
            match status {
                Some(200..300) => Claim::fail(id, vec![evidence], remedy),
                Some(400..429) if works => {
                    Claim::pass(id, vec![evidence.beside("a fresh link set a password in this run")])
                }
                _ => Claim::not_proven(id, vec![evidence], remedy),
            }
        }
    }
}

fn alike(begun: &Begun) -> Claim {
    let id = "an_unknown_address_is_answered_alike";
    match &begun.reset {
        Err(why) => Claim::not_proven(id, vec![Evidence::http(why)], "let the auditor reach /password-reset"),
        Ok([known, unknown]) => {
            let what = format!(
                "POST /users/password-reset: {} for a known address, {} for an unknown",
                known.0, unknown.0
            );
            let evidence = vec![Evidence::http(what)];
            if !(200..300).contains(&known.0) {
                Claim::not_proven(id, evidence, "run the audit again when the throttle has emptied")
            } else if known == unknown {
                Claim::pass(id, evidence)
            } else {
                Claim::fail(id, evidence, "answer 202 with the same body always")
            }
        }
    }
}

fn leads_home(origins: &[(String, &str)], issuer: &str) -> Claim {
    let id = "the_links_host_comes_from_the_configuration";
    let home = url::Url::parse(issuer).map(|url| url.origin().ascii_serialization()).ok();
    let evidence = origins
        .iter()
        .map(|(origin, tried)| {
            Evidence::http(format!("the link leads to {origin}, though {tried} named another"))
        })
        .collect();
    if origins.iter().all(|(origin, _)| Some(origin) == home.as_ref()) {
        Claim::pass(id, evidence)
    } else {
        Claim::fail(id, evidence, "take the link's host from identity.issuer, never from a header")
    }
}

fn judge(seen: &Finished) -> Vec<Claim> {
    let done = |status: Option<u16>| status.is_some_and(|status| (200..300).contains(&status));
    let refused = |status: Option<u16>| status.is_some_and(|status| (400..429).contains(&status));
    let said =
        |status: Option<u16>| status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
    let used = done(seen.first_use);
    let first = format!("the first use got {}", said(seen.first_use));
    let mut claims = Vec::new();
    let mut claim = |id: &str, good: bool, bad: bool, evidence: Evidence, remedy: &str| {
        let evidence = vec![evidence];
        claims.push(match (bad, good) {
            (true, _) => Claim::fail(id, evidence, remedy),
            (_, true) => Claim::pass(id, evidence),
            _ => Claim::not_proven(id, evidence, remedy),
        });
    };
    let opened = seen.opened.iter().map(u16::to_string).collect::<Vec<_>>().join(" and ");
    claim(
        "opening_the_link_changes_nothing",
        used && seen.opened.len() == 2 && seen.alive_before == Some(200),
        seen.opened.len() == 2 && (refused(seen.first_use) || seen.alive_before == Some(401)),
        Evidence::http(format!(
            "GET of the link got {opened}; the session then got {}",
            said(seen.alive_before)
        ))
        .beside(first.clone()),
        "spend the token at the form's POST alone",
    );
    let older = seen.no_older.clone().unwrap_or_else(|| said(seen.older_use));
    claim(
        "a_newer_link_ends_the_older",
        used && refused(seen.older_use),
        done(seen.older_use),
        Evidence::http(format!("the link before the newest got {older}")).beside(first.clone()),
        "keep one live token a user: a newer one takes the older one's place",
    );
    claim(
        "the_link_works_once",
        used && refused(seen.second_use) && refused(seen.beside_it),
        used && (done(seen.second_use) || done(seen.beside_it)),
        Evidence::http(format!(
            "of two uses at once the other got {}; a later one {}",
            said(seen.beside_it),
            said(seen.second_use)
        ))
        .beside(first.clone()),
        "spend the token by one conditional UPDATE",
    );
    claim(
        "the_reset_ends_every_session",
        used && seen.alive_before == Some(200)
            && seen.session_after == Some(401)
            && !done(seen.refresh_after),
        used && (seen.session_after == Some(200) || done(seen.refresh_after)),
        Evidence::http(format!(
            "after it the old token got {}, the old refresh token {}",
            said(seen.session_after),
            said(seen.refresh_after)
        ))
        .beside(format!("before it the token got {}", said(seen.alive_before))),
        "end the user's sessions in the transaction that sets the password",
    );
    claim(
        "the_new_password_takes_the_old_ones_place",
        used && done(seen.new_password) && seen.old_password == Some(401),
        used && (done(seen.old_password) || seen.new_password == Some(401)),
        Evidence::http(format!("the old password got {}", said(seen.old_password)))
            .beside(format!("the new one got {}", said(seen.new_password))),
        "replace the hash",
    );
    claims
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> Finished {
        Finished {
            opened: vec![200, 200],
            page: None,
            no_older: None,
            alive_before: Some(200),
            older_use: Some(400),
            first_use: Some(204),
            beside_it: Some(400),
            second_use: Some(400),
            session_after: Some(401),
            refresh_after: Some(401),
            old_password: Some(401),
            new_password: Some(200),
            deleted: Some(204),
        }
    }

    fn verdicts(seen: &Finished) -> Vec<Verdict> {
        judge(seen).iter().map(|claim| claim.verdict).collect()
    }

    #[test]
    fn each_defence_has_a_claim_of_its_own() {
        use Verdict::{Fail, NotProven, Pass};
        assert_eq!(verdicts(&sound()), [Pass; 5]);
        let lacking = |change: fn(&mut Finished)| {
            let mut seen = sound();
            change(&mut seen);
            verdicts(&seen)
        };
        assert_eq!(lacking(|seen| seen.older_use = Some(204)), [Pass, Fail, Pass, Pass, Pass]);
        assert_eq!(lacking(|seen| seen.older_use = None), [Pass, NotProven, Pass, Pass, Pass]);
        assert_eq!(lacking(|seen| seen.beside_it = Some(204)), [Pass, Pass, Fail, Pass, Pass]);
        assert_eq!(lacking(|seen| seen.second_use = Some(204)), [Pass, Pass, Fail, Pass, Pass]);
        assert_eq!(lacking(|seen| seen.session_after = Some(200)), [Pass, Pass, Pass, Fail, Pass]);
        assert_eq!(lacking(|seen| seen.refresh_after = Some(200)), [Pass, Pass, Pass, Fail, Pass]);
        assert_eq!(lacking(|seen| seen.old_password = Some(200)), [Pass, Pass, Pass, Pass, Fail]);
        let spent = [Fail, NotProven, NotProven, NotProven, NotProven];
        assert_eq!(lacking(|seen| seen.first_use = Some(400)), spent);
        assert_eq!(verdicts(&Finished::default()), [NotProven; 5]);
    }

    #[test]
    fn the_links_host_is_the_issuers() {
        let home = ("https://auth.example.com".to_owned(), "Host");
        let away = ("https://attacker.example".to_owned(), "X-Forwarded-Host and Forwarded");
        let verdict = |origins: &[(String, &str)]| leads_home(origins, "https://auth.example.com/").verdict;
        assert_eq!(verdict(std::slice::from_ref(&home)), Verdict::Pass);
        assert_eq!(verdict(&[home, away]), Verdict::Fail);
    }
}
