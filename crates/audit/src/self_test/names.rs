//! A DNS server that has one answer.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// Type A, class IN.
const A: [u8; 4] = [0, 1, 0, 1];

/// It ends when this is dropped.
pub(super) struct Names {
    pub(super) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Names {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Names {
    /// Every name is at this address.
    pub(super) async fn start(address: Ipv4Addr) -> std::io::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        let bound = socket.local_addr()?;
        let task = tokio::spawn(async move {
            let mut bytes = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut bytes).await {
                if let Some(answer) = answer(&bytes[..length], address) {
                    let _sent = socket.send_to(&answer, from).await;
                }
            }
        });
        Ok(Self { address: bound, task })
    }
}

/// RFC 1035 section 4: the header, the question as it was asked, and for an A one record.
fn answer(query: &[u8], address: Ipv4Addr) -> Option<Vec<u8>> {
    let id = query.get(..2)?;
    let question = query.get(12..)?;
    let mut end = 0;
    while *question.get(end)? != 0 {
        end += usize::from(question[end]) + 1;
    }
    let question = question.get(..end + 5)?;
    let wanted = question.ends_with(&A);
    let count = u8::from(wanted);
    let mut answer = id.to_vec();
    answer.extend_from_slice(&[0x81, 0x80, 0, 1, 0, count, 0, 0, 0, 0]);
    answer.extend_from_slice(question);
    if wanted {
        // The name stands in the question, 12 bytes in; it holds for a minute.
        answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend_from_slice(&address.octets());
    }
    Some(answer)
}
