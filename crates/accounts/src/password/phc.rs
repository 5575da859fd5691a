//! Argon2id hashes as PHC strings: making, reading and comparing them.

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroize;

use super::parameters::within_caps;
use super::{Memory, Parameters};

/// Bytes of a salt that we make.
pub const SALT_LENGTH: usize = 16;
/// Bytes of a hash that we make.
const OUTPUT_LENGTH: usize = 32;
/// Longest PHC string that is looked at, in bytes.
const MAXIMUM_PHC: usize = 512;

/// A hash that could not be made or read. Never holds the hash itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// The stored text is no PHC string of Argon2id version 19.
    #[error("the stored password hash is no argon2id PHC string")]
    Unreadable,
    /// The stored text asks for more memory, passes or lanes than is ever given.
    #[error("the stored password hash asks for more work than is allowed")]
    TooDear,
    /// The system gave no memory.
    #[error("no memory for hashing")]
    OutOfMemory,
    /// The library refused; its inputs are checked before, so this is a fault of ours.
    #[error("argon2 refused its input: {0}")]
    Library(String),
}

/// Hashes a normalised password with a fresh salt.
///
/// Returns a PHC string: `$argon2id$v=19$m=…,t=…,p=…$salt$hash`.
///
/// # Errors
/// When no memory can be had.
pub fn hash(
    parameters: &Parameters,
    password: &[u8],
    salt: [u8; SALT_LENGTH],
    memory: &mut Memory,
) -> Result<String, HashError> {
    let (memory_kib, iterations, parallelism) =
        (parameters.memory_kib(), parameters.iterations(), parameters.parallelism());
    let mut stored =
        Stored { memory_kib, iterations, parallelism, salt: salt.to_vec(), output: vec![0; OUTPUT_LENGTH] };
    stored.output = stored.compute(password, memory)?;
    Ok(stored.to_phc())
}

/// What comparing a password with a stored hash showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verification {
    /// It is the password.
    pub matches: bool,
    /// The hash is cheaper than today's policy: hash the password again, now that it is known.
    pub needs_rehash: bool,
}

/// Compares a normalised password with a stored hash, in constant time at the end; the whole password counts.
///
/// # Errors
/// When the stored text is no hash of ours, asks for absurd work, or no memory can be had. A wrong password is no error.
pub fn verify(
    current: &Parameters,
    phc: &str,
    password: &[u8],
    memory: &mut Memory,
) -> Result<Verification, HashError> {
    let stored = Stored::parse(phc)?;
    let mut computed = stored.compute(password, memory)?;
    let matches = verify_slices_are_equal(&computed, &stored.output).is_ok();
    computed.zeroize();
    Ok(Verification { matches, needs_rehash: stored.is_below(current) })
}

/// Whether a stored hash is cheaper than `current`, without hashing anything: the auditor's and `doctor`'s question.
///
/// # Errors
/// When the text is no hash of ours.
pub fn needs_rehash(current: &Parameters, phc: &str) -> Result<bool, HashError> {
    Ok(Stored::parse(phc)?.is_below(current))
}

/// A hash that no password has, at today's cost: an unknown user's login verifies against it, so it takes as long as a known one's.
#[must_use]
pub fn dummy_phc(parameters: &Parameters) -> String {
    let (memory_kib, iterations, parallelism) =
        (parameters.memory_kib(), parameters.iterations(), parameters.parallelism());
    // Finding a password for the all-zero output is finding a preimage of 256 bits.
    let (salt, output) = (b"portcullis dummy".to_vec(), vec![0; OUTPUT_LENGTH]);
    Stored { memory_kib, iterations, parallelism, salt, output }.to_phc()
}

/// A PHC string, taken apart.
struct Stored {
    memory_kib: u32,
    iterations: u32,
    parallelism: u32,
    salt: Vec<u8>,
    output: Vec<u8>,
}

