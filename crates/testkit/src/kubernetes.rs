//! A stub of the part of Kubernetes's API that a Secret is read and patched by. It is none of Kubernetes: it is strict
//! about requests, refuses whatever it does not know, and fails where a test tells it to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::server::answer;
use crate::stub::{Listener, Reply};

/// The two requests that the stub knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// `GET …/secrets/NAME`
    Get,
    /// `PATCH …/secrets/NAME`
    Patch,
}

/// What goes wrong with one request.
#[derive(Clone, Debug)]
pub enum Failure {
    /// A `Status` of this code with this message; nothing is stored.
    Status(u16, String),
    /// 200 and this body; nothing is stored.
    Says(String),
    /// Somebody else changes the Secret first, so that the version is another.
    Overtaken,
    /// What was asked for is done, and the connection is closed without an answer.
    HangsUpAfter,
    /// Nothing is done, and nothing is answered.
    Silence,
}

#[derive(Debug, Default)]
struct Secret {
    data: BTreeMap<String, String>,
    version: u64,
    immutable: bool,
}

#[derive(Debug, Default)]
struct State {
    token: String,
    secrets: BTreeMap<(String, String), Secret>,
    failures: VecDeque<(Step, Failure)>,
    requests: Vec<Step>,
    refused: Vec<String>,
}

/// The stub of an API server, over TLS under a certificate authority of its own.
#[derive(Debug)]
pub struct Kubernetes {
    listener: Listener,
    authority: String,
    state: Arc<Mutex<State>>,
}

impl Kubernetes {
    /// Starts it; only this service account's token may ask.
    pub async fn start(token: &str) -> Self {
        let key = rcgen::KeyPair::generate().expect("a key");
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let certificate = rcgen::CertificateParams::new(names)
            .and_then(|parameters| parameters.self_signed(&key))
            .expect("a certificate that signs itself");
        let chain = vec![certificate.der().clone()];
        let key = rustls_pki_types::PrivateKeyDer::try_from(key.serialize_der()).expect("a key in PKCS 8");
        let tls = tokio_rustls::rustls::ServerConfig::builder_with_provider(Arc::new(
            tokio_rustls::rustls::crypto::aws_lc_rs::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .expect("a certificate that can be served");
        let state = Arc::new(Mutex::new(State { token: token.to_owned(), ..State::default() }));
        let shared = state.clone();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
        let listener = Listener::start(Some(acceptor), move |request| lock(&shared).reply(&request)).await;
        Self { listener, authority: certificate.pem(), state }
    }

    /// `https://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("https://{}", self.listener.address)
    }

    /// The certificate to trust, PEM.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// From now on this token may ask, and the one before no longer.
    pub fn change_token(&self, token: &str) {
        token.clone_into(&mut lock(&self.state).token);
    }

    /// Puts a Secret there, its values in clear.
    pub fn put(&self, namespace: &str, name: &str, data: &[(&str, &str)]) {
        let data = data.iter().map(|(key, value)| ((*key).to_owned(), STANDARD.encode(value))).collect();
        let secret = Secret { data, version: 1, immutable: false };
        lock(&self.state).secrets.insert((namespace.to_owned(), name.to_owned()), secret);
    }

    /// Makes a Secret immutable.
    ///
    /// # Panics
    /// When it is not there.
    pub fn make_immutable(&self, namespace: &str, name: &str) {
        let mut state = lock(&self.state);
        let secret = state.secrets.get_mut(&(namespace.to_owned(), name.to_owned()));
        secret.expect("the Secret was put there").immutable = true;
    }

    /// A value in clear.
    pub fn value(&self, namespace: &str, name: &str, key: &str) -> Option<String> {
        let state = lock(&self.state);
        let encoded = state.secrets.get(&(namespace.to_owned(), name.to_owned()))?.data.get(key)?;
        String::from_utf8(STANDARD.decode(encoded).ok()?).ok()
    }

    /// The next request of this kind goes wrong; several are taken in order.
    pub fn fail(&self, step: Step, failure: Failure) {
        lock(&self.state).failures.push_back((step, failure));
    }

    /// The requests that were understood, in order.
    pub fn requests(&self) -> Vec<Step> {
        lock(&self.state).requests.clone()
    }

    /// What was wrong with requests that no API server would take.
    pub fn refused(&self) -> Vec<String> {
        lock(&self.state).refused.clone()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn status(code: u16, message: &str) -> Reply {
    let body = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message });
    Reply::Answer(answer(code, "application/json", body.to_string()))
}

impl State {
    fn reply(&mut self, request: &http::Request<Bytes>) -> Reply {
        match self.understood(request) {
            Ok(reply) => reply,
            Err((code, message)) => {
                self.refused.push(message.clone());
                status(code, &message)
            }
        }
    }

