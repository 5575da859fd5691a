//! What is planted, and who must see it.

use crate::measures::MeasureId;

/// What is planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Defect {
    LiveSecretInHistory,
    KeyInHistory,
    KeyInTree,
    ShallowClone,
    UnpatchedDependency,
    NoUpdateTool,
    PlainPassword,
    WeakHashInJson,
    EndlessLink,
    PlainFile,
    AnyPassword,
    OldPassword,
    NoAuthentication,
    AnySignature,
    LiveApiKey,
    AnyoneAtMachines,
    AnyCaller,
    OtherName,
    AnyScope,
    UnscopedOperation,
    LongLife,
    PublicName,
    ReflectedOrigin,
    OldTls,
    NoHsts,
    GuessedTypes,
    ReadableCookie,
    EndlessGuesses,
    ToldWhoIsThere,
    EndlessSession,
    DamagedBackup,
    TwoLengths,
    BelievedHeader,
    CarelessPath,
    PublishedPrivateKey,
    ServedHistory,
    AnyNewPassword,
    AnyBody,
}

/// Defect, the measure and the claim that must see it, and what it is, in words.
pub(super) type Case = (Defect, MeasureId, &'static str, &'static str);

/// The measures that have no row, each with the reason. There is none: a measure that nobody saw fail is not one to rely on.
/// Where a defect would need a platform or another network (the second half of N1), another claim of the measure has the row.
#[cfg(test)]
const WITHOUT_A_ROW: [(MeasureId, &str); 0] = [];

/// Every defect, in the order of the measures.
pub(super) const CASES: &[Case] = &[
    (
        Defect::LiveSecretInHistory,
        MeasureId::G1,
        "no_live_secret_in_the_repository",
        "a secret in use in a deleted file",
    ),
    (Defect::KeyInHistory, MeasureId::G1, "no_secret_in_the_history", "a private key in a deleted file"),
    (Defect::KeyInTree, MeasureId::G1, "no_secret_in_the_work_tree", "a private key in the work tree"),
    (Defect::ShallowClone, MeasureId::G1, "no_secret_in_the_history", "a clone that has no history"),
    (
        Defect::UnpatchedDependency,
        MeasureId::G2,
        "no_known_vulnerability_is_older_than_the_window",
        "a locked version with a known hole",
    ),
    (
        Defect::NoUpdateTool,
        MeasureId::G2,
        "every_manifest_is_covered",
        "no tool that keeps dependencies current",
    ),
    (
        Defect::PlainPassword,
        MeasureId::A1,
        "no_password_is_stored_in_clear",
        "a password in clear in an encrypted file",
    ),
    (
        Defect::WeakHashInJson,
        MeasureId::A1,
        "every_hash_is_at_owasps_floor",
        "a fast hash in JSON within JSON",
    ),
    (Defect::EndlessLink, MeasureId::A2, "the_link_works_once", "a reset link that works twice"),
    (Defect::PlainFile, MeasureId::A3, "file_is_ciphertext", "a database file that is not encrypted"),
    (Defect::AnyPassword, MeasureId::A3, "wrong_password_is_refused", "a database that takes any password"),
    (
        Defect::OldPassword,
        MeasureId::A4,
        "every_password_is_younger_than_x",
        "a database password of 100 days",
    ),
    (
        Defect::NoAuthentication,
        MeasureId::A5,
        "no_endpoint_answers_without_a_token",
        "a server without authentication",
    ),
    (Defect::AnySignature, MeasureId::A5, "forged_tokens_are_refused", "a server that checks no signature"),
    (Defect::LiveApiKey, MeasureId::A5, "the_old_api_key_is_dead", "a static API key that still works"),
    (
        Defect::AnyoneAtMachines,
        MeasureId::A6,
        "a_users_token_is_refused",
        "a user's token on a client's endpoint",
    ),
    (Defect::AnyCaller, MeasureId::A7, "a_clients_token_is_refused", "a client's token on a user's endpoint"),
    (Defect::OtherName, MeasureId::A8, "the_issuer_is_who_it_says_it_is", "a foreign issuer by another name"),
    (Defect::AnyScope, MeasureId::A9, "a_missing_scope_is_refused", "a server that looks at no scope"),
    (
        Defect::UnscopedOperation,
        MeasureId::A9,
        "every_documented_operation_has_a_rule",
        "an OpenAPI operation without a scope",
    ),
    (Defect::LongLife, MeasureId::A10, "no_token_lives_longer_than_x", "tokens that live for a month"),
    (Defect::PublicName, MeasureId::N1, "name_is_private", "a database with a public address"),
    (
        Defect::ReflectedOrigin,
        MeasureId::N2,
        "foreign_origins_are_not_let_in",
        "CORS that reflects every origin",
    ),
    (Defect::OldTls, MeasureId::X1, "old_tls_is_refused", "a server that takes TLS 1.0"),
    (Defect::NoHsts, MeasureId::X1, "hsts_is_said", "https without HSTS"),
    (Defect::GuessedTypes, MeasureId::X2, "every_answer_says_nosniff", "answers whose type is guessed"),
    (Defect::ReadableCookie, MeasureId::X3, "scripts_do_not_see_cookies", "a cookie that scripts can read"),
    (
        Defect::EndlessGuesses,
        MeasureId::X4,
        "guessing_a_password_is_throttled",
        "passwords guessed without end",
    ),
    (Defect::ToldWhoIsThere, MeasureId::X5, "a_reset_tells_nothing", "a reset that tells who is there"),
    (Defect::EndlessSession, MeasureId::X6, "a_logout_ends_its_tokens", "a logout that ends nothing"),
    (Defect::DamagedBackup, MeasureId::X7, "the_backup_opens", "a backup with a damaged page"),
    (Defect::TwoLengths, MeasureId::X8, "two_lengths_are_not_believed", "a request with two lengths"),
    (Defect::BelievedHeader, MeasureId::X9, "no_header_says_who_one_is", "a header that says who one is"),
    (Defect::CarelessPath, MeasureId::X10, "no_written_path_fools_it", "a path that ..; gets by the rules"),
    (
        Defect::PublishedPrivateKey,
        MeasureId::X11,
        "only_public_keys_are_published",
        "a private key in the key set",
    ),
    (Defect::ServedHistory, MeasureId::X12, "no_source_control_is_served", "/.git served to everybody"),
    (
        Defect::AnyNewPassword,
        MeasureId::X13,
        "common_passwords_are_refused",
        "sign-up with a common password",
    ),
    (Defect::AnyBody, MeasureId::X14, "other_types_of_body_are_refused", "a form that any page could send"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measures::claims_of;

    #[test]
    fn every_case_names_a_claim_that_its_measure_can_make() {
        for (defect, measure, claim, _) in CASES {
            assert!(
                claims_of(*measure).iter().any(|listed| listed.id == *claim),
                "{defect:?}: {measure}/{claim}"
            );
        }
    }

    #[test]
    fn the_measures_without_a_row_are_those_with_a_reason() {
        let without: Vec<MeasureId> =
            MeasureId::ALL.into_iter().filter(|id| !CASES.iter().any(|case| case.1 == *id)).collect();
        let reasoned: Vec<MeasureId> = WITHOUT_A_ROW.iter().map(|(id, _)| *id).collect();
        assert_eq!(without, reasoned);
        assert!(WITHOUT_A_ROW.iter().all(|(_, reason)| !reason.is_empty()));
    }
}
