//! A server that keeps its connections and refuses a request with two lengths, or one that takes every line that looks like a
//! request's first for a request (CWE-444).

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const LARGEST: usize = 512 * 1024;
const NOTHING: &[u8] = b"HTTP/1.1 404 -\r\nContent-Length: 0\r\n\r\n";
const MALFORMED: &[u8] = b"HTTP/1.1 400 -\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// It ends when this is dropped.
pub(super) struct Lengths {
    pub(super) url: String,
    task: JoinHandle<()>,
}

impl Drop for Lengths {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Lengths {
    pub(super) async fn start(loosely: bool) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://localhost:{}", listener.local_addr()?.port());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let _ended = if loosely { every_line(stream).await } else { one_length(stream).await };
                });
            }
        });
        Ok(Self { url, task })
    }
}

async fn every_line(mut stream: TcpStream) -> std::io::Result<()> {
    let mut bytes = vec![0; LARGEST];
    loop {
        let count = stream.read(&mut bytes).await?;
        if count == 0 {
            return Ok(());
        }
        for _ in 0..String::from_utf8_lossy(&bytes[..count]).matches(" HTTP/1.1\r\n").count() {
            stream.write_all(NOTHING).await?;
        }
    }
}

async fn one_length(mut stream: TcpStream) -> std::io::Result<()> {
    let mut bytes: Vec<u8> = Vec::new();
    loop {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            if bytes.len() > LARGEST || stream.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
            continue;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        // Whoever names a transfer coding is refused, however the name is dressed up.
        let lengths: Vec<&str> =
            head.lines().filter_map(|line| line.strip_prefix("content-length:")).map(str::trim).collect();
        let length = match lengths.as_slice() {
            [] => Some(0),
            [one] if one.bytes().all(|byte| byte.is_ascii_digit()) => one.parse::<usize>().ok(),
            _ => None,
        };
        let Some(length) = length.filter(|_| !head.contains("transfer-encoding")) else {
            stream.write_all(MALFORMED).await?;
            return stream.shutdown().await;
        };
        let whole = (end + 4).saturating_add(length).min(LARGEST);
        while bytes.len() < whole {
            if stream.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
        }
        bytes.drain(..whole);
        stream.write_all(NOTHING).await?;
    }
}
