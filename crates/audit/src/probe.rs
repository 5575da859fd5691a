//! `portcullis probe`: run from outside, it says of each endpoint of a database open, closed or could not tell.
//!
//! Silence proves nothing by itself. So it shows first that it stands outside (a name that exists inside alone must not
//! resolve here) and that its network works (the control URL is reached). Then it speaks eight bytes of PostgreSQL to
//! every address of each endpoint. It touches nothing but what it was told of: no port is searched for.
//!
//! ```text
//! Endpoint, Control ─> run (observe) ─> judge (pure) ─> Report: JSON of the contract, exit code
//! ```

pub(crate) mod endpoint;
mod judge;
mod reach;
mod report;

use std::net::SocketAddr;

use futures_util::StreamExt as _;

pub use endpoint::{Control, Endpoint, UsageError};
pub use report::{Controlled, Outside, ProbeResult, Probed, Report};

use crate::names::{Names, Resolved};
use crate::world::http::{Http, Probe};
use judge::{Controls, Seen};

/// The format of a probe's report; the contract's `schema`.
pub const SCHEMA: u32 = 1;
/// The internal name that is asked for where no endpoint has one.
pub const DEFAULT_INTERNAL_NAME: &str = "postgres.railway.internal";
/// What Railway's private names end in.
const RAILWAY: &str = ".railway.internal";
/// Endpoints that are tried at once.
const AT_ONCE: usize = 4;

/// What a probe may be told besides its endpoints.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `--internal-name`: exists inside alone. Default: the first endpoint's host that ends in `.railway.internal`,
    /// else [`DEFAULT_INTERNAL_NAME`].
    pub internal_name: Option<String>,
    /// The DNS server to ask instead of the system's.
    pub resolver: Option<SocketAddr>,
    /// Unix seconds, now: the report's `at`.
    pub now: i64,
}

/// Looks at every endpoint from here. Never fails: what could not be told is `unknown`.
pub async fn run(endpoints: &[Endpoint], control: &Control, options: &Options) -> Report {
    let names = Names::new(options.resolver);
    let internal_name = internal_name(endpoints, options);
    let inside = names.resolve_exactly(&internal_name).await;
    let controls = look_at_control(&names, control, &inside).await;
    let mut seen: Vec<(Endpoint, Seen)> = futures_util::stream::iter(endpoints.iter().cloned())
        .map(|endpoint| {
            let names = &names;
            async move {
                let resolved = names.resolve_exactly(endpoint.host()).await;
                let reached = reach::every(&resolved.addresses, endpoint.port()).await;
                (endpoint, Seen { resolved, reached })
            }
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    Report {
        schema: SCHEMA,
        at: crate::report::rfc3339(options.now),
        outside: Outside { internal_name, resolves: controls.inside },
        control: Controlled { url: control.url().to_owned(), connected: controls.connected() },
        endpoints: seen
            .drain(..)
            .map(|(endpoint, seen)| judge::endpoint(&endpoint, &seen, &controls))
            .collect(),
    }
}

fn internal_name(endpoints: &[Endpoint], options: &Options) -> String {
    let of_endpoint = || endpoints.iter().map(Endpoint::host).find(|host| host.ends_with(RAILWAY));
    let name = options.internal_name.as_deref().or_else(of_endpoint).unwrap_or(DEFAULT_INTERNAL_NAME);
    crate::names::bare(name)
}

async fn look_at_control(names: &Names, control: &Control, inside: &Resolved) -> Controls {
    let resolved = names.resolve_exactly(control.host()).await;
    let connected = reach::connects(&resolved.addresses, control.port()).await;
    // A network that accepts every connection in the name of others would be seen as closed doors everywhere.
    let answered = !connected.is_empty()
        && control.speaks_http()
        && Http::new("portcullis-probe".into(), None).send(Probe::new("HEAD", control.url())).await.is_ok();
    Controls {
        inside: if inside.is_nowhere() {
            Some(false)
        } else if inside.addresses.is_empty() {
            None
        } else {
            Some(true)
        },
        ipv4: connected.iter().any(|address| address.is_ipv4()),
        ipv6: connected.iter().any(|address| address.is_ipv6()),
        answered,
    }
}
