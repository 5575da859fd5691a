//! What follows from a database's name and addresses, in each environment.

use std::net::IpAddr;

use super::address::{Reach, classify_address};
use super::endpoint::{Endpoint, Host};
use super::name::{NameClass, classify_name};
use super::resolve::Answers;
use super::variables::VisibleVariable;
use crate::Environment;

/// What a finding is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing to see from here.
    Fine,
    /// It could not be found out; never to be taken as fine.
    CouldNotTell,
    /// Certainly so, and let pass in this environment.
    Warn,
    /// Certainly so: do not start.
    Refuse,
}

/// One thing that was found, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is worth.
    pub verdict: Verdict,
    /// What was found.
    pub sentence: String,
    /// What to do about it; empty where nothing is to be done.
    pub remedy: String,
}

/// One server of a connection string, and what its name leads to.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The server.
    pub endpoint: Endpoint,
    /// None where there was no name to ask for.
    pub answers: Option<Answers>,
}

/// All that is judged.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Every server that the connection string names.
    pub servers: Vec<Resolved>,
    /// What our own environment tells.
    pub visible: Vec<VisibleVariable>,
}

const PRIVATE_NAME: &str =
    "use the database's private name (on Railway NAME.railway.internal), and remove its TCP proxy";

/// The findings, the gravest first. Staging and production refuse what is certainly public; development is told.
#[must_use]
pub fn judge(facts: &Facts, environment: Environment) -> Vec<Finding> {
    let mut findings: Vec<Finding> = facts.servers.iter().flat_map(server).collect();
    if facts.servers.is_empty() {
        findings.push(unclear("the connection string names no server", "write where the database is"));
    }
    findings.extend(facts.visible.iter().map(VisibleVariable::finding));
    if environment == Environment::Development {
        for finding in findings.iter_mut().filter(|finding| finding.verdict == Verdict::Refuse) {
            finding.verdict = Verdict::Warn;
            finding.sentence.push_str("; staging and production refuse to start with it");
        }
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.verdict));
    findings
}

pub(super) fn public(sentence: String, remedy: &str) -> Finding {
    Finding { verdict: Verdict::Refuse, sentence, remedy: remedy.to_owned() }
}

fn unclear(sentence: impl Into<String>, remedy: &str) -> Finding {
    Finding { verdict: Verdict::CouldNotTell, sentence: sentence.into(), remedy: remedy.to_owned() }
}

/// All that is wrong with one server, or one finding that nothing is.
fn server(resolved: &Resolved) -> Vec<Finding> {
    let endpoint = &resolved.endpoint;
    let mut findings = Vec::new();
    if let Some(address) = endpoint.hostaddr {
        findings.extend(addresses(&format!("{endpoint} is connected to at hostaddr"), &[address]));
    }
    match (&endpoint.host, &resolved.answers) {
        (Host::Socket(_), _) => {}
        (Host::Address(address), _) => {
            findings.extend(addresses(&format!("the database is at {endpoint},"), &[*address]))
        }
        (Host::Name(name), None) => {
            findings.push(unclear(format!("{name} was not resolved"), "try again"));
        }
        (Host::Name(name), Some(answers)) => {
            findings.extend(named(name, answers));
            if let Some(address) = endpoint.hostaddr.filter(|address| !answers.addresses.contains(address)) {
                findings.push(Finding {
                    verdict: Verdict::Warn,
                    sentence: format!("{name} does not lead to {address}, which hostaddr says"),
                    remedy: "leave hostaddr out, or correct it".to_owned(),
                });
            }
        }
    }
    if findings.is_empty() {
        let found = resolved.answers.iter().flat_map(|answers| &answers.addresses);
        let found: Vec<_> = found.map(ToString::to_string).collect();
        let sentence = match (&endpoint.host, found.is_empty()) {
            (Host::Socket(_), _) => format!("{endpoint}: no network is between"),
            (_, true) => format!("{endpoint} is on a private network"),
            (_, false) => format!("{endpoint} leads to private addresses alone ({})", found.join(", ")),
        };
        findings.push(Finding { verdict: Verdict::Fine, sentence, remedy: String::new() });
    }
    findings
}

