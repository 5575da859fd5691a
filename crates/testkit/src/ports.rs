//! Ports that were free a moment ago.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// A loopback port that nobody listened on a moment ago. Where a server can take port 0 itself, let it: another process
/// may come first here.
pub fn free_port() -> u16 {
    bound().1.port()
}

/// A listener on a free loopback port, and its address.
pub fn bound() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port can be had");
    let address = listener.local_addr().expect("a bound listener has an address");
    (listener, address)
}

/// An address that refuses every connection: the port was free, and nobody listens.
pub fn refusing() -> SocketAddr {
    bound().1
}
