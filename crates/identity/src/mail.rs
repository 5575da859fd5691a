//! Mail: sealed into the outbox by requests, sent by one task that retries. A request never waits for SMTP, so an answer
//! never tells by its timing whether there was somebody to write to.
//!
//! A letter may carry a reset link, so it lies in the database only under the key-encryption key, with its row as
//! associated data. Addresses and contents are never logged.

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use store::Seal;

use crate::{Fault, Fresh, Identity, MailConfig};

/// Between two looks at the outbox when nothing woke the task.
const POLL: Duration = Duration::from_secs(3);
/// How long one conversation with the mail server may take. Below the store's lease, so no other node sends it too.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a second connection may take that only looks at the greeting.
const SECOND_LOOK: Duration = Duration::from_secs(5);
/// Mails claimed at a time; with [`PATIENCE`] and [`SECOND_LOOK`] each they fit into the lease.
const BATCH: u64 = 3;
/// The longest wait between two attempts, in seconds.
const LONGEST_BACK_OFF: i64 = 15 * 60;

/// A letter as it is sent.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The address; empty in a letter to nobody, which goes through the outbox for the same work and is dropped there.
    pub to: String,
    /// One line.
    pub subject: String,
    /// For readers of plain text.
    pub text: String,
    /// The same in HTML.
    pub html: String,
    /// Unix seconds after which it is of no use and is dropped.
    pub not_after: i64,
}

impl std::fmt::Debug for Letter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Letter").field("subject", &self.subject).finish_non_exhaustive()
    }
}

impl Letter {
    /// Seals the letter for the outbox.
    pub(crate) fn seal(self, seal: &Seal, fresh: &Fresh) -> Result<store::NewMail, Fault> {
        Errand::Letter(self).seal(seal, fresh)
    }
}

/// What lies in the outbox. A request from outside that may concern an account leaves the same errand whether there is one
/// or not; who is meant is looked up when the answer has long been given.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq)]
pub(crate) enum Errand {
    /// A letter to send.
    Letter(Letter),
    /// A reset link to make and to send, if this canonical address has an account.
    ResetLink {
        /// Whose password.
        account: String,
        /// Unix seconds.
        not_after: i64,
    },
    /// To tell the owner of this canonical address that somebody tried to sign up with it.
    AlreadyKnown {
        /// Whose address.
        account: String,
        /// Unix seconds.
        not_after: i64,
    },
}

impl Errand {
    /// Seals the errand for the outbox.
    pub(crate) fn seal(&self, seal: &Seal, fresh: &Fresh) -> Result<store::NewMail, Fault> {
        let id = fresh.id("mail_")?;
        let plain = zeroize::Zeroizing::new(
            serde_json::to_vec(self).map_err(|error| Fault::Mail(error.to_string()))?,
        );
        let sealed = seal.close(&row(&id), &plain, fresh.bytes()?)?;
        Ok(store::NewMail { id, sealed })
    }

    fn open(seal: &Seal, mail: &store::Mail) -> Result<Self, Fault> {
        let plain = seal.open("mail", &row(&mail.id), &mail.sealed)?;
        serde_json::from_slice(&plain)
            .map_err(|error| Fault::Mail(format!("unreadable: {:?}", error.classify())))
    }

    const fn not_after(&self) -> i64 {
        match self {
            Self::Letter(Letter { not_after, .. })
            | Self::ResetLink { not_after, .. }
            | Self::AlreadyKnown { not_after, .. } => *not_after,
        }
    }
}

fn row(id: &str) -> String {
    format!("outbox:{id}")
}

/// Why a letter did not leave. The text goes into the log and the outbox, so it names no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// Trying again may help.
    #[error("not delivered yet: {0}")]
    Later(String),
    /// It never will.
    #[error("refused for good: {0}")]
    Never(String),
}

/// Takes letters away: SMTP here, a mailbox in memory where the binary wants one.
#[async_trait]
pub trait Postman: Send + Sync {
    /// Delivers one letter.
    async fn deliver(&self, letter: &Letter) -> Result<(), DeliveryError>;
}

/// Delivers by SMTP (RFC 5321).
#[derive(Clone)]
pub struct SmtpPostman {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl std::fmt::Debug for SmtpPostman {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SmtpPostman").finish_non_exhaustive()
    }
}

