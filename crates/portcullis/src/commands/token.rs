//! `portcullis token`: a real access token, made as the issuer makes it, without a request.

use super::{CommandError, Environment, print, print_json};
use crate::command_line::Token;
use crate::config::Environment as Stage;
use crate::wiring;
use crate::wiring::installation::Installation;
use identity::Minted;
use secrecy::ExposeSecret as _;
use serde_json::json;
use store::Store;

/// Mints and prints a token. What it may be for is decided as at the token endpoint and at a login.
pub async fn run(arguments: &Token, environment: &Environment) -> Result<(), CommandError> {
    let installation = Installation::find(&arguments.place, environment)?;
    let configuration = &installation.configuration;
    if arguments.user.is_some() && configuration.environment != Stage::Development {
        return Err(CommandError::usage(
            "a user's token without the user's password is for development alone: log in at POST /users/session",
        ));
    }
    let store = wiring::store::open(configuration, false).await?;
    let identity = wiring::identity::issuer(configuration, &store).await?;
    let audience = match &arguments.audience {
        Some(audience) => audience.clone(),
        None => wiring::gateway::audience(configuration)?,
    };
    let scopes = (!arguments.scopes.is_empty()).then(|| arguments.scopes.join(" "));
    let minted = match &arguments.user {
        Some(address) => identity.mint_user_token(address, Some(&audience), scopes.as_deref()).await,
        None => {
            let client = client(arguments, &installation, &store).await?;
            identity.mint_client_token(&client, Some(&audience), scopes.as_deref()).await
        }
    };
    store.close().await;
    let Minted { access_token, expires_in, scope } =
        minted.map_err(|error| CommandError::usage(error.to_string()))?;
    if arguments.place.json {
        return print_json(&json!({
            "access_token": access_token.expose_secret(), "token_type": "Bearer", "expires_in": expires_in, "scope": scope.to_string(),
        }));
    }
    print(&format!("{}\n", access_token.expose_secret()));
    Ok(())
}

async fn client(
    arguments: &Token,
    installation: &Installation,
    store: &Store,
) -> Result<String, CommandError> {
    let Some(named) = &arguments.app else {
        let folder = installation.dev.as_ref();
        let application = folder.and_then(|folder| folder.machine_application().ok());
        return application.map(|application| application.client_id).ok_or_else(|| {
            CommandError::usage("name the application with --app ID, or a user with --user ADDRESS")
        });
    };
    if store.client(named).await?.is_some() {
        return Ok(named.clone());
    }
    match store.client_by_name(named).await? {
        Some((client, _)) => Ok(client.id),
        None => Err(CommandError::usage(format!(
            "no application has the id or name {named}; see `portcullis app list`"
        ))),
    }
}
