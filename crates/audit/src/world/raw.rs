//! Bytes as they are: what no HTTP client would send, over TCP or TLS, and every answer that comes back on the connection.
//! A plain request goes first on the same connection and is the control of what follows it.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::world::http::{PATIENCE, tls};

/// How long a connection must be silent to be taken for done.
const SILENCE: Duration = Duration::from_millis(400);
/// How long a connection may be listened to, however much it has to say.
const LISTENING: Duration = Duration::from_secs(10);
/// The most that is read of one connection.
const MAXIMUM: usize = 512 * 1024;
/// The most answers that are counted on one connection: two already say all.
const MOST_ANSWERS: usize = 16;

/// What came back on one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    /// The status of the plain request that went first.
    pub(crate) control: Result<u16, String>,
    /// The statuses of the answers to what followed it, in their order.
    pub(crate) statuses: Vec<u16>,
    /// Whether the server ended the connection.
    pub(crate) closed: bool,
    /// What was left over after whole answers: a body that was longer than its length, say.
    pub(crate) rest: usize,
}

/// Where the bytes go.
pub(crate) struct Place {
    host: String,
    port: u16,
    secure: bool,
    authority: Option<Vec<u8>>,
    pub(crate) agent: String,
}

impl Place {
    pub(crate) fn new(url: &str, agent: &str, authority: Option<&[u8]>) -> Option<Self> {
        let url = url::Url::parse(url).ok()?;
        Some(Self {
            host: url.host_str()?.trim_matches(['[', ']']).to_owned(),
            port: url.port_or_known_default()?,
            secure: url.scheme() == "https",
            authority: authority.map(<[u8]>::to_vec),
            agent: agent.to_owned(),
        })
    }

    /// The value of `Host`.
    pub(crate) fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.secure, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }

    /// A head that every request begins with: its own lines come after.
    pub(crate) fn head(&self, request_line: &str) -> String {
        format!("{request_line}\r\nHost: {}\r\nUser-Agent: {}\r\n", self.authority(), self.agent)
    }

    /// Sends the plain request, waits for its answer, then sends the bytes and listens until the server is done.
    pub(crate) async fn hear(&self, plain: &str, bytes: &[u8]) -> Heard {
        match tokio::time::timeout(PATIENCE, TcpStream::connect((self.host.as_str(), self.port))).await {
            Ok(Ok(stream)) if self.secure => match self.secured(stream).await {
                Ok(stream) => exchange(stream, plain, bytes).await,
                Err(why) => unheard(why),
            },
            Ok(Ok(stream)) => exchange(stream, plain, bytes).await,
            Ok(Err(error)) => unheard(error.to_string()),
            Err(_) => unheard("no connection in time".into()),
        }
    }

    async fn secured(&self, stream: TcpStream) -> Result<tokio_rustls::client::TlsStream<TcpStream>, String> {
        let name =
            rustls_pki_types::ServerName::try_from(self.host.clone()).map_err(|error| error.to_string())?;
        let mut config = tls(self.authority.as_deref());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
        match tokio::time::timeout(PATIENCE, connector.connect(name, stream)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no TLS in time".into()),
        }
    }
}

fn unheard(why: String) -> Heard {
    Heard { control: Err(why), statuses: Vec::new(), closed: true, rest: 0 }
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, plain: &str, bytes: &[u8]) -> Heard {
    let mut first = Vec::new();
    let mut control = Err("the plain request was not answered".to_owned());
    let plainly = async {
        stream.write_all(plain.as_bytes()).await.ok()?;
        while first.len() < MAXIMUM {
            let mut buffer = [0; 8192];
            let count = stream.read(&mut buffer).await.ok()?;
            first.extend_from_slice(buffer.get(..count).filter(|read| !read.is_empty())?);
            if let (statuses, 0) = answers(&first, false)
                && let Some(status) = statuses.first()
            {
                return Some(*status);
            }
        }
        None
    };
    // A time for all of it: a server that sends one byte a second has not answered either.
    if let Ok(Some(status)) = tokio::time::timeout(PATIENCE, plainly).await {
        control = Ok(status);
    }
    if control.is_err() {
        return Heard { control, statuses: Vec::new(), closed: true, rest: first.len() };
    }
    let mut heard = Vec::new();
    let sending = async {
        stream.write_all(bytes).await?;
        stream.flush().await
    };
    // A server may answer and close before it has read everything, or stop reading; what it said is read all the same.
    let mut closed = matches!(tokio::time::timeout(PATIENCE, sending).await, Ok(Err(_)));
    let listening = listen(&mut stream, &mut heard);
    closed |= tokio::time::timeout(LISTENING, listening).await.unwrap_or(false);
    let (statuses, rest) = answers(&heard, bytes.starts_with(b"HEAD "));
    Heard { control, statuses, closed, rest }
}

