//! How a row of the matrix is judged: refused, let in, or unclear; and how rows make a claim. Pure.

mod drawn;

use std::collections::BTreeMap;

pub(crate) use drawn::drawn;

use crate::evidence::Evidence;
use crate::measures::claimed::{Claimed, claimed};
use crate::report::Claim;
use crate::verdict::Verdict;
use crate::world::forge::Forgery;
use crate::world::http::Answer;
use crate::world::inventory::{Endpoint, Inventory};
use crate::world::matrix::{Attempt, Cell, Matrix, let_in};

/// How many offenders, and how many kinds of gaps, a claim shows; the rest is counted.
const SHOWN: usize = 20;

/// What every measure of endpoints can claim beside its own.
pub(crate) const KNOWN: Claimed = claimed("every_endpoint_is_known", "every endpoint is known", &[], &[1059]);
pub(crate) const BACKEND: Claimed = claimed(
    "the_backend_is_not_served_past_the_gateway",
    "the backend serves nobody who goes past the gateway",
    &["V8.3.1"],
    &[288, 306],
);

/// Every forgery.
const FORGED: [Attempt; 8] = [
    Attempt::Forged(Forgery::Garbage),
    Attempt::Forged(Forgery::FlippedSignature),
    Attempt::Forged(Forgery::AlgorithmNone),
    Attempt::Forged(Forgery::PublicKeyAsSecret),
    Attempt::Forged(Forgery::StrangersKey),
    Attempt::Forged(Forgery::UnknownKey),
    Attempt::Forged(Forgery::EmbeddedKey),
    Attempt::Forged(Forgery::OtherIssuer),
];

/// How many kinds of attempts are named in one sentence.
const KINDS: usize = 8;

/// One attempt that must be refused, and the control beside it.
pub(crate) struct Row<'a> {
    pub(crate) name: String,
    pub(crate) attempt: Attempt,
    pub(crate) outcome: Result<&'a Answer, &'a str>,
    pub(crate) control: Result<String, String>,
    /// What the right token got there.
    pub(crate) right: Option<u16>,
    /// Nothing but the attempt's own defence could have refused it.
    pub(crate) alone: bool,
}

/// What a row shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    Refused,
    /// Served, or believed: a bad token that is refused for its scope was taken for a good one.
    LetIn(&'static str),
    Unclear(String),
}

/// What the system says of a name that leads nowhere, in lower case. A name that was mistyped is no closed door.
const NO_SUCH_NAME: &str = "failed to lookup address information";

/// The rows of these attempts at the endpoints that are wanted.
pub(crate) fn rows<'a>(
    inventory: &Inventory,
    matrix: &'a Matrix,
    attempts: &[Attempt],
    wanted: impl Fn(&Endpoint) -> bool,
) -> Vec<Row<'a>> {
    let mut rows = Vec::new();
    for (at, endpoint) in inventory.endpoints.iter().enumerate().filter(|(_, endpoint)| wanted(endpoint)) {
        let cells = attempts.iter().filter_map(|attempt| matrix.cell(at, *attempt));
        rows.extend(cells.map(|cell| Row::of(cell, endpoint, matrix)));
    }
    rows
}

impl<'a> Row<'a> {
    /// A cell of the matrix, with the control of its endpoint.
    pub(crate) fn of(cell: &'a Cell, endpoint: &Endpoint, matrix: &Matrix) -> Self {
        let right = matrix.cell(cell.endpoint, Attempt::Right).and_then(|cell| cell.outcome.as_ref().ok());
        Self {
            name: endpoint.name(),
            attempt: cell.attempt,
            outcome: cell.outcome.as_ref().map_err(String::as_str),
            control: matrix.control(cell.endpoint, endpoint),
            right: right.map(|answer| answer.status),
            alone: cell.alone,
        }
    }
}

