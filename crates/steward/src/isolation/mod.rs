//! Whether a database is out of a stranger's reach, as far as its name tells: what the configuration names, every
//! address that name has, and what kind each is.
//!
//! A private name is no proof: a proxy can stand beside it. What a stranger reaches is found out by standing where
//! strangers stand, which is the auditor's work. This side finds what is certainly wrong before the first connection.

mod address;
mod endpoint;
mod judge;
mod name;
mod resolve;
mod variables;

pub use address::{AddressClass, Reach, classify_address};
pub use endpoint::{Endpoint, EndpointError, Host, endpoint_of, endpoints};
pub use judge::{Facts, Finding, Resolved, Verdict, judge};
pub use name::{NameClass, classify_name};
pub use resolve::{Answers, Names};
pub use variables::{VisibleVariable, visible_variables};
