//! Pages that this room shows itself. They work without JavaScript and load nothing: one style, allowed by its hash.

pub(crate) mod reset;

use std::sync::LazyLock;

use askama::Template;
use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName};
use http::{HeaderValue, StatusCode};

/// The one style of every page.
const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;color:#1d2330;background:#f4f5f8;margin:0}\
main{max-width:26rem;margin:12vh auto;padding:2rem;background:#fff;border:1px solid #d8dbe4;border-radius:.5rem}\
h1{font-size:1.3rem;margin:0 0 1rem}label{display:block;font-weight:600}\
input[type=password]{box-sizing:border-box;width:100%;font:inherit;padding:.5rem;margin:.25rem 0;border:1px solid #8a90a2;border-radius:.25rem}\
#rule{font-size:.9rem;color:#545b6d}.problem{color:#9b1c1c;font-weight:600}\
button{font:inherit;padding:.5rem 1.25rem;border:0;border-radius:.25rem;background:#24468f;color:#fff}";

/// Nothing but the style above, forms to ourselves, and no frame around us.
static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, STYLE.as_bytes());
    let hash = base64::engine::general_purpose::STANDARD.encode(digest);
    HeaderValue::from_str(&format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
    ))
    .ok()
});

/// An HTML answer with the policy of every page. The rest of the headers is the same for the whole room.
fn html(status: StatusCode, page: &impl Template) -> Response {
    let text = page.render().unwrap_or_else(|error| {
        tracing::error!(%error, "a page cannot be rendered");
        "The page cannot be shown.".to_owned()
    });
    let mut answer = Response::new(Body::from(text));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    // Without its hash the style is left out and the page still works.
    let policy = POLICY.clone().unwrap_or(HeaderValue::from_static(
        "default-src 'none'; form-action 'self'; frame-ancestors 'none'",
    ));
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    for (name, value) in [
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        (
            "permissions-policy",
            "publickey-credentials-get=(self), publickey-credentials-create=(self), camera=(), microphone=(), geolocation=()",
        ),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    answer
}

#[derive(Template)]
#[template(path = "message.html")]
struct Message<'a> {
    style: &'static str,
    title: &'a str,
    text: &'a str,
}

/// A page that says one thing.
pub(crate) fn message(status: StatusCode, title: &str, text: &str) -> Response {
    html(status, &Message { style: STYLE, title, text })
}

#[derive(Template)]
#[template(path = "reset.html")]
struct ResetForm<'a> {
    style: &'static str,
    action: &'a str,
    token: &'a str,
    service: &'a str,
    minimum_length: usize,
    problem: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    async fn text(answer: Response) -> String {
        String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn the_policy_names_the_hash_of_the_style_that_is_sent() {
        let answer = message(StatusCode::OK, "t", "x");
        let policy = answer.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        let page = text(answer).await;
        let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, style.as_bytes());
        let hash = base64::engine::general_purpose::STANDARD.encode(digest);
        assert!(policy.contains(&format!("'sha256-{hash}'")), "{policy}");
        assert!(!policy.contains("unsafe"));
        assert!(!page.contains("style=\"") && !page.contains("<script"), "{page}");
    }

    #[tokio::test]
    async fn what_is_shown_is_escaped() {
        let page = text(message(StatusCode::OK, "<b>", "\"><script>alert(1)</script>")).await;
        assert!(!page.contains("<script>") && !page.contains("<b>"), "{page}");
        let form = ResetForm {
            style: STYLE,
            action: "/reset",
            token: "\"><script>",
            service: "<i>",
            minimum_length: 15,
            problem: Some("<u>"),
        };
        let page = text(html(StatusCode::OK, &form)).await;
        assert!(!page.contains("<script>") && !page.contains("<i>") && !page.contains("<u>"), "{page}");
        assert!(page.contains("minlength=\"15\"") && page.contains("autocomplete=\"new-password\""));
    }
}
