//! X14: what is sent is checked before it is used (ASVS 5 V1, V2.2, V5.2.1, V15.3): wrong types, doubled names, data that is
//! deep, broken, too long or full of signs, another type of body, markup, mail headers, members that nobody asked for. All of
//! it must be refused or be without effect. Control: the same request without the defect got its token, and gets it again
//! afterwards. "Not authenticated" (401) is no refusal of a defect: it is what one says who has read it and looked it up.

mod attempts;

use serde_json::{Value, json};

use crate::evidence::Evidence;
use crate::measures::claimed::{Claimed, claimed};
use crate::measures::tally::{self, Found};
use crate::report::Claim;
use crate::world::World;
use crate::world::account::{self, Account};
use crate::world::http::{Answer, Probe, Sent};
use attempts::Whole;

/// What it can claim.
pub(crate) const CLAIMS: &[Claimed] = &[
    claimed(
        "wrong_types_are_refused",
        "numbers, lists and nothing where a text is wanted are refused",
        &["V15.3.5", "V2.2.2"],
        &[843, 20],
    ),
    claimed(
        "doubled_parameters_are_refused",
        "a parameter that comes twice is refused",
        &["V15.3.7"],
        &[235],
    ),
    claimed(
        "broken_data_is_refused",
        "data that is cut off, too deep or no data is refused",
        &["V1.5.2", "V2.2.1"],
        &[502, 20],
    ),
    claimed("large_bodies_are_refused", "a body that is too large is refused", &["V5.2.1"], &[770, 400]),
    claimed(
        "strange_texts_are_refused",
        "texts that are very long or have control characters in them are refused",
        &["V1.3.3"],
        &[20, 158],
    ),
    claimed(
        "other_types_of_body_are_refused",
        "a body of a type that a form can send without asking is refused",
        &["V3.5.2"],
        &[352],
    ),
    claimed(
        "reading_changes_nothing",
        "what changes something does not do so by GET",
        &["V3.5.3"],
        &[352, 650],
    ),
    claimed(
        "markup_is_shown_as_text",
        "markup and templates in an address are not shown as such",
        &["V1.2.1", "V1.3.7"],
        &[79, 1336],
    ),
    claimed(
        "no_answer_is_a_script",
        "no answer wraps itself into a function that a page names",
        &["V3.5.6"],
        &[79],
    ),
    claimed(
        "an_address_brings_no_mail_headers",
        "an address with a line's end in it brings no mail to anybody else",
        &["V1.3.11"],
        &[93, 147],
    ),
    claimed(
        "nobody_gives_himself_rights",
        "members that nobody asked for change nothing, and no secret is shown",
        &["V15.3.3", "V15.3.1"],
        &[915, 213],
    ),
    claimed("a_token_in_an_address_is_not_taken", "a token in the query is not taken", &["V14.2.1"], &[598]),
];

/// One attempt that must be refused.
struct Tried {
    claim: usize,
    what: String,
    sent: Sent,
}

/// One look at a page or an answer: whether something stood in it.
struct Looked {
    claim: usize,
    what: String,
    bad: Option<bool>,
}

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    let whole = Whole::of(world).await;
    let (mut tried, control) = attempts::send(world, &whole).await;
    let mut looked = looks(world).await;
    looked.extend(attempts::cut_address(world).await);
    looked.push(rights(world).await);
    looked.push(mail_headers(world).await);
    tried.extend(in_query(world).await);
    judge(&tried, &looked, &control)
}

