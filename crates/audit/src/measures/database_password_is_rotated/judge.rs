//! From the ledger, the live verifiers and the server's clock to claims. Pure.

use std::collections::BTreeMap;

use super::YOUNG;
use crate::config::{Attested, Lifetime};
use crate::database::credentials::{Credentials, Rotation, Slot, Stored};
use crate::database::targets::Target;
use crate::document::duration;
use crate::evidence::{Evidence, Strength};
use crate::report::{Claim, rfc3339};
use crate::verdict::Verdict;

/// A date in the ledger may be this far in the future of the server's clock, in seconds: a failover to a machine whose
/// clock is behind.
const SKEW: i64 = 120;
/// A rotation that began this long ago, in seconds, should have come to its end.
const UNDER_WAY: i64 = 86_400;
const ROTATE: &str = "portcullis database rotate NAME --now";
const ADOPT: &str = "portcullis database adopt NAME, then rotate it: the administrator's role too";

pub(super) fn claims(target: &Target<'_>, seen: &Credentials) -> Vec<Claim> {
    let stewardship = target.stewardship;
    let known = match (&seen.stored, &seen.rotations, &seen.now) {
        (Ok(stored), Ok(rotations), Ok(now)) => Ok(Known { stored, rotations, now: *now }),
        (Err(why), ..) => Err(format!("stored passwords cannot be read: {why}")),
        (_, Err(why), _) => Err(format!("there is no ledger here that can be read: {why}")),
        (.., Err(why)) => Err(format!("the server's clock cannot be read: {why}")),
    };
    let known = match known {
        Ok(known) => known,
        Err(why) => {
            return vec![Claim::not_proven(&target.claim(YOUNG), vec![Evidence::catalogue(why)], ADOPT)];
        }
    };
    let limit = stewardship.maximum_password_age.as_ref();
    let mut claims = vec![
        young(&target.claim(YOUNG), &known, seen, limit),
        bound(&target.claim("the_ledger_speaks_of_the_passwords_in_use"), &known, seen),
        came_back(&target.claim("no_password_came_back"), &known),
        dead(&target.claim("replaced_credentials_are_dead"), &known, seen),
    ];
    if stewardship.dead_man_switch {
        claims.push(ends(&target.claim("the_server_ends_old_passwords"), &known, seen, limit));
    }
    let current = newest(seen).and_then(|slot| seen.latest(&slot.role));
    claims.push(attested(
        &target.claim("the_steward_saw_the_previous_password_refused"),
        stewardship.last_rotation.as_ref(),
        current,
        known.now,
    ));
    claims
}

struct Known<'a> {
    stored: &'a [Result<Stored, String>],
    rotations: &'a [Rotation],
    now: i64,
}

impl Known<'_> {
    /// Every role that can log in with a password; and what could not be read.
    fn logins(&self, gaps: &mut Vec<Evidence>) -> Vec<&Stored> {
        let mut logins = Vec::new();
        for row in self.stored {
            match row {
                Ok(stored) if stored.can_login && stored.kind.as_deref() != Some("none") => {
                    logins.push(stored)
                }
                Ok(_) => {}
                Err(why) => gaps.push(Evidence::catalogue(format!("a role cannot be read: {why}"))),
            }
        }
        logins
    }

    /// When a password began: the same one set again is no younger.
    fn began(&self, rotation: &Rotation) -> i64 {
        let same = self.rotations.iter().filter(|other| other.fingerprint == rotation.fingerprint);
        same.map(|other| other.set_at).min().unwrap_or(rotation.set_at)
    }
}

/// Fails on an offence, is not proven on a gap or where nothing was seen.
fn claim(
    id: &str,
    offences: Vec<Evidence>,
    gaps: Vec<Evidence>,
    seen: Vec<Evidence>,
    remedies: [&str; 2],
) -> Claim {
    if !offences.is_empty() {
        Claim::fail(id, offences, remedies[0])
    } else if !gaps.is_empty() || seen.is_empty() {
        Claim::not_proven(id, gaps.into_iter().chain(seen).collect(), remedies[1])
    } else {
        Claim::pass(id, seen)
    }
}

