//! `/reset?token=…`: the page behind the link in the mail.
//!
//! GET changes nothing, since mail scanners open links. The token goes from the address into a hidden field, and only the form's POST
//! spends it. The address bar's token reaches nobody: no referrer, no third party, no store.

use axum::extract::Request;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderName, ORIGIN, RETRY_AFTER};
use secrecy::SecretString;

use super::{ResetForm, STYLE, html, message};
use crate::Identity;
use crate::body;
use crate::client_address::client_address;
use crate::password_reset::Outcome;
use crate::respond::{Answer, Problem};
use crate::routes::single;

const DEAD_LINK: (&str, &str) = (
    "This link no longer works",
    "It was used already, replaced by a newer one, or is older than 30 minutes. Ask for a new one where you log in.",
);

/// `GET /reset?token=…`.
pub(crate) async fn show(identity: Identity, request: Request) -> Answer {
    let query = request.uri().query().unwrap_or_default();
    let token = one_value(query.as_bytes(), "token").unwrap_or_default();
    if !is_alive(&identity, &token).await? {
        return Ok(message(StatusCode::BAD_REQUEST, DEAD_LINK.0, DEAD_LINK.1));
    }
    Ok(form(&identity, StatusCode::OK, &token, None))
}

/// A look at the token, so that nobody thinks up a password for a dead link.
async fn is_alive(identity: &Identity, token: &str) -> Result<bool, crate::respond::Refusal> {
    let Some(digest) = accounts::password_reset::digest_of(token) else { return Ok(false) };
    let found = identity.find_reset(&digest).await?;
    let stored = found.as_ref().map(|(stored, _)| stored);
    Ok(accounts::password_reset::redeem(stored, identity.inner.clock.now()).is_ok())
}

fn form(
    identity: &Identity,
    status: StatusCode,
    token: &str,
    problem: Option<&str>,
) -> axum::response::Response {
    let config = &identity.inner.config;
    html(
        status,
        &ResetForm {
            style: STYLE,
            action: &identity.inner.reset_path,
            token,
            service: &config.service_name,
            minimum_length: config.passwords.minimum_length,
            problem,
        },
    )
}

/// `POST /reset`.
pub(crate) async fn submit(identity: Identity, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    if !is_own_form(&parts.headers, &identity.inner.origin) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "foreign_origin",
            "this form was sent from another site",
        )
        .into());
    }
    let is_form = single(&parts.headers, &CONTENT_TYPE)
        .and_then(|value| value.split(';').next())
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"));
    if !is_form {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_a_form",
            "send the form of the page",
        )
        .into());
    }
    let body = body::read(&parts.headers, body).await?;
    let (Some(token), Some(new)) = (one_value(&body, "token"), one_value(&body, "password")) else {
        return Err(Problem::bad_request("malformed_form", "the form came without token or password").into());
    };
    let new = SecretString::from(new);
    let address = client_address(&parts.extensions, &parts.headers, &identity.inner.config.trusted_proxies);
    Ok(match identity.redeem_reset(&token, &new, address).await? {
        Outcome::Done => message(
            StatusCode::OK,
            "Your password is set",
            "Every session of your account has ended. You can log in with the new password now.",
        ),
        Outcome::Rejected(rejection) => {
            form(&identity, StatusCode::BAD_REQUEST, &token, Some(&sentence(&rejection.to_string())))
        }
        Outcome::NotRedeemable => message(StatusCode::BAD_REQUEST, DEAD_LINK.0, DEAD_LINK.1),
        Outcome::TooMany(seconds) => {
            let mut answer = message(
                StatusCode::TOO_MANY_REQUESTS,
                "Too many attempts",
                "Wait a few minutes, then open the link in the mail again.",
            );
            answer.headers_mut().insert(RETRY_AFTER, seconds.into());
            answer
        }
    })
}

/// Whether the form came from our own page, or from no browser.
fn is_own_form(headers: &http::HeaderMap, own_origin: &str) -> bool {
    let values = |name: &HeaderName| -> Vec<&str> {
        headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default()).collect()
    };
    policy::is_own_form(&values(&ORIGIN), &values(&HeaderName::from_static("sec-fetch-site")), own_origin)
}

/// The only value of a name in form encoding; `None` when absent, repeated, or not UTF-8.
fn one_value(encoded: &[u8], name: &str) -> Option<String> {
    let mut found = None;
    for (key, value) in url::form_urlencoded::parse(encoded) {
        if key == name && found.replace(value.into_owned()).is_some() {
            return None;
        }
    }
    // The parser puts U+FFFD where the bytes are not UTF-8; such a password would not be the one that was typed.
    found.filter(|value| !value.contains('\u{fffd}'))
}

/// A reason as a sentence.
fn sentence(reason: &str) -> String {
    let mut letters = reason.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_form_is_taken() {
        let own = "https://id.example";
        let table: [(Option<&str>, Option<&str>, bool); 10] = [
            (None, None, true),
            (None, Some("https://id.example"), true),
            (None, Some("null"), false),
            (None, Some("https://evil.test"), false),
            (Some("same-origin"), Some("null"), true),
            (Some("same-origin"), Some("https://id.example"), true),
            (Some("same-origin"), Some("https://evil.test"), false),
            (Some("same-site"), None, false),
            (Some("cross-site"), Some("null"), false),
            (Some("none"), None, false),
        ];
        for (site, origin, expected) in table {
            let mut headers = http::HeaderMap::new();
            if let Some(site) = site {
                headers.insert("sec-fetch-site", site.parse().unwrap());
            }
            if let Some(origin) = origin {
                headers.insert(ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(is_own_form(&headers, own), expected, "{site:?} {origin:?}");
        }
        let mut twice = http::HeaderMap::new();
        twice.append(ORIGIN, own.parse().unwrap());
        twice.append(ORIGIN, own.parse().unwrap());
        assert!(!is_own_form(&twice, own));
    }

    #[test]
    fn form_values_come_once_and_as_utf_8() {
        assert_eq!(one_value(b"token=a&password=b+c%2B", "password").as_deref(), Some("b c+"));
        assert_eq!(one_value(b"token=a&token=a", "token"), None);
        assert_eq!(one_value(b"password=%ff", "password"), None);
        assert_eq!(one_value(b"", "token"), None);
    }

    #[test]
    fn reasons_read_as_sentences() {
        assert_eq!(sentence("the password is short"), "The password is short.");
    }
}
