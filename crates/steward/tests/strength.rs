//! Each way in which a real PostgreSQL lets a weak password do, planted and found.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use secrecy::SecretString;
use steward::strength::{self, Address, Certainty, Claim, Finding, Options, Severity, refuses};
use steward::{Credential, Environment, adopt, connect, ledger, verifier};
use testkit::pgbouncer::{Authentication, Mode, PgBouncer};
use testkit::postgres::{self, Database, Postgres, Version};

/// 43 characters that nobody else has.
const WRONG: &str = "Zq3vX8kN1mT6rB0yW5uJ9cH2dF7gL4pS-aEoIxQwRtYk";
const SOUND: &str =
    "host all all 127.0.0.1/32 scram-sha-256\nhost replication all 127.0.0.1/32 scram-sha-256\n";

/// A cluster, a database of an application's own, and the two credentials.
struct World {
    cluster: Postgres,
    database: Database,
}

impl World {
    fn with(options: &postgres::Options) -> Self {
        let cluster = Postgres::start_with(options);
        let database = cluster.fresh_database();
        Self { cluster, database }
    }

    fn sound() -> Self {
        Self::with(&postgres::Options::default())
    }

    fn ruled_by(rules: &str) -> Self {
        Self::with(&postgres::Options {
            hba: Some(format!("{rules}{SOUND}")),
            ..postgres::Options::default()
        })
    }

    fn credential(&self) -> Credential {
        Credential::from_url(&self.database.url_with_password(), None).unwrap()
    }

    fn administrator(&self) -> Credential {
        Credential::from_url(&self.cluster.url_with_password("postgres"), None).unwrap()
    }

    fn sql(&self, text: &str) {
        self.cluster.run_sql("postgres", text);
    }

    async fn judged(&self) -> Vec<Finding> {
        self.judged_as(&self.credential(), true, None).await
    }

    async fn judged_as(
        &self,
        credential: &Credential,
        ask_administrator: bool,
        direct: Option<u16>,
    ) -> Vec<Finding> {
        let administrator = self.administrator();
        let options = Options {
            administrator: ask_administrator.then_some(&administrator),
            direct: direct.map(|port| Address { host: "127.0.0.1".into(), port }),
            wrong: SecretString::from(WRONG),
            patience: Duration::from_secs(5),
        };
        let facts = strength::observe(credential, &options).await;
        // Whatever is kept of the facts, no secret is in it.
        let kept = serde_json::to_string(&facts).unwrap();
        for secret in [self.database.password.as_str(), self.cluster.superuser_password(), "SCRAM-SHA-256$"] {
            assert!(!kept.contains(secret), "{kept}");
        }
        assert_eq!(facts, serde_json::from_str(&kept).unwrap());
        let production = strength::judge(&facts, Environment::Production);
        assert_eq!(production, strength::judge(&facts, Environment::Staging));
        // Development warns of the same and starts.
        let development = strength::judge(&facts, Environment::Development);
        assert!(!refuses(&development));
        let refused = production.iter().filter(|finding| finding.severity == Severity::Refusal);
        for finding in refused {
            let twin = Finding { severity: Severity::Warning, ..finding.clone() };
            assert!(development.contains(&twin), "{finding}");
        }
        production
    }
}

/// The certain fact of this claim that refuses a start and holds these words.
#[track_caller]
fn refused<'a>(findings: &'a [Finding], claim: Claim, words: &str) -> &'a Finding {
    let found = findings.iter().find(|finding| {
        finding.claim == claim
            && finding.severity == Severity::Refusal
            && finding.certainty == Certainty::Certain
            && finding.sentence.contains(words)
    });
    found.unwrap_or_else(|| panic!("no refusal of {claim:?} with {words:?} in {findings:#?}"))
}

/// Everything else is fine.
#[track_caller]
fn only(findings: &[Finding], claims: &[Claim]) {
    for finding in findings {
        assert!(
            finding.severity <= Severity::Note || claims.contains(&finding.claim),
            "{finding} ({claims:?} expected): {findings:#?}"
        );
    }
}

fn severities(findings: &[Finding]) -> Vec<Severity> {
    findings.iter().map(|finding| finding.severity).collect()
}