fn young(id: &str, known: &Known<'_>, seen: &Credentials, limit: Option<&Lifetime>) -> Claim {
    let Some(limit) = limit else {
        let evidence = Evidence::configuration("no maximum_password_age is configured");
        return Claim::not_proven(id, vec![evidence], "set maximum_password_age of the [[database]]");
    };
    let (mut offences, mut gaps, mut young) = (Vec::new(), Vec::new(), Vec::new());
    for stored in known.logins(&mut gaps) {
        let role = &stored.role;
        let Some(rotation) = seen.latest(role) else {
            gaps.push(Evidence::catalogue(format!(
                "{role} can log in and is not in the ledger: its password was not made here"
            )));
            continue;
        };
        let began = known.began(rotation);
        let age = known.now - began;
        let what =
            format!("{role}: {} old, set {}, generation {}", days(age), rfc3339(began), rotation.generation);
        if age > limit.seconds {
            offences.push(Evidence::catalogue(format!("{what}; X is {}", duration(limit.seconds))));
        } else if age < -SKEW {
            offences.push(Evidence::catalogue(format!(
                "{role}: the ledger has it set at {}, in the future",
                rfc3339(began)
            )));
        } else {
            young.push(Evidence::catalogue(what));
        }
    }
    claim(id, offences, gaps, young, [ROTATE, ADOPT])
}

fn bound(id: &str, known: &Known<'_>, seen: &Credentials) -> Claim {
    let (mut offences, mut gaps, mut same) = (Vec::new(), Vec::new(), Vec::new());
    for stored in known.logins(&mut gaps) {
        let role = &stored.role;
        let Some(rotation) = seen.latest(role) else { continue };
        match &stored.fingerprint {
            None => gaps.push(Evidence::catalogue(format!("{role}: what is stored cannot be read here"))),
            Some(live) if *live == rotation.fingerprint => same.push(role.as_str()),
            Some(_) => offences.push(Evidence::catalogue(format!(
                "{role}: the password in use is not the one of generation {}: somebody set another, or a backup brought it \
                 back",
                rotation.generation
            ))),
        }
    }
    let same = if same.is_empty() {
        if gaps.is_empty() {
            gaps.push(Evidence::catalogue("no role that can log in is in the ledger"));
        }
        Vec::new()
    } else {
        vec![Evidence::catalogue(format!(
            "the live verifier's fingerprint is the ledger's: {}",
            same.join(", ")
        ))]
    };
    claim(id, offences, gaps, same, [ROTATE, ADOPT])
}

fn came_back(id: &str, known: &Known<'_>) -> Claim {
    let mut by_fingerprint: BTreeMap<&str, Vec<&Rotation>> = BTreeMap::new();
    for rotation in known.rotations {
        by_fingerprint.entry(&rotation.fingerprint).or_default().push(rotation);
    }
    let offences = by_fingerprint
        .into_values()
        .filter(|rows| rows.len() > 1)
        .map(|rows| {
            let rows: Vec<_> =
                rows.iter().map(|row| format!("{} generation {}", row.role, row.generation)).collect();
            Evidence::catalogue(format!("the same password: {}", rows.join(", ")))
        })
        .collect();
    let what =
        format!("{} generations in the ledger, each with a password of its own", known.rotations.len());
    let seen = if known.rotations.is_empty() { Vec::new() } else { vec![Evidence::catalogue(what)] };
    claim(id, offences, Vec::new(), seen, [ROTATE, ADOPT])
}

/// The slot that is in use: the newest generation of those that take turns; none before the first rotation.
fn newest(seen: &Credentials) -> Option<&Slot> {
    let slots = seen.slots.as_ref().ok()?.iter();
    slots.filter(|slot| takes_turns(slot) && slot.generation > 0).max_by_key(|slot| slot.generation)
}

fn takes_turns(slot: &Slot) -> bool {
    matches!(slot.kind.as_str(), "slot" | "legacy")
}

