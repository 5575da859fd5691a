//! A sound world, and worlds that lack exactly one defence: real repositories, real sockets.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::Config;
use crate::verdict::Verdict::{self, Fail, NotProven, Pass};

const NOW: i64 = 1_800_000_000;
const HELD: &[u8] = b"the password of this test's store";

/// Made here, so that this file itself holds nothing that looks like a key.
fn token() -> String {
    format!("ghp{}R7kq2ZmX9vLwT4bNcY8sJ1dHfG6pQ3eUaWzK", '_')
}

fn git(folder: &Path, arguments: &[&str]) {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["-c", "user.name=Test", "-c", "user.email=test@example.com"])
        .args(arguments)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env_remove("GIT_DIR")
        .env_remove("GIT_INDEX_FILE")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What a world is made of; the sound one lacks nothing.
struct Made {
    folder: tempfile::TempDir,
    pages: BTreeMap<&'static str, String>,
}

impl Made {
    fn sound() -> Self {
        let folder = tempfile::tempdir().unwrap();
        git(folder.path(), &["init", "-q", "-b", "main"]);
        let pages = BTreeMap::from([
            ("/", "<html><script src=\"/assets/index.js\"></script></html>".to_owned()),
            ("/assets/index.js", "import(\"./page.js\")\n//# sourceMappingURL=index.js.map".to_owned()),
            ("/assets/page.js", "export default 1".to_owned()),
            (
                "/assets/index.js.map",
                "{\"mappings\":\"\",\"sources\":[\"a.ts\"],\"sourcesContent\":[\"let a\"]}".to_owned(),
            ),
        ]);
        let made = Self { folder, pages };
        made.commit("portcullis.toml", "[store]\nkey = \"env:STORE_KEY\"\n");
        made
    }

    fn commit(&self, name: &str, content: &str) {
        std::fs::write(self.folder.path().join(name), content).unwrap();
        git(self.folder.path(), &["add", "-A"]);
        git(self.folder.path(), &["commit", "-q", "-m", name]);
    }

    fn serving(mut self, path: &'static str, body: &str) -> Self {
        self.pages.insert(path, body.to_owned());
        self
    }

    async fn claims(self, change: impl FnOnce(&mut Config)) -> Vec<Claim> {
        let url = serve(self.pages).await;
        let mut config = Config::new(&url, &format!("{url}/"), "a", Arc::new(|| NOW));
        config.repository = Some(self.folder.path().to_owned());
        config.secrets.frontend = Some(url);
        config.secrets.live = vec![LiveSecret { name: "store.password".into(), value: HELD.to_vec().into() }];
        config.secrets.configuration = vec![self.folder.path().join("portcullis.toml")];
        change(&mut config);
        claims(&World::new(config)).await
    }
}

/// A server of a few pages; everything else is 404.
async fn serve(pages: BTreeMap<&'static str, String>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let pages = Arc::new(pages);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let pages = Arc::clone(&pages);
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    if stream.read(&mut byte).await.unwrap_or(0) == 0 {
                        return;
                    }
                    request.push(byte[0]);
                }
                let request = String::from_utf8_lossy(&request);
                let path = request.split(' ').nth(1).unwrap_or_default();
                let (status, body) =
                    pages.get(path).map_or(("404 Not Found", ""), |body| ("200 OK", body.as_str()));
                let answer = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    url
}

/// All pass but those that are named.
fn but(claims: &[Claim], others: &[(&str, Verdict)]) {
    assert_eq!(claims.len(), CLAIMS.len(), "{claims:?}");
    for claim in claims {
        let expected = others.iter().find(|(id, _)| *id == claim.id).map_or(Pass, |(_, verdict)| *verdict);
        assert_eq!(claim.verdict, expected, "{claim:#?}");
        assert!(CLAIMS.iter().any(|listed| listed.id == claim.id), "{}", claim.id);
        let printed = format!("{claim:?}");
        assert!(!printed.contains("the password of") && !printed.contains("R7kq2ZmX"), "{printed}");
    }
}

#[tokio::test]
async fn a_sound_world_passes() {
    but(&Made::sound().claims(|_| {}).await, &[]);
}

#[tokio::test]
async fn a_live_secret_in_a_fixture_fails_whatever_its_line_says() {
    use base64::Engine as _;
    let made = Made::sound();
    let encoded = base64::engine::general_purpose::STANDARD.encode([b"x", HELD].concat());
    made.commit("fixture.txt", &format!("{encoded} # portcullis:allow a fixture\n"));
    made.commit("fixture.txt", "gone\n");
    but(&made.claims(|_| {}).await, &[(LIVE, Fail)]);
}

#[tokio::test]
async fn what_looks_like_a_secret_fails_in_the_tree_and_in_the_history() {
    let made = Made::sound();
    made.commit("a.txt", &token());
    but(&made.claims(|_| {}).await, &[(TREE, Fail)]);
    let made = Made::sound();
    made.commit("a.txt", &token());
    made.commit("a.txt", "gone\n");
    but(&made.claims(|_| {}).await, &[(HISTORY, Fail)]);
}

