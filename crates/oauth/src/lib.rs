//! OAuth 2: requests, clients, grants, access tokens and metadata as pure decisions.
//!
//! Each endpoint is five beats: parse, load, decide, commit, answer. Here live the first and the third; `now` is Unix
//! seconds, `fresh` is random bytes drawn at the edge, and what comes out says what must become true or which error
//! of RFC 6749 is the answer.

pub mod access_token;
pub mod client;
pub mod client_credentials;
pub mod error;
pub mod metadata;
pub mod one_time_secret;
pub mod refresh_token;
pub mod token_request;