/// Roles that took their turn have no password and no session any more.
fn dead(id: &str, known: &Known<'_>, seen: &Credentials) -> Claim {
    let (slots, sessions) = match (&seen.slots, &seen.sessions) {
        (Ok(slots), Ok(sessions)) => (slots, sessions),
        (Err(why), _) | (_, Err(why)) => {
            let remedy = "let the auditor read portcullis.slot";
            return Claim::not_proven(id, vec![Evidence::catalogue(why.clone())], remedy);
        }
    };
    let Some(in_use) = newest(seen) else {
        let evidence = Evidence::catalogue("the ledger knows no rotation yet");
        return Claim::not_proven(id, vec![evidence], ROTATE);
    };
    // Until every node has gone over to the new one, both must work.
    let under_way = seen.latest(&in_use.role).filter(|rotation| known.now - rotation.set_at < UNDER_WAY);
    let (mut offences, mut gaps, mut dead) = (Vec::new(), Vec::new(), Vec::new());
    for slot in slots.iter().filter(|slot| takes_turns(slot) && slot.role != in_use.role) {
        let role = &slot.role;
        let open = sessions.get(role).copied().unwrap_or(0);
        let Some(stored) = known.stored.iter().flatten().find(|stored| stored.role == *role) else {
            dead.push(format!("{role} is gone"));
            continue;
        };
        let ended = stored.kind.as_deref() == Some("none") || !stored.can_login;
        if ended && open == 0 {
            dead.push(format!("{role} has no login and no session"));
        } else if stored.kind.is_none() && stored.can_login {
            gaps.push(Evidence::catalogue(format!("{role}: what is stored cannot be read here")));
        } else {
            let what = if ended { "still has" } else { "still logs in by its password, and has" };
            let what = format!("{role} was replaced by {}, {what} {open} sessions", in_use.role);
            match under_way {
                Some(rotation) if !slot.retired => gaps.push(Evidence::catalogue(format!(
                    "{what}; the rotation of {} may be under way",
                    rfc3339(rotation.set_at)
                ))),
                _ => offences.push(Evidence::catalogue(what)),
            }
        }
    }
    let dead = if dead.is_empty() { Vec::new() } else { vec![Evidence::catalogue(dead.join("; "))] };
    let remedy = "let the rotation come to its end: portcullis database status";
    claim(id, offences, gaps, dead, [remedy, remedy])
}

/// The dead man's switch: the server itself refuses a password that nobody has rotated.
fn ends(id: &str, known: &Known<'_>, seen: &Credentials, limit: Option<&Lifetime>) -> Claim {
    let (mut offences, mut gaps, mut ending) = (Vec::new(), Vec::new(), Vec::new());
    for stored in known.logins(&mut gaps) {
        // Only what the steward rotates has an end; what is not in its ledger is seen by the first claim.
        let (Some(rotation), Some(limit)) = (seen.latest(&stored.role), limit) else { continue };
        // A grace of a quarter, a day at least: the application must not stand still over one missed rotation.
        let latest = rotation.set_at + limit.seconds + (limit.seconds / 4).max(86_400);
        match stored.valid_until {
            None => offences.push(Evidence::catalogue(format!("{}: its password never ends", stored.role))),
            Some(end) if end > latest => offences.push(Evidence::catalogue(format!(
                "{}: its password ends {}, later than X and a quarter after it was set",
                stored.role,
                rfc3339(end)
            ))),
            Some(end) => ending.push(Evidence::catalogue(format!("{}: ends {}", stored.role, rfc3339(end)))),
        }
    }
    claim(id, offences, gaps, ending, [ROTATE, ADOPT])
}

/// What the steward says of itself. It proves nothing that the catalogue does not, but it can contradict.
fn attested(id: &str, attested: Option<&Attested>, current: Option<&Rotation>, now: i64) -> Claim {
    let evidence = |what: String| {
        let mut evidence = Evidence::configuration(what);
        evidence.strength = Strength::Attestation;
        vec![evidence]
    };
    let Some(report) = attested else {
        let what = "the steward's journal has no finished rotation that the auditor was told of";
        return Claim::pass(id, evidence(what.into())).but(Verdict::NotApplicable);
    };
    let when = rfc3339(report.finished_at);
    if let Some(current) = current.filter(|current| current.generation != report.generation) {
        let what =
            format!("the journal's generation is {}, the ledger's {}", report.generation, current.generation);
        if current.generation > report.generation && now - current.set_at < UNDER_WAY {
            let what = format!("{what}: a rotation may be under way");
            return Claim::pass(id, evidence(what)).but(Verdict::NotApplicable);
        }
        return Claim::fail(
            id,
            evidence(what),
            "portcullis database status: journal and database have parted",
        );
    }
    match report.previous_refused {
        Some(true) => {
            Claim::pass(id, evidence(format!("{when}: the previous password was tried and refused")))
        }
        Some(false) => {
            Claim::fail(id, evidence(format!("{when}: the previous password still logged in")), ROTATE)
        }
        None => Claim::pass(id, evidence(format!("{when}: the previous password was not tried")))
            .but(Verdict::NotApplicable),
    }
}

