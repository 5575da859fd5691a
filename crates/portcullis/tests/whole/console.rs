//! The board of measures in Chromium, as an administrator uses it: light, dark, on a phone, with scripts and without.

use serde_json::{Value, json};
use testkit::ecosystem;
use testkit::node::Script;
use testkit::process;

use crate::world::{PASSWORD, World, portcullis};

const PERSON: &str = include_str!("../../../../tests/ecosystem/console.mjs");

/// A document that has a line of each kind.
const DOCUMENT: &str = "# Ours\n\n- [ ] No plain passwords are stored in the database; passwords are stored as hash and salt.\n\
                        - [ ] The backend will use CORS to only allow requests from the frontend origin.\n\
                        - [x] The office door is locked <script>alert(1)</script>.\n";

async fn link(world: &World) -> String {
    let answer = world.administer(&["console", "link"]).await.expect(0);
    let printed: Value = serde_json::from_str(&answer.stdout).unwrap();
    printed["admin_link"].as_str().unwrap().to_owned()
}

/// A world with an audit in its store, and an administrator.
async fn audited() -> World {
    let world = World::dev(&[], "[audit]\ndocument = \"measures.md\"\n").await;
    std::fs::write(world.state().join("measures.md"), DOCUMENT).unwrap();
    for _ in 0..2 {
        let mut audit = portcullis(&["audit", "--format", "json", "--dir"]);
        audit.arg(world.state());
        let output = process::run(audit).await;
        assert!(matches!(output.code, Some(0 | 1 | 3)), "{:?}: {}", output.code, output.stderr);
    }
    let audience = world.issuer("api/v2/");
    let permission = format!("{audience}=read:measures");
    world.administer(&["api", "create", "--identifier", &audience, "--scope", "read:measures"]).await;
    world.administer(&["role", "create", "looker", "--permission", &permission]).await;
    let password = world.state().join("ada.password");
    std::fs::write(&password, PASSWORD).unwrap();
    std::fs::set_permissions(&password, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let password = password.to_str().unwrap();
    let user = ["user", "create", "--email", "ada@example.com", "--verified", "--role", "looker"];
    world.administer(&[&user[..], &["--password-file", password]].concat()).await;
    world
}

#[tokio::test]
async fn an_administrator_opens_the_board_looks_and_leaves() {
    let world = audited().await;
    assert_eq!(world.says("console"), world.issuer("console"));
    assert!(world.says("admin_link").starts_with(&world.issuer("console/link?token=")));
    for (scheme, width, scripts, own_link) in
        [("light", 1280, true, true), ("dark", 1280, false, false), ("dark", 360, true, false)]
    {
        let link = if own_link { world.says("admin_link").to_owned() } else { link(&world).await };
        let asked = json!({
            "link": link,
            "browser": ecosystem::chromium(),
            "scheme": scheme,
            "width": width,
            "height": 900,
            "scripts": scripts,
            "signIn": { "email": "ada@example.com", "password": PASSWORD },
        });
        let saw: Value = Script::new(PERSON).run(&[], &asked.to_string()).await.expect(0).json();
        assert_eq!(saw["complaints"], json!([]), "{saw:#}");
        assert_eq!(saw["elsewhere"], json!([]), "the page asks nobody else: {saw:#}");
        assert_eq!(saw["statuses"], json!([401, 200, 200, 401, 400]), "{saw:#}");
        assert_eq!(saw["address"], world.says("console"), "{saw:#}");
        let cookie = &saw["cookies"][0];
        assert_eq!((&cookie["httpOnly"], &cookie["sameSite"]), (&json!(true), &json!("Strict")), "{saw:#}");
        assert!(saw["lines"].as_u64().is_some_and(|lines| lines >= 3), "{saw:#}");
        assert_eq!(saw["opened"], 1, "{saw:#}");
        assert!(saw["claims"].as_u64().is_some_and(|claims| claims > 0), "{saw:#}");
        assert!(saw["histories"].as_u64().is_some_and(|pictures| pictures > 0), "{saw:#}");
        if scripts {
            assert_eq!(saw["overflow"], 0, "wider than the window: {saw:#}");
            let ground = if scheme == "dark" { "rgb(18, 21, 28)" } else { "rgb(244, 245, 248)" };
            assert_eq!(saw["ground"], ground, "{saw:#}");
        }
        assert_eq!(saw["refused"], "The address or the password is wrong.", "{saw:#}");
        assert_eq!(saw["signedIn"], saw["heading"], "{saw:#}");
    }
}

#[tokio::test]
async fn a_server_audits_itself_by_schedule_and_tells() {
    let world = World::dev(&[], "[audit]\nschedule = \"1m\"\n").await;
    let gauges = format!("{}/metrics", world.says("operations"));
    let told = tokio::time::timeout(testkit::http::PATIENCE * 4, async {
        loop {
            let text = world.http.get(&gauges).send().await.expect(200).text();
            if text.contains("portcullis_measure{") {
                return text;
            }
            tokio::time::sleep(std::time::Duration::from_millis(250)).await;
        }
    });
    let text = told.await.expect("the audit comes to its end");
    assert!(
        text.contains("portcullis_measure{id=\"A1\",environment=\"development\",verdict=\"pass\"} 1"),
        "{text}"
    );
}

#[tokio::test]
async fn a_schedule_that_never_rests_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("portcullis.toml"), "[audit]\nschedule = \"5s\"\n").unwrap();
    let mut dev = portcullis(&["dev", "--port", "0", "--dir"]);
    dev.arg(folder.path());
    let output = process::run(dev).await.expect(2);
    assert!(output.stderr.contains("audit.schedule"), "{}", output.stderr);
}
