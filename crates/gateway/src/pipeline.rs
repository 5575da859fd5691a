//! One request, told in one sentence: normalise, match the route, judge the origin, find the caller, authorize, rewrite
//! the headers, forward.

use std::sync::Arc;

use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, HeaderMap, HeaderValue, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use http::uri::PathAndQuery;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use policy::{Denial, NormalPath, Rule};

use crate::api_key;
use crate::bearer::{self, Presented};
use crate::body::AnswerBody;
use crate::caller::Known;
use crate::config::Mode;
use crate::connection::Visit;
use crate::cors::{self, Origin};
use crate::decisions::Record;
use crate::forward::{self, Passage, Terms, Vouched};
use crate::forward_auth;
use crate::gateway::KeyUse;
use crate::headers::{self, RequestRules};
use crate::metrics::count;
use crate::problem::Problem;
use crate::refusal::Refusal;
use crate::request_id::RequestId;
use crate::session;
use crate::snapshot::Snapshot;
use crate::target;
use crate::token::Verifier;
use crate::tunnel;

/// What is found out on the way and belongs to the answer or the record.
#[derive(Debug, Default)]
pub(crate) struct Notes<'s> {
    pub(crate) rule: Option<&'s Rule>,
    pub(crate) reason: &'static str,
    pub(crate) detail: Option<String>,
    /// What observe mode let pass.
    pub(crate) observed: Option<&'static str>,
    /// The frontend's origin, for `Access-Control-Allow-Origin`.
    pub(crate) frontend: Option<HeaderValue>,
    /// An API key was presented: its end is announced.
    pub(crate) api_key: bool,
    /// Somebody was recognised: the answer is theirs alone.
    pub(crate) recognised: bool,
}

/// One request with what it is judged by.
pub(crate) struct Exchange<'s> {
    pub(crate) visit: &'s Visit,
    pub(crate) snapshot: &'s Snapshot,
    pub(crate) now: i64,
    pub(crate) request_id: HeaderValue,
}

/// Answers one request.
pub(crate) async fn answer(visit: &Visit, request: Request<Incoming>) -> Response<AnswerBody> {
    let busy = visit.activity.begin();
    let gateway = &*visit.gateway;
    let snapshot = gateway.snapshot.load_full();
    let id = RequestId::new((gateway.ports.fresh)());
    let exchange =
        Exchange { visit, snapshot: &snapshot, now: (gateway.ports.now)(), request_id: id.header_value() };
    let mut notes = Notes { reason: "permitted", ..Notes::default() };
    let https = exchange.visit.came_by_https(request.headers(), &snapshot.config.trusted_proxies);
    let method = request.method().clone();
    let path = policy::normalise(target::target(&request));
    // Kept for the record alone.
    let odd_path = path.is_err().then(|| request.uri().path().to_owned());

    let mut answer = match exchange.pass(request, &path, &mut notes).await {
        Ok(answer) => answer,
        Err(problem) => {
            if notes.reason == "permitted" {
                // Permitted, and yet not done: too large, or the backend's failure.
                notes.reason = problem.code;
                notes.detail = Some(problem.detail.clone());
                gateway.metrics.denied(problem.code);
            }
            problem.answer(&exchange.request_id)
        }
    };
    exchange.dress(answer.headers_mut(), &notes, https);
    answer.body_mut().keep_busy(busy);

    gateway.metrics.answered(answer.status().as_u16());
    gateway.decisions.record(Record {
        id,
        at: exchange.now,
        method: &method,
        path: path.as_ref().map_or_else(|_| odd_path.as_deref().unwrap_or_default(), NormalPath::forward),
        status: answer.status(),
        rule: notes.rule.map(|rule| (rule.method.as_str(), rule.pattern.as_str())),
        reason: notes.reason,
        detail: notes.detail,
        observed: notes.observed,
    });
    answer
}

