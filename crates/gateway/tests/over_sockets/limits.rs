//! Sizes, times, and the end.

use std::time::Duration;

use crate::world::client::{Connection, raw};
use crate::world::{World, get, send};

#[tokio::test]
async fn a_body_over_the_limit_is_413_declared_or_not() {
    let world = World::start_with(|plan| plan.config.maximum_body = Some(10)).await;
    assert_eq!(send(world.address, "POST", "/public", &[], b"0123456789").await.status, 200);
    let before = world.backend.count();
    let answer = send(world.address, "POST", "/public", &[], b"0123456789a").await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (413, Some("too_large")));
    assert_eq!(world.backend.count(), before, "refused before the backend");
    let chunked = "POST /public HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n01234567\r\n3\r\n89a\r\n0\r\n\r\n";
    assert_eq!(raw(world.address, chunked).await.status, 413);
    let fits = "POST /public HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n01234567\r\n2\r\n89\r\n0\r\n\r\n";
    assert_eq!(raw(world.address, fits).await.status, 200);
}

#[tokio::test]
async fn headers_over_64_kb_are_431() {
    let world = World::start().await;
    let pad = |size: usize| "x".repeat(size);
    assert_eq!(get(world.address, "/public", &[("X-Pad", &pad(60_000))]).await.status, 200);
    assert_eq!(get(world.address, "/public", &[("X-Pad", &pad(66_000))]).await.status, 431);
    assert_eq!(
        get(world.address, "/public", &[("X-Pad", &pad(33_000)), ("X-Pad", &pad(33_000))]).await.status,
        431
    );
    let many: String = (0..150).map(|n| format!("X-{n}: 1\r\n")).collect();
    assert_eq!(
        raw(world.address, format!("GET /public HTTP/1.1\r\nHost: a\r\n{many}\r\n")).await.status,
        431
    );
    // A token of 20 kB is a bad token, not a bad head.
    let token = format!("Bearer {}", pad(20 * 1024));
    assert_eq!(get(world.address, "/orders/7", &[("Authorization", &token)]).await.status, 401);
}

#[tokio::test]
async fn silent_and_dripping_clients_are_cut() {
    let world = World::start_with(|plan| {
        plan.config.timeouts.header = Duration::from_millis(60);
        plan.config.timeouts.keep_alive = Duration::from_millis(200);
    })
    .await;
    let mut silent = Connection::open(world.address).await;
    assert!(silent.ends().await, "says nothing");
    let mut half = Connection::open(world.address).await;
    half.write("GET /public HTTP/1.1\r\nHo").await;
    assert!(half.ends().await, "half a head");
    let mut idle = Connection::open(world.address).await;
    idle.write("GET /public HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(idle.answer().await.unwrap().status, 200);
    assert!(idle.ends().await, "a connection without requests");
    let mut dripping = Connection::open(world.address).await;
    use tokio::io::AsyncWriteExt;
    for byte in b"GET /public HTTP/1.1\r\nX: ".iter().chain(std::iter::repeat_n(&b'a', 10_000)) {
        if dripping.stream.write_all(&[*byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(dripping.ends().await, "drips its head");
    assert_eq!(world.backend.count(), 1);
}

#[tokio::test]
async fn a_request_under_way_is_not_cut() {
    let world = World::start_with(|plan| {
        plan.config.timeouts.header = Duration::from_millis(20);
        plan.config.timeouts.keep_alive = Duration::from_millis(20);
    })
    .await;
    let mut connection = Connection::open(world.address).await;
    connection.write("GET /drip HTTP/1.1\r\nHost: a\r\n\r\n").await;
    for n in 0..3 {
        // Longer than every limit for heads.
        tokio::time::sleep(Duration::from_millis(100)).await;
        world.backend.drips.add_permits(1);
        if n == 0 {
            assert_eq!(connection.head().await.unwrap().status, 200);
        }
        assert_eq!(connection.chunk().await, format!("piece {n}").into_bytes());
    }
}

#[tokio::test]
async fn bodies_that_stand_still_are_given_up() {
    let world = World::start_with(|plan| plan.config.timeouts.idle = Duration::from_millis(60)).await;
    let mut upload = Connection::open(world.address).await;
    upload.write("POST /public HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc").await;
    let answer = upload.answer().await.unwrap();
    assert_eq!((answer.status, answer.json()["code"].as_str()), (408, Some("body_timeout")));
    let mut download = Connection::open(world.address).await;
    download.write("GET /drip HTTP/1.1\r\nHost: a\r\n\r\n").await;
    world.backend.drips.add_permits(1);
    assert_eq!(download.head().await.unwrap().status, 200);
    assert_eq!(download.chunk().await, b"piece 0");
    assert!(download.ends().await, "broken off, without the last chunk");
}

#[tokio::test]
async fn stopping_lets_requests_end() {
    let mut world = World::start().await;
    let mut busy = Connection::open(world.address).await;
    busy.write("GET /drip HTTP/1.1\r\nHost: a\r\n\r\n").await;
    world.backend.drips.add_permits(1);
    assert_eq!(busy.head().await.unwrap().status, 200);
    assert_eq!(busy.chunk().await, b"piece 0");
    let mut idle = Connection::open(world.address).await;
    idle.write("GET /public HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(idle.answer().await.unwrap().status, 200);
    world.stop();
    assert!(idle.ends().await, "idle connections end at once");
    assert!(tokio::net::TcpStream::connect(world.address).await.is_err(), "nobody new");
    world.backend.drips.add_permits(2);
    assert_eq!(busy.chunk().await, b"piece 1");
    assert_eq!(busy.chunk().await, b"piece 2");
    assert!(busy.chunk().await.is_empty());
    busy.ends().await;
    world.served.take().unwrap().await.unwrap().unwrap();
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever() {
    let mut world = World::start_with(|plan| plan.config.timeouts.drain = Duration::from_millis(50)).await;
    let mut busy = Connection::open(world.address).await;
    busy.write("GET /drip HTTP/1.1\r\nHost: a\r\n\r\n").await;
    world.backend.drips.add_permits(1);
    assert_eq!(busy.head().await.unwrap().status, 200);
    world.stop();
    world.served.take().unwrap().await.unwrap().unwrap();
    assert_eq!(busy.chunk().await, b"piece 0");
    assert!(busy.ends().await);
}

#[tokio::test]
async fn connections_are_bounded() {
    let world = World::start_with(|plan| plan.config.maximum_connections = 1).await;
    let mut first = Connection::open(world.address).await;
    first.write("GET /public HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(first.answer().await.unwrap().status, 200);
    let mut second = Connection::open(world.address).await;
    second.write("GET /public HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(world.backend.count(), 1);
    drop(first);
    assert_eq!(second.answer().await.unwrap().status, 200, "served when there is room");
}