/// Reads until the server ends the connection (true), falls silent or has said enough.
async fn listen<S: AsyncRead + Unpin>(stream: &mut S, heard: &mut Vec<u8>) -> bool {
    let mut patience = PATIENCE;
    while heard.len() < MAXIMUM {
        let mut buffer = [0; 8192];
        match tokio::time::timeout(patience, stream.read(&mut buffer)).await {
            Ok(Ok(count)) if count > 0 => {
                heard.extend_from_slice(buffer.get(..count).unwrap_or_default());
                patience = SILENCE;
            }
            Ok(_) => return true,
            Err(_) => return false,
        }
    }
    false
}

/// The statuses of the answers in these bytes, and how many bytes belong to no whole answer. `head_first`: the first answers a
/// HEAD, whose length is of the body that it does not have.
fn answers(bytes: &[u8], head_first: bool) -> (Vec<u16>, usize) {
    let mut statuses = Vec::new();
    let mut at: usize = 0;
    while statuses.len() < MOST_ANSWERS
        && let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty())
    {
        let Some(end) = position(rest, b"\r\n\r\n") else { break };
        let head = String::from_utf8_lossy(rest.get(..end).unwrap_or_default()).to_ascii_lowercase();
        let status = head.strip_prefix("http/1.").and_then(|head| head.get(2..5)?.parse::<u16>().ok());
        let Some(status) = status else { break };
        let body = end + 4;
        let header = |name: &str| {
            head.lines()
                .skip(1)
                .find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned()))
        };
        let length = match (header("transfer-encoding"), header("content-length")) {
            _ if matches!(status, 204 | 304) || status < 200 || (at == 0 && head_first) => Some(0),
            (Some(_), _) => chunked(rest.get(body..).unwrap_or_default()),
            (None, Some(length)) => length.parse().ok(),
            // To the end of the connection.
            (None, None) => Some(rest.len() - body),
        };
        // The length is the server's word: it may be any number that there is.
        let end = length.and_then(|length| body.checked_add(length)).filter(|end| *end <= rest.len());
        let Some(end) = end else { break };
        statuses.push(status);
        at += end;
    }
    (statuses, bytes.len().saturating_sub(at))
}

/// The length of a chunked body with its last chunk; none while it is not whole.
fn chunked(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = bytes.get(at..)?;
        let line = position(rest, b"\r\n")?;
        let size = String::from_utf8_lossy(rest.get(..line)?).into_owned();
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        at += line + 2;
        if size == 0 {
            return Some(at + position(bytes.get(at..)?, b"\r\n")? + 2);
        }
        at = at.checked_add(size)?.checked_add(2)?;
    }
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_their_own_lengths() {
        let one = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
        let chunked = "HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        for (bytes, wanted) in [
            (one.to_owned(), (vec![200], 0)),
            (format!("{one}{chunked}{one}"), (vec![200, 401, 200], 0)),
            (format!("{one}HTTP/1.1 204 No Content\r\n\r\n"), (vec![200, 204], 0)),
            (format!("{one}x"), (vec![200], 1)),
            ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc".to_owned(), (vec![], 41)),
            (String::new(), (vec![], 0)),
            ("HTTP/1.1 204 No Content\r\n\r\n".repeat(20), (vec![204; MOST_ANSWERS], 4 * 27)),
        ] {
            assert_eq!(answers(bytes.as_bytes(), false), wanted, "{bytes}");
        }
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{one}");
        assert_eq!(answers(head.as_bytes(), true), (vec![200, 200], 0));
    }

    #[test]
    fn a_length_that_wraps_round_ends_the_count() {
        let start = "HTTP/1.1 200 OK\r\n";
        // 57 bytes of head: the second length leads back to the same place.
        for (header, length) in [
            ("Content-Length: ", usize::MAX.to_string()),
            ("Content-Length: ", (usize::MAX - 56).to_string()),
            ("Transfer-Encoding: chunked\r\n\r\n", format!("{:x}", usize::MAX)),
        ] {
            let bytes = format!("{start}{header}{length}\r\n\r\n");
            assert_eq!(answers(bytes.as_bytes(), false), (vec![], bytes.len()), "{bytes}");
        }
    }
}