#[tokio::test]
async fn a_shallow_clone_and_no_repository_prove_nothing() {
    let made = Made::sound();
    made.commit("b.txt", "b\n");
    let elsewhere = tempfile::tempdir().unwrap();
    let from = format!("file://{}", made.folder.path().display());
    git(elsewhere.path(), &["clone", "-q", "--depth", "1", &from, "clone"]);
    let clone = elsewhere.path().join("clone");
    let open = [(LIVE, NotProven), (TREE, NotProven), (HISTORY, NotProven)];
    but(&made.claims(|config| config.repository = Some(clone)).await, &open);
    but(&Made::sound().claims(|config| config.repository = None).await, &open);
    let plain = elsewhere.path().to_owned();
    but(&Made::sound().claims(|config| config.repository = Some(plain)).await, &open);
}

#[tokio::test]
async fn secrets_that_nobody_handed_over_leave_the_claim_open() {
    let none = Made::sound().claims(|config| config.secrets.live = Vec::new()).await;
    but(&none, &[(LIVE, NotProven)]);
    let short = LiveSecret { name: "mail.password".into(), value: b"short".to_vec().into() };
    but(&Made::sound().claims(|config| config.secrets.live.push(short)).await, &[(LIVE, NotProven)]);
    let unread =
        Made::sound().claims(|config| config.secrets.unread.push("mail.password: denied".into())).await;
    but(&unread, &[(LIVE, NotProven)]);
}

#[tokio::test]
async fn a_secret_that_only_the_bundle_has_fails() {
    let held = String::from_utf8_lossy(HELD).into_owned();
    for (path, body) in [
        ("/", format!("<html><script>key = '{}'</script></html>", token())),
        ("/assets/index.js", format!("const t='{}'", token())),
        ("/assets/page.js", format!("const t='{held}'")),
        (
            "/assets/index.js.map",
            format!(
                "{{\"mappings\":\"\",\"sources\":[\"a.ts\"],\"sourcesContent\":[\"let t = '{}'\"]}}",
                token()
            ),
        ),
    ] {
        but(&Made::sound().serving(path, &body).claims(|_| {}).await, &[(SHIPPED, Fail)]);
    }
    let inner = format!(r#"{{"mappings":"","sources":["a.ts"],"sourcesContent":["let t = '{}'"]}}"#, token());
    let sections =
        format!(r#"{{"version":3,"sections":[{{"offset":{{"line":0,"column":0}},"map":{inner}}}]}}"#);
    but(&Made::sound().serving("/assets/index.js.map", &sections).claims(|_| {}).await, &[(SHIPPED, Fail)]);
    let elsewhere = r#"{"version":3,"sections":[{"offset":{"line":0,"column":0},"url":"b.map"}]}"#;
    but(
        &Made::sound().serving("/assets/index.js.map", elsewhere).claims(|_| {}).await,
        &[(SHIPPED, NotProven)],
    );
    let inline = "1\n//# sourceMappingURL=data:application/json,%7B%22mappings%22%3A%22%22%7D";
    but(&Made::sound().serving("/assets/page.js", inline).claims(|_| {}).await, &[(SHIPPED, NotProven)]);
    let lost = Made::sound().serving("/", "<script src=/gone.js></script>").claims(|_| {}).await;
    but(&lost, &[(SHIPPED, NotProven)]);
    but(&Made::sound().claims(|config| config.secrets.frontend = None).await, &[(SHIPPED, NotProven)]);
}

#[tokio::test]
async fn a_served_repository_or_environment_fails() {
    for (path, body) in [("/.git/HEAD", "ref: refs/heads/main\n"), ("/.env", "DB_HOST=db\n")] {
        but(&Made::sound().serving(path, body).claims(|_| {}).await, &[(SERVED, Fail)]);
    }
    let page = "<html>everything is this page</html>";
    but(&Made::sound().serving("/.env", page).claims(|_| {}).await, &[]);
    let nobody = |config: &mut Config| config.issuer = "http://127.0.0.1:1/".into();
    but(&Made::sound().claims(nobody).await, &[(SERVED, NotProven)]);
}

#[tokio::test]
async fn a_secret_in_the_configuration_fails() {
    let made = Made::sound();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), HELD).unwrap();
    let path = file.path().to_owned();
    but(&made.claims(|config| config.secrets.configuration = vec![path]).await, &[(CONFIGURED, Fail)]);
    let gone = |config: &mut Config| config.secrets.configuration = vec!["/nowhere.toml".into()];
    but(&Made::sound().claims(gone).await, &[(CONFIGURED, NotProven)]);
    but(
        &Made::sound().claims(|config| config.secrets.configuration.clear()).await,
        &[(CONFIGURED, NotProven)],
    );
}

#[tokio::test]
async fn a_baseline_that_cannot_be_read_proves_nothing() {
    let made = Made::sound();
    made.commit(BASELINE_FILE, "{}");
    let claims = made.claims(|_| {}).await;
    assert_eq!(claims.iter().map(|claim| claim.verdict).collect::<Vec<_>>(), [NotProven]);
}
