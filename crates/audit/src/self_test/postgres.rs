//! As much of PostgreSQL's protocol as a login and the list of roles need. It asks for a password, and may take any.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub(super) const ROLE: &str = "app";
pub(super) const PASSWORD: &str = "kestrel-lantern-quarry-71-meadow"; // portcullis:allow of a throw-away server
const SSL_REQUEST: i32 = 80_877_103;
const LARGEST: i32 = 64 * 1024;

/// It ends when this is dropped.
pub(super) struct Postgres {
    pub(super) url: String,
    task: JoinHandle<()>,
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Postgres {
    pub(super) async fn start(takes_any: bool) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("postgres://{ROLE}@{}/app", listener.local_addr()?);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let _ended = session(stream, takes_any).await;
                });
            }
        });
        Ok(Self { url, task })
    }
}

async fn session(mut stream: TcpStream, takes_any: bool) -> std::io::Result<()> {
    loop {
        let body = body(&mut stream).await?;
        if body.get(..4) == Some(&SSL_REQUEST.to_be_bytes()[..]) {
            stream.write_all(b"N").await?;
            continue;
        }
        break;
    }
    // AuthenticationCleartextPassword: enough for loopback, and asks no more of this stub.
    stream.write_all(&message(b'R', &3_i32.to_be_bytes())).await?;
    if stream.read_u8().await? != b'p' {
        return Ok(());
    }
    let given = body(&mut stream).await?;
    if !takes_any && given.strip_suffix(b"\0") != Some(PASSWORD.as_bytes()) {
        return stream.write_all(&error("28P01", "password authentication failed")).await;
    }
    stream.write_all(&message(b'R', &0_i32.to_be_bytes())).await?;
    stream.write_all(&message(b'S', b"server_version\x0016.0\0")).await?;
    stream.write_all(&message(b'S', b"client_encoding\0UTF8\0")).await?;
    stream.write_all(&message(b'Z', b"I")).await?;
    queries(stream).await
}

async fn queries(mut stream: TcpStream) -> std::io::Result<()> {
    // After an error everything is skipped until Sync, as the protocol says.
    let mut skipping = false;
    loop {
        let kind = stream.read_u8().await?;
        let body = body(&mut stream).await?;
        let answer = match kind {
            b'X' => return Ok(()),
            b'S' => {
                skipping = false;
                message(b'Z', b"I")
            }
            b'Q' => [error("42501", "not here"), message(b'Z', b"I")].concat(),
            _ if skipping => continue,
            b'P' if !String::from_utf8_lossy(&body).contains("FROM pg_roles WHERE rolcanlogin") => {
                skipping = true;
                error("42501", "permission denied")
            }
            b'P' => message(b'1', b""),
            b'D' => [message(b't', &[0, 0]), message(b'T', &one_text_column())].concat(),
            b'B' => message(b'2', b""),
            b'E' => [message(b'D', &one_value(ROLE)), message(b'C', b"SELECT 1\0")].concat(),
            b'C' => message(b'3', b""),
            _ => continue,
        };
        stream.write_all(&answer).await?;
    }
}

fn one_text_column() -> Vec<u8> {
    let mut body = vec![0, 1];
    body.extend_from_slice(b"rolname\0");
    // Table, column, the type text (25), any length, no modifier, in text.
    body.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 25, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0]);
    body
}

fn one_value(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap_or(0);
    [&[0, 1, 0, 0, 0, length], text.as_bytes()].concat()
}

fn error(code: &str, text: &str) -> Vec<u8> {
    message(b'E', format!("SERROR\0VERROR\0C{code}\0M{text}\0\0").as_bytes())
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(body.len() + 4).unwrap_or(i32::MAX);
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

/// What stands behind a length, which counts itself.
async fn body(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let length = stream.read_i32().await?;
    let length = usize::try_from(length.min(LARGEST) - 4).map_err(std::io::Error::other)?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(body)
}
