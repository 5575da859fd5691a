//! Facts that no server of ours shows, and what they mean.

use super::*;
use crate::strength::facts::{
    Access, Channel, Door, Kind, Login, Path, Provenance, Role, Rule, Server, Stored, SystemUser, Try,
    WrongPassword,
};
use crate::strength::wire::{Address, Asked};

const EVERYWHERE: [Environment; 3] =
    [Environment::Development, Environment::Staging, Environment::Production];

fn door(asked: &Asked) -> Door {
    let access =
        Access { role: "app".into(), database: Some("orders".into()), tls: false, asked: asked.clone() };
    let address = Address { host: "db".into(), port: 5432 };
    Door { address, offers_tls: Ok(true), accesses: vec![access], left_out: 0 }
}

fn sound() -> Facts {
    let stored = Stored {
        role: "app".into(),
        kind: Some(Kind::Scram),
        iterations: Some(4096),
        fingerprint: None,
        guessed: None,
    };
    let role = Role { name: "app".into(), databases: vec!["orders".into()], ..Role::default() };
    Facts {
        role: "app".into(),
        database: "orders".into(),
        doors: vec![door(&Asked::Sasl(vec!["SCRAM-SHA-256".into()]))],
        control: Login::Works,
        system_user: SystemUser::Is("scram-sha-256:app".into()),
        tries: vec![Try { role: "app".into(), database: "orders".into(), outcome: WrongPassword::Refused }],
        server: Ok(Server { version: 180_004, roles: vec![role] }),
        stored: Ok(vec![stored]),
        rules: Ok(Vec::new()),
        provenance: Provenance::Ours { generation: 7 },
        channel: Channel { tls: Some(true), tls_is_optional: false, path: Path::Private },
    }
}

/// The worst severity of a claim in production, and its certainty.
fn worst(facts: &Facts, claim: Claim) -> (Severity, Certainty) {
    let findings = judge(facts, Environment::Production);
    let of_claim = findings.iter().filter(|finding| finding.claim == claim);
    let worst = of_claim.max_by_key(|finding| finding.severity).expect("each claim has a finding");
    (worst.severity, worst.certainty)
}

#[test]
fn the_sound_world_is_fine_everywhere() {
    for environment in EVERYWHERE {
        let findings = judge(&sound(), environment);
        assert_eq!(findings.len(), 8);
        assert!(findings.iter().all(|finding| finding.severity == Severity::Fine), "{findings:#?}");
    }
}

#[test]
fn no_fact_that_is_missing_is_fine_and_none_refuses() {
    let gone = || Err("permission denied".to_owned());
    let cases: [(Claim, Facts); 9] = [
        (
            Claim::PasswordRequired,
            Facts {
                doors: vec![Door { offers_tls: gone().map(|()| true), ..door(&Asked::Nothing) }],
                ..sound()
            },
        ),
        (Claim::PasswordRequired, Facts { doors: vec![door(&Asked::Unclear("53300".into()))], ..sound() }),
        (
            Claim::PasswordRequired,
            Facts { doors: vec![Door { left_out: 3, ..sound().doors.remove(0) }], ..sound() },
        ),
        (Claim::WrongPasswordRefused, Facts { control: Login::Refused("28P01".into()), ..sound() }),
        (Claim::WrongPasswordRefused, Facts { tries: Vec::new(), ..sound() }),
        (Claim::ScramOnly, Facts { doors: Vec::new(), ..sound() }),
        (Claim::StoredAsScram, Facts { stored: gone().map(|()| Vec::new()), ..sound() }),
        (Claim::StoredAsScram, Facts { stored: Ok(Vec::new()), ..sound() }),
        (
            Claim::LeastPrivilege,
            Facts { server: Ok(Server { version: 150_000, roles: Vec::new() }), ..sound() },
        ),
    ];
    for (claim, facts) in cases {
        assert_eq!(worst(&facts, claim), (Severity::Warning, Certainty::CouldNotTell), "{facts:#?}");
        let findings = judge(&facts, Environment::Production);
        assert!(!findings.iter().any(|finding| finding.claim == claim && finding.severity == Severity::Fine));
        for environment in EVERYWHERE {
            assert!(!crate::strength::refuses(&judge(&facts, environment)), "{facts:#?}");
        }
    }
}

