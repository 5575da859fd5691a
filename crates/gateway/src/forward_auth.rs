//! `GET /forward-auth`: the same decision for another proxy, which forwards by itself.
//!
//! The proxy names the request in `X-Forwarded-Method`, `X-Forwarded-Uri` and `X-Forwarded-Host`; it is believed when it
//! is a trusted one. For everybody else the path is one like any other. 200 comes with the identity headers, which the
//! proxy must set in place of the client's; anything else is the answer to give. Preflights are the proxy's to answer.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, Uri};
use policy::Denial;

use crate::body::AnswerBody;
use crate::cors::Origin;
use crate::forward;
use crate::pipeline::{Exchange, Notes};
use crate::problem::Problem;

/// Where the question is asked.
pub const PATH: &str = "/forward-auth";

pub(crate) async fn answer<'s, B>(
    exchange: &Exchange<'s>,
    request: &Request<B>,
    notes: &mut Notes<'s>,
) -> Result<Response<AnswerBody>, Problem> {
    let config = &exchange.snapshot.config;
    let Some(asked) = exchange.enforce(asked(request.headers()), notes)? else { return Ok(permitted()) };
    let path = policy::normalise(crate::target::target(&asked)).map_err(Denial::AmbiguousPath);
    let Some(path) = exchange.enforce(path, notes)? else { return Ok(permitted()) };
    let found = config.table.lookup(asked.method().as_str(), &path);
    if let policy::Lookup::Found(rule) = found {
        notes.rule = Some(rule);
    }
    let origin = Origin::of(request.headers(), &config.origins);
    notes.frontend = origin.frontend();
    exchange.enforce(origin.authorize(&asked), notes)?;
    let known = exchange.caller(request.headers(), notes).await;
    let known = exchange.enforce(known, notes)?.flatten();
    exchange.enforce(policy::authorize(found, known.as_deref().map(|known| &known.caller)), notes)?;
    let mut answer = permitted();
    for (name, value) in known.iter().flat_map(|known| forward::identity(known)) {
        answer.headers_mut().insert(name, value.clone());
    }
    Ok(answer)
}

/// The request that the proxy asks about, without its body.
fn asked(headers: &HeaderMap) -> Result<Request<()>, Denial> {
    let missing =
        |name: &str| Denial::Malformed { reason: format!("{name} is needed, once"), credentials: false };
    let method = one(headers, "x-forwarded-method").ok_or_else(|| missing("X-Forwarded-Method"))?;
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| missing("X-Forwarded-Method"))?;
    let uri = one(headers, "x-forwarded-uri").and_then(|value| value.to_str().ok());
    let uri = uri.and_then(|text| text.parse::<Uri>().ok()).ok_or_else(|| missing("X-Forwarded-Uri"))?;
    if one(headers, "x-forwarded-host").is_none() {
        return Err(missing("X-Forwarded-Host"));
    }
    let mut asked = Request::new(());
    *asked.method_mut() = method;
    *asked.uri_mut() = uri;
    for name in [http::header::UPGRADE, http::header::CONNECTION] {
        for value in headers.get_all(&name) {
            asked.headers_mut().append(name.clone(), value.clone());
        }
    }
    Ok(asked)
}

fn one<'h>(headers: &'h HeaderMap, name: &'static str) -> Option<&'h HeaderValue> {
    let mut values = headers.get_all(HeaderName::from_static(name)).iter();
    values.next().filter(|_| values.next().is_none())
}

fn permitted() -> Response<AnswerBody> {
    Response::new(AnswerBody::empty())
}
