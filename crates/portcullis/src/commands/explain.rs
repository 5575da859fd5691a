//! `portcullis explain`: which rule decides, and why. It asks the very functions that the gateway asks.

use super::{CommandError, Environment, columns, print, print_json, read_secret};
use crate::command_line::{Explain, Holder};
use crate::config::Configuration;
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
        return Err(CommandError::usage(
            "name a method and a path, `cors` and an origin, or a refusal that happened: --request ID",
        ));
    };
    let policy =
        wiring::policy::read(configuration).map_err(|problems| CommandError::usage(problems.join("\n")))?;
    if method == "cors" {
        return cors(arguments, &policy.origins, target);
    }
    let (caller, token) = caller(arguments, configuration, &policy)?;
    let method = method.to_ascii_uppercase();
    let question = Question { method: &method, target, origin: &[], caller: caller.as_ref() };
    let explanation = policy::explain(&policy.table, &policy.origins, &question);
    let mut steps: Vec<(&str, String)> =
        explanation.steps.iter().map(|step| (step.name, step.outcome.clone())).collect();
    let mut status = explanation.verdict.as_ref().map_or_else(policy::Denial::status, |()| 200);
    match token {
        None => {}
        Some(Ok(())) => steps.insert(
            0,
            ("token", "its claims are good; signature and revocation were not looked at".to_owned()),
        ),
        Some(Err(refusal)) => {
            status = 401;
            steps = vec![
                ("token", refusal),
                (
                    "verdict",
                    "401: the token is not valid (WWW-Authenticate: Bearer error=\"invalid_token\")"
                        .to_owned(),
                ),
            ];
        }
    }
    if arguments.place.json {
        return print_json(&json!({
            "rule": explanation.rule.map(ToString::to_string),
            "steps": steps.iter().map(|(step, outcome)| json!({ "step": step, "outcome": outcome })).collect::<Vec<_>>(),
            "allowed": status == 200,
            "status": status,
        }));
    }
    let rows: Vec<Vec<String>> =
        steps.into_iter().map(|(step, outcome)| vec![step.to_owned(), outcome]).collect();
    print(&columns(&rows));
    if status != 200 {
        print("why a request that happened was refused: --request ID, by the X-Request-Id of its answer\n");
    }
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

/// Who asks, and what is to be said of the token that was shown.
type Shown = (Option<Caller>, Option<Result<(), String>>);

fn caller(
    arguments: &Explain,
    configuration: &Configuration,
    policy: &wiring::policy::Policy,
) -> Result<Shown, CommandError> {
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
        return Ok((Some(Caller::from_token(&facts)), None));
    }
    let Some(token) = &arguments.token else { return Ok((None, None)) };
    let token = if token == "-" || std::path::Path::new(token).exists() {
        read_secret(std::path::Path::new(token))?.expose_secret().to_owned()
    } else {
        token.clone()
    };
    let unreadable = |error: String| {
        CommandError::usage(format!("--token: neither a file nor a JWT that the gateway would read: {error}"))
    };
    let compact = jose::Compact::parse(&token).map_err(|error| unreadable(error.to_string()))?;
    let claims = jose::Claims::parse(compact.payload()).map_err(|error| unreadable(error.to_string()))?;
    let judgement =
        judge(&claims, compact.header(), &wiring::gateway::config(configuration, policy)?.issuers);
    let facts = TokenFacts {
        sub: claims.sub.as_deref(),
        client_id: claims.client_id.as_deref(),
        azp: claims.azp.as_deref(),
        gty: claims.gty.as_deref(),
        scope: claims.scope.as_deref(),
    };
    Ok((Some(Caller::from_token(&facts)), Some(judgement)))
}

/// All that the gateway asks of a token and that needs no key.
fn judge(
    claims: &jose::Claims,
    header: &jose::Header,
    issuers: &[gateway::IssuerConfig],
) -> Result<(), String> {
    let named = claims.iss.as_deref().unwrap_or_default();
    let Some(issuer) = issuers.iter().find(|issuer| issuer.url == named) else {
        let known: Vec<&str> = issuers.iter().map(|issuer| issuer.url.as_str()).collect();
        return Err(format!(
            "no issuer is called {named:?}; compared byte for byte with: {}",
            known.join(", ")
        ));
    };
    let expectations = jose::Expectations {
        issuer: &issuer.url,
        audience: &issuer.audience,
        typ: match issuer.profile {
            gateway::Profile::Rfc9068 => jose::TypRule::Rfc9068,
            gateway::Profile::Auth0 => jose::TypRule::Auth0,
        },
        maximum_lifetime: issuer.maximum_token_lifetime,
        now: crate::clock::now(),
    };
    jose::judge(claims, header, &expectations).map_err(|error| {
        format!(
            "{error} (wanted: aud {}, a life of {} s at most)",
            issuer.audience, issuer.maximum_token_lifetime
        )
    })
}

/// A decision that a running gateway remembers.
async fn past(arguments: &Explain, configuration: &Configuration, id: &str) -> Result<(), CommandError> {
    let Some(listen) = configuration.file.operations.as_ref().and_then(|operations| operations.listen) else {
        return Err(CommandError::usage(
            "operations.listen is not configured; the running server is asked there for its last decisions",
        ));
    };
    let found = crate::http_get::json(&format!("http://{listen}/decisions/{}", id.trim())).await;
    match found {
        Ok(Some(decision)) if arguments.place.json => print_json(&decision),
        Ok(Some(decision)) => {
            let text = |key: &str| match &decision[key] {
                serde_json::Value::String(text) => text.clone(),
                serde_json::Value::Null => "none".to_owned(),
                other => other.to_string(),
            };
            let rows: Vec<Vec<String>> = ["method", "path", "rule", "status", "reason", "detail"]
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
