//! Listeners: one a core on the same port, so that no core waits for another's accept queue.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;

/// Binds `address` for the runtime that this is called on. With `reuse_port`, several listeners may share the port and
/// the kernel spreads connections over them (SO_REUSEPORT); without it a second listener is refused, as it must be
/// where a forgotten process could silently take half of the traffic.
///
/// # Errors
/// When the address cannot be bound.
pub fn listen(address: SocketAddr, reuse_port: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    // A restart must not wait for connections of the last run in TIME_WAIT.
    socket.set_reuse_address(true)?;
    if reuse_port {
        socket.set_reuse_port(true)?;
    }
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_who_asks_shares_a_port() {
        let first = listen("127.0.0.1:0".parse().unwrap(), true).unwrap();
        let address = first.local_addr().unwrap();
        assert!(listen(address, true).is_ok());
        assert!(listen(address, false).is_err());
        let alone = listen("127.0.0.1:0".parse().unwrap(), false).unwrap();
        assert!(listen(alone.local_addr().unwrap(), true).is_err());
    }
}