impl SmtpPostman {
    /// Reads the settings; connects to nothing yet.
    ///
    /// # Errors
    /// [`Fault::Configuration`] that names the setting.
    pub fn new(config: &MailConfig) -> Result<Self, Fault> {
        let wrong = |what: &str| Fault::Configuration(format!("mail.smtp: {what}"));
        let url = url::Url::parse(&config.smtp).map_err(|error| wrong(&error.to_string()))?;
        if url.password().is_some() {
            return Err(wrong("put the password into mail.password_file, not into the URL"));
        }
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(&config.smtp)
            .map_err(|_| wrong("write smtps://HOST, or smtp://HOST:PORT?tls=required"))?
            .timeout(Some(PATIENCE));
        if let Some(password) = &config.password {
            let percent = |text: &str| {
                // The URL crate leaves user names percent-encoded.
                url::form_urlencoded::parse(format!("u={}", text.replace('+', "%2B")).as_bytes())
                    .next()
                    .map(|(_, value)| value.into_owned())
                    .unwrap_or_default()
            };
            if url.username().is_empty() {
                return Err(wrong("a password needs a user name in the URL: smtps://USER@HOST"));
            }
            let credentials = Credentials::new(percent(url.username()), password.expose_secret().to_owned());
            builder = builder.credentials(credentials);
        }
        let from = config
            .from
            .parse()
            .map_err(|_| Fault::Configuration("mail.from: write NAME <ADDRESS> or an address".to_owned()))?;
        Ok(Self { transport: builder.build(), from })
    }

    /// Whether a permanent refusal is about how we come to the server, not about the letter: then somebody has to put a
    /// setting right, and the letter waits. 530, 534, 535 and 538 are about authentication (RFC 4954 section 6, RFC 3207);
    /// 554 is when it is the greeting (RFC 5321 section 3.1), which a second connection shows.
    async fn speaks_of_us(&self, code: u16) -> bool {
        match code {
            530 | 534 | 535 | 538 => true,
            554 => {
                let again = tokio::time::timeout(SECOND_LOOK, self.transport.test_connection()).await;
                !matches!(again, Ok(Ok(true)))
            }
            _ => false,
        }
    }

    fn message(&self, letter: &Letter) -> Result<Message, DeliveryError> {
        let to = letter.to.parse().map_err(|_| DeliveryError::Never("the address is none".to_owned()))?;
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(&letter.subject)
            // So that no holiday notice answers (RFC 3834).
            .header(AutoSubmitted)
            .multipart(MultiPart::alternative_plain_html(letter.text.clone(), letter.html.clone()))
            .map_err(|_| DeliveryError::Never("the message cannot be written".to_owned()))
    }
}

#[async_trait]
impl Postman for SmtpPostman {
    async fn deliver(&self, letter: &Letter) -> Result<(), DeliveryError> {
        let message = self.message(letter)?;
        match tokio::time::timeout(PATIENCE, self.transport.send(message)).await {
            Err(_) => Err(DeliveryError::Later("the mail server is too slow".to_owned())),
            Ok(Ok(_)) => Ok(()),
            // The server's own words may repeat the address: the code alone is kept.
            Ok(Err(error)) => match error.status() {
                Some(code) if error.is_permanent() && !self.speaks_of_us(u16::from(code)).await => {
                    Err(DeliveryError::Never(format!("the mail server says {code}")))
                }
                Some(code) => Err(DeliveryError::Later(format!("the mail server says {code}"))),
                None if error.is_tls() => {
                    Err(DeliveryError::Later("TLS with the mail server fails".to_owned()))
                }
                None => Err(DeliveryError::Later("the mail server cannot be reached".to_owned())),
            },
        }
    }
}

/// `Auto-Submitted: auto-generated` (RFC 3834 section 5).
#[derive(Clone)]
struct AutoSubmitted;

