//! The same backend, which nobody here wrote (httpbin behind waitress), twice: behind Portcullis on PostgreSQL, and by
//! itself with everything that a team in a hurry leaves open. The audit tells the two apart in every line of a document.
//!
//! What stands for the internet here: the probe asks the open database from this machine, and its report says that it
//! stood outside.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use testkit::backend::Httpbin;
use testkit::postgres::Postgres;
use testkit::process;
use testkit::server::{Server, answer};

use crate::served::{AUDIENCE, Laid, private};
use crate::world::{Caller, PASSWORD, openapi, portcullis};

/// A line for each measure that has one, in the words of a team.
const DOCUMENT: &str = "\
# What we promise

- [ ] No secrets are hardcoded in the codebase.
- [ ] Dependencies are kept up to date by Dependabot.
- [ ] No plain passwords are stored, only their hashes.
- [ ] The database requires a strong password.
  - [ ] That password is rotated every 90 days.
- [ ] All endpoints require a static API key.
  - [ ] Replaced by OAuth: client credentials for machines.
- [ ] User endpoints require a JWT of the user.
- [ ] All endpoints require scopes.
  - [ ] The token expires after 15 minutes.
- [ ] The database is network-isolated.
- [ ] CORS lets in the frontend origin only.
- [x] Lunch is at noon.
";
const LINES: [&str; 12] = ["G1", "G2", "A1", "A3", "A4", "A5", "A6", "A7", "A9", "A10", "N1", "N2"];
const FRONTEND: &str = "https://app.example.com";

