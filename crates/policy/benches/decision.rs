//! What one decision costs: reading the path, finding the rule, judging the caller. `cargo bench -p policy`

use std::hint::black_box;
use std::time::{Duration, Instant};

use policy::{Caller, RouteConfig, Table, TokenFacts, authorize, normalise};

const ROUNDS: u32 = 200_000;

fn main() {
    // Three hundred endpoints, as a large backend has them.
    let routes: Vec<RouteConfig> = (0..100)
        .flat_map(|n| {
            [
                format!("GET /things{n}"),
                format!("GET /things{n}/{{id}}"),
                format!("POST /things{n}/{{id}}/parts/{{part}}"),
            ]
        })
        .map(|match_| RouteConfig {
            match_,
            scopes: Some(vec!["a".into(), "d".into()]),
            ..RouteConfig::default()
        })
        .collect();
    let table = match Table::build(None, &routes) {
        Ok(table) => table,
        Err(errors) => return errors.iter().for_each(|error| eprintln!("{error}")),
    };
    let caller = Caller::from_token(&TokenFacts {
        sub: Some("usr_1"),
        scope: Some("a b c d"),
        ..TokenFacts::default()
    });
    for target in ["/things57/0123456789/parts/7?page=2", "/things57/caf%C3%A9/parts/%37"] {
        let whole = time(|| {
            normalise(black_box(target))
                .is_ok_and(|path| authorize(table.lookup("POST", &path), Some(&caller)).is_ok())
        });
        println!("{target}: {} ns a decision", whole.as_nanos());
        if let Ok(path) = normalise(target) {
            let decided = time(|| authorize(black_box(&table).lookup("POST", &path), Some(&caller)).is_ok());
            println!("{target}: {} ns of it to find the rule and judge", decided.as_nanos());
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "measuring code reads the clock")]
fn time(mut decide: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    let permitted = (0..ROUNDS).filter(|_| decide()).count();
    let taken = start.elapsed() / ROUNDS;
    assert_eq!(permitted, ROUNDS as usize, "the measured decision lets its caller in");
    taken
}
