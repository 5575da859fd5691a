//! Names as a real name server gives them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use steward::Environment;
use steward::isolation::{Answers, Facts, Finding, Names, Verdict, endpoints, judge};
use testkit::dns::Dnsmasq;

async fn server() -> Dnsmasq {
    let names = [
        ("x.proxy.rlwy.net", "203.0.113.7"),
        ("mixed.test", "10.1.2.3"),
        ("mixed.test", "198.51.100.9"),
        ("six.railway.internal", "fd12:3456::5"),
        ("both.railway.internal", "10.1.2.4"),
        ("both.railway.internal", "fd12:3456::6"),
        ("nat64.test", "64:ff9b::808:808"),
        ("postgres.railway.internal.evil.example", "10.1.2.3"),
    ];
    let aliases = [("db.test", "middle.test"), ("middle.test", "x.proxy.rlwy.net")];
    Dnsmasq::start(&names, &aliases).await
}

async fn found(server: &Dnsmasq, connection: &str) -> Vec<Finding> {
    let servers = Names::at(server.address()).look(endpoints(connection).unwrap()).await;
    judge(&Facts { servers, visible: Vec::new() }, Environment::Production)
}

fn addresses(answers: &Answers) -> Vec<String> {
    let mut list: Vec<_> = answers.addresses.iter().map(ToString::to_string).collect();
    list.sort();
    list
}

#[tokio::test]
async fn every_address_and_every_alias_is_found() {
    let server = server().await;
    let names = Names::at(server.address());
    let alias = names.answers("DB.test.").await;
    assert_eq!(alias.chain, ["db.test", "middle.test", "x.proxy.rlwy.net"]);
    assert_eq!((addresses(&alias), alias.gap), (vec!["203.0.113.7".to_owned()], None));
    assert_eq!(addresses(&names.answers("mixed.test").await), ["10.1.2.3", "198.51.100.9"]);
    let six = names.answers("six.railway.internal").await;
    assert_eq!(
        (addresses(&six), six.gap),
        (vec!["fd12:3456::5".to_owned()], None),
        "an IPv6 answer alone is no gap"
    );
    let nowhere = names.answers("nowhere.test").await;
    assert_eq!((nowhere.addresses, nowhere.gap), (vec![], None));
}

#[tokio::test]
async fn the_verdicts_follow() {
    let server = server().await;
    for (connection, verdict, words) in [
        ("postgres://db.test/d", Verdict::Refuse, "db.test is another name of x.proxy.rlwy.net"),
        ("postgres://mixed.test/d", Verdict::Refuse, "198.51.100.9"),
        ("postgres://nat64.test/d", Verdict::Refuse, "8.8.8.8"),
        (
            "postgres://postgres.railway.internal.evil.example/d",
            Verdict::Refuse,
            "written like a private name",
        ),
        ("host=both.railway.internal,mixed.test", Verdict::Refuse, "198.51.100.9"),
        ("postgres://six.railway.internal/d", Verdict::Fine, "fd12:3456::5"),
        ("postgres://both.railway.internal/d", Verdict::Fine, "10.1.2.4"),
        ("postgres://absent.railway.internal/d", Verdict::CouldNotTell, "leads nowhere"),
    ] {
        let findings = found(&server, connection).await;
        assert_eq!(findings[0].verdict, verdict, "{connection}: {findings:?}");
        assert!(
            findings.iter().any(|finding| finding.sentence.contains(words)),
            "{connection}: {findings:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_is_silent_leaves_it_open() {
    let server = server().await;
    let asked = found(&server, "postgres://db.silence.test/d");
    let findings = tokio::time::timeout(Duration::from_secs(60), asked).await.unwrap();
    assert_eq!(findings[0].verdict, Verdict::CouldNotTell, "{findings:?}");
    assert!(findings[0].sentence.contains("could be found out"), "{findings:?}");
    // Nobody there at all.
    let names = Names::at(testkit::ports::refusing());
    let answers = names.answers("db.test").await;
    assert!(answers.gap.is_some() && answers.addresses.is_empty(), "{answers:?}");
}

#[tokio::test]
async fn the_machines_own_names_are_known_without_a_name_server() {
    let answers = Names::system().answers("localhost").await;
    assert!(answers.addresses.iter().any(|address| address.is_loopback()), "{answers:?}");
}