impl Stored {
    /// Reads `$argon2id$v=19$m=…,t=…,p=…$salt$hash`, strictly: this order, decimal numbers without leading zeros, unpadded base64.
    fn parse(phc: &str) -> Result<Self, HashError> {
        if phc.len() > MAXIMUM_PHC {
            return Err(HashError::Unreadable);
        }
        let fields: Vec<&str> = phc.split('$').collect();
        let ["", "argon2id", "v=19", costs, salt, output] = fields.as_slice() else {
            return Err(HashError::Unreadable);
        };
        let costs: Vec<&str> = costs.split(',').collect();
        let [memory, iterations, parallelism] = costs.as_slice() else {
            return Err(HashError::Unreadable);
        };
        let memory_kib = number(memory, "m=")?;
        let iterations = number(iterations, "t=")?;
        let parallelism = number(parallelism, "p=")?;
        if !within_caps(memory_kib, iterations, parallelism) {
            return Err(HashError::TooDear);
        }
        let salt = STANDARD_NO_PAD.decode(salt).map_err(|_| HashError::Unreadable)?;
        let output = STANDARD_NO_PAD.decode(output).map_err(|_| HashError::Unreadable)?;
        if !(8..=64).contains(&salt.len()) || !(16..=64).contains(&output.len()) {
            return Err(HashError::Unreadable);
        }
        Ok(Self { memory_kib, iterations, parallelism, salt, output })
    }

    fn to_phc(&self) -> String {
        let (memory, iterations, parallelism) = (self.memory_kib, self.iterations, self.parallelism);
        let (salt, output) = (STANDARD_NO_PAD.encode(&self.salt), STANDARD_NO_PAD.encode(&self.output));
        format!("$argon2id$v=19$m={memory},t={iterations},p={parallelism}${salt}${output}")
    }

    fn compute(&self, password: &[u8], memory: &mut Memory) -> Result<Vec<u8>, HashError> {
        let library = |error: argon2::Error| HashError::Library(error.to_string());
        let params = Params::new(self.memory_kib, self.iterations, self.parallelism, Some(self.output.len()))
            .map_err(library)?;
        let blocks = memory.at_least(params.block_count())?;
        let mut output = vec![0; self.output.len()];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(password, &self.salt, &mut output, blocks)
            .map_err(library)?;
        Ok(output)
    }

    fn is_below(&self, current: &Parameters) -> bool {
        self.memory_kib < current.memory_kib()
            || self.iterations < current.iterations()
            || self.salt.len() < SALT_LENGTH
            || self.output.len() < OUTPUT_LENGTH
    }
}

