//! The one place that reads the clock and draws randomness; everywhere else they are arguments.

/// Now, in Unix seconds.
pub fn now() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "the binary owns the clock")]
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    // A clock before 1970 is broken; at 0 every token is in the future and refused.
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// `N` bytes from the operating system.
///
/// # Errors
/// The operating system has none: nothing may go on.
pub fn fresh<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

/// As [`fresh`], into bytes that are there.
///
/// # Errors
/// The operating system has none: nothing may go on.
pub fn fill(bytes: &mut [u8]) -> Result<(), String> {
    #[expect(clippy::disallowed_methods, reason = "the binary draws randomness")]
    getrandom::fill(bytes).map_err(|error| format!("the operating system gave no randomness: {error}"))
}

/// `N` bytes from the operating system, for a command that cannot go on without: it ends the process (70) rather than
/// make a secret of zeros.
pub fn draw<const N: usize>() -> [u8; N] {
    fresh().unwrap_or_else(|error| {
        eprintln!("portcullis: {error}");
        std::process::exit(70)
    })
}
