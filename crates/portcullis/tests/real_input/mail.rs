//! Reset letters over a real SMTP conversation with aiosmtpd (PyPI), from `portcullis serve`.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use testkit::http::{Client, Reply};
use testkit::ports::free_port;
use testkit::process::{self, Program};
use testkit::server::Server;
use testkit::smtp::{Mail, Smtp};

use crate::world::{PASSWORD, access_token, portcullis};

const NEW_PASSWORD: &str = "willow-anthem-copper-93";
const AUDIENCE: &str = "https://api.example.com";

/// `portcullis serve` by a configuration of its own.
struct Served {
    http: Client,
    issuer: String,
    gateway: String,
    _program: Program,
    _backend: Server,
    _folder: tempfile::TempDir,
}

impl Served {
    async fn start(smtp: &Smtp) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let backend = Server::echo().await;
        let [identity, gateway, operations] = [free_port(), free_port(), free_port()];
        let issuer = format!("http://localhost:{identity}/");
        let text = format!(
            r#"
environment = "development"
[identity]
issuer = "{issuer}"
listen = "127.0.0.1:{identity}"
key_encryption_key_file = "kek"
[identity.session]
public = "the test logs in by itself"
[store]
url = "sqlcipher:portcullis.db"
key_file = "store.key"
[gateway]
listen = "127.0.0.1:{gateway}"
upstream = "{}"
audience = "{AUDIENCE}"
[[gateway.route]]
match = "GET /notes"
scopes = ["read:notes"]
caller = "user"
[mail]
smtp = "{}"
from = "Example <no-reply@example.com>"
[operations]
listen = "127.0.0.1:{operations}"
"#,
            backend.url().trim_end_matches('/'),
            smtp.url(),
        );
        let file = folder.path().join("portcullis.toml");
        std::fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap();
        private(&folder.path().join("kek"), &[7; 32]);
        let permission = format!("{AUDIENCE}=read:notes");
        for command in [
            &["api", "create", "--identifier", AUDIENCE, "--scope", "read:notes"][..],
            &["role", "create", "reader", "--permission", &permission, "--default"],
        ] {
            let mut command = portcullis(command);
            command.args(["--config", file]);
            process::run(command).await.expect(0);
        }
        let (program, _) = Program::ready(portcullis(&["serve", "--json", "--config", file])).await;
        let gateway = format!("http://127.0.0.1:{gateway}");
        Self { http: Client::new(), issuer, gateway, _program: program, _backend: backend, _folder: folder }
    }

    fn issuer(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    async fn sign_up(&self, email: &str) {
        let body = json!({"email": email, "password": PASSWORD});
        self.http.post(&self.issuer("users")).json(&body).send().await.expect(201);
    }

    async fn log_in(&self, email: &str, password: &str) -> Reply {
        let body = json!({"email": email, "password": password});
        self.http.post(&self.issuer("users/session")).json(&body).send().await
    }

    async fn ask_for_reset(&self, email: &str) {
        let body = json!({ "email": email });
        self.http.post(&self.issuer("users/password-reset")).json(&body).send().await.expect(202);
    }

    async fn reset(&self, token: &str, password: &str) -> Reply {
        let body = json!({"token": token, "password": password});
        self.http.put(&self.issuer("users/password-reset")).json(&body).send().await
    }

    async fn notes(&self, token: &str) -> u16 {
        self.http.get(&format!("{}/notes", self.gateway)).bearer(token).send().await.code()
    }
}

fn private(path: &Path, bytes: &[u8]) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// The next letter with a reset link; letters of another kind (a welcome) are passed over.
async fn reset_letter(smtp: &mut Smtp) -> Mail {
    loop {
        let mail = smtp.next_mail().await;
        if mail.text.as_deref().unwrap_or_default().contains("/reset?token=") {
            return mail;
        }
    }
}

fn token_of(mail: &Mail, issuer: &str) -> String {
    let link = mail.link();
    let token = link.strip_prefix(&format!("{issuer}reset?token="));
    token.unwrap_or_else(|| panic!("the link is the issuer's own: {link}")).to_owned()
}

#[tokio::test]
async fn a_reset_by_mail_ends_the_old_password_and_every_session() {
    let mut smtp = Smtp::start().await;
    let here = Served::start(&smtp).await;
    here.sign_up("ada@example.com").await;
    let session = here.log_in("ada@example.com", PASSWORD).await.expect(200);
    let old = access_token(&session);
    let refresh = json!({"refresh_token": session.json()["refresh_token"]});
    assert_eq!(here.notes(&old).await, 200);

    // The link's host is the configured one, whatever the request claims.
    let body = json!({"email": "Ada@Example.com"});
    let asked = here.http.post(&here.issuer("users/password-reset")).json(&body);
    let asked = asked.header("x-forwarded-host", "evil.example").header("forwarded", "host=evil.example");
    asked.send().await.expect(202);
    let mail = reset_letter(&mut smtp).await;
    assert_eq!(mail.envelope_to, ["ada@example.com"]);
    assert_eq!(mail.envelope_from, "no-reply@example.com");
    assert!(mail.html.as_deref().unwrap().contains(&mail.link()));
    assert!(!mail.raw.contains("evil.example"), "{}", mail.raw);
    let token = token_of(&mail, &here.issuer);
    // 256 bits in base64url.
    assert_eq!(token.len(), 43);

    // Opening the link spends nothing, however often.
    for _ in 0..2 {
        here.http.get(&mail.link()).send().await.expect(200);
    }
    here.reset(&token, "short").await.expect(400);
    here.reset(&token, NEW_PASSWORD).await.expect(204);
    let again = here.reset(&token, "another-fine-password-11").await;
    assert!((400..500).contains(&again.code()), "{}", again.text());

    here.log_in("ada@example.com", PASSWORD).await.expect(401);
    let fresh = access_token(&here.log_in("ada@example.com", NEW_PASSWORD).await.expect(200));
    let refreshed = here.http.post(&here.issuer("users/session/refresh")).json(&refresh).send().await;
    assert_eq!(refreshed.code(), 401, "{}", refreshed.text());
    // Within a second; a busy machine is given more, and the figure is measured elsewhere.
    let refused = async {
        while here.notes(&old).await != 401 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), refused).await.expect("the old session's token is refused");
    assert_eq!(here.notes(&fresh).await, 200);
}

#[tokio::test]
async fn a_newer_link_ends_the_older_and_strangers_get_no_letter() {
    let mut smtp = Smtp::start().await;
    let here = Served::start(&smtp).await;
    here.sign_up("ada@example.com").await;
    here.ask_for_reset("nobody@example.com").await;
    here.ask_for_reset("ada@example.com").await;
    let older = reset_letter(&mut smtp).await;
    assert_eq!(older.envelope_to, ["ada@example.com"]);
    here.ask_for_reset("ada@example.com").await;
    let newer = reset_letter(&mut smtp).await;
    let dead = here.reset(&token_of(&older, &here.issuer), NEW_PASSWORD).await;
    assert!((400..500).contains(&dead.code()), "{}", dead.text());
    here.reset(&token_of(&newer, &here.issuer), NEW_PASSWORD).await.expect(204);
}

#[tokio::test]
async fn while_smtp_is_down_requests_are_answered_and_the_letter_goes_out_later() {
    let mut smtp = Smtp::stopped();
    let here = Served::start(&smtp).await;
    here.sign_up("ada@example.com").await;
    here.ask_for_reset("ada@example.com").await;
    smtp.start_again().await;
    let mail = reset_letter(&mut smtp).await;
    here.reset(&token_of(&mail, &here.issuer), NEW_PASSWORD).await.expect(204);
}
