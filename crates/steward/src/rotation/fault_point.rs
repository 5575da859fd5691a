//! Places where a test kills the process, to see that the next start goes on: `PORTCULLIS_TEST_FAULT=set-unrecorded`.
//! They exist in debug builds alone; a release has none.
//!
//! | name | the database | the journal |
//! |---|---|---|
//! | `prepare` | untouched | nothing is under way |
//! | `prepared` | untouched | PREPARED |
//! | `set-unrecorded` | has the new verifier | PREPARED |
//! | `set` | has the new verifier | SET |
//! | `tested-unrecorded` | the test has passed | SET |
//! | `tested` | | TESTED |
//! | `promoted` | both work | PROMOTED, not delivered |
//! | `delivered-unrecorded` | both work, the secret stands at its place | PROMOTED, not delivered |
//! | `delivered` | both work | PROMOTED, delivered |
//! | `adopted` | both work, nobody uses the old one | ADOPTED |
//! | `retired-unrecorded` | the old one is dead | ADOPTED |
//! | `retired` | the old one is dead | STABLE |
//! | `administrator-prepared` | untouched | the administrator's entry is PREPARED |
//! | `administrator-set-unrecorded` | the administrator has a new password | PREPARED |
//! | `administrator-set` | the same | SET |
//! | `administrator-promoted` | the same; its file still holds the old one | PROMOTED |
//! | `administrator-delivered-unrecorded` | the file holds the new one | PROMOTED, not delivered |
//! | `administrator-retired` | the same | STABLE |

/// The variable that names the place.
pub const VARIABLE: &str = "PORTCULLIS_TEST_FAULT";

/// Every place, in order.
pub const NAMES: [&str; 18] = [
    "prepare",
    "prepared",
    "set-unrecorded",
    "set",
    "tested-unrecorded",
    "tested",
    "promoted",
    "delivered-unrecorded",
    "delivered",
    "adopted",
    "retired-unrecorded",
    "retired",
    "administrator-prepared",
    "administrator-set-unrecorded",
    "administrator-set",
    "administrator-promoted",
    "administrator-delivered-unrecorded",
    "administrator-retired",
];

/// Dies here, without a word and without cleaning up, where the environment names this place.
pub(crate) fn reach(name: &str) {
    #[cfg(debug_assertions)]
    {
        debug_assert!(NAMES.contains(&name), "{name} is no fault point");
        #[expect(
            clippy::disallowed_methods,
            reason = "a test of the whole binary has no other way in, and a release has none"
        )]
        let asked = std::env::var(VARIABLE);
        if asked.as_deref() == Ok(name) {
            // As good as kill -9: no destructor runs, nothing is flushed.
            std::process::abort();
        }
    }
    #[cfg(not(debug_assertions))]
    let _ = name;
}
