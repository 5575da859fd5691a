//! `portcullis signing-keys`: the keys that sign tokens, and their succession.

use super::{CommandError, Environment, administered, show, show_list};
use crate::command_line::SigningKeys;
use crate::wiring::identity::issuer;
use serde_json::json;

/// Does what was asked; a running server hears of it within a second.
pub async fn run(keys: SigningKeys, environment: &Environment) -> Result<(), CommandError> {
    match keys {
        SigningKeys::List(place) => {
            let (_, store) = administered(&place, environment).await?;
            let keys: Vec<_> = store
                .signing_keys()
                .await?
                .into_iter()
                .map(|key| {
                    json!({
                        "kid": key.kid, "algorithm": key.algorithm, "created_at": key.created_at,
                        "signs_from_at": key.signs_from, "retires_at": key.retires_at,
                    })
                })
                .collect();
            show_list(&place, &keys, &["kid", "algorithm", "created_at", "signs_from_at", "retires_at"])
        }
        SigningKeys::Rotate(place) => {
            let (installation, store) = administered(&place, environment).await?;
            let identity = issuer(&installation.configuration, &store).await?;
            let rotation = identity
                .rotate_signing_key()
                .await
                .map_err(|fault| CommandError::failed(fault.to_string()))?;
            let retiring: Vec<_> = rotation
                .retiring
                .iter()
                .map(|(kid, retires_at)| json!({ "kid": kid, "retires_at": retires_at }))
                .collect();
            show(
                &place,
                &json!({ "kid": rotation.kid, "signs_from_at": rotation.signs_from, "retiring": retiring }),
            )
        }
        SigningKeys::Revoke { kid, place } => {
            let (installation, store) = administered(&place, environment).await?;
            let identity = issuer(&installation.configuration, &store).await?;
            match identity.revoke_signing_key(&kid).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(CommandError::usage(format!(
                    "there is no signing key {kid}; see `portcullis signing-keys list`"
                ))),
                Err(fault) => Err(CommandError::failed(fault.to_string())),
            }
        }
    }
}
