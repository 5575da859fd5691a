//! Names as the auditor resolves them: every A, every AAAA and every alias on the way, by a resolver that tells "no such
//! name" from "no answer", which the operating system's own does not.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};

const PATIENCE: Duration = Duration::from_secs(2);

/// Every answer about one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// The name that was asked for and each alias (CNAME) behind it, in lower case, without a final dot.
    pub(crate) chain: Vec<String>,
    /// Every address, IPv4 and IPv6.
    pub(crate) addresses: Vec<IpAddr>,
    /// Why there may be more addresses than these: a server that did not answer.
    pub(crate) gap: Option<String>,
}

impl Resolved {
    /// A server said that there is no such name, or no address for it.
    pub(crate) fn is_nowhere(&self) -> bool {
        self.addresses.is_empty() && self.gap.is_none()
    }
}

/// A resolver with the system's servers, or with one of the caller's.
pub(crate) struct Names {
    resolver: Result<TokioResolver, String>,
}

impl Names {
    /// `server`: asked instead of those in `/etc/resolv.conf`, and then `/etc/hosts` is not read either.
    pub(crate) fn new(server: Option<SocketAddr>) -> Self {
        let builder = match server {
            None => TokioResolver::builder_tokio(),
            Some(address) => {
                let mut server = NameServerConfig::udp_and_tcp(address.ip());
                for connection in &mut server.connections {
                    connection.port = address.port();
                }
                let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
                let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
                builder.options_mut().use_hosts_file = ResolveHosts::Never;
                Ok(builder)
            }
        };
        let resolver = builder.and_then(|mut builder| {
            let options = builder.options_mut();
            options.timeout = PATIENCE;
            options.attempts = 1;
            options.preserve_intermediates = true;
            // What one run saw must not be what the run before remembered.
            options.cache_size = 0;
            builder.build()
        });
        Self { resolver: resolver.map_err(|error| error.to_string()) }
    }

    /// Resolves a name as an application here would (search domains included), or an address as itself.
    pub(crate) async fn resolve(&self, host: &str) -> Resolved {
        self.look_up(host, &bare(host)).await
    }

    /// The same for a name that no search domain may complete: `postgres.railway.internal` is that name alone.
    pub(crate) async fn resolve_exactly(&self, host: &str) -> Resolved {
        let name = bare(host);
        let absolute = if name.contains('.') { format!("{name}.") } else { name };
        self.look_up(host, &absolute).await
    }

    async fn look_up(&self, host: &str, query: &str) -> Resolved {
        let mut resolved = Resolved { chain: vec![bare(host)], ..Resolved::default() };
        if let Ok(address) = bare(host).parse() {
            resolved.addresses.push(address);
            return resolved;
        }
        let resolver = match &self.resolver {
            Ok(resolver) => resolver,
            Err(why) => {
                resolved.gap = Some(why.clone());
                return resolved;
            }
        };
        for kind in [RecordType::A, RecordType::AAAA] {
            match resolver.lookup(query, kind).await {
                Ok(lookup) => lookup.answers().iter().for_each(|record| resolved.take(&record.data)),
                Err(error) if error.is_no_records_found() => {}
                Err(error) => resolved.gap = Some(format!("{kind} of {}: {error}", bare(host))),
            }
        }
        resolved
    }
}

impl Resolved {
    fn take(&mut self, data: &RData) {
        let address = match data {
            RData::A(address) => IpAddr::V4(address.0),
            RData::AAAA(address) => IpAddr::V6(address.0),
            RData::CNAME(target) => {
                let alias = bare(&target.0.to_utf8());
                if !self.chain.contains(&alias) {
                    self.chain.push(alias);
                }
                return;
            }
            _ => return,
        };
        if !self.addresses.contains(&address) {
            self.addresses.push(address);
        }
    }
}

/// A host as it is compared: lower case, no final dot, no brackets.
pub(crate) fn bare(host: &str) -> String {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.strip_suffix('.').unwrap_or(host).to_lowercase()
}
