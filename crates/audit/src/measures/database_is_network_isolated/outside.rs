//! What reports of `portcullis probe` saw from outside: fresh, with green controls, and every endpoint of the database in
//! them closed.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use super::Place;
use crate::addresses::{Reach, reach};
use crate::evidence::Evidence;
use crate::probe::{DEFAULT_INTERNAL_NAME, Endpoint, ProbeResult, Probed, Report};
use crate::report::{Claim, seconds_of};
use crate::world::railway::Environment;

/// A look from outside counts for this long, in seconds: a week. A proxy is made with two clicks.
const FRESH: i64 = 7 * 86_400;
/// The prober's clock may be ahead of ours, in seconds.
const SKEW: i64 = 600;
const RAILWAY: &str = ".railway.internal";

/// A file of `[audit] outside`, and its report or why it is none.
pub(super) type Read = (String, Result<Report, String>);

pub(super) fn read(files: &[PathBuf]) -> Vec<Read> {
    files
        .iter()
        .map(|file| {
            let report = std::fs::read(file)
                .map_err(|error| error.to_string())
                .and_then(|json| Report::parse(&json).map_err(|error| error.to_string()));
            (file.display().to_string(), report)
        })
        .collect()
}

/// Where a database may be offered besides its own address.
pub(super) struct Known {
    /// Each database's own endpoint.
    own: Vec<Endpoint>,
    /// Endpoints of the internet that are known to lead, or to have led, to a database.
    public: Vec<Endpoint>,
    /// Candidates that cannot be read as an endpoint.
    unread: Vec<String>,
}

impl Known {
    pub(super) fn new(
        places: &[Place],
        candidates: &[String],
        listed: Option<&Result<Environment, String>>,
    ) -> Self {
        let own = places.iter().filter_map(|place| match place {
            Place::At(endpoint, _) => Some(endpoint.clone()),
            Place::Socket | Place::Unclear(_) => None,
        });
        let mut known = Self { own: own.collect(), public: Vec::new(), unread: Vec::new() };
        let proxies = listed
            .and_then(|listed| listed.as_ref().ok())
            .into_iter()
            .flat_map(|environment| environment.services.iter().flat_map(|service| &service.proxies))
            .map(|proxy| format!("{}:{}", proxy.domain, proxy.proxy_port));
        for text in candidates.iter().cloned().chain(proxies) {
            match Endpoint::parse(&text) {
                Ok(endpoint) => known.public.push(endpoint),
                Err(why) => known.unread.push(why.to_string()),
            }
        }
        known
    }
}

pub(super) fn claim(id: &str, place: &Place, known: &Known, reports: &[Read], now: i64) -> Claim {
    let own = match place {
        Place::At(endpoint, _) => Some(endpoint),
        Place::Socket => None,
        Place::Unclear(why) => {
            return Claim::not_proven(
                id,
                vec![Evidence::configuration(why.clone())],
                "name one host in the URL",
            );
        }
    };
    let wanted: Vec<&Endpoint> = own.into_iter().filter(|own| !is_local(own)).chain(&known.public).collect();
    let remedy = remedy(own, &wanted);
    if reports.is_empty() {
        let evidence = Evidence::configuration("[audit] outside names no report of portcullis probe");
        return Claim::not_proven(id, vec![evidence], remedy);
    }
    let mut gaps: Vec<Evidence> =
        known.unread.iter().map(|why| Evidence::configuration(why.clone())).collect();
    let mut newest: BTreeMap<&str, (i64, &Probed)> = BTreeMap::new();
    for (file, report) in reports {
        let usable = report.as_ref().map_err(Clone::clone).and_then(|report| {
            let at = usable(report, own.map(Endpoint::host), now)?;
            Ok((at, report))
        });
        match usable {
            Err(why) => gaps.push(Evidence::outside(format!("{file}: {why}"))),
            Ok((at, report)) => {
                for probed in &report.endpoints {
                    let held = newest.entry(&probed.endpoint).or_insert((at, probed));
                    // Of two looks at the same moment the worse one counts.
                    if at > held.0 || (at == held.0 && probed.result == ProbeResult::Open) {
                        *held = (at, probed);
                    }
                }
            }
        }
    }
    let of_another =
        |endpoint: &str| known.own.iter().any(|other| other.to_string() == endpoint && Some(other) != own);
    let offences: Vec<Evidence> = newest
        .values()
        .filter(|(_, probed)| probed.result == ProbeResult::Open && !of_another(&probed.endpoint))
        .map(|(_, probed)| Evidence::outside(format!("{} is open: {}", probed.endpoint, probed.evidence)))
        .collect();
    if !offences.is_empty() {
        return Claim::fail(
            id,
            offences,
            "remove the TCP proxy, or let a firewall drop what comes from outside",
        );
    }
    let mut closed = Vec::new();
    for endpoint in &wanted {
        match newest.get(endpoint.to_string().as_str()) {
            Some((_, probed)) if probed.result == ProbeResult::Closed => closed.push(*probed),
            Some((_, probed)) => {
                gaps.push(Evidence::outside(format!("{endpoint} could not be told: {}", probed.evidence)));
            }
            None => gaps.push(Evidence::outside(format!("no fresh report speaks of {endpoint}"))),
        }
    }
    if wanted.is_empty() {
        // On the machine's own loopback, or a socket: what can be tried from outside is the machine's own address.
        let elsewhere = newest.values().map(|(_, probed)| *probed).filter(|probed| {
            Endpoint::parse(&probed.endpoint).is_ok_and(|endpoint| {
                !is_local(&endpoint) && own.is_none_or(|own| own.port() == endpoint.port())
            })
        });
        for probed in elsewhere {
            if probed.result == ProbeResult::Closed {
                closed.push(probed);
            } else {
                // Which of them is this machine's cannot be seen in a report: each has to be closed.
                let what = format!("{} could not be told: {}", probed.endpoint, probed.evidence);
                gaps.push(Evidence::outside(what));
            }
        }
        if closed.is_empty() && gaps.is_empty() {
            gaps.push(Evidence::outside(
                "no fresh report speaks of this machine's own address and the database's port",
            ));
        }
    }
    if !gaps.is_empty() {
        return Claim::not_proven(id, gaps, remedy);
    }
    let evidence = closed
        .iter()
        .map(|probed| {
            let what = format!("{} is closed from outside: {}", probed.endpoint, probed.evidence);
            Evidence::outside(what)
                .beside("the control was reached, and the internal name does not resolve there")
        })
        .collect();
    Claim::pass(id, evidence)
}

