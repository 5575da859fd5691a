//! X6: sessions end when they should (ASVS 5 V7.2.4, V7.4; RFC 9700 section 4.14.2): each login has tokens of its own, a logout
//! ends its tokens at the gateway within seconds, a refresh token works once and its second use ends the family, and a
//! deleted account has no session. Control: the same tokens worked a moment before.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use crate::evidence::Evidence;
use crate::measures::claimed::{Claimed, claimed};
use crate::measures::tally::{self, Found};
use crate::report::Claim;
use crate::world::World;
use crate::world::account::{self, Account, Session, me};
use crate::world::http::{Credential, Probe};
use crate::world::tokens::session_url;

/// What it can claim.
pub(crate) const CLAIMS: &[Claimed] = &[
    claimed("each_login_has_its_own_tokens", "each login gives new tokens", &["V7.2.4"], &[384]),
    claimed(
        "a_logout_ends_its_tokens",
        "after a logout neither its access token nor its refresh token works",
        &["V7.4.1"],
        &[613],
    ),
    claimed(
        "a_refresh_token_works_once",
        "a refresh token works once, and its second use ends its family",
        &["V10.4.5"],
        &[294, 613],
    ),
    claimed(
        "a_deleted_account_has_no_session",
        "after an account is deleted its tokens are refused",
        &["V7.4.2"],
        &[613],
    ),
    claimed(
        "a_reset_ends_sessions",
        "after a password reset the sessions of before are refused",
        &["V7.4.3"],
        &[613],
    ),
];

/// How long an ended session may still be believed.
const REVOCATION: (usize, Duration) = (15, Duration::from_millis(200));

/// What was seen, each a status.
#[derive(Clone, Default)]
struct Seen {
    different: Option<bool>,
    before_logout: Option<u16>,
    logout: Option<u16>,
    after_logout: Option<u16>,
    refresh_after_logout: Option<u16>,
    first_refresh: Option<u16>,
    second_refresh: Option<u16>,
    family: Option<u16>,
    before_deletion: Option<u16>,
    deletion: Option<u16>,
    after_deletion: Option<u16>,
}

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    let mut claims = match observe(world).await {
        Ok(seen) => judge(&seen),
        Err(why) => CLAIMS
            .iter()
            .take(4)
            .map(|claim| {
                let remedy = "set [audit] exercise where a throw-away user may be made";
                Claim::not_proven(claim.id, vec![Evidence::http(why.clone())], remedy)
            })
            .collect(),
    };
    claims.push(after_reset(world).await);
    claims
}

async fn observe(world: &World) -> Result<Seen, String> {
    let account = Account::open(world).await?;
    let mut seen = Seen::default();
    let log_in = || account::log_in(world, &account.email, &account.password);
    if let Ok(second) = log_in().await {
        let same = second.access.expose_secret() == account.session.access.expose_secret()
            || refresh_of(&second).is_some() && refresh_of(&second) == refresh_of(&account.session);
        seen.different = Some(!same);
        seen.before_logout = me(world, "GET", &second.access).await;
        seen.logout = log_out(world, &second.access).await;
        seen.after_logout = until_refused(world, &second.access).await;
        seen.refresh_after_logout = refresh(world, &second).await.map(|(status, _)| status);
    }
    if let Ok(third) = log_in().await
        && let Some((status, next)) = refresh(world, &third).await
    {
        seen.first_refresh = Some(status);
        seen.second_refresh = refresh(world, &third).await.map(|(status, _)| status);
        if let Some(next) = next {
            seen.family = refresh(world, &next).await.map(|(status, _)| status);
        }
    }
    // The first session is the one that deletes; it must be alive before.
    seen.before_deletion = me(world, "GET", &account.session.access).await;
    seen.deletion = me(world, "DELETE", &account.session.access).await;
    if seen.deletion.is_some_and(|status| status < 300) {
        seen.after_deletion = until_refused(world, &account.session.access).await;
    } else {
        account.close(world).await;
    }
    Ok(seen)
}

fn refresh_of(session: &Session) -> Option<&str> {
    session.refresh.as_ref().map(|token| token.expose_secret())
}

async fn until_refused(world: &World, token: &SecretString) -> Option<u16> {
    let mut status = None;
    for _ in 0..REVOCATION.0 {
        status = me(world, "GET", token).await;
        if status.is_some_and(|status| (400..405).contains(&status)) {
            break;
        }
        tokio::time::sleep(REVOCATION.1).await;
    }
    status
}

async fn log_out(world: &World, token: &SecretString) -> Option<u16> {
    let credential = Credential::bearer(token, "the throw-away user's token");
    let probe = Probe::new("DELETE", session_url(&world.config, "/session")?).with(Some(credential));
    world.http.send(probe).await.ok().map(|answer| answer.status)
}

async fn refresh(world: &World, session: &Session) -> Option<(u16, Option<Session>)> {
    let body = json!({"refresh_token": refresh_of(session)?});
    let sent = world.tokens.session(&world.config, &world.http, "POST", "/session/refresh", &body).await;
    let answer = sent.ok()?;
    Some((answer.status, account::session_of(&answer).ok()))
}

