//! A key of a Secret in Kubernetes, by the API server.
//!
//! The Secret is read, and patched under the version that was read (RFC 7396 merge patch; the API server answers 409
//! when somebody else was quicker, and then it is read again). Other keys stay as they are. The service account's token
//! is read for every request, since the kubelet changes it.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::https::{self, Answer, Call, Silence};
use super::redacted::Redactor;
use super::{DeliveryFault, KubernetesPlace, Place, Reached};
use crate::Credential;

/// Where a pod reads which namespace it is in.
const OWN_NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
/// How often somebody else may be quicker.
const TRIES: u32 = 4;

/// What counts of a Secret; an API server tells more, and newer ones more than that.
#[derive(Deserialize)]
struct Secret {
    metadata: Metadata,
    #[serde(default)]
    data: BTreeMap<String, SecretString>,
    #[serde(default)]
    immutable: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    resource_version: String,
}

/// Why the API server answers as it does (its `Status`).
#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    message: String,
}

struct Api<'a> {
    place: &'a Place,
    kubernetes: &'a KubernetesPlace,
    redactor: Redactor,
}

pub(super) async fn deliver(
    place: &Place,
    kubernetes: &KubernetesPlace,
    credential: &Credential,
) -> Result<(), DeliveryFault> {
    let api = Api { place, kubernetes, redactor: Redactor::new(&[&credential.password]) };
    let mut wanted = vec![(kubernetes.key.as_str(), credential.to_json())];
    if let Some(key) = &kubernetes.url_key {
        wanted.push((key, credential.url_with_password()));
    }
    let wanted: BTreeMap<&str, String> =
        wanted.iter().map(|(key, text)| (*key, STANDARD.encode(text.expose_secret()))).collect();
    for _ in 0..TRIES {
        let secret = api.read().await?;
        if secret.immutable {
            return Err(api
                .fault(Reached::Nothing, "is immutable; make it anew without `immutable: true`".to_owned()));
        }
        let patch =
            json!({ "metadata": { "resourceVersion": secret.metadata.resource_version }, "data": wanted });
        let body = ("application/merge-patch+json", SecretString::from(patch.to_string()));
        let answer = api.send(Method::PATCH, Some(body)).await?;
        match answer.status {
            200 => {
                let stored = api.parse(&answer, Reached::Unknown)?;
                let stands = |(key, value): (&&str, &String)| {
                    stored.data.get(*key).is_some_and(|stored| stored.expose_secret() == value)
                };
                if wanted.iter().all(stands) {
                    return Ok(());
                }
                return Err(api.fault(
                    Reached::Unknown,
                    "was patched, and holds something else; an admission webhook may change it".to_owned(),
                ));
            }
            409 => {}
            _ => return Err(api.refused(&answer, "patch")),
        }
    }
    Err(api.fault(
        Reached::Nothing,
        format!("was changed by somebody else {TRIES} times while it was written; deliver again"),
    ))
}

pub(super) async fn read_back(
    place: &Place,
    kubernetes: &KubernetesPlace,
) -> Result<Option<Credential>, DeliveryFault> {
    let api = Api { place, kubernetes, redactor: Redactor::new(&[]) };
    let secret = api.read().await?;
    let Some(encoded) = secret.data.get(&kubernetes.key) else { return Ok(None) };
    let no_credential = || api.fault(Reached::Unknown, "holds no credentials JSON".to_owned());
    let bytes = STANDARD.decode(encoded.expose_secret()).map_err(|_| no_credential())?;
    let text = zeroize::Zeroizing::new(String::from_utf8(bytes).map_err(|_| no_credential())?);
    Credential::from_json(&text).map(Some).map_err(|_| no_credential())
}

impl Api<'_> {
    fn fault(&self, reached: Reached, reason: String) -> DeliveryFault {
        DeliveryFault::new(self.place, reached, reason)
    }

    async fn read(&self) -> Result<Secret, DeliveryFault> {
        let answer = self.send(Method::GET, None).await?;
        if answer.status != 200 {
            return Err(self.refused(&answer, "get"));
        }
        self.parse(&answer, Reached::Nothing)
    }

    fn parse(&self, answer: &Answer, reached: Reached) -> Result<Secret, DeliveryFault> {
        serde_json::from_slice::<Secret>(&answer.body)
            .ok()
            .filter(|secret| secret.metadata.name == self.kubernetes.secret)
            .ok_or_else(|| self.fault(reached, "the API server answers with something else".to_owned()))
    }

    /// An answer that is no success. Nothing was stored: the API server says so before it stores.
    fn refused(&self, answer: &Answer, verb: &str) -> DeliveryFault {
        let said = serde_json::from_slice::<Status>(&answer.body).map(|status| status.message);
        let said = self.redactor.line(said.unwrap_or_default().as_bytes(), false);
        let (reached, remedy) = match answer.status {
            401 => (Reached::Nothing, "the service account's token is refused".to_owned()),
            403 => (
                Reached::Nothing,
                format!(
                    "a Role must allow the verbs get and patch on secrets, resourceNames [{}], and a RoleBinding give it to \
                     this service account; `{verb}` is not allowed",
                    self.kubernetes.secret
                ),
            ),
            404 => (
                Reached::Nothing,
                format!("make it once: kubectl create secret generic {}", self.kubernetes.secret),
            ),
            500.. => (Reached::Unknown, "the API server fails; deliver again".to_owned()),
            _ => (Reached::Nothing, "the API server will not have it".to_owned()),
        };
        self.fault(reached, format!("{verb} answers {}: {remedy} ({said})", answer.status))
    }

    async fn send(
        &self,
        method: Method,
        body: Option<(&'static str, SecretString)>,
    ) -> Result<Answer, DeliveryFault> {
        let before = |reason: String| self.fault(Reached::Nothing, reason);
        let namespace = match &self.kubernetes.namespace {
            Some(namespace) => namespace.clone(),
            None => file(Path::new(OWN_NAMESPACE)).await.map_err(before)?.expose_secret().to_owned(),
        };
        let token = file(&self.kubernetes.token_file).await.map_err(before)?;
        let authority = file(&self.kubernetes.certificate_authority_file).await.map_err(before)?;
        let call = Call {
            method,
            url: format!(
                "{}/api/v1/namespaces/{namespace}/secrets/{}",
                self.kubernetes.api, self.kubernetes.secret
            ),
            token: (
                http::header::AUTHORIZATION,
                SecretString::from(format!("Bearer {}", token.expose_secret())),
            ),
            body,
            authority: Some(authority.expose_secret().as_bytes()),
        };
        https::send(call).await.map_err(|silence| match silence {
            Silence::NotSent(reason) => {
                before(format!("the API server {} cannot be reached: {reason}", self.kubernetes.api))
            }
            Silence::Lost(reason) => self
                .fault(Reached::Unknown, format!("the API server does not answer: {reason}; deliver again")),
        })
    }
}

async fn file(path: &Path) -> Result<SecretString, String> {
    let text = tokio::fs::read_to_string(path).await.map_err(|error| {
        format!(
            "cannot read {}: {error}; in a pod, let the service account's token be mounted",
            path.display()
        )
    })?;
    Ok(SecretString::from(text.trim()))
}
