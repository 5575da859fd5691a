//! The session API on the gateway's origin.

use super::identity as identity_wiring;
use crate::config::Configuration;
use ::gateway::{SessionApi, SessionBody};
use ::identity::Identity;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::IntoResponse as _;
use http_body_util::BodyExt as _;
use std::net::SocketAddr;
use std::sync::Arc;
use tower::ServiceExt as _;

/// The session API on the gateway's origin, run where identity runs.
pub fn session_api(configuration: &Configuration, identity: Option<&Identity>) -> Option<SessionApi> {
    let identity = identity?;
    let session = identity_wiring::session(configuration);
    if !session.on_gateway.unwrap_or(true) || identity_wiring::is_delegated(configuration) {
        return None;
    }
    let router = identity.session_router();
    let runtime = tokio::runtime::Handle::current();
    Some(SessionApi {
        paths: identity.session_paths().into_iter().map(|(path, _)| path).collect(),
        service: Arc::new(move |mut request| {
            // The gateway has settled who the client is: here it is the peer, and no header has a say.
            let client = request.extensions_mut().remove::<std::net::IpAddr>();
            request.headers_mut().remove("x-forwarded-for");
            if let Some(client) = client {
                request.extensions_mut().insert(ConnectInfo(SocketAddr::new(client, 0)));
            }
            let answer = runtime.spawn(router.clone().oneshot(request.map(Body::new)));
            Box::pin(async move {
                let answer = match answer.await {
                    Ok(Ok(answer)) => answer,
                    Ok(Err(never)) => match never {},
                    Err(_) => http::StatusCode::INTERNAL_SERVER_ERROR.into_response(),
                };
                answer.map(|body| SessionBody::new(body.map_err(Into::into)))
            })
        }),
    })
}
