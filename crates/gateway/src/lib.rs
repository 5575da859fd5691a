//! The reverse proxy in front of the backend: moves bytes, asks `policy`.
//!
//! Every request goes through the stages of `pipeline.rs` in one order: normalise the path, match the rule, judge the
//! origin, find the caller, authorize, rewrite the headers, forward. `forward` takes a `policy::Permit` by value, and
//! only `policy::authorize` makes one. There is no database on this path; what the gateway needs of its surroundings it
//! gets through [`Ports`].

mod activity;
mod api_key;
mod bearer;
mod body;
mod caller;
mod client_address;
mod config;
mod connection;
mod cors;
mod decisions;
mod fetch;
mod forward;
mod forward_auth;
mod gateway;
mod headers;
mod key_source;
mod listen;
mod metrics;
mod pipeline;
mod problem;
mod refusal;
mod remembered;
mod request_id;
mod revocations;
mod server;
mod session;
mod shutdown;
mod snapshot;
mod target;
mod token;
mod tunnel;

pub use api_key::{KeyUse, LegacyKey, LegacyKeys, LegacyKeysUnavailable, digest_of};
pub use body::{BodyError, SessionBody};
pub use config::{ApiKeysConfig, Config, ConfigError, IssuerConfig, Jwks, Mode, Profile, Timeouts};
pub use decisions::{Decision, Decisions, KEPT_DECISIONS};
pub use gateway::{Clock, Fresh, Gateway, Ports};
pub use key_source::{OwnKeys, UNKNOWN_KEY_WINDOW};
pub use listen::listen;
pub use revocations::{RevocableFacts, Revocation, Revocations};
pub use session::{SessionApi, SessionFuture, SessionService};