fn endpoints() -> String {
    openapi(&[
        ("/anything/orders", Caller::User, "read:orders"),
        ("/anything/profile", Caller::User, "read:profile"),
        ("/anything/stock", Caller::Client, "read:stock"),
        ("/anything/prices", Caller::Client, "read:prices"),
        ("/status/500", Caller::Client, "read:stock"),
    ])
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

fn add(laid: &Laid, text: &str) {
    let before = std::fs::read_to_string(laid.file()).unwrap();
    std::fs::write(laid.file(), before + text).unwrap();
}

/// The report, and the document as it is written.
async fn audit(folder: &Path) -> (Value, String) {
    std::fs::write(folder.join("measures.md"), DOCUMENT).unwrap();
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

fn failed(report: &Value, id: &str) -> Vec<String> {
    let claims = of(report, id)["claims"].as_array().unwrap().iter();
    let failed = claims.filter(|claim| claim["verdict"] == "fail");
    failed.map(|claim| format!("{}: {}", claim["id"], claim["evidence"][0]["what"])).collect()
}

/// Behind Portcullis: its store and the backend's database on PostgreSQL, adopted and rotated.
async fn sound(backend: &Httpbin) -> (Value, String) {
    let cluster = Postgres::start();
    let (store, database) = (cluster.fresh_database(), cluster.fresh_database());
    let laid = Laid::on_postgres(&store.url(), &store.password).await;
    let upstream = std::fs::read_to_string(laid.file()).unwrap();
    let upstream = upstream.lines().find(|line| line.starts_with("upstream")).unwrap().to_owned();
    laid.edit(&upstream, &format!("upstream = \"{}\"\nopenapi = \"openapi.json\"", backend.url()));
    laid.edit(
        "[[gateway.route]]\nmatch = \"GET /notes\"\nscopes = [\"read:notes\"]\ncaller = \"user\"\n",
        "",
    );
    laid.edit("audience =", &format!("frontend_origins = [\"{FRONTEND}\"]\naudience ="));
    std::fs::write(laid.path("openapi.json"), endpoints()).unwrap();
    private(&laid.path("backend.password"), database.password.as_bytes());
    private(&laid.path("backend.admin"), cluster.url_with_password("postgres").as_bytes());
    add(
        &laid,
        &format!(
            "[[database]]\nname = \"backend\"\nurl = \"{}\"\npassword_file = \"backend.password\"\n\
             administrator_file = \"backend.admin\"\ngrace = \"1s\"\nsecret = {{ file = \"backend.json\" }}\n",
            database.url()
        ),
    );
    let of_users = ["read:orders", "read:profile"].map(|scope| format!("{AUDIENCE}={scope}"));
    for command in [
        &["api", "create", "--identifier", AUDIENCE, "--scope", "read:orders", "--scope", "read:profile"][..],
        &["api", "update", AUDIENCE, "--add-scope", "read:stock", "--add-scope", "read:prices"],
        &[
            "role",
            "create",
            "customer",
            "--permission",
            &of_users[0],
            "--permission",
            &of_users[1],
            "--default",
        ],
        &["database", "adopt", "backend"],
        &["database", "rotate", "backend", "--now"],
    ] {
        laid.run(command).await.expect(0);
    }
    let create = ["app", "create", "--name", "audit", "--type", "non_interactive", "--api", AUDIENCE];
    let create = [&create[..], &["--scope", "read:stock", "--scope", "read:prices", "--json"]].concat();
    let application = laid.run(&create).await.expect(0).json();
    let here = laid.start().await;
    here.sign_up("audit@example.com").await;
    let laid = &here.laid;
    private(&laid.path("audit.secret"), application["client_secret"].as_str().unwrap().as_bytes());
    private(&laid.path("audit.password"), PASSWORD.as_bytes());
    let dependabot = "version: 2\nupdates:\n  - package-ecosystem: github-actions\n    directory: /\n    \
                      schedule:\n      interval: weekly\n";
    let repository = laid.path("repository");
    self::repository(
        &repository,
        &[("ada", ".github/dependabot.yml", dependabot), ("dependabot[bot]", "README.md", "# Shop\n")],
    )
    .await;
    add(
        laid,
        &format!(
            "[audit]\nfailing = \"GET /status/500\"\ntarget = \"{}\"\nrepository = \"repository\"\nclient_id = {}\nclient_secret_file = \
             \"audit.secret\"\nuser_email = \"audit@example.com\"\nuser_password_file = \"audit.password\"\n",
            laid.gateway, application["client_id"]
        ),
    );
    let seen = audit(laid.folder.path()).await;
    here.stop().await;
    seen
}

/// Without it: no authentication, CORS that reflects, a superuser whose password is its name, passwords in clear, an
/// issuer that gives anybody a token for ten years, a secret in the history, no Dependabot.
async fn careless(backend: &Httpbin) -> (Value, String) {
    let cluster = Postgres::start();
    cluster.run_sql("postgres", "create role app superuser login password 'app'");
    cluster.run_sql("postgres", "create database app");
    cluster.run_sql(
        "app",
        "create table users (email text, password text); insert into users values ('ada@example.com', 'sunshine'), \
         ('bob@example.com', 'dragon')",
    );
    let issuer = Server::start(|request| {
        let asked = String::from_utf8_lossy(request.body()).replace("%3A", ":");
        let scope = ["read:stock", "read:prices"].into_iter().filter(|scope| asked.contains(scope));
        let scope = scope.collect::<Vec<_>>().join(" ");
        answer(
            200,
            "application/json",
            json!({ "access_token": for_ever(&scope), "token_type": "Bearer" }).to_string(),
        )
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("openapi.json"), endpoints()).unwrap();
    private(&path("app.password"), b"app");
    private(&path("audit.secret"), b"partner-secret");
    private(&path("audit.key"), b"static-key-of-a-partner");
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
    let (url, issuer_url) = (format!("postgres://app@127.0.0.1:{}/app", cluster.port()), issuer.url());
    let issuer_url = issuer_url.trim_end_matches('/');
    let configuration = format!(
        r#"
environment = "staging"
[identity]
mode = "delegated"
access_token_lifetime = "15m"
[gateway]
audience = "{AUDIENCE}"
openapi = "openapi.json"
frontend_origins = ["{FRONTEND}"]
[[gateway.issuer]]
url = "{issuer_url}/"
audience = "{AUDIENCE}"
maximum_token_lifetime = "15m"
[[database]]
name = "backend"
url = "{url}"
password_file = "app.password"
maximum_password_age = "180d"
dead_man_switch = true
[audit]
target = "{}"
repository = "repository"
database = "{url}"
database_password_file = "app.password"
client_id = "partner"
client_secret_file = "audit.secret"
api_key_file = "audit.key"
outside = ["probe.json"]
"#,
        backend.url()
    );
    std::fs::write(path("portcullis.toml"), configuration).unwrap();
    audit(folder.path()).await
}

/// A token that nobody verifies, good for ten years.
fn for_ever(scope: &str) -> String {
    let part = |value: Value| {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let bytes = value.to_string().into_bytes();
        let mut text = String::new();
        for chunk in bytes.chunks(3) {
            let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte))
                << (8 * (3 - chunk.len()));
            for at in 0..=chunk.len() {
                text.push(char::from(alphabet[(word >> (18 - 6 * at) & 63) as usize]));
            }
        }
        text
    };
    let header = part(json!({ "alg": "RS256", "typ": "at+jwt" }));
    let claims = json!({ "sub": "partner", "aud": AUDIENCE, "scope": scope, "iat": 1_700_000_000, "exp": 2_015_360_000 });
    format!("{header}.{}.c2lnbmF0dXJl", part(claims))
}

#[tokio::test]
async fn the_audit_tells_the_two_apart_in_every_line() {
    let backend = Httpbin::start().await;
    let (sound, written) = sound(&backend).await;
    let (careless, opened) = careless(&backend).await;
    let (of_sound, of_careless) = (verdicts(&sound), verdicts(&careless));
    let mut wrong = Vec::new();
    for id in LINES {
        if of_sound[id] == "fail" {
            wrong.push(format!("{id} fails behind Portcullis: {:?}", failed(&sound, id)));
        }
        if of_careless[id] != "fail" {
            wrong.push(format!("{id} is {} without it: {:#}", of_careless[id], of(&careless, id)["claims"]));
        }
    }
    assert!(wrong.is_empty(), "{}\n{of_sound:?}\n{of_careless:?}", wrong.join("\n"));
    // What can be shown on one machine is; the rest is not proven, and says why.
    for id in ["A1", "N1", "N2"] {
        assert_eq!(of_sound[id], "pass", "{id}: {:#}", of(&sound, id)["claims"]);
    }
    for line in ["No plain passwords", "The database is network-isolated", "CORS lets in"] {
        assert!(written.contains(&format!("- [x] {line}")), "{line}: {written}");
    }
    let ticked = |text: &str| text.matches("- [x] ").count();
    assert_eq!(ticked(&opened), 1, "lunch alone, which nobody measures: {opened}");
}
