//! A session has an absolute end, however often its tokens are refreshed (ASVS 5 7.3.2 and 10.4.8; CWE-613). A run cannot wait
//! for it, so it is read: from what the store says of a session of the auditor's own, before and after a refresh, or from what
//! the answers say of the refresh token's life.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::config::{Lifetime, Mode};
use crate::database::session_ends::{self, End};
use crate::document;
use crate::evidence::Evidence;
use crate::report::{Claim, rfc3339};
use crate::verdict::Verdict;
use crate::world::http::Answer;
use crate::world::{World, forge};

pub(super) const ID: &str = "a_session_ends_however_often_it_is_refreshed";
/// Ends are whole seconds: one that moves with each refresh is seen to move after a second alone.
const PAUSE: Duration = Duration::from_millis(1100);
/// Seconds that the clocks of the store's machine and of this one may differ.
const SKEW: i64 = 120;
/// How answers call the refresh token's life in seconds: Microsoft's and Okta's name, and Keycloak's.
const LIVES: [&str; 2] = ["refresh_token_expires_in", "refresh_expires_in"];

/// What was seen of one session.
enum Seen {
    /// Why there is nothing that could go on without end.
    None(String),
    /// Why it could not be looked at.
    Cannot(String),
    /// Before and after a refresh, by place.
    Stored { before: Vec<End>, after: Vec<End> },
    /// The refresh token's life in seconds, by the login's answer and by each refresh's.
    Said(i64, Vec<i64>),
}

pub(super) async fn claim(world: &World) -> Claim {
    judge(&observe(world).await, world.config.session_lifetime.as_ref(), world.now)
}

async fn observe(world: &World) -> Seen {
    let config = &world.config;
    if config.mode == Mode::Delegated {
        return Seen::None("sessions are the foreign issuer's".into());
    }
    if config.session.is_none() {
        return Seen::None("no session API is served here".into());
    }
    let Some(user) = &config.user else {
        return Seen::Cannot("no user of the auditor's own ([audit] user_email)".into());
    };
    let password = user.password.expose_secret();
    let login = match world.tokens.log_in(config, &world.http, &user.email, password, None).await {
        Ok(answer) if answer.status == 200 => answer,
        Ok(answer) => return Seen::Cannot(format!("logging in got {}", answer.status)),
        Err(why) => return Seen::Cannot(why),
    };
    let body = login.json().unwrap_or_default();
    let Some(refresh) = body.get("refresh_token").and_then(Value::as_str) else {
        return Seen::None("a login gives no refresh token: a session is as long as its access token".into());
    };
    let access = body.get("access_token").and_then(Value::as_str).unwrap_or_default().to_owned();
    let session = forge::claims(&access.into())
        .and_then(|claims| claims.get("sid").and_then(Value::as_str).map(ToOwned::to_owned));
    let before = stored(world, session.as_deref()).await;
    tokio::time::sleep(PAUSE).await;
    let next = match refreshed(world, refresh).await {
        Ok(answer) => answer,
        Err(why) => return Seen::Cannot(why),
    };
    if let (Some(first), Some(second)) = (life(&login), life(&next)) {
        if !is_within_rounding(first, second) {
            return Seen::Said(first, vec![second]);
        }
        let body = next.json().unwrap_or_default();
        // An issuer that gives no new token lets the old one be used again (RFC 6749 section 6).
        let refresh = body.get("refresh_token").and_then(Value::as_str).unwrap_or(refresh);
        tokio::time::sleep(PAUSE).await;
        return match refreshed(world, refresh).await.map(|answer| life(&answer)) {
            Ok(Some(third)) => Seen::Said(first, vec![second, third]),
            Ok(None) => Seen::Cannot("a second refresh does not say how long its token lives".into()),
            Err(why) => Seen::Cannot(why),
        };
    }
    match (before, stored(world, session.as_deref()).await) {
        (Ok(before), Ok(after)) => Seen::Stored { before, after },
        (Err(why), _) | (_, Err(why)) => Seen::Cannot(why),
    }
}

