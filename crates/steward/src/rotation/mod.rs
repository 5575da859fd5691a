//! The change of a password without an outage: a journal that knows the intent before the world is touched, a pure
//! decision about the next step, and the hands that carry it out.

pub(crate) mod administrator;
mod administrator_elsewhere;
mod administrator_step;
mod ask;
mod database;
mod deeds;
mod execute;
mod fault;
pub mod fault_point;
mod hands;
pub mod next_step;
mod observe;
mod retirement;
pub mod schedule;
mod status;
mod trial;

pub(crate) use ask::status;
pub(crate) use deeds::go_over;
pub(crate) use execute::{Wanted, drive};
pub(crate) use hands::Hands;

pub use database::{Clock, Database, Fresh};
pub use fault::Fault;
pub use status::{
    AdministratorStatus, Age, Live, Progress, Proof, Provenance, Report, Rotated, State, Status, StepTaken,
    Ticked, Urgency,
};
