//! What is our fault, never the caller's. A `Fault` is logged once, at the edge, with an id that the answer names.

/// Something on our side that kept a request, or the start, from going on.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The database refused, is full, or is away.
    #[error("store: {0}")]
    Store(#[from] store::Fault),
    /// The key-encryption key is not the one under which the keys of this store were sealed.
    #[error("the key-encryption key does not fit this store: restore the key file that belongs to it")]
    KeyEncryptionKeyDoesNotFit,
    /// The key-encryption key has the wrong length.
    #[error("the key-encryption key has {0} bytes: 32 random bytes are needed")]
    KeyEncryptionKeyLength(usize),
    /// Sealed bytes that do not open: altered, moved to another row, or of another key.
    #[error("sealed {0} does not open under the key-encryption key")]
    SealBroken(&'static str),
    /// The operating system gave no randomness.
    #[error("no randomness from the operating system")]
    NoRandomness,
    /// A signing key could not be made, read or used.
    #[error("signing key: {0}")]
    SigningKey(String),
    /// No key may sign at this time.
    #[error("no signing key is in force: run `portcullis signing-keys rotate`")]
    NoSigningKey,
    /// Password hashing failed for a reason other than the password.
    #[error("password hashing: {0}")]
    Hashing(String),
    /// The queue before the hashing threads is full, or the pool is gone.
    #[error("the password hashing queue is full")]
    Busy,
    /// The configuration cannot work.
    #[error("configuration: {0}")]
    Configuration(String),
    /// A mail could not be written.
    #[error("mail: {0}")]
    Mail(String),
    /// A token could not be made.
    #[error("token: {0}")]
    Token(String),
    /// A task of ours ended without an answer.
    #[error("a request's task ended without an answer")]
    TaskLost,
}

impl From<store::SealFault> for Fault {
    fn from(fault: store::SealFault) -> Self {
        match fault {
            store::SealFault::KeyLength(length) => Self::KeyEncryptionKeyLength(length),
            store::SealFault::Broken(what) => Self::SealBroken(what),
        }
    }
}