    fn understood(&mut self, request: &http::Request<Bytes>) -> Result<Reply, (u16, String)> {
        let header = |name: &str| {
            let values: Vec<_> =
                request.headers().get_all(name).iter().map(|value| value.to_str().unwrap_or("")).collect();
            values.join(", ")
        };
        if header("authorization") != format!("Bearer {}", self.token) {
            return Err((401, "Unauthorized".to_owned()));
        }
        if header("accept") != "application/json" {
            return Err((406, format!("accept is {:?}", header("accept"))));
        }
        let path: Vec<&str> = request.uri().path().split('/').collect();
        let ["", "api", "v1", "namespaces", namespace, "secrets", name] = path[..] else {
            return Err((404, format!("no such path: {}", request.uri())));
        };
        if request.uri().query().is_some() {
            return Err((400, format!("no query is known: {}", request.uri())));
        }
        let key = (namespace.to_owned(), name.to_owned());
        let step = match request.method().as_str() {
            "GET" if request.body().is_empty() => Step::Get,
            "PATCH" if header("content-type") == "application/merge-patch+json" => Step::Patch,
            "PATCH" => return Err((415, format!("content-type is {:?}", header("content-type")))),
            method => return Err((405, format!("{method} is not known, or has a body"))),
        };
        self.requests.push(step);
        let failure = match self.failures.front() {
            Some((at, _)) if *at == step => self.failures.pop_front().map(|(_, failure)| failure),
            _ => None,
        };
        match &failure {
            Some(Failure::Status(code, message)) => return Ok(status(*code, message)),
            Some(Failure::Says(body)) => {
                return Ok(Reply::Answer(answer(200, "application/json", body.clone())));
            }
            Some(Failure::Silence) => return Ok(Reply::Silence),
            _ => {}
        }
        let Some(secret) = self.secrets.get_mut(&key) else {
            return Ok(status(404, &format!("secrets \"{name}\" not found")));
        };
        if matches!(failure, Some(Failure::Overtaken)) {
            secret.version += 1;
        }
        if step == Step::Patch {
            let (version, data) = patch(request.body()).map_err(|message| (400, message))?;
            if version != secret.version.to_string() {
                return Ok(status(
                    409,
                    "the object has been modified; please apply your changes to the latest version",
                ));
            }
            if secret.immutable {
                return Ok(status(422, "data: Forbidden: field is immutable when `immutable` is set"));
            }
            secret.data.extend(data);
            secret.version += 1;
        }
        if matches!(failure, Some(Failure::HangsUpAfter)) {
            return Ok(Reply::HangUp);
        }
        let mut body = json!({
            "kind": "Secret",
            "apiVersion": "v1",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": "7c5f3a52-4d0e-4b6e-9d7e-3f4a5b6c7d8e",
                "resourceVersion": secret.version.to_string(),
                "creationTimestamp": "2026-01-01T00:00:00Z",
            },
            "data": secret.data,
            "type": "Opaque",
        });
        if secret.immutable {
            body["immutable"] = json!(true);
        }
        Ok(Reply::Answer(answer(200, "application/json", body.to_string())))
    }
}

