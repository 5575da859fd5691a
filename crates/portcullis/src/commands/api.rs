//! `portcullis api`: audiences and their scopes.

use super::{CommandError, Environment, administered, show, show_list};
use crate::clock::now;
use crate::command_line::{Api, Where};
use crate::config::value::Span;
use admin::apis::{self, ApiChange, ApiView, NewApi, NewScope, SigningAlg};

/// Does what was asked, straight on the store.
pub async fn run(api: Api, environment: &Environment) -> Result<(), CommandError> {
    match api {
        Api::Create { identifier, name, scopes, signing_alg, token_lifetime, place } => {
            let api = NewApi {
                identifier,
                name,
                scopes: scopes.into_iter().map(scope).collect(),
                signing_alg: SigningAlg::parse(&signing_alg).ok_or_else(|| {
                    CommandError::usage(format!(
                        "--signing-alg {signing_alg}: RS256, ES256 and EdDSA are known"
                    ))
                })?,
                token_lifetime: token_lifetime.as_deref().map(seconds).transpose()?,
            };
            let (_, store) = administered(&place, environment).await?;
            show_api(&place, &apis::create(&store, &api, now()).await?)
        }
        Api::List(place) => {
            let (_, store) = administered(&place, environment).await?;
            show_list(&place, &apis::list(&store).await?, &["identifier", "name", "signing_alg", "scopes"])
        }
        Api::Show { identifier, place } => {
            let (_, store) = administered(&place, environment).await?;
            show_api(&place, &apis::show(&store, &identifier).await?)
        }
        Api::Update { identifier, add_scopes, remove_scopes, token_lifetime, place } => {
            let change = ApiChange {
                add_scopes: add_scopes.into_iter().map(scope).collect(),
                remove_scopes,
                token_lifetime: token_lifetime.as_deref().map(seconds).transpose()?.map(Some),
                ..ApiChange::default()
            };
            let (_, store) = administered(&place, environment).await?;
            show_api(&place, &apis::update(&store, &identifier, &change, now()).await?)
        }
        Api::Delete { identifier, place } => {
            let (_, store) = administered(&place, environment).await?;
            Ok(apis::delete(&store, &identifier, now()).await?)
        }
    }
}

/// For people, a lifetime as they write it; for programs, seconds.
fn show_api(place: &Where, api: &ApiView) -> Result<(), CommandError> {
    let mut value = serde_json::to_value(api).map_err(|error| CommandError::failed(error.to_string()))?;
    if let Some(seconds) = api.token_lifetime.filter(|_| !place.json) {
        let span = std::time::Duration::from_secs(seconds.unsigned_abs());
        value["token_lifetime"] = humantime::format_duration(span).to_string().into();
    }
    show(place, &value)
}

fn scope(name: String) -> NewScope {
    NewScope { name, description: String::new() }
}

/// `"15m"` in seconds.
pub fn seconds(text: &str) -> Result<i64, CommandError> {
    Span::parse(text).map(Span::seconds).map_err(CommandError::usage)
}
