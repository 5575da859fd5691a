//! Mistakes in what an operator writes: each is named with its place and remedy, nothing starts, and nothing is lost.

use std::os::unix::fs::PermissionsExt as _;

use crate::served::{Laid, Served, private};
use crate::world::PASSWORD;

/// A change of the configuration, files beside it, and what the message must hold.
struct Mistake {
    what: &'static str,
    edit: (&'static str, &'static str),
    openapi: &'static str,
    says: &'static [&'static str],
}

const ROUTE: &str = "[[gateway.route]]\nmatch = \"GET /notes\"\n";
const PRODUCTION: (&str, &str) = ("environment = \"development\"", "environment = \"production\"");

const MISTAKES: [Mistake; 11] = [
    Mistake {
        what: "an unknown key",
        edit: ("audience = ", "audiense = \"x\"\naudience = "),
        openapi: "",
        says: &["portcullis.toml", "line ", "audiense", "^"],
    },
    Mistake {
        what: "a literal secret",
        edit: ("key_file = \"store.key\"", "key = \"c0ffee-is-no-secret\""),
        openapi: "",
        says: &["portcullis.toml", "line ", "env:NAME"],
    },
    Mistake {
        what: "a missing secret file",
        edit: ("key_encryption_key_file = \"kek\"", "key_encryption_key_file = \"absent/kek\""),
        openapi: "",
        says: &["key_encryption_key_file", "absent/kek"],
    },
    Mistake {
        what: "a document that is not there",
        edit: ("audience = ", "openapi = \"openapi.yaml\"\naudience = "),
        openapi: "",
        says: &["gateway.openapi", "openapi.yaml"],
    },
    Mistake {
        what: "a document that does not parse",
        edit: ("audience = ", "openapi = \"openapi.yaml\"\naudience = "),
        openapi: "openapi: 3.0.0\npaths: {\n  /a: [\n",
        says: &["openapi.yaml", "line "],
    },
    Mistake {
        what: "a rule with a scope that its scheme does not know",
        edit: ("audience = ", "openapi = \"openapi.yaml\"\naudience = "),
        openapi: UNKNOWN_SCOPE,
        says: &["openapi.yaml", "read:nothing"],
    },
    Mistake {
        what: "two rules for one endpoint",
        edit: (
            ROUTE,
            "[[gateway.route]]\nmatch = \"GET /notes\"\npublic = \"because\"\n[[gateway.route]]\nmatch = \"GET /notes\"\n",
        ),
        openapi: "",
        says: &["GET /notes", "gateway.route 1", "gateway.route 2"],
    },
    Mistake {
        what: "tied rules",
        edit: (
            ROUTE,
            "[[gateway.route]]\nmatch = \"GET /{a}/x\"\npublic = \"because\"\n[[gateway.route]]\nmatch = \"GET /x/{a}\"\n",
        ),
        openapi: "",
        says: &["GET /{a}/x", "GET /x/{a}"],
    },
    Mistake {
        what: "a public route without a reason",
        edit: (
            ROUTE,
            "[[gateway.route]]\nmatch = \"GET /open\"\npublic = \"\"\n[[gateway.route]]\nmatch = \"GET /notes\"\n",
        ),
        openapi: "",
        says: &["GET /open", "reason"],
    },
    Mistake {
        what: "every origin",
        edit: ("audience = ", "frontend_origins = [\"*\"]\naudience = "),
        openapi: "",
        says: &["gateway.frontend_origins", "*"],
    },
    Mistake {
        what: "a password in a URL",
        edit: ("sqlcipher:portcullis.db", "postgres://app:hunter2-hunter2@localhost/app"), // portcullis:allow made up
        openapi: "",
        says: &["store.url", "password_file"],
    },
];

const UNKNOWN_SCOPE: &str = r#"
openapi: 3.0.0
info: { title: x, version: "1" }
paths:
  /a:
    get:
      security: [{ login: [read:nothing] }]
      responses: {}
components:
  securitySchemes:
    login:
      type: oauth2
      flows: { clientCredentials: { tokenUrl: "https://x", scopes: { read:a: a } } }
"#;