impl lettre::message::header::Header for AutoSubmitted {
    fn name() -> lettre::message::header::HeaderName {
        lettre::message::header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> lettre::message::header::HeaderValue {
        lettre::message::header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

impl Identity {
    /// Sends what lies in the outbox until `shutdown` completes. One such task a node; nodes do not send the same mail twice
    /// within the store's lease. Delivery is at least once: a node that dies between sending and noting it leaves a mail that goes
    /// out again.
    pub async fn deliver_mail(&self, postman: &dyn Postman, shutdown: impl Future<Output = ()>) {
        tokio::pin!(shutdown);
        loop {
            let wake = self.inner.mail_wake.notified();
            let mut worked = false;
            tokio::select! {
                biased;
                () = &mut shutdown => return,
                outcome = self.deliver_due(postman) => match outcome {
                    Ok(count) => worked = count > 0,
                    Err(fault) => tracing::warn!(%fault, "the outbox cannot be read; trying again"),
                }
            }
            if worked {
                continue;
            }
            tokio::select! {
                () = &mut shutdown => return,
                () = wake => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Claims what is due and tries each once; how many were claimed.
    ///
    /// # Errors
    /// The store's; what was claimed comes back when its lease ends.
    pub async fn deliver_due(&self, postman: &dyn Postman) -> Result<usize, Fault> {
        let inner = &self.inner;
        let due = inner.store.due_mail(inner.clock.now(), BATCH).await?;
        for mail in &due {
            let now = inner.clock.now();
            let errand = match Errand::open(&inner.seal, mail) {
                Ok(errand) => errand,
                Err(fault) => {
                    tracing::error!(mail = %mail.id, %fault, "a mail in the outbox cannot be opened; dropped");
                    inner.store.mail_sent(&mail.id).await?;
                    continue;
                }
            };
            if now >= errand.not_after() {
                tracing::warn!(mail = %mail.id, attempts = mail.attempts, "a mail is too old to be of use; dropped");
                inner.store.mail_sent(&mail.id).await?;
                continue;
            }
            let letter = match errand {
                Errand::Letter(letter) => Some(letter),
                // The letter with the link is a mail of its own: tries to send it must not make a new link each.
                Errand::ResetLink { account, .. } => {
                    self.send_link(&account).await?;
                    None
                }
                Errand::AlreadyKnown { account, .. } => self.already_known(&account).await?,
            };
            let Some(letter) = letter.filter(|letter| !letter.to.is_empty()) else {
                inner.store.mail_sent(&mail.id).await?;
                continue;
            };
            match postman.deliver(&letter).await {
                Ok(()) => {
                    tracing::info!(mail = %mail.id, "mail delivered");
                    inner.store.mail_sent(&mail.id).await?;
                }
                Err(DeliveryError::Never(reason)) => {
                    tracing::warn!(mail = %mail.id, reason, "mail refused for good; dropped");
                    inner.store.mail_sent(&mail.id).await?;
                }
                Err(DeliveryError::Later(reason)) => {
                    let next = now.saturating_add(back_off(mail.attempts));
                    tracing::warn!(mail = %mail.id, attempts = mail.attempts, reason, "mail not delivered yet");
                    inner.store.mail_failed(&mail.id, next, &reason).await?;
                }
            }
        }
        Ok(due.len())
    }
}

/// Seconds until the next attempt after `attempts` failed ones: 5, 10, 20, … up to a quarter of an hour.
fn back_off(attempts: i64) -> i64 {
    let doublings = u32::try_from(attempts.saturating_sub(1).clamp(0, 16)).unwrap_or(16);
    5i64.saturating_mul(2i64.saturating_pow(doublings)).min(LONGEST_BACK_OFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(smtp: &str, from: &str, password: Option<&str>) -> MailConfig {
        MailConfig {
            smtp: smtp.to_owned(),
            from: from.to_owned(),
            password: password.map(|text| secrecy::SecretString::from(text.to_owned())),
        }
    }

    #[test]
    fn back_off_doubles_and_is_bounded() {
        let steps: Vec<i64> = (1..=9).map(back_off).collect();
        assert_eq!(steps, [5, 10, 20, 40, 80, 160, 320, 640, 900]);
        assert_eq!(back_off(i64::MAX), 900);
        assert_eq!(back_off(0), 5);
    }

    #[test]
    fn settings_that_cannot_work_are_named() {
        for (smtp, from, password, word) in [
            ("mail.example.com", "a@example.com", None, "mail.smtp"),
            ("http://mail.example.com", "a@example.com", None, "smtps://HOST"),
            ("smtps://user:secret@mail.example.com", "a@example.com", None, "password_file"),
            ("smtps://mail.example.com", "a@example.com", Some("x"), "user name"),
            ("smtps://mail.example.com", "nobody", None, "mail.from"),
        ] {
            let fault = SmtpPostman::new(&config(smtp, from, password)).unwrap_err().to_string();
            assert!(fault.contains(word), "{smtp}: {fault}");
            assert!(!fault.contains("secret"), "{fault}");
        }
        SmtpPostman::new(&config("smtps://u%40x@mail.example.com", "Example <a@example.com>", Some("x")))
            .unwrap();
    }

    #[test]
    fn a_sealed_letter_shows_nothing_and_opens_in_its_row_alone() {
        let seal = Seal::new(&secrecy::SecretSlice::from(vec![3; 32])).unwrap();
        let letter = Letter {
            to: "alice@example.com".to_owned(),
            subject: "s".to_owned(),
            text: "https://id.example/reset?token=MARKER".to_owned(),
            html: String::new(),
            not_after: 1,
        };
        let new = letter.clone().seal(&seal, &Fresh::system()).unwrap();
        for secret in [&b"MARKER"[..], b"alice"] {
            assert!(!new.sealed.windows(secret.len()).any(|window| window == secret));
        }
        let mail = store::Mail { id: new.id, sealed: new.sealed.clone(), attempts: 1 };
        assert!(Errand::open(&seal, &mail).unwrap() == Errand::Letter(letter.clone()));
        let moved = store::Mail { id: "mail_other".to_owned(), sealed: new.sealed, attempts: 1 };
        assert!(Errand::open(&seal, &moved).is_err());
        assert!(!format!("{letter:?}").contains("alice"));
    }
}
