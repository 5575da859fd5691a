//! A ClientHello made by hand, to ask for what no careful library will: old versions of TLS, and suites without forward
//! secrecy (RFC 5246 section 7.4.1.2). Nothing follows it; the first byte of the answer says all.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::world::http::PATIENCE;

/// What is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    Tls10,
    Tls11,
    /// TLS 1.2 with RSA key exchange and CBC alone.
    WithoutForwardSecrecy,
}

/// TLS_RSA_* and TLS_ECDHE_* with CBC or RC4, and 3DES.
const OLD: [u16; 8] = [0x002f, 0x0035, 0x000a, 0x0005, 0xc013, 0xc014, 0xc009, 0xc00a];
const WITHOUT_SECRECY: [u16; 6] = [0x002f, 0x0035, 0x003c, 0x003d, 0x009c, 0x000a];

/// Whether a server agrees to what is offered; or why it cannot be told.
pub(crate) async fn is_taken(host: &str, port: u16, offer: Offer) -> Result<bool, String> {
    let connect = tokio::time::timeout(PATIENCE, TcpStream::connect((host, port))).await;
    let mut stream =
        connect.map_err(|_| "no connection in time".to_owned())?.map_err(|error| error.to_string())?;
    stream.write_all(&hello(host, offer)).await.map_err(|error| error.to_string())?;
    let mut first = [0; 6];
    match tokio::time::timeout(PATIENCE, stream.read_exact(&mut first)).await {
        // A handshake record whose first message is ServerHello.
        Ok(Ok(_)) => Ok(first[0] == 0x16 && first[5] == 0x02),
        Ok(Err(_)) => Ok(false),
        Err(_) => Err("no answer in time".into()),
    }
}

fn hello(host: &str, offer: Offer) -> Vec<u8> {
    let version: u16 = match offer {
        Offer::Tls10 => 0x0301,
        Offer::Tls11 => 0x0302,
        Offer::WithoutForwardSecrecy => 0x0303,
    };
    let suites: &[u16] = if offer == Offer::WithoutForwardSecrecy { &WITHOUT_SECRECY } else { &OLD };
    let mut body = version.to_be_bytes().to_vec();
    // No key will ever come of it: the nonce may be anything.
    body.extend([0x50; 32]);
    body.push(0);
    body.extend(counted(&suites.iter().flat_map(|suite| suite.to_be_bytes()).collect::<Vec<_>>()));
    body.extend([1, 0]);
    let mut extensions = Vec::new();
    let mut extension = |kind: u16, data: Vec<u8>| {
        extensions.extend(kind.to_be_bytes());
        extensions.extend(counted(&data));
    };
    if host.parse::<std::net::IpAddr>().is_err() {
        let mut name = vec![0];
        name.extend(counted(host.as_bytes()));
        extension(0, counted(&name));
    }
    // Groups, point formats, signature algorithms.
    extension(10, counted(&[0x00, 0x1d, 0x00, 0x17, 0x00, 0x18]));
    extension(11, vec![1, 0]);
    extension(13, counted(&[0x04, 0x01, 0x04, 0x03, 0x02, 0x01, 0x02, 0x03]));
    body.extend(counted(&extensions));
    let length = u32::try_from(body.len()).unwrap_or_default().to_be_bytes();
    let mut message = vec![1];
    message.extend(length.iter().skip(1));
    message.extend(body);
    let mut record = vec![0x16, 0x03, 0x01];
    record.extend(counted(&message));
    record
}

/// The bytes with their number before them, in two bytes.
fn counted(bytes: &[u8]) -> Vec<u8> {
    let mut all = u16::try_from(bytes.len()).unwrap_or_default().to_be_bytes().to_vec();
    all.extend(bytes);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_right() {
        let hello = hello("example.com", Offer::Tls11);
        assert_eq!(hello[..3], [0x16, 3, 1]);
        assert_eq!(usize::from(u16::from_be_bytes([hello[3], hello[4]])), hello.len() - 5);
        assert_eq!(u32::from_be_bytes([0, hello[6], hello[7], hello[8]]) as usize, hello.len() - 9);
        assert_eq!(hello[9..11], [3, 2]);
        assert!(hello.windows(11).any(|window| window == b"example.com"));
    }
}
