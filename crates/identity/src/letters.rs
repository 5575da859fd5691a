//! What we write to people. Links are made from the configured issuer, never from a header of a request.

use askama::Template;

use crate::{Fault, mail::Letter};

/// How long a letter without a deadline of its own is worth sending, in seconds.
pub(crate) const THREE_DAYS: i64 = 3 * 24 * 60 * 60;

/// Who writes, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender<'a> {
    /// What the service is called.
    pub(crate) service: &'a str,
    /// The issuer, ending in `/`.
    pub(crate) issuer: &'a str,
    /// Unix seconds.
    pub(crate) now: i64,
}

#[derive(Template)]
#[template(path = "letter.html")]
struct Html<'a> {
    title: &'a str,
    paragraphs: &'a [&'a str],
    link: Option<&'a str>,
    service: &'a str,
}

fn letter(
    sender: Sender<'_>,
    to: &str,
    title: &str,
    paragraphs: &[&str],
    link: Option<&str>,
    not_after: i64,
) -> Result<Letter, Fault> {
    let html = Html { title, paragraphs, link, service: sender.service }
        .render()
        .map_err(|error| Fault::Mail(error.to_string()))?;
    let mut text = String::new();
    for (index, paragraph) in paragraphs.iter().enumerate() {
        text.push_str(paragraph);
        text.push_str("\n\n");
        if let (0, Some(link)) = (index, link) {
            text.push_str(link);
            text.push_str("\n\n");
        }
    }
    text.push_str(sender.service);
    text.push('\n');
    Ok(Letter {
        to: to.to_owned(),
        subject: format!("{}: {title}", one_line(sender.service)),
        text,
        html,
        not_after,
    })
}

/// A configured name must not end a header line.
fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// The link that resets a password, good until `expires_at`.
pub(crate) fn password_reset(
    sender: Sender<'_>,
    to: &str,
    token: &str,
    expires_at: i64,
) -> Result<Letter, Fault> {
    let link = format!("{}reset?token={token}", sender.issuer);
    let minutes = format!(
        "The link works once, for {} minutes. If you did not ask for it, do nothing: your password stays as it is.",
        (expires_at - sender.now) / 60
    );
    letter(
        sender,
        to,
        "choose a new password",
        &[
            "Somebody, probably you, asked to reset the password of this address. To choose a new one, open:",
            &minutes,
        ],
        Some(&link),
        expires_at,
    )
}

/// After a reset by link.
pub(crate) fn password_was_reset(sender: Sender<'_>, to: &str) -> Result<Letter, Fault> {
    letter(
        sender,
        to,
        "your password was reset",
        &[
            "The password of your account was just reset with a link from an e-mail. Every session was ended.",
            "If that was not you, somebody can read your mail: secure your mailbox first, then reset the password again.",
        ],
        None,
        sender.now + THREE_DAYS,
    )
}

/// After a change by somebody who knew the old password.
pub(crate) fn password_was_changed(sender: Sender<'_>, to: &str) -> Result<Letter, Fault> {
    letter(
        sender,
        to,
        "your password was changed",
        &[
            "The password of your account was just changed by somebody who knew the old one. Every session was ended.",
            "If that was not you, reset your password now.",
        ],
        None,
        sender.now + THREE_DAYS,
    )
}

/// To the old address after a change of address.
pub(crate) fn email_was_changed(sender: Sender<'_>, to: &str) -> Result<Letter, Fault> {
    letter(
        sender,
        to,
        "your e-mail address was changed",
        &[
            "The e-mail address of your account was just changed from this one to another, by somebody who knew the password.",
            "If that was not you, tell whoever runs this service at once.",
        ],
        None,
        sender.now + THREE_DAYS,
    )
}

/// To a new user.
pub(crate) fn welcome(sender: Sender<'_>, to: &str) -> Result<Letter, Fault> {
    letter(
        sender,
        to,
        "your account",
        &[
            "An account was just opened with this address.",
            "If that was not you, somebody mistyped or misused your address. You can take the account over by asking for a new password.",
        ],
        None,
        sender.now + THREE_DAYS,
    )
}

/// To the owner of an address that somebody tried to sign up with again.
pub(crate) fn already_known(sender: Sender<'_>, to: &str) -> Result<Letter, Fault> {
    letter(
        sender,
        to,
        "you have an account already",
        &[
            "Somebody, probably you, tried to open an account with this address, which has one already. Nothing was changed.",
            "If you do not remember your password, ask for a new one where you log in. If that was not you, do nothing.",
        ],
        None,
        sender.now + THREE_DAYS,
    )
}

/// After the account was deleted.
pub(crate) fn account_was_deleted(sender: Sender<'_>, to: &str) -> Result<Letter, Fault> {
    letter(
        sender,
        to,
        "your account was deleted",
        &[
            "Your account was just deleted by somebody who was logged in. This address is no longer known here.",
        ],
        None,
        sender.now + THREE_DAYS,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reset_letter_holds_the_link_in_both_forms_and_dies_with_it() {
        let sender = Sender { service: "A & B", issuer: "https://id.example/", now: 1_000 };
        let letter = password_reset(sender, "a@example.com", "tok-en_1", 2_800).unwrap();
        let link = "https://id.example/reset?token=tok-en_1";
        assert!(letter.text.contains(link) && letter.html.contains(link), "{}", letter.html);
        assert!(letter.text.contains("30 minutes"));
        assert!(letter.html.contains("A &#38; B") || letter.html.contains("A &amp; B"), "{}", letter.html);
        assert_eq!(letter.not_after, 2_800);
    }

    #[test]
    fn a_service_name_cannot_add_a_header() {
        let sender = Sender { service: "A\r\nBcc: eve@evil.test", issuer: "https://id.example/", now: 0 };
        let letter = welcome(sender, "a@example.com").unwrap();
        assert!(!letter.subject.contains(['\r', '\n']));
    }
}
