//! Places where a test lets the process die, to see what the next start makes of it. Nothing in a release build.
//!
//! `PORTCULLIS_TEST_FAULT=rekey:ARROW` ends the process at that arrow of a change of key. The arrows, in their order:
//! `begun`, `key-written` (beside the key file), `pending` (both keys in the key file), `exporting`, `exported`,
//! `verified`, `quiet` (alone with the old file), `renamed`, `switched` (on disk for good), `promoted` (one key again).

/// Every arrow, in order.
pub const REKEY_ARROWS: [&str; 10] = [
    "begun",
    "key-written",
    "pending",
    "exporting",
    "exported",
    "verified",
    "quiet",
    "renamed",
    "switched",
    "promoted",
];

/// Dies here when this arrow is asked for. Abort runs no destructor and no handler, as `kill -9` does not.
#[cfg(debug_assertions)]
pub(crate) fn rekey(arrow: &str) {
    debug_assert!(REKEY_ARROWS.contains(&arrow), "{arrow} is no arrow");
    let wanted = std::env::var_os("PORTCULLIS_TEST_FAULT");
    if wanted.as_ref().and_then(|wanted| wanted.to_str()?.strip_prefix("rekey:")) == Some(arrow) {
        std::process::abort();
    }
}

#[cfg(not(debug_assertions))]
pub(crate) fn rekey(_: &str) {}
