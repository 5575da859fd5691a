//! A1: no plain password is stored, only hash and salt (OWASP ASVS 5 11.4.2, OWASP Password Storage Cheat Sheet).
//! Every text and binary value of the store and of `[audit] database` is read, and what is JSON or a list is looked into; a
//! throw-away user's password is searched for everywhere.

use crate::config::Mode;
use crate::database::{Found, Mark, Scan};
use crate::evidence::Evidence;
use crate::measures::claimed::{Claimed, claimed};
use crate::report::Claim;
use crate::verdict::Verdict;
use crate::world::World;

const SHOWN: usize = 20;

/// What it can claim.
pub(crate) const CLAIMS: &[Claimed] = &[
    claimed(
        "passwords_are_a_foreign_issuers",
        "users and their passwords live at a foreign issuer",
        &[],
        &[],
    ),
    claimed(
        "every_value_was_read",
        "every text and binary value of the store and the backend's database was read",
        &[],
        &[],
    ),
    claimed(
        "no_password_is_stored_in_clear",
        "no value of the databases is a password in clear or in a form that can be turned back",
        &[],
        &[256, 312],
    ),
    claimed(
        "every_hash_is_at_owasps_floor",
        "every stored password is a slow hash with parameters at OWASP's floor or above",
        &["V11.4.1", "V11.4.2"],
        &[916, 328],
    ),
    claimed("every_hash_has_its_own_salt", "no two stored passwords share a salt", &["V11.4.2"], &[759, 760]),
    claimed(
        "a_new_password_is_stored_nowhere",
        "the password of a user who just signed up stands in no value, in no spelling",
        &[],
        &[256, 532],
    ),
    claimed(
        "a_reset_token_is_stored_nowhere",
        "the token of a reset link that is still good stands in no value, in no spelling",
        &[],
        &[640, 312],
    ),
];

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    let scans = world.scans().await;
    let begun = world.begun().await;
    let mut claims = Vec::new();
    if scans.is_empty() {
        let evidence = Evidence::configuration("no database to look into");
        claims.push(Claim::not_proven("every_value_was_read", vec![evidence], "set [audit] database"));
    }
    let found: Vec<(&str, &Found)> =
        scans.iter().filter_map(|scan| Some((scan.name, scan.found.as_ref().ok()?))).collect();
    if !scans.is_empty() {
        claims.push(read(scans));
        claims.push(clear(&found));
        claims.push(strong(&found, world.config.mode));
        claims.push(salted(&found));
    }
    if world.config.mode == Mode::Delegated {
        let issuers = world.config.foreign_issuers.join(", ");
        let evidence = Evidence::configuration(format!("users and their passwords live at {issuers}"));
        claims.push(Claim::pass("passwords_are_a_foreign_issuers", vec![evidence]).but(Verdict::Delegated));
        return claims;
    }
    let begun = begun.as_ref().map_err(String::as_str);
    claims.push(marked("a_new_password_is_stored_nowhere", &found, begun.map(|_| ()), Mark::Password));
    if let Ok(begun) = begun
        && begun.link.is_ok()
    {
        claims.push(marked("a_reset_token_is_stored_nowhere", &found, Ok(()), Mark::ResetToken));
    }
    claims
}

fn read(scans: &[Scan]) -> Claim {
    let id = "every_value_was_read";
    let (mut evidence, mut gap) = (Vec::new(), false);
    for scan in scans {
        match &scan.found {
            Ok(found) => {
                let json: u64 = found.columns.values().map(|seen| seen.json).sum();
                evidence.push(Evidence::database(format!(
                    "{}: {} values in {} text and binary columns, {json} of them JSON that was looked into",
                    scan.name,
                    found.values,
                    found.columns.len()
                )));
                gap |= !found.unread.is_empty();
                let unread = found.unread.iter().take(SHOWN);
                evidence.extend(unread.map(|column| Evidence::catalogue(format!("not read: {column}"))));
            }
            Err(why) => {
                gap = true;
                evidence.push(Evidence::database(format!("{} could not be read: {why}", scan.name)));
            }
        }
    }
    if gap {
        Claim::not_proven(id, evidence, "grant the audit's role SELECT on every table (pg_read_all_data)")
    } else {
        Claim::pass(id, evidence)
    }
}

/// No value of a password's column is anything but a hash; no JSON holds a password.
fn clear(found: &[(&str, &Found)]) -> Claim {
    let id = "no_password_is_stored_in_clear";
    let (mut offences, mut values) = (Vec::new(), 0);
    for (name, found) in found {
        values += found.values;
        for (column, seen) in &found.columns {
            if seen.named && seen.other > 0 {
                let what = format!("{name}: {} values of {column} are no hash of a known format", seen.other);
                offences.push(Evidence::database(what));
            }
            if seen.in_json > 0 {
                let what = format!("{name}: {} passwords stand in JSON of {column}", seen.in_json);
                offences.push(Evidence::database(what));
            }
        }
    }
    if offences.is_empty() {
        return over_values(id, values, "none is a password in clear");
    }
    offences.truncate(SHOWN);
    Claim::fail(id, offences, "store only a hash; set new passwords for whoever's was in clear")
}

