//! RFC 6750 section 3: the challenge of each refusal.

use policy::{Ambiguous, CallerKind, CallerKindSeen, Denial, ScopeSet};

fn scopes(text: &str) -> ScopeSet {
    ScopeSet::granted(text)
}

/// Every kind of refusal with its status and challenge.
fn every_denial() -> Vec<(Denial, u16, Option<&'static str>)> {
    let reason = || "because".to_owned();
    vec![
        (Denial::AmbiguousPath(Ambiguous::DotSegment), 400, None),
        (Denial::Malformed { reason: reason(), credentials: false }, 400, None),
        (
            Denial::Malformed { reason: reason(), credentials: true },
            400,
            Some("Bearer error=\"invalid_request\""),
        ),
        (Denial::NoCredentials, 401, Some("Bearer")),
        (Denial::InvalidToken { reason: reason() }, 401, Some("Bearer error=\"invalid_token\"")),
        (Denial::InvalidApiKey { reason: reason() }, 401, Some("Bearer")),
        (Denial::NotListed, 403, None),
        (Denial::MethodNotListed, 403, None),
        (Denial::RuleDenies { why: reason() }, 403, None),
        (Denial::ForeignOrigin, 403, None),
        (
            Denial::InsufficientScope {
                required: scopes("b a"),
                missing: scopes("b"),
                alternatives: vec![scopes("a b"), scopes("c")],
            },
            403,
            Some("Bearer error=\"insufficient_scope\", scope=\"a b\""),
        ),
        (
            Denial::WrongCaller {
                wanted: CallerKind::User,
                seen: CallerKindSeen::Client,
                required: scopes("a"),
            },
            403,
            Some("Bearer error=\"insufficient_scope\", scope=\"a\""),
        ),
    ]
}

#[test]
fn rfc6750_3_the_challenge_of_each_refusal() {
    for (denial, status, challenge) in every_denial() {
        assert_eq!(denial.status(), status, "{denial:?}");
        assert_eq!(denial.www_authenticate().as_deref(), challenge, "{denial:?}");
    }
}

#[test]
fn rfc6750_3_1_without_credentials_there_is_no_error_code() {
    assert_eq!(Denial::NoCredentials.error(), None);
}

#[test]
fn rfc9110_15_5_2_every_401_has_a_challenge() {
    for (denial, status, _) in every_denial() {
        assert!(status != 401 || denial.www_authenticate().is_some(), "{denial:?}");
    }
}

#[test]
fn rfc6750_3_1_the_status_of_each_error_code() {
    for (denial, status, _) in every_denial() {
        match denial.error() {
            Some("invalid_request") => assert_eq!(status, 400),
            Some("invalid_token") => assert_eq!(status, 401),
            Some("insufficient_scope") => assert_eq!(status, 403),
            Some(other) => panic!("{other}"),
            None => {}
        }
    }
}

#[test]
fn rfc9110_5_5_a_challenge_fits_into_a_header() {
    for (denial, _, _) in every_denial() {
        let challenge = denial.www_authenticate().unwrap_or_default();
        assert!(challenge.bytes().all(|b| b == b' ' || b.is_ascii_graphic()), "{challenge}");
    }
}

#[test]
fn what_a_client_is_told_keeps_the_reasons_of_the_log() {
    for denial in [
        Denial::InvalidToken { reason: "signed by an unknown key".to_owned() },
        Denial::InvalidApiKey { reason: "expired".to_owned() },
        Denial::RuleDenies { why: "no security".to_owned() },
    ] {
        assert_ne!(denial.detail(), denial.to_string());
    }
    let detail = every_denial().into_iter().find_map(|(denial, _, _)| {
        matches!(denial, Denial::InsufficientScope { .. }).then(|| denial.detail())
    });
    assert_eq!(detail.as_deref(), Some("the token lacks the scope b; enough would be a b, or c"));
}

#[test]
fn each_refusal_has_a_name_of_its_own() {
    let mut names: Vec<_> = every_denial().iter().map(|(denial, _, _)| denial.code()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), every_denial().len() - 1, "the two malformed ones share theirs");
}