impl<'s> Exchange<'s> {
    async fn pass(
        &self,
        request: Request<Incoming>,
        path: &Result<NormalPath, policy::Ambiguous>,
        notes: &mut Notes<'s>,
    ) -> Result<Response<AnswerBody>, Problem> {
        let config = &self.snapshot.config;
        // First of all, since the page may read every answer, refusals too.
        let origin = Origin::of(request.headers(), &config.origins);
        notes.frontend = origin.frontend();
        if !target::is_framed_once(request.headers()) {
            return Err(Problem::bad_request(
                "malformed_framing",
                "the length of the body is said twice, or in a coding other than chunked",
            ));
        }
        let host = self.enforce(target::one_host(&request), notes)?;
        let path = self.enforce(path.as_ref().map_err(|why| Denial::AmbiguousPath(*why)), notes)?;
        if let Some(path) = path
            && self.is_forward_auth(&request, path)
        {
            return forward_auth::answer(self, &request, notes).await;
        }

        let method = request.method().as_str();
        let found = path.map(|path| config.table.lookup(method, path));
        if let Some(policy::Lookup::Found(rule)) = found {
            notes.rule = Some(rule);
        }

        self.enforce(origin.authorize(&request), notes)?;
        if let (Some(path), Some(session)) = (path, &self.visit.gateway.ports.session_api)
            && session.serves(path)
        {
            return session::answer(self, session, request, path, notes).await;
        }
        let preflight = match path {
            Some(path) if cors::is_preflight(&request) => {
                Some(origin.preflight(&request, &config.table, path))
            }
            _ => None,
        };
        if let Some(Ok(answer)) = preflight {
            notes.reason = "preflight";
            return Ok(answer);
        }

        let known = self.caller(request.headers(), notes).await;
        let known = self.enforce(known, notes)?.flatten();
        let caller = known.as_deref().map(|known| &known.caller);
        let permit = match found {
            Some(found) => self.enforce(policy::authorize(found, caller), notes)?,
            None => None,
        };
        let passage = match permit {
            Some(permit) => Passage::Permitted(permit),
            None => self.observed()?,
        };
        if let Some(Err(why)) = preflight {
            notes.frontend = None;
            return Err(Problem::new(StatusCode::FORBIDDEN, "preflight_refused", why));
        }
        if is_declared_too_large(request.headers(), config.maximum_body) {
            return Err(Refusal::TooLarge.problem());
        }

        let target = self.forwarded_target(&request, path)?;
        let vouched = Vouched {
            known: known.as_deref(),
            request_id: &self.request_id,
            host: host.as_ref().unwrap_or(&UNKNOWN_HOST),
            client: self.visit.client(request.headers(), &config.trusted_proxies),
            https: self.visit.came_by_https(request.headers(), &config.trusted_proxies),
        };
        let terms = Terms {
            upstream: &self.snapshot.upstream,
            rules: RequestRules {
                key_header: self.snapshot.api_keys.as_ref().map(|keys| &keys.header),
                forward_token: config.forward_token,
            },
            maximum_body: config.maximum_body,
            timeouts: &config.timeouts,
        };
        let (answer, tunnel) =
            forward::forward(&self.visit.backend, passage, terms, &vouched, target, request)
                .await
                .inspect_err(|problem| {
                    if forward::is_backends(problem) {
                        self.visit.gateway.metrics.upstream_failed(problem.code);
                    }
                })?;
        if let Some(ends) = tunnel {
            tunnel::join(ends, Arc::clone(&self.visit.gateway.metrics), self.visit.shutdown.clone());
        }
        Ok(answer)
    }

    /// The caller behind the request's credentials; nobody where there are none.
    pub(crate) async fn caller(
        &self,
        headers: &HeaderMap,
        notes: &mut Notes<'s>,
    ) -> Result<Option<Arc<Known>>, Refusal> {
        let keys = self.snapshot.api_keys.as_ref();
        let known = match bearer::presented(headers, keys.map(|keys| &keys.header))? {
            Presented::Nothing => return Ok(None),
            Presented::Token(token) => self.verifier().caller(token, self.now).await?,
            Presented::ApiKey(key) => {
                notes.api_key = true;
                Arc::new(self.holder(key).await?)
            }
        };
        notes.recognised = true;
        Ok(Some(known))
    }

    /// The holder of an API key.
    async fn holder(&self, key: &str) -> Result<Known, Refusal> {
        let invalid = |reason: &str| Denial::InvalidApiKey { reason: reason.to_owned() };
        if self.snapshot.api_keys.as_ref().is_none_or(|keys| keys.are_over(self.now)) {
            return Err(invalid("API keys are no longer accepted; use OAuth client credentials").into());
        }
        if !api_key::may_be_looked_up(key) {
            return Err(invalid("its checksum does not fit").into());
        }
        let ports = &self.visit.gateway.ports;
        let Some(store) = &ports.legacy_keys else { return Err(invalid("none is known").into()) };
        let found = store.find(api_key::digest_of(key)).await.map_err(|error| {
            tracing::error!(%error, "API keys cannot be looked up");
            Refusal::NoApiKeys
        })?;
        let key = found.ok_or_else(|| invalid("it is unknown or revoked"))?;
        if key.expires_at.is_some_and(|end| self.now >= end) {
            return Err(invalid("it has expired").into());
        }
        let metrics = &self.visit.gateway.metrics;
        count(&metrics.api_key_uses);
        if let Some(uses) = &ports.key_uses
            && uses.try_send(KeyUse { id: key.id.clone(), at: self.now }).is_err()
        {
            // A full queue must not turn callers away: the next use will be recorded.
            count(&metrics.api_key_uses_unrecorded);
        }
        Known::from_key(key).map_err(|why| invalid(why).into())
    }

