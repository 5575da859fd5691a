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
    /// Starts it and waits until it listens.
    pub async fn start() -> Self {
        let script = include_str!("../../../tests/ecosystem/httpbin_server.py");
        let (program, ready) = Program::ready(python::script(script, &[])).await;
        let port = ready["port"].as_u64().and_then(|port| u16::try_from(port).ok());
        Self { port: port.expect("httpbin says its port"), _program: program }
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end, as an upstream is written.
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
}