/// The version that a patch is for, and the values it sets; anything else in it is refused.
fn patch(body: &[u8]) -> Result<(String, BTreeMap<String, String>), String> {
    let patch: Value = serde_json::from_slice(body).map_err(|error| format!("no JSON: {error}"))?;
    let only = |value: &Value, keys: &[&str]| {
        value.as_object().is_some_and(|object| object.keys().all(|key| keys.contains(&key.as_str())))
    };
    if !only(&patch, &["metadata", "data"]) || !only(&patch["metadata"], &["resourceVersion"]) {
        return Err("only metadata.resourceVersion and data may be patched".to_owned());
    }
    let version =
        patch["metadata"]["resourceVersion"].as_str().ok_or("a patch without a version overwrites others")?;
    let mut values = BTreeMap::new();
    for (key, value) in patch["data"].as_object().ok_or("no data")? {
        let encoded = value.as_str().filter(|text| STANDARD.decode(text).is_ok());
        values.insert(key.clone(), encoded.ok_or_else(|| format!("{key} is no base64"))?.to_owned());
    }
    Ok((version.to_owned(), values))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One request over the stub's own TLS would need a client; what it understands is tried without the wire.
    fn refuses(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Option<u16> {
        let mut state = State { token: "t".to_owned(), ..State::default() };
        let secret = Secret { version: 7, ..Secret::default() };
        state.secrets.insert(("n".to_owned(), "s".to_owned()), secret);
        let mut request = http::Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Bytes::copy_from_slice(body.as_bytes())).expect("a request");
        match state.understood(&request) {
            Err((code, _)) => Some(code),
            Ok(Reply::Answer(answer)) if answer.status() != 200 => Some(answer.status().as_u16()),
            Ok(_) => None,
        }
    }

    #[test]
    fn it_takes_what_an_api_server_takes_and_nothing_else() {
        let path = "/api/v1/namespaces/n/secrets/s";
        let get = [("authorization", "Bearer t"), ("accept", "application/json")];
        let patch = [get[0], get[1], ("content-type", "application/merge-patch+json")];
        let good = r#"{"metadata":{"resourceVersion":"7"},"data":{"k":"dg=="}}"#;
        assert_eq!(refuses("GET", path, &get, ""), None);
        assert_eq!(refuses("PATCH", path, &patch, good), None);
        for (method, path, headers, body, code) in [
            ("GET", path, &get[1..], "", 401),
            ("GET", path, &get[..1], "", 406),
            ("GET", path, &get[..], "x", 405),
            ("PUT", path, &patch[..], good, 405),
            ("DELETE", path, &get[..], "", 405),
            ("GET", "/api/v1/namespaces/n/secrets", &get[..], "", 404),
            ("GET", "/api/v1/namespaces/n/configmaps/s", &get[..], "", 404),
            ("GET", "/api/v1/namespaces/n/secrets/other", &get[..], "", 404),
            ("PATCH", "/api/v1/namespaces/n/secrets/s?force=true", &patch[..], good, 400),
            ("PATCH", path, &[get[0], get[1], ("content-type", "application/json")][..], good, 415),
            ("PATCH", path, &patch[..], r#"{"data":{"k":"dg=="}}"#, 400),
            (
                "PATCH",
                path,
                &patch[..],
                r#"{"metadata":{"resourceVersion":"7"},"data":{"k":"clear text"}}"#,
                400,
            ),
            (
                "PATCH",
                path,
                &patch[..],
                r#"{"metadata":{"resourceVersion":"7"},"stringData":{"k":"v"}}"#,
                400,
            ),
            ("PATCH", path, &patch[..], r#"{"metadata":{"resourceVersion":"6"},"data":{"k":"dg=="}}"#, 409),
        ] {
            assert_eq!(refuses(method, path, headers, body), Some(code), "{method} {path} {body}");
        }
    }
}
