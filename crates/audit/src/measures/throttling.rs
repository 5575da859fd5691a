//! X4: guessing is throttled (NIST SP 800-63B-4 section 3.2.2, ASVS 5 V6.3.1, V2.4.1): passwords of one account, mails to one
//! address, secrets of one client. Tried against a throw-away user and a client that does not exist, so that nobody is locked
//! out; each try claims another X-Forwarded-For. Control: the first try was answered as any.

use std::time::Duration;

use serde_json::{Value, json};

use crate::evidence::Evidence;
use crate::measures::claimed::{Claimed, claimed};
use crate::report::Claim;
use crate::world::World;
use crate::world::account::Account;
use crate::world::http::{Answer, Probe};

/// What it can claim.
pub(crate) const CLAIMS: &[Claimed] = &[
    claimed(
        "guessing_a_password_is_throttled",
        "guesses at one account's password are throttled",
        &["V6.3.1", "V2.4.1"],
        &[307],
    ),
    claimed(
        "a_claimed_address_changes_no_throttle",
        "who names another X-Forwarded-For with each guess is throttled all the same",
        &["V15.3.4"],
        &[348, 290],
    ),
    claimed("resets_flood_no_mailbox", "one address is sent few reset mails", &["V2.4.1"], &[799]),
    claimed(
        "guessing_a_secret_is_throttled",
        "guesses at one client's secret are throttled",
        &["V2.4.1"],
        &[307],
    ),
];

/// NIST's cap is 100 failures of an account; one address at one account should come to far fewer.
const GUESSES: usize = 40;
const SECRETS: usize = 120;
const RESETS: usize = 7;

/// What a row of tries got, each a status.
type Row = Result<Vec<u16>, String>;

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    let mut claims = Vec::new();
    match guesses(world).await {
        Ok((row, leftover)) => {
            claims.push(throttled(CLAIMS[0].id, &Ok(row.clone()), "wrong passwords"));
            claims.push(throttled(
                CLAIMS[1].id,
                &Ok(row),
                "wrong passwords, each from another X-Forwarded-For",
            ));
            if let (Some(why), Some(claim)) = (leftover, claims.first_mut()) {
                claim.evidence.push(Evidence::http(why));
            }
        }
        Err(why) => {
            claims.push(throttled(CLAIMS[0].id, &Err(why.clone()), ""));
            claims.push(throttled(CLAIMS[1].id, &Err(why), ""));
        }
    }
    claims.push(flooded(&resets(world).await));
    claims.push(throttled(CLAIMS[3].id, &secrets(world).await, "wrong secrets of a client"));
    claims
}

async fn guesses(world: &World) -> Result<(Vec<u16>, Option<String>), String> {
    let account = Account::open(world).await?;
    let mut row = Vec::new();
    for at in 0..GUESSES {
        let probe = world.tokens.session_probe(&world.config, &world.http, "POST", "/session").await?;
        let body = json!({"email": account.email, "password": format!("wrong-{at}-{}", world.id)});
        let probe = probe.json(&body).header("x-forwarded-for", format!("203.0.113.{}", at + 1));
        row.push(world.http.send(probe).await.map_err(|why| why.to_string())?.status);
        if row.last() == Some(&429) {
            break;
        }
    }
    Ok((row, account.close(world).await))
}

async fn secrets(world: &World) -> Row {
    if !world.config.exercise {
        return Err("the auditor may not try this here ([audit] exercise)".into());
    }
    let (url, id) = (format!("{}oauth/token", world.config.issuer), format!("audit-nobody-{}", world.id));
    let probe = |at: usize| {
        let secret = format!("wrong-{at}");
        Probe::new("POST", &url).form(&[
            ("grant_type", "client_credentials"),
            ("client_id", &id),
            ("client_secret", &secret),
            ("audience", &world.config.audience),
        ])
    };
    let mut row = Vec::new();
    for chunk in (0..SECRETS).collect::<Vec<_>>().chunks(8) {
        for sent in world.http.send_all(chunk.iter().map(|at| probe(*at)).collect()).await {
            row.push(sent.map_err(|why| why.to_string())?.status);
        }
        if row.contains(&429) {
            break;
        }
    }
    Ok(row)
}