fn over_values(id: &str, values: u64, what: &str) -> Claim {
    let evidence = vec![Evidence::database(format!("{values} values: {what}"))];
    if values == 0 {
        Claim::not_proven(id, evidence, "audit a database that is in use")
    } else {
        Claim::pass(id, evidence)
    }
}

/// Every hash is at OWASP's floor or above.
fn strong(found: &[(&str, &Found)], mode: Mode) -> Claim {
    let id = "every_hash_is_at_owasps_floor";
    let (mut offences, mut hashes, mut unclear) = (Vec::new(), Vec::new(), Vec::new());
    for (name, found) in found {
        for (column, seen) in &found.columns {
            for (why, count) in &seen.weak {
                offences.push(Evidence::database(format!("{name}: {count} values of {column}: {why}")));
            }
            if seen.named && seen.bare > 0 {
                let table = column.rsplit_once('.').map_or("", |(table, _)| table);
                let what = format!("{name}: {} values of {column} are bare digests", seen.bare);
                if found.salted_tables.contains(table) {
                    unclear
                        .push(Evidence::database(format!("{what}; a column for salts stands beside them")));
                } else {
                    offences.push(Evidence::database(format!("{what}, without a salt")));
                }
            }
            if seen.bare_in_json > 0 {
                let what =
                    format!("{name}: {} bare digests of passwords in JSON of {column}", seen.bare_in_json);
                offences.push(Evidence::database(format!("{what}, without a salt")));
            }
            if seen.salted_in_json > 0 {
                let what =
                    format!("{name}: {} bare digests of passwords in JSON of {column}", seen.salted_in_json);
                unclear.push(Evidence::database(format!("{what}; a member for a salt stands beside them")));
            }
            for (format, count) in &seen.formats {
                hashes.push(Evidence::database(format!(
                    "{name}: {count} values of {column} are {format} at the floor or above"
                )));
            }
        }
    }
    if !offences.is_empty() {
        offences.truncate(SHOWN);
        return Claim::fail(
            id,
            offences,
            "hash with Argon2id (19 MiB, 2 passes); wrap or reset what is weaker",
        );
    }
    if !unclear.is_empty() {
        return Claim::not_proven(id, unclear, "store hashes in a self-describing format ($argon2id$…)");
    }
    if hashes.is_empty() {
        let evidence = vec![Evidence::database("no password hash was found anywhere")];
        if mode == Mode::Delegated {
            return Claim::pass(id, evidence).but(Verdict::NotApplicable);
        }
        return Claim::not_proven(id, evidence, "audit with [audit] exercise, or when there is a user");
    }
    Claim::pass(id, hashes)
}

/// As many salts as hashes.
fn salted(found: &[(&str, &Found)]) -> Claim {
    let id = "every_hash_has_its_own_salt";
    let (mut offences, mut hashes) = (Vec::new(), 0);
    for (name, found) in found {
        for (column, seen) in &found.columns {
            hashes += seen.strong;
            if seen.doubled_salts > 0 {
                let what = format!("{name}: {} hashes of {column} share a salt", seen.doubled_salts);
                offences.push(Evidence::database(what));
            }
        }
    }
    if !offences.is_empty() {
        return Claim::fail(id, offences, "draw 16 random bytes of salt for each hash");
    }
    let evidence = vec![Evidence::database(format!("{hashes} hashes, as many salts"))];
    if hashes == 0 {
        return Claim::pass(id, evidence).but(Verdict::NotApplicable);
    }
    Claim::pass(id, evidence)
}

/// The mark is nowhere, while the throw-away user's address, written at the same moment, is there.
fn marked(id: &str, found: &[(&str, &Found)], begun: Result<(), &str>, mark: Mark) -> Claim {
    if let Err(why) = begun {
        return Claim::not_proven(
            id,
            vec![Evidence::http(why)],
            "set [audit] exercise where a throw-away user may be made",
        );
    }
    let places = |mark: Mark| {
        found.iter().flat_map(move |(name, found)| {
            found
                .marks
                .get(&mark)
                .into_iter()
                .flatten()
                .map(move |(column, count)| format!("{name}: {column} ({count})"))
        })
    };
    let offences: Vec<_> = places(mark)
        .take(SHOWN)
        .map(|place| Evidence::database(format!("it was found in {place}")))
        .collect();
    if !offences.is_empty() {
        return Claim::fail(id, offences, "store only the hash of a password and the digest of a token");
    }
    let Some(control) = places(Mark::Email).next() else {
        let evidence =
            Evidence::database("not even the throw-away user's address was found: it is stored elsewhere");
        return Claim::not_proven(id, vec![evidence], "set [audit] database to where users are stored");
    };
    let values: u64 = found.iter().map(|(_, found)| found.values).sum();
    let evidence = Evidence::database(format!("in none of {values} values, raw, hexadecimal or base64"))
        .beside(format!("the throw-away user's address was found in {control}"));
    Claim::pass(id, vec![evidence])
}