fn number(text: &str, prefix: &str) -> Result<u32, HashError> {
    let digits = text.strip_prefix(prefix).ok_or(HashError::Unreadable)?;
    let proper =
        !digits.is_empty() && !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !proper {
        return Err(HashError::Unreadable);
    }
    // Only digits are left, so what does not fit is simply too much.
    digits.parse().map_err(|_| HashError::TooDear)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SALT: [u8; 16] = *b"0123456789abcdef";

    fn hashed(password: &str) -> String {
        hash(&Parameters::default(), password.as_bytes(), SALT, &mut Memory::new()).unwrap()
    }

    fn matches(phc: &str, password: &str) -> bool {
        verify(&Parameters::default(), phc, password.as_bytes(), &mut Memory::new()).unwrap().matches
    }

    /// Computed with the reference C implementation (argon2-cffi): the wiring of salt, parameters and output is
    /// Argon2id's, and not merely consistent with itself.
    #[test]
    fn a_known_answer_of_the_reference_implementation() {
        assert_eq!(
            hashed("correct horse"),
            "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$rk2Mi3E4dgRMg0fHaYaptWVZRKqs//6b6k3/nntqGJk"
        );
    }

    #[test]
    fn the_whole_password_is_verified() {
        let long = "x".repeat(72);
        for (right, wrong) in [
            (format!("{long}a"), format!("{long}b")),
            ("before\0after-the-nul".to_owned(), "before\0another-thing".to_owned()),
            ("Case Matters Here".to_owned(), "case matters here".to_owned()),
            (" spaces count too ".to_owned(), "spaces count too".to_owned()),
        ] {
            let phc = hashed(&right);
            assert!(matches(&phc, &right));
            assert!(!matches(&phc, &wrong));
        }
    }

    #[test]
    fn an_older_and_cheaper_hash_is_renewed_and_a_dearer_one_kept() {
        let current = Parameters::new(19_456, 3, 1).unwrap();
        let old = hashed("the same password");
        let mut memory = Memory::new();
        let found = verify(&current, &old, b"the same password", &mut memory).unwrap();
        assert_eq!(found, Verification { matches: true, needs_rehash: true });
        assert!(!needs_rehash(&Parameters::default(), &old).unwrap());
        let dear = hash(&current, b"x", SALT, &mut memory).unwrap();
        assert!(!needs_rehash(&Parameters::default(), &dear).unwrap());
    }

    #[test]
    fn a_stored_row_cannot_ask_for_the_servers_memory() {
        let tail = "MDEyMzQ1Njc4OWFiY2RlZg$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        for costs in [
            "m=4194304,t=1,p=1",
            "m=19456,t=4000,p=1",
            "m=19456,t=2,p=255",
            "m=262144,t=64,p=1",
            "m=99999999999,t=1,p=1",
        ] {
            let phc = format!("$argon2id$v=19${costs}${tail}");
            assert_eq!(
                verify(&Parameters::default(), &phc, b"x", &mut Memory::new()),
                Err(HashError::TooDear),
                "{costs}"
            );
        }
    }

    #[test]
    fn what_is_no_argon2id_hash_is_unreadable() {
        let tail = "MDEyMzQ1Njc4OWFiY2RlZg$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        for phc in [
            "".to_owned(),
            "5f4dcc3b5aa765d61d8327deb882cf99".to_owned(),
            "$2b$12$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234".to_owned(),
            format!("$argon2i$v=19$m=19456,t=2,p=1${tail}"),
            format!("$argon2id$v=16$m=19456,t=2,p=1${tail}"),
            format!("$argon2id$v=19$t=2,m=19456,p=1${tail}"),
            format!("$argon2id$v=19$m=019456,t=2,p=1${tail}"),
            format!("$argon2id$v=19$m=+19456,t=2,p=1${tail}"),
            format!("$argon2id$v=19$m=19456,t=2,p=1,keyid=a${tail}"),
            format!("$argon2id$v=19$m=19456,t=2,p=1${tail}="),
            format!("$argon2id$v=19$m=19456,t=2,p=1${tail}$"),
            "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
        ] {
            assert_eq!(needs_rehash(&Parameters::default(), &phc), Err(HashError::Unreadable), "{phc}");
        }
    }

    #[test]
    fn the_dummy_costs_the_same_and_matches_nothing() {
        let parameters = Parameters::default();
        let dummy = dummy_phc(&parameters);
        let found = verify(&parameters, &dummy, b"portcullis dummy", &mut Memory::new()).unwrap();
        assert_eq!(found, Verification { matches: false, needs_rehash: false });
        let cost = |phc: &str| phc.split('$').nth(3).map(str::to_owned);
        assert_eq!(cost(&dummy), cost(&hashed("x")));
        assert_eq!(dummy.len(), hashed("x").len());
    }

    proptest! {
        #[test]
        fn parsing_a_stored_hash_never_panics(text in "\\PC{0,200}") {
            let _ = needs_rehash(&Parameters::default(), &text);
        }

        #[test]
        fn parsing_near_misses_never_panics(m in any::<u64>(), t in any::<u64>(), p in any::<u64>(), salt in "[A-Za-z0-9+/=]{0,30}", out in "[A-Za-z0-9+/=]{0,60}") {
            let _ = needs_rehash(&Parameters::default(), &format!("$argon2id$v=19$m={m},t={t},p={p}${salt}${out}"));
        }
    }
}
