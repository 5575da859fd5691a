//! Reset letters over a real SMTP conversation with aiosmtpd (PyPI), from `portcullis serve`.

use std::time::Duration;

use serde_json::json;
use testkit::http::Reply;
use testkit::smtp::{Mail, Smtp};

use crate::served::Served;
use crate::world::{PASSWORD, access_token};

const NEW_PASSWORD: &str = "willow-anthem-copper-93"; // portcullis:allow of this test's user

async fn served(smtp: &Smtp) -> Served {
    Served::start(&format!("[mail]\nsmtp = \"{}\"\nfrom = \"Example <no-reply@example.com>\"\n", smtp.url()))
        .await
}

async fn ask_for_reset(here: &Served, email: &str) {
    let body = json!({ "email": email });
    here.http.post(&here.issuer("users/password-reset")).json(&body).send().await.expect(202);
}

async fn reset(here: &Served, token: &str, password: &str) -> Reply {
    let body = json!({"token": token, "password": password});
    here.http.put(&here.issuer("users/password-reset")).json(&body).send().await
}

/// The next letter with a reset link; letters of another kind (a welcome) are passed over.
async fn reset_letter(smtp: &mut Smtp) -> Mail {
    loop {
        let mail = smtp.next_mail().await;
        if mail.text.as_deref().unwrap_or_default().contains("/reset?token=") {
            return mail;
        }
    }
}

fn token_of(mail: &Mail, issuer: &str) -> String {
    let link = mail.link();
    let token = link.strip_prefix(&format!("{issuer}reset?token="));
    token.unwrap_or_else(|| panic!("the link is the issuer's own: {link}")).to_owned()
}

#[tokio::test]
async fn a_reset_by_mail_ends_the_old_password_and_every_session() {
    let mut smtp = Smtp::start().await;
    let here = served(&smtp).await;
    here.sign_up("ada@example.com").await;
    let session = here.log_in("ada@example.com", PASSWORD).await.expect(200);
    let old = access_token(&session);
    let refresh = json!({"refresh_token": session.json()["refresh_token"]});
    assert_eq!(here.notes(&old).await, 200);

    // The link's host is the configured one, whatever the request claims.
    let body = json!({"email": "Ada@Example.com"});
    let asked = here.http.post(&here.issuer("users/password-reset")).json(&body);
    let asked = asked.header("x-forwarded-host", "evil.example").header("forwarded", "host=evil.example");
    asked.send().await.expect(202);
    let mail = reset_letter(&mut smtp).await;
    assert_eq!(mail.envelope_to, ["ada@example.com"]);
    assert_eq!(mail.envelope_from, "no-reply@example.com");
    assert!(mail.html.as_deref().unwrap().contains(&mail.link()));
    assert!(!mail.raw.contains("evil.example"), "{}", mail.raw);
    let token = token_of(&mail, &here.laid.issuer);
    // 256 bits in base64url.
    assert_eq!(token.len(), 43);

    // Opening the link spends nothing, however often.
    for _ in 0..2 {
        here.http.get(&mail.link()).send().await.expect(200);
    }
    reset(&here, &token, "short").await.expect(400);
    reset(&here, &token, NEW_PASSWORD).await.expect(204);
    let again = reset(&here, &token, "another-fine-password-11").await;
    assert!((400..500).contains(&again.code()), "{}", again.text());

    here.log_in("ada@example.com", PASSWORD).await.expect(401);
    let fresh = access_token(&here.log_in("ada@example.com", NEW_PASSWORD).await.expect(200));
    let refreshed = here.http.post(&here.issuer("users/session/refresh")).json(&refresh).send().await;
    assert_eq!(refreshed.code(), 401, "{}", refreshed.text());
    // Within a second; a busy machine is given more, and the figure is measured elsewhere.
    let refused = async {
        while here.notes(&old).await != 401 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), refused).await.expect("the old session's token is refused");
    assert_eq!(here.notes(&fresh).await, 200);
}

#[tokio::test]
async fn a_newer_link_ends_the_older_and_strangers_get_no_letter() {
    let mut smtp = Smtp::start().await;
    let here = served(&smtp).await;
    here.sign_up("ada@example.com").await;
    ask_for_reset(&here, "nobody@example.com").await;
    ask_for_reset(&here, "ada@example.com").await;
    let older = reset_letter(&mut smtp).await;
    assert_eq!(older.envelope_to, ["ada@example.com"]);
    ask_for_reset(&here, "ada@example.com").await;
    let newer = reset_letter(&mut smtp).await;
    let dead = reset(&here, &token_of(&older, &here.laid.issuer), NEW_PASSWORD).await;
    assert!((400..500).contains(&dead.code()), "{}", dead.text());
    reset(&here, &token_of(&newer, &here.laid.issuer), NEW_PASSWORD).await.expect(204);
}

#[tokio::test]
async fn while_smtp_is_down_requests_are_answered_and_the_letter_goes_out_later() {
    let mut smtp = Smtp::stopped();
    let here = served(&smtp).await;
    here.sign_up("ada@example.com").await;
    ask_for_reset(&here, "ada@example.com").await;
    smtp.start_again().await;
    let mail = reset_letter(&mut smtp).await;
    reset(&here, &token_of(&mail, &here.laid.issuer), NEW_PASSWORD).await.expect(204);
}
