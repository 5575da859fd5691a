//! Ports that were free a moment ago.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below the range from which systems lend ports to connections (Linux from 32768, others from 49152): no connection of
/// a neighbouring test sits on one of these between the choice and the server's start.
const LENT_BY_NOBODY: std::ops::Range<u16> = 15_000..32_000;

/// A loopback port that nobody listens on, given once by this process. Where a server can take port 0 itself, let it.
///
/// # Panics
/// When every port of the range is taken.
pub fn free_port() -> u16 {
    free_ports(1)
}

/// The first of this many loopback ports in a row, all of them free, given once by this process: for a server whose ports
/// stay the same through its restarts, while the tests beside it come and go.
///
/// # Panics
/// When no such row is left.
pub fn free_ports(row: u16) -> u16 {
    static NEXT: OnceLock<AtomicU32> = OnceLock::new();
    let count = u32::from(LENT_BY_NOBODY.end - LENT_BY_NOBODY.start);
    // Processes that test at the same time begin apart from one another.
    let next = NEXT.get_or_init(|| AtomicU32::new(std::process::id().wrapping_mul(997)));
    let free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    (0..count)
        .map(|_| LENT_BY_NOBODY.start + (next.fetch_add(u32::from(row), Ordering::Relaxed) % count) as u16)
        .find(|first| (*first..first + row).all(free))
        .expect("free loopback ports")
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
