//! Ten changes of a password in a row while the traffic goes on: each answer and each transaction is counted, and none has
//! failed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use serde_json::json;
use testkit::http::{Client, Request};
use testkit::postgres::Postgres;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use crate::served::{AUDIENCE, Laid};
use crate::two_nodes::{Nodes, finished, logs_in};
use crate::world::{PASSWORD, access_token};

const ROTATIONS: i64 = 10;
/// 200 a second, made up for where the machine was busy.
const PACE: Duration = Duration::from_millis(5);
/// Requests on their way at most. A machine that is too slow for the pace is asked less, not until its requests time out: that
/// none fails is the claim here, how many it serves is a figure of docs/performance.md.
const ON_THEIR_WAY: usize = 24;
/// Answers that each rotation saw at least.
const WITNESSES: usize = 20;
/// So long without a rotation, for comparison.
const BEFORE: Duration = Duration::from_secs(10);

/// What is asked, and of whom in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Gateway,
    Tokens,
    Logins,
}

/// Everything that a request of the load needs.
struct Asker {
    http: Client,
    /// Issuer and gateway of each node.
    nodes: [(String, String); 2],
    client: (String, String),
    user_token: String,
    client_token: String,
}

impl Asker {
    /// The `number`th request: of 40 one login, five tokens, and 34 at the gateways.
    fn request(&self, number: u64) -> (Kind, Request) {
        let (issuer, gateway) = &self.nodes[usize::from(!number.is_multiple_of(2))];
        match number % 40 {
            // Both nodes in turn: 40 is even.
            0 => {
                let (issuer, _) = &self.nodes[usize::from(!(number / 40).is_multiple_of(2))];
                let body = json!({ "email": "ada@example.com", "password": PASSWORD });
                (Kind::Logins, self.http.post(&format!("{issuer}users/session")).json(&body))
            }
            8 | 15 | 22 | 29 | 36 => (Kind::Tokens, self.client_credentials(issuer)),
            1..20 => (Kind::Gateway, self.http.get(&format!("{gateway}/notes")).bearer(&self.user_token)),
            _ => (Kind::Gateway, self.http.get(&format!("{gateway}/stock")).bearer(&self.client_token)),
        }
    }

    fn client_credentials(&self, issuer: &str) -> Request {
        let (id, secret) = &self.client;
        self.http.post(&format!("{issuer}oauth/token")).json(&json!({
            "grant_type": "client_credentials", "client_id": id, "client_secret": secret, "audience": AUDIENCE,
        }))
    }
}

/// One answer.
struct Answered {
    kind: Kind,
    /// Which rotation was going on; 0 before the first.
    during: i64,
    took: Duration,
    failed: Option<String>,
}

