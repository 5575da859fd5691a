//! N1: the database is network-isolated; only development may be open to the internet.
//!
//! Four observations, of which none suffices alone. A private name proves little (a proxy can stand beside it), a
//! platform's list shows what the platform knows, and a look from outside shows only the addresses that were tried. So in
//! staging and production the name and the look from outside must both be green, and on Railway its list as well; the
//! server's own address can contradict.

mod name;
mod outside;
mod platform;

use sqlx::{Connection as _, Row as _};

use crate::addresses::{Reach, reach};
use crate::database::postgres::reason;
use crate::database::targets::{Target, targets};
use crate::evidence::Evidence;
use crate::measures::claimed::{Claimed, claimed};
use crate::names::{Names, Resolved};
use crate::probe::{Endpoint, UsageError};
use crate::report::Claim;
use crate::verdict::Verdict;
use crate::world::World;
use crate::world::railway;

/// The environment that may be open.
const OPEN: &str = "development";

/// Where a configured database is.
pub(crate) enum Place {
    /// On a network.
    At(Endpoint, Resolved),
    /// A socket in the file system: reached from the machine itself alone.
    Socket,
    /// The URL does not say, or says several.
    Unclear(String),
}

/// What it can claim.
pub(crate) const CLAIMS: &[Claimed] = &[
    claimed("the_database_is_closed_from_outside", "no database is reached from outside", &[], &[668]),
    claimed("name_is_private", "the database's name leads to private addresses alone", &[], &[668]),
    claimed("is_closed_from_outside", "a probe in another network finds the database closed", &[], &[668]),
    claimed(
        "server_stands_in_a_private_network",
        "the server says itself that it stands in a private network",
        &[],
        &[668],
    ),
    claimed(
        "no_service_of_the_environment_has_a_tcp_proxy",
        "the platform offers no service of the environment to the internet by TCP",
        &[],
        &[668],
    ),
    claimed(
        "development_is_development",
        "what is called development here is called so by the platform",
        &[],
        &[],
    ),
];

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    let config = &world.config;
    let targets = targets(config);
    if targets.is_empty() {
        let evidence =
            Evidence::configuration("no PostgreSQL database is configured: a file is on no network");
        let remedy = "name the backend's database as a [[database]]";
        return vec![Claim::not_proven("the_database_is_closed_from_outside", vec![evidence], remedy)];
    }
    let names = Names::new(config.resolver);
    let mut places = Vec::new();
    for target in &targets {
        places.push(place(&names, target).await);
    }
    let listed = match &config.railway {
        Some(railway) => Some(railway::environment(&world.http, railway).await),
        None => None,
    };
    let reports = outside::read(&config.outside);
    let known = outside::Known::new(&places, &config.public_candidates, listed.as_ref());
    let mut claims = vec![platform::claim(listed.as_ref(), &places)];
    for (target, place) in targets.iter().zip(&places) {
        claims.push(name::claim(&target.claim("name_is_private"), place));
        claims.push(outside::claim(
            &target.claim("is_closed_from_outside"),
            place,
            &known,
            &reports,
            world.now,
        ));
        claims.push(inside(&target.claim("server_stands_in_a_private_network"), target).await);
    }
    if config.environment != OPEN {
        return claims;
    }
    let mut claims: Vec<_> = claims.into_iter().map(open).collect();
    claims.push(platform::agrees(OPEN, listed.as_ref()));
    claims
}

async fn place(names: &Names, target: &Target<'_>) -> Place {
    match Endpoint::parse(target.url) {
        Ok(endpoint) => {
            let resolved = names.resolve(endpoint.host()).await;
            Place::At(endpoint, resolved)
        }
        Err(UsageError::Socket) => Place::Socket,
        Err(why) => Place::Unclear(why.to_string()),
    }
}

/// What development is allowed: what would fail elsewhere is said, and what nobody looked at is nobody's concern.
fn open(mut claim: Claim) -> Claim {
    claim.verdict = match claim.verdict {
        Verdict::Fail => {
            claim.evidence.push(Evidence::configuration("development may be open to the internet"));
            claim.remedy = String::new();
            Verdict::Pass
        }
        Verdict::NotProven => {
            claim.remedy = String::new();
            Verdict::NotApplicable
        }
        other => other,
    };
    claim
}

/// The address at which the server itself stands, as it says.
async fn inside(id: &str, target: &Target<'_>) -> Claim {
    let seen = async {
        let mut connection = target.connect().await?;
        let row = sqlx::query("SELECT host(inet_server_addr())").fetch_one(&mut connection).await;
        let _closed = connection.close().await;
        row.and_then(|row| row.try_get::<Option<String>, _>(0)).map_err(|error| reason(&error))
    };
    server_address(id, seen.await)
}

fn server_address(id: &str, seen: Result<Option<String>, String>) -> Claim {
    match seen {
        // The claims beside this one decide; this one can only contradict them.
        Err(why) => {
            let evidence = Evidence::database(format!("the server was not asked: {why}"));
            Claim::pass(id, vec![evidence]).but(Verdict::NotApplicable)
        }
        Ok(None) => {
            Claim::pass(id, vec![Evidence::catalogue("the session came over a socket in the file system")])
        }
        Ok(Some(text)) => match text.parse().map(reach) {
            Ok(Reach::Public) => {
                let evidence = Evidence::catalogue(format!("inet_server_addr() is {text}, a public address"));
                Claim::fail(id, vec![evidence], "let the server listen on a private address alone")
            }
            Ok(reach) => Claim::pass(
                id,
                vec![Evidence::catalogue(format!("inet_server_addr() is {text} ({})", reach.words()))],
            ),
            Err(_) => {
                Claim::not_proven(id, vec![Evidence::catalogue(format!("inet_server_addr() is {text}"))], "")
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_own_address_can_contradict() {
        let verdict = |seen: Result<Option<&str>, &str>| {
            server_address("x", seen.map(|text| text.map(Into::into)).map_err(Into::into)).verdict
        };
        assert_eq!(verdict(Ok(Some("10.0.0.7"))), Verdict::Pass);
        assert_eq!(verdict(Ok(Some("fd12::7"))), Verdict::Pass);
        assert_eq!(verdict(Ok(None)), Verdict::Pass);
        assert_eq!(verdict(Ok(Some("203.0.113.7"))), Verdict::Fail);
        assert_eq!(verdict(Err("no connection")), Verdict::NotApplicable);
    }

    #[test]
    fn development_may_be_open_and_says_so() {
        let failed = open(Claim::fail("x", vec![Evidence::names("public")], "close it"));
        assert_eq!((failed.verdict, failed.remedy.as_str()), (Verdict::Pass, ""));
        assert_eq!(failed.evidence.len(), 2);
        assert_eq!(open(Claim::not_proven("x", Vec::new(), "look")).verdict, Verdict::NotApplicable);
        assert_eq!(open(Claim::pass("x", Vec::new())).verdict, Verdict::Pass);
    }
}
