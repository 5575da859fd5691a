//! A stub of the part of Railway's public API that the project uses: one project, with tokens that belong to one of its
//! environments. It is none of Railway: it checks each request against a part of the schema, refuses whatever it does
//! not know, and fails where a test tells it to.

mod graphql;
mod schema;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde_json::{Map, Value, json};

use self::schema::SCHEMA;
use crate::server::answer;
use crate::stub::{Listener, Reply};

/// The project's id.
pub const PROJECT: &str = "11111111-1111-4111-8111-111111111111";

/// What goes wrong with one request.
#[derive(Clone, Debug)]
pub enum Failure {
    /// 200 with `errors` and no data; nothing is done.
    Errors(String),
    /// What was asked for is done, and `errors` stand beside the data.
    ErrorsBesideData(String),
    /// This status and this body; nothing is done.
    Says(u16, String),
    /// Nothing is done, and the answer is false.
    False,
    /// 200 with `data: null`.
    Null,
    /// What was asked for is done, and the connection is closed without an answer.
    HangsUpAfter,
    /// Somebody else writes another value right after this one.
    Overwritten,
    /// Nothing is done, and nothing is answered.
    Silence,
}

/// What changed something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// A variable was set: service, name, and whether deployments were held back.
    Set {
        /// The service's id.
        service: String,
        /// The variable.
        name: String,
        /// `skipDeploys`.
        held_back: bool,
    },
    /// A service was told to start anew.
    Redeployed(String),
}

#[derive(Debug, Default)]
struct State {
    tokens: BTreeMap<String, String>,
    services: BTreeMap<String, String>,
    variables: BTreeMap<(String, String), BTreeMap<String, String>>,
    sealed: BTreeSet<String>,
    proxies: Vec<Value>,
    failures: VecDeque<(String, Failure)>,
    acts: Vec<Act>,
    refused: Vec<String>,
}

/// The stub of Railway's API.
#[derive(Debug)]
pub struct Railway {
    listener: Listener,
    state: Arc<Mutex<State>>,
}