/// Asks at its pace, as far as the machine keeps up, until it is over, and waits for every answer.
async fn load(asker: Arc<Asker>, rotation: Arc<AtomicI64>, over: Arc<AtomicBool>) -> Vec<Answered> {
    let mut pace = tokio::time::interval(PACE);
    // What a busy machine has missed is made up for.
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut asked, mut number, mut answers) = (JoinSet::new(), 0, Vec::new());
    while !over.load(Ordering::Relaxed) {
        pace.tick().await;
        if asked.len() >= ON_THEIR_WAY
            && let Some(answered) = asked.join_next().await
        {
            answers.push(answered.unwrap());
        }
        let (kind, request) = asker.request(number);
        number += 1;
        let during = rotation.load(Ordering::Relaxed);
        asked.spawn(async move {
            let begun = Instant::now();
            let failed = match request.try_send().await {
                Ok(reply) if reply.code() == 200 => None,
                Ok(reply) => Some(format!("{} {}", reply.code(), reply.text())),
                Err(reason) => Some(reason),
            };
            Answered { kind, during, took: begun.elapsed(), failed }
        });
        while let Some(answered) = asked.try_join_next() {
            answers.push(answered.unwrap());
        }
    }
    answers.extend(asked.join_all().await);
    assert_eq!(answers.len() as u64, number, "every request is accounted for");
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_hundred_requests_a_second_none_fails_through_ten_rotations_of_the_own_store() {
    let cluster = Postgres::start();
    let mut nodes = Nodes::on(&cluster).await;
    nodes.run().await;
    let asker = Arc::new(asker(&nodes).await);
    let (rotation, over) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicBool::new(false)));
    let begun = Instant::now();
    let traffic = tokio::spawn(load(asker, rotation.clone(), over.clone()));
    tokio::time::sleep(BEFORE).await;

    let mut seconds = Vec::new();
    let mut dead = nodes.held().to_vec();
    for generation in 2..=ROTATIONS + 1 {
        rotation.store(generation - 1, Ordering::Relaxed);
        let started = Instant::now();
        let told = finished(nodes.first.run(&["database", "rotate", "store", "--now", "--json"]).await);
        seconds.push(started.elapsed().as_secs_f64());
        assert_eq!(told["report"]["generation"], generation);
        assert_eq!(told["report"]["sessions_terminated"], 0, "nobody was thrown out");
        nodes.assert_both_hold(generation).await;
        dead.extend(nodes.held());
    }
    over.store(true, Ordering::Relaxed);
    let answers = traffic.await.unwrap();
    let elapsed = begun.elapsed();

    let failed: Vec<_> = answers.iter().filter_map(|answer| answer.failed.as_deref()).collect();
    assert!(failed.is_empty(), "{} of {} failed: {:?}", failed.len(), answers.len(), failed.first());
    let rate = answers.len() as f64 / elapsed.as_secs_f64();
    for rotation in 0..=ROTATIONS {
        let seen = answers.iter().filter(|answer| answer.during == rotation).count();
        assert!(seen >= WITNESSES, "{seen} requests only saw rotation {rotation}");
    }
    for old in dead.iter().filter(|old| old.generation <= ROTATIONS) {
        assert!(!logs_in(old).await, "generation {} still logs in", old.generation);
    }
    show(&answers, rate, &mut seconds);
    nodes.stop().await;
}

/// A user and a client with a token each.
async fn asker(nodes: &Nodes) -> Asker {
    let create = ["app", "create", "--name", "load", "--type", "non_interactive", "--json"];
    let may = ["--api", AUDIENCE, "--scope", "read:stock"];
    let made = nodes.first.run(&[&create[..], &may].concat()).await.expect(0).json();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    let http = Client::new();
    let of = |node: &Laid| (node.issuer.clone(), node.gateway.clone());
    let body = json!({ "email": "ada@example.com", "password": PASSWORD });
    http.post(&format!("{}users", nodes.first.issuer)).json(&body).send().await.expect(201);
    let mut asker = Asker {
        http,
        nodes: [of(&nodes.first), of(&nodes.second)],
        client: (text("client_id"), text("client_secret")),
        user_token: String::new(),
        client_token: String::new(),
    };
    let issuer = &nodes.first.issuer;
    asker.client_token = access_token(&asker.client_credentials(issuer).send().await.expect(200));
    let login = asker.http.post(&format!("{issuer}users/session")).json(&body);
    asker.user_token = access_token(&login.send().await.expect(200));
    asker
}

/// The figures of docs/performance.md.
fn show(answers: &[Answered], rate: f64, seconds: &mut [f64]) {
    println!("{} requests, {rate:.0} a second, 0 failed", answers.len());
    let mut groups: BTreeMap<(Kind, bool), Vec<Duration>> = BTreeMap::new();
    for answer in answers {
        groups.entry((answer.kind, answer.during > 0)).or_default().push(answer.took);
    }
    for ((kind, during), mut took) in groups {
        took.sort_unstable();
        let at = |part: usize| took[(took.len() - 1) * part / 100].as_secs_f64() * 1e3;
        let when = if during { "during" } else { "before" };
        let (median, high, last) = (at(50), at(99), at(100));
        println!(
            "{kind:?} {when}: {} requests, ms: median {median:.1}, p99 {high:.1}, max {last:.1}",
            took.len()
        );
    }
    seconds.sort_by(f64::total_cmp);
    let (first, last) = (seconds[0], seconds[seconds.len() - 1]);
    println!("a rotation takes {:.1} s ({first:.1} to {last:.1})", seconds[seconds.len() / 2]);
}
