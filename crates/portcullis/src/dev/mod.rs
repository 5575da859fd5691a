//! `portcullis dev`: everything on this machine, without configuration.

pub mod folder;
pub mod mailbox;
pub mod sample_backend;
pub mod seed;
pub mod tls;
