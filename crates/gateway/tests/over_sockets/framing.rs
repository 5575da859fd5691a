//! Request smuggling: what two readers could frame differently is refused, or leaves as one re-serialised request.

use crate::world::World;
use crate::world::client::Connection;

/// Sends bytes; gives the statuses that come back, and whether the connection ended by itself.
async fn statuses(world: &World, bytes: &[u8]) -> (Vec<u16>, bool) {
    let mut connection = Connection::open(world.address).await;
    connection.write(bytes).await;
    let mut statuses = Vec::new();
    while let Some(answer) = connection.answer().await {
        statuses.push(answer.status);
        if answer.closes() || answer.status == 400 {
            return (statuses, connection.ends().await);
        }
        if statuses.len() > 1 {
            break;
        }
    }
    (statuses, false)
}

#[tokio::test]
async fn rfc9112_malformed_framing_is_400_and_closes() {
    let world = World::start().await;
    let smuggled = "GET /admin HTTP/1.1\r\nHost: a\r\n\r\n";
    for (what, head) in [
        ("two lengths", "Content-Length: 4\r\nContent-Length: 5\r\n"),
        ("a list of lengths", "Content-Length: 4, 4\r\n"),
        ("a signed length", "Content-Length: +4\r\n"),
        ("no number", "Content-Length: four\r\n"),
        ("chunked twice", "Transfer-Encoding: chunked, chunked\r\n"),
        ("another coding", "Transfer-Encoding: gzip, chunked\r\n"),
        ("chunked, not last", "Transfer-Encoding: chunked, identity\r\n"),
        ("chunked in parts", "Transfer-Encoding: xchunked\r\n"),
        ("a tab before", "Transfer-Encoding:\x0bchunked\r\n"),
        ("a space before the colon", "Content-Length : 4\r\n"),
        ("a folded line", "X: a\r\n b\r\n"),
        ("a null", "X: a\0b\r\n"),
        ("no colon", "nonsense\r\n"),
        ("a name with a space", "X y: z\r\n"),
    ] {
        let request = format!("POST /public HTTP/1.1\r\nHost: a\r\n{head}\r\nabcd{smuggled}");
        let (statuses, ended) = statuses(&world, request.as_bytes()).await;
        assert_eq!(statuses, [400], "{what}");
        assert!(ended, "{what}: the connection stays open");
    }
    let (old, _) =
        statuses(&world, b"POST /public HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
            .await;
    assert_eq!(old, [400]);
    for chunks in
        ["zz\r\nabcd\r\n0\r\n\r\n", "4 \r\nabcd0\r\n\r\n", "ffffffffffffffffff\r\nabcd\r\n0\r\n\r\n"]
    {
        let request = format!(
            "POST /public HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}{smuggled}"
        );
        let (statuses, _) = statuses(&world, request.as_bytes()).await;
        assert!(!statuses.contains(&200) && statuses.len() <= 1, "{chunks:?}: {statuses:?}");
    }
    assert!(!world.backend.seen.lock().unwrap().iter().any(|seen| seen.contains("admin")));
}

#[tokio::test]
async fn rfc9112_6_1_both_lengths_leave_as_one_request_and_the_connection_closes() {
    let world = World::start().await;
    for head in [
        "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
    ] {
        let before = world.backend.count();
        let request = format!(
            "POST /public HTTP/1.1\r\nHost: a\r\n{head}\r\n0\r\n\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n"
        );
        let mut connection = Connection::open(world.address).await;
        connection.write(&request).await;
        let answer = connection.answer().await.unwrap();
        assert_eq!(answer.status, 200, "{head}");
        let told = answer.json();
        assert!(told["headers"]["content-length"].is_null(), "{told}");
        assert_eq!(told["body"], "");
        assert!(connection.ends().await, "{head}: more came");
        assert_eq!(world.backend.count(), before + 1);
    }
}

#[tokio::test]
async fn a_refused_request_does_not_lend_its_body_to_the_next() {
    let world = World::start().await;
    let inner = "GET /public HTTP/1.1\r\nHost: a\r\n\r\n";
    let request =
        format!("POST /orders HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{inner}", inner.len());
    let mut connection = Connection::open(world.address).await;
    connection.write(&request).await;
    assert_eq!(connection.answer().await.unwrap().status, 401);
    // The body was a body: either the next request is answered as itself, or the connection is closed.
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn an_upgrade_carries_no_second_request() {
    let world = World::start().await;
    let request = "GET /public HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut connection = Connection::open(world.address).await;
    connection.write(request).await;
    assert_eq!(connection.answer().await.unwrap().status, 200, "the backend did not switch");
    if let Some(answer) = connection.answer().await {
        assert_eq!(answer.status, 401, "the second request is judged like any other");
    }
    assert_eq!(*world.backend.seen.lock().unwrap(), ["GET /public"]);
}