/// When the report was made, if it counts; else why not.
fn usable(report: &Report, host: Option<&str>, now: i64) -> Result<i64, String> {
    let at = seconds_of(&report.at).ok_or_else(|| format!("{} is no date", report.at))?;
    if at > now + SKEW {
        return Err(format!("it is from the future ({})", report.at));
    }
    if now - at > FRESH {
        return Err(format!("it is older than a week ({})", report.at));
    }
    if !report.controls_are_green() {
        return Err("its controls are not green: it was not outside, or its network did not work".into());
    }
    let shown = report.outside.internal_name.as_str();
    let on_railway = host.is_some_and(|host| host.ends_with(RAILWAY));
    if shown == DEFAULT_INTERNAL_NAME && !on_railway {
        return Err(format!(
            "it shows that it was outside of Railway, where this database is not: give the probe --internal-name {}",
            host.filter(|host| host.parse::<IpAddr>().is_err())
                .unwrap_or("NAME, one that resolves inside alone")
        ));
    }
    if on_railway && !shown.ends_with(RAILWAY) {
        return Err(format!(
            "it shows by {shown} that it was outside, which says nothing of Railway's network"
        ));
    }
    Ok(at)
}

fn is_local(endpoint: &Endpoint) -> bool {
    let host = endpoint.host();
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse().is_ok_and(|address| reach(address) == Reach::Loopback)
}

