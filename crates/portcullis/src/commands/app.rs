//! `portcullis app`: applications, their secrets and what they may ask for.

use super::{CommandError, Environment, administered, print_fields, show, show_list};
use crate::clock::{fresh, now};
use crate::command_line::{App, Where};
use admin::applications::{self, ApiAccess, ApplicationChange, Created, Fresh, NewApplication};
use oauth::client::{AuthMethod, ClientType, GrantType};

/// Does what was asked, straight on the store.
pub async fn run(app: App, environment: &Environment) -> Result<(), CommandError> {
    match app {
        App::Create {
            name,
            kind,
            callbacks,
            logout_urls,
            web_origins,
            grants,
            auth_method,
            api,
            scopes,
            place,
        } => {
            let kind = ClientType::parse(&kind).ok_or_else(|| {
                CommandError::usage(format!(
                    "--type {kind}: spa, native, regular_web and non_interactive are known"
                ))
            })?;
            let mut application = NewApplication::new(name, kind);
            application.callbacks = callbacks;
            application.logout_urls = logout_urls;
            application.web_origins = web_origins;
            if !grants.is_empty() {
                application.grants =
                    grants.iter().map(|grant| grant_type(grant)).collect::<Result<_, _>>()?;
            }
            application.auth_method = auth_method.as_deref().map(method).transpose()?;
            application.apis = api.map(|api| ApiAccess { api, scopes }).into_iter().collect();
            let (_, store) = administered(&place, environment).await?;
            let random = Fresh {
                id: fresh().map_err(CommandError::failed)?,
                secret: fresh().map_err(CommandError::failed)?,
            };
            show_created(&place, &applications::create(&store, &application, now(), random).await?)
        }
        App::List(place) => {
            let (_, store) = administered(&place, environment).await?;
            show_list(
                &place,
                &applications::list(&store).await?,
                &["client_id", "name", "type", "disabled", "apis"],
            )
        }
        App::Show { app, place } => {
            let (_, store) = administered(&place, environment).await?;
            show(&place, &applications::show(&store, &app).await?)
        }
        App::Update { app, rotate_secret, disabled, api, scopes, place } => {
            let (_, store) = administered(&place, environment).await?;
            let mut apis = None;
            if let Some(api) = api {
                let mut held = applications::show(&store, &app).await?.apis;
                held.retain(|access| access.api != api);
                held.push(ApiAccess { api, scopes });
                apis = Some(held);
            }
            let change = ApplicationChange { disabled, apis, ..ApplicationChange::default() };
            let changed = applications::update(&store, &app, &change, now()).await?;
            if rotate_secret {
                let random = fresh().map_err(CommandError::failed)?;
                return show(&place, &applications::rotate_secret(&store, &app, now(), random).await?);
            }
            show(&place, &changed)
        }
        App::Delete { app, place } => {
            let (_, store) = administered(&place, environment).await?;
            Ok(applications::delete(&store, &app, now()).await?)
        }
    }
}

/// Prints what was just made. For people id and secret come first: they are what is copied, and the secret this once.
fn show_created(place: &Where, created: &Created) -> Result<(), CommandError> {
    if place.json {
        return show(place, created);
    }
    let value = serde_json::to_value(created).map_err(|error| CommandError::failed(error.to_string()))?;
    let mut fields: Vec<(String, serde_json::Value)> =
        value.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect();
    fields.sort_by_key(|(name, _)| !matches!(name.as_str(), "client_id" | "client_secret"));
    print_fields(fields);
    Ok(())
}

fn grant_type(text: &str) -> Result<GrantType, CommandError> {
    GrantType::parse(text).ok_or_else(|| {
        CommandError::usage(format!("--grant {text}: no grant type of this version; client_credentials is"))
    })
}

fn method(text: &str) -> Result<AuthMethod, CommandError> {
    AuthMethod::parse(text).ok_or_else(|| {
        CommandError::usage(format!(
            "--auth-method {text}: none, client_secret_post and client_secret_basic are known"
        ))
    })
}