fn judge(seen: &Seen) -> Vec<Claim> {
    let ok = |status: Option<u16>| status.is_some_and(|status| (200..300).contains(&status));
    let refused = |status: Option<u16>| status.is_some_and(|status| (400..429).contains(&status));
    let said =
        |status: Option<u16>| status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
    let one = |id: &str, good: bool, bad: bool, evidence: Evidence, remedy: &str| {
        let found = match (bad, good) {
            (true, _) => Found::Bad(evidence),
            (_, true) => Found::Good(evidence),
            _ => Found::Unclear(evidence),
        };
        tally::claim(id, [found], "nothing", remedy)
    };
    vec![
        one(
            CLAIMS[0].id,
            seen.different == Some(true),
            seen.different == Some(false),
            Evidence::http(match seen.different {
                Some(true) => "two logins of one account gave different tokens",
                Some(false) => "two logins of one account gave the same token",
                None => "the account could not log in twice",
            }),
            "make a new session at each login",
        ),
        one(
            CLAIMS[1].id,
            ok(seen.before_logout)
                && ok(seen.logout)
                && refused(seen.after_logout)
                && refused(seen.refresh_after_logout),
            ok(seen.before_logout)
                && ok(seen.logout)
                && (ok(seen.after_logout) || ok(seen.refresh_after_logout)),
            Evidence::http(format!(
                "logout got {}; after it the token got {}, the refresh token {}",
                said(seen.logout),
                said(seen.after_logout),
                said(seen.refresh_after_logout)
            ))
            .beside(format!("before it the token got {}", said(seen.before_logout))),
            "end the session in the store, and let the gateway know",
        ),
        one(
            CLAIMS[2].id,
            ok(seen.first_refresh) && refused(seen.second_refresh) && refused(seen.family),
            ok(seen.first_refresh) && (ok(seen.second_refresh) || ok(seen.family)),
            Evidence::http(format!(
                "its second use got {}; after that its successor got {}",
                said(seen.second_refresh),
                said(seen.family)
            ))
            .beside(format!("its first use got {}", said(seen.first_refresh))),
            "rotate refresh tokens, and end the family at a second use",
        ),
        one(
            CLAIMS[3].id,
            ok(seen.before_deletion) && ok(seen.deletion) && refused(seen.after_deletion),
            ok(seen.before_deletion) && ok(seen.deletion) && ok(seen.after_deletion),
            Evidence::http(format!(
                "deletion got {}; after it the token got {}",
                said(seen.deletion),
                said(seen.after_deletion)
            ))
            .beside(format!("before it the token got {}", said(seen.before_deletion))),
            "end an account's sessions with it",
        ),
    ]
}

/// What A2's own exercise saw of it.
async fn after_reset(world: &World) -> Claim {
    let id = CLAIMS[4].id;
    match world.finished().await {
        Ok(seen) => {
            let evidence =
                Evidence::http(format!("after the reset the old token got {:?}", seen.session_after))
                    .beside(format!("before it the token got {:?}", seen.alive_before));
            let used = seen.first_use.is_some_and(|status| status < 300) && seen.alive_before == Some(200);
            let found = match seen.session_after {
                Some(200) if used => Found::Bad(evidence),
                Some(401) if used => Found::Good(evidence),
                _ => Found::Unclear(evidence),
            };
            tally::claim(
                id,
                [found],
                "nothing",
                "end the user's sessions in the transaction that sets the password",
            )
        }
        Err(why) => Claim::not_proven(
            id,
            vec![Evidence::http(why.clone())],
            "set [audit] exercise and mailbox where a throw-away user may be made",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict::{self, Fail, NotProven, Pass};

    fn sound() -> Seen {
        Seen {
            different: Some(true),
            before_logout: Some(200),
            logout: Some(204),
            after_logout: Some(401),
            refresh_after_logout: Some(401),
            first_refresh: Some(200),
            second_refresh: Some(401),
            family: Some(401),
            before_deletion: Some(200),
            deletion: Some(204),
            after_deletion: Some(401),
        }
    }

    fn verdicts(seen: &Seen) -> Vec<Verdict> {
        judge(seen).iter().map(|claim| claim.verdict).collect()
    }

    #[test]
    fn each_end_has_a_claim_of_its_own() {
        assert_eq!(verdicts(&sound()), [Pass; 4]);
        assert_eq!(verdicts(&Seen { different: Some(false), ..sound() }), [Fail, Pass, Pass, Pass]);
        assert_eq!(verdicts(&Seen { after_logout: Some(200), ..sound() }), [Pass, Fail, Pass, Pass]);
        assert_eq!(verdicts(&Seen { refresh_after_logout: Some(200), ..sound() }), [Pass, Fail, Pass, Pass]);
        assert_eq!(verdicts(&Seen { second_refresh: Some(200), ..sound() }), [Pass, Pass, Fail, Pass]);
        assert_eq!(verdicts(&Seen { family: Some(200), ..sound() }), [Pass, Pass, Fail, Pass]);
        assert_eq!(verdicts(&Seen { after_deletion: Some(200), ..sound() }), [Pass, Pass, Pass, Fail]);
        assert_eq!(
            verdicts(&Seen { before_logout: Some(401), ..sound() }),
            [Pass, NotProven, Pass, Pass],
            "no control"
        );
        assert_eq!(
            verdicts(&Seen { first_refresh: None, ..sound() }),
            [Pass, Pass, NotProven, Pass],
            "no control"
        );
        for unsaid in [None, Some(429), Some(503)] {
            assert_eq!(
                verdicts(&Seen { refresh_after_logout: unsaid, ..sound() }),
                [Pass, NotProven, Pass, Pass],
                "{unsaid:?} is no refusal"
            );
            assert_eq!(
                verdicts(&Seen { family: unsaid, ..sound() }),
                [Pass, Pass, NotProven, Pass],
                "{unsaid:?} is no refusal"
            );
        }
        assert_eq!(verdicts(&Seen::default()), [NotProven; 4]);
    }
}