impl Row<'_> {
    pub(crate) fn shown(&self) -> Shown {
        let answer = match self.outcome {
            Ok(answer) => answer,
            // Nobody answers at the backend's own address, while the gateway reaches it: that is the point.
            Err(why) if self.attempt == Attempt::PastTheGateway && why.contains(NO_SUCH_NAME) => {
                return Shown::Unclear(format!("[audit] backend names nobody: {why}"));
            }
            Err(why) if self.attempt == Attempt::PastTheGateway => {
                return self.with_control(&format!("nobody: {why}"));
            }
            Err(why) => return Shown::Unclear(why.to_owned()),
        };
        let judges_the_token = matches!(
            self.attempt,
            Attempt::Forged(_) | Attempt::Expired | Attempt::WrongAudience | Attempt::IdToken
        );
        let written_otherwise = matches!(self.attempt, Attempt::Detour(_));
        match answer.status {
            101 => Shown::LetIn("it was let in"),
            // Another address was named and nothing served; what is there is tried for itself.
            300..=399 | 406..=428 if written_otherwise => self.with_control("refused"),
            200..=399 => Shown::LetIn("it was let in"),
            401 if self.attempt == Attempt::MissingScope => {
                Shown::Unclear("the good token itself was answered 401".into())
            }
            403 if judges_the_token && answer.insufficient_scope() => {
                Shown::LetIn("it was believed, and refused for its scope alone")
            }
            401 | 403 => self.with_control("refused"),
            400 | 404 | 405 if written_otherwise => self.with_control("refused"),
            other if self.attempt == Attempt::PastTheGateway && self.right == Some(other) => {
                Shown::LetIn("the backend answered as it answers the right token")
            }
            404 | 405 if self.attempt != Attempt::PastTheGateway && self.right != Some(answer.status) => {
                self.with_control("hidden")
            }
            other => Shown::Unclear(format!("answered {other}, which neither refuses nor lets in")),
        }
    }

    /// A refusal proves something only beside its control.
    fn with_control(&self, _refusal: &str) -> Shown {
        match &self.control {
            Ok(_) => Shown::Refused,
            Err(why) => Shown::Unclear(format!("refused, but without a control: {why}")),
        }
    }

    fn evidence(&self, what: String) -> Evidence {
        let mut evidence = Evidence::http(what);
        if let Ok(answer) = self.outcome {
            evidence = evidence.shown(&answer.transcript);
        }
        match &self.control {
            Ok(control) => evidence.beside(control.clone()),
            Err(_) => evidence,
        }
    }
}

/// A claim that all of these are refused.
pub(crate) fn claim(id: &str, rows: &[Row<'_>], remedy: &str) -> Claim {
    let mut offenders = Vec::new();
    let mut gaps: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut refused = Vec::new();
    for row in rows {
        match row.shown() {
            Shown::LetIn(how) => offenders.push((row, how)),
            Shown::Unclear(why) => gaps.entry(why).or_default().push(row.name.clone()),
            Shown::Refused => refused.push(row),
        }
    }
    if !offenders.is_empty() {
        let mut evidence: Vec<_> = offenders
            .iter()
            .take(SHOWN)
            .map(|(row, how)| row.evidence(format!("{} with {}: {how}", row.name, row.attempt.words())))
            .collect();
        if offenders.len() > SHOWN {
            evidence.push(Evidence::http(format!("and {} more", offenders.len() - SHOWN)));
        }
        return Claim::fail(id, evidence, remedy);
    }
    let mut evidence = Vec::new();
    if let Some(row) = refused.first() {
        let what = match row.outcome {
            // That nobody is there is no refusal, and says so: a reader knows whether the address is the backend's.
            Err(why) if refused.iter().all(|row| row.outcome.is_err()) => {
                format!("{} found nobody with {}: {why}", attempts(refused.len()), words(&refused))
            }
            _ => format!("{} refused {}", attempts(refused.len()), words(&refused)),
        };
        evidence.push(row.evidence(what));
        let together = refused.iter().filter(|row| !row.alone).count();
        if together > 0 {
            evidence.push(Evidence::http(format!(
                "{together} of them lacked the scope too: no token of that kind can have it, or it would act"
            )));
        }
    }
    if !gaps.is_empty() {
        // What is missing first: it is what a reader must act on.
        let missing = gaps.iter().take(SHOWN).map(|(why, names)| gap(why, names));
        let evidence = missing.chain(evidence).collect();
        return Claim::not_proven(id, evidence, "give the auditor what it lacks: see [audit]");
    }
    if rows.is_empty() {
        let evidence = Evidence::configuration("no endpoint here that this could be tried at");
        return Claim::pass(id, vec![evidence]).but(Verdict::NotApplicable);
    }
    Claim::pass(id, evidence)
}

/// The claim on every forgery, by the rows of a measure's endpoints.
pub(crate) fn forged<'a>(rows: impl Fn(&[Attempt]) -> Vec<Row<'a>>) -> Claim {
    claim(
        "forged_tokens_are_refused",
        &rows(&FORGED),
        "verify the signature with the issuer's asymmetric keys and a fixed list of algorithms",
    )
}