fn days(seconds: i64) -> String {
    if seconds >= 2 * 86_400 {
        format!("{} d", seconds / 86_400)
    } else {
        format!("{} h", seconds.max(0) / 3600)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Stewardship;

    const DAY: i64 = 86_400;
    const NOW: i64 = 1_000 * DAY;

    fn stored(role: &str, can_login: bool, kind: &str, fingerprint: &str) -> Result<Stored, String> {
        Ok(Stored {
            role: role.into(),
            can_login,
            kind: Some(kind.into()),
            iterations: Some(4096),
            fingerprint: Some(fingerprint.into()).filter(|text: &String| !text.is_empty()),
            valid_until: Some(NOW + 60 * DAY),
        })
    }

    fn rotation(role: &str, generation: i64, fingerprint: &str, age: i64) -> Rotation {
        Rotation {
            role: role.into(),
            generation,
            fingerprint: fingerprint.into(),
            set_at: NOW - age * DAY,
            valid_until: None,
        }
    }

    fn slot(role: &str, kind: &str, generation: i64) -> Slot {
        Slot { role: role.into(), kind: kind.into(), generation, retired: false }
    }

    /// Two slots after two rotations, the platform's role rotated too.
    fn sound() -> Credentials {
        Credentials {
            stored: Ok(vec![
                stored("app", false, "none", ""),
                stored("app_a", false, "none", ""),
                stored("app_b", true, "scram", "f2"),
                stored("postgres", true, "scram", "p1"),
            ]),
            rotations: Ok(vec![
                rotation("app_a", 1, "f1", 100),
                rotation("app_b", 2, "f2", 30),
                rotation("postgres", 1, "p1", 30),
            ]),
            slots: Ok(vec![
                slot("app", "legacy", 0),
                slot("app_a", "slot", 1),
                slot("app_b", "slot", 2),
                slot("postgres", "administrator", 1),
            ]),
            sessions: Ok(BTreeMap::from([("app_b".to_owned(), 4)])),
            now: Ok(NOW),
        }
    }

    fn judged(seen: &Credentials, change: impl FnOnce(&mut Stewardship)) -> (Verdict, Vec<Claim>) {
        let mut stewardship = Stewardship {
            maximum_password_age: Some(Lifetime { seconds: 90 * DAY, source: "maximum_password_age".into() }),
            ..Stewardship::default()
        };
        change(&mut stewardship);
        let target = Target { name: "backend", url: "", password: None, stewardship: &stewardship };
        let claims = claims(&target, seen);
        (Verdict::all(claims.iter().map(|claim| claim.verdict)), claims)
    }

    fn verdict(change: impl FnOnce(&mut Credentials)) -> Verdict {
        let mut seen = sound();
        change(&mut seen);
        judged(&seen, |_| ()).0
    }

    #[test]
    fn a_young_ledger_that_is_bound_to_the_live_passwords_passes() {
        let (whole, claims) = judged(&sound(), |_| ());
        assert_eq!(whole, Verdict::Pass, "{claims:#?}");
    }

    #[test]
    fn what_is_old_foreign_or_still_alive_fails() {
        let rotations = |seen: &mut Credentials, rows: Vec<Rotation>| {
            let mut all = seen.rotations.clone().unwrap();
            for row in rows {
                all.retain(|other| (&other.role, other.generation) != (&row.role, row.generation));
                all.push(row);
            }
            seen.rotations = Ok(all);
        };
        let is_fail =
            |change: &dyn Fn(&mut Credentials)| assert_eq!(verdict(|seen| change(seen)), Verdict::Fail);
        is_fail(&|seen| rotations(seen, vec![rotation("app_b", 2, "f2", 91)]));
        is_fail(&|seen| rotations(seen, vec![rotation("postgres", 1, "p1", 91)]));
        is_fail(&|seen| rotations(seen, vec![rotation("app_b", 2, "f2", -1)]));
        is_fail(&|seen| rotations(seen, vec![rotation("app_b", 2, "another", 30)]));
        // The same password in a later generation is as old as it was.
        is_fail(&|seen| {
            rotations(seen, vec![rotation("app_b", 2, "f2", 100), rotation("app_b", 4, "f2", 1)])
        });
        is_fail(&|seen| seen.sessions = Ok(BTreeMap::from([("app_a".to_owned(), 1)])));
        is_fail(&|seen| {
            let mut all = seen.stored.clone().unwrap();
            all[1] = stored("app_a", true, "scram", "f1");
            seen.stored = Ok(all);
        });
    }

    #[test]
    fn what_cannot_be_seen_is_not_proven() {
        let gap =
            |change: &dyn Fn(&mut Credentials)| assert_eq!(verdict(|seen| change(seen)), Verdict::NotProven);
        gap(&|seen| seen.stored = Err("permission denied".into()));
        gap(&|seen| seen.rotations = Err("no such table".into()));
        gap(&|seen| seen.now = Err("?".into()));
        gap(&|seen| seen.slots = Err("permission denied".into()));
        // A role that nobody rotates: the platform's own, or one that was forgotten.
        gap(&|seen| seen.rotations.as_mut().unwrap().retain(|row| row.role != "postgres"));
        gap(&|seen| seen.stored.as_mut().unwrap().push(stored("forgotten", true, "scram", "x")));
        gap(&|seen| seen.stored.as_mut().unwrap().push(Err("no UTF-8".into())));
        // Adopted by an administrator who may not read pg_authid.
        gap(&|seen| {
            for row in seen.stored.as_mut().unwrap().iter_mut().flatten() {
                (row.kind, row.fingerprint) = (None, None);
            }
        });
        assert_eq!(
            judged(&sound(), |stewardship| stewardship.maximum_password_age = None).0,
            Verdict::NotProven
        );
    }

    #[test]
    fn both_work_while_a_rotation_is_under_way_and_no_longer() {
        let after = |hours: i64, retired: bool| {
            let mut seen = sound();
            seen.stored.as_mut().unwrap()[1] = stored("app_a", true, "scram", "f1");
            let rotations = seen.rotations.as_mut().unwrap();
            rotations[0].set_at = NOW - 30 * DAY;
            rotations[1].set_at = NOW - hours * 3600;
            seen.slots.as_mut().unwrap()[1].retired = retired;
            judged(&seen, |stewardship| {
                // The journal's last finished rotation is the one before.
                stewardship.last_rotation = Some(Attested {
                    finished_at: NOW - 30 * DAY,
                    generation: 1,
                    previous_refused: Some(true),
                });
            })
            .0
        };
        assert_eq!(after(1, false), Verdict::NotProven);
        assert_eq!(after(25, false), Verdict::Fail);
        assert_eq!(after(1, true), Verdict::Fail, "ended by the steward, brought back by somebody");
        let mut adopted = sound();
        adopted.rotations = Ok(Vec::new());
        for slot in adopted.slots.as_mut().unwrap() {
            slot.generation = 0;
        }
        adopted.stored = Ok(vec![stored("app", true, "scram", "x")]);
        assert_eq!(judged(&adopted, |_| ()).0, Verdict::NotProven, "adopted, and not rotated yet");
    }

    #[test]
    fn a_dead_mans_switch_has_an_end_that_is_not_far() {
        let with = |end: Option<i64>| {
            let mut seen = sound();
            for row in seen.stored.as_mut().unwrap().iter_mut().flatten() {
                row.valid_until = end;
            }
            judged(&seen, |stewardship| stewardship.dead_man_switch = true).0
        };
        assert_eq!(with(Some(NOW + 60 * DAY)), Verdict::Pass);
        assert_eq!(with(None), Verdict::Fail);
        assert_eq!(with(Some(NOW + 400 * DAY)), Verdict::Fail);
    }

    #[test]
    fn the_stewards_word_can_contradict_and_never_prove() {
        let says = |generation, previous_refused| {
            judged(&sound(), |stewardship| {
                stewardship.last_rotation =
                    Some(Attested { finished_at: NOW - DAY, generation, previous_refused });
            })
            .0
        };
        assert_eq!(says(2, Some(true)), Verdict::Pass);
        assert_eq!(says(2, None), Verdict::Pass);
        assert_eq!(says(2, Some(false)), Verdict::Fail);
        assert_eq!(says(3, Some(true)), Verdict::Fail, "journal and ledger have parted");
        let mut blind = sound();
        blind.rotations = Err("no such table".into());
        let told = Attested { finished_at: NOW, generation: 2, previous_refused: Some(true) };
        assert_eq!(
            judged(&blind, |stewardship| stewardship.last_rotation = Some(told)).0,
            Verdict::NotProven
        );
    }
}