fn named(name: &str, answers: &Answers) -> Vec<Finding> {
    let mut findings = Vec::new();
    // The name as it is written counts even where the resolver could make nothing of it.
    let written = std::iter::once(name).chain(answers.chain.iter().map(String::as_str).skip(1));
    for (place, link) in written.enumerate() {
        let subject = if place == 0 {
            format!("{name} is")
        } else {
            format!("{name} is another name of {link}, which is")
        };
        match classify_name(link) {
            NameClass::Public(whose) => {
                findings.push(public(format!("{subject} public: {whose}"), PRIVATE_NAME));
            }
            // Whoever registers it may answer with a private address today and with his own tomorrow.
            NameClass::LookAlike => findings.push(public(
                format!("{subject} only written like a private name, and anybody can register it"),
                "correct the name: a private one ends in .internal",
            )),
            NameClass::Private(_) | NameClass::Other => {}
        }
    }
    findings.extend(addresses(&format!("{name} leads to"), &answers.addresses));
    if let Some(gap) = &answers.gap {
        findings.push(unclear(
            format!("not every address of {name} could be found out ({gap})"),
            "look at the name server, and try again",
        ));
    } else if answers.addresses.is_empty() {
        findings.push(unclear(
            format!("{name} leads nowhere from here"),
            "correct the name; a private one is known inside its network alone",
        ));
    }
    findings
}

