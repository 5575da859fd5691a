//! What goes through, in either direction, and what does not.

use serde_json::{Value, json};

use crate::world::client::{Connection, raw};
use crate::world::{Backend, NOON, World, get, send};

fn values<'v>(told: &'v Value, name: &str) -> Vec<&'v str> {
    told["headers"][name]
        .as_array()
        .map(|list| list.iter().map(|v| v.as_str().unwrap()).collect())
        .unwrap_or_default()
}

#[tokio::test]
async fn identity_headers_cannot_be_forged() {
    let world = World::start().await;
    let token = world.client("read:orders x");
    let bearer = format!("Bearer {token}");
    let forged = [
        ("X-Auth-Subject", "root"),
        ("x_auth_subject", "root"),
        ("X-Auth-Client", "root"),
        ("X_Auth-Client", "root"),
        ("X-Auth-Scopes", "admin"),
        ("X_AUTH_SCOPES", "admin"),
        ("X-Request-Id", "mine"),
        ("X_Request_Id", "mine"),
        ("X-Forwarded-For", "6.6.6.6"),
        ("X-Forwarded-Host", "evil.test"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Prefix", "/admin"),
        ("X-Forwarded-Uri", "/admin"),
        ("X-Original-URL", "/admin"),
        ("X-Rewrite-URL", "/admin"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("X_Method_Override", "DELETE"),
        ("Forwarded", "for=6.6.6.6"),
        ("Connection", "X-Auth-Subject, X-Auth-Scopes, X-Forwarded-For, X-Request-Id, Host"),
    ];
    let headers: Vec<(&str, &str)> = forged.into_iter().chain([("Authorization", bearer.as_str())]).collect();
    let answer = get(world.address, "/orders/7", &headers).await;
    assert_eq!(answer.status, 200);
    let told = answer.json();
    assert_eq!(values(&told, "x-auth-subject"), ["machine@clients"]);
    assert_eq!(values(&told, "x-auth-client"), ["machine"]);
    assert_eq!(values(&told, "x-auth-scopes"), ["read:orders x"]);
    assert_eq!(values(&told, "x-request-id"), [answer.header("x-request-id").unwrap()]);
    assert_eq!(values(&told, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(values(&told, "x-forwarded-host"), ["api.test"]);
    assert_eq!(values(&told, "x-forwarded-proto"), ["http"]);
    assert_eq!(values(&told, "host"), [world.backend.address.to_string()]);
    let names: Vec<&String> = told["headers"].as_object().unwrap().keys().collect();
    for name in names {
        assert!(!name.contains('_'), "{name}");
        assert!(
            !["x-forwarded-prefix", "x-forwarded-uri", "forwarded", "authorization", "connection"]
                .contains(&name.as_str()),
            "{name}"
        );
        assert!(!name.contains("override") && !name.contains("-url"), "{name}");
    }

    // Nobody is nobody: on a public route nothing is claimed for a stranger.
    let answer = get(world.address, "/public", &forged[..6]).await;
    let told = answer.json();
    assert!(
        ["x-auth-subject", "x-auth-client", "x-auth-scopes"]
            .iter()
            .all(|name| values(&told, name).is_empty())
    );
}

#[tokio::test]
async fn the_token_is_forwarded_where_configured_alone() {
    let world = World::start_with(|plan| plan.config.forward_token = true).await;
    let token = world.user("read:orders");
    let told = world.get("/orders/7", &token).await.json();
    assert_eq!(values(&told, "authorization"), [format!("Bearer {token}")]);
}

#[tokio::test]
async fn rfc9110_7_6_1_hop_by_hop_headers_stay_here() {
    let world = World::start().await;
    let answer = get(
        world.address,
        "/public",
        &[
            ("Connection", "keep-alive, X-Mine"),
            ("X-Mine", "1"),
            ("Keep-Alive", "timeout=5"),
            ("TE", "trailers"),
            ("X-Kept", "1"),
        ],
    )
    .await;
    let told = answer.json();
    for name in ["x-mine", "keep-alive"] {
        assert!(values(&told, name).is_empty(), "{name}");
    }
    assert_eq!(values(&told, "x-kept"), ["1"]);
    assert_eq!(values(&told, "te"), ["trailers"]);
    assert_eq!(answer.header("x-hop"), None, "named in the backend's Connection");
    assert_eq!(answer.header("x-backend"), Some("yes"));
}

#[tokio::test]
async fn the_backends_cors_headers_and_request_id_are_removed() {
    let world = World::start().await;
    let answer = get(world.address, "/public", &[]).await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    assert_ne!(answer.header("x-request-id"), Some("the backend's"));
    assert_eq!(answer.all("vary"), ["Accept", "Origin"]);
}

#[tokio::test]
async fn answers_stream() {
    let world = World::start().await;
    let mut connection = Connection::open(world.address).await;
    connection.write("GET /drip HTTP/1.1\r\nHost: a\r\n\r\n").await;
    for n in 0..3 {
        world.backend.drips.add_permits(1);
        if n == 0 {
            assert_eq!(connection.head().await.unwrap().status, 200);
        }
        // The backend sends no more until this one has arrived.
        assert_eq!(connection.chunk().await, format!("piece {n}").into_bytes());
    }
    assert!(connection.chunk().await.is_empty());
}

#[tokio::test]
async fn requests_stream() {
    let world = World::start().await;
    let mut connection = Connection::open(world.address).await;
    connection.write("POST /drip HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let mut pieces = world.backend.pieces.lock().await;
    for n in 0..3 {
        connection.write(format!("7\r\npiece {n}\r\n")).await;
        // The client sends no more until this one has arrived.
        assert_eq!(pieces.recv().await.unwrap(), format!("piece {n}"));
    }
    connection.write("0\r\n\r\n").await;
    world.backend.drips.add_permits(3);
    assert_eq!(connection.answer().await.unwrap().body, b"piece 0piece 1piece 2");
}

#[tokio::test]
async fn bodies_of_every_framing_arrive_whole() {
    let world = World::start().await;
    let token = format!("Bearer {}", world.user("write:orders read:orders"));
    let answer = send(world.address, "POST", "/orders", &[("Authorization", &token)], b"hello").await;
    assert_eq!((answer.status, &answer.json()["body"]), (200, &json!("hello")));
    let chunked = format!(
        "POST /orders HTTP/1.1\r\nHost: a\r\nAuthorization: {token}\r\nTransfer-Encoding: chunked\r\n\r\n2;ext=1\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
    );
    let told = raw(world.address, &chunked).await.json();
    assert_eq!(told["body"], "hello");
    assert_eq!(values(&told, "transfer-encoding"), ["chunked"]);
    // A GET may have a body as well.
    let with_get = chunked.replace("POST /orders ", "GET /orders/7 ");
    assert_eq!(raw(world.address, &with_get).await.json()["body"], "hello");
    let waiting = format!(
        "POST /orders HTTP/1.1\r\nHost: a\r\nAuthorization: {token}\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    );
    let mut connection = Connection::open(world.address).await;
    connection.write(&waiting).await;
    assert_eq!(connection.head().await.unwrap().status, 100);
    connection.write("ok").await;
    assert_eq!(connection.answer().await.unwrap().json()["body"], "ok");
}

#[tokio::test]
async fn trailers_pass_and_vouch_for_nobody() {
    let world = World::start().await;
    let request = "POST /public HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, X-Auth-Subject\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 9\r\nX-Auth-Subject: root\r\n\r\n";
    let told = raw(world.address, request).await.json();
    assert_eq!(told["trailers"]["x-sum"], json!(["9"]));
    assert_eq!(told["trailers"]["x-auth-subject"], Value::Null);

    let backend = Backend::raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 9\r\n\r\n").await;
    let world = World::start_before(backend, |_| {}).await;
    let answer = get(world.address, "/public", &[("TE", "trailers"), ("Connection", "TE")]).await;
    assert_eq!(
        (answer.body.as_slice(), answer.trailers.to_lowercase().as_str()),
        (b"hi".as_slice(), "x-sum: 9")
    );
}

#[tokio::test]
async fn websockets_pass_with_a_permit() {
    let world = World::start().await;
    let upgrade = "GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n";
    let mut connection = Connection::open(world.address).await;
    connection.write(format!("{upgrade}\r\n")).await;
    let answer = connection.answer().await.unwrap();
    assert_eq!((answer.status, answer.header("upgrade")), (101, Some("websocket")));
    assert_eq!(answer.header("sec-websocket-accept"), Some("abc"));
    for text in ["one", "two"] {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        connection.stream.write_all(text.as_bytes()).await.unwrap();
        let mut echoed = [0; 3];
        connection.stream.read_exact(&mut echoed).await.unwrap();
        assert_eq!(echoed, text.as_bytes());
    }
    assert!(world.gateway.metrics().contains("portcullis_gateway_tunnels 1"));

    let denied = raw(world.address, &format!("{}\r\n", upgrade.replace("/socket", "/admin"))).await;
    assert_eq!(denied.status, 401);
    let foreign = raw(world.address, &format!("{upgrade}Origin: https://evil.test\r\n\r\n")).await;
    assert_eq!(foreign.status, 403, "a page of someone else's opens no socket");
    let own = raw(world.address, format!("{upgrade}Origin: https://app.test\r\n\r\n")).await;
    assert_eq!(own.status, 101);
}

#[tokio::test]
async fn nothing_but_websocket_is_upgraded_to() {
    let world = World::start().await;
    let request = "GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n";
    let answer = raw(world.address, request).await;
    assert_eq!(answer.status, 200, "the backend was not asked to switch");
    let told = answer.json();
    assert!(told["upgrade"].is_null() && told["http2-settings"].is_null(), "{told}");
}

#[tokio::test]
async fn trusted_proxies_are_believed_about_the_client() {
    let world =
        World::start_with(|plan| plan.config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]).await;
    let answer = get(
        world.address,
        "/public",
        &[
            ("X-Forwarded-For", "6.6.6.6, 203.0.113.9, 127.0.0.2"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "evil.test"),
        ],
    )
    .await;
    let told = answer.json();
    assert_eq!(values(&told, "x-forwarded-for"), ["203.0.113.9"]);
    assert_eq!(values(&told, "x-forwarded-proto"), ["https"]);
    assert_eq!(values(&told, "x-forwarded-host"), ["api.test"]);
}

#[tokio::test]
async fn http_1_0_and_keep_alive() {
    let world = World::start().await;
    let mut connection = Connection::open(world.address).await;
    connection.write("GET /public HTTP/1.0\r\nHost: a\r\n\r\n").await;
    assert_eq!(connection.answer().await.unwrap().status, 200);
    assert!(connection.ends().await);
    let mut connection = Connection::open(world.address).await;
    for _ in 0..3 {
        connection.write("GET /public HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(connection.answer().await.unwrap().status, 200);
    }
    // Pipelined requests are answered in their order.
    connection
        .write("GET /public?1 HTTP/1.1\r\nHost: a\r\n\r\nGET /public?2 HTTP/1.1\r\nHost: a\r\n\r\n")
        .await;
    assert_eq!(connection.answer().await.unwrap().json()["target"], "/public?1");
    assert_eq!(connection.answer().await.unwrap().json()["target"], "/public?2");
}

#[tokio::test]
async fn http_2_is_spoken_with_clients() {
    use http_body_util::{BodyExt, Full};
    let world = World::start().await;
    let stream = tokio::net::TcpStream::connect(world.address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(
        hyper_util::rt::TokioExecutor::new(),
        hyper_util::rt::TokioIo::new(stream),
    )
    .await
    .unwrap();
    tokio::spawn(connection);
    let request = http::Request::post("http://api.test/orders")
        .header("authorization", format!("Bearer {}", world.user("write:orders")))
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .body(Full::new(bytes::Bytes::from("hello")))
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    let told: Value =
        serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap();
    assert_eq!(told["body"], "hello");
    assert_eq!(values(&told, "cookie"), ["a=1; b=2"]);
    assert_eq!(values(&told, "x-forwarded-host"), ["api.test"]);
    assert_eq!(values(&told, "x-auth-subject"), ["usr_1"]);
    let two_hosts = http::Request::get("http://api.test/public")
        .header("host", "evil.test")
        .body(Full::default())
        .unwrap();
    assert_eq!(sender.send_request(two_hosts).await.unwrap().status(), 400);
}

#[tokio::test]
async fn a_dead_backend_is_502_and_a_silent_one_504() {
    let nobody = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let world =
        World::start_with(|plan| plan.config.upstream = format!("http://{nobody}").parse().unwrap()).await;
    let answer = get(world.address, "/public", &[("Origin", "https://app.test")]).await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (502, Some("upstream_unreachable")));
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("https://app.test"),
        "the page may read errors"
    );
    assert!(
        world
            .gateway
            .metrics()
            .contains("portcullis_gateway_upstream_errors_total{kind=\"upstream_unreachable\"} 1")
    );

    for nonsense in
        [b"nonsense\r\n\r\n".as_slice(), b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"]
    {
        let world = World::start_before(Backend::raw(nonsense).await, |_| {}).await;
        let answer = get(world.address, "/public", &[]).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (502, Some("upstream_failed")));
    }
    let world = World::start_before(Backend::raw(b"").await, |plan| {
        plan.config.timeouts.response = std::time::Duration::from_millis(50);
    })
    .await;
    let answer = get(world.address, "/public", &[]).await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (504, Some("upstream_timeout")));
}

#[tokio::test]
async fn an_authenticated_answer_is_private() {
    let world = World::start().await;
    let answer = world.get("/orders/7", &world.user("read:orders")).await;
    assert_eq!(answer.header("cache-control"), Some("private"));
    assert_eq!(get(world.address, "/public", &[]).await.header("cache-control"), None);
}

#[tokio::test]
async fn decisions_are_kept_by_request_id() {
    let world = World::start().await;
    let answer = world.get("/orders/7?secret=1", &world.user("nothing")).await;
    let id = answer.header("x-request-id").unwrap().to_owned();
    assert_eq!(id.len(), 32);
    let decision = world.gateway.decisions().find(&id).unwrap();
    assert_eq!((decision.status, decision.reason, decision.at), (403, "insufficient_scope", NOON));
    assert_eq!(decision.rule.as_deref(), Some("GET /orders/{id}"));
    assert_eq!((decision.method.as_str(), decision.path.as_str()), ("GET", "/orders/7"));
    assert!(decision.detail.unwrap().contains("read:orders"));
    assert!(
        world.gateway.metrics().contains("portcullis_gateway_denials_total{reason=\"insufficient_scope\"} 1")
    );
}
