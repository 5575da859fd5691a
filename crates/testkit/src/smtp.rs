//! A real SMTP server on loopback, aiosmtpd (PyPI), and the mails that it accepted.

use std::time::Duration;

use serde::Deserialize;

use crate::process::{PATIENCE, Program};
use crate::python;

const SERVER: &str = include_str!("../../../tests/ecosystem/smtp_server.py");

/// A mail that the server accepted, decoded by Python's own `email`.
#[derive(Clone, Debug, Deserialize)]
pub struct Mail {
    /// The sender of the SMTP envelope.
    pub envelope_from: String,
    /// The recipients of the SMTP envelope.
    pub envelope_to: Vec<String>,
    /// What the client called itself.
    pub helo: Option<String>,
    /// The header `From`.
    pub from: String,
    /// The header `To`.
    pub to: String,
    /// The header `Subject`, decoded.
    pub subject: String,
    /// Every header, decoded.
    pub headers: Vec<(String, String)>,
    /// The text part, decoded.
    pub text: Option<String>,
    /// The HTML part, decoded.
    pub html: Option<String>,
    /// The message as it came over the wire.
    pub raw: String,
}

impl Mail {
    /// The first `http://` or `https://` link of the text part.
    ///
    /// # Panics
    /// When there is none.
    pub fn link(&self) -> String {
        let text = self.text.as_deref().unwrap_or_default();
        let link =
            text.split_whitespace().find(|word| word.starts_with("http://") || word.starts_with("https://"));
        link.unwrap_or_else(|| panic!("no link in: {text}")).to_owned()
    }
}

/// The server; it can be stopped and started again on its port.
#[derive(Debug)]
pub struct Smtp {
    port: u16,
    program: Option<Program>,
}

impl Smtp {
    /// Starts it on a free loopback port and waits until it listens.
    pub async fn start() -> Self {
        let mut smtp = Self { port: 0, program: None };
        smtp.start_again().await;
        smtp
    }

    /// A server that is not there yet: the port refuses connections until [`Smtp::start_again`].
    pub fn stopped() -> Self {
        Self { port: crate::ports::free_port(), program: None }
    }

    /// `smtp://127.0.0.1:PORT`, as `[mail] smtp` wants it.
    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends the server; its port refuses connections from now on. Mails not yet read are lost.
    pub async fn stop(&mut self) {
        if let Some(program) = self.program.take() {
            program.kill().await;
        }
    }

    /// Starts it (again) on its port.
    pub async fn start_again(&mut self) {
        self.stop().await;
        let (program, ready) = Program::ready(python::script(SERVER, &[&self.port.to_string()])).await;
        let port = ready["port"].as_u64().and_then(|port| u16::try_from(port).ok());
        self.port = port.expect("the SMTP server says its port");
        self.program = Some(program);
    }

    /// The next mail that it accepts.
    ///
    /// # Panics
    /// When none comes in time.
    pub async fn next_mail(&mut self) -> Mail {
        let mail = self.mail_within(PATIENCE).await;
        mail.unwrap_or_else(|| panic!("no mail came within {} s", PATIENCE.as_secs()))
    }

    /// The next mail, if one comes within that time: to show that none does, keep it short.
    pub async fn mail_within(&mut self, patience: Duration) -> Option<Mail> {
        let line = self.program.as_mut().expect("the SMTP server runs").line_within(patience).await?;
        Some(
            serde_json::from_str(&line)
                .unwrap_or_else(|error| panic!("the SMTP server's line ({error}): {line}")),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_mail_is_accepted_decoded_and_the_server_comes_back_on_its_port() {
        let mut smtp = Smtp::start().await;
        let port = smtp.port();
        smtp.stop().await;
        assert!(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err());
        smtp.start_again().await;
        assert_eq!(smtp.port(), port);

        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let talk = "HELO test\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n\
                    From: a@example.com\r\nTo: b@example.com\r\nSubject: =?utf-8?q?=C3=BCber?=\r\n\r\n\
                    see https://example.com/x now\r\n.\r\nQUIT\r\n";
        for line in talk.split_inclusive("\r\n") {
            stream.write_all(line.as_bytes()).await.unwrap();
        }
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        let mail = smtp.next_mail().await;
        assert_eq!(
            (mail.subject.as_str(), mail.link().as_str()),
            ("über", "https://example.com/x"),
            "{said}"
        );
        assert_eq!(mail.envelope_to, ["b@example.com"]);
    }
}
