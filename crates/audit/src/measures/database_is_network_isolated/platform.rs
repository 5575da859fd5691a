//! What the platform says: on Railway no service of the environment has a TCP proxy. Any of them counts, since a pooler or
//! a copy of the database can carry the public port.

use super::Place;
use crate::addresses::{NameSays, name_says};
use crate::evidence::Evidence;
use crate::report::Claim;
use crate::verdict::Verdict;
use crate::world::railway::{Environment, Proxy};

const ID: &str = "no_service_of_the_environment_has_a_tcp_proxy";

/// `listed`: Railway's answer; none where it is not configured.
pub(super) fn claim(listed: Option<&Result<Environment, String>>, places: &[Place]) -> Claim {
    let remedy = "set [audit.railway] with a project token of this environment";
    let environment = match listed {
        Some(Ok(environment)) => environment,
        Some(Err(why)) => return Claim::not_proven(ID, vec![Evidence::platform(why.clone())], remedy),
        None => {
            let on_railway = |place: &Place| match place {
                Place::At(_, resolved) => resolved
                    .chain
                    .iter()
                    .any(|name| name_says(name) != NameSays::Nothing && !name.ends_with(".flycast")),
                Place::Socket | Place::Unclear(_) => false,
            };
            if places.iter().any(on_railway) {
                let what = "the database is on Railway, and [audit.railway] is not configured";
                return Claim::not_proven(ID, vec![Evidence::configuration(what)], remedy);
            }
            let what = "no database here is on Railway, and [audit.railway] is not configured";
            return Claim::pass(ID, vec![Evidence::configuration(what)]).but(Verdict::NotApplicable);
        }
    };
    let (mut offences, mut gaps) = (Vec::new(), Vec::new());
    for service in &environment.services {
        for proxy in &service.proxies {
            let Proxy { domain, proxy_port, application_port, sync_status, deleted_at } = proxy;
            let what =
                format!("{}: {domain}:{proxy_port} leads to its port {application_port}", service.name);
            match (deleted_at, sync_status.as_str()) {
                (Some(_), "DELETED") => {}
                (Some(_), status) => {
                    gaps.push(Evidence::platform(format!("{what}; it is being deleted ({status})")))
                }
                (None, _) => offences.push(Evidence::platform(what)),
            }
        }
    }
    if !offences.is_empty() {
        return Claim::fail(ID, offences, "remove the TCP proxy in the service's settings, Networking");
    }
    let names: Vec<&str> = environment.services.iter().map(|service| service.name.as_str()).collect();
    if names.is_empty() {
        gaps.push(Evidence::platform(format!("Railway lists no service in {}", environment.name)));
    }
    if !gaps.is_empty() {
        return Claim::not_proven(ID, gaps, "run it again when Railway has done what it was asked to");
    }
    let what =
        format!("no TCP proxy on {} services of {}: {}", names.len(), environment.name, names.join(", "));
    Claim::pass(ID, vec![Evidence::platform(what)])
}

/// The configuration's environment against the platform's name of it: nobody calls production development to be let off.
pub(super) fn agrees(environment: &str, listed: Option<&Result<Environment, String>>) -> Claim {
    let id = "development_is_development";
    let name = listed.and_then(|listed| listed.as_ref().ok()).map(|listed| listed.name.to_lowercase());
    match name {
        Some(name) if ["prod", "stag"].iter().any(|word| name.contains(word)) => {
            let what = format!("environment is {environment}, and Railway calls it {name}");
            Claim::fail(id, vec![Evidence::platform(what)], "set environment to what it is")
        }
        Some(name) => Claim::pass(
            id,
            vec![Evidence::platform(format!("environment is {environment}; Railway calls it {name}"))],
        ),
        None => Claim::pass(
            id,
            vec![Evidence::configuration(format!("environment is {environment}, which may be open"))],
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::railway::Service;

    fn listed(proxies: Vec<(&str, Option<&str>)>) -> Result<Environment, String> {
        let proxies = proxies
            .into_iter()
            .map(|(status, deleted)| Proxy {
                domain: "shuttle.proxy.rlwy.net".into(),
                proxy_port: 15_140,
                application_port: 6432,
                sync_status: status.into(),
                deleted_at: deleted.map(Into::into),
            })
            .collect();
        let service = |name: &str, proxies| Service { name: name.into(), proxies };
        Ok(Environment {
            name: "production".into(),
            services: vec![service("Postgres", Vec::new()), service("PgBouncer", proxies)],
        })
    }

    #[test]
    fn a_proxy_of_any_service_is_one_too_many() {
        let verdict = |listed: Result<Environment, String>| claim(Some(&listed), &[]).verdict;
        assert_eq!(verdict(listed(vec![])), Verdict::Pass);
        assert_eq!(verdict(listed(vec![("ACTIVE", None)])), Verdict::Fail);
        assert_eq!(verdict(listed(vec![("CREATING", None)])), Verdict::Fail);
        assert_eq!(verdict(listed(vec![("DELETED", Some("2026-11-24"))])), Verdict::Pass);
        assert_eq!(verdict(listed(vec![("DELETING", Some("2026-11-24"))])), Verdict::NotProven);
        assert_eq!(verdict(Err("errors".into())), Verdict::NotProven);
        assert_eq!(verdict(Ok(Environment { name: "p".into(), services: vec![] })), Verdict::NotProven);
    }

    #[test]
    fn a_database_on_railway_wants_railways_word() {
        let place = |host: &str| {
            let endpoint = crate::probe::Endpoint::parse(&format!("{host}:5432")).unwrap();
            let resolved = crate::names::Resolved { chain: vec![host.into()], ..Default::default() };
            [Place::At(endpoint, resolved)]
        };
        assert_eq!(claim(None, &place("postgres.railway.internal")).verdict, Verdict::NotProven);
        assert_eq!(claim(None, &place("db.example.com")).verdict, Verdict::NotApplicable);
    }

    #[test]
    fn production_is_not_called_development() {
        assert_eq!(agrees("development", Some(&listed(vec![]))).verdict, Verdict::Fail);
        assert_eq!(agrees("development", None).verdict, Verdict::Pass);
        let dev = Ok(Environment { name: "dev".into(), services: vec![] });
        assert_eq!(agrees("development", Some(&dev)).verdict, Verdict::Pass);
    }
}