    fn verifier(&self) -> Verifier<'_> {
        Verifier {
            issuers: &self.snapshot.issuers,
            remembered: &self.snapshot.remembered,
            revocations: &self.visit.gateway.ports.revocations,
            metrics: &self.visit.gateway.metrics,
        }
    }

    /// A refusal ends the request, except in observe mode, which notes it and goes on without what was refused.
    pub(crate) fn enforce<T, R: Into<Refusal>>(
        &self,
        result: Result<T, R>,
        notes: &mut Notes<'s>,
    ) -> Result<Option<T>, Problem> {
        let refusal = match result {
            Ok(value) => return Ok(Some(value)),
            Err(refusal) => refusal.into(),
        };
        // The first refusal is the one that would have been answered.
        if notes.observed.is_none() {
            notes.detail = Some(refusal.reason());
            notes.reason = refusal.code();
        }
        match self.snapshot.config.mode {
            Mode::Enforce => {
                self.visit.gateway.metrics.denied(refusal.code());
                Err(refusal.problem())
            }
            Mode::Observe => {
                if notes.observed.is_none() {
                    self.visit.gateway.metrics.would_deny(refusal.code());
                    notes.observed = Some(refusal.code());
                    notes.reason = "observed";
                }
                Ok(None)
            }
        }
    }

    /// The way past a refusal. Only observe mode has one.
    fn observed(&self) -> Result<Passage<'static>, Problem> {
        match self.snapshot.config.mode {
            Mode::Observe => Ok(Passage::Observed),
            Mode::Enforce => Err(Refusal::Denied(Denial::NotListed).problem()),
        }
    }

    fn is_forward_auth(&self, request: &Request<Incoming>, path: &NormalPath) -> bool {
        path.forward() == forward_auth::PATH
            && request.method() == Method::GET
            && self.visit.peer_is_trusted(&self.snapshot.config.trusted_proxies)
    }

    /// What was matched is what is forwarded. Only observe mode forwards what could not be matched, as it came.
    fn forwarded_target(
        &self,
        request: &Request<Incoming>,
        path: Option<&NormalPath>,
    ) -> Result<PathAndQuery, Problem> {
        let original = request.uri().path_and_query();
        match (path, original) {
            (Some(path), Some(original)) if path.target() == original.as_str() => Ok(original.clone()),
            (Some(path), _) => PathAndQuery::try_from(path.target()).map_err(|_| unforwardable()),
            (None, Some(original)) if original.as_str().starts_with('/') => Ok(original.clone()),
            (None, _) => Err(unforwardable()),
        }
    }

    /// What every answer has, refusals too.
    fn dress(&self, headers: &mut HeaderMap, notes: &Notes<'_>, https: bool) {
        headers.insert(headers::REQUEST_ID, self.request_id.clone());
        headers::vary_by_origin(headers);
        // The backend may say either more exactly; none may leave them out.
        headers.entry(X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
        if https {
            let year = HeaderValue::from_static("max-age=31536000; includeSubDomains");
            headers.entry(STRICT_TRANSPORT_SECURITY).or_insert(year);
        }
        if let Some(frontend) = &notes.frontend {
            cors::share(headers, frontend);
        }
        if notes.recognised && !headers.contains_key(CACHE_CONTROL) {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("private"));
        }
        if notes.api_key
            && let Some(keys) = &self.snapshot.api_keys
        {
            keys.announce(headers);
        }
    }
}

static UNKNOWN_HOST: HeaderValue = HeaderValue::from_static("unknown");

fn unforwardable() -> Problem {
    Problem::bad_request("malformed_request", "the request target has no path")
}

fn is_declared_too_large(headers: &HeaderMap, limit: Option<u64>) -> bool {
    let Some(limit) = limit else { return false };
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    declared.is_some_and(|declared| declared > limit)
}