/// Pages and answers that are given what they should not show.
async fn looks(world: &World) -> Vec<Looked> {
    let issuer = &world.config.issuer;
    let target = world.config.target.trim_end_matches('/');
    let markup = "%22%3E%3Cscript%3Epcl(1)%3C/script%3E";
    let mut looked = Vec::new();
    for (url, bad) in [
        (format!("{issuer}reset?token={markup}"), "<script>pcl("),
        (format!("{issuer}{markup}"), "<script>pcl("),
        (format!("{target}/{markup}"), "<script>pcl("),
        (format!("{issuer}reset?token=%7B%7B1313*7%7D%7D$%7B1313*7%7D"), "9191"),
    ] {
        let sent = world.http.send(Probe::new("GET", &url)).await;
        looked.push(Looked {
            claim: 7,
            what: format!("GET {}", url.split('?').next().unwrap_or_default()),
            bad: sent.ok().map(|answer| {
                // Data that a browser does not show as a page may hold what it likes.
                let page = answer.header("content-type").is_none_or(|kind| kind.contains("html"));
                page && String::from_utf8_lossy(&answer.body).contains(bad)
            }),
        });
    }
    for path in [".well-known/jwks.json", ".well-known/openid-configuration"] {
        let plain = world.http.send(Probe::new("GET", format!("{issuer}{path}"))).await;
        let called =
            world.http.send(Probe::new("GET", format!("{issuer}{path}?callback=pcl&jsonp=pcl"))).await;
        looked.push(Looked {
            claim: 8,
            what: format!("GET {issuer}{path} with callback=pcl"),
            bad: match (plain, called) {
                (Ok(plain), Ok(called)) if plain.status == 200 => {
                    Some(String::from_utf8_lossy(&called.body).trim_start().starts_with("pcl"))
                }
                _ => None,
            },
        });
    }
    looked
}

/// Resets for a throw-away user's address with a mail header behind it: refused, or nothing of it in any mail.
async fn mail_headers(world: &World) -> Looked {
    let looked = |what: &str, bad| Looked { claim: 9, what: what.into(), bad };
    let account = match Account::open(world).await {
        Ok(account) => account,
        Err(why) => return looked(&format!("no throw-away user to try it with: {why}"), None),
    };
    let copy = format!("copy-{}@example.com", crate::world::random_hex::<10>());
    let mut refused = true;
    for lines in ["\r\nBcc: ", "\nTo: ", "%0d%0aBcc:", ", "] {
        let body = json!({"email": format!("{}{lines}{copy}", account.email)});
        let sent = world.tokens.session(&world.config, &world.http, "POST", "/password-reset", &body).await;
        refused &= sent.is_ok_and(|answer| (400..429).contains(&answer.status));
    }
    let bad = match (&world.config.mailbox, world.begun().await) {
        _ if refused => Some(false),
        // That mails do arrive is the control of one that does not.
        (Some(mailbox), Ok(begun)) if begun.link.is_ok() => arrives(world, mailbox, &copy).await,
        _ => None,
    };
    account.close(world).await;
    match (refused, bad) {
        (true, _) => looked("resets for an address with a mail header behind it are refused", bad),
        (_, Some(_)) => {
            looked("resets for an address with a mail header behind it, and what the mailbox then holds", bad)
        }
        (_, None) => {
            looked("resets for an address with a mail header are answered, and no mailbox can be read", None)
        }
    }
}

/// Whether a mail that names this address arrives in two seconds; none where the mailbox was not read to the end.
async fn arrives(world: &World, mailbox: &str, address: &str) -> Option<bool> {
    let mut held = None;
    for _ in 0..8 {
        held =
            world.http.send(Probe::new("GET", mailbox)).await.ok().and_then(|answer| holds(&answer, address));
        if held == Some(true) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    }
    held
}

/// Whether a mailbox's answer names this address; none where it is no mailbox's answer.
fn holds(answer: &Answer, address: &str) -> Option<bool> {
    let mails = answer.json().filter(|mails| answer.status == 200 && mails.is_array())?;
    Some(mails.to_string().contains(address))
}

/// A sign-up that gives itself rights, and what the account then shows of itself.
async fn rights(world: &World) -> Looked {
    let more = [
        ("role", json!("admin")),
        ("roles", json!(["admin"])),
        ("is_admin", json!(true)),
        ("email_verified", json!(true)),
        ("scope", json!("admin")),
    ];
    let password = secrecy::SecretString::from(format!("Zq{}", crate::world::random_hex::<20>()));
    let (what, bad) = match Account::open_with(world, password, &more).await {
        Ok(account) => {
            let shown = account::profile(world, "GET", &account.session.access, None).await;
            let bad =
                shown.filter(|answer| answer.status == 200).and_then(|answer| answer.json()).map(|me| {
                    let secret = ["password", "password_hash", "hash", "salt"]
                        .into_iter()
                        .any(|name| me.get(name).is_some());
                    secret
                        || is_true(&me, "is_admin")
                        || is_true(&me, "email_verified")
                        || me.to_string().contains("\"admin\"")
                });
            account.close(world).await;
            ("signing up with roles of one's own, then reading the account", bad)
        }
        // Refused outright, while the same without them is taken: X13 and A1 sign up like that.
        Err(why) if why.ends_with("400") || why.ends_with("422") => {
            ("signing up with roles of one's own is refused", Some(false))
        }
        Err(_) => ("signing up with roles of one's own was not tried: see [audit] exercise", None),
    };
    Looked { claim: 10, what: what.into(), bad }
}

