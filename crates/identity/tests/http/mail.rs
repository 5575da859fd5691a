//! Mail by real SMTP: aiosmtpd, up and down.

use std::sync::Arc;

use identity::{MailConfig, SmtpPostman};
use serde_json::json;
use testkit::smtp::Smtp;

use crate::world::World;

fn postman(smtp: &Smtp) -> SmtpPostman {
    let config =
        MailConfig { smtp: smtp.url(), from: "Example <no-reply@example.com>".to_owned(), password: None };
    SmtpPostman::new(&config).unwrap()
}

/// Runs the delivery task until it is dropped.
fn deliver(world: &World, postman: SmtpPostman) -> tokio::task::JoinHandle<()> {
    let identity = world.identity.clone();
    let postman = Arc::new(postman);
    tokio::spawn(async move { identity.deliver_mail(&*postman, std::future::pending()).await })
}

#[tokio::test]
async fn a_reset_link_arrives_as_mail_and_the_outbox_is_empty_again() {
    let mut smtp = Smtp::start().await;
    let world = World::new().await;
    let task = deliver(&world, postman(&smtp));
    world.sign_up("alice@example.com").await;
    let welcome = smtp.next_mail().await;
    assert_eq!(welcome.envelope_to, ["alice@example.com"]);
    world.call("POST", "/users/password-reset", &json!({ "email": "alice@example.com" })).await.expect(202);
    let mail = smtp.next_mail().await;
    assert_eq!(mail.envelope_from, "no-reply@example.com");
    assert!(mail.link().starts_with("https://id.example/reset?token="), "{}", mail.link());
    assert!(mail.html.unwrap().contains("https://id.example/reset?token="));
    assert!(mail.headers.iter().any(|(name, value)| name == "Auto-Submitted" && value == "auto-generated"));
    tokio::time::timeout(testkit::http::PATIENCE, async {
        while world.mail_waiting().await > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    task.abort();
}

#[tokio::test]
async fn with_smtp_down_requests_are_answered_and_the_mail_goes_out_later() {
    let mut smtp = Smtp::stopped();
    let world = World::new().await;
    world.sign_up("alice@example.com").await;
    world.call("POST", "/users/password-reset", &json!({ "email": "alice@example.com" })).await.expect(202);
    let postman = postman(&smtp);
    assert_eq!(world.identity.deliver_due(&postman).await.unwrap(), 2);
    assert_eq!(world.identity.deliver_due(&postman).await.unwrap(), 1, "the letter that the errand has made");
    assert_eq!(world.mail_waiting().await, 2, "kept");
    assert_eq!(world.identity.deliver_due(&postman).await.unwrap(), 0, "not before the back-off is over");
    smtp.start_again().await;
    world.clock.advance(5);
    assert_eq!(world.identity.deliver_due(&postman).await.unwrap(), 2);
    let subjects = [smtp.next_mail().await.subject, smtp.next_mail().await.subject];
    assert!(subjects.iter().any(|subject| subject.contains("new password")), "{subjects:?}");
    assert_eq!(world.mail_waiting().await, 0);
}

#[tokio::test]
async fn a_link_that_is_too_old_to_work_is_not_sent() {
    let mut smtp = Smtp::start().await;
    let world = World::new().await;
    world.sign_up("alice@example.com").await;
    world.call("POST", "/users/password-reset", &json!({ "email": "alice@example.com" })).await.expect(202);
    world.clock.advance(1_800);
    while world.identity.deliver_due(&postman(&smtp)).await.unwrap() > 0 {}
    let only = smtp.next_mail().await;
    assert!(only.subject.contains("your account"), "{}", only.subject);
    assert_eq!(world.mail_waiting().await, 0);
}

/// A server that speaks SMTP and answers one verb, or the connection, as it is told.
async fn refusing(verb: &'static str, reply: &'static str) -> (String, tokio::task::JoinHandle<()>) {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (read, mut write) = stream.into_split();
            let mut lines = BufReader::new(read).lines();
            let greeting = if verb == "greeting" { reply } else { "220 test" };
            let _ = write.write_all(format!("{greeting}\r\n").as_bytes()).await;
            while let Ok(Some(line)) = lines.next_line().await {
                let answer = match line.get(..4).unwrap_or_default() {
                    given if given == verb => reply,
                    "EHLO" | "HELO" => "250-test\r\n250 AUTH PLAIN",
                    "QUIT" => "221 bye",
                    _ => "250 ok",
                };
                let _ = write.write_all(format!("{answer}\r\n").as_bytes()).await;
            }
        }
    });
    (url, task)
}

#[tokio::test]
async fn rfc5321_4_2_1_a_4yz_is_tried_again_and_a_5yz_is_not() {
    for (reply, kept) in
        [("450 4.2.1 alice@example.com is busy", 1), ("550 5.1.1 no alice@example.com here", 0)]
    {
        let (url, task) = refusing("RCPT", reply).await;
        let world = World::new().await;
        world.sign_up("alice@example.com").await;
        let config = MailConfig { smtp: url, from: "no-reply@example.com".to_owned(), password: None };
        world.identity.deliver_due(&SmtpPostman::new(&config).unwrap()).await.unwrap();
        assert_eq!(world.mail_waiting().await, kept, "{reply}");
        task.abort();
    }
}

#[tokio::test]
async fn a_refusal_of_us_keeps_the_letter_until_somebody_puts_the_settings_right() {
    for (verb, reply, kept) in [
        ("AUTH", "535 5.7.8 wrong credentials", 1),
        ("AUTH", "534 5.7.9 too weak", 1),
        ("AUTH", "538 5.7.11 encryption required", 1),
        ("MAIL", "530 5.7.0 authentication required", 1),
        ("greeting", "554 no service for you", 1),
        ("RCPT", "554 5.7.1 refused", 0),
    ] {
        let (url, task) = refusing(verb, reply).await;
        let world = World::new().await;
        world.sign_up("alice@example.com").await;
        let (url, password) = if verb == "AUTH" {
            (url.replace("smtp://", "smtp://user@"), Some(secrecy::SecretString::from("secret")))
        } else {
            (url, None)
        };
        let config = MailConfig { smtp: url, from: "no-reply@example.com".to_owned(), password };
        world.identity.deliver_due(&SmtpPostman::new(&config).unwrap()).await.unwrap();
        assert_eq!(world.mail_waiting().await, kept, "{verb}: {reply}");
        task.abort();
    }
}
