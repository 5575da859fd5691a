//! An Auth0 look-alike that nobody here wrote: @simulacrum/auth0-simulator (npm), over https.

use std::path::{Path, PathBuf};

use crate::ecosystem;
use crate::node::Script;
use crate::process::Program;

/// It runs, on a free loopback port, with a certificate that only [`Auth0Simulator::authority`] vouches for.
#[derive(Debug)]
pub struct Auth0Simulator {
    script: Script,
    _program: Program,
    url: String,
}

impl Auth0Simulator {
    /// Starts it with tokens for this audience and scope, and one user; waits until it listens.
    pub async fn start(audience: &str, scope: &str, email: &str, password: &str) -> Self {
        let text = include_str!("../../../tests/ecosystem/auth0_simulator.mjs");
        let script = Script::beside(text, &ecosystem::auth0_simulator());
        let certificates = certificates(script.folder());
        std::fs::create_dir_all(&certificates).expect("a folder can be made");
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        for (name, pem) in
            [("localhost.pem", made.cert.pem()), ("localhost-key.pem", made.signing_key.serialize_pem())]
        {
            std::fs::write(certificates.join(name), pem).expect("a file can be written");
        }
        let mut command = script.command(&[audience, scope, email, password]);
        command.env("HOME", script.folder());
        let (program, ready) = Program::ready(command).await;
        let url = ready["issuer"].as_str().expect("the issuer says its URL").to_owned();
        Self { script, _program: program, url }
    }

    /// Its `iss`, byte for byte.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A file that vouches for its certificate: the value of `SSL_CERT_FILE`.
    pub fn authority(&self) -> PathBuf {
        certificates(self.script.folder()).join("localhost.pem")
    }
}

/// Where it looks for its certificate.
fn certificates(home: &Path) -> PathBuf {
    home.join(".simulacrum/certs")
}
