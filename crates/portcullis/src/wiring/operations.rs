//! `[operations]`: is it alive, is it ready and what is not, figures, and single decisions for `explain --request`.

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use gateway::Gateway;
use serde_json::json;
use store::Store;

use super::changes::Heard;
use super::reports::Reports;
use super::stewardship::Known;
use crate::config::Environment;

/// Answers only requests that name this machine. A page elsewhere can point its own host name at a loopback address (DNS
/// rebinding), and would then read reset links in the mailbox of `dev`.
pub fn for_this_machine_alone(router: Router) -> Router {
    router.layer(middleware::from_fn(async |request: Request, next: Next| {
        let host =
            request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let name = host.rsplit_once(':').map_or(host, |(name, port)| {
            if port.bytes().all(|byte| byte.is_ascii_digit()) { name } else { host }
        });
        if matches!(name, "localhost" | "127.0.0.1" | "[::1]") {
            next.run(request).await
        } else {
            StatusCode::MISDIRECTED_REQUEST.into_response()
        }
    }))
}

/// What operations can see.
#[derive(Clone)]
pub struct Operations {
    /// The store, where there is one.
    pub store: Option<Store>,
    /// Reports of the auditor, where there is a store.
    pub reports: Option<Reports>,
    /// The gateway.
    pub gateway: Gateway,
    /// When the change feed was last read, where there is one.
    pub heard: Option<Heard>,
    /// What is known of the databases.
    pub databases: Known,
    /// It decides what turns a node not-ready.
    pub environment: Environment,
}

impl Operations {
    /// The endpoints.
    pub fn router(self) -> Router {
        Router::new()
            .route("/livez", get(|| async { StatusCode::NO_CONTENT }))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .route("/decisions/{id}", get(decision))
            .with_state(self)
    }
}

impl Operations {
    /// The measures of this environment as gauges, by its newest report; nothing where there is none.
    async fn measures(&self) -> String {
        let Some(reports) = &self.reports else { return String::new() };
        match reports.latest(&self.environment.to_string()).await {
            Ok(Some(kept)) => audit::report::prometheus::render(&kept.report),
            Ok(None) => String::new(),
            Err(error) => {
                tracing::warn!(error, "the measures cannot be shown as gauges");
                String::new()
            }
        }
    }
}

async fn ready(State(operations): State<Operations>) -> Response {
    let mut not_ready = Vec::new();
    if let Some(store) = &operations.store
        && let Err(fault) = store.ping().await
    {
        tracing::warn!(%fault, "not ready: the store does not answer");
        not_ready.push("store".to_owned());
    }
    if operations.heard.as_ref().is_some_and(Heard::is_deaf) {
        not_ready.push("change feed".to_owned());
    }
    not_ready.extend(
        operations.gateway.issuers_without_keys().into_iter().map(|issuer| format!("keys of {issuer}")),
    );
    not_ready.extend(operations.databases.not_ready(operations.environment));
    let status = if not_ready.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": not_ready.is_empty(), "not_ready": not_ready }))).into_response()
}

async fn metrics(State(operations): State<Operations>) -> Response {
    let measures = operations.measures().await;
    let text = operations.gateway.metrics() + &operations.databases.metrics() + &measures;
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

async fn decision(State(operations): State<Operations>, Path(id): Path<String>) -> Response {
    match operations.gateway.decisions().find(&id) {
        Some(decision) => Json(json!({
            "request": id,
            "at": decision.at,
            "method": decision.method,
            "path": decision.path,
            "status": decision.status,
            "rule": decision.rule,
            "reason": decision.reason,
            "detail": decision.detail,
            "observed": decision.observed,
        }))
        .into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