/// What came of many resets for one address.
struct Resets {
    row: Row,
    /// How many mails arrived at it; or why the mailbox could not be read.
    mails: Result<usize, String>,
    /// Whether a mail that was asked for afterwards arrived at another address: then what has not come will not come.
    later: bool,
}

async fn resets(world: &World) -> Result<Resets, String> {
    let mailbox = world.config.mailbox.as_ref().ok_or("reset mails cannot be read ([audit] mailbox)")?;
    let account = Account::open(world).await?;
    let seen = match Account::open(world).await {
        Ok(other) => {
            let seen = flood(world, mailbox, &account.email, &other.email).await;
            other.close(world).await;
            Ok(seen)
        }
        Err(why) => Err(why),
    };
    account.close(world).await;
    seen
}

async fn flood(world: &World, mailbox: &str, email: &str, other: &str) -> Resets {
    let mut row = Vec::new();
    for _ in 0..RESETS {
        match ask(world, email).await {
            Ok(status) => row.push(status),
            Err(why) => return Resets { row: Err(why.clone()), mails: Err(why), later: false },
        }
    }
    let asked = ask(world, other).await;
    // Mails go out one after the other: counted until the later one has come and no more arrive.
    let (mut count, mut quiet, mut later) = (Err("the mailbox was not read".to_owned()), 0, false);
    for _ in 0..40 {
        let now = mails(world, mailbox, email).await;
        later = asked.is_ok() && mails(world, mailbox, other).await.is_ok_and(|mails| mails > 0);
        quiet = if now.is_ok() && now == count && later { quiet + 1 } else { 0 };
        count = now;
        if quiet >= 4 || matches!(&count, Ok(mails) if *mails >= RESETS) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    Resets { row: Ok(row), mails: count, later: later && quiet >= 4 }
}

async fn ask(world: &World, email: &str) -> Result<u16, String> {
    let body = json!({"email": email});
    let answer = world.tokens.session(&world.config, &world.http, "POST", "/password-reset", &body).await?;
    Ok(answer.status)
}

/// Mails to this address that have a link in them.
async fn mails(world: &World, mailbox: &str, email: &str) -> Result<usize, String> {
    let answer = world.http.send(Probe::new("GET", mailbox)).await;
    count(&answer.map_err(|why| format!("the mailbox: {why}"))?, email)
}

fn count(answer: &Answer, email: &str) -> Result<usize, String> {
    let mails = answer.json().filter(|_| answer.status == 200);
    let mails = mails.as_ref().and_then(Value::as_array);
    let mails = mails.ok_or_else(|| format!("the mailbox answered {} and no list", answer.status))?;
    let to = |mail: &Value| mail.get("to").is_some_and(|to| to.to_string().contains(email));
    let link = |mail: &Value| mail.get("text").is_some_and(|text| text.to_string().contains("token="));
    Ok(mails.iter().filter(|mail| to(mail) && link(mail)).count())
}

fn throttled(id: &str, row: &Row, what: &str) -> Claim {
    let row = match row {
        Ok(row) => row,
        Err(why) => {
            let remedy = "set [audit] exercise where a throw-away user may be made";
            return Claim::not_proven(id, vec![Evidence::http(why.clone())], remedy);
        }
    };
    let first = row.first().copied().unwrap_or_default();
    let control = format!("the first try got {first}");
    let at = row.iter().position(|status| *status == 429);
    match at {
        // From the first try on: then it is not these tries that are throttled.
        Some(0) => Claim::not_proven(
            id,
            vec![Evidence::http(control)],
            "run the audit again when the throttle has emptied",
        ),
        Some(at) => {
            let what = format!("after {at} {what} the answer is 429");
            Claim::pass(id, vec![Evidence::http(what).beside(control)])
        }
        None if row.iter().all(|status| (400..404).contains(status)) => {
            let what = format!("{} {what} were all answered, none with 429", row.len());
            Claim::fail(
                id,
                vec![Evidence::http(what).beside(control)],
                "count failures, and answer 429 with Retry-After",
            )
        }
        None if row.iter().any(|status| (200..300).contains(status)) => {
            let what = format!("one of {} {what} was let in", row.len());
            Claim::fail(id, vec![Evidence::http(what)], "compare what is sent")
        }
        None => {
            let what = format!("{what} got {first} and others, but no 429");
            Claim::not_proven(id, vec![Evidence::http(what)], "see what the server answers to failures")
        }
    }
}

fn flooded(resets: &Result<Resets, String>) -> Claim {
    let id = CLAIMS[2].id;
    let (row, mails, later) = match resets {
        Ok(Resets { row: Ok(row), mails: Ok(mails), later }) => (row, *mails, *later),
        Ok(Resets { row: Err(why), .. } | Resets { mails: Err(why), .. }) | Err(why) => {
            let remedy = "set [audit] exercise and mailbox where a throw-away user may be made";
            return Claim::not_proven(id, vec![Evidence::http(why.clone())], remedy);
        }
    };
    let first = row.first().copied().unwrap_or_default();
    let what = format!("{} resets were asked for one address, {mails} mails arrived", row.len());
    let after =
        if later { "one to another address that was asked for later arrived" } else { "none later did" };
    let evidence = vec![Evidence::http(what).beside(format!("the first got {first}; {after}"))];
    let answered = row.iter().all(|status| (200..300).contains(status) || *status == 429);
    let refused = row.contains(&429);
    if !(200..300).contains(&first) || !answered {
        return Claim::not_proven(id, evidence, "see what the server answers to resets");
    }
    if mails >= row.len() && !refused {
        return Claim::fail(id, evidence, "send few mails to one address, and answer alike");
    }
    // Few mails are a bound only where mails do arrive, and none is under way any more.
    if refused || (mails > 0 && later) {
        Claim::pass(id, evidence)
    } else {
        Claim::not_proven(id, evidence, "see the mail's outbox")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict::{self, Fail, NotProven, Pass};
    use crate::world::http::answer_of;

    #[test]
    fn a_throttle_shows_after_a_first_answer() {
        let of = |row: Row| -> Verdict { throttled("x", &row, "tries").verdict };
        assert_eq!(of(Ok(vec![401, 401, 429])), Pass);
        assert_eq!(of(Ok(vec![401; 40])), Fail);
        assert_eq!(of(Ok(vec![401, 200])), Fail);
        assert_eq!(of(Ok(vec![429])), NotProven, "no first answer as the control");
        assert_eq!(of(Ok(vec![401, 503])), NotProven);
        assert_eq!(of(Err("the auditor may not".into())), NotProven);
    }

    #[test]
    fn a_mailbox_that_cannot_be_read_is_not_an_empty_one() {
        let mail =
            json!([{"to": ["a@example.com"], "text": "https://id.example.com/reset?token=1"}]).to_string();
        assert_eq!(count(&answer_of(200, &[], &mail), "a@example.com"), Ok(1));
        assert_eq!(count(&answer_of(200, &[], &mail), "b@example.com"), Ok(0));
        assert!(count(&answer_of(503, &[], "[]"), "a@example.com").is_err());
        assert!(count(&answer_of(200, &[], "<html>"), "a@example.com").is_err());
    }

    #[test]
    fn a_mailbox_is_not_flooded() {
        let with = |row: Vec<u16>, mails, later| flooded(&Ok(Resets { row: Ok(row), mails, later })).verdict;
        let of = |row: Vec<u16>, mails| with(row, Ok(mails), true);
        assert_eq!(of(vec![202; 8], 5), Pass);
        assert_eq!(of(vec![202, 202, 429], 2), Pass);
        assert_eq!(of(vec![202; 8], 8), Fail);
        assert_eq!(of(vec![202; 8], 0), NotProven, "no mail as the control");
        assert_eq!(of(vec![503; 8], 0), NotProven);
        assert_eq!(of(vec![202, 202, 202, 503, 503], 3), NotProven, "a server's error is no throttle");
        assert_eq!(of(vec![202, 202, 404], 2), NotProven);
        assert_eq!(with(vec![202; 8], Ok(5), false), NotProven, "more may be under way");
        assert_eq!(with(vec![202; 8], Ok(8), false), Fail);
        assert_eq!(with(vec![202; 8], Err("the mailbox answered 503".into()), true), NotProven);
        assert_eq!(flooded(&Err("no mailbox".into())).verdict, NotProven);
    }
}
