//! The same backend, which nobody here wrote (httpbin behind waitress), twice: in the demo deployment behind Portcullis, and
//! by itself with everything that a team in a hurry leaves open. The audit tells the two apart in every line of
//! SECURITY-MEASURES.md: each passes in the one world, but for those that one machine cannot show, and fails in the other.
//!
//! What stands for the internet in the careless world: the probe asks the open database from this machine, and its report
//! says that it stood outside.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use testkit::backend::Careless;
use testkit::postgres::Postgres;
use testkit::process;

use crate::demo;
use crate::deployment::{FRONTEND, endpoints};
use crate::served::{AUDIENCE, private};
use crate::world::{PASSWORD, portcullis};

/// Whatever a line of the document stands for.
const LINES: [&str; 13] = ["G1", "G2", "A1", "A2", "A3", "A4", "A5", "A6", "A7", "A9", "A10", "N1", "N2"];
/// What is not proven in the sound world, and why: its repository is new and has nothing locked, so that no advisory could
/// speak of it and no version wait. That needs a registry, which is not on this machine.
const OPEN: [(&str, &str); 1] = [("G2", "no direct dependency with a locked version was found")];

/// A repository that a tool keeps current, and that holds no secret.
pub async fn well_kept(folder: &Path) {
    let dependabot = "version: 2\nupdates:\n  - package-ecosystem: github-actions\n    directory: /\n    \
                      schedule:\n      interval: weekly\n";
    repository(
        folder,
        &[("ada", ".github/dependabot.yml", dependabot), ("dependabot[bot]", "README.md", "# Shop\n")],
    )
    .await;
}

/// A repository whose workflow is what can grow old.
async fn repository(folder: &Path, commits: &[(&str, &str, &str)]) {
    std::fs::create_dir_all(folder.join(".github/workflows")).unwrap();
    let workflow = "on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v5\n";
    std::fs::write(folder.join(".github/workflows/ci.yml"), workflow).unwrap();
    let git = async |author: &str, arguments: &[&str]| {
        let mut command = process::command("git");
        command.arg("-C").arg(folder).args(["-c", &format!("user.name={author}")]);
        command.args(["-c", "user.email=49699333+dependabot[bot]@users.noreply.github.com"]).args(arguments);
        process::run(command).await.expect(0);
    };
    git("ada", &["init", "--quiet", "--initial-branch", "main"]).await;
    for (author, file, text) in commits {
        if text.is_empty() {
            std::fs::remove_file(folder.join(file)).unwrap();
        } else {
            std::fs::write(folder.join(file), text).unwrap();
        }
        git(author, &["add", "--all"]).await;
        git(author, &["commit", "--quiet", "--message", "a change"]).await;
    }
}

/// The report, and the document as it is written.
async fn audit(folder: &Path) -> (Value, String) {
    let document = demo::document().replace("- [ ] ", "- [x] ");
    std::fs::write(folder.join("measures.md"), document).unwrap();
    let mut command = portcullis(&["audit", "--format", "json", "--write", "--document"]);
    command.arg(folder.join("measures.md")).arg("--config").arg(folder.join("portcullis.toml"));
    let output = process::run(command).await;
    let report = serde_json::from_str(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", output.stdout, output.stderr));
    (report, std::fs::read_to_string(folder.join("measures.md")).unwrap())
}

fn verdicts(report: &Value) -> BTreeMap<String, String> {
    let measures = report["measures"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    measures.iter().map(|measure| (text(&measure["id"]), text(&measure["verdict"]))).collect()
}

fn of<'r>(report: &'r Value, id: &str) -> &'r Value {
    report["measures"].as_array().unwrap().iter().find(|measure| measure["id"] == id).unwrap()
}

fn claim<'r>(report: &'r Value, measure: &str, id: &str) -> &'r Value {
    of(report, measure)["claims"].as_array().unwrap().iter().find(|claim| claim["id"] == id).unwrap()
}