async fn refreshed(world: &World, token: &str) -> Result<Answer, String> {
    let body = json!({ "refresh_token": token });
    let answer = world.tokens.session(&world.config, &world.http, "POST", "/session/refresh", &body).await?;
    if answer.status == 200 { Ok(answer) } else { Err(format!("a refresh got {}", answer.status)) }
}

/// Whether a life is shorter by what rounding alone may make of one that is always the same.
fn is_within_rounding(first: i64, later: i64) -> bool {
    first.saturating_sub(later) == 1
}

fn life(answer: &Answer) -> Option<i64> {
    let body = answer.json()?;
    LIVES.iter().find_map(|name| body.get(name)?.as_i64())
}

async fn stored(world: &World, session: Option<&str>) -> Result<Vec<End>, String> {
    let session = session.ok_or("tokens name no session (sid), and answers do not say how long it lives")?;
    let mut why =
        "answers do not say how long a session lives, and there is no store to look into".to_owned();
    for location in [&world.config.store, &world.config.database].into_iter().flatten() {
        // What could not be read here may end later than what is found elsewhere.
        let found = session_ends::of(location, session).await?;
        if !found.is_empty() {
            return Ok(found);
        }
        why = "no row that says when it ends names the session".into();
    }
    Err(why)
}

fn judge(seen: &Seen, promised: Option<&Lifetime>, now: i64) -> Claim {
    const REMEDY: &str = "give a session one end when it begins, and no refresh token a later one";
    match seen {
        Seen::None(why) => {
            Claim::pass(ID, vec![Evidence::configuration(why.clone())]).but(Verdict::NotApplicable)
        }
        Seen::Cannot(why) => {
            let remedy = "run the audit where the store is, as a user who may refresh";
            Claim::not_proven(ID, vec![Evidence::http(why.clone())], remedy)
        }
        Seen::Said(first, later) => {
            let told: Vec<String> = later.iter().map(|life| document::duration(*life)).collect();
            let what = format!(
                "a refresh token lives {} by its first answer, and by those to refreshes, each a second later, {}",
                document::duration(*first),
                told.join(" and ")
            );
            let mut evidence = vec![Evidence::http(what)];
            let longer = promised.filter(|promised| *first > promised.seconds.saturating_add(SKEW));
            if let Some(promised) = longer {
                let promise = document::duration(promised.seconds);
                evidence.push(Evidence::http(format!("that is longer than {}, {promise}", promised.source)));
            }
            let shorter = later.last().is_some_and(|last| last < first && !is_within_rounding(*first, *last));
            if shorter && longer.is_none() {
                Claim::pass(ID, evidence)
            } else {
                Claim::fail(ID, evidence, REMEDY)
            }
        }
        Seen::Stored { before, after } => {
            let latest = |ends: &[End]| -> BTreeMap<String, Option<i64>> {
                let mut latest: BTreeMap<String, Option<i64>> = BTreeMap::new();
                for end in ends {
                    let known = latest.entry(end.place.clone()).or_insert(end.at);
                    // No end is later than any.
                    *known = known.and_then(|known| Some(known.max(end.at?)));
                }
                latest
            };
            let (before, after) = (latest(before), latest(after));
            stored_ends(&before, &after, promised, now, REMEDY)
        }
    }
}

