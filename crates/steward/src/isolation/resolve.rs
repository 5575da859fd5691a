//! Every address and every alias of a name.
//!
//! The resolver here asks the name servers itself, since the operating system's own tells neither aliases nor "no such
//! name" from "no answer"; what the operating system finds (hosts file, search domains, other sources) is added, because
//! that is what a connection is made to.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{RData, RecordType};

use super::endpoint::{Endpoint, Host};
use super::judge::Resolved;
use super::name::plain;

/// For one answer of one server.
const PATIENCE: Duration = Duration::from_secs(2);
/// For all that the operating system asks.
const SYSTEM_PATIENCE: Duration = Duration::from_secs(6);
/// Aliases of aliases that are followed; name servers stop before that.
const LONGEST_CHAIN: usize = 8;

/// What was found out about a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// The name and each alias (CNAME) behind it, in lower case, without a final dot.
    pub chain: Vec<String>,
    /// Every address, IPv4 and IPv6.
    pub addresses: Vec<IpAddr>,
    /// Why there may be more than these: a server that did not answer, or failed.
    pub gap: Option<String>,
}

/// Asks for names.
pub struct Names {
    resolver: Result<TokioResolver, String>,
    system: bool,
}

impl Names {
    /// With the system's name servers and hosts file.
    #[must_use]
    pub fn system() -> Self {
        let resolver = TokioResolver::builder_tokio().and_then(|mut builder| {
            let options = builder.options_mut();
            options.timeout = PATIENCE;
            options.attempts = 2;
            options.preserve_intermediates = true;
            // Who asks again wants to know whether it has changed.
            options.cache_size = 0;
            builder.build()
        });
        Self { resolver: resolver.map_err(|error| format!("no resolver: {error}")), system: true }
    }

    /// With one name server and nothing else.
    #[must_use]
    pub fn at(server: SocketAddr) -> Self {
        let mut configured = NameServerConfig::udp_and_tcp(server.ip());
        for connection in &mut configured.connections {
            connection.port = server.port();
        }
        let configured = ResolverConfig::from_parts(None, Vec::new(), vec![configured]);
        let mut builder = TokioResolver::builder_with_config(configured, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        options.timeout = PATIENCE;
        options.attempts = 1;
        options.preserve_intermediates = true;
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        Self { resolver: builder.build().map_err(|error| format!("no resolver: {error}")), system: false }
    }

    /// What `name` leads to.
    pub async fn answers(&self, name: &str) -> Answers {
        let Some(first) = plain(name) else {
            return Answers {
                gap: Some("it is no name that can be asked for".to_owned()),
                ..Answers::default()
            };
        };
        let mut answers = Answers { chain: vec![first.clone()], ..Answers::default() };
        // A final dot says that no search domain is to be tried.
        let question = if name.ends_with('.') { format!("{first}.") } else { first };
        let system = match &self.resolver {
            Ok(resolver) => {
                let ask = |kind| ask(resolver, &question, kind);
                let (v4, v6, system) =
                    tokio::join!(ask(RecordType::A), ask(RecordType::AAAA), self.system_addresses(&question));
                answers.take(v4);
                answers.take(v6);
                // Aliases that end nowhere come with no address, and still lead somewhere tomorrow.
                if answers.addresses.is_empty() && answers.gap.is_none() {
                    answers.follow(resolver).await;
                }
                system
            }
            Err(reason) => {
                answers.gap = Some(reason.clone());
                self.system_addresses(&question).await
            }
        };
        for address in system {
            answers.add(address);
        }
        answers
    }

    /// What a connection would be made to; its failures say nothing that the name servers do not say better.
    async fn system_addresses(&self, name: &str) -> Vec<IpAddr> {
        if !self.system {
            return Vec::new();
        }
        let asked = tokio::time::timeout(SYSTEM_PATIENCE, tokio::net::lookup_host((name, 0))).await;
        asked
            .map(|found| found.map(|list| list.map(|socket| socket.ip()).collect()).unwrap_or_default())
            .unwrap_or_default()
    }

    /// Resolves the names among the servers of a connection string.
    pub async fn look(&self, endpoints: Vec<Endpoint>) -> Vec<Resolved> {
        let mut resolved = Vec::new();
        for endpoint in endpoints {
            let answers = match &endpoint.host {
                Host::Name(name) => Some(self.answers(name).await),
                Host::Address(_) | Host::Socket(_) => None,
            };
            resolved.push(Resolved { endpoint, answers });
        }
        resolved
    }
}

/// Records, or why there may be some that were not told. No record is an answer, too.
async fn ask(resolver: &TokioResolver, name: &str, kind: RecordType) -> Result<Vec<RData>, String> {
    match resolver.lookup(name, kind).await {
        Ok(lookup) => Ok(lookup.answers().iter().map(|record| record.data.clone()).collect()),
        Err(NetError::Dns(DnsError::NoRecordsFound(none)))
            if matches!(none.response_code, ResponseCode::NoError | ResponseCode::NXDomain) =>
        {
            Ok(Vec::new())
        }
        Err(error) => Err(format!("{kind}: {error}")),
    }
}

impl Answers {
    fn take(&mut self, records: Result<Vec<RData>, String>) {
        let records = match records {
            Ok(records) => records,
            Err(reason) => {
                self.gap = Some(reason);
                return;
            }
        };
        for record in records {
            match record {
                RData::A(address) => self.add(IpAddr::V4(address.0)),
                RData::AAAA(address) => self.add(IpAddr::V6(address.0)),
                RData::CNAME(alias) => {
                    let alias = alias.0.to_ascii().trim_end_matches('.').to_ascii_lowercase();
                    if !self.chain.contains(&alias) {
                        self.chain.push(alias);
                    }
                }
                _ => {}
            }
        }
    }

    fn add(&mut self, address: IpAddr) {
        if !self.addresses.contains(&address) {
            self.addresses.push(address);
        }
    }

    async fn follow(&mut self, resolver: &TokioResolver) {
        while let Some(last) = self.chain.last().filter(|_| self.chain.len() < LONGEST_CHAIN).cloned() {
            let known = self.chain.len();
            let records = ask(resolver, &format!("{last}."), RecordType::CNAME).await;
            self.take(records);
            if self.chain.len() == known {
                return;
            }
        }
    }
}