fn addresses(subject: &str, addresses: &[IpAddr]) -> Vec<Finding> {
    let one = |address: &IpAddr| {
        let class = classify_address(*address);
        let stands = class.carried.map(|inner| format!(", which stands for {inner}")).unwrap_or_default();
        match class.reach {
            Reach::Inside => None,
            Reach::Outside => Some(public(
                format!("{subject} {address}{stands}: no private network ({})", class.network),
                PRIVATE_NAME,
            )),
            Reach::Unclear => Some(unclear(
                format!("{subject} {address}{stands}: {}", class.network),
                "name the database by an address that tells where it is",
            )),
        }
    };
    addresses.iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isolation::endpoints;

    /// The facts as if every name led to these addresses, over these aliases.
    fn facts(connection: &str, aliases: &[&str], addresses: &[&str], gap: Option<&str>) -> Facts {
        let answers = |name: &str| Answers {
            chain: std::iter::once(name).chain(aliases.iter().copied()).map(str::to_owned).collect(),
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            gap: gap.map(str::to_owned),
        };
        let resolved = |endpoint: Endpoint| {
            let answers = match &endpoint.host {
                Host::Name(name) => Some(answers(name)),
                _ => None,
            };
            Resolved { endpoint, answers }
        };
        Facts {
            servers: endpoints(connection).unwrap().into_iter().map(resolved).collect(),
            visible: Vec::new(),
        }
    }

    fn worst(facts: &Facts, environment: Environment) -> Verdict {
        judge(facts, environment).first().map(|finding| finding.verdict).unwrap()
    }

    #[test]
    fn production_refuses_what_is_public_and_development_is_told() {
        use Verdict::{CouldNotTell, Fine, Refuse, Warn};
        let private: &[&str] = &["10.0.0.5", "fd12::5"];
        for (connection, aliases, addresses, gap, expected) in [
            ("postgres://db.railway.internal/d", &[][..], private, None, Fine),
            ("postgres://DB.RAILWAY.INTERNAL./d", &[], private, None, Fine),
            ("postgres://db/d", &[], &["172.18.0.2"], None, Fine),
            ("postgres://localhost/d", &[], &["127.0.0.1", "::1"], None, Fine),
            ("postgres://100.64.0.1/d", &[], &[], None, Fine),
            ("postgres:///d?host=/run/postgresql", &[], &[], None, Fine),
            ("host=a,b", &[], private, None, Fine),
            ("postgres://db.railway.internal/d", &[], &["fd12::5"], None, Fine),
            // a literal public address, in every dress
            ("postgres://8.8.8.8/d", &[], &[], None, Refuse),
            ("postgres://[::ffff:8.8.8.8]/d", &[], &[], None, Refuse),
            ("postgres://[64:ff9b::808:808]/d", &[], &[], None, Refuse),
            ("postgres://134744072/d", &[], &[], None, Refuse),
            // one private, one public
            ("postgres://db.example/d", &[], &["10.0.0.5", "8.8.8.8"], None, Refuse),
            ("postgres://db.railway.internal/d", &[], &["8.8.8.8"], None, Refuse),
            // public by name, wherever it leads, and whether it leads anywhere
            ("postgres://x.proxy.rlwy.net:15432/d", &[], private, None, Refuse),
            ("postgres://x.proxy.rlwy.net/d", &[], &[], Some("timed out"), Refuse),
            ("postgres://X.PROXY.RLWY.NET./d", &[], &[], None, Refuse),
            ("postgres://db.example/d", &["x.proxy.rlwy.net"], private, None, Refuse),
            // look-alikes
            ("postgres://postgres.railway.internal.evil.example/d", &[], private, None, Refuse),
            ("postgres://db.example/d", &["railway.internal.evil.example"], private, None, Refuse),
            // several hosts, hostaddr
            ("host=10.0.0.5,8.8.8.8", &[], &[], None, Refuse),
            ("host=db hostaddr=8.8.8.8", &[], private, None, Refuse),
            ("host=db hostaddr=10.9.9.9", &[], private, None, Warn),
            ("host=db hostaddr=10.0.0.5", &[], private, None, Fine),
            // not proven
            ("postgres://db.railway.internal/d", &[], &[], None, CouldNotTell),
            ("postgres://db.railway.internal/d", &[], &[], Some("timed out"), CouldNotTell),
            ("postgres://db.example/d", &[], &["10.0.0.5"], Some("timed out"), CouldNotTell),
            ("postgres://db.example/d", &[], &["8.8.8.8"], Some("timed out"), Refuse),
            ("postgres://0.0.0.0/d", &[], &[], None, CouldNotTell),
        ] {
            let facts = facts(connection, aliases, addresses, gap);
            let found = judge(&facts, Environment::Production);
            assert_eq!(found[0].verdict, expected, "{connection} {aliases:?} {addresses:?}: {found:?}");
            assert_eq!(worst(&facts, Environment::Staging), expected, "{connection} in staging");
            let lenient = if expected == Refuse { Warn } else { expected };
            assert_eq!(worst(&facts, Environment::Development), lenient, "{connection} in development");
            for finding in found {
                assert_eq!(finding.remedy.is_empty(), finding.verdict == Fine, "{finding:?}");
            }
        }
        assert_eq!(worst(&Facts::default(), Environment::Production), CouldNotTell);
    }

    #[test]
    fn what_the_environment_tells_counts_beside_a_private_name() {
        let mut facts = facts("postgres://db.railway.internal/d", &[], &["fd12::5"], None);
        facts.visible = vec![VisibleVariable::PublicUrl];
        assert_eq!(worst(&facts, Environment::Production), Verdict::Refuse);
        assert_eq!(worst(&facts, Environment::Development), Verdict::Warn);
    }

    #[test]
    fn a_finding_names_the_thing() {
        let facts = facts("postgres://db.example/d", &["x.proxy.rlwy.net"], &["64:ff9b::808:808"], None);
        let found = judge(&facts, Environment::Development);
        assert_eq!(
            found.iter().map(|finding| finding.sentence.as_str()).collect::<Vec<_>>(),
            [
                "db.example is another name of x.proxy.rlwy.net, which is public: Railway's TCP proxy; staging and production \
                 refuse to start with it",
                "db.example leads to 64:ff9b::808:808, which stands for 8.8.8.8: no private network (the internet); staging \
                 and production refuse to start with it",
            ]
        );
    }
}