/// Without it: a static key or anything like a token lets in, CORS reflects, a superuser's password is its name, users'
/// passwords are in clear, tokens are for ten years, a secret is in the history, no Dependabot.
async fn careless() -> (Value, String) {
    let backend = Careless::start("audit@example.com", PASSWORD).await;
    let cluster = Postgres::start();
    cluster.run_sql("postgres", "create role app superuser login password 'app'");
    cluster.run_sql("postgres", "create database app");
    cluster.run_sql(
        "app",
        "create table users (email text, password text); insert into users values ('ada@example.com', 'sunshine'), \
         ('bob@example.com', 'dragon')",
    );
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("openapi.json"), endpoints().to_string()).unwrap();
    private(&path("app.password"), b"app");
    private(&path("audit.secret"), b"partner-secret");
    private(&path("audit.password"), PASSWORD.as_bytes());
    private(&path("audit.key"), Careless::KEY.as_bytes());
    let mut probe = portcullis(&["probe", "--json", "--control", &backend.url()]);
    probe.arg(format!("127.0.0.1:{}", cluster.port()));
    let mut seen = process::run(probe).await.expect(1).json();
    // What the probe cannot show here, since this machine is no other network.
    seen["outside"] = json!({ "internal_name": "db.internal", "resolves": false });
    seen["control"]["connected"] = true.into();
    std::fs::write(path("probe.json"), seen.to_string()).unwrap();
    // Put together here, so that it stands in no file of this repository.
    let key = ["AKIA", "Q3EGRIN7", "KZ5TW2XB"].concat();
    let secret = format!("AWS_ACCESS_KEY_ID = \"{key}\"\n");
    repository(&path("repository"), &[("ada", "settings.py", &secret), ("ada", "settings.py", "")]).await;
    let url = format!("postgres://app@127.0.0.1:{}/app", cluster.port());
    let configuration = format!(
        r#"
environment = "staging"
[identity]
issuer = "{backend}/"
access_token_lifetime = "15m"
key_encryption_key_file = "kek"
[identity.session]
public = "everybody logs in here"
[gateway]
audience = "{AUDIENCE}"
openapi = "openapi.json"
frontend_origins = ["{FRONTEND}"]
[[database]]
name = "backend"
url = "{url}"
password_file = "app.password"
maximum_password_age = "180d"
dead_man_switch = true
[audit]
target = "{backend}"
repository = "repository"
database = "{url}"
database_password_file = "app.password"
client_id = "partner"
client_secret_file = "audit.secret"
user_email = "audit@example.com"
user_password_file = "audit.password"
api_key_file = "audit.key"
mailbox = "{backend}/mailbox"
outside = ["probe.json"]
"#,
        backend = backend.url()
    );
    std::fs::write(path("portcullis.toml"), configuration).unwrap();
    // The auditor reads a store to know which scopes somebody has; this one serves nobody.
    private(&path("kek"), &[7; 32]);
    let mut create = portcullis(&["api", "create", "--identifier", AUDIENCE, "--scope", "read:stock"]);
    create.arg("--config").arg(path("portcullis.toml"));
    process::run(create).await.expect(0);
    audit(folder.path()).await
}

#[tokio::test]
async fn the_audit_tells_the_two_apart_in_every_line() {
    let (sound, (careless, opened)) = tokio::join!(demo::shown(), careless());
    let mut of_sound = verdicts(&sound.report);
    // Time is seen by a later look alone.
    of_sound.extend(verdicts(&sound.later).into_iter().filter(|(id, _)| id == "A10"));
    let of_careless = verdicts(&careless);
    let mut wrong = Vec::new();
    for id in LINES {
        let open = OPEN.iter().find(|(open, _)| *open == id);
        let seen = if id == "A10" { of(&sound.later, id) } else { of(&sound.report, id) };
        let why = seen["claims"].to_string();
        match (of_sound[id].as_str(), open) {
            ("pass", None) => {}
            // Another line of the document took its place, and is ticked.
            ("superseded", None) if id == "A5" => {}
            ("not_proven", Some((_, reason))) if why.contains(reason) => {}
            (verdict, _) => wrong.push(format!("{id} is {verdict} behind Portcullis: {:#}", seen["claims"])),
        }
        if of_careless[id] != "fail" && !(id == "A5" && of_careless[id] == "superseded") {
            wrong.push(format!("{id} is {} without it: {:#}", of_careless[id], of(&careless, id)["claims"]));
        }
    }
    assert!(wrong.is_empty(), "{}\n{of_sound:?}\n{of_careless:?}", wrong.join("\n"));
    // The key is real: what it opens there, it opens no more here.
    assert_eq!(claim(&careless, "A5", "the_old_api_key_is_dead")["verdict"], "fail");
    assert_eq!(claim(&sound.report, "A5", "the_old_api_key_is_dead")["verdict"], "pass");
    let boxes = demo::document().matches("- [").count();
    let ticked = |text: &str| text.matches("- [x] ").count();
    assert_eq!(ticked(&sound.document), boxes - OPEN.len(), "{}", sound.document);
    assert_eq!(ticked(&opened), 0, "{opened}");
}
