//! Where a new secret goes: a file, a command, a variable on Railway, a Secret in Kubernetes.
//!
//! To deliver the same credential twice does no harm, so whoever was interrupted, or could not tell, delivers again.
//! Nothing here writes the secret into a message: what others answer is shown with it cut out.

mod command;
mod fault;
mod file;
mod https;
mod kubernetes;
mod place;
mod railway;
mod redacted;
mod written;

use crate::Credential;

pub use fault::{DeliveryFault, Reached};
pub use file::write_secret_file;
pub use place::{CommandPlace, KubernetesPlace, Place, RailwayAdministrator, RailwayPlace, VariableValue};
pub use written::{PlaceError, WrittenPlace};

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
        Place::Railway(railway) => railway::deliver(place, railway, credential).await?,
        Place::Kubernetes(kubernetes) => {
            kubernetes::deliver(place, kubernetes, credential).await?;
            Vec::new()
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
        Place::Command(_) => Ok(None),
        Place::Railway(railway) => railway::read_back(place, railway).await,
        Place::Kubernetes(kubernetes) => kubernetes::read_back(place, kubernetes).await,
    }
}

/// Puts the password of the role that the platform made where the platform shows it. True when the place has room for
/// it; where it has none, the file that the password was read from is all there is.
///
/// # Errors
/// [`DeliveryFault`].
pub async fn deliver_administrator(place: &Place, credential: &Credential) -> Result<bool, DeliveryFault> {
    let Place::Railway(railway) = place else { return Ok(false) };
    let Some(administrator) = &railway.administrator else { return Ok(false) };
    railway::deliver_administrator(place, railway, administrator, credential).await.map(|()| true)
}
