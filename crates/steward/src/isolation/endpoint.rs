//! Where a connection string leads: every host of it. libpq takes several, a socket's folder, and `hostaddr`, which says
//! where to connect while `host` only says what the server is called.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use crate::Credential;

/// A connection string that does not tell where it leads. Its text is not repeated: it may hold a password.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EndpointError {
    /// Neither a URL nor `key=value` pairs.
    #[error("no connection string: write postgres://role@host:port/database, or host=… port=… dbname=…")]
    Form,
    /// Not as many ports or addresses as hosts.
    #[error("as many ports and addresses as hosts are wanted, or one port for all")]
    Counts,
}

/// What a connection is made to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A name that is resolved.
    Name(String),
    /// An address, as it is or in one of the forms that resolvers take (`127.1`, `0x7f000001`).
    Address(IpAddr),
    /// A socket in a folder of this machine; an abstract one begins with `@`.
    Socket(PathBuf),
}

/// One server of a connection string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// What it is called.
    pub host: Host,
    /// Where to connect instead of asking for the name's addresses (`hostaddr`).
    pub hostaddr: Option<IpAddr>,
    /// 5432 unless said.
    pub port: u16,
}

/// Where a credential leads.
///
/// # Errors
/// [`EndpointError`].
pub fn endpoint_of(credential: &Credential) -> Result<Vec<Endpoint>, EndpointError> {
    endpoints(&credential.url())
}

/// Every server that a connection string names.
///
/// # Errors
/// [`EndpointError`]; an incomplete list would hide one.
pub fn endpoints(connection: &str) -> Result<Vec<Endpoint>, EndpointError> {
    let mut parts = match connection.split_once("://") {
        Some(("postgres" | "postgresql", rest)) => from_url(rest)?,
        Some(_) => return Err(EndpointError::Form),
        None => from_pairs(connection)?,
    };
    let count = parts.hosts.len().max(parts.addresses.len()).max(1);
    // libpq looks for a socket, or on this machine, when nothing is named.
    if parts.hosts.is_empty() {
        parts.hosts = match parts.addresses.is_empty() {
            true => vec![String::new()],
            false => parts.addresses.clone(),
        };
    }
    if parts.hosts.len() != count
        || !matches!(parts.addresses.len(), length if length == 0 || length == count)
        || !matches!(parts.ports.len(), length if length <= 1 || length == count)
    {
        return Err(EndpointError::Counts);
    }
    let one = |index: usize| {
        let port = parts.ports.get(index).or(parts.ports.first()).map_or("", String::as_str);
        let port = if port.is_empty() { Ok(5432) } else { port.parse().map_err(|_| EndpointError::Form) };
        let hostaddr = match parts.addresses.get(index).map(String::as_str) {
            None | Some("") => None,
            Some(text) => Some(text.parse().map_err(|_| EndpointError::Form)?),
        };
        let host = host(parts.hosts.get(index).map_or("", String::as_str))?;
        Ok(Endpoint { host, hostaddr, port: port? })
    };
    (0..count).map(one).collect()
}

#[derive(Default)]
struct Parts {
    hosts: Vec<String>,
    addresses: Vec<String>,
    ports: Vec<String>,
}

impl Parts {
    /// A key of the query or of the pairs; the last one counts, as in libpq.
    fn set(&mut self, key: &str, value: &str) {
        let list = || value.split(',').map(|part| part.trim().to_owned()).collect();
        match key {
            "host" => self.hosts = list(),
            "hostaddr" => self.addresses = list(),
            "port" => self.ports = list(),
            _ => {}
        }
    }
}

fn from_url(rest: &str) -> Result<Parts, EndpointError> {
    let (rest, _) = rest.split_once('#').unwrap_or((rest, ""));
    let (front, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, _) = front.split_once('/').unwrap_or((front, ""));
    // A password may hold an @ that somebody forgot to encode.
    let servers = authority.rsplit_once('@').map_or(authority, |(_, servers)| servers);
    let mut parts = Parts::default();
    for server in servers.split(',').filter(|_| !servers.is_empty()) {
        let (host, port) = match server.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, ""),
            Some((host, port)) => (host, port.strip_prefix(':').ok_or(EndpointError::Form)?),
            None => server.split_once(':').unwrap_or((server, "")),
        };
        parts.hosts.push(percent_decoded(host)?);
        parts.ports.push(port.to_owned());
    }
    for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
        parts.set(&key, &value);
    }
    Ok(parts)
}

/// `host=a,b port=5432 password='it''s'`: blanks around `=`, quotes, and backslashes before what is meant as itself.
fn from_pairs(text: &str) -> Result<Parts, EndpointError> {
    let mut parts = Parts::default();
    let mut rest = text.trim_start();
    if rest.is_empty() {
        return Err(EndpointError::Form);
    }
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=').ok_or(EndpointError::Form)?;
        let mut value = String::new();
        let after = after.trim_start();
        let quoted = after.starts_with('\'');
        let mut characters = after.char_indices();
        let mut closed = !quoted;
        let mut end = after.len();
        if quoted {
            characters.next();
        }
        while let Some((index, character)) = characters.next() {
            match character {
                '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
                '\'' if quoted => {
                    (closed, end) = (true, index + 1);
                    break;
                }
                blank if !quoted && blank.is_whitespace() => {
                    end = index;
                    break;
                }
                other => value.push(other),
            }
        }
        let key = key.trim();
        if !closed || key.is_empty() || key.contains(char::is_whitespace) {
            return Err(EndpointError::Form);
        }
        parts.set(key, &value);
        rest = after.get(end..).unwrap_or_default().trim_start();
    }
    Ok(parts)
}

