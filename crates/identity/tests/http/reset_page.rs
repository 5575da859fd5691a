//! `/reset`: the page behind the mailed link.

use testkit::http::Reply;

use crate::world::{NEW_PASSWORD, PASSWORD, World};

async fn submit(world: &World, token: &str, password: &str) -> Reply {
    world.request("POST", "/reset").form(&[("token", token), ("password", password)]).send().await
}

#[track_caller]
fn is_hardened(reply: &Reply) {
    let policy = reply.header("content-security-policy").unwrap();
    for part in ["default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    for (name, value) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains"),
        ("content-type", "text/html; charset=utf-8"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{name}");
    }
    assert!(
        !reply.text().contains("<script") && !reply.text().contains("//"),
        "nothing is loaded: {}",
        reply.text()
    );
}

#[tokio::test]
async fn the_page_works_without_javascript_and_get_changes_nothing() {
    let world = World::new().await;
    let (access, _) = world.session("alice@example.com").await;
    let token = world.reset_token("alice@example.com").await;
    for _ in 0..3 {
        let page = world.request("GET", &format!("/reset?token={token}")).send().await.expect(200);
        is_hardened(&page);
        let text = page.text();
        assert!(text.contains(&format!("name=\"token\" value=\"{token}\"")), "{text}");
        assert!(text.contains("action=\"/reset\"") && text.contains("method=\"post\""));
        assert!(text.contains("autocomplete=\"new-password\"") && text.contains("At least 15 characters"));
    }
    world.request("HEAD", &format!("/reset?token={token}")).send().await.expect(200);
    world.me(&access).await.expect(200);
    world.log_in("alice@example.com", PASSWORD).await.expect(200);

    let page = submit(&world, &token, "short").await.expect(400);
    is_hardened(&page);
    assert!(page.text().contains("use at least 15") && page.text().contains(&token), "{}", page.text());
    let page = submit(&world, &token, NEW_PASSWORD).await.expect(200);
    is_hardened(&page);
    assert!(page.text().contains("Your password is set") && !page.text().contains(&token));
    world.me(&access).await.expect(401);
    world.log_in("alice@example.com", NEW_PASSWORD).await.expect(200);

    is_hardened(&submit(&world, &token, PASSWORD).await.expect(400));
    let page = world.request("GET", &format!("/reset?token={token}")).send().await.expect(400);
    assert!(page.text().contains("no longer works"));
}

#[tokio::test]
async fn forms_of_other_sites_are_refused() {
    let world = World::new().await;
    world.sign_up("alice@example.com").await;
    let token = world.reset_token("alice@example.com").await;
    let fields = [("token", token.as_str()), ("password", NEW_PASSWORD)];
    for (name, value) in [
        ("origin", "https://evil.test"),
        ("origin", "null"),
        ("origin", "https://id.example.evil.test"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let page = world.request("POST", "/reset").header(name, value).form(&fields).send().await.expect(403);
        is_hardened(&page);
    }
    // What a browser sends with our own form under no-referrer.
    let own =
        world.request("POST", "/reset").header("origin", "null").header("sec-fetch-site", "same-origin");
    own.form(&fields).send().await.expect(200);
}

#[tokio::test]
async fn nothing_of_the_request_is_reflected_unescaped() {
    let world = World::new().await;
    let attack = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E";
    let page = world.request("GET", &format!("/reset?token={attack}")).send().await.expect(400);
    assert!(!page.text().contains("<script"), "{}", page.text());
    let page = submit(&world, "\"><script>alert(1)</script>", NEW_PASSWORD).await.expect(400);
    assert!(!page.text().contains("<script"));
    for path in ["/reset", "/reset?token=", "/reset?token=a&token=b"] {
        world.request("GET", path).send().await.expect(400);
    }
    world.request("PUT", "/reset").send().await.expect(405);
    world.request("POST", "/reset").header("content-type", "text/plain").body("x").send().await.expect(415);
    world.request("POST", "/reset").form(&[("token", "x")]).send().await.expect(400);
}
