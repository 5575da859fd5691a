//! Asking a server of this machine a question.

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::time::Duration;

/// The JSON at `url`; none where the answer is 404.
pub async fn json(url: &str) -> Result<Option<serde_json::Value>, String> {
    let uri: http::Uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<bytes::Bytes>>();
    let exchange = async {
        let answer = client.get(uri).await.map_err(|error| error.to_string())?;
        let status = answer.status();
        if status == http::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !status.is_success() {
            return Err(format!("it answers {status}"));
        }
        let body =
            Limited::new(answer.into_body(), 1 << 20).collect().await.map_err(|error| error.to_string())?;
        serde_json::from_slice(&body.to_bytes()).map(Some).map_err(|error| error.to_string())
    };
    tokio::time::timeout(Duration::from_secs(3), exchange)
        .await
        .map_err(|_| "it takes too long".to_owned())?
}
