//! The change of a password without an outage: a journal that knows the intent before the world is touched, a pure
//! decision about the next step, and the hands that carry it out.

mod database;
mod fault;
mod status;

pub use database::{Clock, Database, Fresh};
pub use fault::Fault;
pub use status::{
    AdministratorStatus, Age, Live, Progress, Proof, Provenance, Report, Rotated, State, Status, StepTaken,
    Ticked, Urgency,
};
