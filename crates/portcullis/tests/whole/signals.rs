//! SIGHUP whose change takes effect, and SIGTERM while a request is under way.

use std::time::Duration;

use testkit::http::{Client, Reply};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::served::{AUDIENCE, Laid, Served};
use crate::world::{PASSWORD, access_token};

/// Asks until the answer has this status: SIGHUP is read when it comes, and nothing says that it was.
async fn until(status: u16, ask: impl AsyncFn() -> Reply) -> Reply {
    let asked = async {
        loop {
            let reply = ask().await;
            if reply.code() == status {
                return reply;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asked).await.expect("the change takes effect")
}

#[tokio::test]
async fn sighup_brings_a_new_route_and_a_new_frontend_and_ends_no_session() {
    let here = Served::start("").await;
    here.sign_up("ada@example.com").await;
    let token = access_token(&here.log_in("ada@example.com", PASSWORD).await.expect(200));
    let ask =
        async |path: &str| here.http.get(&format!("{}{path}", here.laid.gateway)).bearer(&token).send().await;
    let preflight = async |url: String| {
        let request = here.http.request("OPTIONS", &url).header("origin", "https://new.example.com");
        request.header("access-control-request-method", "GET").send().await
    };
    ask("/notes/today").await.expect(403);
    let notes = format!("{}/notes", here.laid.gateway);
    let allowed = |reply: &Reply| reply.header("access-control-allow-origin").map(str::to_owned);
    assert_eq!(allowed(&preflight(notes.clone()).await), None);

    here.laid.edit(
        "[[gateway.route]]",
        "frontend_origins = [\"https://new.example.com\"]\n[[gateway.route]]\nmatch = \"GET /notes/today\"\nscopes = \
         [\"read:notes\"]\ncaller = \"user\"\n[[gateway.route]]",
    );
    here.program().signal("HUP").await;
    until(200, async || ask("/notes/today").await).await;
    assert_eq!(allowed(&preflight(notes).await).as_deref(), Some("https://new.example.com"));
    // The session API knows the frontend, too.
    let login = here.http.post(&here.issuer("users/session")).header("origin", "https://new.example.com");
    let login =
        login.json(&serde_json::json!({"email": "ada@example.com", "password": PASSWORD})).send().await;
    assert_eq!(allowed(&login.expect(200)).as_deref(), Some("https://new.example.com"));
    assert_eq!(here.notes(&token).await, 200, "what was there before stays");

    // And away again: what a reload no longer names is closed.
    here.laid.edit("match = \"GET /notes/today\"", "match = \"GET /notes/yesterday\"");
    here.program().signal("HUP").await;
    until(403, async || ask("/notes/today").await).await;
    here.stop().await;
}

/// A backend that answers one request when it is told to: `arrived` says that it came.
async fn slow_backend() -> (String, oneshot::Receiver<()>, oneshot::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (arrived, has_arrived) = oneshot::channel();
    let (answer, may_answer) = oneshot::channel::<()>();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut head).await.unwrap(), 0, "the request ends before its head does");
        }
        arrived.send(()).unwrap();
        may_answer.await.unwrap();
        let text = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n\r\nlate";
        stream.write_all(text.as_bytes()).await.unwrap();
    });
    (url, has_arrived, answer)
}

#[tokio::test]
async fn sigterm_lets_a_request_end_with_its_answer_and_takes_no_more() {
    let (upstream, arrived, answer) = slow_backend().await;
    let laid = Laid::out("").await;
    let text = std::fs::read_to_string(laid.file()).unwrap();
    let line = text.lines().find(|line| line.starts_with("upstream = ")).unwrap();
    laid.edit(line, &format!("upstream = \"{upstream}\""));
    laid.run(&["api", "create", "--identifier", AUDIENCE, "--scope", "read:notes"]).await.expect(0);
    let permission = format!("{AUDIENCE}=read:notes");
    laid.run(&["role", "create", "reader", "--permission", &permission, "--default"]).await.expect(0);
    let here = laid.start().await;
    here.sign_up("ada@example.com").await;
    let token = access_token(&here.log_in("ada@example.com", PASSWORD).await.expect(200));

    // A client of its own: its connection is not one that another request left open.
    let slow = Client::new().get(&format!("{}/notes", here.laid.gateway)).bearer(&token);
    let slow = tokio::spawn(slow.try_send());
    arrived.await.unwrap();
    here.program().signal("TERM").await;

    let places = [
        here.laid.gateway.trim_start_matches("http://").to_owned(),
        here.laid.issuer.trim_start_matches("http://localhost").trim_end_matches('/').replacen(
            ':',
            "127.0.0.1:",
            1,
        ),
    ];
    for place in &places {
        let refused = async {
            while TcpStream::connect(place).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        // The whole end is promised within five seconds.
        tokio::time::timeout(Duration::from_secs(4), refused).await.expect("new connections are refused");
    }
    assert!(!slow.is_finished(), "the request is still under way");
    answer.send(()).unwrap();
    let reply = slow.await.unwrap().expect("the request under way is answered").expect(200);
    assert_eq!(reply.text(), "late");
    // It has had its SIGTERM; a second one would be no gentler.
    here.stop().await;
}
