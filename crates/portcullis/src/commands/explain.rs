//! `portcullis explain`: which rule decides, and why. It asks the very functions that the gateway asks.

use super::{CommandError, Environment, columns, print, print_json, read_secret};
use crate::command_line::{Explain, Holder};
use crate::wiring;
use crate::wiring::installation::Installation;
use policy::{Caller, OriginVerdict, Question, ScopeSet, TokenFacts};
use secrecy::ExposeSecret as _;
use serde_json::json;

/// Explains a request, an origin, or a refusal that happened.
pub async fn run(arguments: &Explain, environment: &Environment) -> Result<(), CommandError> {
    let installation = Installation::find(&arguments.place, environment)?;
    let configuration = &installation.configuration;
    if let Some(id) = &arguments.request {
        return past(arguments, configuration, id).await;
    }
    let (Some(method), Some(target)) = (&arguments.method, &arguments.target) else {
        return Err(CommandError::usage("name a method and a path, or `cors` and an origin"));
    };
    let policy =
        wiring::policy::read(configuration).map_err(|problems| CommandError::usage(problems.join("\n")))?;
    if method == "cors" {
        return cors(arguments, &policy.origins, target);
    }
    let caller = caller(arguments)?;
    let method = method.to_ascii_uppercase();
    let question = Question { method: &method, target, origin: &[], caller: caller.as_ref() };
    let explanation = policy::explain(&policy.table, &policy.origins, &question);
    let status = explanation.verdict.as_ref().map_or_else(policy::Denial::status, |()| 200);
    if arguments.place.json {
        return print_json(&json!({
            "rule": explanation.rule.map(ToString::to_string),
            "steps": explanation.steps.iter().map(|step| json!({ "step": step.name, "outcome": step.outcome })).collect::<Vec<_>>(),
            "allowed": explanation.verdict.is_ok(),
            "status": status,
        }));
    }
    let rows: Vec<Vec<String>> =
        explanation.steps.iter().map(|step| vec![step.name.to_owned(), step.outcome.clone()]).collect();
    print(&columns(&rows));
    Ok(())
}

fn cors(arguments: &Explain, origins: &policy::Origins, origin: &str) -> Result<(), CommandError> {
    let allowed = matches!(origins.judge(&[origin]), OriginVerdict::Frontend(_));
    let configured: Vec<&str> = origins.iter().collect();
    if arguments.place.json {
        return print_json(&json!({ "origin": origin, "allowed": allowed, "frontend_origins": configured }));
    }
    if allowed {
        print(&format!("{origin} is a frontend: it gets Access-Control-Allow-Origin: {origin}\n"));
    } else {
        print(&format!(
            "{origin} is a stranger: no Access-Control header, and 403 to its unsafe requests\nfrontends, compared \
             byte for byte: {}\n",
            if configured.is_empty() { "none".to_owned() } else { configured.join(", ") }
        ));
    }
    Ok(())
}

fn caller(arguments: &Explain) -> Result<Option<Caller>, CommandError> {
    if let Some(scopes) = &arguments.scopes {
        let scopes =
            ScopeSet::parse(scopes).map_err(|error| CommandError::usage(format!("--scopes: {error}")))?;
        let scope = scopes.to_string();
        let facts = match arguments.caller {
            Holder::User => {
                TokenFacts { sub: Some("usr_example"), scope: Some(&scope), ..TokenFacts::default() }
            }
            Holder::Client => {
                TokenFacts { sub: Some("example@clients"), scope: Some(&scope), ..TokenFacts::default() }
            }
        };
        return Ok(Some(Caller::from_token(&facts)));
    }
    let Some(token) = &arguments.token else { return Ok(None) };
    let token = if token == "-" || std::path::Path::new(token).exists() {
        read_secret(std::path::Path::new(token))?.expose_secret().to_owned()
    } else {
        token.clone()
    };
    // Only what the token says is asked for here; whether it is genuine is the gateway's question, and is said so.
    let claims = jose::Compact::parse(&token)
        .map_err(|error| error.to_string())
        .and_then(|compact| jose::Claims::parse(compact.payload()).map_err(|error| error.to_string()))
        .map_err(|error| {
            CommandError::usage(format!("--token: not a JWT that the gateway would read: {error}"))
        })?;
    let facts = TokenFacts {
        sub: claims.sub.as_deref(),
        client_id: claims.client_id.as_deref(),
        azp: claims.azp.as_deref(),
        gty: claims.gty.as_deref(),
        scope: claims.scope.as_deref(),
    };
    Ok(Some(Caller::from_token(&facts)))
}

/// A decision that a running gateway remembers.
async fn past(
    arguments: &Explain,
    configuration: &crate::config::Configuration,
    id: &str,
) -> Result<(), CommandError> {
    let Some(listen) = configuration.file.operations.as_ref().and_then(|operations| operations.listen) else {
        return Err(CommandError::usage(
            "operations.listen is not configured; the running server is asked there for its last decisions",
        ));
    };
    let found = crate::http_get::json(&format!("http://{listen}/decisions/{id}")).await;
    match found {
        Ok(Some(decision)) if arguments.place.json => print_json(&decision),
        Ok(Some(decision)) => {
            let text = |key: &str| match &decision[key] {
                serde_json::Value::String(text) => text.clone(),
                serde_json::Value::Null => "none".to_owned(),
                other => other.to_string(),
            };
            let rows: Vec<Vec<String>> = ["method", "path", "rule", "status", "reason"]
                .into_iter()
                .map(|key| vec![key.to_owned(), text(key)])
                .collect();
            print(&columns(&rows));
            Ok(())
        }
        Ok(None) => Err(CommandError::failed(format!(
            "no decision {id}: the gateway remembers its last {} (X-Request-Id of the answer)",
            gateway::KEPT_DECISIONS
        ))),
        Err(error) => Err(CommandError::failed(format!("the server at {listen} does not answer: {error}"))),
    }
}