#[tokio::test]
async fn each_mistake_is_named_by_check_and_by_serve_and_nothing_starts() {
    // A store that is there, so that a missing key is a mistake and not a first start.
    let laid = Served::start("").await.stop().await;
    let sound = std::fs::read_to_string(laid.file()).unwrap();
    laid.run(&["check"]).await.expect(0);
    for mistake in MISTAKES {
        std::fs::write(laid.file(), &sound).unwrap();
        laid.edit(mistake.edit.0, mistake.edit.1);
        let _ = std::fs::remove_file(laid.path("openapi.yaml"));
        if !mistake.openapi.is_empty() {
            std::fs::write(laid.path("openapi.yaml"), mistake.openapi).unwrap();
        }
        for command in [&["check"][..], &["serve", "--json"]] {
            let output = laid.run(command).await;
            let said = format!("{}{}", output.stdout, output.stderr);
            assert_ne!(output.code, Some(0), "{}: {command:?} goes on: {said}", mistake.what);
            for part in mistake.says {
                assert!(said.contains(part), "{}: {command:?} does not say `{part}`: {said}", mistake.what);
            }
            assert!(
                !said.contains("c0ffee") && !said.contains("hunter2"),
                "{}: a secret is shown: {said}",
                mistake.what
            );
            assert!(!said.contains("panicked"), "{}: {said}", mistake.what);
        }
    }
}

#[tokio::test]
async fn lax_permissions_refuse_to_start_in_production() {
    let here = Served::start("").await;
    let laid = here.stop().await;
    laid.edit(PRODUCTION.0, PRODUCTION.1);
    std::fs::set_permissions(laid.path("store.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let output = laid.run(&["serve", "--json"]).await;
    assert_ne!(output.code, Some(0));
    for part in ["store.key", "0644", "chmod 600"] {
        assert!(output.stderr.contains(part), "`{part}` is missing: {}", output.stderr);
    }
}

#[tokio::test]
async fn a_key_that_does_not_fit_the_database_changes_nothing_and_the_right_one_still_opens_it() {
    let here = Served::start("").await;
    here.sign_up("ada@example.com").await;
    let laid = here.stop().await;
    let right = std::fs::read(laid.path("store.key")).unwrap();
    let database = std::fs::read(laid.path("portcullis.db")).unwrap();

    private(&laid.path("store.key"), &[9; 32]);
    let output = laid.run(&["serve", "--json"]).await;
    assert_ne!(output.code, Some(0));
    assert!(output.stderr.contains("portcullis.db") && output.stderr.contains("key"), "{}", output.stderr);
    assert!(std::fs::read(laid.path("portcullis.db")).unwrap() == database, "the database was touched");

    private(&laid.path("store.key"), &right);
    let here = laid.start().await;
    here.log_in("ada@example.com", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_key_encryption_key_that_does_not_fit_refuses_to_start() {
    let laid = Served::start("").await.stop().await;
    private(&laid.path("kek"), &[8; 32]);
    let output = laid.run(&["serve", "--json"]).await;
    assert_ne!(output.code, Some(0));
    assert!(
        output.stderr.contains("key-encryption key") && output.stderr.contains("restore"),
        "{}",
        output.stderr
    );
    private(&laid.path("kek"), &[7; 32]);
    laid.start().await.stop().await;
}

#[tokio::test]
async fn a_port_in_use_is_named_with_who_wanted_it() {
    let laid = Laid::out("").await;
    let port = laid.gateway.rsplit(':').next().unwrap();
    let taken = std::net::TcpListener::bind(format!("127.0.0.1:{port}")).unwrap();
    let output = laid.run(&["serve", "--json"]).await;
    assert_ne!(output.code, Some(0));
    for part in [port, "gateway", "another port"] {
        assert!(output.stderr.contains(part), "`{part}` is missing: {}", output.stderr);
    }
    drop(taken);
    laid.start().await.stop().await;
}

#[tokio::test]
async fn a_bad_reload_keeps_the_last_good_rules() {
    let here = Served::start("").await;
    here.sign_up("ada@example.com").await;
    let token = crate::world::access_token(&here.log_in("ada@example.com", PASSWORD).await.expect(200));
    assert_eq!(here.notes(&token).await, 200);
    here.laid.edit("audience = ", "audiense = \"x\"\naudience = ");
    here.program().signal("HUP").await;
    let said = async {
        while !here.program().errors().contains("audiense") {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(testkit::process::PATIENCE, said).await.expect("the mistake is named in the log");
    assert_eq!(here.notes(&token).await, 200);
}