#[tokio::test]
async fn a_sound_world_passes_on_both_versions() {
    for version in [Version::Installed, Version::Eighteen] {
        for tls in [false, true] {
            let world = World::with(&postgres::Options { version, tls, ..postgres::Options::default() });
            let findings = world.judged().await;
            only(&findings, &[]);
            let fine = findings.iter().filter(|finding| finding.severity == Severity::Fine);
            assert_eq!(fine.map(|finding| finding.claim).collect::<Vec<_>>().len(), 8, "{findings:#?}");
        }
    }
}

#[tokio::test]
async fn trust_is_found_on_both_versions() {
    for version in [Version::Installed, Version::Eighteen] {
        let hba = Some("host all all 127.0.0.1/32 trust\n".to_owned());
        let world = World::with(&postgres::Options { version, hba, ..postgres::Options::default() });
        let findings = world.judged().await;
        refused(&findings, Claim::PasswordRequired, "nobody is asked for a password");
        refused(&findings, Claim::WrongPasswordRefused, "lets in");
        if version == Version::Eighteen {
            refused(&findings, Claim::PasswordRequired, "SYSTEM_USER is NULL");
        }
    }
}

#[tokio::test]
async fn trust_for_one_database_of_several_is_found() {
    let world = World::ruled_by("host second all 127.0.0.1/32 trust\n");
    only(&world.judged().await, &[Claim::Rules]);
    world.sql("create database second; create role idle login password 'Xk29vLq81MnzRt64PwYe';");
    let findings = world.judged().await;
    let finding = refused(&findings, Claim::PasswordRequired, "in second");
    assert!(!finding.sentence.contains("in postgres"), "{finding}");
    assert!(finding.sentence.contains("idle in second"), "{finding}");
}

#[tokio::test]
async fn trust_for_the_own_network_is_found() {
    let world = World::ruled_by("host all all samenet trust\n");
    refused(&world.judged().await, Claim::PasswordRequired, "nobody is asked");
}

#[tokio::test]
async fn trust_for_replication_alone_is_found() {
    let world = World::ruled_by("host replication all 127.0.0.1/32 trust\n");
    let findings = world.judged().await;
    refused(&findings, Claim::PasswordRequired, "superuser as a replica");
    only(&findings, &[Claim::PasswordRequired, Claim::Rules]);
}

#[tokio::test]
async fn trust_without_tls_beside_scram_with_it_is_found() {
    let hba = "hostssl all all 127.0.0.1/32 scram-sha-256\nhostnossl all all 127.0.0.1/32 trust\n".to_owned();
    let world = World::with(&postgres::Options { tls: true, hba: Some(hba), ..postgres::Options::default() });
    // The application itself goes over TLS, and its wrong password is refused.
    let credential = Credential { parameters: "sslmode=require".into(), ..world.credential() };
    let findings = world.judged_as(&credential, true, None).await;
    let finding = refused(&findings, Claim::PasswordRequired, "without TLS");
    assert!(!finding.sentence.contains("over TLS"), "{finding}");
    only(&findings, &[Claim::PasswordRequired, Claim::Rules]);
}

#[tokio::test]
async fn a_rule_that_wants_clear_text_is_found() {
    let world = World::ruled_by("host all owner_0 127.0.0.1/32 password\n");
    refused(&world.judged().await, Claim::ScramOnly, "in clear text: owner_0 in test_0");
}

#[tokio::test]
async fn an_md5_verifier_is_found() {
    let world = World::ruled_by("host all all 127.0.0.1/32 md5\n");
    world.sql("set password_encryption = 'md5'; create role old login password 'Xk29vLq81MnzRt64PwYe';");
    let findings = world.judged().await;
    refused(&findings, Claim::StoredAsScram, "An MD5 hash is stored for old");
    refused(&findings, Claim::ScramOnly, "by MD5: old in ");
}

#[tokio::test]
async fn an_md5_verifier_that_cannot_log_in_is_found_too() {
    let world = World::sound();
    world.sql("set password_encryption = 'md5'; create role old login password 'Xk29vLq81MnzRt64PwYe';");
    let findings = world.judged().await;
    refused(&findings, Claim::StoredAsScram, "An MD5 hash is stored for old");
    only(&findings, &[Claim::StoredAsScram]);
}

