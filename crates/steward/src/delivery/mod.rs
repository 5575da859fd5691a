//! Where a new secret goes: a file, a command, a variable on Railway, a Secret in Kubernetes.
//!
//! To deliver the same credential twice does no harm, so whoever was interrupted, or could not tell, delivers again.
//! Nothing here writes the secret into a message: what others answer is shown with it cut out.

mod command;
mod fault;
mod file;
mod place;
mod redacted;

use crate::Credential;

pub use fault::{DeliveryFault, Reached};
pub use file::write_secret_file;
pub use place::{
    CommandPlace, KubernetesPlace, Place, PlaceError, RailwayAdministrator, RailwayPlace, VariableValue,
    WrittenPlace,
};

/// What a delivery did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The place, in words.
    pub place: String,
    /// The services that were told to start anew, on a platform where they must; they still run with the old secret for
    /// a while.
    pub redeployed: Vec<String>,
}

/// Puts a credential where its users read it.
///
/// # Errors
/// [`DeliveryFault`]; its `reached` says what stands there now.
pub async fn deliver(place: &Place, credential: &Credential) -> Result<Delivered, DeliveryFault> {
    let redeployed = match place {
        Place::File(path) => {
            file::write(place, path, credential.to_json()).await?;
            Vec::new()
        }
        Place::Command(command) => {
            command::run(place, command, credential).await?;
            Vec::new()
        }
        Place::Railway(_) | Place::Kubernetes(_) => {
            return Err(DeliveryFault::new(place, Reached::Nothing, "cannot be written by this version"));
        }
    };
    Ok(Delivered { place: place.to_string(), redeployed })
}

/// What stands at the place; none where nothing does, or where it cannot be looked at (a command).
///
/// A variable on Railway holds a URL, which has no generation: that of the answer is 0.
///
/// # Errors
/// [`DeliveryFault`] when the place does not answer, or holds something that is no credential.
pub async fn read_back(place: &Place) -> Result<Option<Credential>, DeliveryFault> {
    match place {
        Place::File(path) => file::read(place, path).await,
        Place::Command(_) | Place::Railway(_) | Place::Kubernetes(_) => Ok(None),
    }
}
