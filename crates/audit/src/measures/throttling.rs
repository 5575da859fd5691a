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
use crate::world::http::Probe;

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

/// How many mails arrived of how many that were asked for.
async fn resets(world: &World) -> Result<(Vec<u16>, usize), String> {
    let mailbox = world.config.mailbox.as_ref().ok_or("reset mails cannot be read ([audit] mailbox)")?;
    let account = Account::open(world).await?;
    let mut row = Vec::new();
    for _ in 0..RESETS {
        let body = json!({"email": account.email});
        let answer =
            world.tokens.session(&world.config, &world.http, "POST", "/password-reset", &body).await?;
        row.push(answer.status);
    }
    // Mails go out one after the other: counted until no more arrive.
    let (mut count, mut quiet) = (0, 0);
    for _ in 0..24 {
        let now = mails(world, mailbox, &account.email).await;
        quiet = if now == count && now > 0 { quiet + 1 } else { 0 };
        count = now;
        if quiet >= 4 || count >= RESETS {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    account.close(world).await;
    Ok((row, count))
}

/// Mails to this address that have a link in them.
async fn mails(world: &World, mailbox: &str, email: &str) -> usize {
    let Ok(answer) = world.http.send(Probe::new("GET", mailbox)).await else { return 0 };
    let mails = answer.json().unwrap_or_default();
    let to = |mail: &Value| mail.get("to").is_some_and(|to| to.to_string().contains(email));
    let link = |mail: &Value| mail.get("text").is_some_and(|text| text.to_string().contains("token="));
    mails.as_array().into_iter().flatten().filter(|mail| to(mail) && link(mail)).count()
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

fn flooded(resets: &Result<(Vec<u16>, usize), String>) -> Claim {
    let id = CLAIMS[2].id;
    match resets {
        Err(why) => {
            let remedy = "set [audit] exercise and mailbox where a throw-away user may be made";
            Claim::not_proven(id, vec![Evidence::http(why.clone())], remedy)
        }
        Ok((row, mails)) => {
            let first = row.first().copied().unwrap_or_default();
            let what = format!("{} resets were asked for one address, {mails} mails arrived", row.len());
            let evidence = vec![Evidence::http(what).beside(format!("the first got {first}"))];
            let refused = row.contains(&429);
            if !(200..300).contains(&first) || (*mails == 0 && !refused) {
                Claim::not_proven(id, evidence, "see the mail's outbox")
            } else if refused || *mails < row.len() {
                Claim::pass(id, evidence)
            } else {
                Claim::fail(id, evidence, "send few mails to one address, and answer alike")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict::{self, Fail, NotProven, Pass};

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
    fn a_mailbox_is_not_flooded() {
        let of = |row: Vec<u16>, mails| flooded(&Ok((row, mails))).verdict;
        assert_eq!(of(vec![202; 8], 5), Pass);
        assert_eq!(of(vec![202, 202, 429], 2), Pass);
        assert_eq!(of(vec![202; 8], 8), Fail);
        assert_eq!(of(vec![202; 8], 0), NotProven, "no mail as the control");
        assert_eq!(of(vec![503; 8], 0), NotProven);
        assert_eq!(flooded(&Err("no mailbox".into())).verdict, NotProven);
    }
}