#[tokio::test]
async fn a_role_without_a_password_is_found_unless_it_is_retired() {
    let world = World::sound();
    world.sql("create role retired login password null valid until '2001-01-01';");
    only(&world.judged().await, &[]);
    world.sql("create role empty login;");
    let findings = world.judged().await;
    let finding = refused(&findings, Claim::StoredAsScram, "empty may log in and has no password");
    assert!(!finding.sentence.contains("retired"), "{finding}");
    only(&findings, &[Claim::StoredAsScram]);
}

#[tokio::test]
async fn a_weak_password_of_the_application_is_found() {
    let world = World::sound();
    for (password, words) in [
        ("owner_0", "holds the name of the role"),
        ("Xk29vLq81Mnz", "has fewer than 20 characters"),
        ("passwordpasswordpassword", "is made of common words"),
    ] {
        world.sql(&format!("alter role owner_0 password '{password}'"));
        let credential = Credential { password: SecretString::from(password), ..world.credential() };
        let findings = world.judged_as(&credential, true, None).await;
        refused(&findings, Claim::StrongPassword, words);
        only(&findings, &[Claim::StrongPassword]);
    }
}

#[tokio::test]
async fn a_weak_second_role_is_found() {
    let world = World::sound();
    world.sql("create role reporting login password 'reporting';");
    let findings = world.judged().await;
    refused(&findings, Claim::StrongPassword, "The password of reporting is its own name");
    only(&findings, &[Claim::StrongPassword]);
}

#[tokio::test]
async fn a_password_of_ours_is_known_by_the_ledger() {
    let world = World::sound();
    // Short, so that measuring it would complain: the ledger alone speaks for it.
    world.sql("alter role owner_0 password 'Xk29vLq81Mnz'");
    let credential = Credential { password: SecretString::from("Xk29vLq81Mnz"), ..world.credential() };
    let ledger = "create schema portcullis; create table portcullis.rotation (role_name text, generation bigint, \
                  fingerprint text, set_at timestamptz, valid_until timestamptz); \
                  insert into portcullis.rotation select rolname, 3, encode(sha256(convert_to(rolpassword, 'UTF8')), \
                  'hex'), clock_timestamp() from pg_authid where rolname = 'owner_0';";
    world.sql(ledger);
    only(&world.judged_as(&credential, true, None).await, &[]);
    // Somebody sets the same password behind our back: another salt, another fingerprint.
    world.sql("alter role owner_0 password 'Xk29vLq81Mnz'");
    let findings = world.judged_as(&credential, true, None).await;
    refused(&findings, Claim::StrongPassword, "has fewer than 20 characters");
}

#[tokio::test]
async fn powers_of_the_application_are_found_on_both_versions() {
    for version in [Version::Installed, Version::Eighteen] {
        let world = World::with(&postgres::Options { version, ..postgres::Options::default() });
        for power in ["superuser", "createrole", "createdb", "replication", "bypassrls"] {
            world.sql(&format!("alter role owner_0 {power}"));
            let findings = world.judged().await;
            refused(&findings, Claim::LeastPrivilege, &power.to_uppercase());
            only(&findings, &[Claim::LeastPrivilege]);
            world.sql(&format!("alter role owner_0 no{power}"));
        }
        world.sql("create role middle; grant pg_execute_server_program to middle; grant middle to owner_0;");
        refused(&world.judged().await, Claim::LeastPrivilege, "owner_0 belongs to pg_execute_server_program");
        world.sql("revoke middle from owner_0; create role chief createrole; grant chief to owner_0;");
        refused(&world.judged().await, Claim::LeastPrivilege, "owner_0 belongs to chief");
        if version == Version::Eighteen {
            // It has nothing of that role, and can give itself all of it.
            world.sql("revoke chief from owner_0; grant chief to owner_0 with inherit false, set false, admin true;");
            refused(&world.judged().await, Claim::LeastPrivilege, "owner_0 belongs to chief");
        }
        world.sql("revoke chief from owner_0;");
        only(&world.judged().await, &[]);
    }
}