fn is_true(value: &Value, name: &str) -> bool {
    value.get(name) == Some(&Value::Bool(true))
}

/// A good token without the scope: in the header it is told so (403), in the query it must not be seen at all (401).
async fn in_query(world: &World) -> Option<Tried> {
    let endpoint =
        world.inventory.endpoints.iter().find(|one| one.method == "GET" && !one.scopes().is_empty())?;
    let kind = endpoint.caller()?;
    let token = world.lacking(kind, &endpoint.scopes()).await.ok()?;
    let url =
        format!("{}?access_token={}", endpoint.url(), secrecy::ExposeSecret::expose_secret(&token.value));
    let sent = world.http.send(Probe::new("GET", url)).await;
    Some(Tried { claim: 11, what: format!("{} with {} in the query", endpoint.name(), token.label), sent })
}

fn judge(tried: &[Tried], looked: &[Looked], control: &Result<String, String>) -> Vec<Claim> {
    let remedies = [
        "take texts where texts are wanted, and answer 400 to all else",
        "answer 400 to a parameter that comes twice",
        "bound depth and length, and answer 400",
        "bound the body, and answer 413",
        "bound lengths, and refuse control characters",
        "answer 415 to a type that is not wanted",
        "answer 405 to GET",
        "escape what is shown",
        "answer JSON as application/json alone",
        "parse addresses, and refuse line ends",
        "take the members that you know, and show those that are meant",
        "take tokens from the header alone",
    ];
    CLAIMS
        .iter()
        .zip(remedies)
        .enumerate()
        .map(|(at, (claim, remedy))| {
            let refused = tried.iter().filter(|tried| tried.claim == at).map(|tried| shown(tried, control));
            let seen = looked.iter().filter(|looked| looked.claim == at).map(|looked| {
                let evidence = Evidence::http(looked.what.clone());
                match looked.bad {
                    Some(bad) => Found::when(!bad, evidence),
                    None => Found::Unclear(evidence),
                }
            });
            let judged = tally::claim(claim.id, refused.chain(seen), "nothing", remedy);
            if judged.verdict == crate::verdict::Verdict::NotApplicable {
                let why = Evidence::http("nothing here that it could be tried at");
                return Claim::not_proven(
                    claim.id,
                    vec![why],
                    "give the auditor a client, a user and an endpoint",
                );
            }
            judged
        })
        .collect()
}

/// What whoever is not known is told, whatever else was wrong.
fn unauthenticated(answer: &Answer) -> bool {
    let invalid = |body: Value| body.get("error").is_some_and(|error| error == "invalid_client");
    answer.status == 401 || answer.json().is_some_and(invalid)
}

