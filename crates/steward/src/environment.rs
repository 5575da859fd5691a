//! Where a database serves: the same fact is a warning on a laptop and a refusal to start in production.

use serde::{Deserialize, Serialize};

/// The configuration's `environment`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// A developer's machine, or a shared one that holds no real data.
    Development,
    /// Like production, before it.
    Staging,
    /// The real thing.
    Production,
}