#[tokio::test]
async fn a_file_that_was_edited_and_not_loaded_fools_nobody() {
    let world = World::ruled_by("host all all 127.0.0.1/32 trust\n");
    // The file is sound now, the server goes on with the old rules.
    world.cluster.edit_hba(SOUND);
    let findings = world.judged().await;
    refused(&findings, Claim::PasswordRequired, "nobody is asked");
    assert!(
        findings.iter().any(|finding| finding.claim == Claim::Rules && finding.severity == Severity::Fine)
    );
    world.cluster.reload();
    only(&world.judged().await, &[]);
    // The other way round: not open yet, and said to become so.
    world.cluster.edit_hba(&format!("host all all 0.0.0.0/0 trust\n{SOUND}"));
    let findings = world.judged().await;
    only(&findings, &[Claim::Rules]);
    let finding = findings.iter().find(|finding| finding.claim == Claim::Rules).unwrap();
    assert_eq!((finding.certainty, finding.severity), (Certainty::Likely, Severity::Warning));
}

#[tokio::test]
async fn what_the_application_may_not_read_is_not_proven() {
    let world = World::sound();
    let findings = world.judged_as(&world.credential(), false, None).await;
    let gaps: Vec<_> =
        findings.iter().filter(|finding| finding.certainty == Certainty::CouldNotTell).collect();
    assert_eq!(gaps.iter().map(|gap| gap.claim).collect::<Vec<_>>(), [Claim::StoredAsScram, Claim::Rules]);
    assert!(gaps.iter().all(|gap| gap.severity == Severity::Warning && !gap.remedy.is_empty()), "{gaps:#?}");
    // And the list of roles, too.
    world.cluster.run_sql(&world.database.name, "revoke select on pg_catalog.pg_roles from public");
    let findings = world.judged_as(&world.credential(), false, None).await;
    let gaps: Vec<_> =
        findings.iter().filter(|finding| finding.certainty == Certainty::CouldNotTell).collect();
    let expected = [Claim::PasswordRequired, Claim::StoredAsScram, Claim::LeastPrivilege, Claim::Rules];
    assert_eq!(gaps.iter().map(|gap| gap.claim).collect::<Vec<_>>(), expected);
    assert!(!refuses(&findings));
}

#[tokio::test]
async fn a_wrong_credential_or_a_stopped_server_proves_nothing() {
    let world = World::sound();
    let wrong = Credential { password: SecretString::from("Xk29vLq81MnzRt64PwYe7"), ..world.credential() };
    let findings = world.judged_as(&wrong, false, None).await;
    let finding = findings.iter().find(|finding| finding.claim == Claim::WrongPasswordRefused).unwrap();
    assert_eq!(finding.certainty, Certainty::CouldNotTell, "{finding}");
    world.cluster.stop();
    let findings = world.judged_as(&world.credential(), true, None).await;
    assert!(!severities(&findings).contains(&Severity::Refusal), "{findings:#?}");
    let fine: Vec<_> = findings.iter().filter(|finding| finding.severity == Severity::Fine).collect();
    // The password that we hold can be measured without a server.
    assert_eq!(fine.iter().map(|finding| finding.claim).collect::<Vec<_>>(), [Claim::StrongPassword]);
}

#[tokio::test]
async fn a_pooler_hides_and_is_seen_through() {
    let world = World::sound();
    for mode in [Mode::Session, Mode::Transaction] {
        let pooler = PgBouncer::before(&world.cluster, mode, Authentication::Scram);
        let through = Credential { port: pooler.port(), ..world.credential() };
        let findings = world.judged_as(&through, true, Some(world.cluster.port())).await;
        only(&findings, &[]);
    }
    for authentication in [Authentication::Trust, Authentication::Any] {
        let pooler = PgBouncer::before(&world.cluster, Mode::Transaction, authentication);
        let through = Credential { port: pooler.port(), ..world.credential() };
        let findings = world.judged_as(&through, true, Some(world.cluster.port())).await;
        let finding = refused(&findings, Claim::PasswordRequired, &format!("At 127.0.0.1:{}", pooler.port()));
        assert!(!finding.sentence.contains(&world.cluster.port().to_string()), "{finding}");
        refused(&findings, Claim::WrongPasswordRefused, "lets in");
    }
}

