//! Where time and randomness come from: both are arguments, so that a test can stand at the second before a deadline.

use std::fmt;
use std::sync::Arc;

use crate::Fault;

/// Tells the time in Unix seconds.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl Clock {
    /// A clock that asks `read` for Unix seconds.
    pub fn new(read: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// Now, in Unix seconds.
    pub fn now(&self) -> i64 {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Clock")
    }
}

type Draw = dyn Fn(&mut [u8]) -> Result<(), Fault> + Send + Sync;

/// Draws unpredictable bytes for ids, tokens, salts and nonces.
#[derive(Clone)]
pub struct Fresh(Arc<Draw>);

impl Fresh {
    /// The operating system's generator.
    pub fn system() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the edge where randomness is drawn")]
        Self(Arc::new(|bytes| getrandom::fill(bytes).map_err(|_| Fault::NoRandomness)))
    }

    /// Bytes from `draw`: a seeded generator in a test that must repeat.
    pub fn new(draw: impl Fn(&mut [u8]) -> Result<(), Fault> + Send + Sync + 'static) -> Self {
        Self(Arc::new(draw))
    }

    /// `N` bytes.
    pub fn bytes<const N: usize>(&self) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        (self.0)(&mut bytes)?;
        Ok(bytes)
    }

    /// An id of 128 bits behind a prefix that says what it names: `ses_…`.
    pub fn id(&self, prefix: &str) -> Result<String, Fault> {
        use base64::Engine as _;
        let bytes: [u8; 16] = self.bytes()?;
        Ok(format!("{prefix}{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)))
    }
}

impl fmt::Debug for Fresh {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Fresh")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_carry_128_bits_and_differ() {
        let fresh = Fresh::system();
        let (one, two) = (fresh.id("ses_").unwrap(), fresh.id("ses_").unwrap());
        assert_eq!(one.len(), "ses_".len() + 22);
        assert_ne!(one, two);
    }
}