fn shown(tried: &Tried, control: &Result<String, String>) -> Found {
    let control = match control {
        Ok(control) => control,
        Err(why) => return Found::Unclear(Evidence::http(format!("{}: no control: {why}", tried.what))),
    };
    let answer = match &tried.sent {
        Ok(answer) => answer,
        // A body that is too large may be refused by ending the connection; the control shows that the server lives.
        Err(why) if tried.claim == 3 && why.is_closed() => {
            return Found::Good(Evidence::http(format!("{}: {why}", tried.what)).beside(control.clone()));
        }
        Err(why) => return Found::Unclear(Evidence::http(format!("{}: {why}", tried.what))),
    };
    let evidence = Evidence::http(format!("{}: {}", tried.what, answer.status))
        .shown(&answer.transcript)
        .beside(control.clone());
    match answer.status {
        // The token was read there: it is refused for its scope, not for want of a token.
        403 if tried.claim == 11 => Found::Bad(evidence),
        200..=399 | 500 => Found::Bad(evidence),
        413 if tried.claim == 3 => Found::Good(evidence),
        // Refused, but not for its size.
        _ if tried.claim == 3 => Found::Unclear(evidence),
        _ if tried.claim < 6 && unauthenticated(answer) => Found::Unclear(evidence),
        400 | 413 | 415 | 422 if tried.claim < 6 => Found::Good(evidence),
        400..=428 | 431 if tried.claim >= 6 => Found::Good(evidence),
        _ => Found::Unclear(evidence),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict::{Fail, NotProven, Pass};
    use crate::world::http::{Point, Unreachable, answer_of};

    #[test]
    fn a_mailbox_that_cannot_be_read_holds_nothing_that_is_known() {
        let mails = "[{\"to\": \"copy@example.com\"}]";
        assert_eq!(holds(&answer_of(200, &[], mails), "copy@example.com"), Some(true));
        assert_eq!(holds(&answer_of(200, &[], "[]"), "copy@example.com"), Some(false));
        assert_eq!(holds(&answer_of(503, &[], "[]"), "copy@example.com"), None);
        assert_eq!(holds(&answer_of(200, &[], "<html>"), "copy@example.com"), None);
    }

    #[test]
    fn what_must_be_refused_is_judged_beside_a_control() {
        for claim in [0, 1, 2, 3, 4, 5, 6, 11] {
            let of = |status, control: Result<String, String>| {
                let tried = Tried { claim, what: "x".into(), sent: Ok(answer_of(status, &[], "")) };
                judge(&[tried], &[], &control)[claim].verdict
            };
            let good = || Ok("a whole request got its token".to_owned());
            let right = match claim {
                3 => 413,
                11 => 401,
                _ => 400,
            };
            assert_eq!(of(right, good()), Pass, "{claim}");
            if claim < 6 {
                assert_eq!(of(401, good()), NotProven, "{claim}: it was read and looked up");
                assert_eq!(of(403, good()), NotProven, "{claim}");
            }
            assert_eq!(of(200, good()), Fail, "{claim}");
            assert_eq!(of(500, good()), Fail, "{claim}");
            assert_eq!(of(400, Err("no client".into())), NotProven, "{claim}");
            assert_eq!(of(503, good()), NotProven, "{claim}");
        }
        let large = |sent: Sent| {
            let tried = Tried { claim: 3, what: "x".into(), sent };
            judge(&[tried], &[], &Ok(String::new()))[3].verdict
        };
        assert_eq!(large(Ok(answer_of(400, &[], ""))), NotProven, "something else was wrong with it");
        assert_eq!(large(Err(Unreachable("connection reset by peer".into(), Point::Closed))), Pass);
        assert_eq!(
            large(Err(Unreachable("connection refused (os error 111)".into(), Point::NotConnected))),
            NotProven
        );
        assert_eq!(large(Err(Unreachable("no answer within 3 s".into(), Point::Unanswered))), NotProven);
        let unknown = Ok(answer_of(400, &[], "{\"error\":\"invalid_client\"}"));
        let unknown = Tried { claim: 1, what: "x".into(), sent: unknown };
        assert_eq!(judge(&[unknown], &[], &Ok(String::new()))[1].verdict, NotProven);
        let believed = Tried { claim: 11, what: "x".into(), sent: Ok(answer_of(403, &[], "")) };
        assert_eq!(judge(&[believed], &[], &Ok(String::new()))[11].verdict, Fail);
    }

    #[test]
    fn what_must_not_be_shown_is_looked_for() {
        for claim in [7, 8, 9, 10] {
            let of = |bad| {
                judge(&[], &[Looked { claim, what: "x".into(), bad }], &Ok(String::new()))[claim].verdict
            };
            assert_eq!(of(Some(false)), Pass);
            assert_eq!(of(Some(true)), Fail);
            assert_eq!(of(None), NotProven);
        }
        assert!(judge(&[], &[], &Ok(String::new())).iter().all(|claim| claim.verdict == NotProven));
    }
}
