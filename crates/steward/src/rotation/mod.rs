//! The change of a password without an outage: a journal that knows the intent before the world is touched, a pure
//! decision about the next step, and the hands that carry it out.

pub(crate) mod administrator;
mod database;
mod execute;
mod fault;
pub mod fault_point;
pub mod next_step;
mod observe;
pub mod schedule;
pub(crate) mod status;
mod trial;

pub(crate) use execute::{Hands, Wanted, drive, hand_over};

pub use database::{Clock, Database, Fresh};
pub use fault::Fault;
pub use status::{
    AdministratorStatus, Age, Live, Progress, Proof, Provenance, Report, Rotated, State, Status, StepTaken,
    Ticked, Urgency,
};
