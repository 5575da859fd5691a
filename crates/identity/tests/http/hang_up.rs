//! Who hangs up does not split a decision from its commit.

use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use crate::world::{PASSWORD, World};

#[tokio::test]
async fn a_sign_up_whose_caller_hangs_up_is_finished_with_its_mail() {
    let world = World::public().await;
    let body = json!({ "email": "alice@example.com", "password": PASSWORD }).to_string();
    let mut stream = tokio::net::TcpStream::connect(world.address).await.unwrap();
    let head = format!(
        "POST /users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    // The throttle's row is there as soon as the handler runs; the hash takes far longer.
    tokio::time::timeout(testkit::http::PATIENCE, async {
        while world.identity.hashing_arenas() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    drop(stream);
    tokio::time::timeout(testkit::http::PATIENCE, async {
        while world.mail_waiting().await == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert_eq!(world.users().await, 1);
    assert_eq!(world.letters().await.len(), 1);
}
