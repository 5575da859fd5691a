//! Railway's public interface, asked with a project token, which is good for one environment: whose token it is, which
//! services the environment has, and whether any of them has a TCP proxy. Typed answers, every field of them wanted: an
//! answer with `errors`, with `null` where there should be something, or of another shape is never "none".

use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::config::Railway;
use crate::world::http::{Credential, Http, Probe};

/// A project token's own header; the other kinds are sent as bearers.
const HEADER: &str = "Project-Access-Token";
const TOKEN: &str = "query { projectToken { projectId environmentId } }";
const SERVICES: &str = "query($id: String!) { environment(id: $id) { id name serviceInstances { \
                        pageInfo { hasNextPage } edges { node { serviceId serviceName } } } } }";
const PROXIES: &str = "query($environmentId: String!, $serviceId: String!) { \
                       tcpProxies(environmentId: $environmentId, serviceId: $serviceId) { \
                       domain proxyPort applicationPort syncStatus deletedAt } }";

/// The environment as Railway has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Environment {
    pub(crate) name: String,
    pub(crate) services: Vec<Service>,
}

/// A service and its TCP proxies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) proxies: Vec<Proxy>,
}

/// A TCP proxy: a name and port of the internet that lead to a port of the service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Proxy {
    pub(crate) domain: String,
    pub(crate) proxy_port: u16,
    pub(crate) application_port: u16,
    pub(crate) sync_status: String,
    pub(crate) deleted_at: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TokenAnswer {
    project_token: TokenScope,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TokenScope {
    project_id: String,
    environment_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvironmentAnswer {
    environment: EnvironmentNode,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EnvironmentNode {
    id: String,
    name: String,
    service_instances: Connection,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Connection {
    page_info: PageInfo,
    edges: Vec<Edge>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PageInfo {
    has_next_page: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edge {
    node: Instance,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Instance {
    service_id: String,
    service_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ProxiesAnswer {
    tcp_proxies: Vec<Proxy>,
}

/// Every service of the environment that the token belongs to, which must be the one that is meant.
pub(crate) async fn environment(http: &Http, railway: &Railway) -> Result<Environment, String> {
    let token: TokenAnswer = ask(http, railway, TOKEN, json!({})).await?;
    let scope = token.project_token;
    if scope.project_id != railway.project || scope.environment_id != railway.environment {
        return Err(
            "the token is another environment's: projectToken names neither this project and environment"
                .into(),
        );
    }
    let answer: EnvironmentAnswer = ask(http, railway, SERVICES, json!({"id": railway.environment})).await?;
    let environment = answer.environment;
    if environment.id != railway.environment {
        return Err("Railway answered for another environment".into());
    }
    if environment.service_instances.page_info.has_next_page {
        return Err("Railway listed a part of the services only".into());
    }
    let mut services = Vec::new();
    for Edge { node } in environment.service_instances.edges {
        let variables = json!({"environmentId": railway.environment, "serviceId": node.service_id});
        let answer: ProxiesAnswer = ask(http, railway, PROXIES, variables)
            .await
            .map_err(|why| format!("the TCP proxies of {}: {why}", node.service_name))?;
        services.push(Service { name: node.service_name, proxies: answer.tcp_proxies });
    }
    Ok(Environment { name: environment.name, services })
}

async fn ask<T: DeserializeOwned>(
    http: &Http,
    railway: &Railway,
    query: &str,
    variables: Value,
) -> Result<T, String> {
    let token: &SecretString = &railway.token;
    let credential = Credential::header(HEADER, token, "a project token");
    let probe = Probe::new("POST", &railway.url)
        .with(credential)
        .json(&json!({"query": query, "variables": variables}));
    let answer = http.send(probe).await.map_err(|why| format!("Railway was not reached: {why}"))?;
    if answer.status != 200 {
        return Err(format!("Railway answered {}", answer.status));
    }
    data(answer.json().ok_or("Railway's answer is no JSON")?)
}

/// What stands under `data`, where nothing stands under `errors`.
fn data<T: DeserializeOwned>(mut answer: Value) -> Result<T, String> {
    match answer.get("errors") {
        None | Some(Value::Null) => {}
        // Its text may repeat what was sent.
        Some(_) => return Err("Railway's answer has errors".into()),
    }
    let data = answer.get_mut("data").map(Value::take).filter(|data| !data.is_null());
    let data = data.ok_or("Railway's answer has no data")?;
    serde_json::from_value(data).map_err(|error| format!("Railway's answer has another shape: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_not_whole_is_never_none() {
        let read = |answer: Value| data::<ProxiesAnswer>(answer).map(|answer| answer.tcp_proxies.len());
        assert_eq!(read(json!({"data": {"tcpProxies": []}})), Ok(0));
        let proxy = json!({"domain": "d", "proxyPort": 1, "applicationPort": 2, "syncStatus": "ACTIVE", "deletedAt": null});
        assert_eq!(read(json!({"data": {"tcpProxies": [proxy]}})), Ok(1));
        for bad in [
            json!({"data": {"tcpProxies": []}, "errors": [{"message": "Not Authorized"}]}),
            json!({"data": {"tcpProxies": []}, "errors": []}),
            json!({"data": null}),
            json!({"data": {"tcpProxies": null}}),
            json!({"data": {}}),
            json!({"data": {"tcpProxies": [], "more": 1}}),
            json!({"data": {"tcpProxies": [{"domain": "d"}]}}),
            json!({}),
            json!([]),
        ] {
            assert!(read(bad.clone()).is_err(), "{bad}");
        }
    }
}
