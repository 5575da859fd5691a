//! What happens at one address: a connection, eight bytes, one byte back.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a connection, and then its answer, may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// PostgreSQL's SSLRequest: its length, and the number that no protocol version has. Every server answers it before it
/// asks who is there, so nothing is logged in and nobody is locked out.
const SSL_REQUEST: [u8; 8] = [0x00, 0x00, 0x00, 0x08, 0x04, 0xd2, 0x16, 0x2f];
/// Addresses that are tried at once.
const AT_ONCE: usize = 8;

/// What an address did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reached {
    /// PostgreSQL answered: `S` (TLS is to be had), `N` (it is not) or `E` (an error).
    Postgres(char),
    /// Something answered that is no PostgreSQL.
    Stranger,
    /// The connection was accepted and closed without a byte.
    Hung,
    /// It was accepted, and nothing more came.
    Silent,
    /// The connection was refused: a packet said so.
    Refused,
    /// No packet came back.
    TimedOut,
    /// There is no way there, or not from here.
    NoRoute(String),
}

/// Every address, in the order given.
pub(super) async fn every(addresses: &[IpAddr], port: u16) -> Vec<(SocketAddr, Reached)> {
    futures_util::stream::iter(addresses.iter().map(|address| SocketAddr::new(*address, port)))
        .map(|address| async move { (address, speak(address).await) })
        .buffered(AT_ONCE)
        .collect()
        .await
}

/// Which addresses accept a connection.
pub(super) async fn connects(addresses: &[IpAddr], port: u16) -> Vec<IpAddr> {
    futures_util::stream::iter(addresses.iter().copied())
        .map(|address| async move {
            let connected = timeout(PATIENCE, TcpStream::connect((address, port))).await;
            matches!(connected, Ok(Ok(_))).then_some(address)
        })
        .buffered(AT_ONCE)
        .filter_map(|connected| async move { connected })
        .collect()
        .await
}

async fn speak(address: SocketAddr) -> Reached {
    let mut stream = match timeout(PATIENCE, TcpStream::connect(address)).await {
        Err(_) => return Reached::TimedOut,
        Ok(Err(error)) => return failed(&error),
        Ok(Ok(stream)) => stream,
    };
    let mut answer = [0; 16];
    let exchange = async {
        stream.write_all(&SSL_REQUEST).await?;
        stream.read(&mut answer).await
    };
    match timeout(PATIENCE, exchange).await {
        Err(_) => Reached::Silent,
        // Closed, or torn down before the eight bytes were through.
        Ok(Ok(0) | Err(_)) => Reached::Hung,
        Ok(Ok(length)) => answered(&answer[..length]),
    }
}

/// `S` and `N` stand alone, since the server waits for the client then; `E` begins a message. SSH, say, also begins with
/// an `S`.
fn answered(bytes: &[u8]) -> Reached {
    match bytes {
        [b'S'] => Reached::Postgres('S'),
        [b'N'] => Reached::Postgres('N'),
        // An ErrorResponse's length, or its text at once from servers before protocol 3.
        [b'E', ..] => Reached::Postgres('E'),
        _ => Reached::Stranger,
    }
}

fn failed(error: &std::io::Error) -> Reached {
    match error.kind() {
        ErrorKind::ConnectionRefused => Reached::Refused,
        ErrorKind::TimedOut => Reached::TimedOut,
        ErrorKind::ConnectionReset => Reached::Hung,
        _ => Reached::NoRoute(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_postgresqls_own_answers_are_postgresql() {
        assert_eq!(answered(b"S"), Reached::Postgres('S'));
        assert_eq!(answered(b"N"), Reached::Postgres('N'));
        assert_eq!(answered(b"E\0\0\0\x10SFATAL"), Reached::Postgres('E'));
        for other in [b"SSH-2.0-x".as_slice(), b"HTTP/1.1 400", b"220 smtp", b"\x15\x03\x01"] {
            assert_eq!(answered(other), Reached::Stranger);
        }
    }
}