impl Railway {
    /// Starts it with these services (id and name) and tokens (token and the id of its environment).
    pub async fn start(services: &[(&str, &str)], tokens: &[(&str, &str)]) -> Self {
        let owned = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<BTreeMap<_, _>>()
        };
        let state = State { tokens: owned(tokens), services: owned(services), ..State::default() };
        let state = Arc::new(Mutex::new(state));
        let shared = state.clone();
        let listener = Listener::start(None, move |request| lock(&shared).reply(&request)).await;
        Self { listener, state }
    }

    /// `http://127.0.0.1:PORT/graphql/v2`
    pub fn url(&self) -> String {
        format!("http://{}/graphql/v2", self.listener.address)
    }

    /// What a variable of a service holds in an environment.
    pub fn variable(&self, environment: &str, service: &str, name: &str) -> Option<String> {
        let state = lock(&self.state);
        state.variables.get(&(environment.to_owned(), service.to_owned()))?.get(name).cloned()
    }

    /// A variable of this name is never shown any more.
    pub fn seal(&self, name: &str) {
        lock(&self.state).sealed.insert(name.to_owned());
    }

    /// Adds a TCP proxy: its fields as the API names them.
    pub fn add_proxy(&self, proxy: Value) {
        lock(&self.state).proxies.push(proxy);
    }

    /// The next request for this field (`variableUpsert`, `tcpProxies`, …) goes wrong; several are taken in order.
    pub fn fail(&self, field: &str, failure: Failure) {
        lock(&self.state).failures.push_back((field.to_owned(), failure));
    }

    /// What changed something, in order.
    pub fn acts(&self) -> Vec<Act> {
        lock(&self.state).acts.clone()
    }

    /// What was wrong with requests that Railway would not take.
    pub fn refused(&self) -> Vec<String> {
        lock(&self.state).refused.clone()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn errors(message: &str, data: Option<Value>) -> Reply {
    let mut body =
        json!({ "errors": [{ "message": message, "extensions": { "code": "INTERNAL_SERVER_ERROR" } }] });
    body["data"] = data.unwrap_or(Value::Null);
    Reply::Answer(answer(200, "application/json; charset=utf-8", body.to_string()))
}

impl State {
    fn reply(&mut self, request: &http::Request<Bytes>) -> Reply {
        match self.understood(request) {
            Ok(reply) => reply,
            Err((code, message)) => {
                self.refused.push(message.clone());
                let body = json!({ "errors": [{ "message": message }] });
                Reply::Answer(answer(code, "application/json; charset=utf-8", body.to_string()))
            }
        }
    }

    fn understood(&mut self, request: &http::Request<Bytes>) -> Result<Reply, (u16, String)> {
        let header = |name: &str| {
            let values: Vec<_> =
                request.headers().get_all(name).iter().map(|value| value.to_str().unwrap_or("")).collect();
            values.join(", ")
        };
        let bad = |message: String| (400, message);
        if request.uri() != "/graphql/v2" {
            return Err((404, format!("no such path: {}", request.uri())));
        }
        if request.method() != "POST" {
            return Err((405, format!("{} is not known", request.method())));
        }
        if header("content-type") != "application/json" {
            return Err(bad(format!("content-type is {:?}", header("content-type"))));
        }
        if request.headers().contains_key("authorization") {
            return Err(bad("a project token does not stand in Authorization".to_owned()));
        }
        let body: Map<String, Value> = serde_json::from_slice(request.body())
            .map_err(|error| bad(format!("no JSON object: {error}")))?;
        if let Some(key) =
            body.keys().find(|key| !["query", "variables", "operationName"].contains(&key.as_str()))
        {
            return Err(bad(format!("{key} is not known")));
        }
        let query = body.get("query").and_then(Value::as_str).ok_or_else(|| bad("no query".to_owned()))?;
        let nothing = Map::new();
        let variables = match body.get("variables") {
            None | Some(Value::Null) => &nothing,
            Some(Value::Object(variables)) => variables,
            Some(_) => return Err(bad("variables are no object".to_owned())),
        };
        let operation = graphql::operation(query, variables, SCHEMA).map_err(bad)?;
        let Some(environment) = self.tokens.get(&header("project-access-token")).cloned() else {
            return Ok(errors("Not Authorized", None));
        };
        let mut data = Map::new();
        let mut beside = None;
        for selection in &operation.fields {
            let failure = match self.failures.front() {
                Some((name, _)) if *name == selection.name => {
                    self.failures.pop_front().map(|(_, failure)| failure)
                }
                _ => None,
            };
            match &failure {
                Some(Failure::Errors(message)) => return Ok(errors(message, None)),
                Some(Failure::Says(code, body)) => {
                    return Ok(Reply::Answer(answer(*code, "application/json; charset=utf-8", body.clone())));
                }
                Some(Failure::Null) => {
                    return Ok(Reply::Answer(answer(
                        200,
                        "application/json; charset=utf-8",
                        r#"{"data":null}"#,
                    )));
                }
                Some(Failure::Silence) => return Ok(Reply::Silence),
                Some(Failure::False) => {
                    selection.put(&json!(false), &mut data);
                    continue;
                }
                _ => {}
            }
            let overwritten = matches!(failure, Some(Failure::Overwritten));
            match self.act(&selection.name, &selection.arguments, &environment, overwritten) {
                Ok(value) => selection.put(&value, &mut data),
                Err(message) => return Ok(errors(&message, None)),
            }
            match failure {
                Some(Failure::HangsUpAfter) => return Ok(Reply::HangUp),
                Some(Failure::ErrorsBesideData(message)) => beside = Some(message),
                _ => {}
            }
        }
        Ok(match beside {
            Some(message) => errors(&message, Some(Value::Object(data))),
            None => Reply::Answer(answer(
                200,
                "application/json; charset=utf-8",
                json!({ "data": data }).to_string(),
            )),
        })
    }

    /// Does what a field of the root asks for; the whole object, of which the caller gets what it asked for.
    fn act(
        &mut self,
        field: &str,
        arguments: &Map<String, Value>,
        environment: &str,
        overwritten: bool,
    ) -> Result<Value, String> {
        let input = arguments.get("input").and_then(Value::as_object).unwrap_or(arguments);
        let text = |name: &str| input.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let asked = match field {
            "environment" => text("id"),
            _ => text("environmentId"),
        };
        // A project token does not reach beyond its environment.
        let foreign = !["projectToken", "project"].contains(&field) && asked != environment
            || input.contains_key("projectId") && text("projectId") != PROJECT
            || field == "project" && text("id") != PROJECT
            || input.contains_key("serviceId") && !self.services.contains_key(&text("serviceId"));
        if foreign {
            return Err("Not Authorized".to_owned());
        }
        let service = text("serviceId");
        let edges = |nodes: Vec<Value>| json!({ "pageInfo": { "hasNextPage": false }, "edges": nodes.into_iter().map(|node| json!({ "node": node })).collect::<Vec<_>>() });
        Ok(match field {
            "projectToken" => {
                json!({ "id": "token", "name": "tests", "projectId": PROJECT, "environmentId": environment })
            }
            "variables" => {
                let all = self.variables.get(&(environment.to_owned(), service)).cloned().unwrap_or_default();
                json!(
                    all.into_iter()
                        .filter(|(name, _)| !self.sealed.contains(name))
                        .collect::<BTreeMap<_, _>>()
                )
            }
            "variableUpsert" => {
                let value = if overwritten { "somebody else's".to_owned() } else { text("value") };
                let held_back = input.get("skipDeploys") == Some(&Value::Bool(true));
                self.acts.push(Act::Set { service: service.clone(), name: text("name"), held_back });
                let variables = self.variables.entry((environment.to_owned(), service)).or_default();
                variables.insert(text("name"), value);
                json!(true)
            }
            "serviceInstanceRedeploy" => {
                self.acts.push(Act::Redeployed(service));
                json!(true)
            }
            "tcpProxies" => {
                let of_service =
                    |proxy: &&Value| proxy["serviceId"] == service && proxy["environmentId"] == environment;
                self.proxies.iter().filter(of_service).cloned().collect()
            }
            "environment" => {
                let instance = |(id, name): (&String, &String)| json!({ "id": format!("{id}-instance"), "serviceId": id, "serviceName": name });
                let instances = edges(self.services.iter().map(instance).collect());
                json!({ "id": environment, "name": "tests", "serviceInstances": instances })
            }
            "project" => {
                let nodes =
                    self.services.iter().map(|(id, name)| json!({ "id": id, "name": name })).collect();
                json!({ "id": PROJECT, "name": "tests", "services": edges(nodes) })
            }
            other => return Err(format!("{other} is not known to this stub")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Client;

    #[tokio::test]
    async fn a_token_reaches_its_environment_and_no_other() {
        let stub = Railway::start(&[("s", "Postgres")], &[("token", "e")]).await;
        stub.add_proxy(json!({
            "id": "1", "domain": "x.proxy.rlwy.net", "proxyPort": 15432, "applicationPort": 5432, "serviceId": "s",
            "environmentId": "e", "syncStatus": "ACTIVE",
        }));
        let ask = async |token: &str, environment: &str| {
            let query = format!(
                r#"{{ environment(id: "{environment}") {{ serviceInstances {{ edges {{ node {{ serviceId }} }} }} }}
                     tcpProxies(environmentId: "{environment}", serviceId: "s") {{ domain proxyPort }} }}"#
            );
            let request = Client::new().post(&stub.url()).header("project-access-token", token);
            request.json(&json!({ "query": query })).send().await.expect(200).json()
        };
        assert_eq!(
            ask("token", "e").await,
            json!({ "data": {
                "environment": { "serviceInstances": { "edges": [{ "node": { "serviceId": "s" } }] } },
                "tcpProxies": [{ "domain": "x.proxy.rlwy.net", "proxyPort": 15432 }],
            }})
        );
        for (token, environment) in [("token", "other"), ("another", "e")] {
            let answer = ask(token, environment).await;
            assert_eq!(
                (&answer["errors"][0]["message"], &answer["data"]),
                (&json!("Not Authorized"), &Value::Null)
            );
        }
    }

    #[tokio::test]
    async fn what_is_no_request_of_its_kind_is_refused_and_noted() {
        let stub = Railway::start(&[], &[("token", "e")]).await;
        let query = json!({ "query": "{ projectToken { projectId } }" });
        let client = Client::new();
        let token = |request: crate::http::Request| request.header("project-access-token", "token");
        token(client.get(&stub.url())).send().await.expect(405);
        token(client.post(&stub.url().replace("/v2", "/v1"))).json(&query).send().await.expect(404);
        token(client.post(&stub.url())).bearer("token").json(&query).send().await.expect(400);
        token(client.post(&stub.url())).body(query.to_string()).send().await.expect(400);
        token(client.post(&stub.url())).json(&json!({ "query": "{}", "more": 1 })).send().await.expect(400);
        assert_eq!(stub.refused().len(), 5);
        token(client.post(&stub.url())).json(&query).send().await.expect(200);
        assert_eq!(stub.refused().len(), 5);
    }
}