fn remedy(own: Option<&Endpoint>, wanted: &[&Endpoint]) -> String {
    let mut endpoints: Vec<String> = wanted.iter().map(ToString::to_string).collect();
    if endpoints.is_empty() {
        let port = own.map_or(5432, Endpoint::port);
        endpoints.push(format!("ADDRESS-OF-THIS-MACHINE:{port} --internal-name NAME"));
    }
    format!(
        "from another network: portcullis probe {} --control URL --json > probe.json, and name the file in [audit] outside",
        endpoints.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Resolved;
    use crate::probe::{Controlled, Outside};
    use crate::report::rfc3339;
    use crate::verdict::Verdict;
    use ProbeResult::{Closed, Open, Unknown};

    const NOW: i64 = 1_800_000_000;

    fn at(endpoint: &str) -> Place {
        let endpoint = Endpoint::parse(endpoint).unwrap();
        Place::At(endpoint, Resolved::default())
    }

    fn report(age: i64, internal_name: &str, endpoints: &[(&str, ProbeResult)]) -> Report {
        Report {
            schema: 1,
            at: rfc3339(NOW - age),
            outside: Outside { internal_name: internal_name.into(), resolves: Some(false) },
            control: Controlled { url: "https://api.example.com/".into(), connected: true },
            endpoints: endpoints
                .iter()
                .map(|(endpoint, result)| Probed {
                    endpoint: (*endpoint).into(),
                    result: *result,
                    evidence: "as seen".into(),
                })
                .collect(),
        }
    }

    fn judged(place: &Place, candidates: &[&str], reports: Vec<Report>) -> Verdict {
        let candidates: Vec<String> = candidates.iter().map(|text| (*text).to_owned()).collect();
        let known = Known::new(std::slice::from_ref(place), &candidates, None);
        let reports: Vec<Read> =
            reports.into_iter().map(|report| ("probe.json".into(), Ok(report))).collect();
        claim("x", place, &known, &reports, NOW).verdict
    }

    const DB: &str = "postgres.railway.internal:5432";
    const NAME: &str = "postgres.railway.internal";

    #[test]
    fn fresh_and_closed_everywhere_passes() {
        let proxy = "shuttle.proxy.rlwy.net:15140";
        let place = at(DB);
        assert_eq!(judged(&place, &[], vec![report(60, NAME, &[(DB, Closed)])]), Verdict::Pass);
        assert_eq!(judged(&place, &[proxy], vec![report(60, NAME, &[(DB, Closed)])]), Verdict::NotProven);
        let both = || report(60, NAME, &[(DB, Closed), (proxy, Closed)]);
        assert_eq!(judged(&place, &[proxy], vec![both()]), Verdict::Pass);
        assert_eq!(judged(&place, &["no endpoint"], vec![both()]), Verdict::NotProven);
    }

    #[test]
    fn an_open_endpoint_fails_until_a_newer_report_has_it_closed() {
        let other = "198.51.100.1:5432";
        let place = at(DB);
        let open = |age| report(age, NAME, &[(DB, Closed), (other, Open)]);
        let closed = |age| report(age, NAME, &[(DB, Closed), (other, Closed)]);
        assert_eq!(judged(&place, &[], vec![open(60)]), Verdict::Fail);
        assert_eq!(judged(&place, &[], vec![open(600), closed(60)]), Verdict::Pass);
        assert_eq!(judged(&place, &[], vec![closed(600), open(60)]), Verdict::Fail);
        assert_eq!(
            judged(&place, &[], vec![closed(60), open(60)]),
            Verdict::Fail,
            "of two at once the worse"
        );
    }

    #[test]
    fn what_is_old_red_or_beside_the_point_is_not_proven() {
        let place = at(DB);
        let gap = |reports: Vec<Report>| assert_eq!(judged(&place, &[], reports), Verdict::NotProven);
        gap(vec![]);
        gap(vec![report(8 * 86_400, NAME, &[(DB, Closed)])]);
        gap(vec![report(-3600, NAME, &[(DB, Closed)])]);
        gap(vec![report(60, NAME, &[(DB, Unknown)])]);
        gap(vec![report(60, NAME, &[("another.railway.internal:5432", Closed)])]);
        gap(vec![report(60, "db.corp", &[(DB, Closed)])]);
        let mut red = report(60, NAME, &[(DB, Closed)]);
        red.control.connected = false;
        gap(vec![red.clone()]);
        red.control.connected = true;
        red.outside.resolves = None;
        gap(vec![red]);
        let mut undated = report(60, NAME, &[(DB, Closed)]);
        undated.at = "yesterday".into();
        gap(vec![undated]);
        // Off Railway its default name shows nothing.
        let own = at("db.corp:5432");
        assert_eq!(
            judged(&own, &[], vec![report(60, NAME, &[("db.corp:5432", Closed)])]),
            Verdict::NotProven
        );
        assert_eq!(
            judged(&own, &[], vec![report(60, "db.corp", &[("db.corp:5432", Closed)])]),
            Verdict::Pass
        );
    }

    #[test]
    fn a_database_on_loopback_is_tried_at_its_machines_address() {
        for place in [at("127.0.0.1:5432"), Place::Socket] {
            let with =
                |endpoint: &str| judged(&place, &[], vec![report(60, "db.corp", &[(endpoint, Closed)])]);
            assert_eq!(with("198.51.100.1:5432"), Verdict::Pass);
            assert_eq!(with("127.0.0.1:5432"), Verdict::NotProven);
        }
        let other_port = vec![report(60, "db.corp", &[("198.51.100.1:6000", Closed)])];
        assert_eq!(judged(&at("127.0.0.1:5432"), &[], other_port), Verdict::NotProven);
    }
}
