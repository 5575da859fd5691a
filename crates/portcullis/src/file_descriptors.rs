//! How many connections the process may hold. The customary soft limit of 1024 is for programs that use `select`; a
//! stranger would exhaust it with as many idle sockets.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Below this, idle clients can keep others out: worth saying.
const FEW: u64 = 16_384;

/// Raises the soft limit to the hard one.
pub fn raise() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::warn!(%error, "the limit of open files stays at {}", current.unwrap_or(u64::MAX));
        return;
    }
    if let Some(maximum) = maximum.filter(|maximum| *maximum < FEW) {
        tracing::warn!(
            "only {maximum} files may be open: idle clients can use them up; raise LimitNOFILE to {FEW} or more"
        );
    }
}
