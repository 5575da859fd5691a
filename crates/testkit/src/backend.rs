//! A backend that nobody here wrote: httpbin (PyPI), run by waitress.

use crate::process::Program;
use crate::python;

/// httpbin on a free loopback port, gone when dropped.
#[derive(Debug)]
pub struct Httpbin {
    port: u16,
    _program: Program,
}

impl Httpbin {
    /// httpbin as it comes.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// httpbin that answers everything under a path such as `/v2` with what arrived, as its `/anything` does: `method`,
    /// `url`, `headers`, `args`, `data`, `json`.
    pub async fn showing(prefix: &str) -> Self {
        Self::start_with(&[prefix]).await
    }

    async fn start_with(arguments: &[&str]) -> Self {
        let script = include_str!("../../../tests/ecosystem/httpbin_server.py");
        let (program, ready) = Program::ready(python::script(script, arguments)).await;
        let port = ready["port"].as_u64().and_then(|port| u16::try_from(port).ok());
        Self { port: port.expect("httpbin says its port"), _program: program }
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end, as an upstream is written.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// The same httpbin as a team in a hurry serves it, with an issuer and a mailbox beside it; gone when dropped. A static key
/// or anything that looks like a token opens everything.
#[derive(Debug)]
pub struct Careless {
    port: u16,
    _program: Program,
}

impl Careless {
    /// The static key that is known to every partner.
    pub const KEY: &str = "static-key-of-a-partner";

    /// With one user.
    pub async fn start(email: &str, password: &str) -> Self {
        let script = include_str!("../../../tests/ecosystem/careless_server.py");
        let (program, ready) = Program::ready(python::script(script, &[Self::KEY, email, password])).await;
        let port = ready["port"].as_u64().and_then(|port| u16::try_from(port).ok());
        Self { port: port.expect("the server says its port"), _program: program }
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn httpbin_answers() {
        let backend = Httpbin::start().await;
        let reply = crate::http::Client::new().get(&format!("{}/anything/x?y=1", backend.url())).send().await;
        assert_eq!(reply.expect(200).json()["args"]["y"], "1");
    }

    #[tokio::test]
    async fn httpbin_shows_what_arrives_under_a_path() {
        let backend = Httpbin::showing("/v2").await;
        let client = crate::http::Client::new();
        let reply =
            client.put(&format!("{}/v2/pet", backend.url())).header("x-a", "b").body("c").send().await;
        let seen = reply.expect(200).json();
        assert_eq!(
            (&seen["method"], &seen["headers"]["X-A"], &seen["data"]),
            (&"PUT".into(), &"b".into(), &"c".into())
        );
        client.get(&format!("{}/v1/pet", backend.url())).send().await.expect(404);
    }
}