/// One date that a refresh does not move binds the session, if nothing of it is to live longer.
fn stored_ends(
    before: &BTreeMap<String, Option<i64>>,
    after: &BTreeMap<String, Option<i64>>,
    promised: Option<&Lifetime>,
    now: i64,
    remedy: &str,
) -> Claim {
    let date = |at: Option<i64>| at.map_or_else(|| "never".to_owned(), rfc3339);
    let told: Vec<Evidence> = after
        .iter()
        .map(|(place, at)| {
            let was = before.get(place).copied().flatten();
            Evidence::database(format!("{place}: {} before a refresh, {} after it", date(was), date(*at)))
        })
        .collect();
    let stays = after.iter().filter(|(place, at)| at.is_some() && before.get(*place) == Some(*at));
    let Some(end) = stays.filter_map(|(_, at)| *at).min() else {
        return Claim::fail(ID, told, remedy);
    };
    let mut offences = Vec::new();
    for (place, at) in after {
        if at.is_none_or(|at| at > end) {
            let what =
                format!("{place} is to live until {}, and the session until {}", date(*at), rfc3339(end));
            offences.push(Evidence::database(what));
        }
    }
    if let Some(promised) = promised
        && end.saturating_sub(now) > promised.seconds.saturating_add(SKEW)
    {
        let (life, promise) = (document::duration(end - now), document::duration(promised.seconds));
        offences.push(Evidence::database(format!(
            "a session that just began lives {life}, and {} is {promise}",
            promised.source
        )));
    }
    if !offences.is_empty() {
        return Claim::fail(ID, offences, remedy);
    }
    // The login was a moment after `now`.
    let life = end.saturating_sub(now) / 60 * 60;
    let life = format!("it ends after {} at the latest", document::duration(life));
    Claim::pass(ID, [vec![Evidence::database(life)], told].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(place: &str, at: impl Into<Option<i64>>) -> End {
        End { place: place.into(), at: at.into() }
    }

    fn verdict(before: &[End], after: &[End]) -> Verdict {
        let promised = Lifetime { seconds: 1000, source: "the promise".into() };
        let seen = Seen::Stored { before: before.to_vec(), after: after.to_vec() };
        judge(&seen, Some(&promised), 0).verdict
    }

    #[test]
    fn one_date_that_stays_binds_what_moves() {
        let session = || end("sessions.expires_at", 1000);
        let refresh = |at: i64| end("refresh_tokens.expires_at", at);
        assert_eq!(
            verdict(&[session(), refresh(100)], &[session(), refresh(100), refresh(101)]),
            Verdict::Pass
        );
        assert_eq!(verdict(&[refresh(100)], &[refresh(101)]), Verdict::Fail, "it moves with each refresh");
        assert_eq!(verdict(&[session(), refresh(999)], &[session(), refresh(1001)]), Verdict::Fail);
        assert_eq!(verdict(&[end("s.e", None)], &[end("s.e", None)]), Verdict::Fail, "no end at all");
        assert_eq!(verdict(&[session()], &[session(), end("r.e", None)]), Verdict::Fail);
        assert_eq!(verdict(&[end("s.e", 5000)], &[end("s.e", 5000)]), Verdict::Fail, "later than promised");
    }

    #[test]
    fn what_answers_say_counts_and_what_cannot_be_looked_at_is_not_proven() {
        let promised = Lifetime { seconds: 900, source: "session_lifetime".into() };
        for (first, later, wanted) in [
            (900, vec![898], Verdict::Pass),
            (900, vec![899, 898], Verdict::Pass),
            (900, vec![899, 899], Verdict::Fail), // rounding
            (900, vec![899, 900], Verdict::Fail),
            (900, vec![900], Verdict::Fail),
            (900, vec![901], Verdict::Fail),
            (900, vec![], Verdict::Fail),
            (315_360_000, vec![315_359_998], Verdict::Fail),
        ] {
            let told = format!("{first}, {later:?}");
            assert_eq!(judge(&Seen::Said(first, later), Some(&promised), 0).verdict, wanted, "{told}");
        }
        assert_eq!(judge(&Seen::Said(315_360_000, vec![315_359_998]), None, 0).verdict, Verdict::Pass);
        assert_eq!(judge(&Seen::Cannot("x".into()), None, 0).verdict, Verdict::NotProven);
        assert_eq!(judge(&Seen::None("x".into()), None, 0).verdict, Verdict::NotApplicable);
    }
}