fn host(text: &str) -> Result<Host, EndpointError> {
    if text.is_empty() {
        return Ok(Host::Socket(PathBuf::new()));
    }
    if text.starts_with(['/', '@']) {
        return Ok(Host::Socket(PathBuf::from(text)));
    }
    // A zone (`fe80::1%eth0`) says over which link, not whom.
    let (unzoned, _) = text.split_once('%').unwrap_or((text, ""));
    if let Ok(address) = unzoned.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok(Host::Address(address));
    }
    // `127.1` and `2130706433` are addresses to a resolver; the reader of URLs knows the same forms.
    match url::Host::parse(text.strip_suffix('.').unwrap_or(text)) {
        Ok(url::Host::Ipv4(address)) => Ok(Host::Address(IpAddr::V4(Ipv4Addr::from(address.octets())))),
        Ok(url::Host::Domain(_)) => Ok(Host::Name(text.to_owned())),
        _ => Err(EndpointError::Form),
    }
}

fn percent_decoded(text: &str) -> Result<String, EndpointError> {
    // The reader of forms decodes; what a form gives a meaning of its own is kept from it.
    if text.contains(['&', '=']) {
        return Err(EndpointError::Form);
    }
    let text = text.replace('+', "%2B");
    let pair = url::form_urlencoded::parse(text.as_bytes()).next();
    Ok(pair.map(|(host, _)| host.into_owned()).unwrap_or_default())
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.host {
            Host::Name(name) => write!(f, "{name}:{}", self.port),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            Host::Address(address) => write!(f, "{address}:{}", self.port),
            Host::Socket(folder) if folder.as_os_str().is_empty() => f.write_str("this machine's own socket"),
            Host::Socket(folder) => write!(f, "the socket in {}", folder.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(connection: &str) -> String {
        let list = endpoints(connection).unwrap_or_else(|error| panic!("{connection}: {error}"));
        let one = |endpoint: &Endpoint| match endpoint.hostaddr {
            Some(address) => format!("{endpoint} at {address}"),
            None => endpoint.to_string(),
        };
        list.iter().map(one).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn every_server_of_a_connection_string_is_found() {
        for (connection, expected) in [
            ("postgres://app@db.example/app", "db.example:5432"),
            ("postgres://app:p%40ss@db.example:6432/app?sslmode=require", "db.example:6432"), // portcullis:allow made up
            ("postgres://app:p@ss@db.example/app", "db.example:5432"),
            ("postgresql://app@[fd12::1]:6000/app", "[fd12::1]:6000"),
            ("postgres://app@[fd12::1]/app", "[fd12::1]:5432"),
            ("postgres://a,b:6432/app", "a:5432 | b:6432"),
            ("postgres://10.0.0.1,8.8.8.8/app", "10.0.0.1:5432 | 8.8.8.8:5432"),
            ("postgres:///app", "this machine's own socket"),
            ("postgres:///app?host=/run/postgresql", "the socket in /run/postgresql"),
            ("postgres://%2Frun%2Fpostgresql/app", "the socket in /run/postgresql"),
            ("postgres://app@private/app?host=evil.example", "evil.example:5432"),
            ("postgres://app@private/app?hostaddr=8.8.8.8", "private:5432 at 8.8.8.8"),
            ("postgres://app@2130706433/app", "127.0.0.1:5432"),
            ("postgres://app@127.1/app", "127.0.0.1:5432"),
            ("postgres://app@0x08080808/app", "8.8.8.8:5432"),
            ("host=a,b", "a:5432 | b:5432"),
            ("host=a,b port=1,2", "a:1 | b:2"),
            ("host=a,b port=6432 dbname=app", "a:6432 | b:6432"),
            ("host = 'a' password='it\\'s host=evil' port = 7", "a:7"),
            ("host=db hostaddr=10.0.0.1", "db:5432 at 10.0.0.1"),
            ("hostaddr=10.0.0.1,8.8.8.8", "10.0.0.1:5432 at 10.0.0.1 | 8.8.8.8:5432 at 8.8.8.8"),
            ("host=/run/postgresql dbname=app", "the socket in /run/postgresql"),
            ("host=fe80::1%eth0", "[fe80::1]:5432"),
            ("dbname=app", "this machine's own socket"),
        ] {
            assert_eq!(shown(connection), expected, "{connection}");
        }
    }

    #[test]
    fn what_does_not_tell_is_no_endpoint() {
        for connection in [
            "",
            "db.example",
            "mysql://db/app",
            "postgres://[fd12::1/app",
            "postgres://[fd12::1]x/app",
            "postgres://a:port/app",
            "postgres://private&evil/app",
            "host=a,b port=1,2,3",
            "host=a,b hostaddr=10.0.0.1",
            "host=a hostaddr=elsewhere",
            "host='a",
            "host a=b",
        ] {
            assert!(endpoints(connection).is_err(), "{connection}: {:?}", endpoints(connection));
        }
    }

    #[test]
    fn a_credential_leads_where_its_parameters_say() {
        let credential = Credential::from_url("postgres://app:p@private/app?hostaddr=8.8.8.8", None).unwrap();
        let list = endpoint_of(&credential).unwrap();
        assert_eq!(list[0].hostaddr, Some("8.8.8.8".parse().unwrap()));
    }
}