#[test]
fn the_path_is_encrypted_or_private() {
    let of = |tls, tls_is_optional, path| {
        let facts = Facts { channel: Channel { tls, tls_is_optional, path }, ..sound() };
        worst(&facts, Claim::ProtectedPath)
    };
    assert_eq!(of(Some(false), true, Path::Private), (Severity::Fine, Certainty::Certain));
    assert_eq!(of(Some(true), false, Path::Public), (Severity::Fine, Certainty::Certain));
    // Encrypted today: who is on the way could answer that there is no TLS.
    assert_eq!(of(Some(true), true, Path::Public), (Severity::Warning, Certainty::Likely));
    assert_eq!(of(Some(false), true, Path::Public), (Severity::Refusal, Certainty::Certain));
    assert_eq!(of(Some(false), true, Path::Unknown), (Severity::Warning, Certainty::CouldNotTell));
    assert_eq!(of(None, true, Path::Public), (Severity::Warning, Certainty::CouldNotTell));
}

#[test]
fn few_rounds_are_refused_and_an_unknown_form_is_not_proven() {
    let of = |kind, iterations| {
        let mut facts = sound();
        facts.stored = facts.stored.map(|mut all| {
            all[0].kind = kind;
            all[0].iterations = iterations;
            all
        });
        worst(&facts, Claim::StoredAsScram)
    };
    assert_eq!(of(Some(Kind::Scram), Some(4095)), (Severity::Refusal, Certainty::Certain));
    assert_eq!(of(Some(Kind::Scram), Some(4096)), (Severity::Fine, Certainty::Certain));
    assert_eq!(of(None, None), (Severity::Warning, Certainty::CouldNotTell));
}

#[test]
fn another_way_of_authentication_is_named() {
    let facts = Facts { system_user: SystemUser::Is("md5:app".into()), ..sound() };
    assert_eq!(worst(&facts, Claim::ScramOnly), (Severity::Refusal, Certainty::Certain));
    let facts = Facts { system_user: SystemUser::Nobody, ..sound() };
    assert_eq!(worst(&facts, Claim::PasswordRequired), (Severity::Refusal, Certainty::Certain));
    // Before 16 there is none: the wire alone speaks.
    let facts = Facts { system_user: SystemUser::Unseen, ..sound() };
    assert_eq!(worst(&facts, Claim::ScramOnly), (Severity::Fine, Certainty::Certain));
}

#[test]
fn rules_explain_and_never_refuse() {
    let of = |kind: &str, address: Option<&str>, method: &str| {
        let rule = Rule {
            line: 1,
            kind: Some(kind.into()),
            address: address.map(str::to_owned),
            method: Some(method.into()),
            error: None,
        };
        worst(&Facts { rules: Ok(vec![rule]), ..sound() }, Claim::Rules)
    };
    assert_eq!(of("host", Some("10.0.0.0"), "trust"), (Severity::Warning, Certainty::Likely));
    assert_eq!(of("hostnossl", Some("all"), "md5"), (Severity::Warning, Certainty::Likely));
    assert_eq!(of("host", Some("10.0.0.0"), "scram-sha-256"), (Severity::Fine, Certainty::Certain));
    assert_eq!(of("host", Some("10.0.0.0"), "reject"), (Severity::Fine, Certainty::Certain));
    // As in the image of Docker Hub: whoever is beside the server.
    let beside = judge(
        &Facts {
            rules: Ok(vec![Rule {
                line: 1,
                kind: Some("host".into()),
                address: Some("127.0.0.1".into()),
                method: Some("trust".into()),
                error: None,
            }]),
            ..sound()
        },
        Environment::Production,
    );
    assert!(beside.iter().any(|finding| finding.severity == Severity::Note));
    let broken = Rule { line: 2, kind: None, address: None, method: None, error: Some("syntax".into()) };
    let broken = Facts { rules: Ok(vec![broken]), ..sound() };
    assert_eq!(worst(&broken, Claim::Rules), (Severity::Warning, Certainty::Likely));
}

#[test]
fn a_long_list_of_names_is_cut_and_counted() {
    let names: Vec<String> = (0..9).map(|number| format!("r{number}")).collect();
    assert_eq!(listed(&names), "r0, r1, r2, r3, r4, r5 and 3 more");
    assert_eq!(listed(&names[..6]), "r0, r1, r2, r3, r4, r5");
}

#[test]
fn a_finding_prints_its_remedy_and_keeps_its_names() {
    let facts = Facts { doors: vec![door(&Asked::Nothing)], ..sound() };
    let findings = judge(&facts, Environment::Production);
    let text = findings[0].to_string();
    assert!(
        text.starts_with("At db:5432 nobody is asked for a password: app in orders without TLS."),
        "{text}"
    );
    assert!(text.contains("\n  remedy: Replace `trust`"), "{text}");
    let json = serde_json::to_value(&findings[0]).expect("findings serialise");
    assert_eq!(json["claim"], "password_required");
    assert_eq!(json["severity"], "refusal");
    assert_eq!(json["certainty"], "certain");
}