/// The same on tokens that were made for another audience. That an expired one is refused is A10's, for every endpoint: only
/// a later run can see it.
pub(crate) fn another_audience<'a>(rows: impl Fn(&[Attempt]) -> Vec<Row<'a>>) -> Claim {
    claim(
        "tokens_for_another_audience_are_refused",
        &rows(&[Attempt::WrongAudience]),
        "compare aud with gateway.audience",
    )
}

fn gap(why: &str, names: &[String]) -> Evidence {
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.dedup();
    let more = names.len().saturating_sub(4);
    let first = names.iter().take(4).copied().collect::<Vec<_>>().join(", ");
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    Evidence::http(format!("{first}{more}: {why}"))
}

fn attempts(count: usize) -> String {
    if count == 1 { "1 attempt".into() } else { format!("{count} attempts") }
}

fn words(rows: &[&Row<'_>]) -> String {
    let mut words: Vec<&str> = Vec::new();
    for row in rows {
        if !words.contains(&row.attempt.words()) {
            words.push(row.attempt.words());
        }
    }
    // Sixteen ways of writing a path are counted, not listed.
    let more = words.len().saturating_sub(KINDS);
    words.truncate(KINDS);
    if more == 0 { words.join("; ") } else { format!("{}; and {more} more kinds", words.join("; ")) }
}

/// The claim that the endpoints cannot be reached past the gateway; not proven without an address to try.
pub(crate) fn backend(
    configured: bool,
    inventory: &Inventory,
    matrix: &Matrix,
    wanted: impl Fn(&Endpoint) -> bool,
) -> Claim {
    let id = BACKEND.id;
    if !configured {
        let evidence = Evidence::configuration("the backend's own address is not configured");
        return Claim::not_proven(
            id,
            vec![evidence],
            "set [audit] backend to the address that a stranger might find",
        );
    }
    let rows = rows(inventory, matrix, &[Attempt::PastTheGateway], wanted);
    claim(id, &rows, "let the backend listen where only the gateway reaches it")
}

/// The claim that the right token is let in: the control of a whole measure, shown for itself.
pub(crate) fn right_is_let_in(
    id: &str,
    inventory: &Inventory,
    matrix: &Matrix,
    wanted: impl Fn(&Endpoint) -> bool,
) -> Claim {
    let mut evidence = Vec::new();
    let mut gaps: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut count = 0;
    for (at, endpoint) in inventory.endpoints.iter().enumerate() {
        let Some(cell) = matrix.cell(at, Attempt::Right).filter(|_| wanted(endpoint)) else { continue };
        match &cell.outcome {
            Ok(answer) if let_in(answer.status) => {
                count += 1;
                if evidence.is_empty() {
                    let what = format!("{} with the right token: {}", endpoint.name(), answer.status);
                    evidence.push(Evidence::http(what).shown(&answer.transcript));
                }
            }
            Ok(answer) => {
                gaps.entry(format!("the right token got {}", answer.status))
                    .or_default()
                    .push(endpoint.name());
            }
            Err(why) => gaps.entry(why.clone()).or_default().push(endpoint.name()),
        }
    }
    if count > 1 {
        evidence.push(Evidence::http(format!("{count} reading endpoints let the right token in")));
    }
    evidence.extend(gaps.iter().take(SHOWN).map(|(why, names)| gap(why, names)));
    if !gaps.is_empty() {
        return Claim::not_proven(id, evidence, "give the auditor a client and a user with every scope");
    }
    if count == 0 {
        let evidence =
            Evidence::configuration("no reading endpoint here that a good token could be tried at");
        return Claim::pass(id, vec![evidence]).but(Verdict::NotApplicable);
    }
    Claim::pass(id, evidence)
}

/// A gap in the inventory itself: what is not known cannot be judged.
pub(crate) fn inventory(inventory: &Inventory) -> Option<Claim> {
    let why = match (&inventory.fault, inventory.endpoints.is_empty()) {
        (Some(fault), _) => fault.clone(),
        (None, true) => "no endpoint is known: neither gateway.openapi nor a route".to_owned(),
        (None, false) => return None,
    };
    let evidence = Evidence::configuration(why);
    Some(Claim::not_proven(KNOWN.id, vec![evidence], "set gateway.openapi to a document that parses"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Transcript;
    use crate::world::forge::Forgery;

    fn answer(status: u16, challenge: &str) -> Answer {
        let mut headers = http::HeaderMap::new();
        if !challenge.is_empty() {
            headers.insert("www-authenticate", challenge.parse().unwrap());
        }
        let transcript = Transcript { request: String::new(), response: String::new() };
        Answer { status, headers, body: bytes::Bytes::new(), transcript }
    }

    fn row(attempt: Attempt, answer: Result<&Answer, &'static str>, control: bool) -> Shown {
        let control = if control { Ok("control".into()) } else { Err("none".into()) };
        // The answer must outlive the row; both are static enough for a test.
        let outcome = answer;
        Row { name: "GET /a".into(), attempt, outcome, control, right: Some(200), alone: true }.shown()
    }

    #[test]
    fn what_a_row_shows() {
        let none = Attempt::NoToken;
        let forged = Attempt::Forged(Forgery::AlgorithmNone);
        let scope = r#"Bearer error="insufficient_scope""#;
        let refused = |shown: Shown| shown == Shown::Refused;
        let let_in = |shown: Shown| matches!(shown, Shown::LetIn(_));
        let unclear = |shown: Shown| matches!(shown, Shown::Unclear(_));
        assert!(refused(row(none, Ok(&answer(401, "Bearer")), true)));
        assert!(unclear(row(none, Ok(&answer(401, "Bearer")), false)), "no control");
        assert!(let_in(row(none, Ok(&answer(200, "")), true)));
        assert!(let_in(row(none, Ok(&answer(302, "")), false)));
        assert!(unclear(row(none, Ok(&answer(500, "")), true)));
        assert!(unclear(row(none, Ok(&answer(429, "")), true)));
        assert!(refused(row(none, Ok(&answer(404, "")), true)), "hidden, and the control shows the route");
        assert!(let_in(row(forged, Ok(&answer(403, scope)), true)), "believed");
        assert!(refused(row(Attempt::MissingScope, Ok(&answer(403, scope)), true)));
        assert!(unclear(row(Attempt::MissingScope, Ok(&answer(401, "")), true)));
        assert!(unclear(row(none, Err("connection refused"), true)));
        assert!(refused(row(Attempt::PastTheGateway, Err("connection refused"), true)));
        assert!(unclear(row(Attempt::PastTheGateway, Err("connection refused"), false)));
        let nowhere = "failed to lookup address information: name or service not known";
        assert!(unclear(row(Attempt::PastTheGateway, Err(nowhere), true)));
        assert!(unclear(row(Attempt::PastTheGateway, Ok(&answer(404, "")), true)));
    }
}
