//! The database's name: every address of it, and every alias on the way, is private.

use super::Place;
use crate::addresses::{NameSays, Reach, name_says, reach};
use crate::evidence::Evidence;
use crate::report::Claim;

const REMEDY: &str = "use the database's private name, as postgres.railway.internal";

pub(super) fn claim(id: &str, place: &Place) -> Claim {
    let (endpoint, resolved) = match place {
        Place::Socket => {
            return Claim::pass(
                id,
                vec![Evidence::configuration("a socket in the file system: no network at all")],
            );
        }
        Place::Unclear(why) => {
            return Claim::not_proven(
                id,
                vec![Evidence::configuration(why.clone())],
                "name one host in the URL",
            );
        }
        Place::At(endpoint, resolved) => (endpoint, resolved),
    };
    let mut offences = Vec::new();
    for name in &resolved.chain {
        match name_says(name) {
            NameSays::Public => {
                offences.push(Evidence::names(format!("{name} is a public edge of the platform")))
            }
            NameSays::LookAlike => offences.push(Evidence::names(format!(
                "{name} looks like a private name, and is somebody's public one"
            ))),
            NameSays::Private | NameSays::Nothing => {}
        }
    }
    for address in &resolved.addresses {
        if reach(*address) == Reach::Public {
            offences.push(Evidence::names(format!("{} is at {address}, a public address", endpoint.host())));
        }
    }
    if !offences.is_empty() {
        return Claim::fail(id, offences, REMEDY);
    }
    let addresses: Vec<String> =
        resolved.addresses.iter().map(|address| format!("{address} ({})", reach(*address).words())).collect();
    let mut what = vec![Evidence::names(format!("{}: {}", resolved.chain.join(" → "), addresses.join(", ")))];
    if resolved.addresses.is_empty() || resolved.gap.is_some() {
        let why = resolved.gap.clone().unwrap_or_else(|| "it does not resolve here".into());
        what.insert(0, Evidence::names(format!("not every address of {} is known: {why}", endpoint.host())));
        return Claim::not_proven(
            id,
            what,
            "run the audit where the application runs, so that the name resolves",
        );
    }
    Claim::pass(id, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Resolved;
    use crate::probe::Endpoint;
    use crate::verdict::Verdict;

    fn verdict(chain: &[&str], addresses: &[&str], gap: Option<&str>) -> Verdict {
        let resolved = Resolved {
            chain: chain.iter().map(|name| (*name).to_owned()).collect(),
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            gap: gap.map(Into::into),
        };
        let endpoint = Endpoint::parse(&format!("{}:5432", chain[0])).unwrap();
        claim("x", &Place::At(endpoint, resolved)).verdict
    }

    #[test]
    fn one_public_answer_or_alias_is_too_many() {
        assert_eq!(verdict(&["db.railway.internal"], &["fd12::7", "10.0.0.7"], None), Verdict::Pass);
        assert_eq!(verdict(&["db.example.com"], &["10.0.0.7"], None), Verdict::Pass);
        assert_eq!(verdict(&["127.0.0.1"], &["127.0.0.1"], None), Verdict::Pass);
        assert_eq!(verdict(&["db.example.com"], &["10.0.0.7", "203.0.113.7"], None), Verdict::Fail);
        assert_eq!(verdict(&["db.example.com"], &["::ffff:8.8.8.8"], None), Verdict::Fail);
        assert_eq!(verdict(&["db.example.com", "x.proxy.rlwy.net"], &["10.0.0.7"], None), Verdict::Fail);
        assert_eq!(verdict(&["postgres.railway.internal.evil.example"], &["10.0.0.7"], None), Verdict::Fail);
        assert_eq!(verdict(&["x.proxy.rlwy.net"], &[], Some("timed out")), Verdict::Fail);
        assert_eq!(verdict(&["db.railway.internal"], &[], None), Verdict::NotProven);
        assert_eq!(
            verdict(&["db.railway.internal"], &["10.0.0.7"], Some("AAAA timed out")),
            Verdict::NotProven
        );
        assert_eq!(claim("x", &Place::Socket).verdict, Verdict::Pass);
        assert_eq!(claim("x", &Place::Unclear("several hosts".into())).verdict, Verdict::NotProven);
    }
}
