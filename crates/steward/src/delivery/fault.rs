//! Why a credential did not arrive, and how far it came.

use super::Place;

/// What stands at the place after a delivery that failed. Delivering the same credential again is right in each case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// What stood there before, certainly.
    Nothing,
    /// The one or the other: the answer did not come, or says neither.
    Unknown,
    /// The new credential; but those who read it were not all told.
    Secret,
}

/// A delivery or a look that failed. Its text names the place and the remedy, and no secret.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct DeliveryFault {
    /// Where.
    pub place: String,
    /// How far it came.
    pub reached: Reached,
    /// What happened, and what to do about it.
    pub reason: String,
}

impl DeliveryFault {
    pub(super) fn new(place: &Place, reached: Reached, reason: impl Into<String>) -> Self {
        Self { place: place.to_string(), reached, reason: reason.into() }
    }
}
