//! As much of PostgreSQL's protocol as a login, the list of roles and the steward's ledger need. It asks for a password, and
//! may take any.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::NOW;

pub(super) const ROLE: &str = "app";
pub(super) const PASSWORD: &str = "kestrel-lantern-quarry-71-meadow"; // portcullis:allow of a throw-away server
const SSL_REQUEST: i32 = 80_877_103;
const LARGEST: i32 = 64 * 1024;
/// The fingerprint of the only password.
const FINGERPRINT: &str = "5c1f";

/// What a server lacks or knows.
#[derive(Clone, Copy, Default)]
pub(super) struct Holds {
    /// It takes any password.
    pub(super) any_password: bool,
    /// It has a ledger, by which its password is so many seconds old; none: nobody adopted it.
    pub(super) ledger: Option<i64>,
}

/// A value of a row.
#[derive(Clone, Copy)]
enum Value {
    Text(&'static str),
    Flag(bool),
    /// Unix seconds among others; none: NULL.
    Number(Option<i64>),
}

impl Value {
    /// The type's number in `pg_type`.
    fn kind(self) -> i32 {
        match self {
            Self::Text(_) => 25,
            Self::Flag(_) => 16,
            Self::Number(_) => 20,
        }
    }

    /// Its length and its bytes, in the binary form that is asked for.
    fn sent(self) -> Vec<u8> {
        let bytes = match self {
            Self::Text(text) => text.as_bytes().to_vec(),
            Self::Flag(flag) => vec![u8::from(flag)],
            Self::Number(Some(number)) => number.to_be_bytes().to_vec(),
            Self::Number(None) => return (-1_i32).to_be_bytes().to_vec(),
        };
        let length = i32::try_from(bytes.len()).unwrap_or(0);
        [&length.to_be_bytes()[..], &bytes].concat()
    }
}

/// A statement's only row, or the columns of none.
struct Answer {
    row: Vec<Value>,
    empty: bool,
}

impl Holds {
    /// What is answered to a statement; none: it may not be asked.
    fn to(self, statement: &str) -> Option<Answer> {
        let one = |row: &[Value]| Some(Answer { row: row.to_vec(), empty: false });
        let none = |row: &[Value]| Some(Answer { row: row.to_vec(), empty: true });
        use Value::{Flag, Number, Text};
        if statement.contains("FROM pg_roles WHERE rolcanlogin") {
            return one(&[Text(ROLE)]);
        }
        let age = self.ledger?;
        if statement.contains("portcullis.credentials()") {
            let (kind, iterations) = (Text("scram"), Number(Some(4096)));
            one(&[Text(ROLE), Flag(true), kind, iterations, Text(FINGERPRINT), Number(None)])
        } else if statement.contains("portcullis.rotation ") {
            one(&[Text(ROLE), Number(Some(1)), Text(FINGERPRINT), Number(Some(NOW - age)), Number(None)])
        } else if statement.contains("portcullis.slot") {
            none(&[Text(""), Text(""), Number(None), Flag(false)])
        } else if statement.contains("pg_stat_activity") {
            none(&[Text(""), Number(None)])
        } else if statement.contains("clock_timestamp()") {
            one(&[Number(Some(NOW))])
        } else {
            None
        }
    }
}

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
    pub(super) async fn start(holds: Holds) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("postgres://{ROLE}@{}/app", listener.local_addr()?);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let _ended = session(stream, holds).await;
                });
            }
        });
        Ok(Self { url, task })
    }
}

async fn session(mut stream: TcpStream, holds: Holds) -> std::io::Result<()> {
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
    if !holds.any_password && given.strip_suffix(b"\0") != Some(PASSWORD.as_bytes()) {
        return stream.write_all(&error("28P01", "password authentication failed")).await;
    }
    stream.write_all(&message(b'R', &0_i32.to_be_bytes())).await?;
    stream.write_all(&message(b'S', b"server_version\x0016.0\0")).await?;
    stream.write_all(&message(b'S', b"client_encoding\0UTF8\0")).await?;
    stream.write_all(&message(b'Z', b"I")).await?;
    queries(stream, holds).await
}

async fn queries(mut stream: TcpStream, holds: Holds) -> std::io::Result<()> {
    // After an error everything is skipped until Sync, as the protocol says.
    let mut skipping = false;
    let mut parsed = Answer { row: Vec::new(), empty: true };
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
            b'P' => match holds.to(&String::from_utf8_lossy(&body)) {
                Some(answer) => {
                    parsed = answer;
                    message(b'1', b"")
                }
                None => {
                    skipping = true;
                    error("42501", "permission denied")
                }
            },
            b'D' => [message(b't', &[0, 0]), message(b'T', &columns(&parsed.row))].concat(),
            b'B' => message(b'2', b""),
            b'E' if parsed.empty => message(b'C', b"SELECT 0\0"),
            b'E' => [message(b'D', &values(&parsed.row)), message(b'C', b"SELECT 1\0")].concat(),
            b'C' => message(b'3', b""),
            _ => continue,
        };
        stream.write_all(&answer).await?;
    }
}

fn count(row: &[Value]) -> [u8; 2] {
    u16::try_from(row.len()).unwrap_or(0).to_be_bytes()
}

/// A name, table, column, type, any length, no modifier, in binary, for each.
fn columns(row: &[Value]) -> Vec<u8> {
    let mut body = count(row).to_vec();
    for value in row {
        body.extend_from_slice(b"column\0\0\0\0\0\0\0");
        body.extend_from_slice(&value.kind().to_be_bytes());
        body.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 1]);
    }
    body
}

fn values(row: &[Value]) -> Vec<u8> {
    let mut body = count(row).to_vec();
    body.extend(row.iter().flat_map(|value| value.sent()));
    body
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
