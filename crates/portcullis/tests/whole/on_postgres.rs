//! The session API on PostgreSQL, by the binary: everything that a user does, from sign-up to the end of the account.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::http::Reply;
use testkit::postgres::Postgres;
use testkit::smtp::Smtp;

use crate::served::{AUDIENCE, Laid, Served, private};
use crate::world::{PASSWORD, access_token};

const NEW_PASSWORD: &str = "willow-anthem-copper-93"; // portcullis:allow of these tests

async fn served(smtp: &Smtp) -> Served {
    let database = Postgres::shared().fresh_database();
    let mail = format!("[mail]\nsmtp = \"{}\"\nfrom = \"Example <no-reply@example.com>\"\n", smtp.url());
    let laid = Laid::out(&mail).await;
    laid.edit(
        "url = \"sqlcipher:portcullis.db\"\nkey_file = \"store.key\"",
        &format!("url = \"{}\"\npassword_file = \"database\"", database.url()),
    );
    private(&laid.path("database"), database.password.as_bytes());
    laid.run(&["api", "create", "--identifier", AUDIENCE, "--scope", "read:notes"]).await.expect(0);
    let permission = format!("{AUDIENCE}=read:notes");
    laid.run(&["role", "create", "reader", "--permission", &permission, "--default"]).await.expect(0);
    laid.start().await
}

async fn refresh(here: &Served, token: &Value) -> Reply {
    let body = json!({ "refresh_token": token });
    here.http.post(&here.issuer("users/session/refresh")).json(&body).send().await
}

/// Waits until the gateway refuses the token; a second is promised, a busy machine may take longer.
async fn until_refused(here: &Served, token: &str) {
    let refused = async {
        while here.notes(token).await != 401 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), refused).await.expect("the token is refused");
}

#[tokio::test]
async fn a_refresh_token_that_comes_twice_ends_its_family() {
    let here = served(&Smtp::start().await).await;
    here.sign_up("ada@example.com").await;
    let login = here.log_in("ada@example.com", PASSWORD).await.expect(200).json();
    let other = here.log_in("ada@example.com", PASSWORD).await.expect(200).json();
    let second = refresh(&here, &login["refresh_token"]).await.expect(200);
    assert_ne!(second.json()["refresh_token"], login["refresh_token"], "it is rotated");
    let token = access_token(&second);
    assert_eq!(here.notes(&token).await, 200);

    refresh(&here, &login["refresh_token"]).await.expect(401);
    refresh(&here, &second.json()["refresh_token"]).await.expect(401);
    until_refused(&here, &token).await;
    // Another session of the same user is none of that family.
    refresh(&here, &other["refresh_token"]).await.expect(200);
    here.stop().await;
}

#[tokio::test]
async fn of_sixteen_that_redeem_one_refresh_token_at_once_one_gets_a_session() {
    let here = served(&Smtp::start().await).await;
    here.sign_up("ada@example.com").await;
    let login = here.log_in("ada@example.com", PASSWORD).await.expect(200).json();
    let contenders = (0..16).map(|_| refresh(&here, &login["refresh_token"]));
    let answers = futures_util::future::join_all(contenders).await;
    let won = answers.iter().filter(|reply| reply.code() == 200).count();
    let lost = answers.iter().filter(|reply| reply.code() == 401).count();
    assert_eq!((won, lost), (1, 15));
    here.stop().await;
}

#[tokio::test]
async fn a_user_changes_what_is_its_own_resets_its_password_and_leaves() {
    let mut smtp = Smtp::start().await;
    let here = served(&smtp).await;
    here.sign_up("ada@example.com").await;
    // The same answer for an address that is known, and no second account.
    here.sign_up("Ada@Example.com").await;
    here.log_in("ada@example.com", "not-the-password-at-all").await.expect(401);
    let token = access_token(&here.log_in("ada@example.com", PASSWORD).await.expect(200));
    let me = here.issuer("users/me");
    let said = here.http.get(&me).bearer(&token).send().await.expect(200).json();
    assert_eq!(said["email"], "ada@example.com");

    let change = json!({"email": "countess@example.com", "current_password": PASSWORD});
    let changed = here.http.patch(&me).bearer(&token).json(&change).send().await;
    assert_eq!(changed.code(), 200, "{}", changed.text());
    assert_eq!(changed.json()["email"], "countess@example.com");
    assert_eq!(changed.json()["id"], said["id"]);
    here.log_in("ada@example.com", PASSWORD).await.expect(401);

    let body = json!({"email": "countess@example.com"});
    here.http.post(&here.issuer("users/password-reset")).json(&body).send().await.expect(202);
    let mail = loop {
        let mail = smtp.next_mail().await;
        if mail.text.as_deref().unwrap_or_default().contains("/reset?token=") {
            break mail;
        }
    };
    let link = mail.link();
    let (_, secret) = link.split_once("token=").unwrap();
    let body = json!({"token": secret, "password": NEW_PASSWORD});
    here.http.put(&here.issuer("users/password-reset")).json(&body).send().await.expect(204);
    let again = here.http.put(&here.issuer("users/password-reset")).json(&body).send().await;
    assert!((400..500).contains(&again.code()), "a link is good once: {}", again.text());
    here.log_in("countess@example.com", PASSWORD).await.expect(401);
    let login = here.log_in("countess@example.com", NEW_PASSWORD).await.expect(200);
    let token = access_token(&login);
    assert_eq!(here.notes(&token).await, 200);

    here.http.delete(&me).bearer(&token).send().await.expect(204);
    here.log_in("countess@example.com", NEW_PASSWORD).await.expect(401);
    refresh(&here, &login.json()["refresh_token"]).await.expect(401);
    until_refused(&here, &token).await;
    here.stop().await;
}
