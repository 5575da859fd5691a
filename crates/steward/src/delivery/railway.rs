//! A variable of a service on Railway, by its public GraphQL API.
//!
//! The order: the token's own scope is asked for and compared; the variable is set with deployments held back; it is read
//! again; then the services that read it start anew, one after another. An answer with `errors` is a failure, whatever
//! else stands in it.

use std::collections::BTreeMap;

use http::{HeaderName, Method};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::https::{self, Call, Silence};
use super::redacted::Redactor;
use super::{DeliveryFault, Place, RailwayAdministrator, RailwayPlace, Reached, VariableValue};
use crate::Credential;

const SCOPE: &str = "query { projectToken { projectId environmentId } }";
const SET: &str = "mutation($input: VariableUpsertInput!) { variableUpsert(input: $input) }";
const READ: &str = "query($project: String!, $environment: String!, $service: String!) \
                    { variables(projectId: $project, environmentId: $environment, serviceId: $service) }";
const REDEPLOY: &str = "mutation($environment: String!, $service: String!) \
                        { serviceInstanceRedeploy(environmentId: $environment, serviceId: $service) }";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<T> {
    data: Option<T>,
    errors: Option<serde_json::Value>,
    #[serde(rename = "extensions")]
    _extensions: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Scope {
    project_token: ProjectToken,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ProjectToken {
    project_id: String,
    environment_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Upserted {
    variable_upsert: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Variables {
    variables: BTreeMap<String, SecretString>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Redeployed {
    service_instance_redeploy: bool,
}

/// A call that gave nothing: how far it may have come, and why.
struct Failed {
    sent: bool,
    reason: String,
}

/// The connection to the API, and what must not be repeated from its answers.
struct Api<'a> {
    railway: &'a RailwayPlace,
    redactor: Redactor,
}

/// Sets the application's variable, and tells those who read it. Gives the services that were told.
pub(super) async fn deliver(
    place: &Place,
    railway: &RailwayPlace,
    credential: &Credential,
) -> Result<Vec<String>, DeliveryFault> {
    let api = Api { railway, redactor: Redactor::new(&[&credential.password, &railway.token]) };
    let url = credential.url_with_password();
    api.set(place, &railway.service, &railway.variable, &url).await?;
    for (told, service) in railway.redeploy.iter().enumerate() {
        let variables = json!({ "environment": railway.environment, "service": service });
        let failed = match api.ask::<Redeployed>(REDEPLOY, &variables).await {
            Ok(Redeployed { service_instance_redeploy: true }) => continue,
            Ok(_) => "it answers false".to_owned(),
            Err(failed) => failed.reason,
        };
        return Err(DeliveryFault::new(
            place,
            Reached::Secret,
            format!(
                "is set, but service {service} could not be told to start anew ({told} of {} were): {failed}; deliver \
                 again, or redeploy it by hand",
                railway.redeploy.len()
            ),
        ));
    }
    Ok(railway.redeploy.clone())
}

/// Sets the variable that names the password of the role the platform made. Whoever reads it sees it at the next
/// deployment; nothing starts anew for it.
pub(super) async fn deliver_administrator(
    place: &Place,
    railway: &RailwayPlace,
    administrator: &RailwayAdministrator,
    credential: &Credential,
) -> Result<(), DeliveryFault> {
    let api = Api { railway, redactor: Redactor::new(&[&credential.password, &railway.token]) };
    let value = match administrator.value {
        VariableValue::Url => credential.url_with_password(),
        VariableValue::Password => credential.password.clone(),
    };
    api.set(place, &administrator.service, &administrator.variable, &value).await
}

/// What the application's variable holds. A sealed one is never shown: none.
pub(super) async fn read_back(
    place: &Place,
    railway: &RailwayPlace,
) -> Result<Option<Credential>, DeliveryFault> {
    let api = Api { railway, redactor: Redactor::new(&[&railway.token]) };
    let fault = |reason: String| DeliveryFault::new(place, Reached::Unknown, reason);
    api.check_scope().await.map_err(fault)?;
    let found =
        api.variable(&railway.service, &railway.variable).await.map_err(|failed| fault(failed.reason))?;
    let Some(url) = found.filter(|url| !url.expose_secret().is_empty()) else { return Ok(None) };
    Credential::from_url(url.expose_secret(), None).map(Some).map_err(|error| fault(error.to_string()))
}

impl Api<'_> {
    async fn set(
        &self,
        place: &Place,
        service: &str,
        variable: &str,
        value: &SecretString,
    ) -> Result<(), DeliveryFault> {
        let before = |reason: String| DeliveryFault::new(place, Reached::Nothing, reason);
        if value.expose_secret().contains("${{") {
            // Railway would put another variable's value there.
            return Err(before("the value would be read as a reference to another variable".to_owned()));
        }
        self.check_scope().await.map_err(before)?;
        let input = json!({ "input": {
            "projectId": self.railway.project,
            "environmentId": self.railway.environment,
            "serviceId": service,
            "name": variable,
            "value": value.expose_secret(),
            "skipDeploys": true,
        }});
        match self.ask::<Upserted>(SET, &input).await {
            Ok(Upserted { variable_upsert: true }) => {}
            Ok(_) => {
                let reason = "the API answers that it did not set it; look at the service's variables";
                return Err(DeliveryFault::new(place, Reached::Unknown, reason));
            }
            Err(failed) => {
                let reached = if failed.sent { Reached::Unknown } else { Reached::Nothing };
                return Err(DeliveryFault::new(place, reached, failed.reason));
            }
        }
        // A sealed variable is not shown: then the API's word is all there is.
        match self.variable(service, variable).await {
            Ok(Some(found)) if found.expose_secret() != value.expose_secret() => Err(DeliveryFault::new(
                place,
                Reached::Unknown,
                "was set, and holds something else when it is read again; somebody else sets it, too",
            )),
            Ok(_) => Ok(()),
            Err(failed) => {
                let reason = format!("was set, but cannot be read again: {}", failed.reason);
                Err(DeliveryFault::new(place, Reached::Unknown, reason))
            }
        }
    }

    /// A project token belongs to one environment: the one that is meant, or nothing is done with it.
    async fn check_scope(&self) -> Result<(), String> {
        let Scope { project_token: scope } =
            self.ask(SCOPE, &json!({})).await.map_err(|failed| failed.reason)?;
        if scope.project_id == self.railway.project && scope.environment_id == self.railway.environment {
            return Ok(());
        }
        // Ids are no secrets, but the answer is a stranger's: they are not repeated.
        let which = if scope.project_id == self.railway.project { "environment" } else { "project" };
        Err(format!(
            "the token belongs to another {which} than {}; make one in that environment (project settings, Tokens)",
            if which == "environment" { &self.railway.environment } else { &self.railway.project }
        ))
    }

    async fn variable(&self, service: &str, name: &str) -> Result<Option<SecretString>, Failed> {
        let variables = json!({
            "project": self.railway.project, "environment": self.railway.environment, "service": service,
        });
        let Variables { mut variables } = self.ask(READ, &variables).await?;
        Ok(variables.remove(name))
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        query: &str,
        variables: &serde_json::Value,
    ) -> Result<T, Failed> {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let call = Call {
            method: Method::POST,
            url: self.railway.api.clone(),
            token: (HeaderName::from_static("project-access-token"), self.railway.token.clone()),
            body: Some(("application/json", SecretString::from(body))),
            authority: None,
        };
        let failed = |sent: bool, reason: String| Failed { sent, reason };
        let answer = https::send(call).await.map_err(|silence| match silence {
            Silence::NotSent(reason) => {
                failed(false, format!("{} cannot be reached: {reason}", self.railway.api))
            }
            Silence::Lost(reason) => failed(true, format!("{} does not answer: {reason}", self.railway.api)),
        })?;
        let said = || self.redactor.line(&answer.body, false);
        if matches!(answer.status, 401 | 403) {
            let reason = format!("the API refuses the token ({}): {}", answer.status, said());
            return Err(failed(false, reason));
        }
        let envelope: Envelope<T> = serde_json::from_slice(&answer.body).map_err(|_| {
            failed(true, format!("the API answers {} and nothing that is known: {}", answer.status, said()))
        })?;
        match envelope {
            Envelope { errors: Some(_), .. } => {
                Err(failed(true, format!("the API answers {} with errors: {}", answer.status, said())))
            }
            Envelope { data: Some(data), .. } if answer.status == 200 => Ok(data),
            _ => Err(failed(true, format!("the API answers {} without data", answer.status))),
        }
    }
}