#[tokio::test]
async fn trust_behind_a_pooler_that_asks_for_scram_is_found() {
    let world = World::ruled_by("host all all 127.0.0.1/32 trust\n");
    let pooler = PgBouncer::before(&world.cluster, Mode::Session, Authentication::Scram);
    let through = Credential { port: pooler.port(), ..world.credential() };
    let findings = world.judged_as(&through, true, Some(world.cluster.port())).await;
    let finding =
        refused(&findings, Claim::PasswordRequired, &format!("At 127.0.0.1:{}", world.cluster.port()));
    assert!(!finding.sentence.contains(&pooler.port().to_string()), "{finding}");
}

#[tokio::test]
async fn nobody_is_asked_to_try_twice() {
    let world = World::with(&postgres::Options::default().setting("log_connections", "on"));
    world.judged().await;
    let failures =
        world.cluster.log().matches("password authentication failed for user \"superuser\"").count();
    assert_eq!(failures, 1, "{}", world.cluster.log());
}

/// The way of a fresh Railway project: `DATABASE_URL` is the superuser's, which production refuses, until the database is
/// adopted and the first rotation has made a slot's password.
#[tokio::test]
async fn the_platforms_superuser_is_refused_and_the_adopted_slot_is_not() {
    for version in [Version::Installed, Version::Eighteen] {
        let world = World::with(&postgres::Options { version, ..postgres::Options::default() });
        world.sql("create database railway");
        let administrator = Credential { database: "railway".into(), ..world.administrator() };
        let findings = world.judged_as(&administrator, true, None).await;
        refused(&findings, Claim::LeastPrivilege, "which is SUPERUSER");

        let plan = adopt::plan(&administrator, &administrator, &adopt::Options::default()).await.unwrap();
        let names = adopt::apply(&administrator, &plan).await.unwrap();
        let password = verifier::password(*b"thirty-two bytes, random enough.");
        let made = SecretString::from(verifier::verifier(&password, [5; 16]));
        let mut session = connect::login(&administrator).await.unwrap();
        let newest = ledger::newest_generation(&mut session).await.unwrap();
        ledger::rotate(&mut session, &names.slot_a, &made, newest, newest + 1, None).await.unwrap();
        connect::logout(session).await;

        let slot = Credential { username: names.slot_a, password, generation: newest + 1, ..administrator };
        // Without the administrator, as a server in production runs.
        let findings = world.judged_as(&slot, false, None).await;
        only(&findings, &[Claim::Rules]);
        let ours = findings.iter().find(|finding| finding.claim == Claim::StrongPassword).unwrap();
        assert!(ours.sentence.contains("was made here of 256 random bits"), "{ours}");
        only(&world.judged_as(&slot, true, None).await, &[]);
    }
}

/// Who owns a database may make a schema of the ledger's name, and an administrator looks every hour.
#[tokio::test]
async fn a_ledger_that_the_application_laid_out_is_not_read_by_the_administrators_session() {
    let world = World::sound();
    let (app, home) = (&world.database.owner, &world.database.name);
    let planted = format!(
        "set role {app}; create schema portcullis; \
         create function portcullis.seize() returns text language plpgsql as $$ begin \
             if current_setting('is_superuser') = 'on' then execute 'alter role {app} superuser'; end if; \
             return '{app}'; end $$; \
         create view portcullis.rotation as select portcullis.seize() as role_name, 0 as generation, '' as fingerprint"
    );
    world.cluster.run_sql(home, &planted);
    let administrator = Credential { database: home.clone(), ..world.administrator() };
    let options = Options {
        administrator: Some(&administrator),
        direct: None,
        wrong: SecretString::from(WRONG),
        patience: Duration::from_secs(5),
    };
    strength::observe(&world.credential(), &options).await;
    let seized =
        world.cluster.run_sql(home, &format!("select rolsuper from pg_roles where rolname = '{app}'"));
    assert_eq!(seized, "f", "the application is no superuser");
}
